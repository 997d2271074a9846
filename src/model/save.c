/* Saving one struct, at once: what lido_insert, lido_upsert, lido_update and lido_delete do; and many by
 * lido_insert_many. The struct may be one of the session's objects, which then knows of it. */
#include "model/unit.h"

/* One of the session's objects, which is not waiting to be written itself; or NULL. */
static lido__object *known_of(lido_session *session, lido__set *set, const void *object) {
    lido__object *known = lido__set_owner(session, set, object);
    return known != NULL && known->state == LIDO__OBJECT_CLEAN ? known : NULL;
}

/* What it was, of one that the session knows: a reference that was cleared since is not put back from its object. */
static const void *was_of(const lido__set *set, const lido__object *known) {
    return known != NULL ? lido__object_was(set, known) : NULL;
}

static lido__set *set_for(lido_session *session, const lido_model *model, const void *object) {
    lido__set *set = lido__set_of(session, model);
    if (set != NULL && object == NULL) {
        lido__model_refuse(session, model, LIDO_ERROR_MISUSE, "the pointer to the struct is NULL");
        return NULL;
    }
    return set;
}

/* One that waited to be inserted is, by this. */
static bool note_insert(lido_session *session, lido__set *set, lido__object *known) {
    if (known == NULL || known->state != LIDO__OBJECT_ADDED)
        return true;
    known->late = false;
    return lido__object_own(session, set, known) && lido__object_written(session, set, known, LIDO__WRITE_INSERT);
}

static bool insert(lido_session *session, lido__set *set, void *object, const void *was, const char *conflict) {
    if (!lido__references_need(session, set, object, was))
        return false;
    lido__write write = {.kind = LIDO__WRITE_INSERT, .set = set, .object = object, .conflict = conflict};
    return lido__writes_run(session, 1, &write);
}

bool lido_insert_object(lido_session *session, const lido_model *model, void *object) {
    lido__set *set = set_for(session, model, object);
    lido__object *waiting = set != NULL ? lido__set_owner(session, set, object) : NULL;
    return set != NULL && insert(session, set, object, NULL, NULL) && note_insert(session, set, waiting);
}

/* Written as it is now; unless the row that was updated is another one than it was. */
static bool note_update(lido_session *session, lido__set *set, lido__object *known) {
    for (size_t i = 0; known != NULL && i < set->plan->key_count; i++)
        if (lido__column_differs(set->plan->keys[i], lido__object_struct(known), lido__object_was(set, known)))
            return lido__object_written(session, set, known, LIDO__WRITE_DELETE);
    return known == NULL ||
           (lido__object_own(session, set, known) && lido__object_written(session, set, known, LIDO__WRITE_UPDATE));
}

bool lido_upsert_object(lido_session *session, const lido_model *model, void *object, const char *unique) {
    lido__set *set = set_for(session, model, object);
    if (set == NULL || (unique != NULL && !lido__columns_check(session, set, unique)))
        return false;
    lido__object *known = known_of(session, set, object);
    lido__object *waiting = known == NULL ? lido__set_owner(session, set, object) : NULL;
    return insert(session, set, object, was_of(set, known), unique != NULL ? unique : "") &&
           note_insert(session, set, waiting) && note_update(session, set, known);
}

bool lido_update_object(lido_session *session, const lido_model *model, void *object) {
    lido__set *set = set_for(session, model, object);
    lido__object *known = set != NULL ? known_of(session, set, object) : NULL;
    if (set == NULL || !lido__references_need(session, set, object, was_of(set, known)))
        return false;
    lido__write write = {.kind = LIDO__WRITE_UPDATE, .set = set, .object = object};
    if (!lido__writes_run(session, 1, &write))
        return false;
    return note_update(session, set, known);
}

bool lido_delete_object(lido_session *session, const lido_model *model, const void *object) {
    lido__set *set = set_for(session, model, object);
    if (set == NULL)
        return false;
    lido__object *known = lido__set_owner(session, set, object);
    lido__write write = {.kind = LIDO__WRITE_DELETE, .set = set, .object = (void *)(uintptr_t)object};
    if (!lido__writes_run(session, 1, &write))
        return false;
    return known == NULL || known->state == LIDO__OBJECT_ADDED ||
           lido__object_written(session, set, known, LIDO__WRITE_DELETE);
}

typedef struct many {
    lido__set *set;
    lido__structs structs;
} many;

static bool insert_many(lido_session *session, void *argument) {
    const many *given = argument;
    return lido__insert_all(session, given->set, &given->structs);
}

int64_t lido_insert_objects(lido_session *session, const lido_model *model, void *objects, size_t count) {
    lido__set *set = count > 0 ? set_for(session, model, objects) : NULL;
    if (set == NULL)
        return 0;
    many given = {.set = set, .structs = {.count = count, .first = objects, .stride = model->size}};
    return lido__unit_transact(session, insert_many, &given) ? (int64_t)count : 0;
}
