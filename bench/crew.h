/* Several threads that do one slice together.
 *
 * The operations lie on one heap, from which each thread takes some at a time, so that how many each gets done shows
 * who was kept waiting. The clock starts when all threads are ready and stops when the first finds nothing left: what
 * one of them takes to begin or to end is not measured. */
#ifndef LIDO_BENCH_CREW_H
#define LIDO_BENCH_CREW_H

#include "harness.h"

enum { BENCH_CREW_MOST = 64 };

typedef struct bench_crew bench_crew;

/* One thread's part of one slice. */
typedef struct bench_shift {
    void *job;
    size_t thread;         /* from 0 */
    size_t done;           /* how many operations it was given */
    bench_context context; /* of this thread: a failure is told here */
    bench_crew *crew;
    bool ready; /* it has asked for operations */
} bench_shift;

/* What a thread does: makes ready, then works until bench_shift_take gives nothing more, then clears up. False, with
 * shift->context.problem set, if something went wrong. */
typedef bool bench_crew_run(bench_shift *shift);

/* How many operations to do next, at most the crew's batch; 0: none are left. Waits, the first time, until all threads
 * are ready. */
size_t bench_shift_take(bench_shift *shift);

/* Runs a slice by so many threads, at most BENCH_CREW_MOST, and leaves its figure in *context. `shifts`, if it is not
 * NULL, takes what became of each thread. */
bool bench_crew_slice(size_t threads, size_t batch, bench_crew_run *run, void *job, size_t operations,
                      bench_context *context, bench_shift *shifts);

/* The monotonic clock, in nanoseconds. */
double bench_now_ns(void);

#endif
