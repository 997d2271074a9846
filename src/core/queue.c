/* The queue: what a session has been told to run and has not run yet.
 *
 * BEGIN, savepoints and sent statements wait here for the next call that waits, and travel with it. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "core/measure.h"
#include "core/queue.h"
#include "core/watch.h"

enum { QUEUE_FIRST = 8 };

static bool queue_reserve(lido_session *session) {
    if (session->queue_count < session->queue_capacity)
        return true;
    size_t capacity = session->queue_capacity > 0 ? session->queue_capacity * 2 : QUEUE_FIRST;
    lido__operation *queue = realloc(session->queue, capacity * sizeof *queue);
    if (queue == NULL)
        return lido__session_refuse(session, LIDO_ERROR_OUT_OF_MEMORY, NULL,
                                    "out of memory while queueing a statement");
    session->queue = queue;
    session->queue_capacity = capacity;
    return true;
}

/* What the session knows of an operation that is about to be run or queued. */
static void stamp(const lido_session *session, lido__operation *operation) {
    operation->file = session->file;
    operation->line = session->line;
    operation->alone = session->options.autocommit;
    operation->read_only = session->options.read_only;
    operation->isolation = session->options.isolation;
    if (operation->kind == LIDO__STATEMENT || operation->kind == LIDO__LAST_KEY)
        operation->savepoint = session->savepoints;
}

bool lido__queue_add(lido_session *session, const lido__operation *operation) {
    if (!queue_reserve(session))
        return false;
    lido__operation *added = &session->queue[session->queue_count++];
    *added = *operation;
    stamp(session, added);
    return true;
}

bool lido__queue_begin(lido_session *session) {
    if (session->begun || session->options.autocommit)
        return true;
    session->begun = lido__queue_add(session, &(lido__operation){.kind = LIDO__BEGIN});
    return session->begun;
}

bool lido__queue_begin_to_write(lido_session *session) {
    if (!lido__queue_begin(session))
        return false;
    if (session->queue_count > 0 && session->queue[0].kind == LIDO__BEGIN)
        session->queue[0].writes = true;
    return true;
}

void lido__queue_drop(lido_session *session, size_t first) {
    for (size_t i = first; i < session->queue_count; i++)
        lido__operation_free_sql(&session->queue[i]);
    if (first < session->queue_count)
        session->queue_count = first;
    if (session->queue_count == 0) {
        session->queue_bytes = 0;
        lido__arena_reset(&session->arena);
    }
}

/* A transaction that is known to write, or is like one that did, says so at its BEGIN: it waits for its turn
 * there, where it still can. */
static void announce_writes(const lido__batch *batch) {
    lido__operation *begin = &batch->operations[0];
    for (size_t i = 1; i < batch->count; i++) {
        const lido__sql *sql = batch->operations[i].sql;
        bool will_write =
            sql != NULL && (sql->kind == LIDO__SQL_WRITES ||
                            (i == 1 && atomic_load_explicit(&sql->habits->goes_on_to_write, memory_order_relaxed)));
        begin->writes = begin->writes || will_write;
    }
}

static void count_savepoints(lido_session *session, const lido__batch *batch) {
    for (size_t i = 0; i < batch->count && batch->operations[i].done; i++) {
        const lido__operation *operation = &batch->operations[i];
        if (operation->kind == LIDO__SAVEPOINT)
            session->savepoints_sent = operation->savepoint;
        else if (operation->kind == LIDO__RELEASE || operation->kind == LIDO__ROLLBACK_TO)
            session->savepoints_sent = operation->savepoint - 1;
    }
}

static const char *doing(const lido__operation *operation) {
    switch (operation->kind) {
    case LIDO__STATEMENT:
        return operation->bulk != NULL || operation->row > 0 ? "inserting rows" : "running a statement";
    case LIDO__BEGIN:
        return "beginning a transaction";
    case LIDO__COMMIT:
        return "committing";
    case LIDO__ROLLBACK:
        return "rolling back";
    case LIDO__LAST_KEY:
        return "asking for the last key";
    default:
        return "using a savepoint";
    }
}

/* How many savepoints enclose what an operation does: an error shows later than where it belongs. */
static int savepoints_around(const lido__operation *operation) {
    bool outside = operation->kind == LIDO__SAVEPOINT || operation->kind == LIDO__ROLLBACK_TO;
    return outside ? operation->savepoint - 1 : operation->savepoint;
}

/* A statement that was its own transaction went out, and how it ended is not known. */
static bool may_stand_alone(const lido__operation *operation) {
    return operation->alone && (operation->done || operation->in_doubt) && operation->sql->kind == LIDO__SQL_WRITES;
}

