/* lido-bench: reads its arguments, takes the measures that were asked for, and reports them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "report.h"

static const char usage[] =
    "usage: lido-bench [--list] [--table] [--pairs N] [--slice MS] [--side lido|raw --operations N] [NAME…]\n"
    "\n"
    "Measures lido against its raw counterpart and prints one JSON object a line. NAME is a measure\n"
    "(\"pg-select\") or one case of it (\"pg-select/one-core\"); without one, all are taken.\n"
    "\n"
    "  --list           name the measures and their cases\n"
    "  --table          print an aligned table instead of JSON\n"
    "  --pairs N        how many pairs of slices to compare (101, unless the measure needs other)\n"
    "  --slice MS       how long one slice lasts, in milliseconds (20, unless the measure needs other)\n"
    "  --side S         do not measure, but run this side alone, for a profiler\n"
    "  --operations N   how many times (default 10000)\n"
    "\n"
    "LIDO_TEST_POSTGRES_URL says which server the PostgreSQL measures use; without it they are skipped.\n"
    "Exits with 0 even if a target is missed, 1 if a measure could not be taken, 2 if called wrongly.\n";

enum { PAIRS = 101, SLICE_MS = 20 };

typedef struct request {
    bool list;
    bool table;
    bench_effort effort; /* 0: the measure's */
    const char *side;    /* NULL: measure */
    size_t operations;
    char **names; /* none: all */
    int name_count;
    const char *postgres_url;
} request;

/* ---- Arguments. ---- */

static bool read_number(const char *text, unsigned long least, unsigned long most, unsigned long *number) {
    char *end = NULL;
    errno = 0;
    unsigned long read = text != NULL ? strtoul(text, &end, 10) : 0;
    if (text == NULL || *text < '0' || *text > '9' || *end != '\0' || errno != 0 || read < least || read > most)
        return false;
    *number = read;
    return true;
}

/* How many arguments the option took; 0 if it is none, or wrong. */
static int read_option(request *wanted, char **arguments) {
    const char *option = arguments[0];
    const char *value = arguments[1];
    unsigned long number = 0;
    if (strcmp(option, "--list") == 0)
        return wanted->list = true;
    if (strcmp(option, "--table") == 0)
        return wanted->table = true;
    if (strcmp(option, "--pairs") == 0 && read_number(value, 1, BENCH_PAIRS_MOST, &number)) {
        wanted->effort.pairs = number;
        return 2;
    }
    if (strcmp(option, "--slice") == 0 && read_number(value, 1, 60000, &number)) {
        wanted->effort.slice_ms = (int64_t)number;
        return 2;
    }
    if (strcmp(option, "--operations") == 0 && read_number(value, 1, 1000000000, &number)) {
        wanted->operations = number;
        return 2;
    }
    if (strcmp(option, "--side") == 0 && value != NULL && (strcmp(value, "lido") == 0 || strcmp(value, "raw") == 0)) {
        wanted->side = value;
        return 2;
    }
    return 0;
}

static bool read_arguments(request *wanted, int count, char **arguments) {
    int at = 1;
    while (at < count && strncmp(arguments[at], "--", 2) == 0) {
        int taken = read_option(wanted, arguments + at);
        if (taken == 0) {
            fprintf(stderr, "lido-bench: not understood: %s\n\n%s", arguments[at], usage);
            return false;
        }
        at += taken;
    }
    wanted->names = arguments + at;
    wanted->name_count = count - at;
    return true;
}

/* ---- Which measures. ---- */

static bool called(const bench_measure *measure, const char *name) {
    size_t length = strlen(measure->name);
    if (strncmp(name, measure->name, length) != 0)
        return false;
    return name[length] == '\0' || (name[length] == '/' && strcmp(name + length + 1, measure->case_name) == 0);
}

static bool is_wanted(const request *wanted, const bench_measure *measure) {
    bool chosen = wanted->name_count == 0;
    for (int i = 0; i < wanted->name_count; i++)
        chosen = chosen || called(measure, wanted->names[i]);
    return chosen;
}

