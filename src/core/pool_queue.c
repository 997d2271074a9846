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

void lido__pool_wake_all(lido__pool_waiter *first) {
    while (first != NULL) {
        lido__pool_waiter *next = first->next; /* once woken, it is gone */
        lido__waker_wake(&first->waker);
        first = next;
    }
}
