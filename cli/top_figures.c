/* Rates and durations between readings. */
#include "top_figures.h"

#include <stdlib.h>
#include <string.h>

enum { STATEMENTS_MOST = 100 };

double top_pool_rate(const top_figures *figures, const top_pool *pool, top_count count) {
    const top_pool *before = figures->before != NULL ? top_pool_before(figures->before, pool) : NULL;
    if (before == NULL || figures->seconds <= 0)
        return -1;
    int64_t more = pool->counts[count] - before->counts[count];
    return more > 0 ? (double)more / figures->seconds : 0;
}

static void make_rates(top_figures *figures) {
    for (size_t i = 0; i < figures->now->pool_count; i++)
        for (int count = 0; count < TOP_COUNTS; count++) {
            double rate = top_pool_rate(figures, &figures->now->pools[i], (top_count)count);
            figures->rates[count] += rate > 0 ? rate : 0;
        }
}

static int by_total(const void *left, const void *right) {
    const top_cost *one = left;
    const top_cost *other = right;
    return (one->total_us < other->total_us) - (one->total_us > other->total_us);
}

/* The state has the first hundred of each database: who was not among them then may have run long before. */
static bool is_full(const top_reading *reading, const char *pool) {
    int count = 0;
    for (size_t i = 0; i < reading->statement_count; i++)
        count += strcmp(reading->statements[i].pool, pool) == 0;
    return count >= STATEMENTS_MOST;
}

/* `first` NULL: since the start. */
static void make_costs(top_figures *figures, const top_reading *first) {
    for (size_t i = 0; i < figures->now->statement_count && figures->cost_count < TOP_COSTS_MOST; i++) {
        const top_statement *statement = &figures->now->statements[i];
        const top_statement *before = first != NULL ? top_statement_before(first, statement) : NULL;
        top_cost cost = {statement, statement->count, statement->failed, statement->total_us};
        if (first != NULL && before == NULL && is_full(first, statement->pool))
            continue;
        if (before != NULL) {
            cost.count -= before->count;
            cost.failed -= before->failed;
            cost.total_us -= before->total_us;
        }
        if (cost.count > 0 || cost.failed > 0)
            figures->costs[figures->cost_count++] = cost;
    }
    qsort(figures->costs, figures->cost_count, sizeof *figures->costs, by_total);
}

void top_figures_make(top_figures *figures, const top_reading *now, const top_reading *before,
                      const top_reading *first) {
    const char *address = figures->address;
    *figures = (top_figures){.address = address, .now = now};
    if (top_reading_follows(now, before)) {
        figures->before = before;
        figures->seconds = top_reading_seconds(now, before);
        make_rates(figures);
    }
    bool part = top_reading_follows(now, first);
    make_costs(figures, part ? first : NULL);
    figures->lasted = part ? top_reading_seconds(now, first) : 0;
    for (int kind = 0; kind < TOP_KINDS; kind++) {
        figures->durations[kind] = now->durations[kind];
        if (part)
            top_durations_take_off(&figures->durations[kind], &first->durations[kind]);
    }
}
