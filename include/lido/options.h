/* Options: everything about an engine that can be set, from code, from a URL or from the environment.
 *
 * Options beat the URL, the URL beats the environment, the environment beats the defaults. Start from
 * LIDO_OPTIONS_INIT, in which every member means "not set here". docs/configuration.md lists the
 * URL's and the environment's names for the same settings. */
#ifndef LIDO_OPTIONS_H
#define LIDO_OPTIONS_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include <lido/export.h>

LIDO_BEGIN_C

/* "Not set here": ask the URL, then the environment, then take the default. */
#define LIDO_UNSET INT_MIN

typedef struct lido_options {
    size_t size; /* of this struct, as the program was compiled; LIDO_OPTIONS_INIT sets it */

    /* Parts of the URL, for programs that keep them apart. Copied by lido_engine_open. */
    const char *database;
    const char *user;
    const char *password;
    const char *host; /* one or several, with commas */
    const char *port; /* one for all hosts, or one for each, with commas */
    const char *sslmode;
    const char *application_name;

    /* The pool. */
    int pool_size;              /* connections kept; default 20 */
    int max_overflow;           /* connections opened beyond them under load; -1: no limit; default 10 */
    int pool_pre_ping;          /* 1: look at an idle connection before it is used; 0: do not; default 1 */
    int64_t pool_timeout_ms;    /* how long a session waits for a connection; default 30 000 */
    int64_t pool_recycle_ms;    /* a connection older than this, less up to a tenth at random, is replaced; -1: never;
                                default 3 600 000 */
    int64_t pool_max_idle_ms;   /* one that was not used for this long is closed; -1: never; default 600 000 */
    int64_t pool_ping_after_ms; /* one that was idle for this long is asked before it is used, and not only looked at;
                                   -1: never; default 30 000 */
    int64_t pool_leak_after_ms; /* one that is held for this long is reported; -1: never; default 300 000 */
    int pool_min_size;          /* connections that are opened ahead and kept, at most pool_size; default 0 */
    int pool_max_waiting;       /* how many may wait for a connection at once; -1: no limit; default 1 000 */

    /* Deadlines. */
    int64_t connect_timeout_ms;     /* for each address of each host; default 10 000 */
    int64_t statement_timeout_ms;   /* for each call that waits: with it travel the statements queued before; -1: none;
                                       default 300 000 */
    int64_t transaction_timeout_ms; /* from its first statement to its end; -1: none; default -1 */

    /* Statements. */
    int prepare;         /* 1: keep statements prepared; 0: do not (transaction poolers); default 1 */
    int statement_cache; /* how many statements a connection keeps prepared, besides BEGIN and its like; default 256 */

    /* Waiting. A thread looks for PostgreSQL's answer for so long before it falls asleep, in microseconds, where that
     * turns out to pay; 0: never; default 50. docs/performance.md says when it pays. */
    int spin_us;

    /* SQLite. docs/sqlite.md says what each costs and saves. */
    int64_t busy_timeout_ms;    /* how long to wait for another process's lock; default 5 000 */
    const char *journal_mode;   /* wal, delete, truncate, persist, memory, off; default wal */
    const char *synchronous;    /* off, normal, full, extra; default full: a commit survives a power cut */
    int foreign_keys;           /* 1: enforced; 0: not; default 1 */
    int64_t cache_size;         /* page cache of a connection, in bytes; default 8 MiB */
    int64_t mmap_size;          /* how much of the file may be mapped, in bytes; default 128 MiB */
    int64_t journal_size_limit; /* the WAL is cut to this after a checkpoint, in bytes; default 64 MiB */
    int wal_autocheckpoint;     /* checkpoint when the WAL has this many pages; 0: never; default 1 000 */
    int regexp_strict;          /* 1: a REGEXP with an invalid pattern fails; 0: it matches nothing; default 0 */
    const char *offload; /* in tasks, where SQLite works: always: in other threads; never: in the loop's; auto, the
                                   default: a file in other threads, memory in the loop's */

    /* PostgreSQL, in tasks: how many connections the sessions of a loop share that only read, in autocommit mode; 0:
     * none, each has its own; default 0. docs/tasks.md tells of them. */
    int lanes;

    /* Looking on. */
    int metrics; /* 1: count and measure, for lido_stats and lido_metrics_write; 0: do not; default 1 */
    int slow_ms; /* what takes so many milliseconds or more is logged, or written to standard error where the log has no
                    callback for warnings; 0: all statements; -1: never; default -1 */
    const char *metrics_address; /* where metrics are served, for lido_workers_run and for lido_metrics_serve without an
                                    address: "unix:/path", "127.0.0.1:9090"; default NULL: nowhere */
} lido_options;

#define LIDO_OPTIONS_INIT \
    { \
        sizeof(lido_options), NULL, NULL, NULL, NULL, NULL, NULL, NULL, LIDO_UNSET, LIDO_UNSET, LIDO_UNSET, \
            LIDO_UNSET, LIDO_UNSET, LIDO_UNSET, LIDO_UNSET, LIDO_UNSET, LIDO_UNSET, LIDO_UNSET, LIDO_UNSET, \
            LIDO_UNSET, LIDO_UNSET, LIDO_UNSET, LIDO_UNSET, LIDO_UNSET, LIDO_UNSET, NULL, NULL, LIDO_UNSET, \
            LIDO_UNSET, LIDO_UNSET, LIDO_UNSET, LIDO_UNSET, LIDO_UNSET, NULL, LIDO_UNSET, LIDO_UNSET, LIDO_UNSET, NULL \
    }

/* Where a setting's value came from. */
typedef enum lido_origin { LIDO_FROM_DEFAULT = 0, LIDO_FROM_ENVIRONMENT, LIDO_FROM_URL, LIDO_FROM_OPTIONS } lido_origin;

/* One effective setting. The texts belong to the engine. */
typedef struct lido_setting {
    const char *name;  /* as in lido_options */
    const char *value; /* as text; a password is shown as "***" */
    lido_origin origin;
} lido_setting;

/* The origin in words, "environment"; static text. Never waits; safe from anywhere. */
LIDO_API const char *lido_origin_name(lido_origin origin);

LIDO_END_C

#endif
