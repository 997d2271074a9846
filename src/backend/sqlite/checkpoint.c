/* Keeping the log short: what a commit does about it.
 *
 * SQLite's own way is to copy what it can into the main file at each commit that finds the log long, and never to wait
 * for readers: the log starts over when it happens that no reader is in its midst. So one commit in many takes as long
 * as all the copying; and with readers who never pause the log does not start over, and grows for as long as they
 * write.
 *
 * Here the log of a file is copied by passes on another thread (log.c), and a commit copies no more than the little
 * that was written since. That must be somebody with the turn to write, for the log starts over only when nothing is
 * left to copy. Where readers keep it from starting over even so, a commit that finds it far too long waits for the
 * readers of that moment, and for no others: those who come later read what it has copied. A reader that takes very
 * long is not waited for to its end: the log must keep what it may still read. Where the commit is for many
 * (core/writer.h), they hear of it before that.
 *
 * A log in memory is copied in a moment, by the commit. */
#include <string.h>

#include "backend/sqlite/log_index.h"
#include "backend/sqlite/sqlite.h"
#include "base/clock.h"

enum {
    TRIES = 8,         /* to copy, while the log grows by its limit again */
    LITTLE = 4,        /* a part of the limit: so much a commit copies; */
    LITTLE_OF_LOG = 4, /* or this part of a log that is far too long */
    PASSES_MOST = 4,   /* that leave more, because writers are quicker: then these wait for the copying */
    FAR_TOO_LONG = 4,  /* times the limit */
    WAIT_MOST_US = 100 * 1000,
    WAITS = 10,  /* into so many it is divided */
    PAUSES = 20, /* after waiting in vain: so many times as long, unless the log grows by half before that */
    INTERVAL_US = 200
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
    if (pages < tried)
        store(&log->passes, 0);
    store(&log->tried_at, pages);
    return true;
}

static bool is_far_too_long(int pages, int limit) {
    return pages / FAR_TOO_LONG >= limit;
}

static bool is_worth_waiting(sqlite_log *log, int pages, int limit) {
    int waited = load(&log->waited_at);
    if (!is_far_too_long(pages, limit))
        return false;
    return pages < waited || pages - waited > waited / 2 ||
           lido__clock_now_us() >= atomic_load_explicit(&log->pause_ends, memory_order_relaxed);
}

/* Other writers wait meanwhile, and shall not have to give up for that. Where the file is larger than it should ever
 * be, they wait longer. */
static int64_t patience_us(const sqlite_connection *connection, bool too_large) {
    int64_t most = connection->config->busy_timeout_ms * 1000 / 2;
    return most < WAIT_MOST_US || too_large ? most : WAIT_MOST_US;
}

/* SQLite waits for who has a read mark's lock, and does not see that it is another reader by now, or the same one
 * again, who reads what is newest: so it is asked anew several times. */
static int restart_log(sqlite_connection *connection, int64_t ends) {
    int64_t slice = (ends - lido__clock_now_us()) / WAITS;
    int64_t now;
    int code;
    do {
        now = lido__clock_now_us();
        connection->checkpoint_ends = now + slice < ends ? now + slice : ends;
        code = sqlite3_wal_checkpoint_v2(connection->handle, "main", SQLITE_CHECKPOINT_RESTART, NULL, NULL);
        now = lido__clock_now_us();
    } while ((code & 0xff) == SQLITE_BUSY && now < ends &&
             lido__await_moment(now + INTERVAL_US) == LIDO__AWAIT_TIMED_OUT && lido__await_may_wait(NULL));
    connection->checkpoint_ends = 0;
    return code;
}

static void wait_for_readers(sqlite_connection *connection, int pages, bool too_large) {
    sqlite_log *log = connection->log;
    int64_t patience = patience_us(connection, too_large);
    int64_t ends = lido__clock_now_us() + patience;
    int code = restart_log(connection, ends < connection->deadline ? ends : connection->deadline);
    lido__sqlite_log_note(log, connection->handle, code);
    store(&log->waited_at, code == SQLITE_OK ? 0 : pages);
    atomic_store_explicit(&log->pause_ends, lido__clock_now_us() + PAUSES * patience, memory_order_relaxed);
}

void lido__sqlite_tidy_log(sqlite_connection *connection) {
    int pages = connection->wait_pages;
    connection->wait_pages = 0;
    if (pages > 0)
        wait_for_readers(connection, pages, connection->wait_is_long);
}

static void copy_rest(sqlite_connection *connection, int pages, bool too_large) {
    sqlite_log *log = connection->log;
    int code = sqlite3_wal_checkpoint_v2(connection->handle, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    lido__sqlite_log_note(log, connection->handle, code);
    store(&log->passes, 0);
    if (!is_worth_waiting(log, pages, log->config->wal_autocheckpoint))
        return;
    connection->wait_pages = pages;
    connection->wait_is_long = too_large;
    if (!connection->commits_for_many)
        lido__sqlite_tidy_log(connection);
}

/* A limit of 0 asks that the file be cut to nothing when it starts over, and says not how large it may be until
 * then. */
static bool is_too_large(const lido__config *config, const lido__log_index *index) {
    return config->journal_size_limit > 0 && index->bytes > config->journal_size_limit;
}

/* Where the rest is more than a little, it is because a reader keeps it, who is not waited for, or because nobody has
 * copied it yet. */
static void look_at_file(sqlite_connection *connection, int pages) {
    sqlite_log *log = connection->log;
    int limit = log->config->wal_autocheckpoint;
    lido__log_index index;
    if (atomic_load(&log->pass) != LIDO__LOG_RESTS || !is_due(log, pages, limit))
        return;
    bool known = lido__log_index_read(connection->handle, &index);
    int rest = known ? (int)(index.pages - index.copied) : pages;
    bool little = rest <= limit / LITTLE || (is_far_too_long(pages, limit) && rest <= pages / LITTLE_OF_LOG);
    if (!little && load(&log->passes) < PASSES_MOST &&
        lido__sqlite_log_begin_pass(log, sqlite3_db_filename(connection->handle, "main")))
        return;
    copy_rest(connection, pages, known && is_too_large(log->config, &index));
}

/* SQLite calls this after a commit. What becomes of the checkpoint is not the commit's business: another comes. */
static int look_at_log(void *argument, sqlite3 *handle, const char *schema, int pages) {
    sqlite_connection *connection = argument;
    int limit = connection->config->wal_autocheckpoint;
    bool attached = strcmp(schema, "main") != 0;
    if (attached && pages >= limit)
        sqlite3_wal_checkpoint_v2(handle, schema, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    else if (!attached && connection->config->database != NULL)
        look_at_file(connection, pages);
    else if (!attached && is_due(connection->log, pages, limit))
        copy_rest(connection, pages, false);
    return SQLITE_OK;
}

/* With a limit of 0 nobody looks, neither SQLite. */
void lido__sqlite_keep_log_short(sqlite_connection *connection) {
    bool never = connection->config->wal_autocheckpoint == 0;
    sqlite3_wal_hook(connection->handle, never ? NULL : look_at_log, connection);
}
