/* Reading objects: by key, by a tail of SQL, and how many there are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/convert.h"
#include "model/unit.h"

static lido__unit_of_work *unit_of(const lido_session *session) {
    return (lido__unit_of_work *)session->unit;
}

bool lido__unit_autoflush(lido_session *session) {
    return !session->options.autoflush || lido__unit_flush(session);
}

/* ---- Arrays ---- */

/* The end of every array, and all of an empty one. */
static void *const nothing[1] = {NULL};

/* In the unit's memory, ended by NULL. */
static void **hand_out(lido_session *session, const lido__found *list) {
    void **items = list->items;
    if (!list->lasts)
        items = lido__arena_allocate(&unit_of(session)->memory, (list->count + 1) * sizeof *items);
    if (items == NULL) {
        lido__unit_out_of_memory(session);
        return NULL;
    }
    if (!list->lasts && list->count > 0)
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

/* Whether a tail leaves the query with one table, whose rows have a key each: it begins with what follows a FROM, and
 * nothing in it adds other rows. A tail that cannot be told is taken for one that may not. */
static bool is_plain(const char *tail) {
    static const char *const begins[] = {"WHERE", "ORDER", "LIMIT", "OFFSET", "FETCH", "FOR"};
    const char *first = tail + strspn(tail, " \t\r\n");
    bool plain = first[0] == '\0';
    for (size_t i = 0; i < sizeof begins / sizeof begins[0] && !plain; i++)
        plain = strncasecmp(first, begins[i], strlen(begins[i])) == 0;
    return plain && strcasestr(first, "UNION") == NULL && strcasestr(first, "EXCEPT") == NULL &&
           strcasestr(first, "INTERSECT") == NULL;
}

void **lido_find_objects(lido_session *session, const lido_model *model, size_t *found, const char *tail, size_t count,
                         const lido_value *values) {
    lido__found list = {.lasts = true};
    void **items = NULL;
    const char *sql = NULL;
    lido__set *set = lido__set_look(session, model);
    if (set != NULL && lido__unit_autoflush(session))
        sql = write_sql(session, set->select, "", "", tail, "");
    if (sql != NULL && lido__set_take(session, set, sql, count, values, is_plain(tail), &list))
        items = hand_out(session, &list);
    if (!list.lasts)
        free(list.items);
    if (found != NULL)
        *found = items != NULL ? list.count : 0;
    return items != NULL ? items : (void **)(uintptr_t)nothing;
}

/* The first row's object that was not removed; NULL: there is none, or the session has failed. */
static void *find_one(lido_session *session, lido__set *set, const char *sql, size_t count, const lido_value *values) {
    lido__found list = {.items = NULL};
    bool done = sql != NULL && lido__set_take(session, set, sql, count, values, false, &list);
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
    const lido__set *set = lido__set_look(session, model);
    if (set == NULL || !lido__unit_autoflush(session))
        return 0;
    const char *sql = write_sql(session, "SELECT count(*) FROM ", set->plan->table, " ", tail, "");
    return ask(session, sql, count, values).as.integer;
}

bool lido_objects_exist(lido_session *session, const lido_model *model, const char *tail, size_t count,
                        const lido_value *values) {
    const lido__set *set = lido__set_look(session, model);
    if (set == NULL || !lido__unit_autoflush(session))
        return false;
    const char *sql =
        write_sql(session, "SELECT count(*) FROM (SELECT 1 FROM ", set->plan->table, " ", tail, "\nLIMIT 1) AS found");
    return ask(session, sql, count, values).as.integer > 0;
}

int64_t lido_update_objects(lido_session *session, const lido_model *model, const char *text, size_t count,
                            const lido_value *values) {
    const lido__set *set = lido__set_look(session, model);
    if (set == NULL || !lido__unit_autoflush(session))
        return 0;
    const char *sql = write_sql(session, "UPDATE ", set->plan->table, " SET ", text, "");
    return sql != NULL ? lido_execv(session, sql, count, values) : 0;
}

int64_t lido_delete_objects(lido_session *session, const lido_model *model, const char *condition, size_t count,
                            const lido_value *values) {
    const lido__set *set = lido__set_look(session, model);
    if (set == NULL || !lido__unit_autoflush(session))
        return 0;
    const char *sql = write_sql(session, "DELETE FROM ", set->plan->table, " WHERE ", condition, "");
    return sql != NULL ? lido_execv(session, sql, count, values) : 0;
}