void lido__queue_failed(lido_session *session, const lido__operation *operation) {
    lido_error *error = &session->error;
    if (operation->sql != NULL)
        lido__fault_field(error->statement, sizeof error->statement, operation->sql->text);
    lido__fault_row(error, operation->row);
    error->file = operation->file;
    error->line = operation->line;
    if (may_stand_alone(operation))
        lido__session_in_doubt(session);
    lido__session_fail(session, doing(operation));
    session->failed_at = savepoints_around(operation);
}

static bool has_transaction_timeout(const lido_session *session) {
    return session->options.transaction_timeout_ms >= 0 && !session->options.autocommit;
}

/* What was on a lane before has spent some of it there; waiting for a connection counts no more than for others. */
static int64_t deadline_alone(const lido__connection *connection, const lido__batch *batch, int64_t timeout_ms) {
    int64_t deadline = lido__deadline_after_ms(connection->holder.since, timeout_ms);
    return deadline != LIDO__NO_DEADLINE ? deadline - batch->spent_us : deadline;
}

int64_t lido__queue_deadline(lido_session *session, const lido__batch *batch) {
    const lido__connection *connection = session->connection;
    int64_t timeout_ms = session->options.statement_timeout_ms;
    if (session->options.autocommit && connection != NULL) /* taken for this alone, and the clock read then */
        return deadline_alone(connection, batch, timeout_ms);
    int64_t of_statement = lido__deadline_about_ms(timeout_ms);
    if (!has_transaction_timeout(session))
        return of_statement;
    if (batch->operations[0].kind == LIDO__BEGIN)
        session->transaction_deadline = lido__deadline_about_ms(session->options.transaction_timeout_ms);
    return of_statement < session->transaction_deadline ? of_statement : session->transaction_deadline;
}

/* ---- Running ---- */

/* For who looks for the holder of a connection: only texts that stay as long as the engine can be shown to others.
 * Where the last one does not, none is: an older one would be taken for it. */
static void show_last_sql(const lido_session *session, const lido__operation *last) {
    if (last->sql != NULL)
        atomic_store_explicit(&session->connection->last_sql, last->loose_sql ? NULL : last->sql, memory_order_release);
}

/* What is quick would be done before anybody looks at the clock. */
static bool transaction_is_in_time(lido_session *session, const lido__batch *batch) {
    const lido__operation *first = &batch->operations[0];
    if (!has_transaction_timeout(session) || first->kind == LIDO__BEGIN ||
        lido__clock_recent_us() < session->transaction_deadline)
        return true;
    lido__fault(&session->error, LIDO_ERROR_TIMEOUT, "the transaction was open for longer than transaction_timeout");
    lido__fault_hint(&session->error, "make it shorter, or raise transaction_timeout");
    lido__queue_failed(session, first);
    session->lost = true; /* a savepoint gives it no more time */
    return false;
}

/* What the backend calls the statement's deadline was the transaction's. */
static void blame_transaction_timeout(lido_session *session) {
    lido_error *error = &session->error;
    if (error->category != LIDO_ERROR_TIMEOUT || !has_transaction_timeout(session) ||
        lido__clock_now_us() < session->transaction_deadline)
        return;
    lido__fault_field(error->message, sizeof error->message,
                      "the transaction was open for longer than transaction_timeout");
    lido__fault_field(error->hint, sizeof error->hint, "make it shorter, or raise transaction_timeout");
}

static bool refuse_cancelled(lido__batch *batch) {
    batch->failed = 0;
    lido__fault_clear(batch->error);
    return lido__fault(batch->error, LIDO_ERROR_CANCELLED, "cancelled before it was run");
}

/* A cancel that came before the statement would find nothing to stop at the database. */
static bool run_unless_cancelled(lido__connection *connection, lido__batch *batch) {
    if (connection->broken) { /* by a stream that was left early, and whose end the server did not tell */
        batch->failed = 0;
        return lido__fault(batch->error, LIDO_ERROR_DISCONNECTED,
                           "the connection was given up before: nothing was run");
    }
    if (atomic_load(&connection->stop))
        return refuse_cancelled(batch);
    return connection->backend->run(connection, batch);
}

static bool commit(lido_session *session, lido__batch *batch) {
    const lido__lease lease = {
        .holder = session, .owner = session->owner, .file = session->file, .line = session->line};
    lido__queue_learn(session); /* before it waits for others */
    bool done = lido__writer_commit(&session->engine->writer, &session->connection, batch, &lease);
    if (batch->operations->inside)
        session->inside = session->in_turn = false;
    if (session->connection == NULL)
        lido__session_forget_connection(session);
    return done;
}

