/* Resolving an unknown outcome: opt-in, and never a guess. */
#ifndef LIDO_CORE_RESOLVE_H
#define LIDO_CORE_RESOLVE_H

#include "core/session.h"

/* Before COMMIT, if the session wants it: has the database name the transaction. What is queued is run first, for the
 * transaction must have written what it writes. False: the session has failed. */
bool lido__resolve_prepare(lido_session *session);

/* After a COMMIT in doubt: LIDO_OK, LIDO_ROLLED_BACK, or LIDO_UNKNOWN if it cannot be known for sure. Waits for the
 * database, 10 seconds at most. */
lido_status lido__resolve_outcome(lido_session *session);

#endif
