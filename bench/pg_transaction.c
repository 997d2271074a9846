/* pg-transaction: a row is read by its primary key, changed and committed, out of 10 000.
 *
 * Raw: the four calls one after another, each waited for; all prepared, with binary parameters. */
#include <stdlib.h>
#include <string.h>

#include "measures.h"
#include "postgres_pair.h"

#define UPDATE_SQL "UPDATE lido_bench_items SET price = ? WHERE id = ?"

typedef struct job {
    bench_postgres_pair pair;
    lido_session *session; /* not in autocommit mode */
} job;

/* ---- lido's side. ---- */

/* One by one, as code that looks at each answer would be written. */
static bool lido_waits(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    for (size_t i = 0; i < operations; i++) {
        int64_t wanted = bench_pick(&my->pair.select.lido_sequence, BENCH_POSTGRES_ITEMS);
        if (!bench_select_one(my->session, BENCH_POSTGRES_SELECT_SQL, wanted, context))
            return false;
        int64_t changed = lido_exec(my->session, UPDATE_SQL, (double)wanted, wanted);
        if (lido_commit(my->session) != LIDO_OK || changed != 1)
            return bench_fail_lido(context, lido_error_of(my->session));
    }
    return true;
}

/* The update is queued, and travels with the COMMIT. */
static bool lido_sends(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    for (size_t i = 0; i < operations; i++) {
        int64_t wanted = bench_pick(&my->pair.select.lido_sequence, BENCH_POSTGRES_ITEMS);
        if (!bench_select_one(my->session, BENCH_POSTGRES_SELECT_SQL, wanted, context))
            return false;
        lido_send(my->session, UPDATE_SQL, (double)wanted, wanted);
        if (lido_commit(my->session) != LIDO_OK)
            return bench_fail_lido(context, lido_error_of(my->session));
    }
    return true;
}

/* ---- Raw. ---- */

static bool raw_command(PGconn *raw, const char *prepared, bench_context *context) {
    PGresult *result = PQexecPrepared(raw, prepared, 0, NULL, NULL, NULL, 0);
    bool done = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    return done || bench_fail(context, "%s: %s", prepared, PQerrorMessage(raw));
}

static bool raw_update(PGconn *raw, int64_t id, bench_context *context) {
    double price = (double)id;
    uint64_t price_bytes;
    memcpy(&price_bytes, &price, sizeof price_bytes);
    price_bytes = bench_postgres_swap(price_bytes);
    uint64_t id_bytes = bench_postgres_swap((uint64_t)id);
    const char *values[] = {(const char *)&price_bytes, (const char *)&id_bytes};
    const int lengths[] = {sizeof price_bytes, sizeof id_bytes};
    const int formats[] = {1, 1};
    PGresult *result = PQexecPrepared(raw, "update_item", 2, values, lengths, formats, 0);
    bool done = PQresultStatus(result) == PGRES_COMMAND_OK && strcmp(PQcmdTuples(result), "1") == 0;
    PQclear(result);
    return done || bench_fail(context, "updating with libpq: %s", PQerrorMessage(raw));
}

static bool raw_transactions(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    PGconn *raw = my->pair.raw;
    for (size_t i = 0; i < operations; i++) {
        int64_t wanted = bench_pick(&my->pair.select.raw_sequence, BENCH_POSTGRES_ITEMS);
        if (!raw_command(raw, "begin", context) || !bench_postgres_raw_select(raw, wanted, context) ||
            !raw_update(raw, wanted, context) || !raw_command(raw, "commit", context))
            return false;
    }
    return true;
}

/* In three round trips, too: BEGIN travels with the select. */
static bool raw_by_hand(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    PGconn *raw = my->pair.raw;
    for (size_t i = 0; i < operations; i++) {
        int64_t wanted = bench_pick(&my->pair.select.raw_sequence, BENCH_POSTGRES_ITEMS);
        if (!PQenterPipelineMode(raw))
            return bench_fail(context, "libpq takes no pipeline: %s", PQerrorMessage(raw));
        if (!bench_postgres_raw_begin(raw, "begin", false, wanted, context))
            return false;
        if (!PQexitPipelineMode(raw))
            return bench_fail(context, "libpq does not leave the pipeline: %s", PQerrorMessage(raw));
        if (!raw_update(raw, wanted, context) || !raw_command(raw, "commit", context))
            return false;
    }
    return true;
}

/* ---- Making and ending the job. ---- */

static void close_job(void *opened) {
    job *my = opened;
    lido_session_close(my->session);
    bench_postgres_pair_close(&my->pair);
    free(my);
}

static bool prepare_raw(PGconn *raw, bench_context *context) {
    const Oid types[] = {701, 20}; /* double precision, bigint */
    return bench_postgres_prepare(raw, "begin", "BEGIN", 0, NULL, context) &&
           bench_postgres_prepare(raw, "commit", "COMMIT", 0, NULL, context) &&
           bench_postgres_prepare(raw, "update_item", "UPDATE lido_bench_items SET price = $1 WHERE id = $2", 2, types,
                                  context);
}

static void *open_pinned(size_t server, bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    if (bench_postgres_pair_open(&my->pair, server, context) && prepare_raw(my->pair.raw, context)) {
        my->session = lido_session_open(my->pair.select.engine, NULL);
        return my;
    }
    close_job(my);
    return NULL;
}

static void *open_on_one_core(bench_context *context) {
    return open_pinned(0, context);
}

static void *open_on_two_cores(bench_context *context) {
    return open_pinned(1, context);
}

const bench_measure bench_pg_transaction[] = {
    {.name = "pg-transaction",
     .case_name = "one-core",
     .needs_postgres = true,
     .target = 1.25,
     .open = open_on_one_core,
     .close = close_job,
     .lido = lido_waits,
     .raw = raw_transactions},
    {.name = "pg-transaction",
     .case_name = "one-core-by-hand",
     .needs_postgres = true,
     .open = open_on_one_core,
     .close = close_job,
     .lido = lido_waits,
     .raw = raw_by_hand},
    {.name = "pg-transaction",
     .case_name = "one-core-sent",
     .needs_postgres = true,
     .open = open_on_one_core,
     .close = close_job,
     .lido = lido_sends,
     .raw = raw_transactions},
    {.name = "pg-transaction",
     .case_name = "two-cores",
     .needs_postgres = true,
     .open = open_on_two_cores,
     .close = close_job,
     .lido = lido_waits,
     .raw = raw_transactions},
    {.name = NULL},
};
