/* Making plans, and the table that keeps them. What is refused is in plan_check.c. */
#include "model/plan.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/convert.h"
#include "base/fault.h"
#include "model/sql_type.h"
#include "sql/identifier.h"

typedef struct builder {
    lido__plan *plan;
    lido__column *columns;
    const lido__column **keys;
    lido__reference *references;
    lido__index *indexes;
    lido__buffer quoted;
    lido__buffer bare;
    lido_error *error;
} builder;

/* ---- Names ---- */

/* Reads a name into the builder's buffers. NULL, or what is wrong with it. */
static const char *read_name(builder *build, const char *name, bool dotted) {
    lido__buffer_clear(&build->quoted);
    lido__buffer_clear(&build->bare);
    if (name == NULL)
        return "is NULL";
    const char *problem = lido__identifier_quote(name, dotted, &build->quoted, &build->bare);
    if (build->quoted.out_of_memory || build->bare.out_of_memory)
        build->plan->memory.out_of_memory = true;
    if (problem == NULL && build->bare.size > LIDO__NAME_BYTES_MOST)
        return "is longer than the 63 bytes that PostgreSQL keeps";
    if (problem == NULL && !lido__utf8_valid(build->quoted.data, build->quoted.size))
        return "is not UTF-8";
    return problem;
}

static const char *keep(builder *build, const lido__buffer *text) {
    const char *string = lido__buffer_string(text);
    if (string == NULL)
        build->plan->memory.out_of_memory = true;
    return string != NULL ? lido__arena_copy(&build->plan->memory, string, text->size) : NULL;
}

static const char *name_of(const lido_part *part) {
    return part->column != NULL ? part->column : part->member;
}

/* Where the name begins behind the schema's, in a quoted text; NULL: there is no schema. */
static const char *behind_dot(const char *quoted) {
    bool inside = false;
    for (; *quoted != '\0'; quoted++) {
        inside = inside != (*quoted == '"');
        if (!inside && *quoted == '.')
            return quoted + 1;
    }
    return NULL;
}

static bool refuse_table(builder *build, const char *problem) {
    const lido_model *model = build->plan->model;
    return lido__fault(build->error, LIDO_ERROR_MISUSE, "model %s: its table's name %s %s", model->name,
                       model->table != NULL ? model->table : "", problem);
}

static bool name_table(builder *build) {
    lido__plan *plan = build->plan;
    const char *problem = read_name(build, plan->model->table, true);
    if (problem != NULL)
        return refuse_table(build, problem);
    plan->table = plan->table_quoted = keep(build, &build->quoted);
    plan->table_name = keep(build, &build->bare);
    const char *table = plan->table != NULL ? behind_dot(plan->table) : NULL;
    if (table == NULL)
        return true;
    if (behind_dot(table) != NULL)
        return refuse_table(build, "has more than a schema's name before it");
    plan->schema_quoted = lido__arena_copy(&plan->memory, plan->table, (size_t)(table - plan->table) - 1);
    problem = plan->schema_quoted != NULL ? read_name(build, plan->schema_quoted, false) : NULL;
    if (problem != NULL)
        return refuse_table(build, problem);
    plan->table_quoted = table;
    plan->schema = keep(build, &build->bare);
    return true;
}

/* ---- Columns ---- */

static bool is_column(const lido_part *part) {
    return part->role != LIDO_PART_UNIQUE && part->role != LIDO_PART_INDEX;
}

static bool is_key(const lido_part *part) {
    return part->role == LIDO_PART_KEY || (part->role == LIDO_PART_REFERENCE && part->key);
}

static size_t key_count_of(const lido_model *model) {
    size_t count = 0;
    for (size_t i = 0; i < model->part_count; i++)
        count += is_key(&model->parts[i]);
    return count;
}

static lido__generated generated_of(const lido_part *part, size_t key_count) {
    if (part->role != LIDO_PART_KEY || key_count != 1 || part->natural)
        return LIDO__NOT_GENERATED;
    if (part->kind == LIDO_TARGET_UUID && part->type == NULL)
        return LIDO__GENERATED_UUID;
    bool is_int64 =
        part->kind == LIDO_TARGET_LONG_LONG || (part->kind == LIDO_TARGET_LONG && sizeof(long) == sizeof(int64_t));
    return is_int64 ? LIDO__GENERATED_IDENTITY : LIDO__NOT_GENERATED;
}

