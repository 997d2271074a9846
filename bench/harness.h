/* Measuring lido against its raw counterpart: the two run in turn, slice by slice, in one process, and what
 * counts is the ratio of neighbouring slices. Absolute times wander with the machine; those ratios do so far less.
 *
 * A measure is a row in a table: what it is called, how its job is made and ended, and two functions that do the same
 * work `operations` times. To add one: write a file that exports such a table, and name it in measures.c and in
 * meson.build. What one number does not tell goes beside it as named figures, each with a target of its own. */
#ifndef LIDO_BENCH_HARNESS_H
#define LIDO_BENCH_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lido.h>

typedef enum bench_judged { BENCH_FOR_INFORMATION, BENCH_AT_LEAST, BENCH_AT_MOST } bench_judged;

/* Something that was found besides the time. */
typedef struct bench_figure {
    const char *name; /* lasts */
    double value;
    bench_judged judged; /* whether and how by `target` */
    double target;
} bench_figure;

enum { BENCH_FIGURES_MOST = 8 };

/* What a measure is given, and where it leaves word. */
typedef struct bench_context {
    const char *postgres_url; /* NULL: there is no server to measure with */
    bool counts;              /* the slice that runs is one of those compared, not one that finds their size */
    double figure_ns;   /* left by a slice: what it is judged by, instead of its time for one operation; 0: that */
    bool skipped;       /* the measure cannot be taken here, for the reason in `problem` */
    char note[256];     /* a circumstance the reader of the figure should know; "" if none */
    char problem[1280]; /* why it failed or was skipped */
    bench_figure figures[BENCH_FIGURES_MOST];
    size_t figure_count;
} bench_context;

/* Does the operation so many times. False, with context->problem set, if any of them went wrong. */
typedef bool bench_run(void *job, size_t operations, bench_context *context);

typedef enum bench_unit { BENCH_MICROSECONDS, BENCH_NANOSECONDS, BENCH_BYTES } bench_unit;

enum { BENCH_PAIRS_MOST = 1001 };

typedef struct bench_effort {
    size_t pairs;     /* how many neighbouring slices are compared; at most BENCH_PAIRS_MOST */
    int64_t slice_ms; /* how long one slice is to last */
} bench_effort;

/* Of one operation, in the measure's unit: medians over all slices. A ratio is the median over the pairs. NAN: there is
 * no such thing. */
typedef struct bench_result {
    size_t pairs;
    double lido, raw;
    double ratio, lowest, highest; /* lido's throughput over raw's */
    double lido_cpu, raw_cpu;      /* processor time of this process */
    double cpu_ratio;              /* lido's over raw's: more is worse */
} bench_result;

typedef struct bench_measure {
    const char *name;      /* NULL ends a table */
    const char *case_name; /* what tells measures of one name apart */
    bool needs_postgres;
    bench_unit unit;
    bench_effort effort;                   /* where the ordinary one (0) would not show what is looked for */
    double target;                         /* the least ratio that is good enough; 0: none is set */
    double most;                           /* the most of its unit that lido may take; 0: none is set */
    double cpu_target;                     /* the most processor time of this process over raw's; 0: none is set */
    void *(*open)(bench_context *context); /* the job; NULL, with context->problem set, if it cannot be made */
    void (*close)(void *job);
    bench_run *lido;
    bench_run *raw;
    /* Instead of the two: finds the result by itself. */
    bool (*weigh)(void *job, bench_context *context, bench_result *result);
    /* Optional: adds figures, after the last slice. False, with context->problem set: something is wrong. */
    bool (*conclude)(void *job, bench_context *context);
} bench_measure;

/* All tables, ended by NULL. In measures.c. */
extern const bench_measure *const bench_measures[];

/* In microseconds. */
double bench_unit_in_us(bench_unit unit);
/* Sorts the figures. */
double bench_median(double *figures, size_t count);

/* Measures an open job by its `lido` and `raw`. False, with context->problem set, if an operation went wrong. */
bool bench_compare(const bench_measure *measure, void *job, bench_effort effort, bench_context *context,
                   bench_result *result);

/* Both return false, so that a caller can write `return bench_fail(…)`. */
bool bench_fail(bench_context *context, const char *format, ...) LIDO_FORMAT(2, 3);
bool bench_skip(bench_context *context, const char *format, ...) LIDO_FORMAT(2, 3);
/* The same as bench_fail, with lido's own report. */
bool bench_fail_lido(bench_context *context, const lido_error *error);

/* lido's engine for that database, `options` or the ordinary ones being NULL; NULL, with context->problem set, if it
 * cannot be opened. */
lido_engine *bench_engine_open(const char *url, const lido_options *options, bench_context *context);

/* Adds a figure to what is reported; `name` must last. */
void bench_figure_add(bench_context *context, const char *name, double value, bench_judged judged, double target);

/* The next of a fixed sequence of numbers from 1 to `most`, cheap enough not to be measured. `*state` starts at
 * anything but 0. */
static inline int64_t bench_pick(uint64_t *state, int64_t most) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (int64_t)(((*state >> 32) * (uint64_t)most) >> 32) + 1;
}

#endif
