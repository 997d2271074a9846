/* Reading objects: by key, by a tail of SQL, and how many there are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/convert.h"
#include "model/unit.h"

static lido__unit_of_work *unit_of(const lido_session *session) {
    return (lido__unit_of_work *)session->unit;
}

bool lido__unit_autoflush(lido_session *session) {
    return !session->options.autoflush || lido__unit_flush(session);
}

/* ---- Rows ---- */

/* SQLite's rows are read as they come, which spares a copy of each; PostgreSQL sends them all in one piece, which costs
 * less than a message for each. */
lido_rows *lido__unit_query(lido_session *session, const char *sql, size_t count, const lido_value *values) {
    bool stream = session->engine->config.type == LIDO__SQLITE;
    return (stream ? lido_streamv : lido_queryv)(session, sql, count, values);
}

/* What was read before a commit is read again; unless the program has changed it since. */
static bool renew(lido_session *session, lido__set *set, lido__object *object, const lido_value *row) {
    bool stale = object->state == LIDO__OBJECT_CLEAN && object->epoch != unit_of(session)->epoch;
    if (!stale || memcmp(lido__object_struct(object), lido__object_was(set, object), set->model->size) != 0)
        return true;
    if (!lido__history_note(session, set, object, LIDO__EVENT_WRITTEN) ||
        !lido__read_others(session, set, row, lido__object_struct(object)))
        return false;
    lido__object_settle(session, set, object);
    return true;
}

lido__object *lido__set_take_row(lido_session *session, lido__set *set, const lido_value *row, bool *skip) {
    const void *key;
    size_t size;
    *skip = false;
    lido__object *made = lido__object_new(session, set);
    if (made == NULL || !lido__read_keys(session, set, row, lido__object_struct(made)) ||
        !lido__set_key(session, set, lido__object_struct(made), &key, &size))
        return NULL;
    if (!lido__identity_reserve(&set->keyed, 1)) {
        lido__unit_out_of_memory(session);
        return NULL;
    }
    uint32_t hash = lido__identity_hash(&set->keyed, key, size);
    lido__object *known = lido__object_of(lido__identity_find_hashed(&set->keyed, key, size, hash));
    if (known != NULL) {
        set->spare = made;
        *skip = known->state == LIDO__OBJECT_REMOVED;
        return !*skip && renew(session, set, known, row) ? known : NULL;
    }
    if (!lido__read_others(session, set, row, lido__object_struct(made)) ||
        !lido__set_track_row(session, set, made, hash))
        return NULL;
    return made;
}

/* ---- Arrays ---- */

/* The end of every array, and all of an empty one. */
static void *const nothing[1] = {NULL};

typedef struct found_list {
    void **items;
    size_t count;
    size_t capacity;
} found_list;

static bool list_add(lido_session *session, found_list *list, void *item) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? list->capacity * 2 : 64;
        void **items = realloc(list->items, capacity * sizeof *items);
        if (items == NULL)
            return lido__unit_out_of_memory(session);
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
    return true;
}

static bool read_all(lido_session *session, lido__set *set, lido_rows *rows, found_list *list) {
    bool skip;
    if (lido_row_count(rows) > 0 && !lido__identity_reserve(&set->keyed, (size_t)lido_row_count(rows)))
        return lido__unit_out_of_memory(session);
    while (lido_next(rows)) {
        lido__object *object = lido__set_take_row(session, set, rows->row, &skip);
        if (object == NULL && !skip)
            return false;
        if (object != NULL && !list_add(session, list, lido__object_struct(object)))
            return false;
    }
    return !session->failed;
}

/* In the unit's memory, ended by NULL. */
static void **hand_out(lido_session *session, const found_list *list) {
    void **items = lido__arena_allocate(&unit_of(session)->memory, (list->count + 1) * sizeof *items);
    if (items == NULL) {
        lido__unit_out_of_memory(session);
        return NULL;
    }
    if (list->count > 0)
        memcpy(items, list->items, list->count * sizeof *items);
    items[list->count] = NULL;
    return items;
}

/* One SQL text of the pieces, in the unit's `text`; NULL: the session has failed. */
static const char *write_sql(lido_session *session, const char *head, const char *table, const char *between,
                             const char *tail, const char *end) {
    lido__buffer *text = &unit_of(session)->text;
    if (tail == NULL) {
        lido__model_refuse(session, NULL, LIDO_ERROR_MISUSE, "the SQL text is NULL: \"\" is all rows");
        return NULL;
    }
    lido__buffer_clear(text);
    lido__buffer_text(text, head);
    lido__buffer_text(text, table);
    lido__buffer_text(text, between);
    lido__buffer_text(text, tail);
    lido__buffer_text(text, end);
    if (text->out_of_memory)
        lido__unit_out_of_memory(session);
    return lido__buffer_string(text);
}

