/* Rows into structs: values that have the member's own type go straight in, others by the conversions that lido_scan
 * has, with the same meaning and the same refusals. */
#include <limits.h>
#include <string.h>

#include "base/convert.h"
#include "model/unit.h"

static const char no_memory[] = "finds no memory for its text";
static const char has_nul[] = "holds a NUL byte, at which C would see it end";

/* ---- One value ---- */

static const char *copy_text(const lido_value *value, lido__arena *memory, void *member) {
    if (memchr(value->as.text, '\0', value->size) != NULL)
        return has_nul;
    const char *copy = lido__arena_copy(memory, value->as.text, value->size);
    if (copy == NULL)
        return no_memory;
    memcpy(member, &copy, sizeof copy);
    return NULL;
}

/* What lido__convert_target has left pointing into the value becomes a copy of its own. */
static const char *copy_pointed(lido_target_kind kind, lido__arena *memory, void *member) {
    lido_bytes *bytes = member;
    const char **text = member;
    if (kind == LIDO_TARGET_BYTES && bytes->data != NULL) {
        bytes->data = lido__arena_copy(memory, bytes->data, bytes->size);
        return bytes->data != NULL ? NULL : no_memory;
    }
    if ((kind == LIDO_TARGET_TEXT || kind == LIDO_TARGET_JSON || kind == LIDO_TARGET_NUMERIC) && *text != NULL) {
        *text = lido__arena_copy(memory, *text, strlen(*text));
        return *text != NULL ? NULL : no_memory;
    }
    return NULL;
}

static const char *convert(const lido__column *column, const lido_value *value, lido__arena *memory, bool copy,
                           void *member) {
    if (value->kind == LIDO_KIND_NULL && !column->may_be_null)
        return "is NULL, which the model does not allow";
    const char *why = lido__convert_target(value, memory, &(lido_target){column->kind, member});
    return why == NULL && copy ? copy_pointed(column->kind, memory, member) : why;
}

/* One case for each type that is what it seems; the rest is converted. */
static inline const char *read_value(const lido__column *column, const lido_value *value, lido__arena *memory,
                                     void *object) {
    void *member = (char *)object + column->offset;
    switch (column->kind) {
    case LIDO_TARGET_UUID:
        if (value->kind != LIDO_KIND_UUID)
            break;
        memcpy(member, value->as.uuid.bytes, sizeof value->as.uuid.bytes);
        return NULL;
    case LIDO_TARGET_INT:
        if (value->kind != LIDO_KIND_INT64 || value->as.integer < INT_MIN || value->as.integer > INT_MAX)
            break;
        *(int *)member = (int)value->as.integer;
        return NULL;
    case LIDO_TARGET_LONG:
    case LIDO_TARGET_LONG_LONG:
        if (value->kind != LIDO_KIND_INT64 || column->size != sizeof value->as.integer)
            break;
        memcpy(member, &value->as.integer, sizeof value->as.integer);
        return NULL;
    case LIDO_TARGET_DOUBLE:
        if (value->kind != LIDO_KIND_DOUBLE)
            break;
        *(double *)member = value->as.real;
        return NULL;
    case LIDO_TARGET_BOOL:
        if (value->kind != LIDO_KIND_BOOL)
            break;
        *(bool *)member = value->as.boolean;
        return NULL;
    case LIDO_TARGET_TIME:
        if (value->kind != LIDO_KIND_TIME)
            break;
        *(lido_time *)member = value->as.time;
        return NULL;
    case LIDO_TARGET_TEXT:
        if (value->kind != LIDO_KIND_TEXT)
            break;
        return copy_text(value, memory, member);
    default:
        break;
    }
    return convert(column, value, memory, true, member);
}

static bool refuse(lido_session *session, const lido__set *set, const lido__column *column, const char *why) {
    lido_category category = why == no_memory ? LIDO_ERROR_OUT_OF_MEMORY : LIDO_ERROR_TYPE;
    return lido__model_refuse(session, set->model, category, "column %s cannot be read: it %s", column->name, why);
}

bool lido__read_column(lido_session *session, const lido__set *set, const lido__column *column, const lido_value *value,
                       void *object) {
    const char *why = read_value(column, value, &((lido__unit_of_work *)session->unit)->memory, object);
    return why == NULL || refuse(session, set, column, why);
}

/* ---- Rows that are to become objects: their columns are the plan's ---- */

bool lido__read_keys(lido_session *session, const lido__set *set, const lido_value *row, void *object) {
    const lido__column *columns = set->plan->columns;
    for (size_t i = 0; i < set->plan->key_count; i++) {
        const lido__column *key = set->plan->keys[i];
        if (!lido__read_column(session, set, key, &row[key - columns], object))
            return false;
    }
    return true;
}

bool lido__read_others(lido_session *session, const lido__set *set, const lido_value *row, void *object) {
    lido__arena *memory = &((lido__unit_of_work *)session->unit)->memory;
    const lido__column *columns = set->plan->columns;
    for (size_t i = 0; i < set->plan->column_count; i++) {
        if (columns[i].is_key)
            continue;
        const char *why = read_value(&columns[i], &row[i], memory, object);
        if (why != NULL)
            return refuse(session, set, &columns[i], why);
    }
    return true;
}

/* ---- Any rows: by name ---- */

/* Where in the rows each of the plan's columns is; found once, and kept with the rows. NULL: the session has failed. */
static const size_t *find_places(lido_rows *rows, const lido__set *set) {
    size_t count = set->plan->column_count;
    if (rows->places != NULL && rows->places_of == set->model)
        return rows->places;
    size_t *places = lido__arena_allocate(&rows->result.arena, (count > 0 ? count : 1) * sizeof *places);
    if (places == NULL) {
        lido__unit_out_of_memory(rows->session);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        while (at < rows->result.columns && strcmp(lido_column_name(rows, at), set->plan->columns[i].name) != 0)
            at++;
        if (at == rows->result.columns) {
            lido__model_refuse(rows->session, set->model, LIDO_ERROR_MISUSE,
                               "the rows have no column %s: select all of the model's, or use lido_scan",
                               set->plan->columns[i].name);
            return NULL;
        }
        places[i] = at;
    }
    rows->places = places;
    rows->places_of = set->model;
    return places;
}

/* A stream is being read, so the session is not ready for anything else; but its sets are there to be found. */
static lido__set *set_for_rows(lido_session *session, const lido_model *model) {
    lido_rows *stream = session->stream;
    session->stream = NULL;
    lido__set *set = session->failed ? NULL : lido__set_of(session, model);
    session->stream = stream;
    return set;
}

bool lido_load_object(lido_rows *rows, const lido_model *model, void *object) {
    if (rows == NULL || !lido__session_is_mine(rows->session))
        return false;
    lido_session *session = rows->session;
    const lido__set *set = set_for_rows(session, model);
    if (set == NULL)
        return false;
    if (object == NULL || rows->row == NULL)
        return lido__model_refuse(session, model, LIDO_ERROR_MISUSE, "%s",
                                  object == NULL
                                      ? "the pointer to the struct is NULL"
                                      : "there is no current row: call lido_next first, and heed its answer");
    const size_t *places = find_places(rows, set);
    for (size_t i = 0; places != NULL && i < set->plan->column_count; i++) {
        const lido__column *column = &set->plan->columns[i];
        const char *why =
            convert(column, &rows->row[places[i]], lido__rows_texts(rows), false, (char *)object + column->offset);
        if (why != NULL)
            return refuse(session, set, column, why);
    }
    return places != NULL;
}
