/* The connection that a batch is run on: the session's, or one from the pool; and, for who writes, the turn to. */
#include "base/clock.h"
#include "base/fault.h"
#include "core/queue.h"
#include "core/watch.h"

bool lido__queue_writes(const lido__batch *batch) {
    for (size_t i = 0; i < batch->count; i++)
        if (batch->operations[i].sql != NULL && batch->operations[i].sql->kind == LIDO__SQL_WRITES)
            return true;
    return false;
}

/* Whether the batch waits for its turn to write before it gets a connection; see writer.h. */
static bool begins_to_write(const lido_session *session, const lido__batch *batch) {
    const lido__operation *first = batch->operations;
    if (!session->engine->backend->one_writer || session->options.read_only)
        return false;
    return session->options.autocommit ? lido__queue_writes(batch) : first->kind == LIDO__BEGIN && first->writes;
}

bool lido__queue_is_errand(const lido_session *session, const lido__batch *batch) {
    const lido__operation *only = batch->operations;
    return session->options.autocommit && batch->count == 1 && !only->stream && only->sql->changes_rows &&
           atomic_load_explicit(&only->sql->habits->slow_for, memory_order_relaxed) == 0;
}

static bool is_quick(const lido__batch *batch) {
    const lido__sql *first = batch->count > 1 ? batch->operations[1].sql : NULL;
    return first != NULL && atomic_load_explicit(&first->habits->is_quick, memory_order_relaxed);
}

/* Who gets the ticket inside a group's transaction begins a part of that; what cannot be a part has it ended first. */
static void enter(lido_session *session, const lido__batch *batch) {
    lido__writer *writer = &session->engine->writer;
    if (!lido__queue_has_turn(session))
        return;
    session->began_at = lido__clock_recent_us(); /* waiting for the turn is no part of its pace */
    if (!lido__writer_has_group(writer))
        return;
    if (batch->operations->kind == LIDO__BEGIN && !lido__queue_last_of(batch)->stream) {
        session->inside = session->in_turn = batch->operations->inside = true;
        session->turn = lido__writer_turn(writer);
    } else {
        bool cancelled = lido__writer_settle(writer, session->connection);
        lido__hold_go_on(session->connection);
        if (cancelled)
            atomic_store(&session->connection->stop, true);
    }
}

/* What a listener is to hear of is done by who is heard; and the program's functions, which any statement may call by a
 * trigger, are called in the thread whose statement it is. */
static bool must_run_here(const lido_session *session) {
    return lido__watched(session, LIDO__WATCH_BATCH | LIDO_EVENT_CHECKOUT | LIDO_EVENT_CHECKIN) ||
           atomic_load_explicit(&session->engine->pool.functions.newest, memory_order_acquire) != NULL;
}

/* A transaction that has only read until now wants to write: on its own connection, but in its turn. */
static bool take_ticket(lido_session *session, const lido__batch *batch, lido__lease *lease) {
    lido_engine *engine = session->engine;
    if (!engine->backend->one_writer || lido__queue_has_turn(session) || session->ticket != NULL ||
        session->options.read_only || !session->begun || !lido__queue_writes(batch))
        return true;
    if (session->began_with != NULL)
        atomic_store_explicit(&session->began_with->habits->goes_on_to_write, true, memory_order_relaxed);
    lease->until = lido__await_deadline(lido__queue_deadline(session, batch));
    session->ticket = lido__pool_acquire(&engine->writer.pool, lease, &session->error);
    if (session->ticket == NULL) {
        lido__queue_failed(session, lido__queue_last_of(batch));
        return false;
    }
    lido__hold_pause(session->ticket);
    return true;
}

static bool refuse_lease(lido_session *session, const lido__batch *batch) {
    if (session->connection != NULL && lido__queue_has_turn(session))
        lido__writer_settle(&session->engine->writer, session->connection);
    lido__session_release(session);
    lido__queue_failed(session, lido__queue_last_of(batch));
    session->lost = true; /* BEGIN goes with the rest of the queue */
    return false;
}

static bool refuse_taken_back(lido_session *session, const lido__batch *batch) {
    lido__fault(&session->error, LIDO_ERROR_SERIALISATION,
                "the transaction did nothing for so long, while others waited for it to commit together, that it was "
                "rolled back");
    lido__fault_hint(&session->error, "run it again; do what takes its time before it or after it");
    lido__queue_failed(session, lido__queue_last_of(batch));
    session->lost = true;
    return false;
}

bool lido__queue_lease(lido_session *session, lido__batch *batch, lido__errand *errand) {
    lido_engine *engine = session->engine;
    lido__lease lease = {.holder = session,
                         .owner = session->owner,
                         .file = session->file,
                         .line = session->line,
                         .began = batch->left_lane};
    if (session->connection != NULL) {
        if (!lido__session_resume(session))
            return refuse_taken_back(session, batch);
        return take_ticket(session, batch, &lease);
    }
    session->lender = &engine->pool;
    if (begins_to_write(session, batch)) {
        session->lender = &engine->writer.pool;
        lease.until = batch->deadline = lido__await_deadline(lido__queue_deadline(session, batch));
        lease.errand = lido__queue_is_errand(session, batch) && !must_run_here(session) ? errand : NULL;
        lease.joins = !session->options.autocommit && is_quick(batch);
    }
    session->connection = lido__pool_acquire(session->lender, &lease, &session->error);
    if (errand->done)
        return true;
    if (session->connection != NULL)
        session->number = session->connection->number;
    bool watched = lido__watched(session, LIDO_EVENT_CHECKOUT) || LIDO__PROBED(checkout);
    if (session->connection == NULL || (watched && !lido__watch_checkout(session)))
        return refuse_lease(session, batch);
    enter(session, batch);
    return true;
}
