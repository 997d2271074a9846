/* Lending connections: taking, opening, giving back, and what happens when the server cannot be reached. */
#include "core/pool.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/random.h"

enum {
    /* A connection used since about the last tick is not looked at: the look would cost more than it saves. */
    LOOK_AFTER_US = 1000,
    PING_MOST_MS = 2000,
    BACKOFF_MS = 50, /* after the first failure; doubled with each, up to: */
    BACKOFF_MOST_MS = 5000
};

bool lido__pool_init(lido__pool *pool, const lido__config *config, const lido__backend *backend, void *database) {
    *pool = (lido__pool){.config = config, .backend = backend, .database = database};
    if (pthread_mutex_init(&pool->lock, NULL) != 0)
        return false;
    if (lido__waker_init(&pool->keeper_waker))
        return true;
    pthread_mutex_destroy(&pool->lock);
    return false;
}

/* The first use in a child. An in-memory database is the parent's, too, with locks that nobody here will release: the
 * child gets a new one. Attaching does not wait, so it may be done under the lock, which keeps others from the old
 * one. */
static bool start_in_child(lido__pool *pool, lido_error *error) {
    pthread_mutex_lock(&pool->lock);
    lido__connection *inherited = pool->inherited;
    bool first = atomic_load(&pool->forked);
    pool->inherited = NULL;
    if (first && pool->backend->attach != NULL)
        pool->database = pool->backend->attach(pool->config, error);
    if (first) /* made anew, not destroyed before: the parent's keeper sleeps on it, as far as this memory knows */
        lido__waker_init(&pool->keeper_waker);
    atomic_store(&pool->forked, error->status != LIDO_OK);
    pthread_mutex_unlock(&pool->lock);
    while (inherited != NULL) {
        lido__connection *next = inherited->next;
        pool->backend->abandon(inherited);
        inherited = next;
    }
    return error->status == LIDO_OK;
}

static bool is_started(lido__pool *pool, lido_error *error) {
    return !atomic_load_explicit(&pool->forked, memory_order_relaxed) || start_in_child(pool, error);
}

bool lido__pool_database(lido__pool *pool, void **database, lido_error *error) {
    if (!is_started(pool, error))
        return false;
    pthread_mutex_lock(&pool->lock);
    *database = pool->database;
    pthread_mutex_unlock(&pool->lock);
    return true;
}

void lido__pool_done(lido__pool *pool) {
    lido__pool_keeper_stop(pool);
    while (pool->inherited != NULL) {
        lido__connection *next = pool->inherited->next;
        pool->backend->abandon(pool->inherited);
        pool->inherited = next;
    }
    if (!atomic_load(&pool->forked)) /* see start_in_child */
        lido__waker_done(&pool->keeper_waker);
    pthread_mutex_destroy(&pool->lock);
}

/* ---- Under the lock ---- */

bool lido__pool_has_room(const lido__pool *pool) {
    const lido__config *config = pool->config;
    return config->max_overflow < 0 || pool->open < config->pool_size + config->max_overflow;
}

void lido__pool_used_add(lido__pool *pool, lido__connection *connection, const lido__lease *lease) {
    connection->previous = NULL;
    connection->next = pool->used;
    if (pool->used != NULL)
        pool->used->previous = connection;
    pool->used = connection;
    connection->holder = lease->holder;
    connection->owner = lease->owner;
    connection->holder_file = lease->file;
    connection->holder_line = lease->line;
    connection->leak_told = false;
    connection->taken_at = lido__clock_recent_us();
    atomic_store_explicit(&connection->last_sql, NULL, memory_order_relaxed);
}

void lido__pool_used_remove(lido__pool *pool, lido__connection *connection) {
    *(connection->previous != NULL ? &connection->previous->next : &pool->used) = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    connection->holder = NULL;
}

/* The oldest waiter may open a connection, if there is room and reason to hope. */
static lido__pool_waiter *grant_slot(lido__pool *pool) {
    if (pool->down || !lido__pool_has_room(pool))
        return NULL;
    lido__pool_waiter *waiter = lido__pool_queue_take(pool);
    if (waiter != NULL) {
        pool->open++;
        waiter->may_open = true;
    }
    return waiter;
}

/* All waiters that there is room for. Linked by `next`, to be woken outside the lock. */
static lido__pool_waiter *grant_slots(lido__pool *pool) {
    lido__pool_waiter *first = NULL;
    lido__pool_waiter **link = &first;
    for (lido__pool_waiter *granted; (granted = grant_slot(pool)) != NULL; link = &granted->next)
        *link = granted;
    return first;
}

