/* Cancelling what somebody does with the pool's connections, or his waiting for one. */
#include "await/await.h"
#include "base/clock.h"
#include "base/fault.h"
#include "core/pool.h"

enum { AGAIN_MS = 100, PAUSE_MOST_MS = 10, HEARD_MOST_MS = 5000 };

/* Under the lock: counts the caller as cancelling what runs for this holder, NULL being anybody, on a connection from
 * place *at on, which is moved on; NULL: nothing does. */
static lido__connection *begin_to_cancel(const lido__pool *pool, const void *holder, unsigned *at,
                                         lido__holding *holding) {
    for (lido__connection *connection; (connection = lido__places_next(&pool->places, at)) != NULL;)
        if (lido__hold_read(connection, holding) && (holder == NULL || holding->lease.holder == holder) &&
            lido__hold_cancel(connection, holding))
            return connection;
    return NULL;
}

/* Under the lock: takes a waiter of this holder, NULL being anybody, out of the queue, with its reason. */
static lido__pool_waiter *cancel_waiter(lido__pool *pool, const void *holder) {
    lido__pool_waiter *at = pool->oldest;
    while (at != NULL && holder != NULL && at->lease.holder != holder)
        at = at->next;
    if (at == NULL)
        return NULL;
    lido__pool_queue_remove(pool, at);
    lido__fault(at->error, LIDO_ERROR_CANCELLED, "cancelled while waiting for a connection");
    return at;
}

void lido__pool_send_cancel(lido__pool *pool, lido__connection *connection, bool give_up) {
    pool->backend->cancel(connection, give_up);
    lido__pool_cancel_sent(pool, connection);
}

void lido__pool_cancel_sent(lido__pool *pool, lido__connection *connection) {
    pthread_mutex_lock(&pool->lock);
    bool closes = lido__hold_cancelled(connection) == 0 && connection->left;
    if (closes)
        lido__pool_take_out(pool, connection);
    pthread_mutex_unlock(&pool->lock);
    if (closes)
        lido__pool_close_in_slot(pool, connection, connection->broken || connection->server_gone);
}

/* Whether what was sent has hit nothing, as it seems: the same runs after a while, or has begun to answer meanwhile. */
static bool was_missed(const lido__connection *connection, const lido__holding *holding, int64_t deadline) {
    int64_t again = lido__deadline_in_ms(AGAIN_MS);
    for (int64_t pause_ms = 1; lido__hold_runs(connection, holding);
         pause_ms = pause_ms < PAUSE_MOST_MS ? 2 * pause_ms : PAUSE_MOST_MS) {
        if (lido__clock_now_us() >= again || lido__hold_is_answering(connection))
            return lido__clock_now_us() < deadline;
        if (lido__await_moment(lido__deadline_in_ms(pause_ms)) != LIDO__AWAIT_TIMED_OUT)
            return false;
    }
    return false;
}

/* A server drops a cancel that arrives before the statement does, or between two of its messages. So it is sent again
 * as long as the same runs, which is known, for nothing else can begin while this one is counted. Not by the holder
 * itself, from a listener or a function of the program's, for whom it would run for ever. Nor to a stream that has
 * begun to answer: the server is at it, hears the cancel when its reader lets it go on, and that may take long. */
static void send_until_heard(lido__pool *pool, lido__connection *connection, const lido__holding *holding) {
    int64_t deadline = lido__deadline_in_ms(HEARD_MOST_MS);
    bool may_miss;
    do {
        may_miss = pool->backend->cancel_may_miss && holding->lease.owner != lido__await_self() &&
                   !lido__hold_is_answering(connection);
        pool->backend->cancel(connection, false);
    } while (may_miss && was_missed(connection, holding, deadline));
    lido__pool_cancel_sent(pool, connection);
}

/* One of those whose place comes next. `once`: it is the caller who sends it again, or does not. */
static bool cancel_next(lido__pool *pool, const void *holder, unsigned *at, bool once) {
    lido__holding holding;
    pthread_mutex_lock(&pool->lock);
    lido__connection *connection = begin_to_cancel(pool, holder, at, &holding);
    lido__pool_waiter *waiter = connection == NULL ? cancel_waiter(pool, holder) : NULL;
    pthread_mutex_unlock(&pool->lock);
    if (waiter != NULL)
        lido__waker_wake(&waiter->waker);
    if (connection == NULL)
        return waiter != NULL;
    if (once)
        lido__pool_send_cancel(pool, connection, false);
    else
        send_until_heard(pool, connection, &holding);
    return true;
}

bool lido__pool_cancel(lido__pool *pool, const void *holder) {
    unsigned at = 0;
    return cancel_next(pool, holder, &at, false);
}

void lido__pool_cancel_all(lido__pool *pool) {
    for (unsigned at = 0; cancel_next(pool, NULL, &at, true);)
        ;
}
