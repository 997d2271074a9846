/* sqlite-writers: eight threads that write to one file, each of their transactions on its own.
 *
 * What is judged besides the throughput is what a service's users feel: the longest that any transaction took, how much
 * less the slowest thread got done than the fastest, and whether anybody was told that the database is busy. A
 * transaction that failed so is done again, as a program would, and its time goes on.
 *
 * Raw: a connection for each thread, a busy timeout, BEGIN IMMEDIATE, and statements prepared once. Both files have
 * the same pragmas. Slices are long, for raw's longest waits are. At the end each file must hold what was
 * acknowledged, no more and no less. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "measures.h"
#include "sqlite_fixture.h"

enum { THREADS = 8, SLICES = BENCH_PAIRS_MOST, BUSY_TIMEOUT_MS = 30000 };

#define TABLES_SQL \
    "CREATE TABLE entries (id INTEGER PRIMARY KEY, thread INTEGER NOT NULL, name TEXT NOT NULL);" \
    "CREATE TABLE counters (thread INTEGER PRIMARY KEY, n INTEGER NOT NULL);" \
    "INSERT INTO counters VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0)"

#define INSERT_SQL "INSERT INTO entries (thread, name) VALUES (?, ?)"
#define SELECT_SQL "SELECT n FROM counters WHERE thread = ?"
#define UPDATE_SQL "UPDATE counters SET n = ? WHERE thread = ?"
#define ACKNOWLEDGED_SQL "SELECT (SELECT count(*) FROM entries) + (SELECT sum(n) FROM counters)"

static const char name[] = "somebody";

typedef enum way { BY_LIDO, BY_RAW, WAYS } way;

typedef struct raw_writer {
    sqlite3 *connection;
    sqlite3_stmt *begin, *insert, *select, *update, *commit, *rollback;
} raw_writer;

/* What a thread found in one slice. */
typedef struct finding {
    double longest_ns;
    size_t busy;
} finding;

/* What the slices of one side that count had. */
typedef struct record {
    size_t slices;
    double longest_ns[SLICES];
    double slowest[SLICES]; /* what the slowest thread got done, the fastest being 1 */
    size_t busy;            /* in all */
    int64_t acknowledged;   /* in the slices that do not count, too */
} record;

typedef struct job {
    bool blocks; /* transactions that read, then write; else a single insert */
    lido_engine *engine;
    raw_writer raw[THREADS];
    finding found[THREADS];
    record records[WAYS];
    bench_folder folder;
} job;

/* ---- lido's side. ---- */

static bool is_busy(const lido_error *error) {
    return error->category == LIDO_ERROR_BUSY || error->retryable;
}

/* A block whose transaction could not be had, or not be kept, is run again. */
static bool lido_block(bench_shift *shift) {
    job *my = shift->job;
    int64_t thread = (int64_t)shift->thread;
    for (;;) {
        lido_error outcome;
        lido_transaction (db, my->engine, &outcome) {
            lido_value n = lido_query_value(db, SELECT_SQL, thread);
            lido_exec(db, UPDATE_SQL, n.as.integer + 1, thread);
        }
        if (outcome.status == LIDO_OK)
            return true;
        if (!is_busy(&outcome))
            return bench_fail_lido(&shift->context, &outcome);
        my->found[shift->thread].busy++;
    }
}

static bool insert_by_lido(bench_shift *shift, lido_session *session) {
    job *my = shift->job;
    for (;;) {
        lido_exec(session, INSERT_SQL, (int64_t)shift->thread, name);
        if (!lido_failed(session))
            return true;
        if (!is_busy(lido_error_of(session)))
            return bench_fail_lido(&shift->context, lido_error_of(session));
        my->found[shift->thread].busy++;
    }
}

static void note_wait(finding *found, double began) {
    double took = bench_now_ns() - began;
    if (took > found->longest_ns)
        found->longest_ns = took;
}

static bool lido_thread(bench_shift *shift) {
    job *my = shift->job;
    lido_session *session = lido_session_open(my->engine, &(lido_session_options){.autocommit = true});
    bool done = true;
    while (done && bench_shift_take(shift) > 0) {
        double began = bench_now_ns();
        done = my->blocks ? lido_block(shift) : insert_by_lido(shift, session);
        note_wait(&my->found[shift->thread], began);
    }
    lido_session_close(session);
    return done;
}

/* ---- Raw. ---- */

