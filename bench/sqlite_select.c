/* sqlite-select: one row by its primary key, out of 10 000, each in a transaction of its own. sqlite-session: the same,
 * and each in a session of its own.
 *
 * Raw, for both: one statement, prepared once, bound, stepped and reset, on a connection that takes no mutexes and has
 * the same pragmas. In memory, lido's database is shared by all sessions of the process; raw's is a private one. */
#include <stdio.h>
#include <stdlib.h>

#include "measures.h"
#include "select.h"
#include "sqlite_fixture.h"

#define SELECT_SQL "SELECT id, name, price FROM items WHERE id = ?"

typedef struct job {
    bench_selecting select;
    sqlite3 *raw;
    sqlite3_stmt *statement;
    bench_folder folder;
} job;

static bool lido_selects(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    return bench_select_by_lido(&my->select, SELECT_SQL, BENCH_SQLITE_ITEMS, operations, context);
}

static bool lido_sessions(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    return bench_sessions_by_lido(&my->select, &(lido_session_options){.autocommit = true}, SELECT_SQL,
                                  BENCH_SQLITE_ITEMS, operations, context);
}

/* BEGIN before and ROLLBACK after, which raw does without. */
static bool lido_transactions(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    return bench_sessions_by_lido(&my->select, &(lido_session_options){.read_only = true}, SELECT_SQL,
                                  BENCH_SQLITE_ITEMS, operations, context);
}

static bool raw_selects(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    for (size_t i = 0; i < operations; i++) {
        int64_t wanted = bench_pick(&my->select.raw_sequence, BENCH_SQLITE_ITEMS);
        bool right = false;
        sqlite3_bind_int64(my->statement, 1, wanted);
        if (sqlite3_step(my->statement) == SQLITE_ROW) {
            int64_t id = sqlite3_column_int64(my->statement, 0);
            const char *name = (const char *)sqlite3_column_text(my->statement, 1);
            double price = sqlite3_column_double(my->statement, 2);
            right = bench_item_is_right(wanted, id, name, price);
        }
        sqlite3_reset(my->statement);
        if (!right)
            return bench_fail(context, "SQLite did not find row %lld: %s", (long long)wanted, sqlite3_errmsg(my->raw));
    }
    return true;
}

/* ---- Making and ending the job. ---- */

static bool prepare_raw(job *my, bench_context *context) {
    return bench_sqlite_same_pragmas(my->select.session, my->raw, context) &&
           bench_sqlite_prepare(my->raw, SELECT_SQL, &my->statement, context);
}

/* A file for each side, made alike, so that neither sees the other's locks. */
static bool make_files(job *my, bench_context *context) {
    char path[256];
    char url[300];
    if (!bench_folder_make(&my->folder, context))
        return false;
    bench_folder_file(&my->folder, "lido.db", path);
    snprintf(url, sizeof url, "sqlite:///%s", path);
    if (!bench_sqlite_make_items(path, context) || !bench_select_open(&my->select, url, NULL, context))
        return false;
    bench_folder_file(&my->folder, "raw.db", path);
    return bench_sqlite_make_items(path, context) && bench_sqlite_open(path, &my->raw, context) &&
           prepare_raw(my, context);
}

static bool make_in_memory(job *my, bench_context *context) {
    if (!bench_select_open(&my->select, "sqlite://", NULL, context))
        return false;
    lido_script(my->select.session, BENCH_SQLITE_ITEMS_SQL);
    if (lido_failed(my->select.session))
        return bench_fail_lido(context, lido_error_of(my->select.session));
    return bench_sqlite_open(":memory:", &my->raw, context) &&
           bench_sqlite_run(my->raw, BENCH_SQLITE_ITEMS_SQL, context) && prepare_raw(my, context);
}

static void close_job(void *opened) {
    job *my = opened;
    bench_select_close(&my->select);
    sqlite3_finalize(my->statement);
    sqlite3_close(my->raw);
    bench_folder_remove(&my->folder);
    free(my);
}

static void *open_job(bool (*make)(job *my, bench_context *context), bench_context *context) {
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

static void *open_file(bench_context *context) {
    return open_job(make_files, context);
}

static void *open_memory(bench_context *context) {
    return open_job(make_in_memory, context);
}

const bench_measure bench_sqlite_select[] = {
    {.name = "sqlite-select",
     .case_name = "file",
     .target = 0.90,
     .open = open_file,
     .close = close_job,
     .lido = lido_selects,
     .raw = raw_selects},
    {.name = "sqlite-select",
     .case_name = "memory",
     .target = 0.65,
     .open = open_memory,
     .close = close_job,
     .lido = lido_selects,
     .raw = raw_selects},
    {.name = NULL},
};

const bench_measure bench_sqlite_session[] = {
    {.name = "sqlite-session",
     .case_name = "file",
     .target = 0.85,
     .open = open_file,
     .close = close_job,
     .lido = lido_sessions,
     .raw = raw_selects},
    {.name = "sqlite-session",
     .case_name = "memory",
     .target = 0.55,
     .open = open_memory,
     .close = close_job,
     .lido = lido_sessions,
     .raw = raw_selects},
    {.name = "sqlite-session",
     .case_name = "file-read-only",
     .open = open_file,
     .close = close_job,
     .lido = lido_transactions,
     .raw = raw_selects},
    {.name = "sqlite-session",
     .case_name = "memory-read-only",
     .open = open_memory,
     .close = close_job,
     .lido = lido_transactions,
     .raw = raw_selects},
    {.name = NULL},
};
