/* The flush: what was added, changed and removed is found, put in order and written.
 *
 * Rows are inserted before those that refer to them, then changes are written, then rows are deleted, in the opposite
 * order. Everything is collected into batches, which travel together; a batch ends early only where an object must know
 * the key that the database gives to another, and before many objects of one model, which go in bulk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "model/order.h"
#include "model/unit.h"

enum { BATCH_MOST = 500 };

typedef struct flush {
    lido_session *session;
    lido__work_list added;
    lido__work_list changed;
    lido__work_list removed;
    lido__set **sets; /* of which objects are added or removed, */
    size_t set_count;
    bool circular; /* whose models need each other */
    bool started;  /* something may have been written */
    lido__arena memory;
    lido__write *writes; /* the batch */
    size_t write_count;
} flush;

static lido__unit_of_work *unit_of(const lido_session *session) {
    return (lido__unit_of_work *)session->unit;
}

/* ---- What there is to do ---- */

static bool key_differs(const lido__set *set, const lido__object *object) {
    for (size_t i = 0; i < set->plan->key_count; i++)
        if (lido__column_differs(set->plan->keys[i], lido__object_struct(object), lido__object_was(set, object)))
            return true;
    return false;
}

/* An added object may have got its key, or another, since. */
static bool look_at_added(lido_session *session, lido__set *set, lido__object *object) {
    const void *now = lido__object_struct(object);
    const void *was = lido__object_was(set, object);
    if (memcmp(now, was, set->model->size) == 0)
        return true;
    return lido__object_own(session, set, object) &&
           (!key_differs(set, object) || (lido__set_map(session, set) && lido__set_rekey(session, set, object)));
}

static bool look_at(flush *on, lido__set *set, lido__object *object) {
    bool changed;
    switch (object->state) {
    case LIDO__OBJECT_CLEAN:
        if (!lido__object_changed(on->session, set, object, &changed))
            return false;
        return !changed ||
               (lido__object_own(on->session, set, object) && lido__work_add(on->session, &on->changed, set, object));
    case LIDO__OBJECT_ADDED:
        return look_at_added(on->session, set, object);
    default:
        return true;
    }
}

/* Goes through all objects. Those that are gone leave the list, unless a savepoint may bring them back. */
static bool look_at_all(flush *on, lido__set *set) {
    lido__object **link = &set->first;
    while (*link != NULL) {
        lido__object *object = *link;
        if (object->state == LIDO__OBJECT_GONE && on->session->savepoints == 0) {
            *link = object->next;
            continue;
        }
        if (!look_at(on, set, object))
            return false;
        link = &object->next;
    }
    set->last = link;
    return true;
}

static bool find_changes(flush *on) {
    for (lido__set *set = unit_of(on->session)->sets; set != NULL; set = set->next) {
        if (!look_at_all(on, set))
            return false;
        on->set_count += set->unwritten > 0;
    }
    return true;
}

/* ---- In which order ---- */

static bool depends_on_itself(const lido__set *set) {
    for (size_t i = 0; i < set->plan->reference_count; i++)
        if (set->plan->references[i].target == set->model)
            return true;
    return false;
}

/* Which of the sets needs which. */
static size_t find_dependencies(const flush *on, lido__dependency *dependencies) {
    size_t count = 0;
    for (size_t i = 0; i < on->set_count; i++)
        for (size_t r = 0; r < on->sets[i]->plan->reference_count; r++) {
            const lido__reference *reference = &on->sets[i]->plan->references[r];
            const lido__set *target = lido__set_of(on->session, reference->target);
            if (target != NULL && target->unwritten > 0)
                dependencies[count++] =
                    (lido__dependency){.from = i, .to = target->node, .may_wait = reference->column->may_be_null};
        }
    return count;
}

static bool order_sets(flush *on) {
    lido_session *session = on->session;
    size_t count = 0;
    size_t references = 0;
    on->sets = lido__arena_allocate(&on->memory, on->set_count * sizeof *on->sets);
    for (lido__set *set = unit_of(session)->sets; on->sets != NULL && set != NULL; set = set->next)
        if (set->unwritten > 0) {
            set->node = count;
            references += set->plan->reference_count;
            on->sets[count++] = set;
        }
    lido__dependency *dependencies = lido__arena_allocate(&on->memory, (references + 1) * sizeof *dependencies);
    lido__set **ordered = lido__arena_allocate(&on->memory, on->set_count * sizeof *ordered);
    if (on->sets == NULL || dependencies == NULL || ordered == NULL)
        return lido__unit_out_of_memory(session);
    lido__order order;
    references = find_dependencies(on, dependencies);
    if (session->failed)
        return false;
    on->circular = !lido__order_find(&on->memory, on->set_count, references, dependencies, &order);
    if (on->memory.out_of_memory)
        return lido__unit_out_of_memory(session);
    for (size_t i = 0; !on->circular && i < on->set_count; i++)
        ordered[i] = on->sets[order.nodes[i]];
    if (!on->circular)
        on->sets = ordered;
    for (size_t i = 0; !on->circular && i < references; i++)
        on->circular = dependencies[i].waits;
    return true;
}

