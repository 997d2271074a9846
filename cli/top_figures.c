/* Rates and durations between readings. */
#include "top_figures.h"

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
    figures->lasted = part ? top_reading_seconds(now, first) : 0;
    for (int kind = 0; kind < TOP_KINDS; kind++) {
        figures->durations[kind] = now->durations[kind];
        if (part)
            top_durations_take_off(&figures->durations[kind], &first->durations[kind]);
    }
}
