/* The tables that the measure files export. */
#ifndef LIDO_BENCH_MEASURES_H
#define LIDO_BENCH_MEASURES_H

#include "harness.h"

extern const bench_measure bench_bulk[];
extern const bench_measure bench_loop_stall[];
extern const bench_measure bench_memory[];
extern const bench_measure bench_model_flush[];
extern const bench_measure bench_model_insert[];
extern const bench_measure bench_model_load[];
extern const bench_measure bench_pg_delay[];
extern const bench_measure bench_pg_lanes[];
extern const bench_measure bench_metrics_cost[];
extern const bench_measure bench_pg_select[];
extern const bench_measure bench_pg_session[];
extern const bench_measure bench_pg_tasks[];
extern const bench_measure bench_pg_threads[];
extern const bench_measure bench_pg_transaction[];
extern const bench_measure bench_pool[];
extern const bench_measure bench_regexp[];
extern const bench_measure bench_seed[];
extern const bench_measure bench_restart[];
extern const bench_measure bench_scoped[];
extern const bench_measure bench_sqlite_insert[];
extern const bench_measure bench_sqlite_processes[];
extern const bench_measure bench_sqlite_select[];
extern const bench_measure bench_sqlite_session[];
extern const bench_measure bench_sqlite_task[];
extern const bench_measure bench_sqlite_writers[];
extern const bench_measure bench_task_switch[];
extern const bench_measure bench_task_waiters[];
extern const bench_measure bench_worker_start[];

#endif
