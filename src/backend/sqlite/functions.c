/* Registering functions, and what they have in common. */
#include "backend/sqlite/functions.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"

#define CAST_PREFIX "lido_cast_" /* of what stands behind x::type */

enum { SHOWN_SIZE_MOST = 48, MESSAGE_SIZE = 400 };

static const function_row *const tables[] = {lido__sqlite_regexp_functions,  lido__sqlite_text_functions,
                                             lido__sqlite_compare_functions, lido__sqlite_moment_functions,
                                             lido__sqlite_digest_functions,  lido__sqlite_cast_functions};

enum { TABLE_COUNT = sizeof tables / sizeof tables[0] };

/* ---- Registering ---- */

static size_t count_rows(void) {
    size_t count = 0;
    for (size_t i = 0; i < TABLE_COUNT; i++)
        for (const function_row *row = tables[i]; row->name != NULL; row++)
            count++;
    return count;
}

static int register_row(sqlite3 *handle, bound_function *function) {
    const function_row *row = function->row;
    int flags = SQLITE_UTF8 | SQLITE_INNOCUOUS | (row->varies ? 0 : SQLITE_DETERMINISTIC);
    int code = SQLITE_OK;
    for (int count = row->most < 0 ? -1 : row->least; code == SQLITE_OK && count <= row->most; count++)
        code = row->finish != NULL
                   ? sqlite3_create_window_function(handle, row->name, count, flags, function, row->call, row->finish,
                                                    row->value, row->drop, NULL)
                   : sqlite3_create_function_v2(handle, row->name, count, flags, function, row->call, NULL, NULL, NULL);
    return code;
}

int lido__sqlite_register_functions(sqlite_connection *connection) {
    bound_function *function = calloc(count_rows(), sizeof *function);
    int code = function != NULL ? SQLITE_OK : SQLITE_NOMEM;
    connection->functions = function;
    for (size_t i = 0; code == SQLITE_OK && i < TABLE_COUNT; i++)
        for (const function_row *row = tables[i]; code == SQLITE_OK && row->name != NULL; row++) {
            *function = (bound_function){connection, row};
            code = register_row(connection->handle, function++);
        }
    return code;
}

/* ---- Errors ---- */

bool lido__function_fail(sqlite3_context *context, lido_category category, const char *sqlstate, const char *format,
                         ...) {
    char message[MESSAGE_SIZE];
    sqlite_connection *connection = function_connection(context);
    const char *name = function_name(context);
    name = strcmp(name, "regexp") == 0 ? "REGEXP" : name;
    const char *type = strncmp(name, CAST_PREFIX, strlen(CAST_PREFIX)) == 0 ? name + strlen(CAST_PREFIX) : NULL;
    int size = snprintf(message, sizeof message, "%s%s: ", type != NULL ? "::" : "", type != NULL ? type : name);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message + size, sizeof message - (size_t)size, format, arguments);
    va_end(arguments);
    connection->function_category = category;
    connection->function_sqlstate = sqlstate;
    sqlite3_result_error(context, message, -1);
    return false;
}

bool lido__function_refuse(sqlite3_context *context, const char *type, const char *text, size_t size) {
    size_t shown = lido__utf8_cut(text, size < SHOWN_SIZE_MOST ? size : SHOWN_SIZE_MOST);
    return lido__function_fail(context, LIDO_ERROR_TYPE, "22P02", "\"%.*s%s\" is no %s", (int)shown, text,
                               shown < size ? "…" : "", type);
}

bool lido__function_out_of_memory(sqlite3_context *context) {
    sqlite3_result_error_nomem(context);
    return false;
}

bool lido__function_too_big(sqlite3_context *context, uint64_t size) {
    sqlite3 *handle = sqlite3_context_db_handle(context);
    if (size <= (uint64_t)sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, -1))
        return false;
    sqlite3_result_error_toobig(context);
    return true;
}

/* ---- Arguments ---- */

bool lido__function_any_null(int count, sqlite3_value **arguments) {
    for (int i = 0; i < count; i++)
        if (sqlite3_value_type(arguments[i]) == SQLITE_NULL)
            return true;
    return false;
}

