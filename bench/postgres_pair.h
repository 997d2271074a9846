/* The job of most PostgreSQL measures: one lido session and one raw connection beside each other, each with a server
 * process, and all of them pinned. */
#ifndef LIDO_BENCH_POSTGRES_PAIR_H
#define LIDO_BENCH_POSTGRES_PAIR_H

#include "affinity.h"
#include "postgres_fixture.h"
#include "select.h"

#define BENCH_POSTGRES_SELECT_SQL "SELECT id, name, price FROM lido_bench_items WHERE id = ?"

typedef struct bench_postgres_pair {
    bench_selecting select; /* its session is in autocommit mode; the pool has one connection */
    PGconn *raw;            /* the items are made, and "select_item" is prepared */
    bench_affinity before;
} bench_postgres_pair;

/* This thread goes to the first processor that it may use, both server processes to the one numbered `server`. */
bool bench_postgres_pair_open(bench_postgres_pair *pair, size_t server, bench_context *context);
/* Also after that failed. */
void bench_postgres_pair_close(bench_postgres_pair *pair);

/* What the raw side is: the item with that id by PQexecPrepared, with a binary parameter and a binary result. */
bool bench_postgres_raw_select(PGconn *raw, int64_t wanted, bench_context *context);
/* The same in a transaction, as one writes it who counts round trips: `begin`, which is prepared, travels with the
 * select; in pipeline mode. `owed`: the answer to one more statement comes first, with its Sync. */
bool bench_postgres_raw_begin(PGconn *raw, const char *begin, bool owed, int64_t wanted, bench_context *context);
/* Reads the answer to a statement that returns no rows, and the Sync after it if there is one. */
bool bench_postgres_raw_read(PGconn *raw, bool sync, bench_context *context);
/* Prepares "select_item". */
bool bench_postgres_raw_prepare_select(PGconn *raw, bench_context *context);

#endif
