/* Where in the program a call stands, remembered for errors: the functions of session.h, statement.h and bulk.h that
 * can fail, as macros of the same name. lido.h includes this; who wants a function's address writes its name without
 * parentheses behind it, or includes the other headers alone. */
#ifndef LIDO_HERE_H
#define LIDO_HERE_H

#include <lido/bulk.h>
#include <lido/session.h>
#include <lido/statement.h>

#define lido_commit(session) lido_commit(LIDO_HERE(session))
#define lido_rollback(session) lido_rollback(LIDO_HERE(session))
#define lido_session_close(session) lido_session_close(LIDO_HERE(session))
#define lido_savepoint_begin(session) lido_savepoint_begin(LIDO_HERE(session))
#define lido_savepoint_release(session, savepoint, error) lido_savepoint_release(LIDO_HERE(session), savepoint, error)
#define lido_savepoint_rollback(session, savepoint) lido_savepoint_rollback(LIDO_HERE(session), savepoint)
#define lido_fail(session, ...) lido_fail(LIDO_HERE(session), __VA_ARGS__)
#define lido_script(session, sql) lido_script(LIDO_HERE(session), sql)
#define lido_last_key(session) lido_last_key(LIDO_HERE(session))
#define lido_insert_rows(session, ...) lido_insert_rows(LIDO_HERE(session), __VA_ARGS__)
#define lido_insert_from(session, ...) lido_insert_from(LIDO_HERE(session), __VA_ARGS__)
#define lido_insert_structs(session, ...) lido_insert_structs(LIDO_HERE(session), __VA_ARGS__)

#endif
