/* Asking the database what became of a transaction whose commit was not answered. */
#include "core/resolve.h"

#include "await/await.h"
#include "base/clock.h"

enum { RESOLVE_MOST_MS = 10000, ASK_AGAIN_MS = 20 };

/* Few sessions ask for one, so that the others have no room for it. False: memory has run out, the session failed. */
static bool make_mark(lido_session *session) {
    if (session->mark == NULL)
        session->mark = lido__arena_allocate(&session->kept, sizeof *session->mark);
    if (session->mark != NULL)
        return true;
    lido__fault_memory(&session->error, "asking for the transaction's id");
    lido__session_fail(session, "asking for the transaction's id");
    return false;
}

bool lido__resolve_prepare(lido_session *session) {
    lido__connection *connection = session->connection;
    if (session->mark != NULL)
        session->mark->known = false;
    if (!session->options.resolve_unknown || session->engine->backend->mark == NULL)
        return true;
    if (!lido__queue_run(session, NULL) || !make_mark(session))
        return false;
    connection = session->connection;
    lido__hold_go_on(connection);
    bool marked = connection->backend->mark(connection, session->mark, &session->error);
    lido__hold_pause(connection);
    if (marked)
        return true;
    lido__session_fail(session, "asking for the transaction's id");
    session->lost = session->lost || connection->broken;
    return false;
}

static lido__resolution ask_once(lido_session *session) {
    const lido__lease lease = {
        .holder = session, .owner = session->owner, .file = session->file, .line = session->line};
    lido_error ignored = LIDO_ERROR_INIT;
    lido__pool *pool = &session->engine->pool;
    lido__connection *connection = lido__pool_acquire(pool, &lease, &ignored);
    if (connection == NULL)
        return LIDO__RESOLVED_NOT_YET;
    lido__resolution resolution = connection->backend->resolve(connection, session->mark);
    lido__pool_release(pool, connection);
    return resolution;
}

lido_status lido__resolve_outcome(lido_session *session) {
    int64_t deadline = lido__deadline_in_ms(RESOLVE_MOST_MS);
    if (session->mark == NULL || !session->mark->known)
        return LIDO_UNKNOWN;
    for (;;) {
        lido__resolution resolution = ask_once(session);
        if (resolution == LIDO__RESOLVED_COMMITTED)
            return LIDO_OK;
        if (resolution == LIDO__RESOLVED_ROLLED_BACK)
            return LIDO_ROLLED_BACK;
        int64_t next = lido__clock_now_us() + ASK_AGAIN_MS * 1000;
        if (resolution == LIDO__RESOLVED_NEVER || next > deadline)
            return LIDO_UNKNOWN;
        if (lido__await_moment(next) != LIDO__AWAIT_TIMED_OUT || !lido__await_may_wait(NULL))
            return LIDO_UNKNOWN;
    }
}
