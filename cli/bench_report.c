/* The figures of a load, for people and for programs. */
#include "bench_report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "screen.h"

static const struct {
    const char *name;
    double share;
} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p99.9", 0.999}};

enum { QUANTILES = sizeof quantiles / sizeof quantiles[0] };

typedef struct figures {
    double seconds;
    int64_t done;
    int64_t failed;
    int64_t by_category[LOAD_CATEGORIES];
    latency latency;
} figures;

static figures *add_up(const load_board *board) {
    figures *all = calloc(1, sizeof *all);
    if (all == NULL)
        return NULL;
    all->seconds = (double)load_lasted_ns(board) / 1e9;
    all->done = load_done(board);
    all->failed = load_failed(board);
    for (int i = 0; i < board->lane_count; i++) {
        latency_merge(&all->latency, &board->lanes[i].latency);
        for (int category = 0; category < LOAD_CATEGORIES; category++)
            all->by_category[category] += atomic_load(&board->lanes[i].failed[category]);
    }
    return all;
}

static double rate(const figures *all) {
    return all->seconds > 0 ? (double)all->done / all->seconds : 0;
}

static double average_wait_ms(const load_board *board) {
    int64_t waits = atomic_load(&board->waits);
    return waits > 0 ? (double)atomic_load(&board->wait_us) / 1000 / (double)waits : 0;
}

/* ---- For people ---- */

static void print_load(const load_plan *plan) {
    printf("load         %d %s × %d %s", plan->workers, plan->workers == 1 ? "worker" : "workers", plan->threads,
           plan->threads == 1 ? "thread" : "threads");
    if (plan->tasks > 0)
        printf(" × %d %s", plan->tasks, plan->tasks == 1 ? "task" : "tasks");
    printf(", %s\n", plan->statement_count == 1 ? "a statement each time" : "a transaction each time");
}

static void print_latency(const latency *of) {
    printf("latency     ");
    for (int i = 0; i < QUANTILES; i++)
        printf(" %s %.3f ms,", quantiles[i].name, (double)latency_quantile_ns(of, quantiles[i].share) / 1e6);
    printf(" longest %.3f ms\n", (double)atomic_load(&of->longest_ns) / 1e6);
}

static void print_failures(const figures *all, const load_board *board) {
    printf("failed       %" PRId64, all->failed);
    const char *before = " (";
    for (int category = 0; category < LOAD_CATEGORIES; category++) {
        if (all->by_category[category] == 0)
            continue;
        printf("%s%" PRId64 " %s", before, all->by_category[category], lido_category_name((lido_category)category));
        before = ", ";
    }
    puts(all->failed > 0 ? ")" : "");
    if (!atomic_load(&board->has_error))
        return;
    printf("first error  ");
    screen_write(board->error.message, stdout);
    putchar('\n');
}

static void print_pools(const load_plan *plan, const load_board *board) {
    printf("connections  %" PRId64 " opened, by %d %s\n", atomic_load(&board->connections), plan->workers,
           plan->workers == 1 ? "pool" : "pools");
    printf("waiting      %" PRId64 " of %" PRId64 " waited for a connection, %.3f ms on average\n",
           atomic_load(&board->waits), atomic_load(&board->acquires), average_wait_ms(board));
}

bool bench_report_text(const load_plan *plan, const load_board *board) {
    figures *all = add_up(board);
    if (all == NULL)
        return false;
    print_load(plan);
    printf("operations   %" PRId64 " in %.1f s: %.0f a second\n", all->done, all->seconds, rate(all));
    print_latency(&all->latency);
    print_failures(all, board);
    print_pools(plan, board);
    free(all);
    return true;
}

/* ---- For programs ---- */

static json_t *latency_json(const latency *of) {
    json_t *object = json_object();
    for (int i = 0; i < QUANTILES; i++)
        json_object_set_new(object, quantiles[i].name,
                            json_real((double)latency_quantile_ns(of, quantiles[i].share) / 1e6));
    json_object_set_new(object, "longest", json_real((double)atomic_load(&of->longest_ns) / 1e6));
    return object;
}

static json_t *failures_json(const figures *all) {
    json_t *object = json_object();
    for (int category = 0; category < LOAD_CATEGORIES; category++)
        if (all->by_category[category] > 0)
            json_object_set_new(object, lido_category_name((lido_category)category),
                                json_integer(all->by_category[category]));
    return object;
}

static json_t *load_json(const load_plan *plan) {
    return json_pack("{s:i, s:i, s:i, s:I, s:b}", "workers", plan->workers, "threads", plan->threads, "tasks",
                     plan->tasks, "seconds", (json_int_t)plan->seconds, "read_only", (int)plan->read_only);
}

static json_t *pools_json(const load_board *board) {
    return json_pack("{s:I, s:I, s:I, s:f}", "connections", (json_int_t)atomic_load(&board->connections), "acquires",
                     (json_int_t)atomic_load(&board->acquires), "waits", (json_int_t)atomic_load(&board->waits),
                     "average_wait_ms", average_wait_ms(board));
}

bool bench_report_json(const load_plan *plan, const load_board *board) {
    figures *all = add_up(board);
    if (all == NULL)
        return false;
    json_t *first = atomic_load(&board->has_error) ? json_string(board->error.message) : json_null();
    json_t *object = json_pack("{s:o, s:I, s:f, s:f, s:o, s:I, s:o, s:o, s:o}", "load", load_json(plan), "operations",
                               (json_int_t)all->done, "seconds", all->seconds, "per_second", rate(all), "latency_ms",
                               latency_json(&all->latency), "failed", (json_int_t)all->failed, "failures",
                               failures_json(all), "first_error", first, "pool", pools_json(board));
    bool made = object != NULL && json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0;
    putchar('\n');
    json_decref(object);
    free(all);
    return made;
}
