/* model-flush: what a flush costs beyond what it writes: 100 of the loaded objects are changed and committed.
 *
 * lido: a session that has loaded 10 000 objects. Raw: the same 100 updates by hand, in one transaction: with libpq
 * prepared, in binary and in one pipeline; with SQLite one statement, bound, stepped and reset. They take turns, and
 * the figure is the median of the differences: finding what has changed, and what each update costs by lido.
 * `growth`, on PostgreSQL, is what there is to find in 50 000 objects over that in 10 000, each beside a session
 * that has loaded just those hundred: 5 if it is linear in the objects. */
#include <stdlib.h>
#include <time.h>

#include "measures.h"
#include "postgres_fixture.h"
#include "sqlite_fixture.h"
#include "things.h"

enum { LOADED = 10000, LOADED_MORE = 50000, CHANGED = 100, ROUNDS = 61 };

#define UPDATE_SQL "UPDATE lido_bench_pieces SET stock = "

typedef struct loaded {
    lido_session *session;
    Piece **pieces;
    size_t count;
} loaded;

typedef struct job {
    lido_engine *engine;
    PGconn *raw;
    sqlite3 *raw_file;
    sqlite3_stmt *statement;
    bench_folder folder;
    int64_t stock; /* what the raw updates have written last */
    loaded few;
    loaded many;
    loaded most;
} job;

/* The updates, committed. */
typedef bool update(job *my, bench_context *context);

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* ---- lido ---- */

static bool load(job *my, loaded *into, int64_t count, bench_context *context) {
    into->session = lido_session_open(my->engine, NULL);
    into->pieces = lido_find(into->session, Piece, &into->count, "WHERE id <= ? ORDER BY id", count);
    if (lido_commit(into->session) != LIDO_OK)
        return bench_fail_lido(context, lido_error_of(into->session));
    return into->count == (size_t)count || bench_fail(context, "%zu objects were loaded", into->count);
}

static bool commit_changes(const loaded *from, bench_context *context) {
    for (size_t i = 0; i < CHANGED; i++)
        from->pieces[i]->stock++;
    return lido_commit(from->session) == LIDO_OK || bench_fail_lido(context, lido_error_of(from->session));
}

static bool change_few(job *my, bench_context *context) {
    return commit_changes(&my->few, context);
}

static bool change_many(job *my, bench_context *context) {
    return commit_changes(&my->many, context);
}

static bool change_most(job *my, bench_context *context) {
    return commit_changes(&my->most, context);
}

/* ---- libpq ---- */

static bool send_update(PGconn *raw, int64_t stock, int64_t id) {
    const uint64_t numbers[2] = {bench_postgres_swap((uint64_t)stock), bench_postgres_swap((uint64_t)id)};
    const char *values[2] = {(const char *)&numbers[0], (const char *)&numbers[1]};
    const int lengths[2] = {sizeof numbers[0], sizeof numbers[1]};
    const int formats[2] = {1, 1};
    return PQsendQueryPrepared(raw, "update_piece", 2, values, lengths, formats, 1) == 1;
}

static bool read_answers(PGconn *raw, size_t count) {
    bool good = true;
    for (size_t i = 0; i < count; i++) {
        PGresult *result = PQgetResult(raw);
        good = good && PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
        good = good && PQgetResult(raw) == NULL;
    }
    PGresult *sync = PQgetResult(raw);
    good = good && PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
    PQclear(sync);
    return good;
}

static bool update_with_libpq(job *my, bench_context *context) {
    bool good = PQsendQueryPrepared(my->raw, "begin", 0, NULL, NULL, NULL, 1) == 1;
    my->stock++;
    for (int64_t id = 1; good && id <= CHANGED; id++)
        good = send_update(my->raw, my->stock, id);
    good = good && PQsendQueryPrepared(my->raw, "commit", 0, NULL, NULL, NULL, 1) == 1 && PQpipelineSync(my->raw) == 1;
    return (good && read_answers(my->raw, CHANGED + 2)) ||
           bench_fail(context, "updating with libpq: %s", PQerrorMessage(my->raw));
}

/* ---- SQLite ---- */

static bool update_with_sqlite(job *my, bench_context *context) {
    bool good = bench_sqlite_run(my->raw_file, "BEGIN IMMEDIATE", context);
    my->stock++;
    for (int64_t id = 1; good && id <= CHANGED; id++) {
        sqlite3_bind_int64(my->statement, 1, my->stock);
        sqlite3_bind_int64(my->statement, 2, id);
        good = sqlite3_step(my->statement) == SQLITE_DONE ||
               bench_fail(context, "updating with SQLite: %s", sqlite3_errmsg(my->raw_file));
        sqlite3_reset(my->statement);
    }
    return good && bench_sqlite_run(my->raw_file, "COMMIT", context);
}

/* ---- Weighing ---- */

/* How long it takes, in microseconds; below 0: it failed. */
static double time_of(update *run, job *my, bench_context *context) {
    double began = now_us();
    return run(my, context) ? now_us() - began : -1;
}

/* They change the same rows, so that the database does the same for each. */
static bool compare(job *my, update *one, update *other, bench_context *context, double *beyond, double *bare) {
    double differences[ROUNDS];
    double times[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        bool other_first = i % 2 != 0;
        double first_us = time_of(other_first ? other : one, my, context);
        double second_us = first_us >= 0 ? time_of(other_first ? one : other, my, context) : -1;
        if (first_us < 0 || second_us < 0)
            return false;
        times[i] = other_first ? first_us : second_us;
        differences[i] = other_first ? second_us - first_us : first_us - second_us;
    }
    *beyond = bench_median(differences, ROUNDS);
    *bare = bench_median(times, ROUNDS);
    return true;
}

