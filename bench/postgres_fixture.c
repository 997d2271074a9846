/* The raw connection and the table of the PostgreSQL measures. */
#include "postgres_fixture.h"

PGconn *bench_postgres_connect(bench_context *context) {
    PGconn *connection = PQconnectdb(context->postgres_url);
    if (PQstatus(connection) == CONNECTION_OK)
        return connection;
    bench_fail(context, "connecting with libpq: %s", PQerrorMessage(connection));
    PQfinish(connection);
    return NULL;
}

bool bench_postgres_run(PGconn *connection, const char *sql, bench_context *context) {
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
        return true;
    return bench_fail(context, "%s: %s", sql, PQerrorMessage(connection));
}

bool bench_postgres_prepare(PGconn *connection, const char *name, const char *sql, int count, const Oid *types,
                            bench_context *context) {
    PGresult *result = PQprepare(connection, name, sql, count, types);
    bool prepared = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    return prepared || bench_fail(context, "preparing with libpq: %s", PQerrorMessage(connection));
}

bool bench_postgres_make_items(PGconn *connection, bench_context *context) {
    return bench_postgres_run(connection, "SET client_min_messages = warning", context) &&
           bench_postgres_run(connection, "DROP TABLE IF EXISTS lido_bench_items", context) &&
           bench_postgres_run(connection,
                              "CREATE TABLE lido_bench_items (id bigint PRIMARY KEY, name text NOT NULL,"
                              " price double precision NOT NULL)",
                              context) &&
           bench_postgres_run(connection,
                              "INSERT INTO lido_bench_items SELECT n, 'item ' || n, n / 4.0"
                              " FROM generate_series(1, 10000) AS n",
                              context) &&
           bench_postgres_run(connection, "VACUUM ANALYZE lido_bench_items", context);
}

void bench_postgres_drop_items(PGconn *connection) {
    PQclear(PQexec(connection, "DROP TABLE IF EXISTS lido_bench_items"));
}
