/* Opening and closing sessions, whose they are, and the error that sticks. */
#include "core/watch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await/await.h"
#include "base/fault.h"
#include "base/log.h"
#include "core/fork.h"

enum { CANCELS_END_MOST_MS = 200 };

/* What lido_session_open returns where memory is short, or the engine is NULL. */
static lido_session memoryless = LIDO__SESSION_REFUSED(LIDO_ERROR_OUT_OF_MEMORY, "out of memory", "");
static lido_session engineless = LIDO__SESSION_REFUSED(LIDO_ERROR_MISUSE, "the engine is NULL",
                                                       "look at what lido_engine_open returned, and at its error");

static const lido_error not_yours = {
    .status = LIDO_ERROR,
    .category = LIDO_ERROR_MISUSE,
    .doing = "using a session",
    .message = "the session belongs to another thread or task",
    .hint = "open a session in the thread or task that uses it; the pool is shared, sessions are not"};

static const lido_error inherited = {.status = LIDO_ERROR,
                                     .category = LIDO_ERROR_MISUSE,
                                     .doing = "using a session",
                                     .message = "the session belongs to the process that this one was forked from",
                                     .hint =
                                         "open a session in the child; the engine is good for both, sessions are not"};

static const lido_error no_session = {
    .status = LIDO_ERROR, .category = LIDO_ERROR_MISUSE, .doing = "using a session", .message = "the session is NULL"};

static const lido_error supplies = {.status = LIDO_ERROR,
                                    .category = LIDO_ERROR_MISUSE,
                                    .doing = "using a session",
                                    .message = "the session is inserting the rows that are just asked for",
                                    .hint = "in a source of rows use another session"};

lido_session *lido_at(lido_session *session, const char *file, int line) {
    if (lido__session_is_mine(session)) {
        session->file = file;
        session->line = line;
    }
    return session;
}

const lido_error *lido_error_of(const lido_session *session) {
    if (lido__session_is_mine(session))
        return &session->error;
    if (session == NULL)
        return &no_session;
    if (session->owner == 0)
        return &session->error;
    if (session->process != lido__fork_count())
        return &inherited;
    return session->owner == lido__await_self() ? &supplies : &not_yours;
}

bool lido_failed(const lido_session *session) {
    return !lido__session_is_mine(session) || session->failed;
}

/* What the backend calls cancelled or late may be so because the task was. */
static void blame_task(lido_error *error) {
    lido_error why = LIDO_ERROR_INIT;
    if ((error->category != LIDO_ERROR_TIMEOUT && error->category != LIDO_ERROR_CANCELLED) ||
        lido__await_may_wait(&why))
        return;
    error->category = why.category;
    lido__fault_field(error->message, sizeof error->message, why.message);
    lido__fault_field(error->hint, sizeof error->hint, why.hint);
}

void lido__session_fail(lido_session *session, const char *doing) {
    lido_error *error = &session->error;
    blame_task(error);
    session->failed = true;
    session->failed_at = session->savepoints;
    lido__fault_doing(error, doing);
    lido__fault_field(error->database, sizeof error->database, session->engine->config.display);
    if (error->file == NULL) {
        error->file = session->file;
        error->line = session->line;
    }
    lido__watch_error(session);
}

static void refuse(lido_session *session, lido_category category, const char *doing, const char *sql,
                   const char *format, va_list arguments) {
    char message[sizeof session->error.message];
    if (session->failed)
        return;
    vsnprintf(message, sizeof message, format, arguments); /* first: the arguments may be texts of the last error */
    lido__fault_clear(&session->error);
    lido__fault(&session->error, category, "%s", message);
    if (sql != NULL)
        lido__fault_field(session->error.statement, sizeof session->error.statement, sql);
    lido__session_fail(session, doing);
}

bool lido__session_refuse(lido_session *session, lido_category category, const char *sql, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    refuse(session, category, sql != NULL ? "preparing a statement" : "using a session", sql, format, arguments);
    va_end(arguments);
    return false;
}

bool lido__session_refuse_reading(lido_session *session, lido_category category, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    refuse(session, category, "reading a value", NULL, format, arguments);
    va_end(arguments);
    return false;
}

void lido__session_in_doubt(lido_session *session) {
    lido_error *error = &session->error;
    error->category = LIDO_ERROR_UNKNOWN_OUTCOME;
    error->retryable = false;
    error->hint[0] = '\0';
    lido__fault_hint(error, "the transaction may stand or not: look before doing it again");
}

