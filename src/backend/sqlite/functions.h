/* The functions that lido brings to SQLite: what their files share.
 *
 * functions.c registers them and reads their arguments; text.c, compare.c, moment.c, digest.c and cast.c are
 * PostgreSQL's functions; regexp.c searches; user.c calls the program's own.
 *
 * Arguments are taken as PostgreSQL takes parameters, which come to it as texts: a number is a text where a text is
 * wanted, and a text that is a whole number is one. */
#ifndef LIDO_BACKEND_SQLITE_FUNCTIONS_H
#define LIDO_BACKEND_SQLITE_FUNCTIONS_H

#include "backend/sqlite/sqlite.h"
#include "base/convert.h"

typedef void sqlite_function(sqlite3_context *context, int count, sqlite3_value **arguments);
typedef void sqlite_finish(sqlite3_context *context);

/* A row of a file's table of functions. */
typedef struct function_row {
    const char *name; /* NULL ends the table */
    int least;        /* arguments */
    int most;         /* -1: any number */
    bool varies;      /* the same arguments may give another result */
    sqlite_function *call;
    sqlite_finish *finish; /* of aggregates; then `call` takes a row in, */
    sqlite_finish *value;  /* this tells the result so far, */
    sqlite_function *drop; /* and this takes the oldest row out again */
} function_row;

extern const function_row lido__sqlite_regexp_functions[];
extern const function_row lido__sqlite_text_functions[];
extern const function_row lido__sqlite_compare_functions[];
extern const function_row lido__sqlite_moment_functions[];
extern const function_row lido__sqlite_digest_functions[];
extern const function_row lido__sqlite_cast_functions[];

/* What a function finds as its user data: lives as long as its connection. */
typedef struct bound_function {
    sqlite_connection *connection;
    const function_row *row;
} bound_function;

static inline sqlite_connection *function_connection(sqlite3_context *context) {
    const bound_function *function = sqlite3_user_data(context);
    return function->connection;
}

static inline const char *function_name(sqlite3_context *context) {
    const bound_function *function = sqlite3_user_data(context);
    return function->row->name;
}

/* An argument as text. Must not be copied: `bytes` may point into it. */
typedef struct function_text {
    const char *bytes; /* UTF-8 as a rule; SQLite stores anything; not terminated */
    size_t size;
    char number[LIDO__DOUBLE_TEXT_SIZE];
} function_text;

/* Each returns false, and the function has failed, if the argument is not what is wanted. NULL arguments are for the
 * caller to look at first. */
bool lido__function_text(sqlite3_context *context, sqlite3_value *argument, function_text *text);
bool lido__function_integer(sqlite3_context *context, sqlite3_value *argument, int *integer);

/* A value as PostgreSQL would write it as a text: a blob as "\x…", in hexadecimal. */
void lido__function_append(lido__buffer *buffer, sqlite3_value *value);

/* Whether one is NULL: then the result of most functions is. */
bool lido__function_any_null(int count, sqlite3_value **arguments);

/* Makes the function, and with it the statement, fail: the message begins with the function's name. Returns false. */
bool lido__function_fail(sqlite3_context *context, lido_category category, const char *sqlstate, const char *format,
                         ...) LIDO_FORMAT(4, 5);
/* The same for a text that is none of a type's. */
bool lido__function_refuse(sqlite3_context *context, const char *type, const char *text, size_t size);
bool lido__function_out_of_memory(sqlite3_context *context);

/* The buffer's text as the result, and the buffer's end. */
void lido__function_give(sqlite3_context *context, lido__buffer *buffer);
void lido__function_give_text(sqlite3_context *context, const char *text, size_t size);

/* Whether a result of so many bytes is too large for SQLite; then the function has failed. */
bool lido__function_too_big(sqlite3_context *context, uint64_t size);

/* Registers all; an SQLite code. */
int lido__sqlite_register_functions(sqlite_connection *connection);

/* Reads PostgreSQL's form of a blob as text: "\x00ff", or bytes with "\\" and "\ooo". False if it is none; memory that
 * ran out shows in the buffer. */
bool lido__function_read_bytes(const char *text, size_t size, lido__buffer *buffer);

#endif
