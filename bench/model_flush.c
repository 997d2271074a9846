/* model-flush: what a flush costs beyond what it writes: 100 of the loaded objects are changed and committed.
 *
 * The same 100 updates are committed once by a session that has loaded 10 000 objects, once by one that has loaded just
 * those, in turn; the figure is the median of the differences. `growth` is the same for 50 000 objects over that for
 * 10 000, which is 5 if finding what changed is linear in the objects. */
#include <stdlib.h>
#include <time.h>

#include "measures.h"
#include "postgres_fixture.h"
#include "things.h"

enum { LOADED = 10000, LOADED_MORE = 50000, CHANGED = 100, ROUNDS = 61 };

typedef struct loaded {
    lido_session *session;
    Piece **pieces;
    size_t count;
} loaded;

typedef struct job {
    lido_engine *engine;
    PGconn *raw;
    loaded few;
    loaded many;
    loaded most;
} job;

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static bool load(job *my, loaded *into, int64_t count, bench_context *context) {
    into->session = lido_session_open(my->engine, NULL);
    into->pieces = lido_find(into->session, Piece, &into->count, "WHERE id <= ? ORDER BY id", count);
    if (lido_commit(into->session) != LIDO_OK)
        return bench_fail_lido(context, lido_error_of(into->session));
    return into->count == (size_t)count || bench_fail(context, "%zu objects were loaded", into->count);
}

/* How long a commit of 100 changes takes, in microseconds; below 0: it failed. */
static double commit_changes(const loaded *from, bench_context *context) {
    double began = now_us();
    for (size_t i = 0; i < CHANGED; i++)
        from->pieces[i]->stock++;
    if (lido_commit(from->session) != LIDO_OK) {
        bench_fail_lido(context, lido_error_of(from->session));
        return -1;
    }
    return now_us() - began;
}

/* The sessions change the same rows, so that the server does the same for each. */
static bool compare(const loaded *one, const loaded *other, bench_context *context, double *beyond, double *bare) {
    double differences[ROUNDS];
    double times[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        const loaded *first = i % 2 == 0 ? one : other;
        double first_us = commit_changes(first, context);
        double second_us = commit_changes(first == one ? other : one, context);
        if (first_us < 0 || second_us < 0)
            return false;
        times[i] = first == other ? first_us : second_us;
        differences[i] = first == one ? first_us - second_us : second_us - first_us;
    }
    *beyond = bench_median(differences, ROUNDS);
    *bare = bench_median(times, ROUNDS);
    return true;
}

static bool weigh(void *opened, bench_context *context, bench_result *result) {
    job *my = opened;
    double beyond;
    double beyond_more;
    double bare;
    if (!compare(&my->many, &my->few, context, &beyond, &bare) ||
        !compare(&my->most, &my->few, context, &beyond_more, &bare))
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
    bench_figure_add(context, "growth", beyond_more / beyond, BENCH_AT_MOST,
                     1.5 * (LOADED_MORE - CHANGED) / (LOADED - CHANGED));
    return true;
}

static void close_job(void *opened) {
    job *my = opened;
    lido_session_close(my->few.session);
    lido_session_close(my->many.session);
    lido_session_close(my->most.session);
    lido_engine_close(my->engine);
    if (my->raw != NULL) {
        PQclear(PQexec(my->raw, "DROP TABLE IF EXISTS lido_bench_pieces"));
        PQfinish(my->raw);
    }
    free(my);
}

static bool make(job *my, bench_context *context) {
    lido_error error = LIDO_ERROR_INIT;
    my->raw = bench_postgres_connect(context);
    if (my->raw == NULL || !bench_postgres_run(my->raw, "SET client_min_messages = warning", context) ||
        !bench_postgres_run(my->raw, "DROP TABLE IF EXISTS lido_bench_pieces", context) ||
        !bench_postgres_run(my->raw, BENCH_PIECES_SQL, context) ||
        !bench_postgres_run(my->raw,
                            "INSERT INTO lido_bench_pieces SELECT n, 'thing ' || n, n, n FROM "
                            "generate_series(1, 50000) AS n",
                            context) ||
        !bench_postgres_run(my->raw, "VACUUM ANALYZE lido_bench_pieces", context))
        return false;
    my->engine = lido_engine_open(context->postgres_url, NULL, &error);
    if (my->engine == NULL)
        return bench_fail_lido(context, &error);
    return load(my, &my->few, CHANGED, context) && load(my, &my->many, LOADED, context) &&
           load(my, &my->most, LOADED_MORE, context);
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

const bench_measure bench_model_flush[] = {
    {.name = "model-flush",
     .case_name = "100-of-10000",
     .needs_postgres = true,
     .most = 2000,
     .open = open_job,
     .close = close_job,
     .weigh = weigh},
    {.name = NULL},
};
