/* Waiting for a connection: in the queue, until one is handed over, one may be opened, or it takes too long. */
#include "base/clock.h"
#include "base/fault.h"
#include "core/pool.h"

/* Under the lock. Why nobody more may wait; false: one more may. */
static bool refuse_to_wait(const lido__pool *pool, const lido__lease *lease, lido_error *error) {
    const lido__config *config = pool->config;
    int waiting = pool->waiting;
    if (config->pool_max_waiting < 0 || waiting < config->pool_max_waiting)
        return lido__pool_would_deadlock(pool, lease->owner, error);
    lido__fault(error, LIDO_ERROR_POOL_EXHAUSTED,
                "%d already wait for a connection, as many as pool_max_waiting allows", waiting);
    return true;
}

/* Waits until something is decided, this waiter becomes the prober, or the deadline passes. */
static void wait_for_decision(lido__pool *pool, lido__pool_waiter *waiter, int64_t deadline) {
    for (;;) {
        pthread_mutex_lock(&pool->lock);
        int64_t until = pool->down && pool->down_until < deadline && !pool->probing ? pool->down_until : deadline;
        pthread_mutex_unlock(&pool->lock);
        lido__await_outcome outcome = lido__await_waker(&waiter->waker, until);
        if (outcome == LIDO__AWAIT_READY)
            return;
        pthread_mutex_lock(&pool->lock);
        bool late = outcome != LIDO__AWAIT_TIMED_OUT || lido__clock_now_us() >= deadline;
        bool probes = !late && lido__pool_take_slot(pool);
        bool decided = (late || probes) && !lido__pool_queue_remove(pool, waiter);
        if (decided && probes) { /* somebody else's decision came first: the slot is not needed */
            pool->open--;
            pool->probing = false;
        }
        waiter->may_open = waiter->may_open || (probes && !decided);
        pthread_mutex_unlock(&pool->lock);
        if (decided) /* the waker is about to be woken, and must not be destroyed before */
            lido__await(&(lido__wait){.kind = LIDO__WAIT_WAKER, .waker = &waiter->waker, .firm = true},
                        LIDO__NO_DEADLINE);
        if (late || probes)
            return;
    }
}

/* Called with the lock, which it lets go. Who gives a connection back without the lock looks for waiters after that;
 * who queues looks for connections after that: so one of them sees the other. */
static void queue_and_wait(lido__pool *pool, lido__pool_waiter *waiter) {
    int64_t deadline = lido__await_deadline(lido__deadline_in_ms(pool->config->pool_timeout_ms));
    if (waiter->lease.until != 0 && waiter->lease.until < deadline)
        deadline = waiter->lease.until;
    lido__pool_queue_add(pool, waiter);
    pool->stats.waits++;
    pthread_mutex_unlock(&pool->lock);
    if (lido__places_has_idle(&pool->places))
        lido__pool_settle(pool);
    wait_for_decision(pool, waiter, deadline);
}

lido__connection *lido__pool_wait(lido__pool *pool, const lido__lease *lease, bool *may_open, lido_error *error) {
    lido__pool_waiter waiter = {.lease = *lease, .error = error};
    bool refused = refuse_to_wait(pool, lease, error);
    if (refused || !lido__waker_init(&waiter.waker)) {
        pthread_mutex_unlock(&pool->lock);
        if (!refused)
            lido__fault_memory(error, "waiting for a connection");
        return NULL;
    }
    if (lease->errand != NULL)
        lease->errand->waker = &waiter.waker;
    int64_t began = lido__clock_now_us();
    queue_and_wait(pool, &waiter);
    lido__waker_done(&waiter.waker);
    *may_open = waiter.may_open;
    pthread_mutex_lock(&pool->lock);
    int64_t waited_us = lido__clock_now_us() - began;
    pool->stats.wait_us += waited_us;
    lido__metrics_duration(pool->metrics, pool->lends_ticket ? LIDO__DURATION_TURN : LIDO__DURATION_WAIT, waited_us);
    if (waiter.given == NULL && !waiter.may_open && (lease->errand == NULL || !lease->errand->done))
        lido__pool_tell_exhausted(pool, lease, error);
    pthread_mutex_unlock(&pool->lock);
    return waiter.given;
}