static bool run_at(lido_session *session, lido__batch *batch) {
    lido__writer *writer = &session->engine->writer;
    const lido__operation *first = batch->operations;
    if (session->inside) /* nobody could take the turn back from one who reads a stream, and those before it wait */
        lido__queue_last_of(batch)->stream = false;
    if (!lido__queue_has_turn(session) || atomic_load(&session->connection->stop))
        return run_unless_cancelled(session->connection, batch);
    if (lido__queue_is_errand(session, batch))
        return lido__writer_lead(writer, session->connection, batch);
    if (first->kind == LIDO__COMMIT)
        return commit(session, batch);
    if (session->options.autocommit && first->sql != NULL)
        lido__writer_note_alone(first->sql);
    return run_unless_cancelled(session->connection, batch);
}

/* The connection broke over what its last holder had left on it: the batch goes to another one, as if this had been
 * found out when it was taken. */
static bool run_where_it_can(lido_session *session, lido__batch *batch) {
    lido__errand none = {.batch = batch};
    for (;;) {
        batch->deadline = lido__await_deadline(lido__queue_deadline(session, batch));
        bool done = run_at(session, batch);
        if (done || !batch->untouched)
            return done;
        if (atomic_load(&session->connection->stop)) /* the last holder's rollback was hit instead */
            return refuse_cancelled(batch);
        lido__session_release(session);
        lido__fault_clear(&session->error);
        batch->untouched = false;
        if (!lido__queue_lease(session, batch, &none))
            return false;
    }
}

static bool refuse_to_wait(lido_session *session, const lido__batch *batch) {
    lido__queue_failed(session, lido__queue_last_of(batch));
    session->lost = true; /* a savepoint makes it no better */
    return false;
}

/* A task that was cancelled begins nothing more; and outside a task, a loop's thread must not wait. */
static inline bool may_run(lido_session *session, const lido__batch *batch) {
    return lido__await_may_wait(&session->error) || refuse_to_wait(session, batch);
}

/* What follows from how the batch ended. The connection may have been handed on with a group's commit. */
static void note_end(lido_session *session, const lido__batch *batch, bool done) {
    const lido__connection *connection = session->connection;
    if (!session->options.autocommit) {
        session->wrote = session->wrote || lido__queue_writes(batch);
        if (batch->count > 1 || batch->operations->kind != LIDO__STATEMENT)
            count_savepoints(session, batch);
    }
    if (!done) {
        blame_transaction_timeout(session);
        lido__queue_failed(session, batch->failed < batch->count ? &batch->operations[batch->failed]
                                                                 : lido__queue_last_of(batch));
    }
    if (connection != NULL)
        session->lost = session->lost || connection->broken || (!done && session->begun && !connection->in_transaction);
}

/* An errand was run already. `began`: when listeners were told that it sets out; 0: they were not yet. */
static bool run_batch(lido_session *session, lido__batch *batch, const lido__errand *errand, int64_t began) {
    if (began == 0 && lido__watched_batch(session)) {
        began = lido__watch_batch_begins(session, batch);
        began = errand->done && errand->began != 0 ? errand->began : began;
    }
    bool done = batch->failed == batch->count;
    bool measured = session->engine->pool.metrics != NULL;
    lido__measure measure;
    if (measured)
        lido__measure_begins(session, batch, errand->done ? errand->began : 0, &measure);
    if (!errand->done) {
        show_last_sql(session, lido__queue_last_of(batch));
        done = run_where_it_can(session, batch);
    }
    if (measured)
        lido__measure_ends(session, batch, &measure, done);
    note_end(session, batch, done);
    if (began != 0)
        lido__watch_batch_ran(session, batch, began);
    return done;
}

static void note_begin(lido_session *session, const lido__batch *batch) {
    const lido__operation *first = batch->count > 1 ? &batch->operations[1] : NULL;
    session->began_with = first != NULL && first->sql != NULL && !first->loose_sql ? first->sql : NULL;
}

void lido__queue_learn(lido_session *session) {
    const lido__sql *first = session->began_with;
    session->began_with = NULL;
    if (first == NULL || session->lender == NULL || !lido__queue_has_turn(session))
        return;
    lido__writer_note_pace(first, session->began_at);
    if (!session->wrote && atomic_load_explicit(&first->habits->goes_on_to_write, memory_order_relaxed))
        atomic_store_explicit(&first->habits->goes_on_to_write, false, memory_order_relaxed);
}

/* Runs the batch on a connection shared with others. False: it is to be run on one of the session's own; then
 * listeners have heard that it sets out, or *began is 0. */
static bool run_on_lane(lido_session *session, lido__batch *batch, int64_t *began) {
    *began = lido__watched_batch(session) ? lido__watch_batch_begins(session, batch) : 0;
    bool measured = session->engine->pool.metrics != NULL;
    int64_t began_ns = measured ? lido__clock_now_ns() : 0;
    if (!lido__lanes_run(session, batch))
        return false;
    if (measured)
        lido__measure_apart(session, batch, began_ns);
    note_end(session, batch, batch->failed == batch->count);
    if (*began != 0)
        lido__watch_batch_ran(session, batch, *began);
    return true;
}

