/* What two readings of an application tell together: rates, and how long things took in between. */
#ifndef LIDO_CLI_TOP_FIGURES_H
#define LIDO_CLI_TOP_FIGURES_H

#include "top_reading.h"

enum { TOP_COSTS_MOST = 200 };

/* What a statement has cost in the time of `lasted`. */
typedef struct top_cost {
    const top_statement *statement;
    int64_t count;
    int64_t failed;
    double total_us;
} top_cost;

typedef struct top_figures {
    const char *address;
    const top_reading *now;
    const top_reading *before;          /* NULL: there is none to compare with, and no rate */
    double seconds;                     /* since then */
    double rates[TOP_COUNTS];           /* of all pools, per second */
    double lasted;                      /* what `durations` are of, in seconds; 0: since the application started */
    top_durations durations[TOP_KINDS]; /* of all pools */
    size_t cost_count;                  /* the highest first; without those that were not run */
    top_cost costs[TOP_COSTS_MOST];
} top_figures;

/* `before`: the reading for the rates; `first`: the one that durations count from. Either may be NULL. The readings
 * must be there as long as the figures. */
void top_figures_make(top_figures *figures, const top_reading *now, const top_reading *before,
                      const top_reading *first);

/* Of one pool, per second; -1: not known. */
double top_pool_rate(const top_figures *figures, const top_pool *pool, top_count count);

#endif
