/* Statements: SQL text and parameters in, rows out.
 *
 * Placeholders are ?, :name or $1, on either database, one kind in one statement; "??" stands for the operator
 * "?". A parameter's type comes from the compiler: integers, bool, double, text, lido_uuid,
 * lido_time, lido_bytes, lido_json, lido_numeric, lido_value; NULL or lido_null for NULL. With
 * :name, values made by LIDO_AS(name, value) go by name, others by order of first appearance.
 *
 *     lido_exec(db, "UPDATE items SET price = ? WHERE id = ?", 12.5, id);
 *     lido_rows *rows = lido_query(db, "SELECT name FROM items WHERE price < :most", LIDO_AS("most", 20));
 *
 * These macros need C11 and take up to 64 parameters; the plain functions behind them serve other languages
 * and longer lists. All wait for the database unless said otherwise; all are for the session's own thread. */
#ifndef LIDO_STATEMENT_H
#define LIDO_STATEMENT_H

#include <lido/arguments.h>
#include <lido/rows.h>
#include <lido/session.h>
#include <lido/value.h>

LIDO_BEGIN_C

/* A statement's text is UTF-8 and at most 16 MiB long. `values` may be NULL if `count` is 0; else the session fails. */

/* Runs a statement and returns how many rows it changed; 0 if it failed. Rows it returns are dropped. */
LIDO_API int64_t lido_execv(lido_session *session, const char *sql, size_t count, const lido_value *values);

/* Runs a statement and reads all its rows; NULL if it failed. */
LIDO_API lido_rows *lido_queryv(lido_session *session, const char *sql, size_t count, const lido_value *values);

/* Runs a statement and reads its rows as they come, in bounded memory; NULL if it failed. While it is open
 * the session runs nothing else. */
LIDO_API lido_rows *lido_streamv(lido_session *session, const char *sql, size_t count, const lido_value *values);

/* Queues a statement and returns; it travels with the next call that waits, or with commit. Its error,
 * if any, sticks and shows there. Values are copied. Waits only to empty a queue of 1000 statements or 1 MiB. */
LIDO_API void lido_sendv(lido_session *session, const char *sql, size_t count, const lido_value *values);

/* The first column of the first row, or NULL if there is none or the statement failed. Its text lives
 * until the session ends. */
LIDO_API lido_value lido_query_valuev(lido_session *session, const char *sql, size_t count, const lido_value *values);

/* Runs several statements, separated by semicolons, without parameters. Stops at the first that fails.
 * Returns how many ran. */
LIDO_API int64_t lido_script(lido_session *session, const char *sql);

/* The key that the database generated for the last row inserted in this transaction: SQLite's rowid,
 * PostgreSQL's lastval(), which knows of sequences only: an INSERT into a table without one does not change it. 0
 * and the session fails if there is none, if the transaction ran nothing that may insert (a SELECT that calls a
 * function does not count), or in autocommit mode, where the next statement may run on another connection: use
 * RETURNING there, which saves a round trip, too. */
LIDO_API int64_t lido_last_key(lido_session *session);

LIDO_END_C

#define LIDO_HERE(session) lido_at(session, __FILE__, __LINE__)

#define lido_exec(session, ...) lido_execv(LIDO_HERE(session), LIDO_ARGUMENTS(__VA_ARGS__))
#define lido_query(session, ...) lido_queryv(LIDO_HERE(session), LIDO_ARGUMENTS(__VA_ARGS__))
#define lido_stream(session, ...) lido_streamv(LIDO_HERE(session), LIDO_ARGUMENTS(__VA_ARGS__))
#define lido_send(session, ...) lido_sendv(LIDO_HERE(session), LIDO_ARGUMENTS(__VA_ARGS__))
#define lido_query_value(session, ...) lido_query_valuev(LIDO_HERE(session), LIDO_ARGUMENTS(__VA_ARGS__))

/* Reads the current row into variables, each by its own type: while (lido_next(r) && lido_scan(r, &id, &name)) */
#define lido_scan(rows, ...) \
    lido_scanv(rows, LIDO_COUNT(__VA_ARGS__), (const lido_target[]){LIDO_MAP(LIDO_TARGET, __VA_ARGS__)})

#endif
