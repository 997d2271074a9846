/* How transactions and savepoints end. */
#include "base/clock.h"
#include "base/fault.h"
#include "core/measure.h"
#include "core/resolve.h"
#include "core/watch.h"

enum { UNDO_MOST_MS = 5000 }; /* a rollback that takes longer costs the connection instead */

/* Giving back cannot be cancelled: here, and in lido__stream_stop, a task's waits are firm. */

/* Rolls back at the database, if it has the transaction, and gives the connection back. Returns which one that was; 0:
 * none. */
static uint64_t leave(lido_session *session) {
    uint64_t number = session->connection != NULL ? session->number : 0;
    lido_error ignored = LIDO_ERROR_INIT;
    lido__queue_drop(session, 0);
    lido__await_firm_begin();
    if (session->connection != NULL)
        lido__session_resume(session);
    lido__connection *connection = session->connection;
    bool undone = connection == NULL || !connection->in_transaction;
    if (!undone && !connection->broken && lido__await_may_wait(&ignored)) {
        lido__operation rollback = {.kind = LIDO__ROLLBACK, .unawaited = true, .inside = session->inside};
        lido__batch batch = {
            .operations = &rollback, .count = 1, .deadline = lido__deadline_in_ms(UNDO_MOST_MS), .error = &ignored};
        if (session->inside) /* a cancel would hit the others', too */
            lido__hold_rest(connection);
        undone = connection->backend->run(connection, &batch); /* if not, the connection is not used again */
        lido__watch_reset(session, &ignored);
    }
    if (connection != NULL && session->lender == &session->engine->writer.pool) {
        lido__writer_leave(&session->engine->writer, &session->connection, undone);
        if (session->connection == NULL)
            lido__session_forget_connection(session);
    }
    lido__session_release(session);
    lido__await_firm_end();
    return number;
}

void lido__transaction_undo(lido_session *session) {
    uint64_t connection = leave(session);
    if (connection != 0)
        lido__measure_outcome(session, LIDO_ROLLED_BACK);
    lido__watch_outcome(session, connection, LIDO_ROLLED_BACK);
}

/* Nothing that the database would have to know of: no statement is queued, and none was run. */
static bool nothing_to_commit(const lido_session *session) {
    if (session->connection != NULL)
        return false;
    for (size_t i = 0; i < session->queue_count; i++)
        if (session->queue[i].kind == LIDO__STATEMENT)
            return false;
    return true;
}

static lido_status commit_is_in_doubt(lido_session *session) {
    uint64_t connection = leave(session); /* gives the broken one back before another is asked for */
    lido_status resolved = lido__resolve_outcome(session);
    if (resolved == LIDO_UNKNOWN)
        lido__session_in_doubt(session);
    else if (resolved == LIDO_OK)
        lido__fault_clear(&session->error);
    session->failed = resolved != LIDO_OK;
    lido__measure_outcome(session, resolved);
    lido__watch_outcome(session, connection, resolved);
    return lido__session_settle(session, resolved);
}

/* A commit that may be shared with others goes by itself. */
static bool what_comes_before_is_done(lido_session *session) {
    return !session->engine->backend->one_writer || session->queue_count == 0 || lido__queue_run(session, NULL);
}

static lido_status commit_transaction(lido_session *session) {
    lido__operation commit = {.kind = LIDO__COMMIT, .unawaited = session->options.read_only};
    if (session->failed) {
        lido__transaction_undo(session);
        return lido__session_settle(session, LIDO_ROLLED_BACK);
    }
    if (!session->begun)
        return LIDO_OK;
    if (nothing_to_commit(session)) {
        lido__queue_drop(session, 0);
        return lido__session_settle(session, LIDO_OK);
    }
    if (lido__resolve_prepare(session) && what_comes_before_is_done(session))
        lido__queue_run_with(session, &commit);
    if (commit.done) {
        if (session->failed) /* of what befell the connection after that */
            lido__fault_clear(&session->error);
        session->failed = false;
        lido__measure_outcome(session, LIDO_OK);
        lido__session_release(session);
        lido__watch_outcome(session, session->number, LIDO_OK);
        return lido__session_settle(session, LIDO_OK);
    }
    if (commit.in_doubt)
        return commit_is_in_doubt(session);
    lido__transaction_undo(session);
    return lido__session_settle(session, LIDO_ROLLED_BACK);
}

/* In autocommit mode there is only the queue to empty, and to say whether a statement failed. */
static lido_status commit_sent(lido_session *session) {
    bool failed = session->failed;
    bool done = lido__queue_run(session, NULL) && !failed;
    return session->outcome = done ? LIDO_OK : LIDO_ERROR;
}

lido_status lido_commit(lido_session *session) {
    if (!lido__session_is_mine(session))
        return LIDO_ERROR;
    lido__stream_stop(session);
    lido__session_flush(session);
    return session->options.autocommit ? commit_sent(session) : commit_transaction(session);
}

void lido_rollback(lido_session *session) {
    if (!lido__session_is_mine(session))
        return;
    lido__stream_stop(session);
    lido__transaction_undo(session);
    lido__session_settle(session, LIDO_ROLLED_BACK);
    if (!session->failed)
        lido__fault_clear(&session->error);
}

/* ---- Savepoints ---- */

int lido_savepoint_begin(lido_session *session) {
    if (!lido__session_is_mine(session))
        return 0;
    if (session->options.autocommit) {
        lido__session_refuse(session, LIDO_ERROR_MISUSE, NULL,
                             "a savepoint needs a transaction, and the session is in autocommit mode");
        return 0;
    }
    lido__stream_stop(session);
    lido__session_flush(session); /* what the objects are now is what they are to be if the savepoint is undone */
    int number = session->savepoints + 1;
    lido__operation begin = {.kind = LIDO__SAVEPOINT, .savepoint = number};
    if (!session->failed && lido__queue_begin(session))
        lido__queue_add(session, &begin);
    if (session->unit != NULL && !session->whole)
        session->unit->savepoint_begun(session, number);
    return session->savepoints = number;
}