bool lido__function_text(sqlite3_context *context, sqlite3_value *argument, function_text *text) {
    text->bytes = text->number;
    switch (sqlite3_value_type(argument)) {
    case SQLITE_INTEGER:
        text->size = lido__int64_format(sqlite3_value_int64(argument), text->number);
        return true;
    case SQLITE_FLOAT:
        text->size = lido__double_format(sqlite3_value_double(argument), text->number);
        return true;
    case SQLITE_TEXT:
        text->bytes = (const char *)sqlite3_value_text(argument);
        text->size = (size_t)sqlite3_value_bytes(argument);
        return text->bytes != NULL || lido__function_out_of_memory(context);
    default:
        return lido__function_fail(context, LIDO_ERROR_TYPE, "42883", "an argument is a blob, and a text is wanted");
    }
}

/* As PostgreSQL's type integer is read: with blanks around it. */
static bool read_integer(sqlite3_value *argument, int64_t *integer) {
    const char *text = (const char *)sqlite3_value_text(argument);
    size_t size = (size_t)sqlite3_value_bytes(argument);
    while (text != NULL && size > 0 && strchr(" \t\n\v\f\r", text[size - 1]) != NULL)
        size--;
    while (size > 0 && strchr(" \t\n\v\f\r", *text) != NULL) {
        text++;
        size--;
    }
    if (size > 1 && text[0] == '+' && text[1] != '-') {
        text++;
        size--;
    }
    return size > 0 && lido__int64_parse(text, size, integer);
}

bool lido__function_integer(sqlite3_context *context, sqlite3_value *argument, int *integer) {
    int64_t whole = 0;
    double real = 0;
    switch (sqlite3_value_type(argument)) {
    case SQLITE_INTEGER:
        whole = sqlite3_value_int64(argument);
        break;
    case SQLITE_FLOAT:
        real = sqlite3_value_double(argument);
        if (real != floor(real))
            return lido__function_fail(context, LIDO_ERROR_TYPE, "42883", "an argument is no whole number");
        whole = fabs(real) < 1e10 ? (int64_t)real : INT64_MAX;
        break;
    case SQLITE_TEXT:
        if (!read_integer(argument, &whole))
            return lido__function_refuse(context, "integer", (const char *)sqlite3_value_text(argument),
                                         (size_t)sqlite3_value_bytes(argument));
        break;
    default:
        return lido__function_fail(context, LIDO_ERROR_TYPE, "42883", "an argument is a blob, and a number is wanted");
    }
    *integer = (int)whole;
    if (whole >= INT32_MIN && whole <= INT32_MAX)
        return true;
    return lido__function_fail(context, LIDO_ERROR_TYPE, "22003", "an argument is out of the range of integer");
}

static void append_hexadecimal(lido__buffer *buffer, const unsigned char *bytes, size_t size) {
    static const char digits[] = "0123456789abcdef";
    lido__buffer_text(buffer, "\\x");
    for (size_t i = 0; i < size; i++)
        lido__buffer_append(buffer, (const char[]){digits[bytes[i] >> 4], digits[bytes[i] & 15]}, 2);
}

void lido__function_append(lido__buffer *buffer, sqlite3_value *value) {
    char number[LIDO__DOUBLE_TEXT_SIZE];
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        lido__buffer_append(buffer, number, lido__int64_format(sqlite3_value_int64(value), number));
        break;
    case SQLITE_FLOAT:
        lido__buffer_append(buffer, number, lido__double_format(sqlite3_value_double(value), number));
        break;
    case SQLITE_TEXT: {
        const unsigned char *text = sqlite3_value_text(value);
        buffer->out_of_memory = buffer->out_of_memory || text == NULL;
        lido__buffer_append(buffer, text, (size_t)sqlite3_value_bytes(value));
        break;
    }
    case SQLITE_BLOB: {
        const unsigned char *blob = sqlite3_value_blob(value);
        append_hexadecimal(buffer, blob, (size_t)sqlite3_value_bytes(value));
        break;
    }
    default:
        break;
    }
}

/* ---- Results ---- */

void lido__function_give(sqlite3_context *context, lido__buffer *buffer) {
    if (buffer->out_of_memory) {
        sqlite3_result_error_nomem(context);
        lido__buffer_done(buffer);
    } else if (buffer->data == NULL) {
        sqlite3_result_text(context, "", 0, SQLITE_STATIC);
    } else {
        sqlite3_result_text64(context, buffer->data, buffer->size, free, SQLITE_UTF8);
    }
}

void lido__function_give_text(sqlite3_context *context, const char *text, size_t size) {
    sqlite3_result_text64(context, text, size, SQLITE_TRANSIENT, SQLITE_UTF8);
}
