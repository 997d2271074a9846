/* Loading what many objects refer to, with one query for all that the session does not have yet.
 *
 * The keys go as one parameter: an array on PostgreSQL, JSON on SQLite; so there is one statement however many keys
 * there are. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/convert.h"
#include "model/unit.h"

/* A key that is referred to. */
typedef struct wanted {
    lido__identity identity; /* first: its key is that of `value` */
    lido_value value;
    void *found; /* the struct that has it */
    struct wanted *next;
} wanted;

typedef struct loading {
    lido_session *session;
    const lido__reference *reference;
    const lido__column *column; /* the other table's that is referred to */
    lido__set *target;
    lido__identity_map map; /* of the wanted */
    wanted *first;          /* those that are to be asked for */
    lido__arena memory;
} loading;

static lido_value value_of(const lido__column *column, const void *object) {
    lido_value value = lido_value_null();
    lido__convert_member((const char *)object + column->offset, column->kind, &value);
    return value;
}

/* The bytes that two values have in common if they are the same. */
static const void *bytes_of(const lido_value *value, size_t *size) {
    if (lido__kind_has_bytes(value->kind)) {
        *size = value->size;
        return value->as.text;
    }
    *size = value->kind == LIDO_KIND_UUID ? sizeof value->as.uuid : sizeof value->as.integer;
    return &value->as;
}

static wanted *find(const loading *on, const lido_value *value) {
    size_t size;
    const void *bytes = bytes_of(value, &size);
    return (wanted *)lido__identity_find(&on->map, bytes, size);
}

static bool want(loading *on, const void *object) {
    lido_value value = value_of(on->reference->column, object);
    if (lido__reference_is_none(on->reference, object) || value.kind == LIDO_KIND_NULL || find(on, &value) != NULL)
        return true;
    wanted *made = lido__arena_allocate(&on->memory, sizeof *made);
    if (made == NULL)
        return lido__unit_out_of_memory(on->session);
    *made = (wanted){.value = value};
    made->identity.key = bytes_of(&made->value, &made->identity.size);
    if (!lido__identity_add(&on->map, &made->identity))
        return lido__unit_out_of_memory(on->session);
    const lido__object *known = lido__reference_find_by_key(on->session, on->reference, object);
    bool fresh =
        known != NULL && known->state != LIDO__OBJECT_REMOVED &&
        (known->state == LIDO__OBJECT_ADDED || known->epoch == ((lido__unit_of_work *)on->session->unit)->epoch);
    if (fresh) {
        made->found = lido__object_struct(known);
        return true;
    }
    made->next = on->first;
    on->first = made;
    return !on->session->failed;
}

/* ---- The question ---- */

/* In double quotes, as both forms have it; what JSON cannot hold as it is, is escaped as both know it, or as JSON
 * does. */
static void write_quoted(lido__buffer *text, const char *item, size_t size, bool json) {
    lido__buffer_char(text, '"');
    for (size_t i = 0; i < size; i++) {
        if (item[i] == '"' || item[i] == '\\')
            lido__buffer_char(text, '\\');
        if (json && (unsigned char)item[i] < ' ')
            lido__buffer_format(text, "\\u%04x", (unsigned)(unsigned char)item[i]);
        else
            lido__buffer_char(text, item[i]);
    }
    lido__buffer_char(text, '"');
}

/* Numbers bare, for SQLite tells them from texts. */
static bool write_keys(loading *on, lido__buffer *text, bool json) {
    lido__buffer_char(text, json ? '[' : '{');
    for (const wanted *at = on->first; at != NULL; at = at->next) {
        const char *item;
        const char *why = lido__convert_text(&at->value, &on->memory, &item);
        if (why != NULL)
            return lido__model_refuse(on->session, on->target->model, LIDO_ERROR_TYPE,
                                      "column %s cannot be looked for: it %s", on->column->name, why);
        if (at->value.kind == LIDO_KIND_INT64 || at->value.kind == LIDO_KIND_DOUBLE)
            lido__buffer_text(text, item);
        else
            write_quoted(text, item, strlen(item), json);
        lido__buffer_text(text, at->next != NULL ? "," : "");
    }
    lido__buffer_char(text, json ? ']' : '}');
    return !text->out_of_memory || lido__unit_out_of_memory(on->session);
}