static bool find(lido_session *session, lido__set *set, const char *sql, size_t count, const lido_value *values,
                 found_list *list) {
    lido_rows *rows = sql != NULL ? lido__unit_query(session, sql, count, values) : NULL;
    bool done = rows != NULL && read_all(session, set, rows, list);
    lido_rows_close(rows);
    return done && !session->failed;
}

void **lido_find_objects(lido_session *session, const lido_model *model, size_t *found, const char *tail, size_t count,
                         const lido_value *values) {
    found_list list = {.items = NULL};
    void **items = NULL;
    lido__set *set = lido__set_of(session, model);
    if (set != NULL && lido__unit_autoflush(session) &&
        find(session, set, write_sql(session, set->select, "", "", tail, ""), count, values, &list))
        items = hand_out(session, &list);
    free(list.items);
    if (found != NULL)
        *found = items != NULL ? list.count : 0;
    return items != NULL ? items : (void **)(uintptr_t)nothing;
}

/* The first row's object that was not removed; NULL: there is none, or the session has failed. */
static void *find_one(lido_session *session, lido__set *set, const char *sql, size_t count, const lido_value *values) {
    found_list list = {.items = NULL};
    bool done = find(session, set, sql, count, values, &list);
    void *object = done && list.count > 0 ? list.items[0] : NULL;
    free(list.items);
    return object;
}

/* Of objects that were removed and not flushed the rows are still there: as many more rows must be asked for. */
static size_t count_removed(const lido__set *set) {
    size_t count = 0;
    for (const lido__object *object = set->unwritten > 0 ? set->first : NULL; object != NULL; object = object->next)
        count += object->state == LIDO__OBJECT_REMOVED;
    return count;
}

void *lido_first_object(lido_session *session, const lido_model *model, const char *tail, size_t count,
                        const lido_value *values) {
    char limit[32];
    lido__set *set = lido__set_of(session, model);
    if (set == NULL || !lido__unit_autoflush(session))
        return NULL;
    snprintf(limit, sizeof limit, "\nLIMIT %zu", count_removed(set) + 1);
    return find_one(session, set, write_sql(session, set->select, "", "", tail, limit), count, values);
}

/* ---- By key ---- */

/* Puts the values where the struct has its key, for as long as they last. */
static bool set_key(lido_session *session, const lido__set *set, void *object, size_t count, const lido_value *key) {
    lido__arena *memory = &unit_of(session)->memory;
    if (count != set->plan->key_count || key == NULL)
        return lido__model_refuse(session, set->model, LIDO_ERROR_MISUSE, "the key has %zu column%s, and %zu value%s",
                                  set->plan->key_count, set->plan->key_count == 1 ? "" : "s", count,
                                  count == 1 ? " was given" : "s were given");
    for (size_t i = 0; i < count; i++) {
        const lido__column *column = set->plan->keys[i];
        const lido_target target = {column->kind, (char *)object + column->offset};
        const char *why =
            key[i].kind == LIDO_KIND_INVALID ? key[i].as.text : lido__convert_target(&key[i], memory, &target);
        if (why == NULL && key[i].kind == LIDO_KIND_NULL)
            why = "is NULL";
        if (why != NULL)
            return lido__model_refuse(session, set->model, LIDO_ERROR_TYPE,
                                      "the value for the key's column %s does not fit: it %s", column->name, why);
    }
    return true;
}

/* The row with the struct's key, as an object; NULL: there is none, or the session has failed. The struct may be that
 * of `spare`, which is then used for it. */
static void *fetch_row(lido_session *session, lido__set *set, const void *object, lido__object *spare) {
    enum { KEYS_MOST = 32 };
    lido_value values[KEYS_MOST];
    size_t count = set->plan->key_count;
    for (size_t i = 0; i < count && i < KEYS_MOST; i++) {
        values[i] = lido_value_null();
        lido__convert_member((const char *)object + set->plan->keys[i]->offset, set->plan->keys[i]->kind, &values[i]);
    }
    set->spare = spare;
    return find_one(session, set, set->fetch, count, values);
}

