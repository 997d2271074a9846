/* One row: its INSERT, UPDATE or DELETE, and what comes back of it. */
#include <stdio.h>
#include <string.h>

#include "base/convert.h"
#include "base/fault.h"
#include "base/random.h"
#include "model/unit.h"

/* A statement that is being made: text, and the values for its placeholders. */
typedef struct draft {
    lido_session *session;
    const lido__write *write;
    const lido__plan *plan;
    lido__buffer *text;
    lido_value *values;
    size_t count;
    bool first; /* nothing stands in the list yet */
} draft;

static void list_begin(draft *made, const char *text) {
    lido__buffer_text(made->text, text);
    made->first = true;
}

static void list_next(draft *made, const char *separator) {
    if (!made->first)
        lido__buffer_text(made->text, separator);
    made->first = false;
}

static void bind(draft *made, const lido__column *column, const void *object) {
    lido_value *value = &made->values[made->count++];
    *value = lido_value_null();
    lido__convert_member((const char *)object + column->offset, column->kind, value);
}

/* "name" = ? */
static void assign(draft *made, const lido__column *column, const void *object) {
    lido__buffer_text(made->text, column->quoted);
    lido__buffer_text(made->text, " = ?");
    bind(made, column, object);
}

/* ---- Versions ---- */

static int64_t version_of(const lido__plan *plan, const void *object) {
    lido_value value = lido_value_null();
    lido__convert_member((const char *)object + plan->version->offset, plan->version->kind, &value);
    return value.kind == LIDO_KIND_INT64 ? value.as.integer : 0;
}

static void set_version(const lido__plan *plan, void *object, int64_t version) {
    const lido_value value = lido_value_int64(version);
    lido__convert_target(&value, NULL, &(lido_target){plan->version->kind, (char *)object + plan->version->offset});
}

/* ---- INSERT ---- */

bool lido__column_is_late(lido_session *session, const lido__set *set, const lido__column *column,
                          const lido__object *object) {
    const lido__reference *reference = lido__plan_reference(set->plan, column);
    lido__set *target;
    if (reference == NULL)
        return false;
    const lido__object *other = lido__reference_find(session, reference, lido__object_struct(object), &target);
    return other != NULL && other->state == LIDO__OBJECT_ADDED &&
           (other == object ? other->unkeyed : other->epoch > object->epoch);
}

static void write_values(draft *made) {
    const lido__write *write = made->write;
    for (size_t i = 0; i < made->plan->column_count; i++) {
        const lido__column *column = &made->plan->columns[i];
        if (lido__column_is_left_out(column, write->object))
            continue;
        list_next(made, ", ");
        lido__buffer_char(made->text, '?');
        if (write->late != NULL && lido__column_is_late(made->session, write->set, column, write->late))
            made->values[made->count++] = lido_value_null();
        else
            bind(made, column, write->object);
    }
}

/* The next of the names between commas; NULL: there is none, or it is longer than any column's. */
static const char *next_name(const char **names, char name[128]) {
    const char *at = *names + strspn(*names, ", ");
    size_t size = strcspn(at, ",");
    const char *end = at + size;
    while (size > 0 && at[size - 1] == ' ')
        size--;
    if (size == 0 || size >= 128)
        return NULL;
    *names = end;
    memcpy(name, at, size);
    name[size] = '\0';
    return name;
}

static bool is_in_list(const lido__plan *plan, const lido__column *column, const char *names) {
    char name[128];
    if (names[0] == '\0')
        return column->is_key;
    while (next_name(&names, name) != NULL)
        if (lido__plan_column_as_written(plan, name) == column)
            return true;
    return false;
}

bool lido__columns_check(lido_session *session, const lido__set *set, const char *names) {
    char name[128];
    const char *rest = names;
    while (next_name(&rest, name) != NULL)
        if (lido__plan_column_as_written(set->plan, name) == NULL)
            return lido__model_refuse(session, set->model, LIDO_ERROR_MISUSE, "there is no column \"%s\"", name);
    return rest[0] == '\0' || lido__model_refuse(session, set->model, LIDO_ERROR_MISUSE,
                                                 "\"%s\" is no list of columns: name them with commas between", names);
}