static bool collect(flush *on, lido__work_list *list, lido__set *set, lido__object_state state) {
    size_t first = list->count;
    for (lido__object *object = set->first; object != NULL; object = object->next)
        if (object->state == state && !lido__work_add(on->session, list, set, object))
            return false;
    return on->circular || !depends_on_itself(set) || lido__work_arrange(on->session, list, first, set);
}

static void reverse(lido__work_list *list) {
    for (size_t i = 0, j = list->count; i + 1 < j; i++) {
        lido__work kept = list->items[i];
        list->items[i] = list->items[--j];
        list->items[j] = kept;
    }
}

/* Whether it refers to something that is inserted later; such a reference is set by an update. */
static bool mark_late(flush *on, const lido__work *work) {
    work->object->late = false;
    for (size_t i = 0; i < work->set->plan->reference_count; i++) {
        const lido__column *column = work->set->plan->references[i].column;
        if (column->may_be_null && lido__column_is_late(on->session, work->set, column, work->object))
            work->object->late = true;
    }
    return !on->session->failed;
}

static bool arrange(flush *on) {
    if (on->set_count == 0)
        return true;
    if (!order_sets(on))
        return false;
    for (size_t i = 0; i < on->set_count; i++)
        if (!collect(on, &on->added, on->sets[i], LIDO__OBJECT_ADDED) ||
            !collect(on, &on->removed, on->sets[i], LIDO__OBJECT_REMOVED))
            return false;
    if (on->circular && (!lido__work_arrange(on->session, &on->added, 0, NULL) ||
                         !lido__work_arrange(on->session, &on->removed, 0, NULL)))
        return false;
    reverse(&on->removed);
    for (size_t i = 0; i < on->added.count; i++)
        on->added.items[i].object->epoch = (uint32_t)i;
    for (size_t i = 0; i < on->added.count; i++)
        if ((on->circular || depends_on_itself(on->added.items[i].set)) && !mark_late(on, &on->added.items[i]))
            return false;
    return true;
}

/* ---- Writing ---- */

static lido__object *object_of(const lido__write *write) {
    return (lido__object *)(void *)((char *)write->object - LIDO__OBJECT_HEADER);
}

/* Those that may be NULL: as the row was inserted that is to be updated. */
static void forget_references(const lido__set *set, char *was) {
    for (size_t i = 0; i < set->plan->reference_count; i++) {
        const lido__column *column = set->plan->references[i].column;
        if (!column->may_be_null)
            continue;
        memset(was + column->offset, 0, column->size);
        if (column->part->object != NULL)
            /* cppcheck-suppress pointerSize */
            memset(was + column->part->object_offset, 0, sizeof(void *)); /* which is a pointer there */
    }
}

bool lido__object_written(lido_session *session, lido__set *set, lido__object *object, lido__write_kind kind) {
    if (kind == LIDO__WRITE_DELETE) {
        if (!lido__history_note(session, set, object, LIDO__EVENT_WENT))
            return false;
        set->unwritten -= object->state == LIDO__OBJECT_REMOVED;
        lido__set_drop(set, object);
        return true;
    }
    if (kind == LIDO__WRITE_UPDATE && !lido__history_note(session, set, object, LIDO__EVENT_WRITTEN))
        return false;
    if (object->state == LIDO__OBJECT_ADDED && (object->unkeyed || key_differs(set, object)) &&
        !lido__set_rekey(session, set, object))
        return false;
    set->unwritten -= object->state == LIDO__OBJECT_ADDED;
    lido__object_settle(session, set, object);
    if (object->late)
        forget_references(set, lido__object_was(set, object));
    return true;
}

static bool run_batch(flush *on) {
    size_t count = on->write_count;
    on->write_count = 0;
    if (count == 0)
        return true;
    if (!lido__writes_run(on->session, count, on->writes) && on->session->failed)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!lido__object_written(on->session, on->writes[i].set, object_of(&on->writes[i]), on->writes[i].kind))
            return false;
    return true;
}

