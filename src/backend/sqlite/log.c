/* Passes: copying the log of a file into the database on another thread, while others write and read.
 *
 * A pass has a connection of its own, for those of the pool are in use, and opens it each time: to keep it would keep
 * the file open behind the back of who closes all others. SQLite's checkpoint of the kind "passive" takes no lock that
 * a reader or a writer waits for. */
#include "backend/sqlite/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await/await.h"
#include "backend/sqlite/log_index.h"
#include "base/clock.h"
#include "base/log.h"

bool lido__sqlite_log_init(sqlite_log *log, const lido__config *config) {
    *log = (sqlite_log){.config = config};
    return lido__waker_init(&log->over);
}

void lido__sqlite_log_done(sqlite_log *log) {
    int copies = LIDO__LOG_COPIES;
    if (atomic_compare_exchange_strong(&log->pass, &copies, LIDO__LOG_COPIES_AWAITED))
        lido__await(&(lido__wait){.kind = LIDO__WAIT_WAKER, .waker = &log->over, .firm = true}, LIDO__NO_DEADLINE);
    lido__waker_done(&log->over);
}

void lido__sqlite_log_note(sqlite_log *log, sqlite3 *handle, int code) {
    int kind = code & 0xff;
    if (kind == SQLITE_OK)
        atomic_store_explicit(&log->troubled, false, memory_order_relaxed);
    else if (kind != SQLITE_BUSY && kind != SQLITE_LOCKED && kind != SQLITE_INTERRUPT &&
             !atomic_exchange_explicit(&log->troubled, true, memory_order_relaxed))
        lido__log(LIDO_LOG_WARNING,
                  "%s: the write-ahead log could not be copied into the database, and grows until it can: %s",
                  log->config->display, handle != NULL ? sqlite3_errmsg(handle) : sqlite3_errstr(code));
}

typedef struct pass {
    sqlite_log *log;
    char path[];
} pass;

/* SQLite opens the log when it first reads. */
static int open_for_pass(const pass *self, sqlite3 **handle) {
    char sql[96];
    int code =
        sqlite3_open_v2(self->path, handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    snprintf(sql, sizeof sql, "PRAGMA synchronous = %s; SELECT count(*) FROM sqlite_schema",
             self->log->config->synchronous);
    return code == SQLITE_OK ? sqlite3_exec(*handle, sql, NULL, NULL, NULL) : code;
}

/* Whether the pass copied most of what was left: else a reader keeps it, who would let a commit copy no more. */
static bool came_far(int copied_before, int copied, int length) {
    return copied - copied_before >= (length - copied_before) / 2;
}

static void copy_log(void *argument) {
    const pass *self = argument;
    sqlite_log *log = self->log;
    sqlite3 *handle = NULL;
    lido__log_index before = {.copied = 0};
    int length = 0;
    int copied = 0;
    int code = open_for_pass(self, &handle);
    if (code == SQLITE_OK) {
        lido__log_index_read(handle, &before);
        code = sqlite3_wal_checkpoint_v2(handle, "main", SQLITE_CHECKPOINT_PASSIVE, &length, &copied);
    }
    lido__sqlite_log_note(log, handle, code);
    sqlite3_close(handle);
    if (code == SQLITE_OK && came_far((int)before.copied, copied, length))
        atomic_fetch_add_explicit(&log->passes, 1, memory_order_relaxed);
    /* Whoever waits for it frees the log; if nobody does, it may be gone from here on. */
    if (atomic_exchange(&log->pass, LIDO__LOG_RESTS) == LIDO__LOG_COPIES_AWAITED)
        lido__waker_wake(&log->over);
}

bool lido__sqlite_log_begin_pass(sqlite_log *log, const char *path) {
    size_t size = strlen(path) + 1;
    pass *begun = malloc(sizeof *begun + size);
    if (begun == NULL)
        return false;
    begun->log = log;
    memcpy(begun->path, path, size);
    int rests = LIDO__LOG_RESTS;
    if (!atomic_compare_exchange_strong(&log->pass, &rests, LIDO__LOG_COPIES)) { /* another commit was quicker */
        free(begun);
        return true;
    }
    /* Not waited for, the deadline being over; without another thread it is done here, and READY. */
    lido__wait wait = {.kind = LIDO__WAIT_WORK, .work = copy_log, .dispose = free, .argument = begun, .firm = true};
    if (lido__await(&wait, lido__clock_now_us()) == LIDO__AWAIT_READY)
        free(begun);
    return true;
}
