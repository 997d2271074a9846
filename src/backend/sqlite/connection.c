/* Opening and closing SQLite connections, waiting for locks, and the backend's table. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await/await.h"
#include "backend/shared_turn.h"
#include "backend/sqlite/database.h"
#include "backend/sqlite/functions.h"
#include "backend/sqlite/log_index.h"
#include "backend/sqlite/pattern.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/histogram.h"

enum {
    PROGRESS_STEPS = 10000,  /* of SQLite's virtual machine between two looks at the deadline: some 100 µs */
    BUSY_INTERVAL_US = 1000, /* fixed, so that who has waited long is not behind who just came */
    CHECKPOINT_INTERVAL_US = 200,
    PRAGMA_MOST = 96
};

/* A statement may be cancelled in the moment before it begins, which sqlite3_interrupt does not remember. */
bool lido__sqlite_must_stop(sqlite_connection *connection) {
    if (atomic_load_explicit(&connection->base.stop, memory_order_relaxed))
        return true;
    if (connection->deadline == LIDO__NO_DEADLINE || lido__clock_now_us() < connection->deadline)
        return false;
    connection->timed_out = true;
    return true;
}

/* SQLite calls this while a statement runs: lets other tasks run, too, if this is the loop's thread. */
static int look_at_deadline(void *argument) {
    return lido__sqlite_must_stop(argument) || lido__await_yield() != LIDO__AWAIT_READY;
}

/* After a commit: to give up is no error. */
static int wait_for_checkpoint(const sqlite_connection *connection, int64_t now) {
    if (now >= connection->checkpoint_ends || atomic_load_explicit(&connection->base.stop, memory_order_relaxed))
        return 0;
    return lido__await_moment(now + CHECKPOINT_INTERVAL_US) == LIDO__AWAIT_TIMED_OUT && lido__await_may_wait(NULL);
}

void lido__sqlite_waited(const sqlite_connection *connection, int64_t since, int64_t until) {
    if (connection->base.busy != NULL)
        lido__histogram_record(connection->base.busy, (until - since) * 1000, 1);
}

/* SQLite does not say when the lock was had: that is known when it asks for the next, or when the batch is done. */
static void begin_to_wait(sqlite_connection *connection, int64_t now) {
    if (connection->busy_until != 0)
        lido__sqlite_waited(connection, connection->busy_since, connection->busy_until);
    connection->busy_since = now;
    connection->busy_until = 0;
}

static int wait_a_moment(sqlite_connection *connection, int64_t until) {
    bool passed = lido__await_moment(until) == LIDO__AWAIT_TIMED_OUT && lido__await_may_wait(NULL);
    connection->busy_until = lido__clock_now_us();
    return passed;
}

/* SQLite calls this when another connection holds the lock: waits a moment, or gives up with SQLITE_BUSY. */
static int wait_for_lock(void *argument, int times) {
    sqlite_connection *connection = argument;
    int64_t now = lido__clock_now_us();
    if (connection->checkpoint_ends != 0)
        return wait_for_checkpoint(connection, now);
    if (times == 0)
        begin_to_wait(connection, now);
    int64_t give_up = connection->busy_since + connection->config->busy_timeout_ms * 1000;
    if (connection->deadline < give_up)
        give_up = connection->deadline;
    if (atomic_load_explicit(&connection->base.stop, memory_order_relaxed))
        return 0;
    if (now >= give_up) {
        connection->timed_out = now >= connection->deadline;
        return 0;
    }
    return wait_a_moment(connection, now + BUSY_INTERVAL_US < give_up ? now + BUSY_INTERVAL_US : give_up);
}

static bool pragma(sqlite_connection *connection, lido_error *error, const char *format, ...) LIDO_FORMAT(3, 4);

/* The format's values are integers and words that the configuration has checked. */
static bool pragma(sqlite_connection *connection, lido_error *error, const char *format, ...) {
    char sql[PRAGMA_MOST];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sql, sizeof sql, format, arguments);
    va_end(arguments);
    int code = sqlite3_exec(connection->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK || lido__sqlite_fault(connection, code, false, error);
}