/* Where in the queue the savepoint is opened; queue_count if it is not there. */
static size_t find_in_queue(const lido_session *session, int savepoint) {
    size_t at = 0;
    while (at < session->queue_count &&
           (session->queue[at].kind != LIDO__SAVEPOINT || session->queue[at].savepoint != savepoint))
        at++;
    return at;
}

static bool queue_has_statement(const lido_session *session, size_t from) {
    for (size_t i = from; i < session->queue_count; i++)
        if (session->queue[i].kind == LIDO__STATEMENT)
            return true;
    return false;
}

/* The savepoint encloses what failed, and the transaction is still there. */
static bool can_clear(const lido_session *session, int savepoint) {
    return session->failed && !session->lost && session->failed_at >= savepoint;
}

static void undo_savepoint(lido_session *session, int savepoint) {
    lido__operation undo = {.kind = LIDO__ROLLBACK_TO, .savepoint = savepoint};
    bool clears = can_clear(session, savepoint);
    if (session->unit != NULL && !session->whole)
        session->unit->savepoint_undone(session, savepoint);
    if (session->failed && !clears)
        return;
    session->failed = false;
    if (savepoint > session->savepoints_sent) {
        lido__queue_drop(session, find_in_queue(session, savepoint));
        return;
    }
    /* What was queued within the savepoint goes with it; what was queued before has been run long since. */
    lido__queue_drop(session, 0);
    lido_error cleared = session->error;
    if (lido__queue_run_with(session, &undo) && clears)
        session->error = cleared; /* for lido_error_of, as after a transaction */
}

static bool is_open(const lido_session *session, int savepoint) {
    return lido__session_is_mine(session) && savepoint >= 1 && savepoint <= session->savepoints;
}

void lido_savepoint_rollback(lido_session *session, int savepoint) {
    if (!is_open(session, savepoint))
        return;
    lido__stream_stop(session);
    undo_savepoint(session, savepoint);
    if (!session->failed)
        lido__fault_clear(&session->error);
    session->savepoints = savepoint - 1;
}

static bool keep_savepoint(lido_session *session, int savepoint) {
    lido__operation release = {.kind = LIDO__RELEASE, .savepoint = savepoint};
    size_t opened = find_in_queue(session, savepoint);
    bool sent = savepoint <= session->savepoints_sent;
    if (!sent && !queue_has_statement(session, opened)) {
        lido__queue_drop(session, opened); /* nothing happened in it: the database need not know */
        return true;
    }
    bool waits = queue_has_statement(session, sent ? 0 : opened);
    if (!lido__queue_add(session, &release))
        return false;
    if (waits)
        return lido__queue_run(session, NULL);
    /* The RELEASE travels later, but the number is free now: the next savepoint to have it is another one. */
    session->savepoints_sent = savepoint - 1;
    return true;
}

static void tell(lido_error *told, const lido_session *session, lido_status status) {
    if (told == NULL)
        return;
    if (status == LIDO_OK)
        lido__fault_clear(told);
    else
        *told = session->error;
    told->status = status;
}

static lido_status refuse_release(lido_error *error, const lido_session *session, int savepoint) {
    if (error == NULL)
        return LIDO_ERROR;
    if (!lido__session_is_mine(session)) {
        *error = *lido_error_of(session);
        return LIDO_ERROR;
    }
    lido__fault_clear(error);
    lido__fault(error, LIDO_ERROR_MISUSE, "there is no open savepoint %d", savepoint);
    lido__fault_doing(error, "using a savepoint");
    if (session->savepoints > 0)
        lido__fault_hint(error, "open are those from 1 to %d", session->savepoints);
    else
        lido__fault_hint(error, "none is open: a savepoint ends with its transaction, and with those around it");
    lido__fault_field(error->database, sizeof error->database, session->engine->config.display);
    error->file = session->file;
    error->line = session->line;
    return LIDO_ERROR;
}

lido_status lido_savepoint_release(lido_session *session, int savepoint, lido_error *error) {
    if (!is_open(session, savepoint))
        return refuse_release(error, session, savepoint);
    lido__stream_stop(session);
    bool kept = lido__session_flush(session) && keep_savepoint(session, savepoint);
    lido_status status = kept ? LIDO_OK : LIDO_ROLLED_BACK;
    tell(error, session, status);
    if (!kept)
        undo_savepoint(session, savepoint);
    session->savepoints = savepoint - 1;
    return status;
}

/* ---- A transaction of its own, in autocommit mode ---- */

bool lido__transaction_whole_begin(lido_session *session, bool *own) {
    *own = session->options.autocommit;
    if (*own && !lido__queue_run(session, NULL)) /* what was sent before is a transaction of its own */
        return false;
    session->options.autocommit = false;
    session->whole = session->whole || *own; /* one within another is part of that */
    return true;
}

/* The error shows until the next statement, as a statement's does. */
bool lido__transaction_whole_end(lido_session *session, bool own) {
    if (!own)
        return !session->failed;
    lido__stream_stop(session);
    lido_status outcome = commit_transaction(session);
    session->options.autocommit = true;
    session->whole = false;
    if (outcome == LIDO_OK)
        return true;
    session->failed = true;
    if (outcome != LIDO_UNKNOWN)
        session->error.status = LIDO_ERROR;
    return false;
}