/* DO UPDATE: a column of the row that was to be inserted. Something must be set, or RETURNING returns nothing. */
static void write_conflict(draft *made) {
    const lido__plan *plan = made->plan;
    const char *unique = made->write->conflict;
    list_begin(made, " ON CONFLICT (");
    for (size_t i = 0; i < plan->column_count; i++)
        if (is_in_list(plan, &plan->columns[i], unique)) {
            list_next(made, ", ");
            lido__buffer_text(made->text, plan->columns[i].quoted);
        }
    list_begin(made, ") DO UPDATE SET ");
    for (size_t i = 0; i < plan->column_count; i++) {
        const lido__column *column = &plan->columns[i];
        if (column->is_key || is_in_list(plan, column, unique) || lido__column_is_left_out(column, made->write->object))
            continue;
        list_next(made, ", ");
        if (column == plan->version)
            lido__buffer_format(made->text, "%s = %s.%s + 1", column->quoted, plan->table_quoted, column->quoted);
        else
            lido__buffer_format(made->text, "%s = excluded.%s", column->quoted, column->quoted);
    }
    if (made->first)
        lido__buffer_format(made->text, "%s = %s.%s", plan->keys[0]->quoted, plan->table_quoted, plan->keys[0]->quoted);
}

/* What the struct does not know yet. */
static bool is_returned(const lido__write *write, const lido__column *column) {
    if (write->conflict != NULL && (column->is_key || column == write->set->plan->version))
        return true;
    return lido__column_is_left_out(column, write->object);
}

static bool write_returning(draft *made) {
    made->first = true;
    for (size_t i = 0; i < made->plan->column_count; i++) {
        if (!is_returned(made->write, &made->plan->columns[i]))
            continue;
        lido__buffer_text(made->text, made->first ? " RETURNING " : ", ");
        made->first = false;
        lido__buffer_text(made->text, made->plan->columns[i].quoted);
    }
    return !made->first;
}

/* One request for sixteen: the system takes longer to be asked than to answer. */
static lido_uuid new_key(lido__unit_of_work *unit) {
    if (unit->random_left == 0) {
        lido__random_bytes(unit->random, sizeof unit->random);
        unit->random_left = sizeof unit->random;
    }
    unit->random_left -= sizeof(lido_uuid);
    return lido__uuid_from(unit->random + unit->random_left);
}

void lido__insert_prepare(lido_session *session, const lido__plan *plan, void *object) {
    if (plan->generated != NULL && plan->generated->generated == LIDO__GENERATED_UUID &&
        lido__member_is_zero(plan->generated, object))
        *(lido_uuid *)((char *)object + plan->generated->offset) = new_key((lido__unit_of_work *)session->unit);
    if (plan->version != NULL)
        set_version(plan, object, 1);
}

/* True: it returns something. */
static bool write_insert(draft *made) {
    const lido__plan *plan = made->plan;
    void *object = made->write->object;
    lido__insert_prepare(made->session, plan, object);
    lido__buffer_format(made->text, "INSERT INTO %s", plan->table);
    list_begin(made, "");
    for (size_t i = 0; i < plan->column_count; i++)
        if (!lido__column_is_left_out(&plan->columns[i], object)) {
            lido__buffer_text(made->text, made->first ? " (" : ", ");
            made->first = false;
            lido__buffer_text(made->text, plan->columns[i].quoted);
        }
    if (made->first) {
        lido__buffer_text(made->text, " DEFAULT VALUES");
    } else {
        list_begin(made, ") VALUES (");
        write_values(made);
        lido__buffer_char(made->text, ')');
    }
    if (made->write->conflict != NULL)
        write_conflict(made);
    return write_returning(made);
}

/* ---- UPDATE, DELETE ---- */

