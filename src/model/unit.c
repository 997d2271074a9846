/* Making and keeping a unit of work: its sets, its objects and their keys. */
#include "model/unit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/convert.h"
#include "base/fault.h"

/* ---- Refusals ---- */

bool lido__model_refuse(lido_session *session, const lido_model *model, lido_category category, const char *format,
                        ...) {
    char message[sizeof session->error.message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (session->failed)
        return false;
    lido__fault_clear(&session->error);
    lido__fault(&session->error, category, "%s%s%s", model != NULL ? model->name : "", model != NULL ? ": " : "",
                message);
    lido__session_fail(session, "using a model");
    return false;
}

bool lido__unit_out_of_memory(lido_session *session) {
    return lido__model_refuse(session, NULL, LIDO_ERROR_OUT_OF_MEMORY, "memory ran out while keeping objects");
}

/* ---- The unit ---- */

static void free_sets(lido__unit_of_work *unit) {
    for (lido__set *set = unit->sets; set != NULL; set = set->next) {
        lido__identity_map_done(&set->keyed);
        lido__identity_map_done(&set->unkeyed);
    }
}

static void unit_free(lido_session *session) {
    lido__unit_of_work *unit = (lido__unit_of_work *)session->unit;
    free_sets(unit);
    lido__identity_map_done(&unit->set_map);
    lido__history_free(unit);
    lido__buffer_done(&unit->text);
    lido__buffer_done(&unit->key);
    lido__arena_done(&unit->memory);
    lido__arena_done(&unit->fixed);
    free(unit);
    session->unit = NULL;
}

static void forget_objects(lido__unit_of_work *unit) {
    for (lido__set *set = unit->sets; set != NULL; set = set->next) {
        lido__identity_clear(&set->keyed);
        lido__identity_clear(&set->unkeyed);
        set->first = NULL;
        set->last = &set->first;
        set->unwritten = 0;
        set->unmapped = NULL;
    }
    lido__history_clear(unit);
}

/* What was rolled back, or may have been, leaves nothing that could be relied on. A statement in autocommit mode that
 * failed (LIDO_ERROR) says nothing about objects. */
static void unit_ended(lido_session *session, lido_status outcome) {
    lido__unit_of_work *unit = (lido__unit_of_work *)session->unit;
    if (outcome == LIDO_ROLLED_BACK || outcome == LIDO_UNKNOWN)
        forget_objects(unit);
    else if (outcome == LIDO_OK)
        lido__history_clear(unit);
    if (outcome == LIDO_OK && session->options.expire_on_commit)
        unit->epoch++;
}

static const lido__unit operations = {.flush = lido__unit_flush,
                                      .savepoint_begun = lido__history_begin,
                                      .savepoint_undone = lido__history_undo,
                                      .ended = unit_ended,
                                      .free = unit_free};

lido__unit_of_work *lido__unit_of(lido_session *session) {
    if (session->unit != NULL)
        return (lido__unit_of_work *)session->unit;
    lido__unit_of_work *unit = calloc(1, sizeof *unit);
    if (unit == NULL) {
        lido__unit_out_of_memory(session);
        return NULL;
    }
    unit->unit = operations;
    session->unit = &unit->unit;
    return unit;
}

/* ---- Sets ---- */

/* Of a key that can be compared where it is: the struct has all its bytes, and no others. */
static size_t fixed_key_size(const lido__plan *plan) {
    const lido__column *key = plan->keys[0];
    return plan->key_count == 1 && !lido__column_points(key) ? key->size : 0;
}

static bool write_sql(lido__unit_of_work *unit, lido__set *set) {
    const lido__plan *plan = set->plan;
    set->select = lido__arena_format(&unit->fixed, "SELECT %s FROM %s ", plan->column_list, plan->table);
    if (set->select == NULL)
        return false;
    set->fetch = lido__arena_format(&unit->fixed, "%sWHERE %s", set->select, plan->key_condition);
    return set->fetch != NULL;
}

static lido__set *set_new(lido_session *session, lido__unit_of_work *unit, const lido_model *model) {
    lido_error error = LIDO_ERROR_INIT;
    const lido__plan *plan = lido__plan_of(model, &error);
    if (plan == NULL) {
        if (!session->failed) {
            session->error = error;
            lido__session_fail(session, "using a model");
        }
        return NULL;
    }
    lido__set *set = lido__arena_allocate(&unit->fixed, sizeof *set);
    const lido_model **key = lido__arena_allocate(&unit->fixed, sizeof(const lido_model *));
    if (set != NULL && key != NULL) {
        *key = model;
        *set = (lido__set){.identity = {.key = key, .size = sizeof *key}, .model = model, .plan = plan};
        set->size = (model->size + 15) / 16 * 16;
        set->key_size = fixed_key_size(plan);
        set->last = &set->first;
        set->keyed.key_at = LIDO__OBJECT_HEADER + set->size + (set->key_size > 0 ? plan->keys[0]->offset : set->size);
        set->keyed.key_size = set->key_size;
        set->unkeyed.by_address = true;
        set->next = unit->sets;
        if (write_sql(unit, set) && lido__identity_add(&unit->set_map, set))
            return unit->sets = set;
    }
    lido__unit_out_of_memory(session);
    return NULL;
}

lido__set *lido__set_open(lido_session *session, const lido_model *model) {
    lido__unit_of_work *unit = lido__unit_of(session);
    if (unit == NULL)
        return NULL;
    lido__set *set = unit->sets;
    if (set == NULL || set->model != model)
        set = lido__identity_find(&unit->set_map, &model, sizeof model);
    return set != NULL ? set : set_new(session, unit, model);
}

lido__set *lido__set_look(lido_session *session, const lido_model *model) {
    return lido__session_is_ready(session, "") ? lido__set_open(session, model) : NULL;
}

lido__set *lido__set_of(lido_session *session, const lido_model *model) {
    lido__set *set = lido__set_look(session, model);
    return set == NULL || lido__set_map(session, set) ? set : NULL;
}

/* ---- Keys ---- */

/* It is generated, or that of an object that it refers to, which has none yet. */
static bool key_is_unset(const lido__set *set, const lido__column *key, const void *object) {
    if (!lido__member_is_zero(key, object))
        return false;
    if (key->generated == LIDO__GENERATED_IDENTITY || key->kind == LIDO_TARGET_TEXT)
        return true;
    const lido__reference *reference =
        key->part->role == LIDO_PART_REFERENCE ? lido__plan_reference(set->plan, key) : NULL;
    return reference != NULL && reference->zero_is_none && lido__reference_object(reference, object) != NULL;
}

bool lido__set_is_unkeyed(const lido__set *set, const void *object) {
    for (size_t i = 0; i < set->plan->key_count; i++)
        if (key_is_unset(set, set->plan->keys[i], object))
            return true;
    return false;
}

/* Each column's bytes behind their number, so that no two keys are written the same. */
static bool write_key(lido_session *session, const lido__set *set, const void *object) {
    lido__buffer *out = &((lido__unit_of_work *)session->unit)->key;
    lido__buffer_clear(out);
    for (size_t i = 0; i < set->plan->key_count; i++) {
        const lido__column *column = set->plan->keys[i];
        lido_value value = lido_value_null();
        lido__convert_member((const char *)object + column->offset, column->kind, &value);
        bool has_bytes = lido__kind_has_bytes(value.kind);
        uint64_t size = has_bytes ? value.size : column->size;
        lido__buffer_append(out, &size, sizeof size);
        lido__buffer_append(out, has_bytes ? value.as.text : (const char *)object + column->offset, (size_t)size);
    }
    return !out->out_of_memory || lido__unit_out_of_memory(session);
}

bool lido__set_key(lido_session *session, const lido__set *set, const void *object, const void **key, size_t *size) {
    if (set->key_size > 0) {
        *key = (const char *)object + set->plan->keys[0]->offset;
        *size = set->key_size;
        return true;
    }
    if (!write_key(session, set, object))
        return false;
    const lido__buffer *written = &((const lido__unit_of_work *)session->unit)->key;
    *key = written->data;
    *size = written->size;
    return true;
}

static lido__object *find_unkeyed(const lido__set *set, const void *object) {
    const void *address = (const char *)object - LIDO__OBJECT_HEADER;
    return lido__identity_find(&set->unkeyed, &address, sizeof address);
}

lido__object *lido__set_find(lido_session *session, lido__set *set, const void *object) {
    const void *key;
    size_t size;
    if (set->unkeyed.count > 0 && lido__set_is_unkeyed(set, object))
        return find_unkeyed(set, object);
    if (set->keyed.count == 0 || !lido__set_key(session, set, object, &key, &size))
        return NULL;
    return lido__identity_find(&set->keyed, key, size);
}

/* By its address first, for the program may have given it a key since. */
lido__object *lido__set_owner(lido_session *session, lido__set *set, const void *object) {
    lido__object *found = find_unkeyed(set, object);
    if (found == NULL)
        found = lido__set_find(session, set, object);
    return found != NULL && lido__object_struct(found) == object ? found : NULL;
}

/* Its key in a place that stays as long as it does, if it is not there already. */
static bool keep_key(lido_session *session, lido__set *set, lido__object *object) {
    const void *key;
    size_t size;
    if (object->unkeyed || set->key_size > 0)
        return true;
    if (!lido__set_key(session, set, lido__object_was(set, object), &key, &size))
        return false;
    key = lido__arena_copy(&((lido__unit_of_work *)session->unit)->memory, key, size);
    if (key == NULL)
        return lido__unit_out_of_memory(session);
    *lido__object_identity(set, object) = (lido__identity){.key = key, .size = size};
    return true;
}

/* ---- Objects ---- */

static lido__identity_map *map_of(lido__set *set, const lido__object *object) {
    return object->unkeyed ? &set->unkeyed : &set->keyed;
}

/* The key is in its place. */
static bool link_object(lido_session *session, lido__set *set, lido__object *object, uint32_t hash) {
    lido__identity_map *map = map_of(set, object);
    if (!lido__identity_reserve(map, 1)) /* before it is noted that it is there */
        return lido__unit_out_of_memory(session);
    if (session->savepoints > 0 && !lido__history_note(session, set, object, LIDO__EVENT_CAME))
        return false;
    lido__identity_put(map, object, hash);
    object->mapped = true;
    *set->last = object;
    set->last = &object->next;
    return true;
}

/* Only what came after a savepoint was opened is noted one by one, and that is in its map: so it can be taken out. */
bool lido__set_track(lido_session *session, lido__set *set, lido__object *object, bool is_new) {
    memcpy(lido__object_was(set, object), lido__object_struct(object), set->size);
    object->state = LIDO__OBJECT_ADDED;
    if (is_new && session->savepoints == 0) {
        lido__set_list(set, object);
        set->unwritten++;
        return true;
    }
    void *found;
    if (!lido__set_map(session, set) || !keep_key(session, set, object))
        return false;
    if (!lido__identity_reserve(map_of(set, object), 1))
        return lido__unit_out_of_memory(session);
    if (!link_object(session, set, object, lido__identity_look_up(map_of(set, object), object, &found)))
        return false;
    set->unwritten++;
    return true;
}

bool lido__set_track_row(lido_session *session, lido__set *set, lido__object *object, uint32_t hash) {
    lido__object_settle(session, set, object);
    return keep_key(session, set, object) && link_object(session, set, object, hash);
}

bool lido__set_refuse_same_key(lido_session *session, const lido__set *set, const lido__object *known) {
    char whose[LIDO__WHOSE_SIZE];
    lido__object_describe(set, lido__object_struct(known), whose, sizeof whose);
    return lido__model_refuse(session, set->model, LIDO_ERROR_MISUSE,
                              known->state == LIDO__OBJECT_REMOVED
                                  ? "%s was removed and is still to be deleted: flush before another one is added"
                                  : "%s is one of the session's objects already: change that",
                              whose);
}

/* Also if the rows of a table whose key is not unique were taken for different objects. */
static bool refuse_twice(lido_session *session, const lido__set *set, const lido__object *object) {
    char whose[LIDO__WHOSE_SIZE];
    lido__object_describe(set, lido__object_was(set, object), whose, sizeof whose);
    return lido__model_refuse(session, set->model, LIDO_ERROR_MISUSE,
                              "two of the session's objects are %s: is the model's key unique in its table?", whose);
}

/* Into its map, by the key that it has now. */
static bool map_object(lido_session *session, lido__set *set, lido__object *object) {
    lido__identity_map *map = map_of(set, object);
    void *found;
    if (!keep_key(session, set, object))
        return false;
    if (!lido__identity_reserve(map, 1))
        return lido__unit_out_of_memory(session);
    uint32_t hash = lido__identity_look_up(map, object, &found);
    if (found != NULL)
        return object->state == LIDO__OBJECT_ADDED ? lido__set_refuse_same_key(session, set, found)
                                                   : refuse_twice(session, set, object);
    lido__identity_put(map, object, hash);
    object->mapped = true;
    return true;
}

bool lido__set_map(lido_session *session, lido__set *set) {
    size_t count = 0;
    for (const lido__object *object = set->unmapped; object != NULL; object = object->next)
        count += !object->unkeyed;
    if (count > 0 && !lido__identity_reserve(&set->keyed, count))
        return lido__unit_out_of_memory(session);
    while (set->unmapped != NULL) {
        if (set->unmapped->state != LIDO__OBJECT_GONE && !map_object(session, set, set->unmapped))
            return false;
        set->unmapped = set->unmapped->next;
    }
    return true;
}

void lido__set_drop(lido__set *set, lido__object *object) {
    if (object->mapped)
        lido__identity_remove(map_of(set, object), object);
    object->mapped = false;
    object->state = LIDO__OBJECT_GONE;
}

bool lido__set_rekey(lido_session *session, lido__set *set, lido__object *object) {
    char *now = lido__object_struct(object);
    char *was = lido__object_was(set, object);
    bool was_mapped = object->mapped;
    if (was_mapped)
        lido__identity_remove(map_of(set, object), object);
    object->mapped = false;
    object->unkeyed = lido__set_is_unkeyed(set, now);
    for (size_t i = 0; i < set->plan->key_count; i++)
        memcpy(was + set->plan->keys[i]->offset, now + set->plan->keys[i]->offset, set->plan->keys[i]->size);
    if (!was_mapped || map_object(session, set, object))
        return true;
    set->unwritten--;
    object->state = LIDO__OBJECT_GONE;
    return false;
}

static bool own(lido_session *session, const void **data, size_t size, bool is_text) {
    lido__arena *memory = &((lido__unit_of_work *)session->unit)->memory;
    char *copy = is_text ? lido__arena_copy(memory, *data, size) : lido__arena_allocate(memory, size);
    if (copy == NULL)
        return lido__unit_out_of_memory(session);
    if (!is_text)
        memcpy(copy, *data, size);
    *data = copy;
    return true;
}

bool lido__column_own(lido_session *session, const lido__column *column, void *object) {
    void *member = (char *)object + column->offset;
    const void **pointer = member; /* that of a text or a nullable one, and the first of the others' members */
    switch (column->kind) {
    case LIDO_TARGET_TEXT:
    case LIDO_TARGET_JSON:
    case LIDO_TARGET_NUMERIC:
        return *pointer == NULL || own(session, pointer, strlen(*(const char *const *)member), true);
    case LIDO_TARGET_BYTES:
        return *pointer == NULL || own(session, pointer, ((const lido_bytes *)member)->size, true);
    default:
        if (!lido__target_is_nullable(column->kind) || *pointer == NULL)
            return true;
        return own(session, pointer, lido__target_size(lido__target_base(column->kind)), false);
    }
}

/* ---- In words ---- */

static int describe_key(const lido__column *column, const void *object, char *text, size_t size) {
    lido_value value = lido_value_null();
    char uuid[37];
    lido__convert_member((const char *)object + column->offset, column->kind, &value);
    switch (value.kind) {
    case LIDO_KIND_UUID:
        lido_uuid_format(value.as.uuid, uuid);
        return snprintf(text, size, "%s = %s", column->name, uuid);
    case LIDO_KIND_INT64:
        return snprintf(text, size, "%s = %" PRId64, column->name, value.as.integer);
    default:
        return snprintf(text, size, "%s", column->name);
    }
}

void lido__object_describe(const lido__set *set, const void *object, char *text, size_t size) {
    if (lido__set_is_unkeyed(set, object)) {
        snprintf(text, size, "%s", set->model->name);
        return;
    }
    int used = snprintf(text, size, "%s (", set->model->name);
    for (size_t i = 0; i < set->plan->key_count && (size_t)used < size; i++) {
        used += snprintf(text + used, size - (size_t)used, "%s", i > 0 ? ", " : "");
        if ((size_t)used < size)
            used += describe_key(set->plan->keys[i], object, text + used, size - (size_t)used);
    }
    if ((size_t)used < size)
        snprintf(text + used, size - (size_t)used, ")");
}

/* ---- Public ---- */

const void *lido_keep_data(lido_session *session, const void *data, size_t size) {
    if (!lido__session_is_mine(session) || data == NULL || lido__unit_of(session) == NULL)
        return NULL;
    const void *copy = lido__arena_copy(&((lido__unit_of_work *)session->unit)->memory, data, size);
    if (copy == NULL)
        lido__unit_out_of_memory(session);
    return copy;
}

const char *lido_keep_text(lido_session *session, const char *text) {
    return text != NULL ? lido_keep_data(session, text, strlen(text)) : NULL;
}

bool lido_forget(lido_session *session) {
    if (!lido_flush(session))
        return false;
    lido__unit_of_work *unit = (lido__unit_of_work *)session->unit;
    if (unit == NULL)
        return true;
    forget_objects(unit);
    for (lido__set *set = unit->sets; set != NULL; set = set->next)
        set->spare = NULL;
    lido__arena_reset(&unit->memory);
    return true;
}
