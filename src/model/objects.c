/* Objects into the session's keeping, and out of it. */
#include <string.h>

#include "model/unit.h"

static lido__object *copy_of(lido_session *session, lido__set *set, const void *object) {
    lido__object *made = lido__object_new(session, set);
    if (made == NULL)
        return NULL;
    memcpy(lido__object_struct(made), object, set->model->size);
    for (size_t i = 0; i < set->plan->column_count; i++)
        if (lido__column_points(&set->plan->columns[i]) &&
            !lido__column_own(session, &set->plan->columns[i], lido__object_struct(made)))
            return NULL;
    return made;
}

void *lido_add_object(lido_session *session, const lido_model *model, const void *object) {
    if (!lido__session_is_mine(session))
        return NULL;
    bool ready = lido__session_is_ready(session, "");
    lido__set *set = lido__set_open(session, model);
    if (ready && set != NULL && object == NULL)
        lido__model_refuse(session, model, LIDO_ERROR_MISUSE, "the pointer to the struct is NULL");
    lido__object *made = set != NULL && object != NULL ? copy_of(session, set, object) : NULL;
    if (made == NULL)
        return NULL;
    made->state = LIDO__OBJECT_GONE;
    const lido__column *generated = set->plan->generated;
    bool is_new = generated != NULL && lido__member_is_zero(generated, lido__object_struct(made));
    lido__insert_prepare(session, set->plan, lido__object_struct(made));
    if (session->failed || !lido__references_fill_key(session, set, lido__object_struct(made)))
        return lido__object_struct(made);
    made->unkeyed = lido__set_is_unkeyed(set, lido__object_struct(made));
    lido__object *known = NULL;
    if (!is_new && lido__set_map(session, set))
        known = lido__set_find(session, set, lido__object_struct(made));
    if (known != NULL)
        lido__set_refuse_same_key(session, set, known);
    else if (!session->failed)
        lido__set_track(session, set, made, is_new);
    return lido__object_struct(made);
}

bool lido_remove_object(lido_session *session, const lido_model *model, void *object) {
    lido__set *set = lido__set_of(session, model);
    if (set == NULL)
        return false;
    lido__object *known = object != NULL ? lido__set_owner(session, set, object) : NULL;
    if (known == NULL)
        return lido__model_refuse(
            session, model, LIDO_ERROR_MISUSE,
            "what is to be removed is none of the session's objects: fetch it, or use lido_delete");
    if (known->state == LIDO__OBJECT_ADDED) {
        set->unwritten--;
        lido__set_drop(set, known);
    } else if (known->state == LIDO__OBJECT_CLEAN) {
        known->state = LIDO__OBJECT_REMOVED;
        set->unwritten++;
    }
    return true;
}
