/* What savepoints may have to undo: what happened to the objects since each was opened.
 *
 * A flush comes before a savepoint is opened, so that what the objects are then is what the database has; back there,
 * the struct of each is what `was` of it says. */
#include <stdlib.h>
#include <string.h>

#include "model/unit.h"

typedef struct entry {
    lido__set *set;
    lido__object *object;
    const void *was; /* WRITTEN: before */
    lido__event event;
} entry;

typedef struct lido__history {
    entry *entries;
    size_t count;
    size_t capacity;
    size_t
        *marks; /* by a savepoint's number: how many there were when it was opened; 0 where that was before the unit */
    size_t mark_count;
} history;

static history *history_of(lido_session *session) {
    lido__unit_of_work *unit = (lido__unit_of_work *)session->unit;
    if (unit->history == NULL)
        unit->history = calloc(1, sizeof *unit->history);
    return unit->history;
}

static bool reserve(history *known) {
    if (known->count < known->capacity)
        return true;
    size_t capacity = known->capacity > 0 ? known->capacity * 2 : 64;
    entry *entries = realloc(known->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    known->entries = entries;
    known->capacity = capacity;
    return true;
}

bool lido__history_note(lido_session *session, lido__set *set, lido__object *object, lido__event event) {
    lido__unit_of_work *unit = (lido__unit_of_work *)session->unit;
    if (session->savepoints == 0)
        return true;
    history *known = history_of(session);
    void *was = NULL;
    if (known == NULL || !reserve(known))
        return lido__unit_out_of_memory(session);
    if (event == LIDO__EVENT_WRITTEN) {
        was = lido__arena_allocate(&unit->memory, set->size);
        if (was == NULL)
            return lido__unit_out_of_memory(session);
        memcpy(was, lido__object_was(set, object), set->size);
    }
    known->entries[known->count++] = (entry){.set = set, .object = object, .was = was, .event = event};
    return true;
}

void lido__history_begin(lido_session *session, int savepoint) {
    history *known = history_of(session);
    size_t number = (size_t)savepoint;
    if (known != NULL && number >= known->mark_count) {
        size_t count = number + 8;
        size_t *marks = realloc(known->marks, count * sizeof *marks);
        if (marks != NULL) {
            memset(marks + known->mark_count, 0, (count - known->mark_count) * sizeof *marks);
            known->marks = marks;
            known->mark_count = count;
        }
    }
    if (known == NULL || number >= known->mark_count) { /* outside of the savepoint, which then undoes nothing */
        lido__unit_out_of_memory(session);
        return;
    }
    if (savepoint == 1)
        known->count = 0;
    known->marks[number] = known->count;
    /* To undo is to take out of the map what came since: so that what was there before is in it. */
    for (lido__set *set = ((lido__unit_of_work *)session->unit)->sets; set != NULL && !session->failed; set = set->next)
        lido__set_map(session, set);
}

static void undo(const entry *happened) {
    lido__set *set = happened->set;
    lido__object *object = happened->object;
    switch (happened->event) {
    case LIDO__EVENT_CAME:
        if (object->state == LIDO__OBJECT_GONE)
            return;
        set->unwritten -= object->state != LIDO__OBJECT_CLEAN;
        lido__set_drop(set, object);
        return;
    case LIDO__EVENT_WRITTEN:
        memcpy(lido__object_was(set, object), happened->was, set->size);
        return;
    case LIDO__EVENT_WENT: /* there is room in the map: it was in it, and what came since is out again */
        object->state = LIDO__OBJECT_CLEAN;
        object->mapped = lido__identity_add(&set->keyed, object);
        return;
    }
}

/* What was changed and not flushed, or is to be removed, was so within the savepoint. */
static void put_back(lido__set *set) {
    for (lido__object *object = set->first; object != NULL; object = object->next) {
        if (object->state == LIDO__OBJECT_REMOVED) {
            object->state = LIDO__OBJECT_CLEAN;
            set->unwritten--;
        }
        if (object->state == LIDO__OBJECT_CLEAN)
            memcpy(lido__object_struct(object), lido__object_was(set, object), set->model->size);
    }
}

void lido__history_undo(lido_session *session, int savepoint) {
    lido__unit_of_work *unit = (lido__unit_of_work *)session->unit;
    history *known = unit->history;
    size_t mark = known != NULL && (size_t)savepoint < known->mark_count ? known->marks[savepoint] : 0;
    while (known != NULL && known->count > mark)
        undo(&known->entries[--known->count]);
    for (lido__set *set = unit->sets; set != NULL; set = set->next)
        put_back(set);
}

void lido__history_clear(lido__unit_of_work *unit) {
    history *known = unit->history;
    if (known == NULL)
        return;
    known->count = 0;
    if (known->mark_count > 0)
        memset(known->marks, 0, known->mark_count * sizeof *known->marks);
}

void lido__history_free(lido__unit_of_work *unit) {
    if (unit->history == NULL)
        return;
    free(unit->history->entries);
    free(unit->history->marks);
    free(unit->history);
    unit->history = NULL;
}