static void write_condition(draft *made) {
    const void *whose = made->write->was != NULL ? made->write->was : made->write->object;
    list_begin(made, " WHERE ");
    for (size_t i = 0; i < made->plan->key_count; i++) {
        list_next(made, " AND ");
        assign(made, made->plan->keys[i], whose);
    }
    if (made->plan->version != NULL) {
        lido__buffer_text(made->text, " AND ");
        assign(made, made->plan->version, whose);
    }
}

static void write_update(draft *made) {
    const lido__plan *plan = made->plan;
    const lido__write *write = made->write;
    lido__buffer_format(made->text, "UPDATE %s", plan->table);
    list_begin(made, " SET ");
    for (size_t i = 0; i < plan->column_count; i++) {
        const lido__column *column = &plan->columns[i];
        if (column->is_key || column == plan->version ||
            (write->was != NULL && !lido__column_differs(column, write->object, write->was)))
            continue;
        list_next(made, ", ");
        assign(made, column, write->object);
    }
    if (plan->version != NULL) {
        list_next(made, ", ");
        lido__buffer_format(made->text, "%s = %s + 1", plan->version->quoted, plan->version->quoted);
    } else if (made->first) {
        lido__buffer_format(made->text, "%s = %s", plan->keys[0]->quoted, plan->keys[0]->quoted);
    }
    write_condition(made);
}

static void write_delete(draft *made) {
    lido__buffer_format(made->text, "DELETE FROM %s", made->plan->table);
    write_condition(made);
}

/* ---- Before and after ---- */

/* The core refuses a value by its number, which says nothing here: says whose it is. Returns false. */
static bool name_column(lido_session *session, const lido__write *write) {
    const lido__plan *plan = write->set->plan;
    for (size_t i = 0; session->error.category == LIDO_ERROR_TYPE && i < plan->column_count; i++) {
        lido_value value = lido_value_null();
        lido__convert_member((const char *)write->object + plan->columns[i].offset, plan->columns[i].kind, &value);
        bool is_text = value.kind == LIDO_KIND_TEXT || value.kind == LIDO_KIND_JSON || value.kind == LIDO_KIND_NUMERIC;
        const char *problem = is_text ? lido__text_problem(&value, session->engine->config.type == LIDO__SQLITE) : NULL;
        if (value.kind == LIDO_KIND_INVALID)
            problem = value.as.text;
        if (problem == NULL)
            continue;
        snprintf(session->error.message, sizeof session->error.message, "%s: column %s is %s", write->set->model->name,
                 plan->columns[i].name, problem);
        lido__fault_field(session->error.column, sizeof session->error.column, plan->columns[i].name);
        break;
    }
    return false;
}

/* The statement, in the unit's `text`, and its values, in `memory`, which must last until it was run. */
static bool make(lido_session *session, lido__arena *memory, lido__write *write, lido__operation *operation) {
    const lido__plan *plan = write->set->plan;
    lido__buffer *text = &((lido__unit_of_work *)session->unit)->text;
    draft made = {.session = session, .write = write, .plan = plan, .text = text};
    made.values = lido__arena_allocate(memory, (2 * plan->column_count + 2) * sizeof *made.values);
    if (made.values == NULL)
        return lido__unit_out_of_memory(session);
    lido__buffer_clear(text);
    bool returns = false;
    if (write->kind == LIDO__WRITE_INSERT)
        returns = write_insert(&made);
    else if (write->kind == LIDO__WRITE_UPDATE)
        write_update(&made);
    else
        write_delete(&made);
    if (text->out_of_memory)
        return lido__unit_out_of_memory(session);
    *operation = (lido__operation){.result = returns ? &write->result : NULL};
    if (session->failed)
        return false;
    return lido__statement_make(session, lido__buffer_string(text), made.count, made.values, operation) ||
           name_column(session, write);
}

