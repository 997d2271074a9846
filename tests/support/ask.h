/* Asking SQLite and PostgreSQL the same questions, and writing their answers so that they can be compared. */
#ifndef TESTS_SUPPORT_ASK_H
#define TESTS_SUPPORT_ASK_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lido.h>

enum { ANSWER_SIZE = 4096 };

/* An engine with one connection, and a session in autocommit mode on it. */
typedef struct asked {
    lido_engine *engine;
    lido_session *session;
} asked;

/* NULL engine: it did not open. */
static inline asked ask_open(const char *url) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 1;
    options.max_overflow = 0;
    lido_error error = LIDO_ERROR_INIT;
    asked database = {lido_engine_open(url, &options, &error), NULL};
    if (database.engine == NULL) {
        lido_error_print(&error, stderr);
        return database;
    }
    database.session = lido_session_open(database.engine, &(lido_session_options){.autocommit = true});
    return database;
}

static inline void ask_close(asked *database) {
    lido_session_close(database->session);
    lido_engine_close(database->engine);
}

/* Numbers are alike if their values are, whatever their types; true is 1. */
static inline void write_number(double number, char *answer) {
    if (number == floor(number) && fabs(number) < 1e15)
        snprintf(answer, ANSWER_SIZE, "%.0f", number == 0 ? 0.0 : number);
    else
        snprintf(answer, ANSWER_SIZE, "%.15g", number);
}

static inline void write_bytes(lido_bytes bytes, char *answer) {
    size_t written = (size_t)snprintf(answer, ANSWER_SIZE, "bytes ");
    for (size_t i = 0; i < bytes.size && written + 3 < ANSWER_SIZE; i++)
        written +=
            (size_t)snprintf(answer + written, ANSWER_SIZE - written, "%02x", ((const unsigned char *)bytes.data)[i]);
}

static inline void write_value(lido_rows *rows, char *answer) {
    lido_value value = lido_get(rows, 0);
    switch (value.kind) {
    case LIDO_KIND_NULL:
        snprintf(answer, ANSWER_SIZE, "NULL");
        return;
    case LIDO_KIND_BOOL:
        snprintf(answer, ANSWER_SIZE, "%d", value.as.boolean);
        return;
    case LIDO_KIND_INT64:
        snprintf(answer, ANSWER_SIZE, "%lld", (long long)value.as.integer);
        return;
    case LIDO_KIND_DOUBLE:
        write_number(value.as.real, answer);
        return;
    case LIDO_KIND_NUMERIC:
        if (strspn(value.as.text, "-0123456789") == value.size && value.size < 19)
            snprintf(answer, ANSWER_SIZE, "%s", value.as.text);
        else
            write_number(strtod(value.as.text, NULL), answer);
        return;
    case LIDO_KIND_BLOB:
        write_bytes(lido_get_blob(rows, 0), answer);
        return;
    default:
        snprintf(answer, ANSWER_SIZE, "\"%s\"", lido_get_text(rows, 0));
    }
}

/* What the rows, which may be NULL, say: their first value, or "error". Closes them. */
static inline void write_answer(const asked *database, lido_rows *rows, char *answer) {
    if (lido_next(rows))
        write_value(rows, answer);
    else
        snprintf(answer, ANSWER_SIZE, lido_failed(database->session) ? "error" : "nothing");
    lido_rows_close(rows);
}

/* The answer to "SELECT question". */
static inline void ask(const asked *database, const char *question, char *answer) {
    char sql[2 * ANSWER_SIZE];
    snprintf(sql, sizeof sql, "SELECT %s", question);
    write_answer(database, lido_query(database->session, sql), answer);
}

#endif