static bool is_known(const char *name) {
    for (size_t i = 0; bench_measures[i] != NULL; i++)
        for (const bench_measure *measure = bench_measures[i]; measure->name != NULL; measure++)
            if (called(measure, name))
                return true;
    return false;
}

/* A name that is misspelt must not look like a measure that passed. */
static bool check_names(const request *wanted) {
    for (int i = 0; i < wanted->name_count; i++)
        if (!is_known(wanted->names[i])) {
            fprintf(stderr, "lido-bench: there is no measure \"%s\"; lido-bench --list names them\n", wanted->names[i]);
            return false;
        }
    return true;
}

/* ---- Taking them. ---- */

static bool run_side(const request *wanted, const bench_measure *measure, void *job, bench_context *context) {
    bench_run *run = strcmp(wanted->side, "lido") == 0 ? measure->lido : measure->raw;
    return run != NULL ? run(job, wanted->operations, context)
                       : bench_skip(context, "it has no sides that could be run alone");
}

static bench_effort effort_of(const request *wanted, const bench_measure *measure) {
    bench_effort effort = {.pairs = PAIRS, .slice_ms = SLICE_MS};
    if (wanted->effort.pairs > 0 || measure->effort.pairs > 0)
        effort.pairs = wanted->effort.pairs > 0 ? wanted->effort.pairs : measure->effort.pairs;
    if (wanted->effort.slice_ms > 0 || measure->effort.slice_ms > 0)
        effort.slice_ms = wanted->effort.slice_ms > 0 ? wanted->effort.slice_ms : measure->effort.slice_ms;
    return effort;
}

static bool run_open(const request *wanted, const bench_measure *measure, void *job, bench_context *context) {
    if (wanted->side != NULL)
        return run_side(wanted, measure, job, context);
    bench_result result;
    bool done = measure->weigh != NULL ? measure->weigh(job, context, &result)
                                       : bench_compare(measure, job, effort_of(wanted, measure), context, &result);
    if (!done || (measure->conclude != NULL && !measure->conclude(job, context)))
        return false;
    if (wanted->table)
        bench_report_table_row(measure, &result, context);
    else
        bench_report_json(measure, &result, context);
    return true;
}

static bool take(const request *wanted, const bench_measure *measure) {
    bench_context context = {.postgres_url = wanted->postgres_url};
    bool done = !measure->needs_postgres || wanted->postgres_url != NULL ||
                bench_skip(&context, "LIDO_TEST_POSTGRES_URL is not set");
    void *job = done ? measure->open(&context) : NULL;
    done = job != NULL && run_open(wanted, measure, job, &context);
    if (job != NULL)
        measure->close(job);
    if (!done)
        fprintf(stderr, "lido-bench: %s/%s %s: %s\n", measure->name, measure->case_name,
                context.skipped ? "skipped" : "failed", context.problem);
    return done || context.skipped;
}

static bool take_all(const request *wanted) {
    bool good = true;
    if (wanted->table && !wanted->list)
        bench_report_table_head();
    for (size_t i = 0; bench_measures[i] != NULL; i++)
        for (const bench_measure *measure = bench_measures[i]; measure->name != NULL; measure++) {
            if (!is_wanted(wanted, measure))
                continue;
            if (wanted->list)
                printf("%s/%s\n", measure->name, measure->case_name);
            else
                good = take(wanted, measure) && good;
        }
    return good;
}

int main(int count, char **arguments) {
    request wanted = {.operations = 10000};
    if (count == 2 && strcmp(arguments[1], "--help") == 0) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (!read_arguments(&wanted, count, arguments) || !check_names(&wanted))
        return 2;
    wanted.postgres_url = getenv("LIDO_TEST_POSTGRES_URL");
#ifndef __OPTIMIZE__
    fprintf(stderr, "lido-bench: built without optimisation; its figures say nothing\n");
#endif
    return take_all(&wanted) ? EXIT_SUCCESS : EXIT_FAILURE;
}
