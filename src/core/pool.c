/* Lending connections: taking one, giving it back, and what happens to those that are not used again. */
#include "core/pool.h"

#include "base/clock.h"
#include "base/fault.h"

enum {
    /* A connection used since about the last tick is not looked at: the look would cost more than it saves. */
    LOOK_AFTER_US = 1000,
    PING_MOST_MS = 2000,
    /* Some two microseconds; a thread put to sleep and woken costs twenty times that. */
    LOOKS_BEFORE_QUEUE = 40,
    LOOKS_PAY_MOST = 16
};

static bool pool_make(lido__pool *pool, const lido__config *config, const lido__backend *backend, lido__pool *head) {
    *pool = (lido__pool){.config = config, .backend = backend, .head = head, .looks_pay = LOOKS_PAY_MOST};
    if (pthread_mutex_init(&pool->lock, NULL) != 0)
        return false;
    if (lido__waker_init(&pool->keeper_waker))
        return true;
    pthread_mutex_destroy(&pool->lock);
    return false;
}

bool lido__pool_init(lido__pool *pool, const lido__config *config, const lido__backend *backend, void *database) {
    bool made = pool_make(pool, config, backend, pool);
    pool->database = database;
    return made;
}

bool lido__pool_init_beside(lido__pool *pool, const lido__config *config, lido__pool *head, bool lends_ticket) {
    bool made = pool_make(pool, config, head->backend, head);
    pool->lends_ticket = lends_ticket;
    pool->metrics = head->metrics;
    if (made)
        head->beside = pool;
    return made;
}

void lido__pool_done(lido__pool *pool) {
    lido__pool_keeper_stop(pool);
    lido__pool_abandon_inherited(pool);
    lido__places_done(&pool->places);
    if (!atomic_load(&pool->forked)) /* see start_in_child */
        lido__waker_done(&pool->keeper_waker);
    pthread_mutex_destroy(&pool->lock);
}

/* ---- What is not used again ---- */

void lido__pool_take_out(lido__pool *pool, lido__connection *connection) {
    lido__places_remove(&pool->places, connection);
    pool->stats.acquires += connection->uses;
    pool->stats.use_us += connection->use_us;
}

lido__connection *lido__pool_clear_idle(lido__pool *pool) {
    lido__connection *idle = lido__places_take_all(&pool->places);
    for (lido__connection *at = idle; at != NULL; at = at->next)
        lido__pool_take_out(pool, at);
    return idle;
}

void lido__pool_close_in_slot(lido__pool *pool, lido__connection *connection, bool dead) {
    lido__pool_close_connection(pool, connection, dead);
    lido__pool_slot_free(pool);
}

void lido__pool_close_all_in_slots(lido__pool *pool, lido__connection *first) {
    while (first != NULL) {
        lido__connection *next = first->next;
        lido__pool_close_in_slot(pool, first, first->generation != pool->generation);
        first = next;
    }
}

void lido__pool_count_recycled(lido__pool *pool, bool one) {
    pool->stats.recycled += one;
    lido__metrics_event(pool->metrics, LIDO__COUNT_RECYCLED, one);
}

static void count_invalidated(lido__pool *pool, bool one) {
    pool->stats.invalidated += one;
    lido__metrics_event(pool->metrics, LIDO__COUNT_INVALIDATED, one);
}

/* Under the lock. Whether its server went, and nobody has said so yet. */
static bool is_first_to_be_lost(const lido__pool *pool, const lido__connection *connection) {
    return connection->server_gone && connection->generation == pool->generation;
}

/* Under the lock. The idle ones of a generation that is over, to be closed outside it. */
static lido__connection *invalidate(lido__pool *pool) {
    pool->generation++;
    lido__connection *idle = lido__pool_clear_idle(pool);
    for (const lido__connection *at = idle; at != NULL; at = at->next)
        count_invalidated(pool, true);
    return idle;
}

/* ---- Taking ---- */

/* Without the lock, unless somebody waits, who must not be overtaken. */
static lido__connection *take_idle(lido__pool *pool, const lido__lease *lease) {
    if (atomic_load(&pool->waiting) > 0 || atomic_load_explicit(&pool->closed, memory_order_relaxed))
        return NULL;
    lido__connection *connection = lido__places_pop(&pool->places);
    if (connection == NULL)
        return NULL;
    uint64_t uses = atomic_load_explicit(&connection->uses, memory_order_relaxed);
    atomic_store_explicit(&connection->uses, uses + 1, memory_order_relaxed); /* nobody else writes it now */
    lido__hold_begin(connection, lease);
    lido__metrics_count(connection, LIDO__COUNT_AT_ONCE);
    return connection;
}

/* One that comes back within a microsecond or two spares a thread's sleep; where that has not been so, it is tried
 * rarely. */
