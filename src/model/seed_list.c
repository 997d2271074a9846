/* A list of objects in the program as sources of seeds: as many as there are sets of members that the objects give.
 * What an object leaves at zero takes the column's default, or is generated; what it points to is a reference by
 * name. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/convert.h"
#include "base/fault.h"
#include "model/plan.h"
#include "model/seed_source.h"

enum { DEPTH_MOST = 16, PATH_MOST = 1024 };

/* A value that an object gives. */
typedef struct leaf {
    const lido__column *column;
    const void *member;
} leaf;

typedef struct list_source {
    lido__seed_source base;
    const lido_seeds *seeds;
    const lido__plan *plan;
    lido__buffer shape; /* which values its rows give: ways, each with a line's end behind it */

    /* What the row that is looked at gives. */
    lido__buffer given; /* in the form of `shape` */
    leaf *leaves;
    size_t leaf_count;
    char path[PATH_MOST]; /* to the object that is looked at: "owner_id." */
} list_source;

static bool is_zero(const void *member, size_t size) {
    const unsigned char *bytes = member;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static bool add_leaf(list_source *list, const lido__column *column, const char *object, lido_error *error) {
    if (list->leaf_count == LIDO__SEED_COLUMNS_MOST)
        return lido__seed_fault(&list->base, error, NULL, "it has more values than any table has columns");
    list->leaves[list->leaf_count++] = (leaf){.column = column, .member = object + column->offset};
    lido__buffer_format(&list->given, "%s%s\n", list->path, column->name);
    return true;
}

static bool add_name(list_source *list, const lido__plan *plan, const char *object, int depth, lido_error *error);

/* The object that a reference points to, by what is set of it. */
static bool add_object(list_source *list, const lido__plan *plan, const lido__column *column, const void *object,
                       int depth, lido_error *error) {
    const lido__reference *reference = lido__plan_reference(plan, column);
    const lido__plan *target = lido__plan_of(reference->target, error);
    size_t before = strlen(list->path);
    size_t leaves = list->leaf_count;
    if (target == NULL)
        return false;
    if (depth == DEPTH_MOST || before + strlen(column->name) + 2 > PATH_MOST)
        return lido__seed_fault(&list->base, error, column->name, "names are nested too deeply");
    strcpy(list->path + before, column->name);
    strcat(list->path, ".");
    bool added = add_name(list, target, object, depth + 1, error);
    list->path[before] = '\0';
    if (added && list->leaf_count == leaves)
        return lido__seed_fault(&list->base, error, column->name, "the %s that it refers to has no member set",
                                reference->target->name);
    return added;
}

/* The object that the column's reference is to; NULL: none is given. */
static const void *object_of(const lido__column *column, const char *object) {
    if (column->part->object == NULL || !is_zero(object + column->offset, column->size))
        return NULL;
    return *(const void *const *)(object + column->part->object_offset);
}

static bool add_name(list_source *list, const lido__plan *plan, const char *object, int depth, lido_error *error) {
    for (size_t i = 0; i < plan->column_count; i++) {
        const lido__column *column = &plan->columns[i];
        const void *other = object_of(column, object);
        if (other != NULL && !add_object(list, plan, column, other, depth, error))
            return false;
        if (other == NULL && !is_zero(object + column->offset, column->size) && !add_leaf(list, column, object, error))
            return false;
    }
    return true;
}

/* Whether the column gets its value by itself, if the object has none. */
static bool is_left_out(const lido__column *column, const char *row) {
    bool by_itself = column->generated != LIDO__NOT_GENERATED || column->part->fallback != NULL;
    return by_itself && is_zero(row + column->offset, column->size);
}

static bool look_at(list_source *list, size_t index, lido_error *error) {
    const char *row = (const char *)list->seeds->rows + index * list->plan->model->size;
    lido__buffer_clear(&list->given);
    list->leaf_count = 0;
    list->path[0] = '\0';
    list->base.row = (int64_t)index + 1;
    for (size_t i = 0; i < list->plan->column_count; i++) {
        const lido__column *column = &list->plan->columns[i];
        const void *object = object_of(column, row);
        if (object != NULL ? !add_object(list, list->plan, column, object, 0, error)
                           : !is_left_out(column, row) && !add_leaf(list, column, row, error))
            return false;
    }
    return !list->given.out_of_memory || lido__fault_memory(error, "reading seeds");
}

/* ---- As a source ---- */

static bool list_open(lido__seed_source *source, lido_error *error) {
    (void)error;
    source->row = 0;
    return true;
}

/* A version that is not set is that of a new object. */
static void give_value(const list_source *list, const leaf *from, lido_value *value) {
    bool is_version = from->column == list->plan->version;
    lido__convert_member(from->member, from->column->kind, value);
    if (is_version && is_zero(from->member, from->column->size))
        *value = lido_value_int64(1);
}

static int list_next(lido__seed_source *source, lido_value *values, lido_error *error) {
    list_source *list = (list_source *)source;
    for (size_t index = (size_t)source->row; index < list->seeds->count; index++) {
        if (!look_at(list, index, error))
            return -1;
        if (list->given.size != list->shape.size || memcmp(list->given.data, list->shape.data, list->shape.size) != 0)
            continue;
        for (size_t i = 0; i < list->leaf_count; i++) {
            values[i] = lido_value_null();
            give_value(list, &list->leaves[i], &values[i]);
        }
        return 1;
    }
    return 0;
}

static void list_close(lido__seed_source *source) {
    (void)source;
}

static void list_free(lido__seed_source *source) {
    list_source *list = (list_source *)source;
    for (size_t i = 0; i < source->column_count; i++)
        free((char *)(uintptr_t)source->columns[i]);
    free(source->columns);
    free(source->versions);
    free((char *)(uintptr_t)source->label);
    free((char *)(uintptr_t)source->table);
    free(list->leaves);
    lido__buffer_done(&list->shape);
    lido__buffer_done(&list->given);
    free(list);
}

static list_source *make(const lido_seeds *seeds, const lido__plan *plan, const char *table, lido_error *error) {
    list_source *list = calloc(1, sizeof *list);
    if (list != NULL) {
        lido__buffer label = LIDO__BUFFER_INIT;
        lido__buffer_format(&label, "the seeds of %s", plan->model->name);
        list->base = (lido__seed_source){
            .open = list_open, .next = list_next, .close = list_close, .free = list_free, .typed = true};
        list->base.label = label.data;
        list->base.table = strdup(table);
        list->seeds = seeds;
        list->plan = plan;
        list->leaves = calloc(LIDO__SEED_COLUMNS_MOST, sizeof *list->leaves);
        if (!label.out_of_memory && list->base.table != NULL && list->leaves != NULL)
            return list;
        list_free(&list->base);
    }
    lido__fault_memory(error, "reading seeds");
    return NULL;
}

/* Its columns are those that the row which the whole list looks at gives. */
static bool take_shape(list_source *list, const list_source *whole, lido_error *error) {
    lido__seed_source *base = &list->base;
    lido__buffer_append(&list->shape, whole->given.data, whole->given.size);
    base->columns = calloc(whole->leaf_count + 1, sizeof *base->columns);
    base->versions = calloc(whole->leaf_count + 1, sizeof *base->versions);
    bool good = !list->shape.out_of_memory && base->columns != NULL && base->versions != NULL;
    const char *way = whole->given.data;
    for (size_t i = 0; good && i < whole->leaf_count; i++) {
        size_t size = strcspn(way, "\n");
        base->columns[i] = strndup(way, size);
        good = base->columns[i] != NULL;
        base->versions[i] = whole->leaves[i].column == whole->plan->version;
        base->column_count = i + 1;
        way += size + 1;
    }
    return good || lido__fault_memory(error, "reading seeds");
}

static bool add_shape(const list_source *whole, lido__seed_source **shapes, lido_error *error) {
    for (; *shapes != NULL; shapes = &(*shapes)->next_source) {
        const list_source *known = (const list_source *)*shapes;
        if (known->shape.size == whole->given.size &&
            memcmp(known->shape.data, whole->given.data, whole->given.size) == 0)
            return true;
    }
    list_source *made = make(whole->seeds, whole->plan, whole->base.table, error);
    *shapes = made != NULL ? &made->base : NULL;
    return made != NULL && take_shape(made, whole, error);
}

static lido__seed_source *split(lido__seed_source *source, lido__seed_is_reference *is_reference, const void *context,
                                lido_error *error) {
    list_source *whole = (list_source *)source;
    lido__seed_source *shapes = NULL;
    bool good = true;
    (void)is_reference;
    (void)context;
    for (size_t i = 0; good && i < whole->seeds->count; i++) {
        good = look_at(whole, i, error);
        if (good && whole->leaf_count == 0)
            good = lido__seed_fault(source, error, NULL, "no member is set");
        good = good && add_shape(whole, &shapes, error);
    }
    if (good)
        return shapes;
    lido__seed_sources_free(shapes);
    return NULL;
}

lido__seed_source *lido__seed_list_open(const lido_seeds *seeds, bool with_schema, lido_error *error) {
    if (seeds == NULL || seeds->model == NULL || (seeds->rows == NULL && seeds->count > 0)) {
        lido__fault(error, LIDO_ERROR_MISUSE, "a list of seeds, its model or its rows are NULL");
        return NULL;
    }
    const lido__plan *plan = lido__plan_of(seeds->model, error);
    if (plan == NULL)
        return NULL;
    if (!with_schema && plan->schema != NULL && strcasecmp(plan->schema, "main") != 0) {
        lido__fault(error, LIDO_ERROR_MISUSE, "the seeds of %s: on SQLite seeds go into the main file, not into %s",
                    plan->model->name, plan->schema);
        return NULL;
    }
    lido__buffer table = LIDO__BUFFER_INIT;
    if (with_schema && plan->schema != NULL)
        lido__buffer_format(&table, "%s.", plan->schema);
    lido__buffer_text(&table, plan->table_name);
    const char *name = lido__buffer_string(&table);
    list_source *list = name != NULL ? make(seeds, plan, name, error) : NULL;
    if (name == NULL)
        lido__fault_memory(error, "reading seeds");
    lido__buffer_done(&table);
    if (list == NULL)
        return NULL;
    list->base.split = split;
    return &list->base;
}
