/* A database's write-ahead log, kept short: what the engine's connections know together of it.
 *
 * checkpoint.c is what a commit does about it; log.c copies the log of a file on another thread; log_index.h looks. */
#ifndef LIDO_BACKEND_SQLITE_LOG_H
#define LIDO_BACKEND_SQLITE_LOG_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "await/await.h"
#include "config/config.h"

/* Of sqlite_log.pass. */
enum { LIDO__LOG_RESTS, LIDO__LOG_COPIES, LIDO__LOG_COPIES_AWAITED };

/* In pages, as SQLite counts them. */
typedef struct sqlite_log {
    const lido__config *config;     /* the engine's */
    atomic_int tried_at;            /* how long it was when it was last tried to copy it */
    atomic_int waited_at;           /* how long it was when readers were last waited for in vain; 0: not in vain */
    atomic_int_fast64_t pause_ends; /* when it may be tried again */
    atomic_int passes;              /* that came far, since a commit last copied the rest */
    atomic_int pass;                /* none; under way; under way and its end is waited for */
    lido__waker over;               /* woken at the end of a pass that is waited for */
    atomic_bool troubled;           /* the last copying failed, and that was told */
} sqlite_log;

bool lido__sqlite_log_init(sqlite_log *log, const lido__config *config);
/* Waits for the pass that is under way, which has the file open; a task lets others go on meanwhile. */
void lido__sqlite_log_done(sqlite_log *log);

/* Begins to copy the log of the file of that name on another thread, as far as readers let it, which keeps neither them
 * nor writers waiting. False if that cannot be: no memory. Does not wait. */
bool lido__sqlite_log_begin_pass(sqlite_log *log, const char *path);

/* How a checkpoint ended; what keeps the log from being copied is told once, until it was. */
void lido__sqlite_log_note(sqlite_log *log, sqlite3 *handle, int code);

#endif
