/* Blocks that commit, and only if they fall off their end.
 *
 *     lido_status outcome;
 *     lido_transaction (db, engine, &outcome) {
 *         lido_exec(db, "UPDATE accounts SET balance = balance - ? WHERE id = ?", 10, from);
 *         lido_exec(db, "UPDATE accounts SET balance = balance + ? WHERE id = ?", 10, to);
 *     }
 *
 * `db` is declared by the block. Left any other way (break, return, goto, something failed), the block rolls
 * back; `continue` counts as falling off the end. `outcome` points to a lido_status, or to a
 * lido_error, which also says why; NULL of either type, (lido_status *)NULL, if nobody asks. It says
 * LIDO_ROLLED_BACK from the start, so that it is true however the block is left. longjmp out of a block is not
 * allowed. In autocommit mode there is nothing to commit or to roll back: LIDO_OK if the last statement did not
 * fail, else LIDO_ERROR, however the block is left. */
#ifndef LIDO_TRANSACTION_H
#define LIDO_TRANSACTION_H

#include <lido/session.h>

LIDO_BEGIN_C

/* What lido_transact runs: true to commit, false to roll back. It may be run several times, each in a new
 * transaction, so it should have no effect but through `session`. */
typedef bool lido_transact_function(lido_session *session, void *argument);

/* All zero is the default. */
typedef struct lido_transact_options {
    int attempts;                 /* at most; 0: 5 */
    int64_t deadline_ms;          /* no attempt starts later than this after the first; 0: 30 000 */
    int64_t backoff_ms;           /* the first pause is random within this, then doubled each time; 0: 10 */
    lido_session_options session; /* of each attempt; at_end is not looked at */
    lido_error *error;            /* NULL, or where to write why the last attempt failed */
} lido_transact_options;

/* Runs `function` in a transaction and commits; runs it again, after a random pause, if the database said
 * that another try may succeed (40001, 40P01, SQLite's BUSY), never if the outcome is unknown. Returns the
 * last attempt's outcome; LIDO_ERROR, with category misuse, for autocommit mode, in which nothing could be run again,
 * and for a `function` that is NULL. Waits. Safe from any thread. */
LIDO_API lido_status lido_transact(lido_engine *engine, const lido_transact_options *options,
                                   lido_transact_function *function, void *argument);

/* The plain functions behind the blocks. */
LIDO_API lido_session *lido_block_open(lido_engine *engine, const lido_session_options *options, lido_status *outcome);
LIDO_API lido_session *lido_block_open_error(lido_engine *engine, const lido_session_options *options,
                                             lido_error *outcome);
LIDO_API bool lido_block_runs(lido_session *session);   /* true until the end was reached */
LIDO_API void lido_block_end(lido_session *session);    /* the end was reached: commit */
LIDO_API void lido_block_leave(lido_session **session); /* left: roll back what is open, close, tell the outcome */

typedef struct lido_savepoint_block {
    lido_session *session;
    int savepoint;       /* as lido_savepoint_begin numbered it */
    bool runs;           /* until its end was reached */
    lido_status *status; /* either may be NULL */
    lido_error *error;
} lido_savepoint_block;

LIDO_API lido_savepoint_block lido_savepoint_block_open(lido_session *session, lido_status *outcome);
LIDO_API lido_savepoint_block lido_savepoint_block_open_error(lido_session *session, lido_error *outcome);
LIDO_API void lido_savepoint_block_end(lido_savepoint_block *block);
LIDO_API void lido_savepoint_block_leave(lido_savepoint_block *block);

LIDO_END_C

/* clang-format 14 does not know _Generic. */
/* clang-format off */

#define lido_transaction(db, engine, outcome) lido_transaction_with(db, engine, NULL, outcome)

/* With lido_session_options. */
#define lido_transaction_with(db, engine, options, outcome)                                                  \
    for (lido_session *db __attribute__((cleanup(lido_block_leave))) = lido_at(                              \
             _Generic((outcome), lido_status *: lido_block_open, lido_error *: lido_block_open_error)(       \
                 engine, options, outcome),                                                                  \
             __FILE__, __LINE__);                                                                            \
         lido_block_runs(db); lido_block_end(db))

/* Savepoints nest. What fails inside undoes the inside alone, and the code after it goes on. */
#define lido_savepoint(db) LIDO_SAVEPOINT_BLOCK(db, (lido_status *)NULL, LIDO_JOIN(lido_savepoint_block_, __COUNTER__))

/* The same, telling what became of it: a lido_status or a lido_error, as for lido_transaction. */
#define lido_savepoint_outcome(db, outcome)                                                                  \
    LIDO_SAVEPOINT_BLOCK(db, outcome, LIDO_JOIN(lido_savepoint_block_, __COUNTER__))

#define LIDO_SAVEPOINT_BLOCK(db, outcome, block)                                                             \
    for (lido_savepoint_block block __attribute__((cleanup(lido_savepoint_block_leave))) = _Generic(         \
             (outcome), lido_status *: lido_savepoint_block_open,                                            \
             lido_error *: lido_savepoint_block_open_error)(lido_at(db, __FILE__, __LINE__), outcome);       \
         block.runs; lido_savepoint_block_end(&block))

/* clang-format on */

#define LIDO_JOIN(a, b) LIDO_JOIN_(a, b)
#define LIDO_JOIN_(a, b) a##b

#endif