static void note_found(loading *on, const lido__found *found) {
    for (size_t i = 0; i < found->count; i++) {
        const lido_value value = value_of(on->column, found->items[i]);
        wanted *one = find(on, &value);
        if (one != NULL)
            one->found = found->items[i];
    }
}

static bool ask(loading *on) {
    bool json = on->session->engine->config.type == LIDO__SQLITE;
    lido__buffer keys = LIDO__BUFFER_INIT;
    lido__buffer *sql = &((lido__unit_of_work *)on->session->unit)->text;
    if (on->first == NULL)
        return true;
    bool done = write_keys(on, &keys, json);
    lido__buffer_clear(sql);
    lido__buffer_format(sql, "%sWHERE %s%s", on->target->select, on->column->quoted,
                        json ? " IN (SELECT value FROM json_each(?))" : " = ANY (?)");
    done = done && (!sql->out_of_memory || lido__unit_out_of_memory(on->session));
    lido_value parameter = lido_value_text_sized(lido__buffer_string(&keys), keys.size);
    lido__found found = {.items = NULL};
    done = done && lido__set_take(on->session, on->target, lido__buffer_string(sql), 1, &parameter, false, &found);
    if (done)
        note_found(on, &found);
    free(found.items);
    lido__buffer_done(&keys);
    return done;
}

/* ---- The whole ---- */

static const lido__reference *find_reference(lido_session *session, const lido__set *set, const char *member) {
    for (size_t i = 0; member != NULL && i < set->plan->reference_count; i++) {
        const lido_part *part = set->plan->references[i].column->part;
        if (part->object != NULL && strcmp(part->object, member) == 0)
            return &set->plan->references[i];
    }
    lido__model_refuse(session, set->model, LIDO_ERROR_MISUSE,
                       "the member %s is no reference's: name it with LIDO_OBJECT in a LIDO_REF",
                       member != NULL ? member : "NULL");
    return NULL;
}

/* Of one of the session's own it is no change. Where the reference is NULL, the program may have put an object there
 * that has no key yet. */
static void fill_in(const loading *on, lido__set *set, void *object) {
    size_t offset = on->reference->column->part->object_offset;
    const lido__object *known = lido__set_owner(on->session, set, object);
    char *was = known != NULL ? lido__object_was(set, known) : NULL;
    /* cppcheck-suppress pointerSize */
    bool set_since = was == NULL || memcmp(was + offset, (char *)object + offset, sizeof(void *)) != 0 ||
                     known->state == LIDO__OBJECT_ADDED;
    void *found = NULL;
    if (!lido__reference_is_none(on->reference, object)) {
        lido_value value = value_of(on->reference->column, object);
        const wanted *one = value.kind != LIDO_KIND_NULL ? find(on, &value) : NULL;
        found = one != NULL ? one->found : NULL;
    } else if (set_since) {
        return;
    }
    memcpy((char *)object + offset, &found, sizeof found);
    if (was != NULL)
        memcpy(was + offset, &found, sizeof found);
}

static bool load(loading *on, lido__set *set, void *const *objects, size_t count) {
    on->column = lido__plan_column(on->target->plan, on->reference->target_name);
    for (size_t i = 0; i < count; i++)
        if (objects[i] != NULL && !want(on, objects[i]))
            return false;
    if (!ask(on))
        return false;
    for (size_t i = 0; i < count; i++)
        if (objects[i] != NULL)
            fill_in(on, set, objects[i]);
    return true;
}

bool lido_load_related_objects(lido_session *session, const lido_model *model, void *const *objects, size_t count,
                               const char *member) {
    lido__set *set = lido__set_of(session, model);
    const lido__reference *reference = set != NULL ? find_reference(session, set, member) : NULL;
    if (reference == NULL || !lido__unit_autoflush(session))
        return false;
    loading on = {.session = session, .reference = reference, .target = lido__set_of(session, reference->target)};
    bool done = on.target != NULL && (count == 0 || objects != NULL ||
                                      lido__model_refuse(session, model, LIDO_ERROR_MISUSE, "the array is NULL"));
    done = done && load(&on, set, objects, count);
    lido__identity_map_done(&on.map);
    lido__arena_done(&on.memory);
    return done;
}
