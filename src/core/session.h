/* A session's inside, for the files of src/core that make it up.
 *
 * session.c opens, closes and keeps the error; queue.c runs what is queued, on the connection that queue_lease.c gets;
 * outcome.c ends transactions and savepoints; statement.c takes statements in, bulk.c rows; rows.c hands rows out;
 * block.c is the blocks and lido_transact; watch.c tells listeners. A session's objects are src/model's.
 *
 * States: nothing begun -> begun (BEGIN is queued, or was run) -> ended again, by commit or rollback. `failed` may
 * be set in any of them; while it is, nothing is run. In autocommit mode nothing is ever begun. */
#ifndef LIDO_CORE_SESSION_H
#define LIDO_CORE_SESSION_H

#include <lido/rows.h>
#include <lido/transaction.h>

#include "base/fault.h"
#include "core/engine.h"

enum { LIDO__QUEUE_MOST = 1000, LIDO__QUEUE_BYTES_MOST = 1024 * 1024 };

/* The objects that a session keeps track of, to which these things happen. src/model makes it, at the first of them;
 * outcome.c, session.c and block.c tell it, by this table alone. */
typedef struct lido__unit {
    /* Writes what was added, changed and removed; in autocommit mode as a transaction of its own. False: the session
     * has failed. Not called while the session has failed. */
    bool (*flush)(lido_session *session);
    void (*savepoint_begun)(lido_session *session, int savepoint);
    void (*savepoint_undone)(lido_session *session, int savepoint);
    void (*ended)(lido_session *session, lido_status outcome); /* the transaction has */
    void (*free)(lido_session *session);
} lido__unit;

struct lido_rows {
    lido__result result;
    lido_session *session;
    lido_rows *next; /* in the session's list */
    lido_rows *previous;
    const lido_value *row; /* the current one; NULL: none */
    bool writes;           /* a stream of a statement that does */
    int64_t until;         /* a stream's: the deadline of its transaction */
    lido__arena texts;     /* a stream's: what was made of its current row's values */
    const size_t *places;  /* which column is which of a model's, found by src/model, in the result's arena; */
    const void *places_of; /* and that model; NULL: not looked for yet */
};

struct lido_session {
    lido_engine *engine; /* held */
    uint64_t owner;      /* who opened it, as lido__await_self says; never changes */
    uint64_t process;    /* in which process, as lido__fork_count says */
    const char *file;    /* where the next call is, in the program */
    int line;

    /* What is and is not. Together, for each alone would take eight bytes. */
    bool begun;
    bool wrote;             /* the transaction has; */
    bool may_have_inserted; /* there may be a last key */
    bool inside;            /* the transaction is a part of a group's; see writer.h, */
    bool in_turn;           /* and whether it has its turn there to itself */
    bool failed;
    bool unusable;   /* opened with options that are none: it has failed for good */
    bool refused;    /* autocommit: `failed` is for a sent statement, and was not told yet; others are let in */
    bool lost;       /* the transaction is gone: no savepoint can clear the error */
    bool ended;      /* a transaction has: `outcome` */
    bool whole;      /* autocommit: one of its own is under way; see lido__transaction_whole_begin */
    bool supplies;   /* a source of rows is asked for one: the program's, which must leave the session alone */
    bool block_runs; /* the block around this session has not reached its end */
    lido_session_options options;

    lido__connection *connection; /* leased; NULL: none */
    uint64_t number;              /* of the connection that the transaction has, or had last */
    lido__pool *lender;           /* whose that is: the engine's pool, or its writer's */
    lido__connection *ticket;     /* held besides, by a transaction that has read before it writes; or NULL */
    uint64_t turn;                /* while it is inside a group: its turn there */
    const lido__sql *began_with;  /* its first statement, if that stays as long as the engine; or NULL, */
    int64_t began_at;             /* and when it had its turn, if it writes, by the recent clock */
    int64_t transaction_deadline; /* while begun, if there is a transaction_timeout */
    lido__mark *mark;             /* of the transaction that is being committed, if its outcome is to be resolved */
    int failed_at;                /* how many savepoints were open when it failed */
    int savepoints;               /* open now */
    int savepoints_sent;          /* how many of them the database has heard of */
    lido_status outcome;          /* of the last transaction that ended */

    size_t queue_count;
    size_t queue_bytes;
    lido_rows *rows;   /* open ones */
    lido_rows *stream; /* the one that is being read; it occupies the connection */
    lido__unit *unit;  /* its objects; NULL: there were none yet */

    lido__near *near;       /* the wait of a statement that is under way on a lane, */
    _Atomic unsigned flies; /* and whether there is one; see flight.c */

    lido__held held; /* by the task that opened it */

    lido_status *block_status;
    lido_error *block_error;

    /* Up to here a session begins with zeros. What follows may outlast it, empty, for the next; see session_take. */
    lido__operation *queue; /* what waits to be run, with the next call that waits */
    size_t queue_capacity;
    lido__arena arena; /* what the queue refers to; reset when it is empty */
    lido__arena kept;  /* what lives until the session ends */
    lido_rows *spare;  /* closed ones, to be used again; linked by `next` */

    lido_error error; /* the sticky one while `failed`; else that of the last transaction */
};

/* A session that never was one: it belongs to nobody, so that every call refuses it, and says why. For static ones. */
#define LIDO__SESSION_REFUSED(category_, message_, hint_) \
    { \
        .owner = 0, .error = { \
            .status = LIDO_ERROR, \
            .category = category_, \
            .doing = "opening a session", \
            .message = message_, \
            .hint = hint_ \
        } \
    }

