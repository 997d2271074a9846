/* The engine: a database's configuration and its pool of connections. One for each database, shared by
 * all threads of a process. */
#ifndef LIDO_ENGINE_H
#define LIDO_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include <lido/error.h>
#include <lido/options.h>

LIDO_BEGIN_C

typedef struct lido_engine lido_engine;

/* Reads the configuration, checks all of it and makes an engine; connects to nothing yet.
 *
 * `url`: "sqlite:///items.db", "sqlite:////abs/items.db", "sqlite://" (in memory),
 * "postgresql://user:password@host:5432/name?sslmode=require&pool_size=5"; NULL: from the environment
 * (DATABASE_URL, or DATABASE_TYPE, DATABASE_NAME, …). `options`: NULL, or what beats the URL. Both are
 * copied. `error`: NULL, or where to write what is wrong (configuration, out of memory).
 *
 * Returns the engine, to be closed with lido_engine_close, or NULL. Never waits. Safe from any thread. */
LIDO_API lido_engine *lido_engine_open(const char *url, const lido_options *options, lido_error *error) LIDO_USE_RESULT;

/* Closes the idle connections and refuses new sessions and new transactions. Transactions that are open go on to their
 * end; the engine is freed when the last session closes, so they must be closed by the threads that own them. NULL is
 * allowed.
 * Waits no longer than it takes to say goodbye, or to finish opening a connection that was being opened ahead
 * (pool_min_size). Safe from any thread, once. */
LIDO_API void lido_engine_close(lido_engine *engine);

/* The `index`-th effective setting with its origin, for programs that want to show them. False when
 * there are no more, or the engine is NULL. Never waits; safe from any thread. */
LIDO_API bool lido_engine_setting(const lido_engine *engine, size_t index, lido_setting *setting);

/* Which kind of database it is for, "sqlite" or "postgresql", as in lido_server; static text. NULL for a NULL engine.
 * Never waits; safe from any thread. */
LIDO_API const char *lido_engine_backend(const lido_engine *engine);

/* The pool's state and what it has counted since the engine was opened. */
typedef struct lido_pool_stats {
    int open; /* connections: idle, in use, or being opened; as are the next three, now; on SQLite the writer's, too */
    int idle;
    int in_use;
    int waiting;              /* threads and tasks that wait for one */
    bool down;                /* the server could not be reached at the last attempt */
    uint64_t acquires;        /* how often one was asked for */
    uint64_t waits;           /* how often that had to wait */
    uint64_t timeouts;        /* how often it waited in vain */
    uint64_t connects;        /* opened */
    uint64_t failed_connects; /* attempts to open one */
    uint64_t recycled;        /* closed for their age */
    uint64_t invalidated;     /* found dead, or given up because another was lost */
    int64_t wait_us;          /* all waiting together, in microseconds */
    int64_t use_us;           /* all use together, in microseconds, to a few milliseconds each */
} lido_pool_stats;

/* Reads them, at one moment; of a NULL engine, all zero. Never waits; safe from any thread. */
LIDO_API void lido_engine_stats(lido_engine *engine, lido_pool_stats *stats);

/* What the other side is, as lido_engine_inspect found it. Texts are cut where they do not fit. */
typedef struct lido_server {
    char backend[16];     /* "sqlite" or "postgresql" */
    char database[160];   /* the URL without password */
    char version[64];     /* "15.20" */
    char tls[64];         /* "TLSv1.3 TLS_AES_256_GCM_SHA384", "off", or "" where there is no network */
    int64_t connect_us;   /* how long opening a connection took, in microseconds */
    int64_t latency_us;   /* how long the quickest of a few round trips took, in microseconds */
    int connection_limit; /* how many connections the server gives to ordinary users; 0: no limit known */
    int64_t log_pages;    /* how many pages a SQLite file's write-ahead log has; -1: there is none, */
    int64_t log_copied;   /* how many of them are in the database file as well, from the first on, */
    int64_t log_bytes;    /* how large the log's file is, */
    int64_t log_holder;   /* and which process keeps the rest from being copied, by reading what was there before; 0:
                           * none does, or it cannot be told. Never this one */
} lido_server;

/* Takes a connection and asks the server about itself. Returns LIDO_OK and fills *server, or LIDO_ERROR
 * and fills *error (either may be NULL), for a NULL engine with category misuse. Waits at most for connect_timeout and
 * a few statements.
 * Safe from any thread. */
LIDO_API lido_status lido_engine_inspect(lido_engine *engine, lido_server *server, lido_error *error);

LIDO_END_C

#endif