/* SQLite answers with the mode it is in, which is another one where it could not change. */
static bool set_journal_mode(sqlite_connection *connection, lido_error *error) {
    char sql[64];
    sqlite3_stmt *statement = NULL;
    snprintf(sql, sizeof sql, "PRAGMA journal_mode = %s", connection->config->journal_mode);
    int code = sqlite3_prepare_v2(connection->handle, sql, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    const char *mode = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    bool set = mode != NULL && strcmp(mode, connection->config->journal_mode) == 0;
    if (code == SQLITE_ROW && !set)
        lido__fault(error, LIDO_ERROR_STORAGE, "the file's journal mode stays \"%s\" and cannot become \"%s\"",
                    mode != NULL ? mode : "", connection->config->journal_mode);
    else if (!set)
        lido__sqlite_fault(connection, code, false, error);
    sqlite3_finalize(statement);
    return set;
}

static bool set_pragmas(sqlite_connection *connection, lido_error *error) {
    const lido__config *config = connection->config;
    bool file = config->database != NULL; /* the one in memory has nothing to sync, and always a log */
    if (file && !config->sqlite_read_only && !set_journal_mode(connection, error))
        return false;
    if (!config->sqlite_read_only)
        lido__sqlite_keep_log_short(connection);
    return pragma(connection, error, "PRAGMA foreign_keys = %d", config->foreign_keys) &&
           pragma(connection, error, "PRAGMA synchronous = %s", file ? config->synchronous : "off") &&
           pragma(connection, error, "PRAGMA cache_size = -%" PRId64, (config->cache_size + 1023) / 1024) &&
           pragma(connection, error, "PRAGMA mmap_size = %" PRId64, file ? config->mmap_size : 0) &&
           pragma(connection, error, "PRAGMA journal_size_limit = %" PRId64, config->journal_size_limit) &&
           /* Reads the file's header, so that a file that is no database is refused here. */
           pragma(connection, error, "SELECT count(*) FROM sqlite_schema");
}

/* Where several open a new file at once, SQLite gives some of them SQLITE_BUSY without a word to the busy handler, for
 * who changes to WAL and who puts a log in order may each wait for the other. */
static bool set_pragmas_surely(sqlite_connection *connection, lido_error *error) {
    int64_t give_up = lido__deadline_in_ms(connection->config->busy_timeout_ms);
    while (!set_pragmas(connection, error)) {
        if ((error->native_code & 0xff) != SQLITE_BUSY || lido__clock_now_us() >= give_up ||
            lido__sqlite_must_stop(connection) ||
            lido__await_moment(lido__clock_now_us() + BUSY_INTERVAL_US) != LIDO__AWAIT_TIMED_OUT ||
            !lido__await_may_wait(NULL))
            return false;
        lido__fault_clear(error);
    }
    return true;
}

static bool configure(sqlite_connection *connection, lido_error *error) {
    sqlite3 *handle = connection->handle;
    sqlite3_busy_handler(handle, wait_for_lock, connection);
    sqlite3_progress_handler(handle, PROGRESS_STEPS, look_at_deadline, connection);
    /* "name" that is no column shall be an error, as on PostgreSQL, and not a string. */
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    int code = lido__sqlite_register_functions(connection);
    if (code != SQLITE_OK)
        return lido__sqlite_fault(connection, code, false, error);
    return set_pragmas_surely(connection, error);
}

static void close_handle(void *argument, int worth) {
    sqlite_connection *connection = argument;
    (void)worth;
    lido__cached_statement *cached;
    while (connection->statements.buckets != NULL && (cached = connection->statements.oldest) != NULL) {
        lido__statement_cache_remove(&connection->statements, cached);
        lido__sqlite_statement_free((sqlite_statement *)cached);
    }
    if (connection->uncached != NULL)
        lido__sqlite_statement_free(connection->uncached);
    for (size_t i = 0; i < CONTROL_COUNT; i++)
        sqlite3_finalize(connection->controls[i]);
    lido__statement_cache_done(&connection->statements);
    sqlite3_close_v2(connection->handle);
    if (connection->has_turn)
        lido__shared_turn_give(connection->config->write_turn, false);
    lido__patterns_free(connection->patterns);
    free(connection->functions);
    free(connection);
}

/* The last one that is closed copies the whole WAL into the file. */
static void close_connection(lido__connection *base) {
    sqlite_connection *connection = (sqlite_connection *)base;
    lido__wait closing = {.kind = LIDO__WAIT_CALL,
                          .call = close_handle,
                          .argument = connection,
                          .in_place = connection->in_place,
                          .firm = true};
    lido__await(&closing, LIDO__NO_DEADLINE);
}

/* The deadline that passed was not a statement's. */
static void blame_connect_timeout(const sqlite_connection *connection, lido_error *error) {
    if (!connection->timed_out || error->category != LIDO_ERROR_TIMEOUT)
        return;
    lido__fault_field(error->message, sizeof error->message,
                      "the database could not be opened within connect_timeout: another connection holds its lock");
    lido__fault_field(error->hint, sizeof error->hint, "end the other's transaction sooner, or raise connect_timeout");
}

static bool runs_in_place(const lido__config *config) {
    return strcmp(config->offload, "never") == 0 || (strcmp(config->offload, "auto") == 0 && config->database == NULL);
}

typedef struct opening {
    sqlite_connection *connection;
    const sqlite_database *database;
    lido_error *error;
} opening;

static void open_and_configure(void *argument, int worth) {
    const opening *wanted = argument;
    sqlite_connection *connection = wanted->connection;
    (void)worth;
    int code = lido__sqlite_open_handle(connection->config, wanted->database, &connection->handle);
    if (code == SQLITE_OK)
        configure(connection, wanted->error);
    else
        lido__sqlite_fault(connection, code, false, wanted->error);
}

/* There may be no handle to interrupt yet. */
static void stop_opening(void *argument) {
    atomic_store_explicit(&((const opening *)argument)->connection->base.stop, true, memory_order_relaxed);
}

static lido__connection *open_connection(const lido__config *config, void *attached, lido_error *error) {
    sqlite_database *database = attached;
    sqlite_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL || !lido__statement_cache_init(&connection->statements, (size_t)config->statement_cache)) {
        free(connection);
        lido__fault_memory(error, "opening the database");
        lido__fault_doing(error, "opening the database");
        return NULL;
    }
    connection->base.backend = &lido__backend_sqlite;
    connection->config = config;
    connection->log = &database->log;
    connection->deadline = lido__deadline_in_ms(config->connect_timeout_ms);
    connection->in_place = runs_in_place(config);
    opening wanted = {connection, database, error};
    if (lido__await_call(open_and_configure, stop_opening, &wanted, connection->in_place) != LIDO__AWAIT_READY)
        lido__await_may_wait(error);
    if (error->status != LIDO_OK) {
        blame_connect_timeout(connection, error);
        lido__fault_doing(error, "opening the database");
        close_connection(&connection->base);
        return NULL;
    }
    return &connection->base;
}