/* Kinds of which a NULL pointer is NULL, if the descriptor says so; the others are pointers by their kind. */
static bool may_be_null(const lido_part *part) {
    return part->nullable || lido__target_is_nullable(part->kind);
}

static bool add_column(builder *build, const lido_part *part) {
    lido__plan *plan = build->plan;
    const lido_model *model = plan->model;
    const char *problem = read_name(build, name_of(part), false);
    if (problem != NULL)
        return lido__fault(build->error, LIDO_ERROR_MISUSE, "model %s: the column name %s %s", model->name,
                           name_of(part) != NULL ? name_of(part) : "", problem);
    lido__column *column = &build->columns[plan->column_count++];
    *column = (lido__column){.part = part,
                             .name = keep(build, &build->bare),
                             .quoted = keep(build, &build->quoted),
                             .kind = part->kind,
                             .offset = part->offset,
                             .size = lido__target_size(part->kind),
                             .may_be_null = may_be_null(part),
                             .is_key = is_key(part),
                             .generated = generated_of(part, plan->key_count)};
    column->is_unique = part->unique || (column->is_key && plan->key_count == 1);
    if (column->name == NULL || column->quoted == NULL)
        return false;
    if (part->of == NULL || strcmp(part->of, model->name) != 0)
        return lido__fault(build->error, LIDO_ERROR_MISUSE, "model %s: column %s describes a member of %s", model->name,
                           column->name, part->of != NULL ? part->of : "no struct");
    problem = lido__column_problem(column, plan->key_count);
    if (problem == NULL && (column->size > model->size || column->offset > model->size - column->size))
        problem = "ends beyond the struct";
    return problem == NULL ||
           lido__fault(build->error, LIDO_ERROR_MISUSE, "model %s: column %s %s", model->name, column->name, problem);
}

static bool add_columns(builder *build) {
    lido__plan *plan = build->plan;
    size_t keys = 0;
    for (size_t i = 0; i < plan->model->part_count; i++)
        if (is_column(&plan->model->parts[i]) && !add_column(build, &plan->model->parts[i]))
            return false;
    for (size_t i = 0; i < plan->column_count; i++) {
        const lido__column *column = &plan->columns[i];
        if (column->is_key)
            build->keys[keys++] = column;
        if (column->generated != LIDO__NOT_GENERATED)
            plan->generated = column;
        if (column->part->role == LIDO_PART_VERSION)
            plan->version = column;
    }
    return true;
}

/* ---- Indexes ---- */

static void add_index(builder *build, bool unique, const lido__column *const *columns, size_t count) {
    build->indexes[build->plan->index_count++] = (lido__index){.unique = unique, .count = count, .columns = columns};
}

static bool add_column_index(builder *build, const lido__column *column) {
    if (!column->part->unique && !column->part->index)
        return true;
    const lido__column **one = lido__arena_allocate(&build->plan->memory, sizeof *one);
    if (one == NULL)
        return false;
    *one = column;
    add_index(build, column->part->unique, one, 1);
    return true;
}

static bool refuse_part(builder *build, const lido_part *part, const char *column, const char *problem) {
    return lido__fault(build->error, LIDO_ERROR_MISUSE, "model %s: %s %s%s%s", build->plan->model->name,
                       part->role == LIDO_PART_UNIQUE ? "LIDO_UNIQUE" : "LIDO_INDEX", problem,
                       column != NULL ? " " : "", column != NULL ? column : "");
}