static bool add_write(flush *on, const lido__work *work, lido__write_kind kind) {
    bool inserts = kind == LIDO__WRITE_INSERT;
    if (on->write_count == BATCH_MOST && !run_batch(on))
        return false;
    if (on->writes == NULL)
        on->writes = malloc(BATCH_MOST * sizeof *on->writes);
    if (on->writes == NULL)
        return lido__unit_out_of_memory(on->session);
    on->writes[on->write_count++] = (lido__write){.kind = kind,
                                                  .set = work->set,
                                                  .object = lido__object_struct(work->object),
                                                  .was = inserts ? NULL : lido__object_was(work->set, work->object),
                                                  .late = inserts && work->object->late ? work->object : NULL};
    return true;
}

/* What it refers to may be in the batch, and its key be known only when that was run; or, of one that is late, after
 * that. */
static bool fill_references(flush *on, const lido__work *work) {
    const lido__reference *pending;
    void *object = lido__object_struct(work->object);
    const void *was = work->object->state == LIDO__OBJECT_CLEAN ? lido__object_was(work->set, work->object) : NULL;
    if (work->set->plan->reference_count == 0 || lido__references_fill(on->session, work->set, object, was, &pending))
        return true;
    if (on->session->failed || !run_batch(on))
        return false;
    if (lido__references_fill(on->session, work->set, object, was, &pending) || on->session->failed)
        return !on->session->failed;
    return work->object->late || lido__references_need(on->session, work->set, object, was);
}

static bool insert_one(flush *on, const lido__work *work) {
    if (!fill_references(on, work) || !add_write(on, work, LIDO__WRITE_INSERT))
        return false;
    return !work->object->late || lido__work_add(on->session, &on->changed, work->set, work->object);
}

/* Objects of one model, one behind the other in the list. */
static bool insert_many(flush *on, const lido__work *works, size_t count) {
    lido__set *set = works->set;
    lido__object **objects = malloc(count * sizeof(lido__object *));
    lido__structs structs = {.count = count, .objects = objects};
    if (objects == NULL)
        return lido__unit_out_of_memory(on->session);
    for (size_t i = 0; i < count; i++)
        objects[i] = works[i].object;
    bool done = run_batch(on) && lido__insert_all(on->session, set, &structs);
    for (size_t i = 0; done && i < count; i++)
        done = lido__object_written(on->session, set, objects[i], LIDO__WRITE_INSERT) &&
               (!objects[i]->late || lido__work_add(on->session, &on->changed, set, objects[i]));
    free(objects);
    return done;
}

static bool insert_added(flush *on) {
    size_t next;
    for (size_t i = 0; i < on->added.count; i = next) {
        for (next = i + 1; next < on->added.count && on->added.items[next].set == on->added.items[i].set;)
            next++;
        if (lido__insert_pays(next - i)) {
            if (!insert_many(on, &on->added.items[i], next - i))
                return false;
            continue;
        }
        for (size_t at = i; at < next; at++)
            if (!insert_one(on, &on->added.items[at]))
                return false;
    }
    return true;
}

/* A late object was written without its reference, so it has changed now, whatever it was before. */
static bool update_changed(flush *on) {
    bool late = false;
    for (size_t i = 0; i < on->changed.count; i++)
        late = late || on->changed.items[i].object->late;
    if (late && !run_batch(on))
        return false;
    for (size_t i = 0; i < on->changed.count; i++) {
        const lido__work *work = &on->changed.items[i];
        work->object->late = false;
        if (!fill_references(on, work) || !add_write(on, work, LIDO__WRITE_UPDATE))
            return false;
    }
    return true;
}

/* Whether a row refers to one that is deleted before it, by a column that may be NULL. */
static bool is_held(flush *on, const lido__work *work, const lido__reference *reference) {
    lido__set *target;
    if (!reference->column->may_be_null)
        return false;
    const void *was = lido__object_was(work->set, work->object);
    const lido__object *other = lido__reference_find(on->session, reference, was, &target);
    return other != NULL && other->state == LIDO__OBJECT_REMOVED && other->epoch < work->object->epoch;
}

