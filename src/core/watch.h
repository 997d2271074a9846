/* What a session tells its engine's listeners. Each costs one load where nobody listens. */
#ifndef LIDO_CORE_WATCH_H
#define LIDO_CORE_WATCH_H

#include "base/probe.h"
#include "core/session.h"

enum {
    LIDO__WATCH_BATCH = LIDO_EVENT_BEGIN | LIDO_EVENT_SAVEPOINT | LIDO_EVENT_SAVEPOINT_RELEASE |
                        LIDO_EVENT_SAVEPOINT_ROLLBACK | LIDO_EVENT_BEFORE | LIDO_EVENT_AFTER | LIDO_EVENT_SLOW
};

static inline bool lido__watched(const lido_session *session, unsigned kinds) {
    return lido__events_wanted(&session->engine->pool.events, kinds);
}

/* Whether a batch's way is told to anybody: a listener, or who looks at the probes. */
static inline bool lido__watched_batch(const lido_session *session) {
    return lido__watched(session, LIDO__WATCH_BATCH) || LIDO__PROBED(statement__start) ||
           LIDO__PROBED(statement__end) || LIDO__PROBED(begin);
}

/* The session has just been given a connection. False, with the session's error set: it must not have it. */
bool lido__watch_checkout(lido_session *session);
/* It is about to give it back, or has; since when it had it. */
void lido__watch_checkin(lido_session *session, int64_t since);
/* A batch sets out. Returns when. */
int64_t lido__watch_batch_begins(const lido_session *session, const lido__batch *batch);
/* It was run. */
void lido__watch_batch_ran(lido_session *session, const lido__batch *batch, int64_t began);
/* The connection was to be cleaned by a rollback. */
void lido__watch_reset(lido_session *session, const lido_error *error);
/* A transaction that had a connection, of this number (0: it had none), has ended. */
void lido__watch_outcome(lido_session *session, uint64_t connection, lido_status outcome);
/* The session has failed. */
void lido__watch_error(lido_session *session);

#endif