static bool add_part_index(builder *build, const lido_part *part) {
    size_t count = 0;
    while (part->columns != NULL && part->columns[count] != NULL)
        count++;
    if (count == 0 || count > LIDO__INDEX_COLUMNS_MOST)
        return refuse_part(build, part, NULL, count == 0 ? "names no column" : "names more than 32 columns");
    const lido__column **columns = lido__arena_allocate(&build->plan->memory, count * sizeof *columns);
    for (size_t i = 0; columns != NULL && i < count; i++) {
        const char *problem = read_name(build, part->columns[i], false);
        const char *name = problem == NULL ? lido__buffer_string(&build->bare) : NULL;
        columns[i] = name != NULL ? lido__plan_column(build->plan, name) : NULL;
        if (columns[i] == NULL)
            return !build->plan->memory.out_of_memory &&
                   refuse_part(build, part, part->columns[i], "names a column that the model has not:");
    }
    if (columns == NULL)
        return false;
    add_index(build, part->role == LIDO_PART_UNIQUE, columns, count);
    if (count == 1 && part->role == LIDO_PART_UNIQUE)
        build->columns[columns[0] - build->columns].is_unique = true;
    return true;
}

static bool add_indexes(builder *build) {
    const lido_model *model = build->plan->model;
    for (size_t i = 0; i < build->plan->column_count; i++)
        if (!add_column_index(build, &build->plan->columns[i]))
            return false;
    for (size_t i = 0; i < model->part_count; i++)
        if (!is_column(&model->parts[i]) && !add_part_index(build, &model->parts[i]))
            return false;
    return true;
}

/* ---- References ----
 * The other model's parts are looked at, and not its plan: models may refer to each other. */

static bool is_called(builder *build, const char *written, const char *bare) {
    const char *found = read_name(build, written, false) == NULL ? lido__buffer_string(&build->bare) : NULL;
    return found != NULL && strcmp(found, bare) == 0;
}

static bool has_unique(builder *build, const lido_model *model, const char *bare) {
    for (size_t i = 0; i < model->part_count; i++) {
        const lido_part *part = &model->parts[i];
        bool is_single = part->role == LIDO_PART_UNIQUE && part->columns != NULL && part->columns[0] != NULL &&
                         part->columns[1] == NULL;
        if (is_single && is_called(build, part->columns[0], bare))
            return true;
    }
    return false;
}

static const lido_part *find_part(builder *build, const lido_model *model, const char *bare) {
    for (size_t i = 0; i < model->part_count; i++)
        if (is_column(&model->parts[i]) && is_called(build, name_of(&model->parts[i]), bare))
            return &model->parts[i];
    return NULL;
}

static const lido_part *only_key(const lido_model *model) {
    size_t at = 0;
    if (key_count_of(model) != 1)
        return NULL;
    while (!is_key(&model->parts[at]))
        at++;
    return &model->parts[at];
}

/* The part of the other model that is referred to. NULL: refused. */
static const lido_part *find_target(builder *build, const lido__column *column) {
    const lido_model *model = column->part->target;
    const lido_part *key = only_key(model);
    const lido_part *found = key;
    const char *problem = "has no key of one column: give `.references`";
    if (column->part->references != NULL) {
        const char *unread = read_name(build, column->part->references, false);
        const char *bare = unread == NULL ? keep(build, &build->bare) : NULL;
        found = bare != NULL ? find_part(build, model, bare) : NULL;
        problem = "has no such column as `.references` names";
        if (found != NULL && found != key && !found->unique && !has_unique(build, model, bare)) {
            found = NULL;
            problem = "has that column of `.references`, but it is not unique";
        }
    }
    if (found == NULL && !build->plan->memory.out_of_memory)
        lido__fault(build->error, LIDO_ERROR_MISUSE, "model %s: column %s refers to %s, which %s",
                    build->plan->model->name, column->name, model->name, problem);
    return found;
}

/* Keys that are generated are never zero; of one that is a reference itself that is not known. */
static bool zero_is_none(const lido__column *column, const lido_part *target) {
    lido_target_kind kind = column->kind;
    bool is_pointer = lido__target_is_nullable(kind) || kind == LIDO_TARGET_TEXT || kind == LIDO_TARGET_BYTES ||
                      kind == LIDO_TARGET_JSON || kind == LIDO_TARGET_NUMERIC;
    return is_pointer || target->role == LIDO_PART_REFERENCE ||
           generated_of(target, key_count_of(column->part->target)) != LIDO__NOT_GENERATED;
}

