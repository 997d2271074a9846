/* The raw connection and the table of the PostgreSQL measures. */
#include "postgres_fixture.h"

#include <stdio.h>

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

/* Without a word of tables that are not there. */
static bool drop_tables(PGconn *connection, const char *tables, bench_context *context) {
    char sql[256];
    snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS %s", tables);
    return bench_postgres_run(connection, "SET client_min_messages = warning", context) &&
           bench_postgres_run(connection, sql, context);
}

PGconn *bench_postgres_open_tables(const char *tables, const char *create, bench_context *context) {
    PGconn *connection = bench_postgres_connect(context);
    if (connection == NULL)
        return NULL;
    if (drop_tables(connection, tables, context) && bench_postgres_run(connection, create, context))
        return connection;
    PQfinish(connection);
    return NULL;
}

void bench_postgres_close_tables(PGconn *connection, const char *tables) {
    bench_context ignored = {.postgres_url = NULL};
    if (connection == NULL)
        return;
    drop_tables(connection, tables, &ignored);
    PQfinish(connection);
}

bool bench_postgres_make_items(PGconn *connection, bench_context *context) {
    return drop_tables(connection, "lido_bench_items", context) &&
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
