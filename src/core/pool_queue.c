/* The queue of those who wait for a connection: in the order they came. All under the pool's lock but the waking. */
#include "core/pool.h"

void lido__pool_queue_add(lido__pool *pool, lido__pool_waiter *waiter) {
    *(pool->newest != NULL ? &pool->newest->next : &pool->oldest) = waiter;
    pool->newest = waiter;
    pool->waiting++;
}

lido__pool_waiter *lido__pool_queue_take(lido__pool *pool) {
    lido__pool_waiter *waiter = pool->oldest;
    if (waiter != NULL)
        lido__pool_queue_remove(pool, waiter);
    return waiter;
}

bool lido__pool_queue_remove(lido__pool *pool, lido__pool_waiter *waiter) {
    lido__pool_waiter *before = NULL;
    lido__pool_waiter *at = pool->oldest;
    for (; at != NULL && at != waiter; at = at->next)
        before = at;
    if (at == NULL)
        return false;
    *(before != NULL ? &before->next : &pool->oldest) = waiter->next;
    if (pool->newest == waiter)
        pool->newest = before;
    waiter->next = NULL;
    pool->waiting--;
    return true;
}

lido__pool_waiter *lido__pool_queue_fail(lido__pool *pool, const lido_error *why) {
    lido__pool_waiter *first = pool->oldest;
    for (lido__pool_waiter *at = first; at != NULL; at = at->next)
        *at->error = *why;
    pool->oldest = pool->newest = NULL;
    pool->waiting = 0;
    return first;
}

/* ---- The ticket's ---- */

static lido__pool_waiter *oldest_with_errand(const lido__pool *pool) {
    return pool->oldest != NULL && pool->oldest->lease.errand != NULL ? pool->oldest : NULL;
}

bool lido__pool_errand_waits(lido__pool *pool) {
    if (atomic_load(&pool->waiting) == 0)
        return false;
    pthread_mutex_lock(&pool->lock);
    bool waits = oldest_with_errand(pool) != NULL;
    pthread_mutex_unlock(&pool->lock);
    return waits;
}

lido__errand *lido__pool_take_errand(lido__pool *pool, lido__connection *connection, uint64_t owner) {
    lido__errand *errand = NULL;
    pthread_mutex_lock(&pool->lock);
    lido__pool_waiter *waiter = oldest_with_errand(pool);
    if (waiter != NULL) {
        lido__lease lease = waiter->lease;
        lease.owner = owner;
        errand = lease.errand;
        lido__pool_queue_remove(pool, waiter);
        lido__hold_begin(connection, &lease);
    }
    pthread_mutex_unlock(&pool->lock);
    return errand;
}

bool lido__pool_hand_on(lido__pool *pool, lido__connection *connection) {
    pthread_mutex_lock(&pool->lock);
    lido__pool_waiter *waiter = pool->oldest != NULL && pool->oldest->lease.joins ? pool->oldest : NULL;
    if (waiter != NULL) {
        lido__pool_queue_remove(pool, waiter);
        lido__hold_end_anyway(connection);
        lido__hold_begin(connection, &waiter->lease);
        waiter->given = connection;
    }
    pthread_mutex_unlock(&pool->lock);
    if (waiter != NULL)
        lido__waker_wake(&waiter->waker);
    return waiter != NULL;
}

void lido__pool_wake_all(lido__pool_waiter *first) {
    while (first != NULL) {
        lido__pool_waiter *next = first->next; /* once woken, it is gone */
        lido__waker_wake(&first->waker);
        first = next;
    }
}
