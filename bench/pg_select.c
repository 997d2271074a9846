/* pg-select: one row by its primary key, out of 10 000, each in a transaction of its own. pg-session: the same, and
 * each in a session of its own, which the server keeps from writing.
 *
 * Raw, for both: PQexecPrepared with a binary parameter and binary results, read into the same C types. */
#include <stdlib.h>

#include "measures.h"
#include "postgres_pair.h"

static bool lido_selects(void *pair, size_t operations, bench_context *context) {
    bench_postgres_pair *my = pair;
    return bench_select_by_lido(&my->select, BENCH_POSTGRES_SELECT_SQL, BENCH_POSTGRES_ITEMS, operations, context);
}

/* A session's end rolls back: it has nothing to commit. */
static bool lido_sessions(void *pair, size_t operations, bench_context *context) {
    bench_postgres_pair *my = pair;
    return bench_sessions_by_lido(&my->select, &(lido_session_options){.read_only = true}, BENCH_POSTGRES_SELECT_SQL,
                                  BENCH_POSTGRES_ITEMS, operations, context);
}

static bool raw_selects(void *pair, size_t operations, bench_context *context) {
    bench_postgres_pair *my = pair;
    for (size_t i = 0; i < operations; i++)
        if (!bench_postgres_raw_select(my->raw, bench_pick(&my->select.raw_sequence, BENCH_POSTGRES_ITEMS), context))
            return false;
    return true;
}

/* The same transactions by hand: BEGIN travels with the select, and nobody waits for the ROLLBACK, whose answer is read
 * with the next select's. */
static bool raw_sessions(void *pair, size_t operations, bench_context *context) {
    bench_postgres_pair *my = pair;
    bool right = PQenterPipelineMode(my->raw) || bench_fail(context, "libpq takes no pipeline");
    bool owed = false;
    for (size_t i = 0; i < operations && right; i++, owed = true) {
        int64_t wanted = bench_pick(&my->select.raw_sequence, BENCH_POSTGRES_ITEMS);
        right = bench_postgres_raw_begin(my->raw, "begin", owed, wanted, context) &&
                ((PQsendQueryPrepared(my->raw, "rollback", 0, NULL, NULL, NULL, 0) && PQpipelineSync(my->raw)) ||
                 bench_fail(context, "sending ROLLBACK: %s", PQerrorMessage(my->raw)));
    }
    return right && (!owed || bench_postgres_raw_read(my->raw, true, context)) &&
           (PQexitPipelineMode(my->raw) || bench_fail(context, "%s", PQerrorMessage(my->raw)));
}

/* ---- Making and ending the job. ---- */

static void close_job(void *pair) {
    bench_postgres_pair_close(pair);
    free(pair);
}

static void *open_pinned(size_t server, bench_context *context) {
    bench_postgres_pair *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    if (bench_postgres_pair_open(my, server, context))
        return my;
    close_job(my);
    return NULL;
}

static void *open_on_one_core(bench_context *context) {
    return open_pinned(0, context);
}

static void *open_on_two_cores(bench_context *context) {
    return open_pinned(1, context);
}

static void *open_by_hand(bench_context *context) {
    bench_postgres_pair *my = open_on_one_core(context);
    if (my == NULL ||
        (bench_postgres_prepare(my->raw, "begin", "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY", 0, NULL, context) &&
         bench_postgres_prepare(my->raw, "rollback", "ROLLBACK", 0, NULL, context)))
        return my;
    close_job(my);
    return NULL;
}

const bench_measure bench_pg_select[] = {
    {.name = "pg-select",
     .case_name = "one-core",
     .needs_postgres = true,
     .target = 0.97,
     .cpu_target = 1.15,
     .open = open_on_one_core,
     .close = close_job,
     .lido = lido_selects,
     .raw = raw_selects},
    {.name = "pg-select",
     .case_name = "two-cores",
     .needs_postgres = true,
     .target = 2.0,
     .open = open_on_two_cores,
     .close = close_job,
     .lido = lido_selects,
     .raw = raw_selects},
    {.name = NULL},
};

const bench_measure bench_pg_session[] = {
    {.name = "pg-session",
     .case_name = "one-core",
     .needs_postgres = true,
     .target = 0.85,
     .open = open_on_one_core,
     .close = close_job,
     .lido = lido_sessions,
     .raw = raw_selects},
    {.name = "pg-session",
     .case_name = "one-core-by-hand",
     .needs_postgres = true,
     .open = open_by_hand,
     .close = close_job,
     .lido = lido_sessions,
     .raw = raw_sessions},
    {.name = "pg-session",
     .case_name = "two-cores",
     .needs_postgres = true,
     .open = open_on_two_cores,
     .close = close_job,
     .lido = lido_sessions,
     .raw = raw_selects},
    {.name = NULL},
};
