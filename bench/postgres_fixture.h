/* What the PostgreSQL measures share: a raw connection, and a table to read from. */
#ifndef LIDO_BENCH_POSTGRES_FIXTURE_H
#define LIDO_BENCH_POSTGRES_FIXTURE_H

#include <stdbool.h>

#include <libpq-fe.h>

#include "harness.h"

enum { BENCH_POSTGRES_ITEMS = 10000 };

/* libpq's handle, to be ended with PQfinish; NULL, with context->problem set, if there is no connection. */
PGconn *bench_postgres_connect(bench_context *context);

/* Runs SQL without parameters and drops what it returns. */
bool bench_postgres_run(PGconn *connection, const char *sql, bench_context *context);

/* PQprepare. */
bool bench_postgres_prepare(PGconn *connection, const char *name, const char *sql, int count, const Oid *types,
                            bench_context *context);

/* A raw connection, having made tables anew: `tables` are their names, with commas between, and `create` the SQL. NULL,
 * with context->problem set, if that went wrong. */
PGconn *bench_postgres_open_tables(const char *tables, const char *create, bench_context *context);
/* Drops them, and ends the connection; NULL: nothing to do. */
void bench_postgres_close_tables(PGconn *connection, const char *tables);

/* Makes the table lido_bench_items (id bigint primary key, name text, price double precision) anew, with
 * BENCH_POSTGRES_ITEMS rows: id from 1, name "item <id>", price id / 4. */
bool bench_postgres_make_items(PGconn *connection, bench_context *context);
void bench_postgres_drop_items(PGconn *connection);

/* 2000-01-01, which PostgreSQL counts moments from. */
#define BENCH_POSTGRES_EPOCH_US INT64_C(946684800000000)

/* Big-endian bytes, as the wire has them, and back. */
static inline uint64_t bench_postgres_swap(uint64_t bytes) {
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(bytes) : bytes;
}

#endif