void lido_fail(lido_session *session, const char *format, ...) {
    char message[sizeof session->error.message];
    va_list arguments;
    if (!lido__session_is_mine(session))
        return;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    lido__session_refuse(session, LIDO_ERROR_OTHER, NULL, "%s", message);
}

static void check_choice(lido_error *error, const char *option, int found, int last, const char *last_name) {
    if (found < 0 || found > last)
        lido__fault(error, LIDO_ERROR_MISUSE, "the option %s is %d: 0 to %d (%s) are allowed", option, found, last,
                    last_name);
}

static void check_timeout(lido_error *error, const char *option, int64_t found) {
    if (found < -1)
        lido__fault(error, LIDO_ERROR_MISUSE,
                    "the option %s is %" PRId64 ": milliseconds, 0 (the engine's) and -1 (none) are allowed", option,
                    found);
}

/* Options that are none fail the session for good; it goes on with the defaults, so that nobody meets the others. */
static void check_options(lido_session *session) {
    const lido_session_options *options = &session->options;
    lido_error *error = &session->error;
    check_choice(error, "isolation", (int)options->isolation, LIDO_SERIALISABLE, "LIDO_SERIALISABLE");
    check_choice(error, "at_end", (int)options->at_end, LIDO_AT_END_ROLLBACK, "LIDO_AT_END_ROLLBACK");
    check_timeout(error, "statement_timeout_ms", options->statement_timeout_ms);
    check_timeout(error, "transaction_timeout_ms", options->transaction_timeout_ms);
    if (error->status == LIDO_OK)
        return;
    session->options = (lido_session_options){.autocommit = false};
    session->unusable = true;
    lido__session_fail(session, "opening a session");
}

/* Its task has ended. */
static void left_open(lido__held *held) {
    lido_session *session = (lido_session *)((char *)held - offsetof(lido_session, held));
    lido__log(LIDO_LOG_WARNING, "%s: a task has ended with a session open, which is rolled back; last used at %s:%d",
              session->engine->config.display, session->file != NULL ? session->file : "?", session->line);
    lido_rollback(session);
    lido_session_close(session);
}

/* Memory for a session: of the one that was closed last, with what belongs to it, or new. A session for each request is
 * the common use, and its three pieces of memory took malloc and free longer than lido took for a statement in it. */
static lido_session *session_take(lido_engine *engine) {
    lido_session *session = NULL;
    if (atomic_load_explicit(&engine->spare, memory_order_relaxed) != NULL)
        session = atomic_exchange_explicit(&engine->spare, NULL, memory_order_acquire);
    if (session != NULL)
        return session;
    session = malloc(sizeof *session);
    if (session == NULL)
        return NULL;
    session->queue = NULL;
    session->queue_capacity = 0;
    session->arena = session->kept = (lido__arena)LIDO__ARENA_INIT;
    session->spare = NULL;
    return session;
}

void lido__session_free(lido_session *session) {
    if (session == NULL)
        return;
    lido__rows_free_spare(session);
    lido__arena_done(&session->arena);
    lido__arena_done(&session->kept);
    free(session->queue);
    free(session);
}

/* It is nobody's from here on, so that who still calls it is refused. */
static void session_leave(lido_session *session) {
    lido_engine *engine = session->engine;
    lido_session *none = NULL;
    lido__await_let_go(&session->held);
    if (session->unit != NULL)
        session->unit->free(session);
    lido__arena_reset(&session->arena);
    lido__arena_reset(&session->kept);
    session->owner = 0;
    if (!atomic_compare_exchange_strong_explicit(&engine->spare, &none, session, memory_order_release,
                                                 memory_order_relaxed))
        lido__session_free(session);
    lido__engine_let_go(engine);
}

lido_session *lido_session_open(lido_engine *engine, const lido_session_options *options) {
    if (engine == NULL)
        return &engineless;
    lido_session *session = session_take(engine);
    if (session == NULL)
        return &memoryless;
    memset(session, 0, offsetof(lido_session, queue));
    lido__fault_clear(&session->error);
    session->engine = engine;
    session->owner = lido__await_self();
    session->process = lido__fork_count();
    if (options != NULL)
        session->options = *options;
    check_options(session);
    if (session->options.statement_timeout_ms == 0)
        session->options.statement_timeout_ms = engine->config.statement_timeout_ms;
    if (session->options.transaction_timeout_ms == 0)
        session->options.transaction_timeout_ms = engine->config.transaction_timeout_ms;
    lido__engine_hold(engine);
    lido__await_hold(&session->held, left_open);
    if (atomic_load_explicit(&engine->closed, memory_order_relaxed))
        lido__session_refuse(session, LIDO_ERROR_MISUSE, NULL,
                             "the engine is closed: open sessions before lido_engine_close, or on another engine");
    return session;
}

