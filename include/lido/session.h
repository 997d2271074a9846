/* The session: a lease of a connection, and the transaction on it.
 *
 * A session takes a connection at its first statement and gives it back when the transaction ends. Its
 * first error sticks: from then on its calls do no I/O and return nothing (NULL, 0, false), until the
 * transaction ends or a savepoint that encloses the error is rolled back. So code reads straight
 * down and asks once, at commit. In autocommit mode the transaction is the statement: the next one
 * starts clean.
 *
 * A session belongs to the thread that opened it. Calls from another thread are refused: they
 * change nothing, and lido_error_of says so to that thread. So are those from the child after a fork, which may open
 * sessions of its own on the same engine; its parent's it can only close, and the parent does not notice. */
#ifndef LIDO_SESSION_H
#define LIDO_SESSION_H

#include <lido/engine.h>
#include <lido/error.h>

LIDO_BEGIN_C

typedef struct lido_session lido_session;

/* SQL's isolation levels (ISO 9075). SQLite knows only the strictest and gives it always. */
typedef enum lido_isolation {
    LIDO_ISOLATION_DEFAULT = 0, /* the server's own default */
    LIDO_READ_COMMITTED,
    LIDO_REPEATABLE_READ,
    LIDO_SERIALISABLE
} lido_isolation;

/* What becomes of a transaction that is still open at the end of a block or of a session, if nothing
 * in it failed. */
typedef enum lido_at_end {
    LIDO_AT_END_DEFAULT = 0, /* a block that falls off its end commits; lido_session_close rolls back */
    LIDO_AT_END_COMMIT,      /* both commit */
    LIDO_AT_END_ROLLBACK     /* both roll back: only lido_commit commits */
} lido_at_end;

/* All zero is the default. */
typedef struct lido_session_options {
    bool read_only;           /* the database refuses writes */
    bool autocommit;          /* every statement is a transaction of its own */
    lido_isolation isolation; /* of each transaction */
    lido_at_end at_end;       /* see above */
    bool resolve_unknown;     /* PostgreSQL: a commit whose answer was lost is looked up by its transaction id, which
                                 costs a round trip for each commit. It stays LIDO_UNKNOWN if the server was started
                                 anew or another took over meanwhile, for then the id proves nothing */
    int64_t statement_timeout_ms;   /* for each call that waits; 0: the engine's; -1: none */
    int64_t transaction_timeout_ms; /* from its first statement to its end; 0: the engine's; -1: none */
    bool autoflush;        /* what looks into the database for objects (lido_find, lido_count, …) flushes before */
    bool expire_on_commit; /* objects are read again when they are asked for after a commit; in autocommit mode, after a
                              flush that wrote something: no other statement makes them stale */
} lido_session_options;

/* Opens a session; connects to nothing yet. `options`: NULL for the defaults; copied.
 * Never NULL: where memory is short, the engine is NULL or closed, or an option is out of range, a failed session that
 * says so. With such an option it stays failed, also after lido_rollback: nothing is run, and nothing commits.
 * Never waits. To be closed by the same thread with lido_session_close. */
LIDO_API lido_session *lido_session_open(lido_engine *engine, const lido_session_options *options);

/* Ends the transaction, if one is open, as `at_end` says, closes all rows and frees the session and all
 * that it handed out. Returns what became of the transaction: LIDO_OK if it was committed or if
 * there was none. NULL is allowed. Waits for the database if a transaction was open. */
LIDO_API lido_status lido_session_close(lido_session *session);

/* Flushes the session's objects, if it has any, and commits. LIDO_OK: it stands. LIDO_ROLLED_BACK: something had failed
 * (lido_error_of says what) and nothing stands. LIDO_UNKNOWN: the connection broke while the answer was on its way.
 * LIDO_ERROR: not this thread's session. Savepoints and streams still open end with it. With no transaction open:
 * LIDO_OK. In autocommit mode it sends what lido_send queued; LIDO_ERROR if one of those failed. Waits for the
 * database. The connection is given back. */
LIDO_API lido_status lido_commit(lido_session *session);

/* Rolls back, clears the error and gives the connection back. With no transaction open: nothing.
 * Waits for the database, if it was reached at all. */
LIDO_API void lido_rollback(lido_session *session);

/* Makes what the session is doing stop: its statement, or its waiting for a connection or a lock, fails with category
 * cancelled. LIDO_OK if there was something to cancel, which may have ended by itself meanwhile; else LIDO_ERROR. Other
 * sessions are never hit, nor is the same one's next statement: that waits until the request has been taken. Between
 * two statements there is nothing to cancel. The one function that is for other threads: from any, as long as the
 * session is not closed meanwhile. Waits for the server to take the request and to stop, 5 seconds at most. */
LIDO_API lido_status lido_cancel(lido_session *session);

/* Opens a savepoint and returns its number, 1 for the outermost; 0 if refused (autocommit mode, or not
 * this thread's). On a failed session it counts on without I/O, so that code nests the same.
 * Does not wait: it travels with the next statement; but objects that have changed are flushed first, and that does. */
LIDO_API int lido_savepoint_begin(lido_session *session);

/* Ends the savepoint and keeps its work. If something failed within it, rolls back to it instead. Savepoints
 * inside it end with it. LIDO_OK or LIDO_ROLLED_BACK; `error` (or NULL) says why. LIDO_ERROR: no such
 * savepoint is open, which `error` says and the session does not mind. Waits only if statements sent within it have
 * not been answered, or on failure. */
LIDO_API lido_status lido_savepoint_release(lido_session *session, int savepoint, lido_error *error);

/* Undoes what was done since the savepoint, ends it, and clears an error that happened within it; but
 * not a lost connection. Waits for the database, if it was reached at all. */
LIDO_API void lido_savepoint_rollback(lido_session *session, int savepoint);

/* The session's error; its status is LIDO_OK if nothing failed. After a transaction or a savepoint ended, the error
 * that made it fail, until the next statement. Never NULL; belongs to the session. Never waits. */
LIDO_API const lido_error *lido_error_of(const lido_session *session);

/* True if something failed and has not been cleared. Never waits. */
LIDO_API bool lido_failed(const lido_session *session);

/* Marks the session failed with a message of the program's own (category other), as a failed statement
 * would; an error already there stays. Never waits. */
LIDO_API void lido_fail(lido_session *session, const char *format, ...) LIDO_FORMAT(2, 3);

/* Remembers where in the program the next call is, for errors. The macros call it. Returns `session`. */
LIDO_API lido_session *lido_at(lido_session *session, const char *file, int line);

LIDO_END_C

#endif
