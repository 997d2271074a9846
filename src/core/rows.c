/* Rows as programs read them: stepping, and values by index, by name and into variables. */
#include <lido/rows.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/convert.h"
#include "base/fault.h"
#include "core/session.h"

enum { NAMES_TOLD_MOST = 200 };

/* ---- Whose they are ---- */

lido_rows *lido__rows_new(lido_session *session) {
    lido_rows *rows = session->spare;
    if (rows != NULL) {
        session->spare = rows->next;
    } else {
        rows = calloc(1, sizeof *rows);
        if (rows == NULL) {
            lido__session_refuse(session, LIDO_ERROR_OUT_OF_MEMORY, NULL, "out of memory while making room for rows");
            return NULL;
        }
    }
    rows->result = (lido__result){.arena = rows->result.arena}; /* with a block from its last use */
    rows->session = session;
    rows->next = session->rows;
    rows->previous = NULL;
    rows->row = NULL;
    rows->writes = false;
    rows->places = NULL;
    rows->until = LIDO__NO_DEADLINE;
    if (session->rows != NULL)
        session->rows->previous = rows;
    session->rows = rows;
    return rows;
}

static void rows_unlink(lido_session *session, lido_rows *rows) {
    *(rows->previous != NULL ? &rows->previous->next : &session->rows) = rows->next;
    if (rows->next != NULL)
        rows->next->previous = rows->previous;
}

/* A stream has come to its end: the session can run other statements again. */
static void stream_ended(lido_rows *rows) {
    lido_session *session = rows->session;
    session->stream = NULL;
    if (session->options.autocommit) {
        lido__session_release(session);
        return;
    }
    session->lost = session->lost || session->connection->broken;
    lido__session_pause(session);
}

/* Reading went wrong, or what a stream wrote did. */
static void reading_failed(lido_rows *rows, const lido_error *error) {
    lido_session *session = rows->session;
    if (!session->failed) {
        if (error != &session->error)
            session->error = *error;
        lido__session_fail(session, "reading rows");
    }
    if (session->connection == NULL || rows != session->stream)
        return;
    session->lost = session->lost || (session->begun && !session->connection->in_transaction);
    if (session->options.autocommit && rows->writes && session->connection->broken)
        lido__session_in_doubt(session);
}

static void rows_release(lido_rows *rows) {
    lido_error error;
    if (rows->result.operations == NULL)
        return;
    if (rows->result.connection != NULL) /* no other has anything to say */
        lido__fault_clear(&error);
    if (!rows->result.operations->release(&rows->result, &error))
        reading_failed(rows, &error);
}

void lido__stream_stop(lido_session *session) {
    lido_rows *rows = session->stream;
    if (rows == NULL)
        return;
    rows->row = NULL;
    lido__await_firm_begin();
    rows_release(rows);
    stream_ended(rows);
    lido__await_firm_end();
}

void lido_rows_close(lido_rows *rows) {
    if (rows == NULL || !lido__session_is_mine(rows->session))
        return;
    lido_session *session = rows->session;
    if (session->stream == rows)
        lido__stream_stop(session);
    else
        rows_release(rows);
    rows_unlink(session, rows);
    lido__arena_reset(&rows->result.arena);
    lido__arena_done(&rows->texts);
    rows->next = session->spare;
    session->spare = rows;
}

static void free_list(lido_rows *rows) {
    while (rows != NULL) {
        lido_rows *next = rows->next;
        lido__arena_done(&rows->result.arena);
        lido__arena_done(&rows->texts);
        free(rows);
        rows = next;
    }
}

void lido__rows_close_all(lido_session *session) {
    while (session->rows != NULL)
        lido_rows_close(session->rows);
    if (session->spare == NULL)
        return;
    free_list(session->spare->next);
    session->spare->next = NULL;
}

void lido__rows_free_spare(lido_session *session) {
    free_list(session->spare);
    session->spare = NULL;
}

void lido__rows_forget_all(lido_session *session) {
    for (lido_rows *at = session->rows; at != NULL; at = at->next)
        if (at->result.operations != NULL)
            at->result.operations->forget(&at->result);
    free_list(session->rows);
    session->rows = NULL;
}

/* ---- Stepping ---- */

/* A stream outlasts its transaction's deadline by being read slowly as well as by answering slowly. */
static bool has_time(const lido_rows *rows, lido_error *error) {
    if (rows->until == LIDO__NO_DEADLINE || lido__clock_recent_us() < rows->until)
        return true;
    lido__fault(error, LIDO_ERROR_TIMEOUT, "the transaction was open for longer than transaction_timeout");
    lido__fault_hint(error, "make it shorter, or raise transaction_timeout");
    return false;
}

static bool step(lido_rows *rows, lido_error *error) {
    int stepped = has_time(rows, error) ? rows->result.operations->step(&rows->result, &rows->row, error) : -1;
    if (stepped > 0)
        return true;
    rows->row = NULL;
    if (stepped < 0)
        reading_failed(rows, error);
    if (rows == rows->session->stream)
        lido__stream_stop(rows->session);
    return false;
}

