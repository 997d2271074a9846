/* Taking turns on PostgreSQL, by a lock that takes no snapshot: a SELECT of an advisory lock has one before it waits,
 * and at REPEATABLE READ and SERIALIZABLE the transaction then never sees what the one before it has done. */
#include "model/turn.h"

#include <string.h>

#include <lido/statement.h>

/* This view, because there is one in each database and everybody may lock it (PUBLIC has UPDATE, for SET). The mode is
 * at odds with itself, but neither with reading the view nor with updating it. */
#define LOCK_SQL "LOCK TABLE pg_catalog.pg_settings IN SHARE UPDATE EXCLUSIVE MODE"
/* Any number will do that nobody else locks: the letters "lido sch". */
#define ADVISORY_SQL "SELECT pg_catalog.pg_advisory_xact_lock(7811887671717061480)"

/* PostgreSQL 10 locks no views (42809, a wrong object type), and a right can be revoked. */
static bool cannot_be_had(const lido_error *error) {
    return error->category == LIDO_ERROR_PERMISSION || strcmp(error->sqlstate, "42809") == 0;
}

bool lido__turn_take(lido_session *session) {
    int savepoint = lido_savepoint_begin(session);
    lido_execv(session, LOCK_SQL, 0, NULL);
    if (!lido_failed(session))
        return lido_savepoint_release(session, savepoint, NULL) == LIDO_OK;
    if (!cannot_be_had(&session->error)) /* to be seen: the release would take it back */
        return false;
    lido_savepoint_rollback(session, savepoint);
    lido_execv(session, ADVISORY_SQL, 0, NULL);
    return !lido_failed(session);
}