/* ---- session.c ---- */

/* A closed one that the engine has kept; NULL: nothing to do. */
void lido__session_free(lido_session *session);

/* Whether the caller may touch the session at all. */
static inline bool lido__session_is_mine(const lido_session *session) {
    return session != NULL && session->owner == lido__await_self() && !session->supplies;
}
/* Writes what its objects have become, if it has any and has not failed. False: it has failed. */
bool lido__session_flush(lido_session *session);
/* Marks the session failed, its error having been set, and says what was being done. */
void lido__session_fail(lido_session *session, const char *doing) LIDO__COLD;
/* Marks it failed for having been called wrongly or with wrong values, before anything was run. Returns false. */
bool lido__session_refuse(lido_session *session, lido_category category, const char *sql, const char *format, ...)
    LIDO_FORMAT(4, 5) LIDO__COLD;
/* The same for a value that was not there or was read as what it is not. */
bool lido__session_refuse_reading(lido_session *session, lido_category category, const char *format, ...)
    LIDO_FORMAT(3, 4) LIDO__COLD;
/* Says of the error that nobody knows whether the transaction stands. */
void lido__session_in_doubt(lido_session *session) LIDO__COLD;
/* Gives the connection back, if there is one. */
void lido__session_release(lido_session *session);
/* It is somebody else's now; CHECKIN is told all the same. */
void lido__session_forget_connection(lido_session *session);
/* Nothing runs on the connection for now. */
void lido__session_pause(lido_session *session);
/* Something is about to. False: it was taken away meanwhile, with the transaction, and there is none any more. */
bool lido__session_resume(lido_session *session);
/* Back to "nothing begun", `outcome` being what became of the transaction. Keeps the error's text. Returns
 * `outcome`. */
lido_status lido__session_settle(lido_session *session, lido_status outcome);

/* ---- statement.c ---- */

/* Whether the session can take a statement now, which `sql` tells of if it cannot. In autocommit mode an earlier one's
 * error is over with. */
bool lido__session_is_ready(lido_session *session, const char *sql);
/* Makes an operation of a statement, whose result the caller may set, and begins the transaction if it has not begun.
 * The values stay the caller's until it was run. False: the session has failed. */
bool lido__statement_make(lido_session *session, const char *text, size_t count, const lido_value *values,
                          lido__operation *operation);

/* Frees the SQL of an operation that was made and not run, if that is nobody else's. */
static inline void lido__operation_free_sql(const lido__operation *operation) {
    if (operation->loose_sql)
        lido__sql_free((lido__sql *)(uintptr_t)operation->sql);
}

/* ---- queue.c ---- */

/* Adds an operation (copied); its values and result must live until it was run. False if memory ran out: the session
 * has failed. */
bool lido__queue_add(lido_session *session, const lido__operation *operation);
/* Opens the transaction with what is queued next, if it is to be opened and is not yet. */
bool lido__queue_begin(lido_session *session);
/* The same for a transaction that is known to write: it waits for its turn where it still can, at its beginning. */
bool lido__queue_begin_to_write(lido_session *session);
/* Runs all that is queued. The last operation's outputs go to *last, if it is not NULL. False if anything failed; the
 * session has failed, too. */
bool lido__queue_run(lido_session *session, lido__operation *last);
/* The same with one operation more, which is not copied if nothing else is queued; its outputs are in it. Frees its
 * loose SQL. */
bool lido__queue_run_with(lido_session *session, lido__operation *operation);
/* The same with several, whose outputs are then in them. Returns which of them failed; `count`: none did; SIZE_MAX:
 * something else did. Frees their loose SQL. */
size_t lido__queue_run_all(lido_session *session, size_t count, lido__operation *operations);
/* When the open transaction must have ended; LIDO__NO_DEADLINE if it need not. */
int64_t lido__queue_transaction_deadline(const lido_session *session);
/* The transaction is over: what it did is remembered for the next that begins so. */
void lido__queue_learn(lido_session *session);
/* Forgets what is queued from `first` on. */
void lido__queue_drop(lido_session *session, size_t first);

/* ---- outcome.c ---- */

/* Rolls the transaction back at the database, if it has one; gives the connection back. */
void lido__transaction_undo(lido_session *session);
/* What is run between the two is a transaction of its own in autocommit mode, and else a part of the session's; *own is
 * for the second. The session's objects have no part in one of its own: it does not flush them, and they do not hear
 * how it ended. Both are false if the session has failed; the second must be called if the first was true. */
bool lido__transaction_whole_begin(lido_session *session, bool *own);
bool lido__transaction_whole_end(lido_session *session, bool own);

/* ---- rows.c ---- */

lido_rows *lido__rows_new(lido_session *session); /* NULL: out of memory, the session has failed */
/* Where texts are made that no value holds; they last as long as the row's own do. */
lido__arena *lido__rows_texts(lido_rows *rows);
/* Reads all rows that are left into a sink. False: the session has failed, or the sink has refused a row, and then the
 * rows are still open. */
bool lido__rows_pour(lido_rows *rows, lido__row_sink *sink);
/* Closes all, and leaves one to be used again. */
void lido__rows_close_all(lido_session *session);
void lido__rows_free_spare(lido_session *session);
/* The same in the child after a fork: a stream is not stopped, for the connection that it is on is not ours. */
void lido__rows_forget_all(lido_session *session);
/* Stops the stream that is open, if one is. Its rows stay the program's to close; they are at their end. */
void lido__stream_stop(lido_session *session);

#endif
