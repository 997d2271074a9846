/* Parameters into SQLite, rows out of it.
 *
 * SQLite stores five types; the others are told apart by what the column was declared to hold: a BOOLEAN column's 1
 * is true, a UUID column's text is a uuid. What does not have the form stays as it was stored. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/sqlite/sqlite.h"
#include "base/convert.h"
#include "base/fault.h"

/* ---- Parameters ---- */

static bool refuse_number(int number, const char *what, lido_error *error) {
    lido__fault(error, LIDO_ERROR_TYPE, "parameter %d is %s, which SQLite cannot hold", number, what);
    return false;
}

/* Texts made here are copied by SQLite; others are borrowed until the statement is finished. They stay bound, though
 * they may be gone: SQLite looks at them only in a step, and before the next one all parameters are bound anew. */
static int bind_one(sqlite3_stmt *statement, int number, const lido_value *value) {
    char text[40];
    switch (value->kind) {
    case LIDO_KIND_BOOL:
        return sqlite3_bind_int(statement, number, value->as.boolean);
    case LIDO_KIND_INT64:
        return sqlite3_bind_int64(statement, number, value->as.integer);
    case LIDO_KIND_DOUBLE:
        return sqlite3_bind_double(statement, number, value->as.real);
    case LIDO_KIND_TEXT:
    case LIDO_KIND_JSON:
    case LIDO_KIND_NUMERIC:
        return sqlite3_bind_text64(statement, number, value->as.text, value->size, SQLITE_STATIC, SQLITE_UTF8);
    case LIDO_KIND_BLOB:
        return sqlite3_bind_blob64(statement, number, value->as.blob, value->size, SQLITE_STATIC);
    case LIDO_KIND_UUID:
        lido_uuid_format(value->as.uuid, text);
        return sqlite3_bind_text(statement, number, text, 36, SQLITE_TRANSIENT);
    case LIDO_KIND_TIME:
        lido_time_format(value->as.time, text);
        return sqlite3_bind_text(statement, number, text, -1, SQLITE_TRANSIENT);
    case LIDO_KIND_NULL:
    case LIDO_KIND_INVALID:
        break;
    }
    return sqlite3_bind_null(statement, number);
}

bool lido__sqlite_bind(sqlite_connection *connection, sqlite_statement *statement, size_t count,
                       const lido_value *values, lido_error *error) {
    for (size_t i = 0; i < count; i++) {
        const lido_value *value = &values[i];
        int number = (int)i + 1;
        if (value->kind == LIDO_KIND_DOUBLE && value->as.real != value->as.real)
            return refuse_number(number, "NaN", error); /* SQLite would silently store NULL */
        int code = bind_one(statement->handle, number, value);
        if (code != SQLITE_OK)
            return lido__sqlite_fault(connection, code, false, error);
    }
    return true;
}

/* ---- Rows ---- */

static lido_kind kind_of_declaration(const char *declared) {
    static const struct {
        const char *begins;
        lido_kind kind;
    } known[] = {{"BOOL", LIDO_KIND_BOOL},      {"UUID", LIDO_KIND_UUID}, {"TIMESTAMP", LIDO_KIND_TIME},
                 {"DATETIME", LIDO_KIND_TIME},  {"JSON", LIDO_KIND_JSON}, {"NUMERIC", LIDO_KIND_NUMERIC},
                 {"DECIMAL", LIDO_KIND_NUMERIC}};
    for (size_t i = 0; declared != NULL && i < sizeof known / sizeof known[0]; i++)
        if (strncasecmp(declared, known[i].begins, strlen(known[i].begins)) == 0)
            return known[i].kind;
    return LIDO_KIND_NULL;
}

static bool read_names(sqlite_statement *statement, int columns) {
    lido__buffer names = LIDO__BUFFER_INIT;
    bool read = true;
    for (int i = 0; read && i < columns; i++) {
        const char *name = sqlite3_column_name(statement->handle, i);
        read = name != NULL;
        if (read)
            lido__buffer_append(&names, name, strlen(name) + 1);
    }
    if (!read || names.out_of_memory) {
        lido__buffer_done(&names);
        return false;
    }
    free(statement->names);
    statement->names = names.data;
    statement->names_size = names.size;
    return true;
}