static lido__connection *look_again(lido__pool *pool, const lido__lease *lease) {
    int pay = atomic_load_explicit(&pool->looks_pay, memory_order_relaxed);
    atomic_store_explicit(&pool->looks_pay, pay > -LOOKS_PAY_MOST ? pay - 1 : 1, memory_order_relaxed);
    if (pay <= 0)
        return NULL;
    for (int i = 0; i < LOOKS_BEFORE_QUEUE; i++) {
        lido__connection *connection = lido__places_has_idle(&pool->places) ? take_idle(pool, lease) : NULL;
        if (connection != NULL) {
            atomic_store_explicit(&pool->looks_pay, LOOKS_PAY_MOST, memory_order_relaxed);
            return connection;
        }
        lido__await_pause();
    }
    return NULL;
}

static bool is_full(const lido__pool *pool) {
    const lido__config *config = pool->config;
    return config->max_overflow >= 0 &&
           atomic_load_explicit(&pool->open, memory_order_relaxed) >= config->pool_size + config->max_overflow;
}

/* A connection that is idle by now or is handed over; or the right to open one in *may_open. */
static lido__connection *take_or_wait(lido__pool *pool, const lido__lease *lease, bool *may_open, lido_error *error) {
    lido__connection *connection = NULL;
    *may_open = false;
    pthread_mutex_lock(&pool->lock);
    pool->stats.acquires++;
    if (pool->closed && !lease->began) {
        lido__fault(error, LIDO_ERROR_MISUSE, "the engine is closed");
        lido__fault_hint(error, "end all transactions before lido_engine_close");
    } else if (pool->waiting == 0 && (connection = lido__places_pop(&pool->places)) != NULL) {
        lido__hold_begin(connection, lease);
        lido__metrics_count(connection, LIDO__COUNT_AT_ONCE);
    } else if (lido__pool_take_slot(pool)) {
        *may_open = true;
        lido__metrics_count_apart(pool->metrics, LIDO__COUNT_AT_ONCE);
    } else {
        return lido__pool_wait(pool, lease, may_open, error);
    }
    pthread_mutex_unlock(&pool->lock);
    return connection;
}

typedef enum fitness { FIT, TOO_OLD, DEAD } fitness;

static fitness fitness_of(const lido__pool *pool, lido__connection *connection) {
    const lido__config *config = pool->config;
    int64_t now = atomic_load_explicit(&connection->holder.since, memory_order_relaxed); /* just now */
    int64_t idle = now - connection->idle_since;
    if (connection->in_transaction) /* a group's, handed on */
        return FIT;
    if (connection->doubted)
        return pool->backend->ping(connection, lido__deadline_in_ms(PING_MOST_MS)) ? FIT : DEAD;
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
    if (why == TOO_OLD)
        lido__pool_count_recycled(pool, true);
    else
        count_invalidated(pool, true);
    bool gone = is_first_to_be_lost(pool, unfit);
    bool cancelled = unfit->left = lido__hold_end_anyway(unfit) > 0;
    if (!cancelled)
        lido__pool_take_out(pool, unfit);
    lido__connection *lost = gone ? invalidate(pool) : NULL;
    bool may_open = !cancelled && lido__pool_may_try(pool);
    if (!cancelled && !may_open)
        pool->stats.acquires--; /* or it would be counted twice */
    pthread_mutex_unlock(&pool->lock);
    if (gone)
        lido__pool_log_gone(pool);
    lido__pool_close_all_in_slots(pool, lost);
    if (cancelled)
        return lido__fault(error, LIDO_ERROR_CANCELLED, "cancelled while a connection was looked at");
    lido__pool_close_connection(pool, unfit, why == DEAD);
    if (!may_open)
        lido__pool_slot_free(pool);
    return may_open;
}

lido__connection *lido__pool_acquire(lido__pool *pool, const lido__lease *lease, lido_error *error) {
    bool may_open;
    if (!lido__pool_is_started(pool, error))
        return NULL;
    do {
        fitness fit;
        lido__connection *connection = take_idle(pool, lease);
        if (connection == NULL && is_full(pool))
            connection = look_again(pool, lease);
        if (connection == NULL)
            connection = take_or_wait(pool, lease, &may_open, error);
        if (connection == NULL)
            break;
        if ((fit = fitness_of(pool, connection)) == FIT) {
            if (pool->metrics != NULL)
                lido__metrics_use_begins(connection);
            return connection;
        }
        may_open = discard(pool, connection, fit, error);
    } while (!may_open && error->status == LIDO_OK);
    return may_open ? lido__pool_open_in_slot(pool, lease, error) : NULL;
}

/* ---- Giving back ---- */

static bool is_usable(const lido__connection *connection) {
    return !connection->broken && !connection->server_gone && !connection->in_transaction;
}

/* Whether a connection can be put back without the lock: nothing is to be decided. What changes meanwhile is seen
 * afterwards. */
static bool is_plain_return(const lido__pool *pool, const lido__connection *connection) {
    return is_usable(connection) && connection->idle_since < connection->retire_at &&
           connection->generation == atomic_load_explicit(&pool->generation, memory_order_relaxed) &&
           atomic_load_explicit(&pool->open, memory_order_relaxed) <= pool->config->pool_size &&
           atomic_load_explicit(&pool->waiting, memory_order_relaxed) == 0 &&
           !atomic_load_explicit(&pool->closed, memory_order_relaxed);
}