/* Its time is from when it had the connection: that others had them all is no fault of its own. */
static void learn_pace(const lido_session *session, const lido__batch *batch) {
    const lido__holder *holder = &session->connection->holder;
    lido__lanes_learn(batch->operations->sql, atomic_load_explicit(&holder->since, memory_order_relaxed));
}

/* Afterwards the connection goes back, or waits for what comes next. `for_lane`: it is run here instead of on one. */
static bool run_on_connection(lido_session *session, lido__batch *batch, bool for_lane, int64_t began) {
    lido__errand errand = {.batch = batch};
    bool done = may_run(session, batch) && lido__queue_lease(session, batch, &errand) &&
                (errand.done || may_run(session, batch)) && transaction_is_in_time(session, batch) &&
                run_batch(session, batch, &errand, began);
    const lido__operation *last = lido__queue_last_of(batch);
    bool streams = last->stream && last->result->connection != NULL;
    if (session->connection == NULL)
        return done;
    if (streams) {
        lido__hold_answers(session->connection);
        return done;
    }
    if (for_lane)
        learn_pace(session, batch);
    if (session->options.autocommit)
        lido__session_release(session);
    else
        lido__session_pause(session);
    return done;
}

static bool run(lido_session *session, lido__batch *batch) {
    int64_t began = 0;
    if (session->error.status != LIDO_OK && !session->failed)
        lido__fault_clear(&session->error);
    if (batch->operations->kind == LIDO__BEGIN) {
        announce_writes(batch);
        note_begin(session, batch);
    }
    batch->failed = batch->count;
    if (!lido__lanes_take(session, batch))
        return run_on_connection(session, batch, false, 0);
    if (!may_run(session, batch))
        return false;
    if (run_on_lane(session, batch, &began))
        return batch->failed == batch->count;
    return run_on_connection(session, batch, true, began);
}

int64_t lido__queue_transaction_deadline(const lido_session *session) {
    return has_transaction_timeout(session) ? session->transaction_deadline : LIDO__NO_DEADLINE;
}

/* A sent statement that was not let in touches no other: its error is told in the end, for it was the first, but lies
 * aside meanwhile, or the batch and the pool would take it for their own. */
static bool run_behind_refusal(lido_session *session, lido__batch *batch) {
    lido_error refusal = session->error;
    session->failed = false;
    run(session, batch);
    session->error = refusal;
    session->failed = true;
    return false;
}

/* Runs all that is queued. The last operations' outputs go to `last`. Returns the index of the one that failed; the
 * queue's length if none did, SIZE_MAX if something else has. */
static size_t run_queue(lido_session *session, size_t count, lido__operation *last) {
    bool refused = session->refused;
    session->refused = false;
    if (session->queue_count == 0)
        return refused ? SIZE_MAX : 0;
    lido__batch batch = {.operations = session->queue, .count = session->queue_count, .error = &session->error};
    bool done = refused ? run_behind_refusal(session, &batch) : run(session, &batch);
    if (count > 0)
        memcpy(last, batch.operations + batch.count - count, count * sizeof *last);
    lido__queue_drop(session, 0);
    if (done)
        return batch.count;
    return !refused && batch.failed < batch.count ? batch.failed : SIZE_MAX;
}

bool lido__queue_run(lido_session *session, lido__operation *last) {
    size_t count = session->queue_count;
    return run_queue(session, last != NULL && count > 0 ? 1 : 0, last) == count;
}

static bool add_all(lido_session *session, size_t count, lido__operation *operations) {
    size_t first = session->queue_count;
    for (size_t i = 0; i < count; i++)
        if (!lido__queue_add(session, &operations[i])) {
            lido__queue_drop(session, first);
            for (; i < count; i++)
                lido__operation_free_sql(&operations[i]);
            return false;
        }
    return true;
}

size_t lido__queue_run_all(lido_session *session, size_t count, lido__operation *operations) {
    size_t before = session->queue_count;
    if (!add_all(session, count, operations))
        return SIZE_MAX;
    size_t failed = run_queue(session, count, operations);
    return failed != SIZE_MAX && failed >= before ? failed - before : SIZE_MAX;
}

bool lido__queue_run_with(lido_session *session, lido__operation *operation) {
    if (session->queue_count > 0 || session->refused) {
        if (lido__queue_add(session, operation))
            return lido__queue_run(session, operation);
        lido__operation_free_sql(operation);
        return false;
    }
    stamp(session, operation);
    lido__batch batch = {.operations = operation, .count = 1, .error = &session->error};
    bool done = run(session, &batch);
    lido__operation_free_sql(operation);
    if (session->arena.blocks != NULL)
        lido__arena_reset(&session->arena);
    return done;
}
