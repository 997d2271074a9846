/* What an engine has counted and measured of itself: its pool, its statements, its transactions. docs/metrics.md says
 * what the numbers mean. The setting `metrics` turns it off. */
#ifndef LIDO_METRICS_H
#define LIDO_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <lido/engine.h>
#include <lido/manager.h>

LIDO_BEGIN_C

/* How long something took, in microseconds; all 0 if it never happened. Known to a fifth, for durations are counted in
 * logarithmic steps. What happens often is measured in a sample; then `count` is an estimate, too. */
typedef struct lido_durations {
    uint64_t count;
    double mean_us;
    double p50_us; /* half of them took no longer */
    double p90_us;
    double p99_us;
    double longest_us; /* of those that were measured */
} lido_durations;

typedef struct lido_metrics {
    lido_pool_stats pool;     /* as lido_engine_stats has it */
    uint64_t reads;           /* statements that were run: queries, */
    uint64_t writes;          /* what changes data or tables, */
    uint64_t others;          /* and settings and the like */
    uint64_t failed;          /* how often one, or one of several that travelled together, failed */
    uint64_t committed;       /* transactions that the database had; */
    uint64_t rolled_back;     /* undone, by whomever; */
    uint64_t unknown;         /* nobody could tell */
    uint64_t retried;         /* how often lido_transact ran its function once more */
    uint64_t lane_statements; /* of `reads`, those that went by a lane; */
    uint64_t lane_batches;    /* in how many companies these were sent; */
    uint64_t lane_reruns;     /* how often one was run again for what happened to others */
    lido_durations read; /* statements, from being sent to their answer; those that travel together share the time */
    lido_durations write;
    lido_durations other;
    lido_durations commit;
    lido_durations wait;    /* for a connection, of those who had to */
    lido_durations turn;    /* for the turn to write, on SQLite; of those who had to */
    lido_durations busy;    /* for a lock on a SQLite file, or for other workers' turn to write; of those who had to */
    lido_durations use;     /* from being taken until given back */
    lido_durations connect; /* opening one */
} lido_metrics;

/* Reads what an engine has counted since it was opened. In a worker of lido_workers_run all but `pool` goes on from
 * what a worker counted that had its place before, if there was one, dead or replaced; lido_manager_metrics_write tells
 * of all of them together. LIDO_ERROR, with *metrics all zero but for `pool`, if the engine is NULL or its metrics are
 * off. Never waits for a database; safe from any thread. */
LIDO_API lido_status lido_stats(lido_engine *engine, lido_metrics *metrics);

/* ---- Statements ---- */

typedef enum lido_statement_kind {
    LIDO_STATEMENT_READ,
    LIDO_STATEMENT_WRITE,
    LIDO_STATEMENT_OTHER
} lido_statement_kind;

enum { LIDO_STATEMENT_TEXT_SIZE = 208 };

/* The text of what had to share an entry, for an engine tells some five hundred statements apart. */
#define LIDO_STATEMENT_OTHERS "(others)"

/* What is known of a statement: of all texts that differ in nothing but values, lists' lengths, blanks, comments and
 * the case of unquoted words. What SQLite takes for a string though it is in double quotes is kept as the name that it
 * looks like. */
typedef struct lido_statement_stats {
    char text[LIDO_STATEMENT_TEXT_SIZE]; /* "?" for each value; of a longer one the first 200 bytes, and "…" */
    uint64_t fingerprint;                /* of all of the text; 0: LIDO_STATEMENT_OTHERS, of this kind */
    lido_statement_kind kind;
    uint64_t count;      /* how often it was run: an estimate, where that was often */
    uint64_t failed;     /* how often it failed; exact */
    double total_us;     /* how long it took all together: an estimate, too */
    lido_durations took; /* from being sent to its answer; those that travel together share the time */
} lido_statement_stats;