static bool needs_settling(lido__pool *pool, uint64_t generation) {
    return atomic_load(&pool->waiting) > 0 || atomic_load_explicit(&pool->closed, memory_order_relaxed) ||
           atomic_load_explicit(&pool->generation, memory_order_relaxed) != generation;
}

void lido__pool_settle(lido__pool *pool) {
    lido__connection *kept = NULL;
    lido__connection *lost = NULL;
    lido__pool_waiter *served = NULL;
    pthread_mutex_lock(&pool->lock);
    lido__connection *next = lido__places_take_all(&pool->places);
    for (lido__connection *at = next; at != NULL; at = next) {
        lido__pool_waiter *waiter;
        next = at->next;
        if (pool->closed || at->generation != pool->generation) {
            count_invalidated(pool, at->generation != pool->generation);
            lido__pool_take_out(pool, at);
            at->next = lost;
            lost = at;
        } else if ((waiter = lido__pool_queue_take(pool)) != NULL) {
            lido__hold_begin(at, &waiter->lease);
            waiter->given = at;
            waiter->next = served;
            served = waiter;
        } else { /* turned round here, and again by being pushed */
            at->next = kept;
            kept = at;
        }
    }
    for (; kept != NULL; kept = next) {
        next = kept->next;
        lido__places_push(&pool->places, kept);
    }
    pthread_mutex_unlock(&pool->lock);
    lido__pool_wake_all(served);
    lido__pool_close_all_in_slots(pool, lost);
}

/* Under the lock. Whether one that came back can be used again; counts why not. */
static bool fit_to_keep(lido__pool *pool, const lido__connection *connection) {
    if (!is_usable(connection))
        return false;
    bool lost = connection->generation != pool->generation;
    bool old = !lost && connection->idle_since >= connection->retire_at;
    count_invalidated(pool, lost);
    lido__pool_count_recycled(pool, old);
    return !lost && !old;
}

/* Where something is to be decided: who gets it, or whether it is closed. */
static void give_back(lido__pool *pool, lido__connection *connection) {
    lido__connection *lost = NULL;
    lido__pool_waiter *waiter = NULL;
    pthread_mutex_lock(&pool->lock);
    connection->left = lido__hold_end_anyway(connection) > 0;
    bool left = connection->left;
    bool gone = is_first_to_be_lost(pool, connection);
    if (gone)
        lost = invalidate(pool);
    bool dead = connection->broken || connection->server_gone || connection->generation != pool->generation;
    bool keep = !left && fit_to_keep(pool, connection);
    bool closes = !left && !keep;
    if (keep && (waiter = lido__pool_queue_take(pool)) != NULL) {
        lido__hold_begin(connection, &waiter->lease);
        waiter->given = connection;
    } else if (keep && !pool->closed && pool->open <= pool->config->pool_size) {
        lido__places_push(&pool->places, connection);
    } else if (keep) {
        closes = true;
    }
    if (closes)
        lido__pool_take_out(pool, connection);
    pthread_mutex_unlock(&pool->lock);
    if (waiter != NULL)
        lido__waker_wake(&waiter->waker);
    if (gone)
        lido__pool_log_gone(pool);
    if (closes)
        lido__pool_close_in_slot(pool, connection, dead);
    lido__pool_close_all_in_slots(pool, lost);
}

void lido__pool_release(lido__pool *pool, lido__connection *connection) {
    uint64_t generation = connection->generation;
    int64_t now = lido__clock_recent_us();
    int64_t held_us = now - atomic_load_explicit(&connection->holder.since, memory_order_relaxed);
    int64_t use_us = atomic_load_explicit(&connection->use_us, memory_order_relaxed);
    atomic_store_explicit(&connection->use_us, use_us + held_us, memory_order_relaxed);
    connection->idle_since = now;
    if (pool->metrics != NULL)
        lido__metrics_use_ends(pool->metrics, connection, held_us);
    if (!is_plain_return(pool, connection) || !lido__hold_end(connection)) {
        give_back(pool, connection);
        return;
    }
    lido__places_push(&pool->places, connection); /* from here on it may be anybody's, or closed */
    if (needs_settling(pool, generation))
        lido__pool_settle(pool);
}

/* ---- The end ---- */

/* Under the lock, when none is idle. */
static bool anybody_holds_one(const lido__pool *pool) {
    unsigned place = 0;
    for (const lido__connection *at; (at = lido__places_next(&pool->places, &place)) != NULL;)
        if (!at->left)
            return true;
    return false;
}

void lido__pool_close(lido__pool *pool) {
    lido_error why = LIDO_ERROR_INIT;
    lido__fault(&why, LIDO_ERROR_MISUSE, "the engine was closed while a connection was waited for");
    pthread_mutex_lock(&pool->lock);
    pool->closed = true;
    lido__connection *idle = lido__pool_clear_idle(pool);
    for (const lido__connection *at = idle; at != NULL; at = at->next)
        pool->open--;
    lido__pool_waiter *waiters = lido__pool_queue_fail(pool, &why);
    bool in_use = anybody_holds_one(pool);
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