/* Who cancels is still counted when the one who ran it wakes, for both hear of it at about the same time; the pool
 * would close the connection then, and each cancelled statement would cost one. Who cancels sees within some
 * milliseconds that nothing runs any more. That he stops counting himself between two tries was rejected: the server
 * may end the statement before it lets the request go, and he would be counted all the same. Not for long: the server
 * may not answer him. */
static void let_cancels_end(lido__connection *connection) {
    if (!connection->broken && lido__hold_cancels(connection) > 0)
        lido__hold_rest_until(connection, lido__deadline_in_ms(CANCELS_END_MOST_MS));
}

void lido__session_release(lido_session *session) {
    if (session->ticket != NULL)
        lido__pool_release(&session->engine->writer.pool, session->ticket);
    session->ticket = NULL;
    if (session->connection == NULL)
        return;
    if (lido__watched(session, LIDO_EVENT_CHECKIN) || LIDO__PROBED(checkin))
        lido__watch_checkin(session, session->connection->holder.since);
    let_cancels_end(session->connection);
    lido__pool_release(session->lender, session->connection);
    session->connection = NULL;
}

void lido__session_forget_connection(lido_session *session) {
    session->connection = NULL;
    session->in_turn = false;
    if (lido__watched(session, LIDO_EVENT_CHECKIN) || LIDO__PROBED(checkin))
        lido__watch_checkin(session, session->began_at);
}

void lido__session_pause(lido_session *session) {
    lido__hold_pause(session->connection);
    if (session->in_turn)
        lido__writer_pause(&session->engine->writer, session->turn);
    session->in_turn = false;
}

bool lido__session_resume(lido_session *session) {
    if (session->inside && !session->in_turn) {
        session->in_turn = lido__writer_resume(&session->engine->writer, session->turn);
        if (!session->in_turn) {
            lido__session_forget_connection(session);
            return false;
        }
    }
    lido__hold_go_on(session->connection);
    return true;
}

bool lido__session_flush(lido_session *session) {
    if (session->unit != NULL && !session->failed && !session->whole)
        session->unit->flush(session);
    return !session->failed;
}

lido_status lido__session_settle(lido_session *session, lido_status outcome) {
    if (session->failed)
        session->error.status = outcome;
    if (session->began_with != NULL)
        lido__queue_learn(session);
    session->begun = session->may_have_inserted = session->refused = session->lost = false;
    session->inside = session->in_turn = session->wrote = false;
    session->failed = session->unusable;
    session->savepoints = session->savepoints_sent = 0;
    session->outcome = outcome;
    session->ended = true;
    if (session->unit != NULL && !session->whole)
        session->unit->ended(session, outcome);
    return outcome;
}

static lido_status end_transaction(lido_session *session) {
    if (session->options.autocommit || session->options.at_end == LIDO_AT_END_COMMIT)
        return lido_commit(session);
    if (!session->begun && !session->failed)
        return LIDO_OK;
    if (session->connection != NULL && !session->failed && session->options.at_end == LIDO_AT_END_DEFAULT)
        lido__log(LIDO_LOG_INFO,
                  "%s: a session was closed within a transaction, which is rolled back; last used at %s:%d",
                  session->engine->config.display, session->file != NULL ? session->file : "?", session->line);
    lido_rollback(session);
    return LIDO_ROLLED_BACK;
}

lido_status lido_cancel(lido_session *session) {
    if (session == NULL || session->engine == NULL || session->process != lido__fork_count())
        return LIDO_ERROR;
    lido_engine *engine = session->engine;
    bool found = lido__lanes_cancel_session(session) || lido__pool_cancel(&engine->pool, session) ||
                 (engine->backend->one_writer && lido__pool_cancel(&engine->writer.pool, session)) ||
                 (engine->lanes.used && lido__pool_cancel(&engine->lanes.pool, session));
    return found ? LIDO_OK : LIDO_ERROR;
}

lido_status lido_session_close(lido_session *session) {
    if (session == NULL)
        return LIDO_OK;
    if (lido_error_of(session) == &inherited) { /* its memory is ours, what it was doing is the parent's */
        lido__rows_forget_all(session);
        session_leave(session);
        return LIDO_ERROR;
    }
    if (!lido__session_is_mine(session))
        return LIDO_ERROR;
    lido_status outcome = end_transaction(session);
    lido__rows_close_all(session);
    lido__session_release(session);
    session_leave(session);
    return outcome;
}
