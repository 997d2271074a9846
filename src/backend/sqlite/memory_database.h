/* A database in memory that many connections share: SQLite's main file and its write-ahead log are memory_file.h's,
 * the log's index and its locks plain memory. So readers and the writer get along as with a file in WAL mode: each
 * reads its snapshot, and none waits for the other.
 *
 * memory_vfs.c is how SQLite comes by one; this is what it then does with it. */
#ifndef LIDO_BACKEND_SQLITE_MEMORY_DATABASE_H
#define LIDO_BACKEND_SQLITE_MEMORY_DATABASE_H

#include <pthread.h>
#include <stdbool.h>

#include "backend/sqlite/memory_file.h"

/* One of the eight locks in the log's index: how many share it, or -1: it is one connection's alone. Each has a cache
 * line of its own, for every transaction of every thread changes one. */
typedef struct lido__memory_lock {
    atomic_int holders;
    atomic_bool wanted; /* a checkpoint waits to have it alone: see take_alone */
    char apart[64 - sizeof(atomic_int) - sizeof(atomic_bool)];
} lido__memory_lock;

typedef struct lido__memory_database {
    sqlite3_vfs vfs; /* its own, which opens this database and, by `real`, all other files */
    sqlite3_vfs *real;
    char name[32]; /* of the VFS */
    lido__memory_lock locks[SQLITE_SHM_NLOCK];
    lido__memory_file main;
    lido__memory_file log;
    atomic_bool has_log; /* it was made, and not deleted */
    atomic_int order;    /* see put_in_order */

    /* A leaf; guards what follows, and the head of the main file (see read_file). Not taken by transactions. */
    pthread_mutex_t lock;
    char **regions; /* the log's index, as SQLite has asked for it */
    int region_count;
    int readers;   /* who holds SHARED or more on the main file */
    int writers;   /* who holds RESERVED or more: 0 or 1 */
    bool excludes; /* that one holds EXCLUSIVE */
} lido__memory_database;

/* What SQLite sees as an open file: one of the database's, or one of its own that ends when it is closed. */
typedef struct lido__memory_handle {
    sqlite3_file base; /* first: SQLite's */
    lido__memory_database *database;
    lido__memory_file *file;
    int level;       /* SQLITE_LOCK_NONE to SQLITE_LOCK_EXCLUSIVE, on the main file */
    unsigned shares; /* which locks it shares, a bit for each */
    unsigned alone;  /* which it has alone */
} lido__memory_handle;

/* Makes *handle an open file: `file`, or a new one of its own if that is NULL. SQLITE_OK or SQLITE_NOMEM. */
int lido__memory_handle_open(lido__memory_handle *handle, lido__memory_database *database, lido__memory_file *file);

/* False if there is no memory; a database of zeros otherwise. */
bool lido__memory_database_init(lido__memory_database *database);
void lido__memory_database_done(lido__memory_database *database);

#endif
