/* Running operations on a SQLite connection, one after another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/sqlite/sqlite.h"
#include "base/clock.h"
#include "base/fault.h"
#include "sql/foreign.h"

void lido__sqlite_statement_free(sqlite_statement *statement) {
    sqlite3_finalize(statement->handle);
    free(statement->kinds);
    free(statement->names);
    lido__cached_statement_free(&statement->cached);
}

void lido__sqlite_statement_finish(sqlite_connection *connection, sqlite_statement *statement) {
    sqlite3_reset(statement->handle);
    if (statement == connection->uncached) {
        connection->uncached = NULL;
        lido__sqlite_statement_free(statement);
    }
}

/* Where SQLite has refused what PostgreSQL alone has, says that, with what SQLite said. */
static void explain_refusal(sqlite_connection *connection, const lido__sql *sql, lido_error *error) {
    lido__foreign foreign;
    const char *message = sqlite3_errmsg(connection->handle);
    const char *missing = strncmp(message, "no such ", 8) == 0 ? strstr(message, ": ") : NULL;
    int offset = sqlite3_error_offset(connection->handle);
    size_t near = missing != NULL || offset < 0 ? SIZE_MAX : (size_t)offset;
    if (!lido__sql_foreign(sql->translated, sql->translated_size, near, missing != NULL ? missing + 2 : NULL, &foreign))
        return;
    lido__fault(error, LIDO_ERROR_SYNTAX, "SQLite does not have %s: %s", foreign.construct, message);
    lido__fault_hint(error, "%s", foreign.instead);
    lido__fault_field(error->sqlstate, sizeof error->sqlstate, "0A000");
    error->native_code = SQLITE_ERROR;
}

static sqlite_statement *statement_prepare(sqlite_connection *connection, const lido__sql *sql, lido_error *error) {
    bool keep = connection->statements.capacity > 0 && connection->config->prepare;
    sqlite_statement *statement = calloc(1, sizeof *statement);
    if (statement == NULL) {
        lido__fault_memory(error, "preparing a statement");
        return NULL;
    }
    int code = sqlite3_prepare_v3(connection->handle, sql->translated, (int)sql->translated_size + 1,
                                  keep ? SQLITE_PREPARE_PERSISTENT : 0, &statement->handle, NULL);
    if (code != SQLITE_OK ||
        statement->handle == NULL) { /* NULL: all of it is blank to SQLite, such as a lone U+FEFF */
        if (error->status == LIDO_OK && code == SQLITE_ERROR)
            explain_refusal(connection, sql, error);
        if (code != SQLITE_OK)
            lido__sqlite_fault(connection, code, true, error);
        else
            lido__fault(error, LIDO_ERROR_SYNTAX, "SQLite finds no statement in the SQL text");
        lido__sqlite_statement_free(statement);
        return NULL;
    }
    if (!keep)
        return connection->uncached = statement;
    lido__cached_statement *surplus = lido__statement_cache_surplus(&connection->statements);
    if (surplus != NULL) {
        lido__statement_cache_remove(&connection->statements, surplus);
        lido__sqlite_statement_free((sqlite_statement *)surplus);
    }
    if (!lido__statement_cache_add(&connection->statements, &statement->cached, sql)) {
        lido__sqlite_statement_free(statement);
        lido__fault_memory(error, "preparing a statement");
        return NULL;
    }
    return statement;
}

static bool may_write(const sqlite_connection *connection, const lido__operation *operation) {
    return !connection->read_only && !(operation->alone && operation->read_only);
}

sqlite_statement *lido__sqlite_statement_for(sqlite_connection *connection, const lido__operation *operation,
                                             lido_error *error) {
    lido__cached_statement *found = lido__statement_cache_find(&connection->statements, operation->sql);
    sqlite_statement *statement =
        found != NULL ? (sqlite_statement *)found : statement_prepare(connection, operation->sql, error);
    if (statement == NULL || sqlite3_stmt_readonly(statement->handle))
        return statement;
    if (may_write(connection, operation)) {
        if (lido__sqlite_take_turn(connection, error))
            return statement;
    } else {
        lido__fault(error, LIDO_ERROR_READ_ONLY, "the transaction is read-only and the statement writes");
        lido__fault_field(error->sqlstate, sizeof error->sqlstate, "25006");
    }
    lido__sqlite_statement_finish(connection, statement);
    return NULL;
}

/* A COMMIT that failed on writing or syncing may be found whole after a crash: nobody knows. Where it failed
 * otherwise, the transaction is still open and can be rolled back. */
