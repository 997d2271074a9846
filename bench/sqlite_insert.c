/* sqlite-insert: 100 000 rows into an emptied table of a file, one after another, in one transaction.
 *
 * Raw: one statement, prepared once, bound, stepped and reset, on a file of its own with the same pragmas. An
 * operation is one row; each run of up to 100 000 is one transaction, in which the table is emptied first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measures.h"
#include "sqlite_fixture.h"

enum { ROWS = 100000 };

#define TABLE_SQL "CREATE TABLE readings (id INTEGER PRIMARY KEY, place TEXT NOT NULL, degrees REAL NOT NULL)"
#define EMPTY_SQL "DELETE FROM readings"
#define INSERT_SQL "INSERT INTO readings (id, place, degrees) VALUES (?, ?, ?)"

static const char place[] = "somewhere";

typedef struct job {
    lido_engine *engine;
    lido_session *session;
    sqlite3 *raw;
    sqlite3_stmt *statement;
    lido_value *values; /* for the rows in bulk */
    bench_folder folder;
} job;

static bool lido_begins(job *my) {
    lido_exec(my->session, EMPTY_SQL);
    return !lido_failed(my->session);
}

static bool lido_inserts(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    for (size_t done = 0; done < operations;) {
        if (!lido_begins(my))
            return bench_fail_lido(context, lido_error_of(my->session));
        for (int64_t id = 1; id <= ROWS && done < operations; id++, done++)
            lido_exec(my->session, INSERT_SQL, id, place, (double)id);
        if (lido_commit(my->session) != LIDO_OK)
            return bench_fail_lido(context, lido_error_of(my->session));
    }
    return true;
}

static bool lido_inserts_in_bulk(void *opened, size_t operations, bench_context *context) {
    static const char *const columns[] = {"id", "place", "degrees"};
    job *my = opened;
    for (size_t done = 0; done < operations;) {
        size_t rows = operations - done < ROWS ? operations - done : ROWS;
        if (!lido_begins(my))
            return bench_fail_lido(context, lido_error_of(my->session));
        lido_insert_rows(my->session, "readings", 3, columns, rows, my->values);
        if (lido_commit(my->session) != LIDO_OK)
            return bench_fail_lido(context, lido_error_of(my->session));
        done += rows;
    }
    return true;
}

static bool raw_inserts(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    for (size_t done = 0; done < operations;) {
        if (!bench_sqlite_run(my->raw, "BEGIN IMMEDIATE; " EMPTY_SQL, context))
            return false;
        for (int64_t id = 1; id <= ROWS && done < operations; id++, done++) {
            sqlite3_bind_int64(my->statement, 1, id);
            sqlite3_bind_text(my->statement, 2, place, sizeof place - 1, SQLITE_STATIC);
            sqlite3_bind_double(my->statement, 3, (double)id);
            bool right = sqlite3_step(my->statement) == SQLITE_DONE;
            sqlite3_reset(my->statement);
            if (!right)
                return bench_fail(context, "inserting with SQLite: %s", sqlite3_errmsg(my->raw));
        }
        if (!bench_sqlite_run(my->raw, "COMMIT", context))
            return false;
    }
    return true;
}

/* ---- Making and ending the job. ---- */

static bool make_values(job *my, bench_context *context) {
    my->values = calloc(3 * (size_t)ROWS, sizeof *my->values);
    if (my->values == NULL)
        return bench_fail(context, "out of memory");
    for (int64_t i = 0; i < ROWS; i++) {
        my->values[3 * i] = lido_value_int64(i + 1);
        my->values[3 * i + 1] = lido_value_text(place);
        my->values[3 * i + 2] = lido_value_double((double)(i + 1));
    }
    return true;
}

static bool make(job *my, bench_context *context) {
    lido_error error = LIDO_ERROR_INIT;
    char path[256];
    char url[300];
    if (!make_values(my, context) || !bench_folder_make(&my->folder, context))
        return false;
    bench_folder_file(&my->folder, "lido.db", path);
    snprintf(url, sizeof url, "sqlite:///%s", path);
    my->engine = lido_engine_open(url, NULL, &error);
    if (my->engine == NULL)
        return bench_fail_lido(context, &error);
    my->session = lido_session_open(my->engine, NULL);
    lido_exec(my->session, TABLE_SQL);
    if (lido_commit(my->session) != LIDO_OK)
        return bench_fail_lido(context, lido_error_of(my->session));
    bench_folder_file(&my->folder, "raw.db", path);
    return bench_sqlite_open(path, &my->raw, context) && bench_sqlite_run(my->raw, TABLE_SQL, context) &&
           bench_sqlite_same_pragmas(my->session, my->raw, context) && lido_commit(my->session) == LIDO_OK &&
           bench_sqlite_prepare(my->raw, INSERT_SQL, &my->statement, context);
}

static void close_job(void *opened) {
    job *my = opened;
    lido_session_close(my->session);
    lido_engine_close(my->engine);
    sqlite3_finalize(my->statement);
    sqlite3_close(my->raw);
    bench_folder_remove(&my->folder);
    free(my->values);
    free(my);
}

static void *open_job(bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    if (make(my, context))
        return my;
    close_job(my);
    return NULL;
}

const bench_measure bench_sqlite_insert[] = {
    {.name = "sqlite-insert",
     .case_name = "exec",
     .target = 0.75,
     .open = open_job,
     .close = close_job,
     .lido = lido_inserts,
     .raw = raw_inserts},
    {.name = "sqlite-insert",
     .case_name = "rows",
     .open = open_job,
     .close = close_job,
     .lido = lido_inserts_in_bulk,
     .raw = raw_inserts},
    {.name = NULL},
};
