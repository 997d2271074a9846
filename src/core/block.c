/* Blocks that commit when they fall off their end, and functions that are run until they commit. */
#include <lido/transaction.h>

#include "await/await.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/random.h"
#include "core/session.h"

enum { ATTEMPTS = 5, DEADLINE_MS = 30000, BACKOFF_MS = 10, BACKOFF_MOST_MS = 1000 };

/* ---- Transactions ---- */

static void outcome_begins(lido_error *error) {
    if (error == NULL)
        return;
    lido__fault_clear(error);
    error->status = LIDO_ROLLED_BACK;
    lido__fault_field(error->doing, sizeof error->doing, "running a transaction");
    lido__fault_field(error->message, sizeof error->message, "the block was left before its end");
}

static lido_session *block_open(lido_engine *engine, const lido_session_options *options) {
    lido_session *session = lido_session_open(engine, options);
    if (lido__session_is_mine(session)) {
        session->block_runs = true;
        session->outcome = LIDO_ROLLED_BACK;
    }
    return session;
}

lido_session *lido_block_open(lido_engine *engine, const lido_session_options *options, lido_status *outcome) {
    lido_session *session = block_open(engine, options);
    if (outcome != NULL)
        *outcome = LIDO_ROLLED_BACK;
    if (lido__session_is_mine(session))
        session->block_status = outcome;
    return session;
}

lido_session *lido_block_open_error(lido_engine *engine, const lido_session_options *options, lido_error *outcome) {
    lido_session *session = block_open(engine, options);
    if (lido__session_is_mine(session)) {
        outcome_begins(outcome);
        session->block_error = outcome;
    } else if (outcome != NULL) {
        *outcome = *lido_error_of(session);
        outcome->status = LIDO_ROLLED_BACK;
    }
    return session;
}

bool lido_block_runs(lido_session *session) {
    return lido__session_is_mine(session) && session->block_runs;
}

/* Rolls back, but keeps the error, for it is still to be told. */
static void undo(lido_session *session) {
    lido_error error = session->error;
    bool failed = session->failed;
    lido_rollback(session);
    if (failed)
        session->error = error;
}

void lido_block_end(lido_session *session) {
    if (!lido__session_is_mine(session))
        return;
    if (session->options.at_end != LIDO_AT_END_ROLLBACK)
        lido__session_flush(session); /* objects alone open a transaction, too */
    bool open = session->begun || session->failed;
    session->block_runs = false;
    if (session->options.autocommit || (session->options.at_end != LIDO_AT_END_ROLLBACK && (open || !session->ended)))
        session->outcome = lido_commit(session);
    else if (open)
        undo(session);
}

static void tell_outcome(const lido_session *session) {
    if (session->block_status != NULL)
        *session->block_status = session->outcome;
    lido_error *error = session->block_error;
    if (error == NULL)
        return;
    if (session->outcome == LIDO_OK)
        lido__fault_clear(error);
    else if (session->error.status != LIDO_OK)
        *error = session->error;
    error->status = session->outcome;
}

void lido_block_leave(lido_session **session_of_block) {
    lido_session *session = *session_of_block;
    if (!lido__session_is_mine(session))
        return;
    if (session->block_runs && session->options.autocommit)
        session->outcome = lido_commit(session);
    else if (session->block_runs && (session->begun || session->failed))
        undo(session);
    tell_outcome(session);
    lido_session_close(session);
}

/* ---- Savepoints ---- */

static lido_savepoint_block savepoint_block(lido_session *session) {
    int savepoint = lido_savepoint_begin(session);
    return (lido_savepoint_block){.session = session, .savepoint = savepoint, .runs = savepoint > 0};
}

lido_savepoint_block lido_savepoint_block_open(lido_session *session, lido_status *outcome) {
    lido_savepoint_block block = savepoint_block(session);
    block.status = outcome;
    if (outcome != NULL)
        *outcome = LIDO_ROLLED_BACK;
    return block;
}

lido_savepoint_block lido_savepoint_block_open_error(lido_session *session, lido_error *outcome) {
    lido_savepoint_block block = savepoint_block(session);
    block.error = outcome;
    outcome_begins(outcome);
    if (!block.runs && outcome != NULL) {
        *outcome = *lido_error_of(session);
        outcome->status = LIDO_ROLLED_BACK;
    }
    return block;
}