static bool add_reference(builder *build, const lido__column *column) {
    lido__plan *plan = build->plan;
    const lido_part *target = find_target(build, column);
    if (target == NULL)
        return false;
    lido__reference *reference = &build->references[plan->reference_count++];
    reference->column = column;
    reference->target = column->part->target;
    reference->zero_is_none = zero_is_none(column, target);
    const char *problem = read_name(build, name_of(target), false);
    reference->target_name = keep(build, &build->bare);
    reference->target_quoted = keep(build, &build->quoted);
    if (problem != NULL)
        return lido__fault(build->error, LIDO_ERROR_MISUSE, "model %s: column %s refers to %s, a column of which %s",
                           plan->model->name, column->name, reference->target->name, problem);
    return !plan->memory.out_of_memory && lido__reference_check(plan, reference, target, build->error);
}

static bool add_references(builder *build) {
    for (size_t i = 0; i < build->plan->column_count; i++)
        if (build->plan->columns[i].part->role == LIDO_PART_REFERENCE &&
            !add_reference(build, &build->plan->columns[i]))
            return false;
    return true;
}

/* ---- Pieces of SQL ---- */

/* Where no member is there twice, it is enough to add up their sizes. */
static bool is_dense(const lido__plan *plan) {
    size_t bytes = 0;
    for (size_t i = 0; i < plan->column_count; i++)
        bytes += plan->columns[i].size;
    for (size_t i = 0; i < plan->column_count; i++)
        for (size_t j = 0; j < i; j++)
            if (plan->columns[i].offset == plan->columns[j].offset)
                return false;
    return bytes == plan->model->size;
}

/* The columns as they are selected. */
static bool list_columns(builder *build) {
    lido__plan *plan = build->plan;
    size_t count = plan->column_count;
    const lido__column **listed = lido__arena_allocate(&plan->memory, count * sizeof(lido__column *));
    lido__row_member *targets = lido__arena_allocate(&plan->memory, count * sizeof *targets);
    if (listed == NULL || targets == NULL)
        return false;
    size_t next = plan->key_count;
    memcpy(listed, plan->keys, plan->key_count * sizeof(lido__column *));
    for (size_t i = 0; i < count; i++)
        if (!plan->columns[i].is_key)
            listed[next++] = &plan->columns[i];
    for (size_t i = 0; i < count; i++) {
        targets[i] = (lido__row_member){listed[i]->kind, listed[i]->may_be_null, listed[i]->offset};
        lido__buffer_format(&build->quoted, "%s%s.%s", i > 0 ? ", " : "", plan->table, listed[i]->quoted);
    }
    plan->listed = listed;
    plan->targets = targets;
    return true;
}

static bool write_pieces(builder *build) {
    lido__plan *plan = build->plan;
    lido_member *members = lido__arena_allocate(&plan->memory, plan->column_count * sizeof *members);
    lido__buffer_clear(&build->quoted);
    lido__buffer_clear(&build->bare);
    if (members == NULL || !list_columns(build))
        return false;
    for (size_t i = 0; i < plan->column_count; i++) {
        const lido__column *column = &plan->columns[i];
        members[i] = (lido_member){column->quoted, column->kind, column->offset};
    }
    for (size_t i = 0; i < plan->key_count; i++)
        lido__buffer_format(&build->bare, "%s%s = ?", i > 0 ? " AND " : "", plan->keys[i]->quoted);
    plan->members = members;
    plan->is_dense = is_dense(plan);
    plan->column_list = keep(build, &build->quoted);
    plan->key_condition = keep(build, &build->bare);
    return !plan->memory.out_of_memory;
}

/* ---- All of it ---- */

/* Room for as much as the parts may come to. */
static bool make_room(builder *build) {
    lido__plan *plan = build->plan;
    size_t parts = plan->model->part_count;
    plan->columns = build->columns = lido__arena_allocate(&plan->memory, parts * sizeof *build->columns);
    plan->keys = build->keys = lido__arena_allocate(&plan->memory, parts * sizeof *build->keys);
    plan->references = build->references = lido__arena_allocate(&plan->memory, parts * sizeof *build->references);
    plan->indexes = build->indexes = lido__arena_allocate(&plan->memory, parts * sizeof *build->indexes);
    return !plan->memory.out_of_memory;
}

