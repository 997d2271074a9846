/* Seeds: the rows that a database starts with. They go in once, in the order of their references, all or nothing;
 * seeded again they change nothing. docs/seeds.md tells it at length. */
#ifndef LIDO_SEED_H
#define LIDO_SEED_H

#include <lido/model.h>
#include <lido/session.h>

LIDO_BEGIN_C

/* How far it is. */
typedef struct lido_seed_progress {
    const char *source;  /* what is being read: "items.csv"; until the call returns */
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

/* Objects of one model. LIDO_SEEDS makes it. */
typedef struct lido_seeds {
    const lido_model *model;
    size_t count;
    const void *rows;
} lido_seeds;

/* Seeds from lists in the program: lido_seed(db, LIDO_SEED_LIST(&User_seeds, &Item_seeds), NULL). What an object leaves
 * at zero is generated, if it is such a key, or takes its column's fallback, if it has one. The order of the lists does
 * not matter. All else as above. */
LIDO_API int64_t lido_seed(lido_session *session, size_t count, const lido_seeds *const *seeds,
                           const lido_seed_options *options);

/* Connects, or finds out early that it cannot: LIDO_OK, or LIDO_ERROR and *error, which may be NULL. Waits, until the
 * engine's connect_timeout. For any thread or task. */
LIDO_API lido_status lido_verify(lido_engine *engine, lido_error *error);

typedef struct lido_initialise_options {
    size_t seed_count; /* lists of seeds */
    const lido_seeds *const *seeds;
    const char *directory; /* seed files; NULL: none */
    lido_seed_options seed;
} lido_initialise_options;

/* What a program does before it serves: lido_verify, then lido_create_all and seeds in one transaction, all or nothing.
 * Processes that do so at once take turns, and the later ones find it done. `options` and `error` may be NULL. LIDO_OK;
 * LIDO_ERROR: no connection; LIDO_ROLLED_BACK: nothing was made; LIDO_UNKNOWN: the connection broke over the commit.
 * Waits, without a statement timeout. For any thread or task. */
LIDO_API lido_status lido_initialise(lido_engine *engine, size_t model_count, const lido_model *const *models,
                                     const lido_initialise_options *options, lido_error *error);

LIDO_END_C

/* Defines Item_seeds: LIDO_SEEDS(Item, { .name = "lamp", .owner = &(User){ .name = "ada" } }, { … }). A reference is
 * given by its column or by LIDO_OBJECT's member, of which what is set names the other row. At file scope, in one file;
 * LIDO_SEEDS_DECLARE is for the others. */
#define LIDO_SEEDS_DECLARE(T) extern const lido_seeds T##_seeds
#define LIDO_SEEDS(T, ...) \
    LIDO_SEEDS_DECLARE(T); \
    static const T T##_seed_rows[] = {__VA_ARGS__}; \
    const lido_seeds T##_seeds = {&T##_model, sizeof T##_seed_rows / sizeof(T), T##_seed_rows}

/* Two arguments: how many lists, and the array of them. */
#define LIDO_SEED_LIST(...) \
    sizeof((const lido_seeds *const[]){__VA_ARGS__}) / sizeof(const lido_seeds *), (const lido_seeds *const[]) { \
        __VA_ARGS__ \
    }

#endif
