/* What the pool tells its listeners and the log. Everything here is outside the pool's lock. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "core/pool.h"

static lido_event event_of(const lido__pool *pool, lido_event_kind kind, const lido__connection *connection) {
    return (lido_event){.kind = kind, .database = pool->config->display, .connection = connection->number};
}

/* ---- Coming ---- */

bool lido__pool_let_in(lido__pool *pool, const lido__connection *connection, const lido__lease *lease, int64_t began,
                       lido_error *error) {
    lido__events *events = &pool->head->events;
    lido_error refusal = LIDO_ERROR_INIT;
    if (!lido__events_wanted(events, LIDO_EVENT_FIRST_CONNECT | LIDO_EVENT_CONNECT)) {
        atomic_store(&events->met, true);
        return true;
    }
    lido_event event = event_of(pool, LIDO_EVENT_FIRST_CONNECT, connection);
    event.session = lease != NULL && lease->holder != pool ? lease->holder : NULL;
    event.file = lease != NULL ? lease->file : NULL;
    event.line = lease != NULL ? lease->line : 0;
    event.duration_us = lido__clock_now_us() - began;
    bool first = !atomic_exchange(&events->met, true);
    bool welcome = !first || lido__events_tell(events, &event, &refusal);
    event.kind = LIDO_EVENT_CONNECT;
    welcome = lido__events_tell(events, &event, &refusal) && welcome;
    if (first && !welcome)
        atomic_store(&events->met, false);
    return welcome || lido__fault(error, refusal.category, "%s", refusal.message);
}

void lido__pool_log_failure(const lido__pool *pool, const lido_error *why, bool went_down) {
    lido__log(went_down ? LIDO_LOG_ERROR : LIDO_LOG_WARNING, "%s: no connection%s: %s", pool->config->display,
              went_down ? ", until further notice" : "", why->message);
}

void lido__pool_log_recovery(const lido__pool *pool) {
    lido__log(LIDO_LOG_INFO, "%s: can be reached again", pool->config->display);
}

/* ---- Going ---- */

void lido__pool_log_gone(const lido__pool *pool) {
    lido__log(LIDO_LOG_WARNING, "%s: the server has gone, or refuses writes now: all connections are replaced",
              pool->config->display);
}

void lido__pool_close_connection(lido__pool *pool, lido__connection *connection, bool dead) {
    lido_event event = event_of(pool, LIDO_EVENT_INVALIDATE, connection);
    if (dead) {
        lido__log(LIDO_LOG_WARNING, "%s: connection %" PRIu64 " is lost", event.database, event.connection);
        lido__events_tell(&pool->head->events, &event, NULL);
    }
    event.kind = LIDO_EVENT_CLOSE;
    if (lido__events_wanted(&pool->head->events, LIDO_EVENT_CLOSE))
        lido__events_tell(&pool->head->events, &event, NULL);
    pool->backend->close(connection);
}

/* ---- Staying too long ---- */

/* Under the lock: one that is held too long and was not told of since it was taken. */
static lido__connection *find_leak(const lido__pool *pool, int64_t now, lido__holding *holding) {
    int64_t longest = pool->config->pool_leak_after_ms * 1000;
    unsigned place = 0;
    for (lido__connection *at; (at = lido__places_next(&pool->places, &place)) != NULL;)
        if (lido__hold_read(at, holding) && now - holding->since >= longest && at->leak_told != holding->times)
            return at;
    return NULL;
}

/* Takes the lock. The event's texts live as long as the engine. */
static bool next_leak(lido__pool *pool, lido_event *event) {
    lido__holding holding;
    int64_t now = lido__clock_now_us();
    pthread_mutex_lock(&pool->lock);
    lido__connection *leak = find_leak(pool, now, &holding);
    if (leak != NULL) {
        leak->leak_told = holding.times;
        *event = event_of(pool, LIDO_EVENT_LEAK, leak);
        event->session = holding.lease.holder;
        event->file = holding.lease.file;
        event->line = holding.lease.line;
        event->duration_us = now - holding.since;
        event->statement = holding.last != NULL ? holding.last->text : NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    return leak != NULL;
}

void lido__pool_tell_leaks(lido__pool *pool) {
    lido_event event;
    if (pool->config->pool_leak_after_ms < 0)
        return;
    while (next_leak(pool, &event)) {
        lido__log(LIDO_LOG_WARNING, "%s: connection %" PRIu64 " is held for %" PRId64 " ms, taken at %s:%d%s%s",
                  event.database, event.connection, event.duration_us / 1000, event.file != NULL ? event.file : "?",
                  event.line, event.statement != NULL ? ", running last: " : "",
                  event.statement != NULL ? event.statement : "");
        lido__events_tell(&pool->head->events, &event, NULL);
    }
}