static bool build_plan(builder *build) {
    const lido_model *model = build->plan->model;
    if (model == NULL)
        return lido__fault(build->error, LIDO_ERROR_MISUSE, "the model is NULL");
    if (model->name == NULL || model->parts == NULL || model->part_count == 0)
        return lido__fault(build->error, LIDO_ERROR_MISUSE, "model %s has no %s",
                           model->name != NULL ? model->name : "", model->name == NULL ? "name" : "parts");
    build->plan->key_count = key_count_of(model);
    return make_room(build) && name_table(build) && add_columns(build) && add_indexes(build) &&
           lido__plan_check(build->plan, build->error) && add_references(build) && write_pieces(build);
}

static void free_plan(lido__plan *plan) {
    lido__arena memory = plan->memory;
    lido__arena_done(&memory);
    free(plan);
}

static lido__plan *make_plan(const lido_model *model, lido_error *error) {
    lido__plan *plan = calloc(1, sizeof *plan);
    builder build = {.plan = plan, .quoted = LIDO__BUFFER_INIT, .bare = LIDO__BUFFER_INIT, .error = error};
    bool done = false;
    if (plan != NULL) {
        plan->model = model;
        done = build_plan(&build);
    }
    if (!done)
        lido__fault_memory(error, "reading a model"); /* unless it was refused */
    lido__buffer_done(&build.quoted);
    lido__buffer_done(&build.bare);
    if (done || plan == NULL)
        return plan;
    free_plan(plan);
    return NULL;
}

/* ---- The table of plans ----
 * Lists by the model's address, at whose head new plans are put. Nothing is ever taken out. */

enum { LISTS = 256 };

static _Atomic(lido__plan *) lists[LISTS];

static _Atomic(lido__plan *) *list_of(const lido_model *model) {
    uint64_t address =
        (uint64_t)(uintptr_t)model * 0x9e3779b97f4a7c15U; /* Fibonacci hashing: the upper bits are good */
    return &lists[(address >> 32) % LISTS];
}

static const lido__plan *find(const lido__plan *plan, const lido_model *model) {
    while (plan != NULL && plan->model != model)
        plan = plan->next;
    return plan;
}

const lido__plan *lido__plan_of(const lido_model *model, lido_error *error) {
    _Atomic(lido__plan *) *list = list_of(model);
    lido__plan *head = atomic_load_explicit(list, memory_order_acquire);
    const lido__plan *found = find(head, model);
    if (found != NULL)
        return found;
    lido__plan *plan = make_plan(model, error);
    if (plan == NULL)
        return NULL;
    do {
        found = find(head, model); /* another thread may have been quicker */
        plan->next = head;
    } while (found == NULL &&
             !atomic_compare_exchange_weak_explicit(list, &head, plan, memory_order_acq_rel, memory_order_acquire));
    if (found == NULL)
        return plan;
    free_plan(plan);
    return found;
}

const lido__column *lido__plan_column(const lido__plan *plan, const char *name) {
    for (size_t i = 0; i < plan->column_count; i++)
        if (strcmp(plan->columns[i].name, name) == 0)
            return &plan->columns[i];
    return NULL;
}

const lido__column *lido__plan_column_as_written(const lido__plan *plan, const char *name) {
    lido__buffer quoted = LIDO__BUFFER_INIT;
    lido__buffer bare = LIDO__BUFFER_INIT;
    const lido__column *column = NULL;
    if (lido__identifier_quote(name, false, &quoted, &bare) == NULL && lido__buffer_string(&bare) != NULL)
        column = lido__plan_column(plan, lido__buffer_string(&bare));
    lido__buffer_done(&quoted);
    lido__buffer_done(&bare);
    return column;
}

const lido__reference *lido__plan_reference(const lido__plan *plan, const lido__column *column) {
    for (size_t i = 0; i < plan->reference_count; i++)
        if (plan->references[i].column == column)
            return &plan->references[i];
    return NULL;
}

lido_status lido_model_check(const lido_model *model, lido_error *error) {
    lido_error ignored;
    if (error == NULL)
        error = &ignored;
    lido__fault_clear(error);
    if (lido__plan_of(model, error) != NULL)
        return LIDO_OK;
    lido__fault_doing(error, "reading a model");
    return LIDO_ERROR;
}
