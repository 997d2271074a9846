/* What of an object has changed.
 *
 * Most objects have not: one comparison of bytes finds that, without a look at the columns. Texts and what pointers
 * point to are constant, so a pointer that is the same points to the same; one that is another may still point to
 * equal bytes. */
#include <string.h>

#include "base/convert.h"
#include "model/unit.h"

static bool texts_differ(const char *one, const char *other) {
    return one != other && (one == NULL || other == NULL || strcmp(one, other) != 0);
}

static bool bytes_differ(const lido_bytes *one, const lido_bytes *other) {
    if (one->size != other->size || (one->data == NULL) != (other->data == NULL))
        return true;
    return one->data != other->data && one->size > 0 && memcmp(one->data, other->data, one->size) != 0;
}

static bool pointed_differ(const void *one, const void *other, size_t size) {
    return one != other && (one == NULL || other == NULL || memcmp(one, other, size) != 0);
}

bool lido__column_differs(const lido__column *column, const void *one_struct, const void *other_struct) {
    const void *one = (const char *)one_struct + column->offset;
    const void *other = (const char *)other_struct + column->offset;
    switch (column->kind) {
    case LIDO_TARGET_TEXT:
    case LIDO_TARGET_JSON:
    case LIDO_TARGET_NUMERIC: /* each is a pointer to a text */
        return texts_differ(*(const char *const *)one, *(const char *const *)other);
    case LIDO_TARGET_BYTES:
        return bytes_differ(one, other);
    default:
        if (!lido__target_is_nullable(column->kind))
            return memcmp(one, other, column->size) != 0;
        return pointed_differ(*(const void *const *)one, *(const void *const *)other,
                              lido__target_size(lido__target_base(column->kind)));
    }
}

static bool refuse_key(lido_session *session, const lido__set *set, const lido__object *object,
                       const lido__column *column) {
    char whose[LIDO__WHOSE_SIZE];
    lido__object_describe(set, lido__object_was(set, object), whose, sizeof whose);
    lido__model_refuse(session, set->model, LIDO_ERROR_MISUSE,
                       "the key of %s was changed in column %s: a key stays; remove the object and add another, or use "
                       "lido_update_where",
                       whose, column->name);
    return false;
}

/* Column by column: their members, or only what lies between them, differ. */
static bool look_closely(lido_session *session, lido__set *set, lido__object *object, bool *changed) {
    char *now = lido__object_struct(object);
    char *was = lido__object_was(set, object);
    for (size_t i = 0; i < set->plan->column_count; i++) {
        const lido__column *column = &set->plan->columns[i];
        if (memcmp(now + column->offset, was + column->offset, column->size) == 0)
            continue;
        bool differs = column != set->plan->version && lido__column_differs(column, now, was);
        if (differs && column->is_key)
            return refuse_key(session, set, object, column);
        if (!differs) /* equal, but perhaps the program's, and soon gone; and a version is the library's matter */
            memcpy(now + column->offset, was + column->offset, column->size);
        *changed = *changed || differs;
    }
    return true;
}

bool lido__object_changed(lido_session *session, lido__set *set, lido__object *object, bool *changed) {
    const lido__reference *pending;
    *changed = false;
    if (memcmp(lido__object_struct(object), lido__object_was(set, object), set->model->size) == 0)
        return true;
    lido__references_fill(session, set, lido__object_struct(object), lido__object_was(set, object), &pending);
    if (session->failed || !look_closely(session, set, object, changed))
        return false;
    *changed = *changed || pending != NULL; /* its key will be there when this is written */
    if (!*changed)                          /* the members that are no columns; so the next look is a quick one again */
        memcpy(lido__object_was(set, object), lido__object_struct(object), set->model->size);
    return true;
}

/* ---- References that are given by their object ---- */

const void *lido__reference_object(const lido__reference *reference, const void *object) {
    const lido_part *part = reference->column->part;
    if (part->object == NULL)
        return NULL;
    const void *other;
    memcpy(&other, (const char *)object + part->object_offset, sizeof other);
    return other;
}

bool lido__reference_is_none(const lido__reference *reference, const void *object) {
    return reference->zero_is_none && lido__member_is_zero(reference->column, object);
}

/* The key goes where the reference is: as a value, or, if that is nullable, as a pointer to the session's copy. A text
 * of the program's becomes the session's, too. */
static bool copy_key(lido_session *session, const lido__column *to, void *object, const lido__column *from,
                     const void *other, bool is_foreign) {
    char *member = (char *)object + to->offset;
    const char *key = (const char *)other + from->offset;
    if (!lido__target_is_nullable(to->kind)) {
        memcpy(member, key, to->size);
        return !is_foreign || lido__column_own(session, to, object);
    }
    memcpy(member, &key, sizeof key);
    return lido__column_own(session, to, object);
}