static int64_t pause_us(int failures) {
    int64_t most = BACKOFF_MS;
    for (int i = 1; i < failures && most < BACKOFF_MOST_MS; i++)
        most *= 2;
    most = most < BACKOFF_MOST_MS ? most : BACKOFF_MOST_MS;
    return (most / 2 + lido__random_below(most / 2 + 1)) * 1000; /* so that many processes do not knock at once */
}

static bool is_out_of_reach(const lido_error *error) {
    return error->category == LIDO_ERROR_DISCONNECTED || error->category == LIDO_ERROR_TIMEOUT ||
           error->category == LIDO_ERROR_PERMISSION || error->category == LIDO_ERROR_CONFIGURATION;
}

/* ---- Opening ---- */

void lido__pool_slot_free(lido__pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->open--;
    lido__pool_waiter *granted = grant_slots(pool);
    pthread_mutex_unlock(&pool->lock);
    lido__pool_wake_all(granted);
}

/* Under the lock. What is heard during the pause comes from attempts that began before it: it is no new failure. */
static void go_down(lido__pool *pool, const lido_error *why) {
    int64_t now = lido__clock_now_us();
    if (!pool->down || now >= pool->down_until)
        pool->down_until = now + pause_us(++pool->failures);
    pool->down = true;
    pool->reason = *why;
}

/* Everybody who waits hears at once what one of them has found out. */
static void opening_failed(lido__pool *pool, const lido_error *why) {
    lido__pool_waiter *failed = NULL;
    pthread_mutex_lock(&pool->lock);
    bool was_down = pool->down;
    pool->open--;
    pool->stats.failed_connects++;
    pool->probing = false;
    if (pool->down || is_out_of_reach(why)) {
        go_down(pool, why);
        failed = lido__pool_queue_fail(pool, why);
    } else {
        failed = grant_slots(pool);
    }
    bool went_down = pool->down && !was_down;
    pthread_mutex_unlock(&pool->lock);
    lido__pool_wake_all(failed);
    lido__pool_log_failure(pool, why, went_down);
}

static int64_t retirement(const lido__config *config) {
    if (config->pool_recycle_ms < 0)
        return LIDO__NO_DEADLINE;
    int64_t age = config->pool_recycle_ms * 1000;
    return lido__clock_recent_us() + age - lido__random_below(age / 10 + 1);
}

/* Opens one, with its number; NULL, with *error set, also if a listener does not want it. */
static lido__connection *open_one(lido__pool *pool, void *database, const lido__lease *lease, lido_error *error) {
    int64_t began = lido__clock_now_us();
    lido__connection *connection = pool->backend->open(pool->config, database, error);
    if (connection == NULL)
        return NULL;
    pthread_mutex_lock(&pool->lock);
    connection->number = ++pool->stats.connects;
    pthread_mutex_unlock(&pool->lock);
    if (lido__pool_let_in(pool, connection, lease, began, error))
        return connection;
    lido__pool_close_connection(pool, connection, false);
    return NULL;
}

lido__connection *lido__pool_open_in_slot(lido__pool *pool, const lido__lease *lease, lido_error *error) {
    pthread_mutex_lock(&pool->lock);
    uint64_t generation = pool->generation;
    void *database = pool->database;
    pthread_mutex_unlock(&pool->lock);
    lido__connection *connection = open_one(pool, database, lease, error);
    if (connection == NULL) {
        opening_failed(pool, error);
        return NULL;
    }
    lido__pool_keeper_start(pool);
    connection->generation = generation; /* as it was before: what was lost meanwhile may be this one's server */
    connection->retire_at = retirement(pool->config);
    connection->idle_since = lido__clock_recent_us();
    pthread_mutex_lock(&pool->lock);
    bool was_down = pool->down;
    connection->watched = pool->keeper_runs;
    atomic_store_explicit(&connection->wait_until, LIDO__NO_DEADLINE, memory_order_relaxed);
    pool->down = pool->probing = false;
    pool->failures = 0;
    if (lease != NULL)
        lido__pool_used_add(pool, connection, lease);
    lido__pool_waiter *granted = grant_slots(pool);
    pthread_mutex_unlock(&pool->lock);
    lido__pool_wake_all(granted);
    if (was_down)
        lido__pool_log_recovery(pool);
    return connection;
}

/* ---- Taking ---- */

/* Under the lock. Whether there is reason to hope; if the pool is down, the caller is the prober then. */
static bool may_try(lido__pool *pool) {
    if (pool->down && (pool->probing || lido__clock_now_us() < pool->down_until))
        return false;
    pool->probing = pool->down;
    return true;
}

