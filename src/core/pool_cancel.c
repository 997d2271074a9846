/* Cancelling what somebody does with the pool's connections, or his waiting for one. */
#include "base/fault.h"
#include "core/pool.h"

/* Under the lock: counts the caller as cancelling what runs for this holder, NULL being anybody, on a connection from
 * place *at on, which is moved on; NULL: nothing does. */
static lido__connection *begin_to_cancel(const lido__pool *pool, const void *holder, unsigned *at) {
    lido__holding holding;
    for (lido__connection *connection; (connection = lido__places_next(&pool->places, at)) != NULL;)
        if (lido__hold_read(connection, &holding) && (holder == NULL || holding.lease.holder == holder) &&
            lido__hold_cancel(connection, &holding))
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

/* One of those whose place comes next. */
static bool cancel_next(lido__pool *pool, const void *holder, unsigned *at) {
    pthread_mutex_lock(&pool->lock);
    lido__connection *connection = begin_to_cancel(pool, holder, at);
    lido__pool_waiter *waiter = connection == NULL ? cancel_waiter(pool, holder) : NULL;
    pthread_mutex_unlock(&pool->lock);
    if (waiter != NULL)
        lido__waker_wake(&waiter->waker);
    if (connection == NULL)
        return waiter != NULL;
    lido__pool_send_cancel(pool, connection, false);
    return true;
}

bool lido__pool_cancel(lido__pool *pool, const void *holder) {
    unsigned at = 0;
    return cancel_next(pool, holder, &at);
}

void lido__pool_cancel_all(lido__pool *pool) {
    for (unsigned at = 0; cancel_next(pool, NULL, &at);)
        ;
}
