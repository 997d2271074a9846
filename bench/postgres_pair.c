/* Making and ending the pair of postgres_pair.h, and raw's select. */
#include "postgres_pair.h"

#include <stdio.h>
#include <string.h>

/* ---- Raw's select. ---- */

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

static bool is_item(const PGresult *result, int64_t wanted) {
    return PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 &&
           bench_item_is_right(wanted, read_int64(result, 0), PQgetvalue(result, 0, 1), read_double(result, 2));
}

static bool fail_select(PGconn *raw, int64_t wanted, bench_context *context) {
    return bench_fail(context, "libpq did not find row %lld: %s", (long long)wanted, PQerrorMessage(raw));
}

bool bench_postgres_raw_select(PGconn *raw, int64_t wanted, bench_context *context) {
    uint64_t bytes = bench_postgres_swap((uint64_t)wanted);
    const char *values[1] = {(const char *)&bytes};
    const int lengths[1] = {sizeof bytes};
    const int formats[1] = {1};
    PGresult *result = PQexecPrepared(raw, "select_item", 1, values, lengths, formats, 1);
    bool right = is_item(result, wanted);
    PQclear(result);
    return right || fail_select(raw, wanted, context);
}

/* One result, and the NULL after it, which a Sync has not. */
static bool read_status(PGconn *raw, ExecStatusType wanted) {
    PGresult *result = PQgetResult(raw);
    bool right = PQresultStatus(result) == wanted;
    PQclear(result);
    return right && (wanted == PGRES_PIPELINE_SYNC || PQgetResult(raw) == NULL);
}

bool bench_postgres_raw_read(PGconn *raw, bool sync, bench_context *context) {
    bool right = read_status(raw, PGRES_COMMAND_OK) && (!sync || read_status(raw, PGRES_PIPELINE_SYNC));
    return right || bench_fail(context, "reading an answer with libpq: %s", PQerrorMessage(raw));
}

bool bench_postgres_raw_begin(PGconn *raw, const char *begin, bool owed, int64_t wanted, bench_context *context) {
    uint64_t bytes = bench_postgres_swap((uint64_t)wanted);
    const char *values[1] = {(const char *)&bytes};
    const int lengths[1] = {sizeof bytes};
    const int formats[1] = {1};
    if (!PQsendQueryPrepared(raw, begin, 0, NULL, NULL, NULL, 0) ||
        !PQsendQueryPrepared(raw, "select_item", 1, values, lengths, formats, 1) || !PQpipelineSync(raw))
        return bench_fail(context, "sending with libpq: %s", PQerrorMessage(raw));
    if ((owed && !bench_postgres_raw_read(raw, true, context)) || !bench_postgres_raw_read(raw, false, context))
        return false;
    PGresult *result = PQgetResult(raw);
    bool right = is_item(result, wanted);
    PQclear(result);
    right = right && PQgetResult(raw) == NULL && read_status(raw, PGRES_PIPELINE_SYNC);
    return right || fail_select(raw, wanted, context);
}

bool bench_postgres_raw_prepare_select(PGconn *raw, bench_context *context) {
    const Oid bigint = 20;
    return bench_postgres_prepare(raw, "select_item", "SELECT id, name, price FROM lido_bench_items WHERE id = $1", 1,
                                  &bigint, context);
}

/* ---- The pair. ---- */

static bool open_raw(bench_postgres_pair *pair, bench_context *context) {
    pair->raw = bench_postgres_connect(context);
    return pair->raw != NULL && bench_postgres_make_items(pair->raw, context) &&
           bench_postgres_raw_prepare_select(pair->raw, context);
}

/* One connection, so that the server's process that was pinned is the one that serves. */
static bool open_lido(bench_postgres_pair *pair, bench_context *context) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 1;
    options.max_overflow = 0;
    return bench_select_open(&pair->select, context->postgres_url, &options, context);
}

static bool pin_servers(bench_postgres_pair *pair, int cpu, bench_context *context) {
    lido_value process = lido_query_value(pair->select.session, "SELECT pg_backend_pid()");
    if (process.kind != LIDO_KIND_INT64)
        return bench_fail_lido(context, lido_error_of(pair->select.session));
    const char *problem = bench_pin_server((pid_t)process.as.integer, cpu);
    if (problem == NULL)
        problem = bench_pin_server((pid_t)PQbackendPID(pair->raw), cpu);
    if (problem != NULL)
        snprintf(context->note, sizeof context->note, "the server's processes were not pinned: %s", problem);
    return true;
}

bool bench_postgres_pair_open(bench_postgres_pair *pair, size_t server, bench_context *context) {
    pair->before = bench_affinity_save();
    int client_cpu = bench_affinity_cpu(&pair->before, 0);
    int server_cpu = bench_affinity_cpu(&pair->before, server);
    const char *problem = server_cpu < 0 ? "there are not enough processors" : bench_pin_self(client_cpu);
    if (problem != NULL)
        return bench_skip(context, "this thread cannot be pinned: %s", problem);
    return open_raw(pair, context) && open_lido(pair, context) && pin_servers(pair, server_cpu, context);
}

void bench_postgres_pair_close(bench_postgres_pair *pair) {
    bench_select_close(&pair->select);
    if (pair->raw != NULL) {
        bench_postgres_drop_items(pair->raw);
        PQfinish(pair->raw);
    }
    bench_affinity_restore(&pair->before);
}