bool lido_next(lido_rows *rows) {
    if (rows == NULL || !lido__session_is_mine(rows->session))
        return false;
    lido_session *session = rows->session;
    rows->row = NULL;
    if (rows->texts.blocks != NULL)
        lido__arena_reset(&rows->texts);
    if (rows->result.operations == NULL || session->failed)
        return false;
    if (session->error.status == LIDO_OK)
        return step(rows, &session->error);
    lido_error error; /* the session's own tells of its last transaction */
    lido__fault_clear(&error);
    return step(rows, &error);
}

/* Some of the rows; where the backend has no shorter way, one. */
static int pour(lido_rows *rows, lido__row_sink *sink, lido_error *error) {
    lido__result *result = &rows->result;
    const lido_value *row;
    if (!has_time(rows, error))
        return -1;
    if (result->operations->pour != NULL)
        return result->operations->pour(result, sink, error);
    int stepped = result->operations->step(result, &row, error);
    return stepped > 0 ? lido__row_sink_take_row(sink, row) : stepped;
}

bool lido__rows_pour(lido_rows *rows, lido__row_sink *sink) {
    lido_session *session = rows->session;
    lido_error error;
    int poured;
    if (rows->result.operations == NULL || session->failed)
        return false;
    lido__fault_clear(&error);
    while ((poured = pour(rows, sink, &error)) > 0)
        continue;
    if (sink->refused)
        return false;
    if (poured < 0)
        reading_failed(rows, &error);
    if (rows == session->stream)
        lido__stream_stop(session);
    return !session->failed;
}

int64_t lido_row_count(const lido_rows *rows) {
    return rows != NULL ? rows->result.row_count : 0;
}

int64_t lido_affected(const lido_rows *rows) {
    return rows != NULL ? rows->result.affected : 0;
}

size_t lido_column_count(const lido_rows *rows) {
    return rows != NULL ? rows->result.columns : 0;
}

const char *lido_column_name(const lido_rows *rows, size_t index) {
    if (rows == NULL || index >= rows->result.columns)
        return NULL;
    return rows->result.operations->column_name(&rows->result, index);
}

/* ---- Values ---- */

/* Where texts are made that no value holds. A stream's go with its row, for it may have more rows than there is
 * memory. */
lido__arena *lido__rows_texts(lido_rows *rows) {
    return rows->result.connection != NULL ? &rows->texts : &rows->result.arena;
}

static bool is_readable(const lido_rows *rows) {
    return rows != NULL && lido__session_is_mine(rows->session);
}

