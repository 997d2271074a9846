/* Reading the index of a database's log, which SQLite keeps in memory that all processes share: how long the log is,
 * and how much of it was copied into the main file. */
#ifndef LIDO_BACKEND_SQLITE_LOG_INDEX_H
#define LIDO_BACKEND_SQLITE_LOG_INDEX_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { LIDO__LOG_MARKS = 5 };

typedef struct lido__log_index {
    uint32_t pages;                  /* in the log */
    uint32_t copied;                 /* so many of them, from the first on, are in the main file as well */
    uint32_t marks[LIDO__LOG_MARKS]; /* how far into the log those read who have the lock of that number, if any do */
    int64_t bytes;                   /* how large its file is: what is behind the pages is left from before */
} lido__log_index;

/* Of a database in WAL mode, from which something was read. False if there is none, or one of a form that is not known.
 * Does not wait. By who has the connection to himself. */
bool lido__log_index_read(sqlite3 *handle, lido__log_index *index);

/* The process that keeps the rest of the log from being copied, by reading the database as it was before. 0: there is
 * none, or it cannot be told; this process itself is never named. */
pid_t lido__log_index_holder(sqlite3 *handle, const lido__log_index *index);

#endif
