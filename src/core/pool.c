/* The pool of pool.h. */
#include "core/pool.h"

#include <inttypes.h>
#include <stdio.h>

#include "await/await.h"
#include "base/clock.h"
#include "base/fault.h"

enum {
    LOOK_AFTER_US =
        1000, /* a connection used less than this ago is not looked at: the look would cost more than it saves */
    HOLDERS_TOLD_MOST = 3
};

/* On the stack of who waits; in the queue while under the lock. */
struct lido__pool_waiter {
    lido__waker waker;
    lido__connection *given; /* either is set, and the waiter out of the queue, before it is woken */
    bool may_open;
    lido__pool_waiter *next;
};

bool lido__pool_init(lido__pool *pool, const lido__config *config, const lido__backend *backend, void *database) {
    *pool = (lido__pool){.config = config, .backend = backend, .database = database};
    return pthread_mutex_init(&pool->lock, NULL) == 0;
}

void lido__pool_done(lido__pool *pool) {
    pthread_mutex_destroy(&pool->lock);
}

/* ---- Under the lock ---- */

static bool has_room(const lido__pool *pool) {
    const lido__config *config = pool->config;
    return config->max_overflow < 0 || pool->open < config->pool_size + config->max_overflow;
}

static void queue_add(lido__pool *pool, lido__pool_waiter *waiter) {
    *(pool->newest != NULL ? &pool->newest->next : &pool->oldest) = waiter;
    pool->newest = waiter;
}

static lido__pool_waiter *queue_take_oldest(lido__pool *pool) {
    lido__pool_waiter *waiter = pool->oldest;
    if (waiter != NULL) {
        pool->oldest = waiter->next;
        if (pool->oldest == NULL)
            pool->newest = NULL;
    }
    return waiter;
}

/* False if it is not in the queue any more: it was served, or the pool was closed. */
static bool queue_remove(lido__pool *pool, const lido__pool_waiter *waiter) {
    lido__pool_waiter *before = NULL;
    lido__pool_waiter *at = pool->oldest;
    for (; at != NULL && at != waiter; at = at->next)
        before = at;
    if (at == NULL)
        return false;
    *(before != NULL ? &before->next : &pool->oldest) = waiter->next;
    if (pool->newest == waiter)
        pool->newest = before;
    return true;
}

static void used_add(lido__pool *pool, lido__connection *connection) {
    connection->previous = NULL;
    connection->next = pool->used;
    if (pool->used != NULL)
        pool->used->previous = connection;
    pool->used = connection;
}

static void used_remove(lido__pool *pool, lido__connection *connection) {
    *(connection->previous != NULL ? &connection->previous->next : &pool->used) = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
}

/* A slot has come free: the oldest waiter may open a connection in it. */
static lido__pool_waiter *give_slot(lido__pool *pool) {
    pool->open--;
    if (!has_room(pool))
        return NULL;
    lido__pool_waiter *waiter = queue_take_oldest(pool);
    if (waiter != NULL) {
        pool->open++;
        waiter->may_open = true;
    }
    return waiter;
}

/* Says who holds the connections, for whoever looks for the one that is not given back. */
static void tell_holders(const lido__pool *pool, lido_error *error) {
    int64_t now = lido__clock_now_us();
    int told = 0;
    char text[200];
    size_t used = 0;
    text[0] = '\0';
    for (lido__connection *at = pool->used; at != NULL && told < HOLDERS_TOLD_MOST && used < sizeof text;
         at = at->next) {
        const char *file = atomic_load_explicit(&at->holder_file, memory_order_relaxed);
        if (file != NULL)
            used +=
                (size_t)snprintf(text + used, sizeof text - used, "%s%s:%d for %" PRId64 " ms", told++ > 0 ? ", " : "",
                                 file, atomic_load_explicit(&at->holder_line, memory_order_relaxed),
                                 (now - atomic_load_explicit(&at->taken_at, memory_order_relaxed)) / 1000);
    }
    lido__fault_hint(error, "%s%s%sclose sessions sooner, or raise pool_size or max_overflow",
                     told > 0 ? "held by " : "", text, told > 0 ? "; " : "");
}

/* ---- Outside the lock ---- */

static void slot_free(lido__pool *pool) {
    pthread_mutex_lock(&pool->lock);
    lido__pool_waiter *waiter = give_slot(pool);
    pthread_mutex_unlock(&pool->lock);
    if (waiter != NULL)
        lido__waker_wake(&waiter->waker);
}

static bool fit_for_use(const lido__pool *pool, lido__connection *connection, int64_t now) {
    const lido__config *config = pool->config;
    if (config->pool_recycle_ms >= 0 && now - connection->opened_at > config->pool_recycle_ms * 1000)
        return false;
    if (!config->pool_pre_ping || now - connection->idle_since < LOOK_AFTER_US)
        return true;
    return pool->backend->alive(connection);
}

/* In a slot that the caller has. */
static lido__connection *open_in_slot(lido__pool *pool, lido_error *error) {
    lido__connection *connection = pool->backend->open(pool->config, pool->database, error);
    if (connection == NULL) {
        slot_free(pool);
        return NULL;
    }
    connection->opened_at = lido__clock_recent_us();
    pthread_mutex_lock(&pool->lock);
    used_add(pool, connection);
    pthread_mutex_unlock(&pool->lock);
    return connection;
}

