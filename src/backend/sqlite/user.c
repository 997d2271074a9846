/* The program's own functions: lido's values in and out. */
#include <lido/function.h>

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "backend/sqlite/functions.h"
#include "base/fault.h"

enum { MESSAGE_SIZE = 400, ARGUMENTS_MOST = 127 };

struct lido_call {
    sqlite3_context *context;
    const lido_function *function;
    lido__arena arena;
    bool failed;
};

/* ---- What functions call ---- */

lido_value lido_function_fail(lido_call *call, const char *format, ...) {
    char message[MESSAGE_SIZE];
    int size = snprintf(message, sizeof message, "%.*s: ", MESSAGE_SIZE / 2, call->function->name);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message + size, sizeof message - (size_t)size, format, arguments);
    va_end(arguments);
    if (!call->failed)
        sqlite3_result_error(call->context, message, -1);
    call->failed = true;
    return lido_value_null();
}

static void out_of_memory(lido_call *call) {
    if (!call->failed)
        sqlite3_result_error_nomem(call->context);
    call->failed = true;
}

void *lido_function_allocate(lido_call *call, size_t size) {
    void *memory = lido__arena_allocate(&call->arena, size);
    if (memory == NULL)
        out_of_memory(call);
    return memory;
}

/* ---- Calling them ---- */

/* False if memory ran out. */
static bool read_argument(sqlite3_value *argument, lido_value *value) {
    *value = lido_value_null();
    switch (sqlite3_value_type(argument)) {
    case SQLITE_INTEGER:
        *value = lido_value_int64(sqlite3_value_int64(argument));
        return true;
    case SQLITE_FLOAT:
        *value = lido_value_double(sqlite3_value_double(argument));
        return true;
    case SQLITE_TEXT: {
        const char *text = (const char *)sqlite3_value_text(argument);
        *value = lido_value_text_sized(text, (size_t)sqlite3_value_bytes(argument));
        return text != NULL;
    }
    case SQLITE_BLOB: {
        const void *blob = sqlite3_value_blob(argument);
        *value = lido_value_bytes(lido_blob(blob, (size_t)sqlite3_value_bytes(argument)));
        return value->kind == LIDO_KIND_BLOB;
    }
    default:
        return true;
    }
}

static void refuse_count(lido_call *call, int count) {
    const lido_function *function = call->function;
    if (function->most < 0)
        lido_function_fail(call, "it takes at least %d arguments and got %d", function->least, count);
    else
        lido_function_fail(call, "it takes %d to %d arguments and got %d", function->least, function->most, count);
}

static bool read_arguments(lido_call *call, int count, sqlite3_value **arguments, lido_value *values) {
    if (count < call->function->least || (call->function->most >= 0 && count > call->function->most)) {
        refuse_count(call, count);
        return false;
    }
    bool read = true;
    for (int i = 0; read && i < count; i++)
        read = read_argument(arguments[i], &values[i]);
    if (!read)
        out_of_memory(call);
    return read;
}

static void give_text(lido_call *call, const char *text, size_t size) {
    if (lido__utf8_valid(text, size))
        lido__function_give_text(call->context, text, size);
    else
        lido_function_fail(call, "its result is a text that is not UTF-8");
}

static void give(lido_call *call, const lido_value *value) {
    char text[40];
    if (call->failed)
        return;
    switch (value->kind) {
    case LIDO_KIND_NULL:
        return;
    case LIDO_KIND_BOOL:
        sqlite3_result_int(call->context, value->as.boolean);
        return;
    case LIDO_KIND_INT64:
        sqlite3_result_int64(call->context, value->as.integer);
        return;
    case LIDO_KIND_DOUBLE:
        if (isnan(value->as.real)) /* SQLite would make NULL of it */
            lido_function_fail(call, "its result is NaN, which SQLite cannot hold");
        else
            sqlite3_result_double(call->context, value->as.real);
        return;
    case LIDO_KIND_TEXT:
    case LIDO_KIND_JSON:
    case LIDO_KIND_NUMERIC:
        give_text(call, value->as.text, value->size);
        return;
    case LIDO_KIND_BLOB:
        sqlite3_result_blob64(call->context, value->as.blob, value->size, SQLITE_TRANSIENT);
        return;
    case LIDO_KIND_UUID:
        lido_uuid_format(value->as.uuid, text);
        lido__function_give_text(call->context, text, strlen(text));
        return;
    case LIDO_KIND_TIME:
        lido_time_format(value->as.time, text);
        lido__function_give_text(call->context, text, strlen(text));
        return;
    case LIDO_KIND_INVALID:
        lido_function_fail(call, "its result: %s", value->as.text);
        return;
    }
    lido_function_fail(call, "its result is no value: it is of the unknown kind %d", (int)value->kind);
}

static lido_call begin(sqlite3_context *context) {
    return (lido_call){.context = context, .function = sqlite3_user_data(context), .arena = LIDO__ARENA_INIT};
}

static void call_scalar(sqlite3_context *context, int count, sqlite3_value **arguments) {
    lido_value values[ARGUMENTS_MOST];
    lido_call call = begin(context);
    if (read_arguments(&call, count, arguments, values)) {
        lido_value value = call.function->scalar(&call, (size_t)count, values, call.function->user);
        give(&call, &value);
    }
    lido__arena_done(&call.arena);
}

/* The group's, zero at its start; SQLite frees it. A state without bytes has an address all the same. */
static void *state_of(lido_call *call) {
    size_t size = call->function->state_size;
    void *state = sqlite3_aggregate_context(call->context, size > 0 ? (int)size : 1);
    if (state == NULL)
        out_of_memory(call);
    return state;
}

static void call_step(sqlite3_context *context, int count, sqlite3_value **arguments) {
    lido_value values[ARGUMENTS_MOST];
    lido_call call = begin(context);
    void *state = state_of(&call);
    if (state != NULL && read_arguments(&call, count, arguments, values))
        call.function->step(&call, state, (size_t)count, values, call.function->user);
    lido__arena_done(&call.arena);
}

static void call_finish(sqlite3_context *context) {
    lido_call call = begin(context);
    void *state = state_of(&call);
    if (state != NULL) {
        lido_value value = call.function->finish(&call, state, call.function->user);
        give(&call, &value);
    }
    lido__arena_done(&call.arena);
}

/* ---- Registering them ---- */

static int register_one(sqlite3 *handle, const lido_function *function) {
    int count = function->least == function->most ? function->most : -1;
    int flags = SQLITE_UTF8 | (function->deterministic ? SQLITE_DETERMINISTIC : 0);
    void *user = (void *)(uintptr_t)function; /* which is never written to */
    if (function->scalar != NULL)
        return sqlite3_create_function_v2(handle, function->name, count, flags, user, call_scalar, NULL, NULL, NULL);
    return sqlite3_create_function_v2(handle, function->name, count, flags, user, NULL, call_step, call_finish, NULL);
}

bool lido__sqlite_register_new(sqlite_connection *connection, lido_error *error) {
    const lido__function *newest = atomic_load_explicit(&connection->base.functions->newest, memory_order_acquire);
    for (const lido__function *at = newest; at != connection->registered; at = at->older) {
        int code = register_one(connection->handle, &at->definition);
        if (code != SQLITE_OK)
            return lido__sqlite_fault(connection, code, false, error);
    }
    connection->registered = newest;
    return true;
}