static void refuse_name(lido_rows *rows, const char *name) {
    char names[NAMES_TOLD_MOST + 8] = ""; /* so that the cutting below sees that there was more */
    char told[NAMES_TOLD_MOST];
    size_t used = 0;
    for (size_t i = 0; i < rows->result.columns && used < sizeof names; i++)
        used +=
            (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", lido_column_name(rows, i));
    lido__fault_field(told, sizeof told, names);
    lido__session_refuse_reading(rows->session, LIDO_ERROR_MISUSE, "there is no column \"%s\" among: %s", name, told);
}

size_t lido_column(lido_rows *rows, const char *name) {
    if (!is_readable(rows))
        return SIZE_MAX;
    if (name == NULL)
        lido__session_refuse_reading(rows->session, LIDO_ERROR_MISUSE, "the column's name is NULL");
    for (size_t i = 0; name != NULL && i < rows->result.columns; i++)
        if (strcmp(lido_column_name(rows, i), name) == 0)
            return i;
    if (name != NULL)
        refuse_name(rows, name);
    return SIZE_MAX;
}

/* The current row's value; NULL without one, and then the session has failed, if it is the caller's. */
static const lido_value *value_at(lido_rows *rows, size_t index) {
    if (!is_readable(rows))
        return NULL;
    if (rows->row != NULL && index < rows->result.columns)
        return &rows->row[index];
    if (index == SIZE_MAX) /* what lido_column gave for a name that is not there, and it has said so */
        return NULL;
    if (rows->row == NULL)
        lido__session_refuse_reading(rows->session, LIDO_ERROR_MISUSE,
                                     "there is no current row: call lido_next first, and heed its answer");
    else
        lido__session_refuse_reading(rows->session, LIDO_ERROR_MISUSE, "there is no column %zu: the rows have %zu",
                                     index, rows->result.columns);
    return NULL;
}

lido_value lido_get(lido_rows *rows, size_t index) {
    const lido_value *value = value_at(rows, index);
    return value != NULL ? *value : lido_value_null();
}

bool lido_is_null(lido_rows *rows, size_t index) {
    const lido_value *value = value_at(rows, index);
    return value == NULL || value->kind == LIDO_KIND_NULL;
}

static bool refuse_value(lido_rows *rows, size_t index, const char *wanted, const char *why) {
    const char *name = lido_column_name(rows, index);
    return lido__session_refuse_reading(rows->session, LIDO_ERROR_TYPE, "column %zu (%s) cannot be read as %s: it %s",
                                        index, name != NULL ? name : "", wanted, why);
}

#define GETTER(result_type, name, empty, wanted, ...) \
    result_type name(lido_rows *rows, size_t index) { \
        result_type out = empty; \
        const lido_value *value = value_at(rows, index); \
        const char *why = value != NULL ? __VA_ARGS__ : NULL; \
        if (why != NULL) \
            refuse_value(rows, index, wanted, why); \
        return out; \
    }

GETTER(bool, lido_get_bool, false, "a bool", lido__convert_bool(value, &out))
GETTER(int64_t, lido_get_int64, 0, "an integer", lido__convert_int64(value, &out))
GETTER(double, lido_get_double, 0, "a double", lido__convert_double(value, &out))
GETTER(lido_uuid, lido_get_uuid, {{0}}, "a uuid", lido__convert_uuid(value, &out))
GETTER(lido_time, lido_get_time, {0}, "a time", lido__convert_time(value, &out))
GETTER(const char *, lido_get_text, NULL, "text", lido__convert_text(value, lido__rows_texts(rows), &out))
GETTER(lido_bytes, lido_get_blob, {0}, "a blob", lido__convert_bytes(value, &out))

static const char *target_name(lido_target_kind kind) {
    static const char *const names[] = {
        [LIDO_TARGET_BOOL] = "a bool",
        [LIDO_TARGET_SIGNED_CHAR] = "a signed char",
        [LIDO_TARGET_UNSIGNED_CHAR] = "an unsigned char",
        [LIDO_TARGET_SHORT] = "a short",
        [LIDO_TARGET_UNSIGNED_SHORT] = "an unsigned short",
        [LIDO_TARGET_INT] = "an int",
        [LIDO_TARGET_UNSIGNED] = "an unsigned",
        [LIDO_TARGET_LONG] = "a long",
        [LIDO_TARGET_UNSIGNED_LONG] = "an unsigned long",
        [LIDO_TARGET_LONG_LONG] = "a long long",
        [LIDO_TARGET_UNSIGNED_LONG_LONG] = "an unsigned long long",
        [LIDO_TARGET_FLOAT] = "a float",
        [LIDO_TARGET_DOUBLE] = "a double",
        [LIDO_TARGET_TEXT] = "text",
        [LIDO_TARGET_UUID] = "a uuid",
        [LIDO_TARGET_TIME] = "a time",
        [LIDO_TARGET_BYTES] = "a blob",
        [LIDO_TARGET_JSON] = "json",
        [LIDO_TARGET_NUMERIC] = "a numeric",
        [LIDO_TARGET_VALUE] = "a value",
    };
    return names[lido__target_base(kind)];
}

/* Other languages make targets without the macro. */
static bool check_target(lido_rows *rows, size_t index, const lido_target *target) {
    if (lido__target_size(target->kind) == 0)
        return lido__session_refuse_reading(rows->session, LIDO_ERROR_MISUSE,
                                            "target %zu of lido_scan is of the unknown kind %d", index,
                                            (int)target->kind);
    return target->pointer != NULL || lido__session_refuse_reading(rows->session, LIDO_ERROR_MISUSE,
                                                                   "target %zu of lido_scan is a NULL pointer", index);
}

/* Most often the variable has just the type that the value has. */
static inline bool take_as_it_is(const lido_value *value, const lido_target *target) {
    bool wide = target->kind == LIDO_TARGET_LONG_LONG ||
                (target->kind == LIDO_TARGET_LONG && sizeof(long) == sizeof(long long));
    if (value->kind == LIDO_KIND_INT64 && wide)
        memcpy(target->pointer, &value->as.integer, sizeof value->as.integer);
    else if (value->kind == LIDO_KIND_DOUBLE && target->kind == LIDO_TARGET_DOUBLE)
        *(double *)target->pointer = value->as.real;
    else
        return false;
    return true;
}

bool lido_scanv(lido_rows *rows, size_t count, const lido_target *targets) {
    if (value_at(rows, 0) == NULL)
        return false;
    if (count != rows->result.columns)
        return lido__session_refuse_reading(rows->session, LIDO_ERROR_MISUSE,
                                            "the rows have %zu columns and lido_scan got %zu targets",
                                            rows->result.columns, count);
    if (targets == NULL)
        return lido__session_refuse_reading(rows->session, LIDO_ERROR_MISUSE, "the pointer to the targets is NULL");
    for (size_t i = 0; i < count; i++) {
        if (!check_target(rows, i, &targets[i]))
            return false;
        if (take_as_it_is(&rows->row[i], &targets[i]))
            continue;
        const char *why = lido__convert_target(&rows->row[i], lido__rows_texts(rows), &targets[i]);
        if (why != NULL)
            return refuse_value(rows, i, target_name(targets[i].kind), why);
    }
    return true;
}