/* The members that were left out are still zero, so the columns are those that were written. */
static bool read_returned(lido_session *session, lido__write *write) {
    const lido__plan *plan = write->set->plan;
    const lido_value *row;
    lido_error error = LIDO_ERROR_INIT;
    if (write->result.operations->step(&write->result, &row, &error) <= 0) {
        lido__object_describe(write->set, write->object, error.doing, sizeof error.doing);
        return lido__model_refuse(session, write->set->model, LIDO_ERROR_OTHER,
                                  "the database inserted %s and returned nothing of it%s%s", error.doing,
                                  error.message[0] != '\0' ? ": " : "", error.message);
    }
    size_t at = 0;
    for (size_t i = 0; i < plan->column_count; i++)
        if (is_returned(write, &plan->columns[i]) &&
            !lido__read_column(session, write->set, &plan->columns[i], &row[at++], write->object))
            return false;
    return true;
}

static bool refuse_conflict(lido_session *session, const lido__write *write) {
    char whose[LIDO__WHOSE_SIZE];
    lido__object_describe(write->set, write->was != NULL ? write->was : write->object, whose, sizeof whose);
    lido__model_refuse(session, write->set->model, LIDO_ERROR_SERIALISATION,
                       "%s was changed or removed by somebody else since it was read", whose);
    lido__fault_hint(&session->error, "read it again and do anew what was done with it");
    return false;
}

/* False: the session has failed, or there was no such row. */
static bool finish(lido_session *session, lido__write *write, const lido__operation *operation) {
    const lido__plan *plan = write->set->plan;
    if (write->kind == LIDO__WRITE_INSERT)
        return write->result.operations == NULL || read_returned(session, write);
    if (operation->affected == 0) {
        bool expected = plan->version != NULL || (write->was != NULL && write->kind == LIDO__WRITE_UPDATE);
        return expected && refuse_conflict(session, write);
    }
    if (write->kind == LIDO__WRITE_UPDATE && plan->version != NULL)
        set_version(plan, write->object, version_of(plan, write->was != NULL ? write->was : write->object) + 1);
    return true;
}

static void release(lido__write *write) {
    lido_error ignored = LIDO_ERROR_INIT;
    if (write->result.operations != NULL)
        write->result.operations->release(&write->result, &ignored);
    lido__arena_done(&write->result.arena);
    write->result = (lido__result){.operations = NULL};
}

void lido__write_blame(lido_session *session, const lido__write *write) {
    static const char *const doing[] = {"inserting", "updating", "deleting"};
    lido_error *error = &session->error;
    char whose[sizeof error->doing - 16];
    lido__object_describe(write->set, write->was != NULL ? write->was : write->object, whose, sizeof whose);
    snprintf(error->doing, sizeof error->doing, "%s %s", doing[write->kind], whose);
}

/* Returns how many statements were made: all, or the session has failed. */
static size_t make_all(lido_session *session, lido__arena *memory, size_t count, lido__write *writes,
                       lido__operation *operations) {
    for (size_t i = 0; i < count; i++)
        if (!make(session, memory, &writes[i], &operations[i])) {
            lido__write_blame(session, &writes[i]);
            return i;
        }
    return count;
}

static bool run(lido_session *session, size_t count, lido__write *writes, lido__operation *operations) {
    size_t failed = lido__queue_run_all(session, count, operations);
    if (failed < count)
        lido__write_blame(session, &writes[failed]);
    bool found_all = failed == count;
    for (size_t i = 0; failed == count && !session->failed && i < count; i++) {
        if (finish(session, &writes[i], &operations[i]))
            continue;
        found_all = false; /* the others are looked at all the same: one of them may be a conflict */
        if (session->failed)
            lido__write_blame(session, &writes[i]);
    }
    return found_all;
}

bool lido__writes_run(lido_session *session, size_t count, lido__write *writes) {
    lido__arena memory = LIDO__ARENA_INIT;
    lido__operation *operations = lido__arena_allocate(&memory, count * sizeof *operations);
    size_t made = operations != NULL ? make_all(session, &memory, count, writes, operations) : 0;
    bool done = operations != NULL || lido__unit_out_of_memory(session);
    done = done && made == count && run(session, count, writes, operations);
    for (size_t i = 0; made < count && i < made; i++)
        lido__operation_free_sql(&operations[i]);
    for (size_t i = 0; i < count; i++)
        release(&writes[i]);
    lido__arena_done(&memory);
    return done;
}