/* Somebody has deleted its row. */
static void drop_gone(lido_session *session, lido__set *set, lido__object *known) {
    if (!session->failed && known->state == LIDO__OBJECT_CLEAN &&
        lido__history_note(session, set, known, LIDO__EVENT_WENT))
        lido__set_drop(set, known);
}

void *lido_fetch_object(lido_session *session, const lido_model *model, size_t count, const lido_value *key) {
    lido__set *set = lido__set_of(session, model);
    lido__object *wanted = set != NULL ? lido__object_new(session, set) : NULL;
    if (wanted == NULL || !set_key(session, set, lido__object_struct(wanted), count, key))
        return NULL;
    lido__object *known = lido__set_find(session, set, lido__object_struct(wanted));
    bool fresh = known != NULL && (known->state != LIDO__OBJECT_CLEAN || known->epoch == unit_of(session)->epoch);
    if (fresh) {
        set->spare = wanted;
        return known->state != LIDO__OBJECT_REMOVED ? lido__object_struct(known) : NULL;
    }
    void *found = fetch_row(session, set, lido__object_struct(wanted), wanted);
    if (found == NULL && known != NULL)
        drop_gone(session, set, known);
    return found;
}

bool lido_refresh_object(lido_session *session, const lido_model *model, void *object) {
    lido__set *set = lido__set_of(session, model);
    lido__object *known = set != NULL && object != NULL ? lido__set_owner(session, set, object) : NULL;
    if (set == NULL || session->failed)
        return false;
    if (known == NULL || known->state != LIDO__OBJECT_CLEAN)
        return lido__model_refuse(session, model, LIDO_ERROR_MISUSE, "%s",
                                  known == NULL ? "what is to be read again is none of the session's objects"
                                                : "what was added or removed and not flushed cannot be read again");
    if (!lido__history_note(session, set, known, LIDO__EVENT_WRITTEN))
        return false;
    memcpy(object, lido__object_was(set, known), model->size);
    known->epoch = unit_of(session)->epoch - 1;
    void *found = fetch_row(session, set, object, set->spare);
    known->epoch = unit_of(session)->epoch;
    if (found == NULL)
        drop_gone(session, set, known);
    return found == object;
}

/* ---- Questions and statements ---- */

static lido_value ask(lido_session *session, const char *sql, size_t count, const lido_value *values) {
    lido_value answer = lido_value_null();
    lido_rows *rows = sql != NULL ? lido_queryv(session, sql, count, values) : NULL;
    if (lido_next(rows))
        answer = lido_get(rows, 0); /* a number or a truth value: nothing that would go with the rows */
    lido_rows_close(rows);
    return answer;
}

int64_t lido_count_objects(lido_session *session, const lido_model *model, const char *tail, size_t count,
                           const lido_value *values) {
    const lido__set *set = lido__set_of(session, model);
    if (set == NULL || !lido__unit_autoflush(session))
        return 0;
    const char *sql = write_sql(session, "SELECT count(*) FROM ", set->plan->table, " ", tail, "");
    return ask(session, sql, count, values).as.integer;
}

bool lido_objects_exist(lido_session *session, const lido_model *model, const char *tail, size_t count,
                        const lido_value *values) {
    const lido__set *set = lido__set_of(session, model);
    if (set == NULL || !lido__unit_autoflush(session))
        return false;
    const char *sql =
        write_sql(session, "SELECT count(*) FROM (SELECT 1 FROM ", set->plan->table, " ", tail, "\nLIMIT 1) AS found");
    return ask(session, sql, count, values).as.integer > 0;
}

int64_t lido_update_objects(lido_session *session, const lido_model *model, const char *text, size_t count,
                            const lido_value *values) {
    const lido__set *set = lido__set_of(session, model);
    if (set == NULL || !lido__unit_autoflush(session))
        return 0;
    const char *sql = write_sql(session, "UPDATE ", set->plan->table, " SET ", text, "");
    return sql != NULL ? lido_execv(session, sql, count, values) : 0;
}

int64_t lido_delete_objects(lido_session *session, const lido_model *model, const char *condition, size_t count,
                            const lido_value *values) {
    const lido__set *set = lido__set_of(session, model);
    if (set == NULL || !lido__unit_autoflush(session))
        return 0;
    const char *sql = write_sql(session, "DELETE FROM ", set->plan->table, " WHERE ", condition, "");
    return sql != NULL ? lido_execv(session, sql, count, values) : 0;
}