static bool commit_was_torn(const lido_error *error) {
    return (error->native_code & 0xff) == SQLITE_IOERR && error->native_code != SQLITE_IOERR_NOMEM;
}

static bool run_statement(sqlite_connection *connection, lido__operation *operation, lido_error *error) {
    if (operation->alone)
        connection->moment_known = false;
    sqlite_statement *statement = lido__sqlite_statement_for(connection, operation, error);
    if (statement == NULL)
        return false;
    int64_t changed = sqlite3_total_changes64(connection->handle);
    bool done = lido__sqlite_bind(connection, statement, operation->count, operation->values, error) &&
                (operation->stream ? lido__sqlite_open_stream : lido__sqlite_read_result)(connection, statement,
                                                                                          operation, error);
    /* SQLite's count of changed rows is the last writing statement's: ours only if anything changed. */
    if (done && sqlite3_total_changes64(connection->handle) != changed)
        operation->affected = sqlite3_changes64(connection->handle);
    bool streaming = done && operation->stream && operation->result->connection != NULL;
    if (!streaming)
        lido__sqlite_statement_finish(connection, statement);
    /* SQLite commits what was changed although memory ran out over the rows that RETURNING gave. */
    if (!done && operation->alone)
        operation->in_doubt = sqlite3_total_changes64(connection->handle) != changed || commit_was_torn(error);
    return done;
}

