/* Values into structs: one column's, and rows of any query by the columns' names. */
#include <string.h>

#include "base/convert.h"
#include "model/unit.h"

/* ---- One value ---- */

bool lido__read_refuse(lido_session *session, const lido__set *set, const lido__column *column, const char *why) {
    lido_category category = why == lido__convert_no_memory ? LIDO_ERROR_OUT_OF_MEMORY : LIDO_ERROR_TYPE;
    return lido__model_refuse(session, set->model, category, "column %s cannot be read: it %s", column->name, why);
}

bool lido__read_column(lido_session *session, const lido__set *set, const lido__column *column, const lido_value *value,
                       void *object) {
    const lido__row_member to = {.kind = column->kind, .may_be_null = column->may_be_null, .offset = column->offset};
    lido__arena *memory = &((lido__unit_of_work *)session->unit)->memory;
    const char *why = lido__row_member_take(&to, value, memory, object);
    return why == NULL || lido__read_refuse(session, set, column, why);
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
        const lido__row_member to = {column->kind, column->may_be_null, column->offset};
        const char *why = lido__row_member_borrow(&to, &rows->row[places[i]], lido__rows_texts(rows), object);
        if (why != NULL)
            return lido__read_refuse(session, set, column, why);
    }
    return places != NULL;
}