static int run_once(sqlite3_stmt *statement) {
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int raw_insert(raw_writer *writer, int64_t thread) {
    sqlite3_bind_int64(writer->insert, 1, thread);
    sqlite3_bind_text(writer->insert, 2, name, sizeof name - 1, SQLITE_STATIC);
    return run_once(writer->insert);
}

static int raw_read_and_write(raw_writer *writer, int64_t thread) {
    sqlite3_bind_int64(writer->select, 1, thread);
    int code = sqlite3_step(writer->select);
    int64_t n = code == SQLITE_ROW ? sqlite3_column_int64(writer->select, 0) : 0;
    sqlite3_reset(writer->select);
    if (code != SQLITE_ROW)
        return code;
    sqlite3_bind_int64(writer->update, 1, n + 1);
    sqlite3_bind_int64(writer->update, 2, thread);
    return run_once(writer->update);
}

static int raw_transaction(const job *my, raw_writer *writer, int64_t thread) {
    int code = run_once(writer->begin);
    if (code != SQLITE_OK)
        return code;
    code = my->blocks ? raw_read_and_write(writer, thread) : raw_insert(writer, thread);
    if (code == SQLITE_OK)
        code = run_once(writer->commit);
    if (code != SQLITE_OK)
        run_once(writer->rollback);
    return code;
}

static bool raw_thread(bench_shift *shift) {
    job *my = shift->job;
    raw_writer *writer = &my->raw[shift->thread];
    finding *found = &my->found[shift->thread];
    while (bench_shift_take(shift) > 0) {
        double began = bench_now_ns();
        int code;
        while ((code = raw_transaction(my, writer, (int64_t)shift->thread)) == SQLITE_BUSY)
            found->busy++;
        if (code != SQLITE_OK)
            return bench_fail(&shift->context, "writing with SQLite: %s", sqlite3_errmsg(writer->connection));
        note_wait(found, began);
    }
    return true;
}

/* ---- A slice. ---- */

static void keep_record(job *my, record *kept, const bench_shift *shifts) {
    size_t least = shifts[0].done;
    size_t most = shifts[0].done;
    double longest = 0;
    for (size_t i = 0; i < THREADS; i++) {
        least = shifts[i].done < least ? shifts[i].done : least;
        most = shifts[i].done > most ? shifts[i].done : most;
        longest = my->found[i].longest_ns > longest ? my->found[i].longest_ns : longest;
        kept->busy += my->found[i].busy;
    }
    kept->longest_ns[kept->slices] = longest;
    kept->slowest[kept->slices++] = (double)least / (double)most;
}

static bool run_slice(job *my, way which, bench_crew_run *run, size_t operations, bench_context *context) {
    bench_shift shifts[BENCH_CREW_MOST];
    memset(my->found, 0, sizeof my->found);
    if (!bench_crew_slice(THREADS, 1, run, my, operations, context, shifts))
        return false;
    my->records[which].acknowledged += (int64_t)operations;
    if (context->counts)
        keep_record(my, &my->records[which], shifts);
    return true;
}

static bool lido_writes(void *opened, size_t operations, bench_context *context) {
    return run_slice(opened, BY_LIDO, lido_thread, operations, context);
}

static bool raw_writes(void *opened, size_t operations, bench_context *context) {
    return run_slice(opened, BY_RAW, raw_thread, operations, context);
}

/* ---- What it comes to. ---- */

static bool check_file(const job *my, const char *file, way which, bench_context *context) {
    sqlite3 *connection = NULL;
    sqlite3_stmt *statement = NULL;
    char path[256];
    int64_t found = -1;
    bench_folder_file(&my->folder, file, path);
    bool opened = bench_sqlite_open(path, &connection, context) &&
                  bench_sqlite_prepare(connection, ACKNOWLEDGED_SQL, &statement, context);
    if (opened && sqlite3_step(statement) == SQLITE_ROW)
        found = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(connection);
    int64_t acknowledged = my->records[which].acknowledged;
    return opened && (found == acknowledged ||
                      bench_fail(context, "%s holds the work of %lld transactions, and %lld were acknowledged", file,
                                 (long long)found, (long long)acknowledged));
}

static bool conclude(void *opened, bench_context *context) {
    job *my = opened;
    record *lido = &my->records[BY_LIDO];
    record *raw = &my->records[BY_RAW];
    double ratios[SLICES];
    for (size_t i = 0; i < lido->slices; i++)
        ratios[i] = lido->longest_ns[i] / raw->longest_ns[i];
    bench_figure_add(context, "longest_wait_ratio", bench_median(ratios, lido->slices), BENCH_AT_MOST, 0.02);
    bench_figure_add(context, "slowest_thread", bench_median(lido->slowest, lido->slices), BENCH_AT_LEAST, 0.8);
    bench_figure_add(context, "busy", (double)lido->busy, BENCH_AT_MOST, 0);
    bench_figure_add(context, "longest_wait_ms", bench_median(lido->longest_ns, lido->slices) / 1e6,
                     BENCH_FOR_INFORMATION, 0);
    bench_figure_add(context, "raw_longest_wait_ms", bench_median(raw->longest_ns, raw->slices) / 1e6,
                     BENCH_FOR_INFORMATION, 0);
    bench_figure_add(context, "raw_slowest_thread", bench_median(raw->slowest, raw->slices), BENCH_FOR_INFORMATION, 0);
    bench_figure_add(context, "raw_busy", (double)raw->busy, BENCH_FOR_INFORMATION, 0);
    return check_file(my, "lido.db", BY_LIDO, context) && check_file(my, "raw.db", BY_RAW, context);
}

/* ---- Making and ending the job. ---- */

static bool prepare_writer(raw_writer *writer, bench_context *context) {
    return bench_sqlite_prepare(writer->connection, "BEGIN IMMEDIATE", &writer->begin, context) &&
           bench_sqlite_prepare(writer->connection, INSERT_SQL, &writer->insert, context) &&
           bench_sqlite_prepare(writer->connection, SELECT_SQL, &writer->select, context) &&
           bench_sqlite_prepare(writer->connection, UPDATE_SQL, &writer->update, context) &&
           bench_sqlite_prepare(writer->connection, "COMMIT", &writer->commit, context) &&
           bench_sqlite_prepare(writer->connection, "ROLLBACK", &writer->rollback, context);
}

static bool open_raw(job *my, lido_session *session, bench_context *context) {
    char path[256];
    bench_folder_file(&my->folder, "raw.db", path);
    for (size_t i = 0; i < THREADS; i++) {
        raw_writer *writer = &my->raw[i];
        if (!bench_sqlite_open(path, &writer->connection, context) ||
            !bench_sqlite_same_pragmas(session, writer->connection, context) ||
            (i == 0 && !bench_sqlite_run(writer->connection, TABLES_SQL, context)) || !prepare_writer(writer, context))
            return false;
        sqlite3_busy_timeout(writer->connection, BUSY_TIMEOUT_MS);
    }
    return true;
}

static bool make(job *my, const char *synchronous, bench_context *context) {
    lido_error error = LIDO_ERROR_INIT;
    lido_options options = LIDO_OPTIONS_INIT;
    char path[256];
    char url[300];
    options.synchronous = synchronous;
    options.pool_size = THREADS;
    options.max_overflow = 0;
    options.busy_timeout_ms = BUSY_TIMEOUT_MS;
    if (!bench_folder_make(&my->folder, context))
        return false;
    bench_folder_file(&my->folder, "lido.db", path);
    snprintf(url, sizeof url, "sqlite:///%s", path);
    my->engine = lido_engine_open(url, &options, &error);
    if (my->engine == NULL)
        return bench_fail_lido(context, &error);
    lido_session *session = lido_session_open(my->engine, &(lido_session_options){.autocommit = true});
    lido_script(session, TABLES_SQL);
    bool done =
        (!lido_failed(session) || bench_fail_lido(context, lido_error_of(session))) && open_raw(my, session, context);
    lido_session_close(session);
    return done;
}

static void close_writer(raw_writer *writer) {
    sqlite3_stmt *const statements[] = {writer->begin,  writer->insert, writer->select,
                                        writer->update, writer->commit, writer->rollback};
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        sqlite3_finalize(statements[i]);
    sqlite3_close(writer->connection);
}

static void close_job(void *opened) {
    job *my = opened;
    lido_engine_close(my->engine);
    for (size_t i = 0; i < THREADS; i++)
        close_writer(&my->raw[i]);
    bench_folder_remove(&my->folder);
    free(my);
}

static void *open_job(const char *synchronous, bool blocks, bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    my->blocks = blocks;
    if (make(my, synchronous, context))
        return my;
    close_job(my);
    return NULL;
}

static void *open_full(bench_context *context) {
    return open_job("full", false, context);
}

static void *open_full_blocks(bench_context *context) {
    return open_job("full", true, context);
}

static void *open_normal(bench_context *context) {
    return open_job("normal", false, context);
}

#define WRITERS(the_case, least, opener) \
    { \
        .name = "sqlite-writers", .case_name = the_case, .effort = {.pairs = 5, .slice_ms = 2000}, .target = least, \
        .open = opener, .close = close_job, .lido = lido_writes, .raw = raw_writes, .conclude = conclude \
    }

const bench_measure bench_sqlite_writers[] = {
    WRITERS("full", 3.5, open_full),
    WRITERS("full-blocks", 2.0, open_full_blocks),
    WRITERS("normal", 1.0, open_normal),
    {.name = NULL},
};
