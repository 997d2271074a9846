/* Measuring lido against its raw counterpart: the two run in turn, slice by slice, in one process, and what
 * counts is the ratio of neighbouring slices. Absolute times wander with the machine; those ratios do so far less.
 *
 * A measure is a row in a table: what it is called, how its job is made and ended, and two functions that do the same
 * work `operations` times. To add one: write a file that exports such a table, and name it in measures.c and in
 * meson.build. */
#ifndef LIDO_BENCH_HARNESS_H
#define LIDO_BENCH_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lido.h>

/* What a measure is given, and where it leaves word. */
typedef struct bench_context {
    const char *postgres_url; /* NULL: there is no server to measure with */
    bool skipped;             /* the measure cannot be taken here, for the reason in `problem` */
    char note[256];           /* a circumstance the reader of the figure should know; "" if none */
    char problem[1280];       /* why it failed or was skipped */
} bench_context;

/* Does the operation so many times. False, with context->problem set, if any of them went wrong. */
typedef bool bench_run(void *job, size_t operations, bench_context *context);

typedef struct bench_measure {
    const char *name;      /* NULL ends a table */
    const char *case_name; /* what tells measures of one name apart */
    bool needs_postgres;
    double target;                         /* the least ratio that is good enough; 0: none is set */
    double cpu_target;                     /* the most processor time of this process over raw's; 0: none is set */
    void *(*open)(bench_context *context); /* the job; NULL, with context->problem set, if it cannot be made */
    void (*close)(void *job);
    bench_run *lido;
    bench_run *raw;
} bench_measure;

/* All tables, ended by NULL. In measures.c. */
extern const bench_measure *const bench_measures[];

typedef struct bench_effort {
    size_t pairs;     /* how many neighbouring slices are compared; at most BENCH_PAIRS_MOST */
    int64_t slice_ms; /* how long one slice is to last */
} bench_effort;

enum { BENCH_PAIRS_MOST = 1001 };

/* Times are microseconds for one operation, medians over all slices. A ratio is the median over the pairs. */
typedef struct bench_result {
    size_t pairs;
    double lido, raw;
    double ratio, lowest, highest; /* lido's throughput over raw's */
    double lido_cpu, raw_cpu;      /* processor time of this process */
    double cpu_ratio;              /* lido's over raw's: more is worse */
} bench_result;

/* Measures an open job. False, with context->problem set, if an operation went wrong. */
bool bench_compare(const bench_measure *measure, void *job, bench_effort effort, bench_context *context,
                   bench_result *result);

/* Both return false, so that a caller can write `return bench_fail(…)`. */
bool bench_fail(bench_context *context, const char *format, ...) LIDO_FORMAT(2, 3);
bool bench_skip(bench_context *context, const char *format, ...) LIDO_FORMAT(2, 3);
/* The same as bench_fail, with lido's own report. */
bool bench_fail_lido(bench_context *context, const lido_error *error);

/* The next of a fixed sequence of numbers from 1 to `most`, cheap enough not to be measured. `*state` starts at
 * anything but 0. */
static inline int64_t bench_pick(uint64_t *state, int64_t most) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (int64_t)(((*state >> 32) * (uint64_t)most) >> 32) + 1;
}

#endif
