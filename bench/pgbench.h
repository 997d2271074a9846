/* PostgreSQL's own benchmark program as a raw side. */
#ifndef LIDO_BENCH_PGBENCH_H
#define LIDO_BENCH_PGBENCH_H

#include "harness.h"

/* Whether the program is there; else the measure is skipped. */
bool bench_pgbench_is_there(bench_context *context);

/* Runs a script of pgbench's so many times, prepared, by 32 clients on 32 connections and 2 threads; leaves the time of
 * one run as pgbench reports it, without its connecting. */
bool bench_pgbench_run(const char *script, size_t operations, bench_context *context);

#endif
