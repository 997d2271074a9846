/* A source of seeds as the bulk insert wants it: checked values of one row after another. */
#ifndef LIDO_MODEL_SEED_FEED_H
#define LIDO_MODEL_SEED_FEED_H

#include "core/bulk.h"
#include "model/seed_load.h"
#include "model/seed_value.h"

typedef struct lido__seed_feed {
    lido__row_source base; /* first: the bulk insert hands it back */
    lido__seeding *seeding;
    const lido__seed_plan *plan;
    bool numbered; /* the row's number goes first */
    lido_value *row;
    char (*scratch)[LIDO__SEED_SCRATCH]; /* for each place */
} lido__seed_feed;

/* Opens the source. False: the session has failed. To be closed in any case. */
bool lido__seed_feed_open(lido__seed_feed *feed, lido__seeding *seeding, const lido__seed_plan *plan, bool numbered);
void lido__seed_feed_close(lido__seed_feed *feed);

/* Finds the line of a row, by its number in the file or, `ordinal`, as the source's n-th; sets both. Reads the source
 * again; false: it is not there any more. */
bool lido__seed_feed_locate(const lido__seed_plan *plan, bool ordinal, int64_t number, int64_t *row, int64_t *line);

#endif