/* Under the lock. Whether the caller may open a connection now; if so, it has the slot. */
static bool take_slot(lido__pool *pool) {
    if (!lido__pool_has_room(pool) || !may_try(pool))
        return false;
    pool->open++;
    return true;
}

/* Under the lock. Why nobody more may wait; false: one more may. */
static bool refuse_to_wait(const lido__pool *pool, const lido__lease *lease, lido_error *error) {
    const lido__config *config = pool->config;
    if (config->pool_max_waiting < 0 || pool->waiting < config->pool_max_waiting)
        return lido__pool_would_deadlock(pool, lease->owner, error);
    lido__fault(error, LIDO_ERROR_POOL_EXHAUSTED,
                "%d already wait for a connection, as many as pool_max_waiting allows", pool->waiting);
    return true;
}

/* Waits until something is decided, this waiter becomes the prober, or the deadline passes. */
static void wait_for_decision(lido__pool *pool, lido__pool_waiter *waiter, int64_t deadline) {
    for (;;) {
        pthread_mutex_lock(&pool->lock);
        int64_t until = pool->down && pool->down_until < deadline && !pool->probing ? pool->down_until : deadline;
        pthread_mutex_unlock(&pool->lock);
        if (lido__await_waker(&waiter->waker, until) == LIDO__AWAIT_READY)
            return;
        pthread_mutex_lock(&pool->lock);
        bool late = lido__clock_now_us() >= deadline;
        bool probes = !late && take_slot(pool);
        bool decided = (late || probes) && !lido__pool_queue_remove(pool, waiter);
        if (decided && probes) { /* somebody else's decision came first: the slot is not needed */
            pool->open--;
            pool->probing = false;
        }
        waiter->may_open = waiter->may_open || (probes && !decided);
        pthread_mutex_unlock(&pool->lock);
        if (decided) /* the waker is about to be woken, and must not be destroyed before */
            lido__await_waker(&waiter->waker, LIDO__NO_DEADLINE);
        if (late || probes)
            return;
    }
}

/* Called with the lock, which it lets go. */
static lido__connection *wait_in_queue(lido__pool *pool, const lido__lease *lease, bool *may_open, lido_error *error) {
    lido__pool_waiter waiter = {.lease = *lease, .error = error};
    if (!lido__waker_init(&waiter.waker)) {
        pthread_mutex_unlock(&pool->lock);
        lido__fault_memory(error, "waiting for a connection");
        return NULL;
    }
    int64_t began = lido__clock_now_us();
    int64_t deadline = lido__deadline_in_ms(pool->config->pool_timeout_ms);
    lido__pool_queue_add(pool, &waiter);
    pool->stats.waits++;
    pthread_mutex_unlock(&pool->lock);
    wait_for_decision(pool, &waiter, deadline);
    lido__waker_done(&waiter.waker);
    *may_open = waiter.may_open;
    pthread_mutex_lock(&pool->lock);
    pool->stats.wait_us += lido__clock_now_us() - began;
    if (waiter.given == NULL && !waiter.may_open)
        lido__pool_tell_exhausted(pool, error);
    pthread_mutex_unlock(&pool->lock);
    return waiter.given;
}

/* A connection that was idle or handed over, already among those used; or the right to open one in *may_open. */
static lido__connection *take_or_wait(lido__pool *pool, const lido__lease *lease, bool *may_open, lido_error *error) {
    *may_open = false;
    pthread_mutex_lock(&pool->lock);
    lido__connection *connection = pool->idle;
    pool->stats.acquires++;
    if (pool->closed) {
        lido__fault(error, LIDO_ERROR_MISUSE, "the engine is closed");
        lido__fault_hint(error, "end all transactions before lido_engine_close");
        connection = NULL;
    } else if (connection != NULL) {
        pool->idle = connection->next;
        lido__pool_used_add(pool, connection, lease);
    } else if (take_slot(pool)) {
        *may_open = true;
    } else if (!refuse_to_wait(pool, lease, error)) {
        return wait_in_queue(pool, lease, may_open, error);
    }
    pthread_mutex_unlock(&pool->lock);
    return connection;
}

/* ---- What is not used again ---- */

static void close_in_slot(lido__pool *pool, lido__connection *connection, bool dead) {
    lido__pool_close_connection(pool, connection, dead);
    lido__pool_slot_free(pool);
}

static void close_all_dead_in_slots(lido__pool *pool, lido__connection *first) {
    while (first != NULL) {
        lido__connection *next = first->next;
        close_in_slot(pool, first, true);
        first = next;
    }
}