void lido_savepoint_block_end(lido_savepoint_block *block) {
    block->runs = false;
    lido_status status = lido_savepoint_release(block->session, block->savepoint, block->error);
    if (block->status != NULL)
        *block->status = status;
}

void lido_savepoint_block_leave(lido_savepoint_block *block) {
    if (!block->runs)
        return;
    if (block->error != NULL && lido_failed(block->session)) {
        *block->error = *lido_error_of(block->session);
        block->error->status = LIDO_ROLLED_BACK;
    }
    lido_savepoint_rollback(block->session, block->savepoint);
}

/* ---- Functions ---- */

typedef struct attempt {
    lido_status status;
    bool retryable;
} attempt;

static attempt attempt_once(lido_engine *engine, const lido_transact_options *options, lido_transact_function *function,
                            void *argument) {
    lido_session *session = lido_session_open(engine, &options->session);
    bool wanted = function(session, argument);
    bool failed = lido_failed(session);
    lido_error error = *lido_error_of(session);
    attempt ended = {.status = LIDO_ROLLED_BACK};
    if (session->ended && !session->begun && !failed && !session->options.autocommit) {
        ended.status = session->outcome; /* the function has ended it by itself */
    } else if (wanted || failed) {
        ended.status = lido_commit(session); /* one that has failed rolls back and says so */
        if (ended.status != LIDO_OK)
            error = *lido_error_of(session);
    } else {
        lido_rollback(session);
    }
    if (ended.status == LIDO_ROLLED_BACK && error.status == LIDO_OK) {
        outcome_begins(&error);
        lido__fault_field(error.message, sizeof error.message, "the function asked for it to be rolled back");
    }
    ended.retryable = ended.status == LIDO_ROLLED_BACK && error.retryable;
    if (options->error != NULL) {
        if (ended.status == LIDO_OK)
            lido__fault_clear(&error);
        error.status = ended.status;
        *options->error = error;
    }
    lido_session_close(session);
    return ended;
}

/* Full jitter: anything up to the bound, which doubles each time, so that those who collided spread out. */
static int64_t pause_ms(int64_t backoff_ms, int attempts_made) {
    int64_t bound = backoff_ms;
    for (int i = 1; i < attempts_made && bound < BACKOFF_MOST_MS; i++)
        bound *= 2;
    return lido__random_below((bound < BACKOFF_MOST_MS ? bound : BACKOFF_MOST_MS) + 1);
}

static lido_transact_options with_defaults(const lido_transact_options *options) {
    lido_transact_options filled = options != NULL ? *options : (lido_transact_options){.attempts = 0};
    filled.session.at_end = LIDO_AT_END_DEFAULT;
    if (filled.attempts <= 0)
        filled.attempts = ATTEMPTS;
    if (filled.deadline_ms <= 0)
        filled.deadline_ms = DEADLINE_MS;
    if (filled.backoff_ms <= 0)
        filled.backoff_ms = BACKOFF_MS;
    return filled;
}

static lido_status refuse(const lido_transact_options *options, const char *why) {
    lido__fault_clear(options->error);
    lido__fault_doing(options->error, "running a transaction");
    lido__fault(options->error, LIDO_ERROR_MISUSE, "%s", why);
    return LIDO_ERROR;
}

lido_status lido_transact(lido_engine *engine, const lido_transact_options *options, lido_transact_function *function,
                          void *argument) {
    lido_transact_options with = with_defaults(options);
    if (function == NULL)
        return refuse(&with, "the function for lido_transact to run is NULL");
    if (with.session.autocommit)
        return refuse(&with, "lido_transact runs a function in a transaction, and autocommit has none");
    int64_t deadline = lido__deadline_in_ms(with.deadline_ms);
    for (int made = 1;; made++) {
        attempt ended = attempt_once(engine, &with, function, argument);
        int64_t next = lido__clock_now_us() + pause_ms(with.backoff_ms, made) * 1000;
        if (!ended.retryable || made >= with.attempts || next > deadline)
            return ended.status;
        if (lido__await_moment(next) != LIDO__AWAIT_TIMED_OUT || !lido__await_may_wait(NULL))
            return ended.status;
        if (engine != NULL)
            lido__metrics_event(engine->pool.metrics, LIDO__COUNT_RETRIED, 1);
    }
}