static bool alive(lido__connection *connection) {
    return !connection->broken;
}

void lido__sqlite_interrupt(sqlite_connection *connection) {
    atomic_store_explicit(&connection->base.stop, true, memory_order_relaxed);
    sqlite3_interrupt(connection->handle);
}

static void cancel(lido__connection *base, bool give_up) {
    (void)give_up;
    lido__sqlite_interrupt((sqlite_connection *)base);
}

typedef struct inspection {
    sqlite_connection *connection;
    lido_server *server;
} inspection;

static bool has_log(const sqlite_connection *connection) {
    sqlite3_stmt *statement = NULL;
    bool has = false;
    if (connection->config->database == NULL)
        return false;
    sqlite3_prepare_v2(connection->handle, "PRAGMA journal_mode", -1, &statement, NULL);
    if (sqlite3_step(statement) == SQLITE_ROW)
        has = strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
    sqlite3_finalize(statement);
    return has;
}

static void inspect_log(void *argument, int worth) {
    const inspection *self = argument;
    lido_server *server = self->server;
    sqlite3 *handle = self->connection->handle;
    lido__log_index index;
    (void)worth;
    if (!has_log(self->connection) || !lido__log_index_read(handle, &index))
        return;
    server->log_pages = index.pages;
    server->log_copied = index.copied;
    server->log_bytes = index.bytes;
    server->log_holder = lido__log_index_holder(handle, &index);
}

/* In a task that may not wait any more the log is left out, and what comes next says so. */
static bool inspect(lido__connection *base, lido_server *server, lido_error *error) {
    inspection log = {(sqlite_connection *)base, server};
    (void)error;
    lido__fault_field(server->backend, sizeof server->backend, "sqlite");
    lido__fault_field(server->version, sizeof server->version, sqlite3_libversion());
    lido__await_call(inspect_log, NULL, &log, log.connection->in_place);
    return true;
}

const lido__backend lido__backend_sqlite = {
    .name = "sqlite",
    .bulk_from = 1,
    .one_writer = true,
    .attach = lido__sqlite_attach,
    .detach = lido__sqlite_detach,
    .open = open_connection,
    .close = close_connection,
    .around_fork = lido__sqlite_around_fork,
    .abandon = lido__sqlite_abandon,
    .alive = alive,
    .cancel = cancel,
    .run = lido__sqlite_run,
    .inspect = inspect,
};
