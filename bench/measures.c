/* Which measures there are, in the order in which they are taken. */
#include "measures.h"

const bench_measure *const bench_measures[] = {
    bench_pg_select,      bench_pg_threads,    bench_pg_session,     bench_pg_transaction,
    bench_pg_tasks,       bench_pg_lanes,      bench_pg_delay,       bench_sqlite_select,
    bench_sqlite_session, bench_sqlite_insert, bench_sqlite_writers, bench_sqlite_processes,
    bench_sqlite_task,    bench_bulk,          bench_seed,           bench_pool,
    bench_regexp,         bench_memory,        bench_task_switch,    bench_task_waiters,
    bench_loop_stall,     bench_scoped,        bench_worker_start,   bench_restart,
    bench_model_load,     bench_model_insert,  bench_model_flush,    NULL,
};
