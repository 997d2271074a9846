/* pg-select: one row by its primary key, out of 10 000, each in a transaction of its own.
 *
 * Raw: PQexecPrepared with a binary parameter and binary results, read into the same C types. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "affinity.h"
#include "measures.h"
#include "postgres_fixture.h"
#include "select.h"

typedef struct job {
    bench_selecting select;
    PGconn *raw;
    bench_affinity before;
} job;

static bool lido_selects(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    return bench_select_by_lido(&my->select, "SELECT id, name, price FROM lido_bench_items WHERE id = ?",
                                BENCH_POSTGRES_ITEMS, operations, context);
}

static int64_t read_int64(const PGresult *result, int column) {
    uint64_t bytes;
    memcpy(&bytes, PQgetvalue(result, 0, column), sizeof bytes);
    return (int64_t)bench_postgres_swap(bytes);
}

static double read_double(const PGresult *result, int column) {
    uint64_t bytes;
    double real;
    memcpy(&bytes, PQgetvalue(result, 0, column), sizeof bytes);
    bytes = bench_postgres_swap(bytes);
    memcpy(&real, &bytes, sizeof real);
    return real;
}

static bool raw_selects(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    for (size_t i = 0; i < operations; i++) {
        int64_t wanted = bench_pick(&my->select.raw_sequence, BENCH_POSTGRES_ITEMS);
        uint64_t bytes = bench_postgres_swap((uint64_t)wanted);
        const char *values[1] = {(const char *)&bytes};
        const int lengths[1] = {sizeof bytes};
        const int formats[1] = {1};
        bool right = false;
        PGresult *result = PQexecPrepared(my->raw, "select_item", 1, values, lengths, formats, 1);
        if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
            int64_t id = read_int64(result, 0);
            const char *name = PQgetvalue(result, 0, 1);
            double price = read_double(result, 2);
            right = bench_item_is_right(wanted, id, name, price);
        }
        PQclear(result);
        if (!right)
            return bench_fail(context, "libpq did not find row %lld: %s", (long long)wanted, PQerrorMessage(my->raw));
    }
    return true;
}

/* ---- Making and ending the job. ---- */

static bool open_raw(job *my, bench_context *context) {
    my->raw = bench_postgres_connect(context);
    if (my->raw == NULL || !bench_postgres_make_items(my->raw, context))
        return false;
    const Oid bigint = 20;
    PGresult *result =
        PQprepare(my->raw, "select_item", "SELECT id, name, price FROM lido_bench_items WHERE id = $1", 1, &bigint);
    bool prepared = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    return prepared || bench_fail(context, "preparing with libpq: %s", PQerrorMessage(my->raw));
}

/* One connection, so that the server's process that was pinned is the one that serves. */
static bool open_lido(job *my, bench_context *context) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 1;
    options.max_overflow = 0;
    return bench_select_open(&my->select, context->postgres_url, &options, context);
}

static bool pin_servers(job *my, int cpu, bench_context *context) {
    lido_value process = lido_query_value(my->select.session, "SELECT pg_backend_pid()");
    if (process.kind != LIDO_KIND_INT64)
        return bench_fail_lido(context, lido_error_of(my->select.session));
    const char *problem = bench_pin_server((pid_t)process.as.integer, cpu);
    if (problem == NULL)
        problem = bench_pin_server((pid_t)PQbackendPID(my->raw), cpu);
    if (problem != NULL)
        snprintf(context->note, sizeof context->note, "the server's processes were not pinned: %s", problem);
    return true;
}

static void close_job(void *opened) {
    job *my = opened;
    bench_select_close(&my->select);
    if (my->raw != NULL) {
        bench_postgres_drop_items(my->raw);
        PQfinish(my->raw);
    }
    bench_affinity_restore(&my->before);
    free(my);
}

/* This thread goes to the first processor that it may use, the server's to the one numbered `server`. */
static void *open_pinned(size_t server, bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    my->before = bench_affinity_save();
    int client_cpu = bench_affinity_cpu(&my->before, 0);
    int server_cpu = bench_affinity_cpu(&my->before, server);
    const char *problem = server_cpu < 0 ? "there are not enough processors" : bench_pin_self(client_cpu);
    bool ready = problem == NULL || bench_skip(context, "this thread cannot be pinned: %s", problem);
    ready = ready && open_raw(my, context) && open_lido(my, context) && pin_servers(my, server_cpu, context);
    if (ready)
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
     .open = open_on_two_cores,
     .close = close_job,
     .lido = lido_selects,
     .raw = raw_selects},
    {.name = NULL},
};
