/* Slices, pairs and medians.
 *
 * Many short slices beat few long ones: the machine changes its mind over seconds, and what happens to both slices of a
 * pair alike cancels out of their ratio. Raw measured against raw comes within 0.3 % of 1 this way, in 4 seconds. */
#include "harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* What one slice took, in nanoseconds for one operation. `figure`: what it is judged by. */
typedef struct slice {
    double wall;
    double figure;
    double cpu;
} slice;

typedef struct side {
    bench_run *run;
    size_t operations; /* in one slice */
    double figures[BENCH_PAIRS_MOST];
    double cpu[BENCH_PAIRS_MOST];
} side;

/* ---- Leaving word. ---- */

bool bench_fail(bench_context *context, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context->problem, sizeof context->problem, format, arguments);
    va_end(arguments);
    return false;
}

bool bench_skip(bench_context *context, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context->problem, sizeof context->problem, format, arguments);
    va_end(arguments);
    context->skipped = true;
    return false;
}

bool bench_fail_lido(bench_context *context, const lido_error *error) {
    if (error->status == LIDO_OK)
        return bench_fail(context, "lido returned something else than was stored, and reported no error");
    lido_error_format(error, context->problem, sizeof context->problem);
    return false;
}

lido_engine *bench_engine_open(const char *url, const lido_options *options, bench_context *context) {
    lido_error error = LIDO_ERROR_INIT;
    lido_engine *engine = lido_engine_open(url, options, &error);
    if (engine == NULL)
        bench_fail_lido(context, &error);
    return engine;
}

void bench_figure_add(bench_context *context, const char *name, double value, bench_judged judged, double target) {
    if (context->figure_count < BENCH_FIGURES_MOST)
        context->figures[context->figure_count++] = (bench_figure){name, value, judged, target};
}

/* ---- Figures. ---- */

static double now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare_doubles(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

double bench_median(double *figures, size_t count) {
    qsort(figures, count, sizeof *figures, compare_doubles);
    size_t middle = count / 2;
    return count % 2 == 1 ? figures[middle] : (figures[middle - 1] + figures[middle]) / 2;
}

double bench_unit_in_us(bench_unit unit) {
    return unit == BENCH_NANOSECONDS ? 0.001 : 1;
}

/* ---- Slices. ---- */

static bool run_slice(bench_run *run, void *job, size_t operations, bench_context *context, slice *took) {
    double cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    double wall = now(CLOCK_MONOTONIC);
    context->figure_ns = 0;
    bool done = run(job, operations, context);
    took->wall = (now(CLOCK_MONOTONIC) - wall) / (double)operations;
    took->figure = context->figure_ns > 0 ? context->figure_ns : took->wall;
    took->cpu = (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)operations;
    return done;
}

/* Wall time of one operation, the better of two slices where the first seems to be full: one that was kept from the
 * processor would make all that follow far too short. */
static bool try_operations(side *one, void *job, double slice_ns, bench_context *context, double *each_ns) {
    slice took = {0, 0, 0};
    if (!run_slice(one->run, job, one->operations, context, &took))
        return false;
    *each_ns = took.wall;
    if (took.wall * (double)one->operations < slice_ns)
        return true;
    if (!run_slice(one->run, job, one->operations, context, &took))
        return false;
    *each_ns = took.wall < *each_ns ? took.wall : *each_ns;
    return true;
}

/* Finds how many operations fill a slice, which warms caches and connections up on the way. */
static bool calibrate(side *one, void *job, double slice_ns, bench_context *context) {
    double each_ns = 0;
    one->operations = 1;
    while (try_operations(one, job, slice_ns, context, &each_ns)) {
        if (each_ns * (double)one->operations >= slice_ns) {
            one->operations = each_ns < slice_ns ? (size_t)(slice_ns / each_ns) : 1;
            return true;
        }
        one->operations *= 2;
    }
    return false;
}

static bool measure_side(side *one, void *job, size_t pair, bench_context *context) {
    slice took;
    if (!run_slice(one->run, job, one->operations, context, &took))
        return false;
    one->figures[pair] = took.figure;
    one->cpu[pair] = took.cpu;
    return true;
}

/* Who goes first alternates, so that neither is always the one that finds the other's caches. */
static bool measure_pairs(side *lido, side *raw, void *job, size_t pairs, bench_context *context) {
    for (size_t pair = 0; pair < pairs; pair++) {
        side *first = pair % 2 == 0 ? lido : raw;
        side *second = pair % 2 == 0 ? raw : lido;
        if (!measure_side(first, job, pair, context) || !measure_side(second, job, pair, context))
            return false;
    }
    return true;
}

/* Ratios first: the medians sort the slices, and pairs are pairs no more. */
static void summarise(side *lido, side *raw, size_t pairs, double unit_ns, bench_result *result) {
    double ratios[BENCH_PAIRS_MOST];
    double cpu_ratios[BENCH_PAIRS_MOST];
    for (size_t pair = 0; pair < pairs; pair++) {
        ratios[pair] = raw->figures[pair] / lido->figures[pair];
        cpu_ratios[pair] = lido->cpu[pair] / raw->cpu[pair];
    }
    result->pairs = pairs;
    result->ratio = bench_median(ratios, pairs);
    result->lowest = ratios[0];
    result->highest = ratios[pairs - 1];
    result->cpu_ratio = bench_median(cpu_ratios, pairs);
    result->lido = bench_median(lido->figures, pairs) / unit_ns;
    result->raw = bench_median(raw->figures, pairs) / unit_ns;
    result->lido_cpu = bench_median(lido->cpu, pairs) / unit_ns;
    result->raw_cpu = bench_median(raw->cpu, pairs) / unit_ns;
}

bool bench_compare(const bench_measure *measure, void *job, bench_effort effort, bench_context *context,
                   bench_result *result) {
    side lido = {.run = measure->lido};
    side raw = {.run = measure->raw};
    double slice_ns = (double)effort.slice_ms * 1e6;
    if (!calibrate(&lido, job, slice_ns, context) || !calibrate(&raw, job, slice_ns, context))
        return false;
    context->counts = true;
    bool done = measure_pairs(&lido, &raw, job, effort.pairs, context);
    context->counts = false;
    if (done)
        summarise(&lido, &raw, effort.pairs, bench_unit_in_us(measure->unit) * 1000, result);
    return done;
}
