/* pg-select, 32 threads: as many sessions on as many connections, each with a select by primary key at a time, nobody
 * pinned. There is always other work for the processors: here whoever does not sleep while it waits takes the time of
 * those that could go on.
 *
 * Raw: the same threads with a libpq connection each. */
#include <stdlib.h>

#include "crew.h"
#include "measures.h"
#include "postgres_pair.h"

enum { THREADS = 32 };

typedef struct job {
    lido_engine *engine;
    PGconn *raw[THREADS];
} job;

/* Each thread begins elsewhere, the same on both sides. */
static uint64_t sequence_of(size_t thread) {
    return 88172645463325252U + thread * 0x9e3779b97f4a7c15U;
}

static bool lido_thread(bench_shift *shift) {
    job *my = shift->job;
    uint64_t sequence = sequence_of(shift->thread);
    lido_session *session = lido_session_open(my->engine, &(lido_session_options){.autocommit = true});
    bool right = true;
    while (right && bench_shift_take(shift) > 0)
        right = bench_select_one(session, BENCH_POSTGRES_SELECT_SQL, bench_pick(&sequence, BENCH_POSTGRES_ITEMS),
                                 &shift->context);
    lido_session_close(session);
    return right;
}

static bool raw_thread(bench_shift *shift) {
    job *my = shift->job;
    uint64_t sequence = sequence_of(shift->thread);
    bool right = true;
    while (right && bench_shift_take(shift) > 0)
        right = bench_postgres_raw_select(my->raw[shift->thread], bench_pick(&sequence, BENCH_POSTGRES_ITEMS),
                                          &shift->context);
    return right;
}

static bool lido_selects(void *opened, size_t operations, bench_context *context) {
    return bench_crew_slice(THREADS, 1, lido_thread, opened, operations, context, NULL);
}

static bool raw_selects(void *opened, size_t operations, bench_context *context) {
    return bench_crew_slice(THREADS, 1, raw_thread, opened, operations, context, NULL);
}

/* ---- Making and ending the job. ---- */

static bool open_raw(job *my, bench_context *context) {
    for (size_t i = 0; i < THREADS; i++) {
        my->raw[i] = bench_postgres_connect(context);
        if (my->raw[i] == NULL || (i == 0 && !bench_postgres_make_items(my->raw[i], context)) ||
            !bench_postgres_raw_prepare_select(my->raw[i], context))
            return false;
    }
    return true;
}

static bool open_lido(job *my, bench_context *context) {
    lido_error error = LIDO_ERROR_INIT;
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = THREADS;
    options.max_overflow = 0;
    my->engine = lido_engine_open(context->postgres_url, &options, &error);
    return my->engine != NULL || bench_fail_lido(context, &error);
}

static void close_job(void *opened) {
    job *my = opened;
    lido_engine_close(my->engine);
    if (my->raw[0] != NULL)
        bench_postgres_drop_items(my->raw[0]);
    for (size_t i = 0; i < THREADS; i++)
        PQfinish(my->raw[i]);
    free(my);
}

static void *open_job(bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    if (open_raw(my, context) && open_lido(my, context))
        return my;
    close_job(my);
    return NULL;
}

const bench_measure bench_pg_threads[] = {
    {.name = "pg-select",
     .case_name = "32-threads",
     .needs_postgres = true,
     .effort = {.pairs = 51, .slice_ms = 100},
     .target = 0.97,
     .open = open_job,
     .close = close_job,
     .lido = lido_selects,
     .raw = raw_selects},
    {.name = NULL},
};