static bool weigh_beside(job *my, update *raw, bench_context *context, bench_result *result) {
    double beyond;
    double bare;
    if (!compare(my, change_many, raw, context, &beyond, &bare))
        return false;
    *result = (bench_result){.pairs = ROUNDS,
                             .lido = beyond,
                             .raw = bare,
                             .ratio = __builtin_nan(""),
                             .lowest = __builtin_nan(""),
                             .highest = __builtin_nan(""),
                             .lido_cpu = __builtin_nan(""),
                             .raw_cpu = __builtin_nan(""),
                             .cpu_ratio = __builtin_nan("")};
    return true;
}

static bool weigh_postgres(void *opened, bench_context *context, bench_result *result) {
    job *my = opened;
    double bare;
    double found;
    double found_more;
    if (!weigh_beside(my, update_with_libpq, context, result) ||
        !compare(my, change_many, change_few, context, &found, &bare) ||
        !compare(my, change_most, change_few, context, &found_more, &bare))
        return false;
    bench_figure_add(context, "growth", found_more / found, BENCH_AT_MOST,
                     1.5 * (LOADED_MORE - CHANGED) / (LOADED - CHANGED));
    return true;
}

static bool weigh_sqlite(void *opened, bench_context *context, bench_result *result) {
    return weigh_beside(opened, update_with_sqlite, context, result);
}

/* ---- Making and ending the job. ---- */

static void close_job(void *opened) {
    job *my = opened;
    lido_session_close(my->few.session);
    lido_session_close(my->many.session);
    lido_session_close(my->most.session);
    lido_engine_close(my->engine);
    if (my->raw != NULL)
        PQexitPipelineMode(my->raw);
    bench_postgres_close_tables(my->raw, "lido_bench_pieces");
    sqlite3_finalize(my->statement);
    sqlite3_close(my->raw_file);
    bench_folder_remove(&my->folder);
    free(my);
}

static bool prepare_raw(job *my, bench_context *context) {
    const Oid bigints[2] = {20, 20};
    return bench_postgres_prepare(my->raw, "begin", "BEGIN", 0, NULL, context) &&
           bench_postgres_prepare(my->raw, "commit", "COMMIT", 0, NULL, context) &&
           bench_postgres_prepare(my->raw, "update_piece", UPDATE_SQL "$1 WHERE id = $2", 2, bigints, context) &&
           (PQenterPipelineMode(my->raw) == 1 ||
            bench_fail(context, "opening with libpq: %s", PQerrorMessage(my->raw)));
}

static bool make_postgres(job *my, bench_context *context) {
    my->raw = bench_postgres_open_tables("lido_bench_pieces", BENCH_PIECES_SQL, context);
    if (my->raw == NULL ||
        !bench_postgres_run(my->raw,
                            "INSERT INTO lido_bench_pieces SELECT n, 'thing ' || n, n, n FROM "
                            "generate_series(1, 50000) AS n",
                            context) ||
        !bench_postgres_run(my->raw, "VACUUM ANALYZE lido_bench_pieces", context) || !prepare_raw(my, context))
        return false;
    my->engine = bench_engine_open(context->postgres_url, NULL, context);
    return my->engine != NULL && load(my, &my->few, CHANGED, context) && load(my, &my->many, LOADED, context) &&
           load(my, &my->most, LOADED_MORE, context);
}

static bool make_sqlite(job *my, bench_context *context) {
    char path[256];
    if (!bench_folder_make(&my->folder, context))
        return false;
    my->engine = bench_sqlite_engine(&my->folder, "pieces.db", path, context);
    if (my->engine == NULL)
        return false;
    lido_session *db = lido_session_open(my->engine, NULL);
    lido_exec(db, BENCH_PIECES_SQLITE_SQL);
    lido_exec(db, "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "
                  "INSERT INTO lido_bench_pieces SELECT i, 'thing ' || i, i, i FROM n");
    bool made = lido_commit(db) == LIDO_OK || bench_fail_lido(context, lido_error_of(db));
    made = made && bench_sqlite_open(path, &my->raw_file, context) &&
           bench_sqlite_same_pragmas(db, my->raw_file, context) && lido_commit(db) == LIDO_OK &&
           bench_sqlite_prepare(my->raw_file, UPDATE_SQL "? WHERE id = ?", &my->statement, context);
    lido_session_close(db);
    return made && load(my, &my->many, LOADED, context);
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

static void *open_postgres(bench_context *context) {
    return open_job(make_postgres, context);
}

static void *open_sqlite(bench_context *context) {
    return open_job(make_sqlite, context);
}

const bench_measure bench_model_flush[] = {
    {.name = "model-flush",
     .case_name = "100-of-10000",
     .needs_postgres = true,
     .most = 2000,
     .open = open_postgres,
     .close = close_job,
     .weigh = weigh_postgres},
    {.name = "model-flush",
     .case_name = "sqlite",
     .most = 2000,
     .open = open_sqlite,
     .close = close_job,
     .weigh = weigh_sqlite},
    {.name = NULL},
};