static bool run_control(sqlite_connection *connection, sqlite_control control, lido_error *error) {
    static const char *const texts[CONTROL_COUNT] = {
        "BEGIN", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", "SAVEPOINT lido_0", "RELEASE lido_0", "ROLLBACK TO lido_0"};
    sqlite3_stmt **statement = &connection->controls[control];
    int code = SQLITE_OK;
    if (*statement == NULL)
        code = sqlite3_prepare_v3(connection->handle, texts[control], -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(*statement);
    bool done = code == SQLITE_DONE || lido__sqlite_fault(connection, code, false, error);
    sqlite3_reset(*statement);
    return done;
}

/* Savepoints are called by number: SQLite finds the innermost of a name. */
static bool run_savepoint(sqlite_connection *connection, const lido__operation *operation, lido_error *error) {
    char sql[80];
    int number = operation->savepoint;
    if (operation->kind == LIDO__SAVEPOINT)
        snprintf(sql, sizeof sql, "SAVEPOINT lido_%d", number);
    else if (operation->kind == LIDO__RELEASE)
        snprintf(sql, sizeof sql, "RELEASE lido_%d", number);
    else
        snprintf(sql, sizeof sql, "ROLLBACK TO lido_%d; RELEASE lido_%d", number, number);
    int code = sqlite3_exec(connection->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK || lido__sqlite_fault(connection, code, false, error);
}

/* What the whole transaction's COMMIT would say of the part, which nobody else shall be told. */
static bool end_part(sqlite_connection *connection, lido_error *error) {
    int open = 0;
    int most;
    sqlite3_db_status(connection->handle, SQLITE_DBSTATUS_DEFERRED_FKS, &open, &most, 0);
    if (open > 0) {
        lido__fault(error, LIDO_ERROR_FOREIGN_KEY, "FOREIGN KEY constraint failed");
        lido__fault_field(error->sqlstate, sizeof error->sqlstate, "23503");
        error->native_code = SQLITE_CONSTRAINT_FOREIGNKEY;
        return false;
    }
    if (connection->inside && !run_control(connection, CONTROL_RELEASE, error))
        return false;
    connection->inside = false;
    return true;
}

static bool undo_part(sqlite_connection *connection, lido_error *error) {
    if (!connection->inside) /* it could not be begun */
        return true;
    connection->inside = false;
    return run_control(connection, CONTROL_ROLLBACK_TO, error) && run_control(connection, CONTROL_RELEASE, error);
}

static bool run_commit(sqlite_connection *connection, lido__operation *operation, lido_error *error) {
    if (operation->inside)
        return end_part(connection, error);
    connection->commits_for_many = operation->for_many;
    bool done = run_control(connection, CONTROL_COMMIT, error);
    connection->commits_for_many = false;
    operation->untidy = connection->wait_pages > 0;
    if (done)
        return true;
    operation->in_doubt = commit_was_torn(error);
    return false;
}

static bool run_begin(sqlite_connection *connection, const lido__operation *operation, lido_error *error) {
    connection->read_only = operation->read_only;
    connection->moment = lido_time_now(); /* before it waits for the lock, as on PostgreSQL */
    connection->moment_known = true;
    sqlite3_set_last_insert_rowid(connection->handle, 0); /* LAST_KEY shall not tell what an earlier holder inserted */
    if (operation->inside)
        return connection->inside = run_control(connection, CONTROL_SAVEPOINT, error);
    if (!operation->writes || operation->read_only)
        return run_control(connection, CONTROL_BEGIN, error);
    return lido__sqlite_take_turn(connection, error) && run_control(connection, CONTROL_BEGIN_IMMEDIATE, error);
}

static bool run_operation(sqlite_connection *connection, lido__operation *operation, lido_error *error) {
    switch (operation->kind) {
    case LIDO__STATEMENT:
        return (operation->bulk != NULL ? lido__sqlite_insert_rows : run_statement)(connection, operation, error);
    case LIDO__BEGIN:
        return run_begin(connection, operation, error);
    case LIDO__COMMIT:
        return run_commit(connection, operation, error);
    case LIDO__ROLLBACK:
        return operation->inside ? undo_part(connection, error) : run_control(connection, CONTROL_ROLLBACK, error);
    case LIDO__SAVEPOINT:
    case LIDO__RELEASE:
    case LIDO__ROLLBACK_TO:
        return run_savepoint(connection, operation, error);
    case LIDO__LAST_KEY:
        operation->last_key = sqlite3_last_insert_rowid(connection->handle);
        if (operation->last_key == 0)
            return lido__fault(error, LIDO_ERROR_OTHER, "no row was inserted in this transaction");
        return true;
    case LIDO__TIDY:
        lido__sqlite_tidy_log(connection);
        return true;
    }
    return false;
}

/* A batch and what it is run on; its argument on whichever thread it is run. */
typedef struct batch_run {
    sqlite_connection *connection;
    lido__batch *batch;
    bool bulk_is_left; /* out: the last operation's, which must not be run on another thread */
} batch_run;

static void note_transaction(sqlite_connection *connection) {
    /* Some errors make SQLite roll the whole transaction back by itself. */
    connection->base.in_transaction = sqlite3_get_autocommit(connection->handle) == 0;
    if (!connection->base.in_transaction)
        connection->read_only = connection->inside = false;
    if (connection->has_turn)
        lido__sqlite_give_turn(connection);
}

/* Which the program has added since the last time. */
static bool has_new_functions(const sqlite_connection *connection) {
    const lido__functions *functions = connection->base.functions;
    return functions != NULL &&
           atomic_load_explicit(&functions->newest, memory_order_acquire) != connection->registered;
}

static void run_batch(void *argument, int worth) {
    batch_run *run = argument;
    sqlite_connection *connection = run->connection;
    lido__batch *batch = run->batch;
    if (has_new_functions(connection) && !lido__sqlite_register_new(connection, batch->error)) {
        batch->failed = 0;
        return;
    }
    for (size_t i = 0; i < batch->count; i++) {
        lido__operation *operation = &batch->operations[i];
        if (batch->failed < batch->count && !operation->alone)
            continue;
        if (operation->bulk != NULL && worth > 1) {
            run->bulk_is_left = true;
            break;
        }
        operation->done = run_operation(connection, operation, batch->error);
        if (!operation->done && batch->failed == batch->count)
            batch->failed = i;
    }
    note_transaction(connection);
}

static void run_bulk(const batch_run *run) {
    lido__operation *last = &run->batch->operations[run->batch->count - 1];
    last->done = lido__sqlite_insert_rows_elsewhere(run->connection, last, run->batch->error);
    if (!last->done)
        run->batch->failed = run->batch->count - 1;
    note_transaction(run->connection);
}

static void interrupt_batch(void *argument) {
    lido__sqlite_interrupt(((const batch_run *)argument)->connection);
}

/* What is set here, and not where the batch is run, is set before anybody can interrupt it. */
bool lido__sqlite_run(lido__connection *base, lido__batch *batch) {
    batch_run run = {.connection = (sqlite_connection *)base, .batch = batch};
    run.connection->timed_out = false;
    run.connection->deadline = batch->deadline;
    batch->failed = batch->count;
    if (lido__await_call(run_batch, interrupt_batch, &run, run.connection->in_place) != LIDO__AWAIT_READY) {
        lido__await_may_wait(batch->error);
        batch->failed = 0;
    } else if (run.bulk_is_left) {
        run_bulk(&run);
    }
    if (run.connection->busy_until != 0) {
        lido__sqlite_waited(run.connection, run.connection->busy_since, run.connection->busy_until);
        run.connection->busy_until = 0;
    }
    return batch->failed == batch->count;
}