/* Where rows that are to be deleted refer to each other in a circle, it is opened before: those are set to NULL. */
static bool let_go(flush *on, const lido__work *work) {
    const lido__set *set = work->set;
    char *was = lido__object_was(set, work->object);
    char *freed = NULL;
    for (size_t i = 0; i < set->plan->reference_count; i++) {
        const lido__column *column = set->plan->references[i].column;
        if (!is_held(on, work, &set->plan->references[i]))
            continue;
        if (freed == NULL && (freed = lido__arena_allocate(&on->memory, set->size)) != NULL)
            memcpy(freed, was, set->size);
        if (freed == NULL)
            return lido__unit_out_of_memory(on->session);
        memset(freed + column->offset, 0, column->size);
    }
    lido__write write = {.kind = LIDO__WRITE_UPDATE, .set = work->set, .object = freed, .was = was};
    if (on->session->failed || freed == NULL)
        return !on->session->failed;
    if (!run_batch(on) || !lido__writes_run(on->session, 1, &write) ||
        !lido__history_note(on->session, work->set, work->object, LIDO__EVENT_WRITTEN))
        return false;
    memcpy(was, freed, set->size);
    return true;
}

static bool open_circles(flush *on) {
    for (size_t i = 0; i < on->removed.count; i++)
        on->removed.items[i].object->epoch = (uint32_t)i;
    for (size_t i = 0; i < on->removed.count; i++) {
        const lido__work *work = &on->removed.items[i];
        if ((on->circular || depends_on_itself(work->set)) && !let_go(on, work))
            return false;
    }
    return true;
}

/* "" if there is none. */
static bool tell_circle(flush *on, char *text, size_t size) {
    bool may_be = on->circular;
    text[0] = '\0';
    for (size_t i = 0; i < on->set_count && !may_be; i++)
        may_be = depends_on_itself(on->sets[i]);
    return !may_be || on->removed.count < 2 || lido__work_tell_circle(on->session, &on->removed, text, size);
}

/* Looked for before, for what was rolled back is forgotten; and told only afterwards, for the database may let the rows
 * go, where its constraints are looked at when the transaction ends. */
static void blame_circle(lido_error *error, const char *circle) {
    if (error->category != LIDO_ERROR_FOREIGN_KEY || circle[0] == '\0')
        return;
    snprintf(error->message, sizeof error->message, "objects that were removed refer to each other in a circle: %s",
             circle);
    error->hint[0] = '\0';
    lido__fault_hint(error,
                     "none of the references may be NULL, so none of the rows can go first: let one be .nullable, "
                     "or .on_delete = LIDO_CASCADE, or delete the rows by one statement");
}

static bool delete_removed(flush *on) {
    char circle[400];
    if (!tell_circle(on, circle, sizeof circle))
        return false;
    bool done = true;
    for (size_t i = 0; done && i < on->removed.count; i++)
        done = add_write(on, &on->removed.items[i], LIDO__WRITE_DELETE);
    if (done && run_batch(on) && !on->session->failed)
        return true;
    blame_circle(&on->session->error, circle);
    return false;
}

static bool write_all(lido_session *session, void *argument) {
    (void)session;
    flush *on = argument;
    on->started = true;
    if (!insert_added(on) || !update_changed(on) || !open_circles(on))
        return false;
    return delete_removed(on);
}

/* ---- The whole ---- */

bool lido__unit_transact(lido_session *session, bool (*work)(lido_session *session, void *argument), void *argument) {
    lido__unit_of_work *unit = unit_of(session);
    bool own;
    unit->flushing = true;
    bool done = lido__transaction_whole_begin(session, &own);
    if (done) {
        bool worked = work(session, argument);
        done = lido__transaction_whole_end(session, own) && worked;
    }
    unit->flushing = false;
    return done;
}

static bool flush_all(flush *on) {
    if (!find_changes(on) || !arrange(on))
        return false;
    if (on->added.count + on->changed.count + on->removed.count == 0)
        return true;
    bool alone = on->session->options.autocommit;
    on->started = false;
    bool done = lido__unit_transact(on->session, write_all, on);
    if (alone && on->started)
        unit_of(on->session)->unit.ended(on->session, on->session->outcome);
    return done;
}

bool lido__unit_flush(lido_session *session) {
    if (unit_of(session)->flushing)
        return true;
    flush on = {.session = session};
    bool done = flush_all(&on);
    free(on.writes);
    free(on.added.items);
    free(on.changed.items);
    free(on.removed.items);
    lido__arena_done(&on.memory);
    return done;
}

bool lido_flush(lido_session *session) {
    if (!lido__session_is_ready(session, ""))
        return false;
    return session->unit == NULL || lido__unit_flush(session);
}
