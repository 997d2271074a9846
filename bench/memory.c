/* memory: what an idle session, and an idle connection to a SQLite file, take of it.
 *
 * Counted at the allocator: what glibc has given out before and after some hundred of them were made, each with its
 * allocation's header, divided by their number. Looking at the process (its resident size) would count pages, and
 * interposing malloc would slow all other measures down. Of a connection, SQLite's own share is taken off: what
 * sqlite3_memory_used says, with a header for each of its allocations. Both have done something before they are looked
 * at: a session read a row in a transaction, a connection ran the same statement. */
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "measures.h"
#include "sqlite_fixture.h"

enum { MANY = 200, HEADER = sizeof(size_t), CACHED_CLASSES = 64, CACHED_MOST = 7 };

#define SELECT_SQL "SELECT id, name, price FROM items WHERE id = ?"

typedef struct job {
    lido_engine *engine;
    bench_folder folder;
    lido_session *sessions[MANY];
    void *held[CACHED_CLASSES * CACHED_MOST];
} job;

typedef struct usage {
    double all;
    double sqlite;
} usage;

/* ---- Looking. ---- */

/* glibc keeps some freed chunks of each small size with the thread, and counts them as given out: they are taken here,
 * so that what is made from now on is new. Chunks are 16 bytes apart, from 24 bytes on. */
static void empty_thread_cache(job *my) {
    for (size_t i = 0; i < CACHED_CLASSES * CACHED_MOST; i++)
        my->held[i] = malloc(24 + i / CACHED_MOST * 16);
}

static void give_back(job *my) {
    for (size_t i = 0; i < CACHED_CLASSES * CACHED_MOST; i++)
        free(my->held[i]);
}

static usage look(void) {
    struct mallinfo2 given = mallinfo2();
    sqlite3_int64 allocations = 0;
    sqlite3_int64 most;
    sqlite3_status64(SQLITE_STATUS_MALLOC_COUNT, &allocations, &most, 0);
    double own = (double)sqlite3_memory_used() + (double)allocations * HEADER;
    return (usage){(double)given.uordblks + (double)given.hblkhd, own};
}

static void weigh(usage before, usage after, bench_result *result) {
    double sqlite = (after.sqlite - before.sqlite) / MANY;
    *result = (bench_result){.pairs = MANY,
                             .lido = (after.all - before.all) / MANY - sqlite,
                             .raw = sqlite,
                             .ratio = NAN,
                             .lowest = NAN,
                             .highest = NAN,
                             .lido_cpu = NAN,
                             .raw_cpu = NAN,
                             .cpu_ratio = NAN};
}

/* ---- What is looked at. ---- */

static bool use(lido_session *session, bench_context *context) {
    int64_t id = 0;
    lido_rows *rows = lido_query(session, SELECT_SQL, 1);
    bool read = lido_next(rows) && (id = lido_get_int64(rows, 0)) == 1;
    lido_rows_close(rows);
    return read || bench_fail_lido(context, lido_error_of(session));
}

static bool end(lido_session *session, bench_context *context) {
    return lido_commit(session) == LIDO_OK || bench_fail_lido(context, lido_error_of(session));
}

static void close_sessions(job *my) {
    for (size_t i = 0; i < MANY; i++) {
        lido_session_close(my->sessions[i]);
        my->sessions[i] = NULL;
    }
}

/* One after another on the same connection, which is there before. */
static bool weigh_sessions(void *opened, bench_context *context, bench_result *result) {
    job *my = opened;
    lido_session *first = lido_session_open(my->engine, NULL);
    bool done = use(first, context) && end(first, context);
    empty_thread_cache(my);
    usage before = look();
    for (size_t i = 0; done && i < MANY; i++) {
        my->sessions[i] = lido_session_open(my->engine, NULL);
        done = use(my->sessions[i], context) && end(my->sessions[i], context);
    }
    usage after = look();
    lido_session_close(first);
    give_back(my);
    weigh(before, after, result);
    result->raw = NAN;
    return done;
}

/* Each held by a session until all are open; one more was there before, and the keeper's thread with it. */
static bool weigh_connections(void *opened, bench_context *context, bench_result *result) {
    job *my = opened;
    lido_session *first = lido_session_open(my->engine, NULL);
    bool done = use(first, context);
    empty_thread_cache(my);
    usage before = look();
    for (size_t i = 0; done && i < MANY; i++) {
        my->sessions[i] = lido_session_open(my->engine, NULL);
        done = use(my->sessions[i], context);
    }
    for (size_t i = 0; done && i < MANY; i++)
        done = end(my->sessions[i], context);
    close_sessions(my);
    usage after = look();
    lido_session_close(first);
    give_back(my);
    weigh(before, after, result);
    return done;
}

/* ---- Making and ending the job. ---- */

static bool make(job *my, bench_context *context) {
    lido_error error = LIDO_ERROR_INIT;
    lido_options options = LIDO_OPTIONS_INIT;
    char path[256];
    char url[300];
    options.pool_size = MANY + 1;
    if (!bench_folder_make(&my->folder, context))
        return false;
    bench_folder_file(&my->folder, "items.db", path);
    snprintf(url, sizeof url, "sqlite:///%s", path);
    if (!bench_sqlite_make_items(path, context))
        return false;
    my->engine = lido_engine_open(url, &options, &error);
    return my->engine != NULL || bench_fail_lido(context, &error);
}

static void close_job(void *opened) {
    job *my = opened;
    close_sessions(my);
    lido_engine_close(my->engine);
    bench_folder_remove(&my->folder);
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

const bench_measure bench_memory[] = {
    {.name = "memory",
     .case_name = "session",
     .unit = BENCH_BYTES,
     .most = 4 * 1024,
     .open = open_job,
     .close = close_job,
     .weigh = weigh_sessions},
    {.name = "memory",
     .case_name = "sqlite-connection",
     .unit = BENCH_BYTES,
     .most = 16 * 1024,
     .open = open_job,
     .close = close_job,
     .weigh = weigh_connections},
    {.name = NULL},
};
