/* Loading one source of seeds into its table, by its plan.
 *
 * Into an empty table, where no reference is by name, rows go directly, in bulk. Else, or if that fails for what a row
 * has, they go into a staging table first: from there a statement inserts those that are not there yet. If that fails,
 * it is tried for halves of the rows and their halves, until it is known which row is to blame. */
#ifndef LIDO_MODEL_SEED_LOAD_H
#define LIDO_MODEL_SEED_LOAD_H

#include <lido/seed.h>

#include "model/seed_plan.h"

/* A run. */
typedef struct lido__seeding {
    lido_session *session;
    lido_seed_options options;
    lido__arena arena;
    lido__catalogue catalogue;
    lido__seed_source *sources; /* owned */
    lido__seed_plan *plans;
    lido_seed_counts counts;
    int64_t bytes_before; /* of the files that were read to their end */
    int64_t bytes_total;
    lido_error fault; /* a source's: the session's own cannot be used while it inserts */
} lido__seeding;

/* What lido_seed and lido_seed_files do, and lido_initialise at once. `directory` may be NULL. Waits. In seed.c. */
int64_t lido__seed_run(lido_session *session, size_t count, const lido_seeds *const *seeds, const char *directory,
                       const lido_seed_options *options);

/* The session fails for what `error` says. Returns false. */
bool lido__seeding_fail(lido__seeding *seeding, const lido_error *error);

/* Each waits; false: the session has failed. */
bool lido__seed_load(lido__seeding *seeding, lido__seed_plan *plan);
/* Once all tables are filled: sets the references that had to wait. */
bool lido__seed_mend(lido__seeding *seeding, lido__seed_plan *plan);
/* Puts sequences behind the numbers that the seeds gave. */
bool lido__seed_advance(lido__seeding *seeding, const lido__seed_plan *plan);

#endif