/* Under the lock. Whether its server went, and nobody has said so yet. */
static bool is_first_to_be_lost(const lido__pool *pool, const lido__connection *connection) {
    return connection->server_gone && connection->generation == pool->generation;
}

/* Under the lock. The idle ones of a generation that is over, to be closed outside it. */
static lido__connection *invalidate(lido__pool *pool) {
    lido__connection *idle = pool->idle;
    pool->generation++;
    pool->idle = NULL;
    for (const lido__connection *at = idle; at != NULL; at = at->next)
        pool->stats.invalidated++;
    return idle;
}

typedef enum fitness { FIT, TOO_OLD, DEAD } fitness;

static fitness fitness_of(const lido__pool *pool, lido__connection *connection) {
    const lido__config *config = pool->config;
    int64_t now = connection->taken_at; /* just now */
    int64_t idle = now - connection->idle_since;
    if (now >= connection->retire_at)
        return TOO_OLD;
    if (!config->pool_pre_ping || idle < LOOK_AFTER_US)
        return FIT;
    if (!pool->backend->alive(connection))
        return DEAD;
    bool ask =
        config->pool_ping_after_ms >= 0 && idle >= config->pool_ping_after_ms * 1000 && pool->backend->ping != NULL;
    return !ask || pool->backend->ping(connection, lido__deadline_in_ms(PING_MOST_MS)) ? FIT : DEAD;
}

/* Closes an unfit connection. True: its taker may open another in its slot; false: the slot was given up, and its taker
 * asks again, or has *error. One that somebody is cancelling is closed by who cancels. */
static bool discard(lido__pool *pool, lido__connection *unfit, fitness why, lido_error *error) {
    pthread_mutex_lock(&pool->lock);
    lido__pool_used_remove(pool, unfit);
    (*(why == TOO_OLD ? &pool->stats.recycled : &pool->stats.invalidated))++;
    bool gone = is_first_to_be_lost(pool, unfit);
    lido__connection *lost = gone ? invalidate(pool) : NULL;
    unfit->left = unfit->cancels > 0;
    bool cancelled = unfit->left;
    bool may_open = !cancelled && may_try(pool);
    if (!cancelled && !may_open)
        pool->stats.acquires--; /* or it would be counted twice */
    pthread_mutex_unlock(&pool->lock);
    if (gone)
        lido__pool_log_gone(pool);
    close_all_dead_in_slots(pool, lost);
    if (cancelled)
        return lido__fault(error, LIDO_ERROR_CANCELLED, "cancelled while a connection was looked at");
    lido__pool_close_connection(pool, unfit, why == DEAD);
    if (!may_open)
        lido__pool_slot_free(pool);
    return may_open;
}

lido__connection *lido__pool_acquire(lido__pool *pool, const lido__lease *lease, lido_error *error) {
    bool may_open;
    if (!is_started(pool, error))
        return NULL;
    do {
        fitness fit;
        lido__connection *connection = take_or_wait(pool, lease, &may_open, error);
        if (connection == NULL)
            break;
        if ((fit = fitness_of(pool, connection)) == FIT)
            return connection;
        may_open = discard(pool, connection, fit, error);
    } while (!may_open && error->status == LIDO_OK);
    return may_open ? lido__pool_open_in_slot(pool, lease, error) : NULL;
}

/* ---- Giving back ---- */

static bool is_dead(const lido__connection *connection) {
    return connection->broken || connection->server_gone;
}

/* Under the lock. Whether one that came back can be used again; counts why not. */
static bool fit_to_keep(lido__pool *pool, const lido__connection *connection) {
    if (connection->broken || connection->server_gone || connection->in_transaction || connection->cancels > 0)
        return false;
    bool lost = connection->generation != pool->generation;
    bool old = !lost && connection->idle_since >= connection->retire_at;
    pool->stats.invalidated += lost;
    pool->stats.recycled += old;
    return !lost && !old;
}

void lido__pool_release(lido__pool *pool, lido__connection *connection) {
    lido__connection *lost = NULL;
    lido__pool_waiter *waiter = NULL;
    connection->idle_since = lido__clock_recent_us();
    pthread_mutex_lock(&pool->lock);
    lido__pool_used_remove(pool, connection);
    pool->stats.use_us += connection->idle_since - connection->taken_at;
    bool gone = is_first_to_be_lost(pool, connection);
    if (gone)
        lost = invalidate(pool);
    bool dead = is_dead(connection) || connection->generation != pool->generation;
    bool keep = fit_to_keep(pool, connection);
    bool closes = !keep && connection->cancels == 0;
    if (keep && (waiter = lido__pool_queue_take(pool)) != NULL) {
        lido__pool_used_add(pool, connection, &waiter->lease);
        waiter->given = connection;
    } else if (keep && !pool->closed && pool->open <= pool->config->pool_size) {
        connection->next = pool->idle;
        pool->idle = connection;
    } else if (keep) {
        closes = true;
    } else {
        connection->left = true;
    }
    pthread_mutex_unlock(&pool->lock);
    if (waiter != NULL)
        lido__waker_wake(&waiter->waker);
    if (gone)
        lido__pool_log_gone(pool);
    if (closes)
        close_in_slot(pool, connection, dead);
    close_all_dead_in_slots(pool, lost);
}