/* Reads which statements an engine has run, those first that took the most time all together: as many as there are, at
 * most `capacity`, into `statements`; in a worker of lido_workers_run it goes on from an earlier worker's, as
 * lido_stats does. Returns how many; 0 if the engine is NULL, its metrics are off, or memory ran out. Never waits for a
 * database; safe from any thread. */
LIDO_API size_t lido_stats_statements(lido_engine *engine, lido_statement_stats *statements, size_t capacity);

/* The same of one of a manager's databases (NULL: "default"): of all workers together where workers run, in the parent
 * and in each worker, and also what those did who have died since; else of this process. */
LIDO_API size_t lido_manager_stats_statements(lido_manager *manager, const char *database,
                                              lido_statement_stats *statements, size_t capacity);

/* The kind in words, "read"; static text. Never waits; safe from anywhere. */
LIDO_API const char *lido_statement_kind_name(lido_statement_kind kind);

/* ---- Prometheus ---- */

/* Is given text, piece by piece; `text` ends in NUL besides. False: no more is wanted. */
typedef bool lido_metrics_writer(const char *text, size_t size, void *user);

/* Writes an engine's metrics in Prometheus' text format, version 0.0.4, under OpenTelemetry's names. `writer` is called
 * in this thread, while no lock is held, and must not be NULL. LIDO_ERROR if the engine is NULL, its metrics are off,
 * memory ran out, or the writer wanted no more. Never waits for a database; safe from any thread. */
LIDO_API lido_status lido_metrics_write(lido_engine *engine, lido_metrics_writer *writer, void *user);

/* The same into a file, which the caller flushes and closes. LIDO_ERROR also if it could not be written. */
LIDO_API lido_status lido_metrics_print(lido_engine *engine, FILE *file);

/* Writes those of a manager. Where workers run (lido_workers_run), of all of them, in the parent and in each worker,
 * and also what those did who have died since: counters do not go back when a worker is replaced, and what is a number
 * of now (connections, waiters) is up to a second old. Else of this process's engines. The pool's name is the
 * database's in the manager, and `worker` is its number. LIDO_ERROR if there are none, as before
 * lido_manager_init_worker, and as for lido_metrics_write. Never waits for a database; safe from any thread. */
LIDO_API lido_status lido_manager_metrics_write(lido_manager *manager, lido_metrics_writer *writer, void *user);

/* ---- An address that answers ---- */

/* A thread that answers HTTP requests on an address: GET /metrics with what lido_metrics_write writes, and GET /state
 * with what `lido top` shows, in JSON; the texts of statements are in both, values are not, but as said at
 * lido_statement_stats. */
typedef struct lido_metrics_server lido_metrics_server;

/* Begins to answer. `where`: "127.0.0.1:9090", "[::1]:9090", "localhost:9090", "unix:/run/items.metrics", whose file
 * is made for this user alone (0600), or "fd:3" for a socket that listens already; port 0: any that is free, which the
 * log is told. NULL: where the setting metrics_address says. What others than this machine could reach is refused,
 * unless "public:" stands before it, as in "public:0.0.0.0:9090".
 *
 * The engine is held, so the two may be closed in any order. A child that is forked has closed all of it, and does not
 * answer. Clients delay neither the program nor each other: each connection is for one answer and a few seconds.
 *
 * NULL, with *error (or NULL) set: the address cannot be had, or there is none (configuration); there is no engine
 * (misuse); memory ran out. Waits for the system to resolve a name. Safe from any thread. */
LIDO_API lido_metrics_server *lido_metrics_serve(lido_engine *engine, const char *where, lido_error *error);

/* The same of a manager's databases, those that are open each time it is asked; for a program of one process. Where
 * workers run, lido_workers has a member for it. */
LIDO_API lido_metrics_server *lido_manager_metrics_serve(lido_manager *manager, const char *where, lido_error *error);

/* Ends it, and closes what it has open. NULL is allowed; in a child after fork it does nothing. Waits at most until an
 * answer has been put together. Safe from any thread, once. */
LIDO_API void lido_metrics_server_close(lido_metrics_server *server);

LIDO_END_C

#endif
