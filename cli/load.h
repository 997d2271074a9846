/* A load on a database: workers, threads in each, tasks in each of those, which all do the same operation again and
 * again, and count. */
#ifndef LIDO_CLI_LOAD_H
#define LIDO_CLI_LOAD_H

#include "generator.h"
#include "latency.h"

enum { LOAD_STATEMENTS_MOST = 16, LOAD_PARAMETERS_MOST = 64, LOAD_CATEGORIES = LIDO_ERROR_OTHER + 1 };

typedef struct load_statement {
    const char *sql;
    size_t parameter_count;
    generator parameters[LOAD_PARAMETERS_MOST];
} load_statement;

typedef struct load_plan {
    const char *url; /* NULL: the environment's */
    int workers;
    int threads; /* in each worker */
    int tasks;   /* in each thread; 0: the thread itself does it */
    int64_t seconds;
    bool read_only;
    size_t statement_count; /* one: in autocommit mode; several: in a transaction, one after the other */
    load_statement statements[LOAD_STATEMENTS_MOST];
} load_plan;

/* What one thread has counted. */
typedef struct load_lane {
    _Atomic int64_t done;
    _Atomic int64_t failed[LOAD_CATEGORIES];
    latency latency;
} load_lane;

/* What all have; in memory that the processes share. */
typedef struct load_board {
    atomic_int started;        /* threads that have begun; the clock starts with the last */
    _Atomic int64_t began_ns;  /* 0: not yet; */
    _Atomic int64_t ended_ns;  /* when the first ended */
    atomic_bool out_of_memory; /* somebody could not begin for want of it: all end */
    atomic_bool has_error;     /* whether `error` is written */
    atomic_bool writes_error;  /* whether somebody does */
    lido_error error;          /* the first */
    atomic_int pools;          /* how many of these are added up: */
    _Atomic int64_t acquires, waits, wait_us, connections;
    int lane_count;
    load_lane lanes[];
} load_board;

/* Maps the board for this plan; NULL: no memory. */
load_board *load_board_new(const load_plan *plan);
void load_board_free(load_board *board);

/* Runs the load to its end, or until the process is told to stop. `tick` is called each second, in a worker's process.
 * LIDO_ERROR with *error set: it did not begin. */
lido_status load_run(const load_plan *plan, load_board *board, void (*tick)(load_board *board, void *user), void *user,
                     lido_error *error);

/* Monotonic. */
int64_t load_now_ns(void);
/* So far. */
int64_t load_done(const load_board *board);
int64_t load_failed(const load_board *board);
/* How long the clock has run, to the end or to now; 0: it has not begun. */
int64_t load_lasted_ns(const load_board *board);

#endif
