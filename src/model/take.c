/* Rows into objects: the sink that the rows of a find go into (base/row_sink.h).
 *
 * A row's key is looked for among the session's objects before the rest of it is read, for each key has one object. The
 * first rows of a model that a session reads are none of its objects yet: if no key can be in two of them, they stay
 * out of the map until somebody looks for one (lido__set_map), which who reads and ends never does. */
#include <stdlib.h>
#include <string.h>

#include "model/unit.h"

typedef struct taking {
    lido__row_sink sink; /* first: it is handed back */
    lido_session *session;
    lido__set *set;
    lido__object *made;  /* the new object, whose struct the row goes into, */
    lido__object *stale; /* or else the one that there is, which is read again */
    bool maps;           /* new ones go into the map at once: */
    uint32_t hash;       /* the key's */
    lido__found *found;
} taking;

static bool list_grow(lido_session *session, lido__found *found, size_t capacity) {
    void **items = realloc(found->items, capacity * sizeof *items);
    if (items == NULL)
        return lido__unit_out_of_memory(session);
    found->items = items;
    found->capacity = capacity;
    return true;
}

static inline bool list_reserve(lido_session *session, lido__found *found) {
    return found->count < found->capacity || list_grow(session, found, found->capacity > 0 ? found->capacity * 2 : 64);
}

static inline bool list_add(lido_session *session, lido__found *found, void *item) {
    if (!list_reserve(session, found))
        return false;
    found->items[found->count++] = item;
    return true;
}

/* What was read before a commit is read again; unless the program has changed it since. */
static bool is_stale(const taking *on, const lido__object *known) {
    return known->state == LIDO__OBJECT_CLEAN && known->epoch != ((lido__unit_of_work *)on->session->unit)->epoch &&
           memcmp(lido__object_struct(known), lido__object_was(on->set, known), on->set->model->size) == 0;
}

static lido__row_wish meet(taking *on, lido__object *known) {
    if (known->state == LIDO__OBJECT_REMOVED)
        return LIDO__ROW_SKIPPED;
    if (!is_stale(on, known))
        return list_add(on->session, on->found, lido__object_struct(known)) ? LIDO__ROW_SKIPPED : LIDO__ROW_REFUSED;
    if (!lido__history_note(on->session, on->set, known, LIDO__EVENT_WRITTEN))
        return LIDO__ROW_REFUSED;
    on->stale = known;
    on->sink.object = lido__object_struct(known);
    return LIDO__ROW_WANTED;
}

static lido__row_wish look_up(lido__row_sink *sink) {
    taking *on = (taking *)sink;
    lido__identity_map *map = &on->set->keyed;
    const void *key;
    size_t size;
    if (!lido__set_key(on->session, on->set, sink->object, &key, &size))
        return LIDO__ROW_REFUSED;
    if (!lido__identity_reserve(map, 1)) {
        lido__unit_out_of_memory(on->session);
        return LIDO__ROW_REFUSED;
    }
    on->hash = lido__identity_hash(map, key, size);
    lido__object *known = lido__identity_find_hashed(map, key, size, on->hash);
    return known == NULL ? LIDO__ROW_WANTED : meet(on, known);
}

static inline bool prepare(taking *on) {
    on->made = lido__object_new(on->session, on->set);
    if (on->made == NULL)
        return false;
    on->sink.object = lido__object_struct(on->made);
    return true;
}

/* A new one, which stays out of the map. Its place among what was found is there before the set has it: of one that
 * the set has, `made` would be made once more. */
static bool keep_unmapped(lido__row_sink *sink) {
    taking *on = (taking *)sink;
    if (!list_reserve(on->session, on->found))
        return false;
    lido__object_settle(on->session, on->set, on->made);
    lido__set_list(on->set, on->made);
    return list_add(on->session, on->found, sink->object) && prepare(on);
}

/* The object that a reference had referred to is not the one that it refers to now. */
static void clear_objects(const lido__set *set, lido__object *object) {
    for (size_t i = 0; i < set->plan->reference_count; i++) {
        const lido__reference *reference = &set->plan->references[i];
        char *now = lido__object_struct(object);
        void *none = NULL;
        if (reference->column->part->object != NULL &&
            lido__column_differs(reference->column, now, lido__object_was(set, object)))
            memcpy(now + reference->column->part->object_offset, &none, sizeof none);
    }
}

static bool keep_stale(taking *on) {
    lido__object *object = on->stale;
    on->stale = NULL;
    clear_objects(on->set, object);
    on->sink.object = lido__object_struct(on->made);
    lido__object_settle(on->session, on->set, object);
    return list_add(on->session, on->found, lido__object_struct(object));
}

static bool keep(lido__row_sink *sink) {
    taking *on = (taking *)sink;
    if (on->stale != NULL)
        return keep_stale(on);
    return list_reserve(on->session, on->found) && lido__set_track_row(on->session, on->set, on->made, on->hash) &&
           list_add(on->session, on->found, sink->object) && prepare(on);
}

/* Where it is known how long the list may become, it is made where it is to stay. */
static bool make_list(const taking *on, int64_t rows) {
    lido__found *found = on->found;
    found->lasts = found->lasts && rows > 0;
    if (rows <= 0 || !found->lasts)
        return rows <= 0 || list_grow(on->session, found, (size_t)rows);
    found->items = lido__arena_allocate(on->sink.memory, ((size_t)rows + 1) * sizeof *found->items);
    found->capacity = (size_t)rows;
    found->lasts = found->items != NULL;
    return found->lasts || lido__unit_out_of_memory(on->session);
}

static bool take_rows(taking *on, lido_rows *rows) {
    const lido__plan *plan = on->set->plan;
    int64_t count = lido_row_count(rows);
    bool ready = prepare(on) && make_list(on, count);
    if (ready && on->maps && count > 0 && !lido__identity_reserve(&on->set->keyed, (size_t)count))
        ready = lido__unit_out_of_memory(on->session);
    bool taken = ready && lido__rows_pour(rows, &on->sink);
    on->set->spare = on->made; /* the last one: no row has come for it */
    return taken || (on->sink.why != NULL &&
                     lido__read_refuse(on->session, on->set, plan->listed[on->sink.column], on->sink.why));
}

/* SQLite's rows are read as they come, which spares a copy of each; PostgreSQL sends them all in one piece, which costs
 * less than a message for each. */
static lido_rows *ask(lido_session *session, const char *sql, size_t count, const lido_value *values) {
    bool stream = session->engine->config.type == LIDO__SQLITE;
    return (stream ? lido_streamv : lido_queryv)(session, sql, count, values);
}

bool lido__set_take(lido_session *session, lido__set *set, const char *sql, size_t count, const lido_value *values,
                    bool distinct, lido__found *found) {
    bool maps = !distinct || set->first != NULL || session->savepoints > 0;
    if (maps && !lido__set_map(session, set))
        return false;
    taking on = {.sink = {.count = set->plan->column_count,
                          .members = set->plan->targets,
                          .key_count = maps ? set->plan->key_count : 0,
                          .memory = &((lido__unit_of_work *)session->unit)->memory,
                          .keyed = look_up,
                          .complete = maps ? keep : keep_unmapped},
                 .session = session,
                 .set = set,
                 .maps = maps,
                 .found = found};
    lido_rows *rows = ask(session, sql, count, values);
    found->lasts = found->lasts && rows != NULL;
    bool done = rows != NULL && take_rows(&on, rows);
    lido_rows_close(rows);
    return done && !session->failed;
}
