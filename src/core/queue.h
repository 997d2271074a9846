/* What queue.c, which runs what a session has queued, and queue_lease.c, which gets it the connection for that, have in
 * common. */
#ifndef LIDO_CORE_QUEUE_H
#define LIDO_CORE_QUEUE_H

#include "core/session.h"

static inline lido__operation *lido__queue_last_of(const lido__batch *batch) {
    return &batch->operations[batch->count - 1];
}

/* Whether the session has the writer's connection, and so the turn to write; see writer.h. */
static inline bool lido__queue_has_turn(const lido_session *session) {
    return session->lender == &session->engine->writer.pool;
}

/* ---- queue.c ---- */

/* The error has been set; says what it befell. */
void lido__queue_failed(lido_session *session, const lido__operation *operation);
/* When the batch must have been run: the statement's deadline, or the transaction's where that comes first. */
int64_t lido__queue_deadline(lido_session *session, const lido__batch *batch);

/* ---- queue_lease.c ---- */

bool lido__queue_writes(const lido__batch *batch);
/* What another session's thread may run for this one. */
bool lido__queue_is_errand(const lido_session *session, const lido__batch *batch);
/* The connection, from here on with something running on it; or the batch was run already, by who had the ticket. False
 * if the session has failed over it. */
bool lido__queue_lease(lido_session *session, lido__batch *batch, lido__errand *errand);

#endif
