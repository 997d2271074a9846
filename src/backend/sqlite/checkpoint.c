/* Keeping the log of an in-memory database short, for it is memory.
 *
 * SQLite's own way is to copy what it can into the main file after each commit that finds the log long, and never to
 * wait: the log starts over when it happens that no reader is in its midst. With readers who never pause that does not
 * happen, and the log grows for as long as they write. So a commit that finds it far too long waits for the readers of
 * that moment; those who come later are not in the way. A reader that takes very long is not waited for to its end: the
 * log must keep what it may still read. */
#include <string.h>

#include "backend/sqlite/sqlite.h"
#include "base/clock.h"

enum {
    TRIES = 8,        /* to copy, while the log grows by its limit again */
    FAR_TOO_LONG = 4, /* times the limit */
    WAIT_MOST_US = 100 * 1000,
    PAUSE_US = 2 * 1000 * 1000 /* after waiting in vain, unless the log grows by half before that */
};

static int load(atomic_int *number) {
    return atomic_load_explicit(number, memory_order_relaxed);
}

static void store(atomic_int *number, int value) {
    atomic_store_explicit(number, value, memory_order_relaxed);
}

/* A log that is shorter than it was has started over. */
static bool is_due(sqlite_log *log, int pages, int limit) {
    int tried = load(&log->tried_at);
    if (pages < limit || (pages >= tried && pages - tried < limit / TRIES))
        return false;
    store(&log->tried_at, pages);
    return true;
}

static bool is_worth_waiting(sqlite_log *log, int pages, int limit) {
    int waited = load(&log->waited_at);
    if (pages / FAR_TOO_LONG < limit)
        return false;
    return pages < waited || pages - waited > waited / 2 ||
           lido__clock_now_us() >= atomic_load_explicit(&log->pause_ends, memory_order_relaxed);
}

/* Other writers wait meanwhile, and shall not have to give up for that. */
static int64_t end_of_wait(const sqlite_connection *connection) {
    int64_t patience = connection->config->busy_timeout_ms * 1000 / 2;
    int64_t ends = lido__clock_now_us() + (patience < WAIT_MOST_US ? patience : WAIT_MOST_US);
    return ends < connection->deadline ? ends : connection->deadline;
}

static void wait_for_readers(sqlite_connection *connection, const char *schema, int pages) {
    connection->checkpoint_ends = end_of_wait(connection);
    int code = sqlite3_wal_checkpoint_v2(connection->handle, schema, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    connection->checkpoint_ends = 0;
    store(&connection->log->waited_at, code == SQLITE_OK ? 0 : pages);
    atomic_store_explicit(&connection->log->pause_ends, lido__clock_now_us() + PAUSE_US, memory_order_relaxed);
}

/* SQLite calls this after a commit. What becomes of the checkpoint is not the commit's business: another comes. */
static int look_at_log(void *argument, sqlite3 *handle, const char *schema, int pages) {
    sqlite_connection *connection = argument;
    int limit = connection->config->wal_autocheckpoint;
    int length = 0;
    int copied = 0;
    if (strcmp(schema, "main") != 0) { /* a file that was attached */
        if (pages >= limit)
            sqlite3_wal_checkpoint_v2(handle, schema, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        return SQLITE_OK;
    }
    if (!is_due(connection->log, pages, limit))
        return SQLITE_OK;
    sqlite3_wal_checkpoint_v2(handle, schema, SQLITE_CHECKPOINT_PASSIVE, &length, &copied);
    if (copied < length && is_worth_waiting(connection->log, pages, limit))
        wait_for_readers(connection, schema, pages);
    return SQLITE_OK;
}

/* With a limit of 0 nobody looks, neither SQLite. */
void lido__sqlite_keep_log_short(sqlite_connection *connection) {
    bool never = connection->config->wal_autocheckpoint == 0;
    sqlite3_wal_hook(connection->handle, never ? NULL : look_at_log, connection);
}