/* ---- Cancelling ---- */

static lido__connection *held_by(const lido__pool *pool, const void *holder) {
    lido__connection *at = pool->used;
    while (at != NULL && at->holder != holder)
        at = at->next;
    return at;
}

/* Under the lock: takes a waiter of this holder out of the queue, with its reason. */
static lido__pool_waiter *cancel_waiter(lido__pool *pool, const void *holder) {
    lido__pool_waiter *at = pool->oldest;
    while (at != NULL && at->lease.holder != holder)
        at = at->next;
    if (at == NULL)
        return NULL;
    lido__pool_queue_remove(pool, at);
    lido__fault(at->error, LIDO_ERROR_CANCELLED, "cancelled while waiting for a connection");
    return at;
}

void lido__pool_send_cancel(lido__pool *pool, lido__connection *connection, bool give_up) {
    pool->backend->cancel(connection, give_up);
    pthread_mutex_lock(&pool->lock);
    bool closes = --connection->cancels == 0 && connection->left;
    pthread_mutex_unlock(&pool->lock);
    if (closes)
        close_in_slot(pool, connection, is_dead(connection));
}

bool lido__pool_cancel(lido__pool *pool, const void *holder) {
    pthread_mutex_lock(&pool->lock);
    lido__connection *connection = held_by(pool, holder);
    lido__pool_waiter *waiter = connection == NULL ? cancel_waiter(pool, holder) : NULL;
    if (connection != NULL)
        connection->cancels++;
    pthread_mutex_unlock(&pool->lock);
    if (waiter != NULL)
        lido__waker_wake(&waiter->waker);
    if (connection == NULL)
        return waiter != NULL;
    lido__pool_send_cancel(pool, connection, false);
    return true;
}

/* ---- The end ---- */

void lido__pool_close(lido__pool *pool) {
    lido_error why = LIDO_ERROR_INIT;
    lido__fault(&why, LIDO_ERROR_MISUSE, "the engine was closed while a connection was waited for");
    pthread_mutex_lock(&pool->lock);
    lido__connection *idle = pool->idle;
    pool->closed = true;
    pool->idle = NULL;
    for (const lido__connection *at = idle; at != NULL; at = at->next)
        pool->open--;
    lido__pool_waiter *waiters = lido__pool_queue_fail(pool, &why);
    bool in_use = pool->used != NULL;
    pthread_mutex_unlock(&pool->lock);
    lido__pool_wake_all(waiters);
    while (idle != NULL) {
        lido__connection *next = idle->next;
        lido__pool_close_connection(pool, idle, false);
        idle = next;
    }
    /* Last: it may be opening a connection, and nobody else is to wait for that. As long as somebody uses one, it goes
     * on looking after deadlines; lido__pool_done stops it then. */
    if (!in_use)
        lido__pool_keeper_stop(pool);
}

/* ---- Fork ---- */

void lido__pool_before_fork(lido__pool *pool) {
    pthread_mutex_lock(&pool->lock);
}

void lido__pool_after_fork_in_parent(lido__pool *pool) {
    pthread_mutex_unlock(&pool->lock);
}

static void inherit(lido__pool *pool, lido__connection *first) {
    while (first != NULL) {
        lido__connection *next = first->next;
        if (pool->backend->disarm != NULL)
            pool->backend->disarm(first);
        first->next = pool->inherited;
        pool->inherited = first;
        first = next;
    }
}

/* Runs inside fork(), where little is allowed: moves pointers and disarms, no more. The waiters are threads that the
 * child does not have. */
void lido__pool_after_fork_in_child(lido__pool *pool) {
    inherit(pool, pool->idle);
    inherit(pool, pool->used);
    pool->idle = pool->used = NULL;
    pool->open = pool->waiting = 0;
    pool->oldest = pool->newest = NULL;
    pool->probing = pool->keeper_runs = false;
    pool->generation++;
    atomic_store_explicit(&pool->forked, true, memory_order_relaxed);
    pthread_mutex_unlock(&pool->lock);
}
