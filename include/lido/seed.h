/* Seeds: the rows that a database starts with. They go in once, in the order of their references, all or nothing;
 * seeded again they change nothing. docs/seeds.md tells it at length. */
#ifndef LIDO_SEED_H
#define LIDO_SEED_H

#include <lido/session.h>

LIDO_BEGIN_C

/* How far it is. */
typedef struct lido_seed_progress {
    const char *source;  /* what is being read: "items.csv" */
    int64_t rows;        /* of it, so far */
    int64_t bytes;       /* of all files, so far */
    int64_t bytes_total; /* of all files; 0: there are none */
} lido_seed_progress;

/* Called now and then while rows are read, in the thread or task that seeds. It must leave the session alone, whose
 * calls are refused meanwhile, and must not wait. */
typedef void lido_seed_progress_function(void *argument, const lido_seed_progress *progress);

/* What became of the rows. */
typedef struct lido_seed_counts {
    int64_t inserted;
    int64_t updated;
    int64_t unchanged; /* they were there already */
} lido_seed_counts;

/* All zero is the default. */
typedef struct lido_seed_options {
    bool update; /* rows that are there already become as the seeds say, in the columns that these give */
    lido_seed_progress_function *progress;
    void *progress_argument;
    lido_seed_counts *counts; /* set if all went well; NULL: not wanted */
} lido_seed_options;

/* Seeds from the files <table>.csv and <table>.json of a folder. Columns, keys and references are read from the
 * database's catalogue, so no models are needed. A row is recognised by its primary key, if its file has that, else by
 * the first unique key that it has; rows that are there stay as they are, unless `update` is set. A column
 * owner_id.name stands for the row that owner_id refers to, by its name.
 *
 * A part of the session's transaction; in autocommit mode one of its own. Processes that seed at once take turns.
 * Memory is bounded by the largest row. Returns how many rows were inserted or updated; 0 if it failed, and then the
 * session has: the message names file, line, row and column. `options` may be NULL. Waits, each statement until the
 * session's statement timeout. For the session's own thread or task. */
LIDO_API int64_t lido_seed_files(lido_session *session, const char *directory, const lido_seed_options *options);

LIDO_END_C

#endif