bool lido__sqlite_read_columns(sqlite_statement *statement) {
    int reprepared = sqlite3_stmt_status(statement->handle, SQLITE_STMTSTATUS_REPREPARE, 0);
    if (statement->kinds != NULL && reprepared == statement->reprepared)
        return true;
    int columns = sqlite3_column_count(statement->handle);
    lido_kind *kinds = realloc(statement->kinds, sizeof *kinds * (size_t)(columns > 0 ? columns : 1));
    if (kinds == NULL)
        return false;
    for (int i = 0; i < columns; i++)
        kinds[i] = kind_of_declaration(sqlite3_column_decltype(statement->handle, i));
    statement->kinds = kinds;
    statement->columns = columns;
    statement->reprepared = reprepared;
    if (read_names(statement, columns))
        return true;
    statement->reprepared = -1; /* read them again next time */
    return false;
}

static bool take_bytes(lido_value *value, const void *bytes, int size, lido__arena *arena, bool copy) {
    value->size = (size_t)size;
    value->as.text = copy ? lido__arena_copy(arena, bytes, (size_t)size) : bytes;
    if (value->as.text == NULL)
        value->as.text = size == 0 ? "" : NULL;
    return value->as.text != NULL;
}

static bool text_is(lido_kind kind, const char *text) {
    lido_uuid uuid;
    lido_time time;
    return (kind == LIDO_KIND_UUID && lido_uuid_parse(text, &uuid)) ||
           (kind == LIDO_KIND_TIME && lido_time_parse(text, &time)) || kind == LIDO_KIND_JSON;
}

/* A text that is a number is stored as the number in columns of these types. JSON has no infinite ones. */
static bool number_is(lido_kind kind, const lido_value *value) {
    if (value->kind == LIDO_KIND_DOUBLE)
        return kind == LIDO_KIND_NUMERIC || (kind == LIDO_KIND_JSON && isfinite(value->as.real));
    return value->kind == LIDO_KIND_INT64 && (kind == LIDO_KIND_NUMERIC || kind == LIDO_KIND_JSON);
}

/* Makes of a stored value what its column was declared to hold, if it has that form. */
static bool read_as_declared(lido_value *value, lido_kind kind, lido__arena *arena) {
    if (value->kind == LIDO_KIND_INT64 && kind == LIDO_KIND_BOOL && (value->as.integer | 1) == 1) {
        *value = lido_value_bool(value->as.integer != 0);
    } else if (number_is(kind, value)) {
        const char *text;
        if (lido__convert_text(value, arena, &text) != NULL)
            return false;
        *value = lido_value_text(text);
        value->kind = kind;
    } else if (value->kind == LIDO_KIND_TEXT && text_is(kind, value->as.text)) {
        const char *text = value->as.text;
        value->kind = kind;
        if (kind == LIDO_KIND_UUID)
            lido_uuid_parse(text, &value->as.uuid);
        else if (kind == LIDO_KIND_TIME)
            lido_time_parse(text, &value->as.time);
    }
    return true;
}

bool lido__sqlite_read_field(const sqlite_statement *statement, int column, lido__arena *arena, bool copy,
                             lido_value *value) {
    /* Asked for once: each sqlite3_column_ call looks the column up again. An unprotected value is safe to read here,
     * for a connection has one user at a time. */
    sqlite3_value *stored = sqlite3_column_value(statement->handle, column);
    lido_kind kind = statement->kinds[column];
    *value = lido_value_null();
    switch (sqlite3_value_type(stored)) {
    case SQLITE_INTEGER:
        value->kind = LIDO_KIND_INT64;
        value->as.integer = sqlite3_value_int64(stored);
        break;
    case SQLITE_FLOAT:
        value->kind = LIDO_KIND_DOUBLE;
        value->as.real = sqlite3_value_double(stored);
        break;
    case SQLITE_TEXT: {
        value->kind = LIDO_KIND_TEXT;
        const void *text = sqlite3_value_text(stored); /* before its size is asked for: it may be converted */
        if (text == NULL || !take_bytes(value, text, sqlite3_value_bytes(stored), arena, copy))
            return false;
        break;
    }
    case SQLITE_BLOB: {
        value->kind = LIDO_KIND_BLOB;
        const void *blob = sqlite3_value_blob(stored);
        return take_bytes(value, blob, sqlite3_value_bytes(stored), arena, copy);
    }
    default:
        return true;
    }
    return kind == LIDO_KIND_NULL || read_as_declared(value, kind, arena);
}

bool lido__sqlite_read_row(const sqlite_statement *statement, lido__arena *arena, bool copy, lido_value *values) {
    for (int i = 0; i < statement->columns; i++)
        if (!lido__sqlite_read_field(statement, i, arena, copy, &values[i]))
            return false;
    return true;
}