static lido__connection *exhausted(lido__pool *pool, lido_error *error) {
    pthread_mutex_lock(&pool->lock);
    if (pool->closed) {
        lido__fault(error, LIDO_ERROR_MISUSE, "the engine was closed while a connection was waited for");
    } else {
        lido__fault(error, LIDO_ERROR_POOL_EXHAUSTED,
                    "no connection came free within %" PRId64 " ms: all %d are in use", pool->config->pool_timeout_ms,
                    pool->open);
        tell_holders(pool, error);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* Called with the lock, which it lets go. Returns a connection, or NULL with *may_open or *error set. */
static lido__connection *wait_in_queue(lido__pool *pool, bool *may_open, lido_error *error) {
    lido__pool_waiter waiter = {.given = NULL};
    if (!lido__waker_init(&waiter.waker)) {
        pthread_mutex_unlock(&pool->lock);
        lido__fault_memory(error, "waiting for a connection");
        return NULL;
    }
    queue_add(pool, &waiter);
    pthread_mutex_unlock(&pool->lock);
    int64_t deadline = lido__deadline_in_ms(pool->config->pool_timeout_ms);
    if (lido__await_waker(&waiter.waker, deadline) == LIDO__AWAIT_TIMED_OUT) {
        pthread_mutex_lock(&pool->lock);
        bool removed = queue_remove(pool, &waiter);
        pthread_mutex_unlock(&pool->lock);
        if (!removed) /* at the last moment: the waker is about to be woken, and must not be destroyed before */
            lido__await_waker(&waiter.waker, LIDO__NO_DEADLINE);
    }
    lido__waker_done(&waiter.waker);
    *may_open = waiter.may_open;
    if (waiter.given == NULL && !waiter.may_open)
        return exhausted(pool, error);
    return waiter.given;
}

/* A connection that was idle or handed over, already among those used; or the right to open one in *may_open. */
static lido__connection *take_or_wait(lido__pool *pool, bool *may_open, lido_error *error) {
    *may_open = false;
    pthread_mutex_lock(&pool->lock);
    if (pool->closed) {
        pthread_mutex_unlock(&pool->lock);
        lido__fault(error, LIDO_ERROR_MISUSE, "the engine is closed");
        return NULL;
    }
    lido__connection *connection = pool->idle;
    if (connection == NULL && !has_room(pool))
        return wait_in_queue(pool, may_open, error);
    if (connection != NULL) {
        pool->idle = connection->next;
        used_add(pool, connection);
    } else {
        pool->open++;
        *may_open = true;
    }
    pthread_mutex_unlock(&pool->lock);
    return connection;
}

/* Takes an unfit connection's place: its slot stays. */
static lido__connection *replace(lido__pool *pool, lido__connection *unfit, lido_error *error) {
    pthread_mutex_lock(&pool->lock);
    used_remove(pool, unfit);
    pthread_mutex_unlock(&pool->lock);
    pool->backend->close(unfit);
    return open_in_slot(pool, error);
}

lido__connection *lido__pool_acquire(lido__pool *pool, const char *file, int line, lido_error *error) {
    bool may_open;
    lido__connection *connection = take_or_wait(pool, &may_open, error);
    int64_t now = lido__clock_recent_us();
    if (connection == NULL && may_open)
        connection = open_in_slot(pool, error);
    else if (connection != NULL && !fit_for_use(pool, connection, now))
        connection = replace(pool, connection, error);
    if (connection == NULL)
        return NULL;
    atomic_store_explicit(&connection->taken_at, now, memory_order_relaxed);
    atomic_store_explicit(&connection->holder_file, file, memory_order_relaxed);
    atomic_store_explicit(&connection->holder_line, line, memory_order_relaxed);
    return connection;
}

static bool is_surplus(const lido__pool *pool) {
    return pool->closed || pool->open > pool->config->pool_size;
}

void lido__pool_release(lido__pool *pool, lido__connection *connection) {
    bool keep = !connection->broken && !connection->in_transaction;
    lido__pool_waiter *waiter = NULL;
    connection->idle_since = lido__clock_recent_us();
    pthread_mutex_lock(&pool->lock);
    used_remove(pool, connection);
    if (keep && (waiter = queue_take_oldest(pool)) != NULL) {
        waiter->given = connection;
        used_add(pool, connection);
    } else if (keep && !is_surplus(pool)) {
        connection->next = pool->idle;
        pool->idle = connection;
    } else {
        keep = false;
    }
    pthread_mutex_unlock(&pool->lock);
    if (waiter != NULL)
        lido__waker_wake(&waiter->waker);
    if (!keep) {
        pool->backend->close(connection);
        slot_free(pool);
    }
}

void lido__pool_close(lido__pool *pool) {
    pthread_mutex_lock(&pool->lock);
    lido__connection *idle = pool->idle;
    pool->closed = true;
    pool->idle = NULL;
    for (lido__connection *at = idle; at != NULL; at = at->next)
        pool->open--;
    lido__pool_waiter *waiter = pool->oldest;
    pool->oldest = pool->newest = NULL;
    pthread_mutex_unlock(&pool->lock);
    while (waiter != NULL) {
        lido__pool_waiter *next = waiter->next; /* once woken, it is gone */
        lido__waker_wake(&waiter->waker);
        waiter = next;
    }
    while (idle != NULL) {
        lido__connection *next = idle->next;
        pool->backend->close(idle);
        idle = next;
    }
}
