/* pg-delay: a transaction of five updates, with half a millisecond between here and the server, each way.
 *
 * Raw: seven calls, each waited for: BEGIN, five prepared updates, COMMIT. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "delay.h"
#include "measures.h"
#include "postgres_fixture.h"

enum { WRITES = 5, ONE_WAY_US = 500 };

typedef struct job {
    bench_delay *between;
    lido_engine *engine;
    PGconn *near; /* for the table; straight to the server */
    PGconn *raw;
    uint64_t lido_sequence;
    uint64_t raw_sequence;
} job;

/* ---- lido ---- */

/* Nobody looks at what an update says before the end: they travel together, with BEGIN and COMMIT. */
static bool lido_sends(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    lido_error outcome;
    for (size_t i = 0; i < operations; i++) {
        lido_transaction (db, my->engine, &outcome)
            for (int write = 0; write < WRITES; write++) {
                int64_t id = bench_pick(&my->lido_sequence, BENCH_POSTGRES_ITEMS);
                lido_send(db, "UPDATE lido_bench_items SET price = ? WHERE id = ?", (double)id, id);
            }
        if (outcome.status != LIDO_OK)
            return bench_fail_lido(context, &outcome);
    }
    return true;
}

/* Each is waited for, as code is written that looks at each; BEGIN goes with the first. */
static bool lido_waits(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    lido_error outcome;
    for (size_t i = 0; i < operations; i++) {
        lido_transaction (db, my->engine, &outcome)
            for (int write = 0; write < WRITES; write++) {
                int64_t id = bench_pick(&my->lido_sequence, BENCH_POSTGRES_ITEMS);
                if (lido_exec(db, "UPDATE lido_bench_items SET price = ? WHERE id = ?", (double)id, id) != 1)
                    lido_fail(db, "there is no item %lld", (long long)id);
            }
        if (outcome.status != LIDO_OK)
            return bench_fail_lido(context, &outcome);
    }
    return true;
}

/* ---- Raw ---- */

static bool raw_run(PGconn *raw, const char *prepared, int64_t id, bench_context *context) {
    double price = (double)id;
    uint64_t price_bytes;
    memcpy(&price_bytes, &price, sizeof price_bytes);
    price_bytes = bench_postgres_swap(price_bytes);
    uint64_t id_bytes = bench_postgres_swap((uint64_t)id);
    const char *values[] = {(const char *)&price_bytes, (const char *)&id_bytes};
    const int lengths[] = {sizeof price_bytes, sizeof id_bytes};
    const int formats[] = {1, 1};
    PGresult *result = PQexecPrepared(raw, prepared, id > 0 ? 2 : 0, values, lengths, formats, 0);
    bool done = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    return done || bench_fail(context, "%s with libpq: %s", prepared, PQerrorMessage(raw));
}

static bool raw_transactions(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    for (size_t i = 0; i < operations; i++) {
        bool done = raw_run(my->raw, "begin", 0, context);
        for (int write = 0; write < WRITES && done; write++)
            done = raw_run(my->raw, "update_item", bench_pick(&my->raw_sequence, BENCH_POSTGRES_ITEMS), context);
        if (!done || !raw_run(my->raw, "commit", 0, context))
            return false;
    }
    return true;
}

/* ---- Making and ending the job ---- */

static bool open_raw(job *my, bench_context *context) {
    const Oid types[] = {701, 20}; /* double precision, bigint */
    char url[1024];
    my->near = bench_postgres_connect(context);
    if (my->near == NULL || !bench_postgres_make_items(my->near, context))
        return false;
    snprintf(url, sizeof url, "%s", context->postgres_url);
    const char *const names[] = {"dbname", "host", "port", "sslmode", NULL};
    const char *const values[] = {url, "127.0.0.1", bench_delay_port(my->between), "disable", NULL};
    my->raw = PQconnectdbParams(names, values, 1);
    if (PQstatus(my->raw) != CONNECTION_OK)
        return bench_fail(context, "connecting with libpq: %s", PQerrorMessage(my->raw));
    return bench_postgres_prepare(my->raw, "begin", "BEGIN", 0, NULL, context) &&
           bench_postgres_prepare(my->raw, "commit", "COMMIT", 0, NULL, context) &&
           bench_postgres_prepare(my->raw, "update_item", "UPDATE lido_bench_items SET price = $1 WHERE id = $2", 2,
                                  types, context);
}

static bool open_lido(job *my, bench_context *context) {
    lido_error error = LIDO_ERROR_INIT;
    lido_options options = LIDO_OPTIONS_INIT;
    options.host = "127.0.0.1";
    options.port = bench_delay_port(my->between);
    options.sslmode = "disable";
    my->engine = lido_engine_open(context->postgres_url, &options, &error);
    return my->engine != NULL || bench_fail_lido(context, &error);
}

static void close_job(void *opened) {
    job *my = opened;
    lido_engine_close(my->engine);
    PQfinish(my->raw);
    if (my->near != NULL)
        bench_postgres_drop_items(my->near);
    PQfinish(my->near);
    bench_delay_close(my->between);
    free(my);
}

static void *open_job(bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    my->lido_sequence = my->raw_sequence = 88172645463325252U;
    my->between = bench_delay_open(ONE_WAY_US, context);
    if (my->between != NULL && open_raw(my, context) && open_lido(my, context))
        return my;
    close_job(my);
    return NULL;
}

const bench_measure bench_pg_delay[] = {
    {.name = "pg-delay",
     .case_name = "sent",
     .needs_postgres = true,
     .effort = {.pairs = 31, .slice_ms = 100},
     .target = 3,
     .open = open_job,
     .close = close_job,
     .lido = lido_sends,
     .raw = raw_transactions},
    {.name = "pg-delay",
     .case_name = "waited",
     .needs_postgres = true,
     .effort = {.pairs = 15, .slice_ms = 100},
     .open = open_job,
     .close = close_job,
     .lido = lido_waits,
     .raw = raw_transactions},
    {.name = NULL},
};