/* One reference, which is given by `other`. *pending: that has no key yet. False: the session has failed. */
static bool fill(lido_session *session, const lido__reference *reference, void *object, const void *other,
                 const lido__reference **pending) {
    lido__set *target = lido__set_of(session, reference->target);
    if (target == NULL)
        return false;
    const lido__column *key = lido__plan_column(target->plan, reference->target_name);
    const lido__object *owner = lido__set_owner(session, target, other);
    bool unkeyed = owner != NULL && owner->unkeyed;
    if (session->failed)
        return false;
    if (key->is_key && (unkeyed || (reference->zero_is_none && lido__member_is_zero(key, other)))) {
        *pending = reference;
        return true;
    }
    return copy_key(session, reference->column, object, key, other, owner == NULL);
}

bool lido__references_fill(lido_session *session, const lido__set *set, void *object, const void *was,
                           const lido__reference **pending) {
    *pending = NULL;
    for (size_t i = 0; i < set->plan->reference_count; i++) {
        const lido__reference *reference = &set->plan->references[i];
        const void *other = lido__reference_object(reference, object);
        if (other == NULL || !lido__member_is_zero(reference->column, object) ||
            (was != NULL && lido__reference_object(reference, was) == other))
            continue;
        if (!fill(session, reference, object, other, pending))
            return false;
    }
    return *pending == NULL;
}

bool lido__references_need(lido_session *session, const lido__set *set, void *object, const void *was) {
    const lido__reference *pending;
    if (set->plan->reference_count == 0 || lido__references_fill(session, set, object, was, &pending))
        return true;
    return !session->failed &&
           lido__model_refuse(session, set->model, LIDO_ERROR_MISUSE, "%s has no key yet: flush, or insert it, first",
                              pending->column->part->object);
}

bool lido__references_fill_key(lido_session *session, const lido__set *set, void *object) {
    const lido__reference *pending;
    for (size_t i = 0; i < set->plan->reference_count; i++) {
        const lido__reference *reference = &set->plan->references[i];
        const void *other = lido__reference_object(reference, object);
        if (reference->column->is_key && other != NULL && lido__member_is_zero(reference->column, object) &&
            !fill(session, reference, object, other, &pending))
            return false;
    }
    return true;
}

static lido__object *find_by_key(lido_session *session, const lido__reference *reference, const void *object,
                                 lido__set *target) {
    lido__object *other = lido__object_new(session, target); /* for its key alone */
    const lido__column *key = lido__plan_column(target->plan, reference->target_name);
    target->spare = other;
    if (other == NULL || !key->is_key || target->plan->key_count != 1)
        return NULL;
    const void *member = (const char *)object + reference->column->offset;
    if (lido__target_is_nullable(reference->column->kind))
        /* cppcheck-suppress pointerSize */
        memcpy(&member, member, sizeof member);
    memcpy((char *)lido__object_struct(other) + key->offset, member, key->size);
    return lido__set_find(session, target, lido__object_struct(other));
}

lido__object *lido__reference_find_by_key(lido_session *session, const lido__reference *reference, const void *object) {
    lido__set *target = lido__set_of(session, reference->target);
    if (target == NULL || target->keyed.count == 0)
        return NULL;
    return find_by_key(session, reference, object, target);
}

lido__object *lido__reference_find(lido_session *session, const lido__reference *reference, const void *object,
                                   lido__set **target) {
    *target = lido__set_of(session, reference->target);
    if (*target == NULL || ((*target)->keyed.count == 0 && (*target)->unkeyed.count == 0))
        return NULL;
    lido__object *found = NULL;
    if (!lido__reference_is_none(reference, object))
        found = find_by_key(session, reference, object, *target);
    if (found != NULL || session->failed || !lido__member_is_zero(reference->column, object))
        return found;
    const void *other = lido__reference_object(reference, object);
    return other != NULL ? lido__set_owner(session, *target, other) : NULL;
}

bool lido__object_own(lido_session *session, lido__set *set, lido__object *object) {
    const char *was = lido__object_was(set, object);
    char *now = lido__object_struct(object);
    for (size_t i = 0; i < set->plan->column_count; i++) {
        const lido__column *column = &set->plan->columns[i];
        if (memcmp(now + column->offset, was + column->offset, column->size) != 0 &&
            !lido__column_own(session, column, now))
            return false;
    }
    return true;
}
