/* Opening connections: the slots they are opened in, and what happens while the server cannot be reached. */
#include "base/clock.h"
#include "base/fault.h"
#include "base/probe.h"
#include "base/random.h"
#include "core/pool.h"

enum {
    BACKOFF_MS = 50, /* after the first failure; doubled with each, up to: */
    BACKOFF_MOST_MS = 5000
};

/* ---- Slots, under the lock ---- */

bool lido__pool_has_room(const lido__pool *pool) {
    const lido__config *config = pool->config;
    return config->max_overflow < 0 || pool->open < config->pool_size + config->max_overflow;
}

bool lido__pool_may_try(lido__pool *pool) {
    if (pool->down && (pool->probing || lido__clock_now_us() < pool->down_until))
        return false;
    pool->probing = pool->down;
    return true;
}

bool lido__pool_take_slot(lido__pool *pool) {
    if (!lido__pool_has_room(pool) || !lido__pool_may_try(pool))
        return false;
    pool->open++;
    return true;
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

void lido__pool_slot_free(lido__pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->open--;
    lido__pool_waiter *granted = grant_slots(pool);
    pthread_mutex_unlock(&pool->lock);
    lido__pool_wake_all(granted);
}

/* ---- When it fails ---- */

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

/* Under the lock. What is heard during the pause comes from attempts that began before it: it is no new failure. */
static void go_down(lido__pool *pool, const lido_error *why) {
    int64_t now = lido__clock_now_us();
    if (!pool->down || now >= pool->down_until)
        pool->down_until = now + pause_us(++pool->failures);
    pool->down = true;
    pool->reason = *why;
}

/* Under the lock: who tried to open one has been told to stop, which says nothing of the server. The next is to try. */
static lido__pool_waiter *pass_slot_on(lido__pool *pool, bool probes) {
    lido__pool_waiter *waiter = probes ? lido__pool_queue_take(pool) : NULL;
    if (waiter != NULL) {
        waiter->may_open = true;
        return waiter;
    }
    pool->open--;
    pool->probing = pool->probing && !probes;
    return grant_slots(pool);
}

/* Everybody who waits hears at once what one of them has found out. `probes`: it was the prober, and not one who began
 * before the pool went down. */
static void opening_failed(lido__pool *pool, bool probes, const lido_error *why) {
    lido__pool_waiter *failed = NULL;
    pthread_mutex_lock(&pool->lock);
    bool was_down = pool->down;
    if (!lido__await_may_wait(NULL)) {
        failed = pass_slot_on(pool, probes);
        pthread_mutex_unlock(&pool->lock);
        lido__pool_wake_all(failed);
        return;
    }
    pool->open--;
    pool->stats.failed_connects++;
    lido__metrics_event(pool->metrics, LIDO__COUNT_FAILED_CONNECTS, 1);
    pool->probing = pool->probing && !probes;
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

/* ---- Opening ---- */

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
    lido__metrics_duration(pool->metrics, LIDO__DURATION_CONNECT, lido__clock_now_us() - began);
    connection->functions = &pool->head->functions;
    connection->waiting = &pool->waiting;
    pthread_mutex_lock(&pool->head->lock);
    connection->number = ++pool->head->stats.connects;
    pthread_mutex_unlock(&pool->head->lock);
    if (LIDO__PROBED(connect))
        LIDO__PROBE_3(connect, pool->config->display, connection->number, lido__clock_now_us() - began);
    if (lido__pool_let_in(pool, connection, lease, began, error))
        return connection;
    lido__pool_close_connection(pool, connection, false);
    return NULL;
}

/* Under the lock. False: memory ran out over its place. */
static bool put_in(lido__pool *pool, lido__connection *connection, const lido__lease *lease, bool watched) {
    if (!lido__places_add(&pool->places, connection))
        return false;
    lido__metrics_seat(pool->metrics, connection, pool != pool->head);
    connection->watched = watched && !pool->closed; /* who closes may be about to stop the keeper */
    atomic_store_explicit(&connection->wait_until, LIDO__NO_DEADLINE, memory_order_relaxed);
    pool->down = pool->probing = false;
    pool->failures = 0;
    lido__hold_begin(connection, lease);
    return true;
}

static lido__connection *has_no_place(lido__pool *pool, lido__connection *connection, bool probes, lido_error *error) {
    lido__pool_close_connection(pool, connection, false);
    lido__fault_memory(error, "opening a connection");
    opening_failed(pool, probes, error);
    return NULL;
}

/* While the pool is down, only the prober is given a slot. */
static bool is_prober(lido__pool *pool) {
    pthread_mutex_lock(&pool->lock);
    bool down = pool->down;
    pthread_mutex_unlock(&pool->lock);
    return down;
}

lido__connection *lido__pool_open_in_slot(lido__pool *pool, const lido__lease *lease, lido_error *error) {
    bool probes = is_prober(pool);
    uint64_t generation = pool->generation;
    void *database = NULL;
    lido__connection *connection = NULL;
    if (lido__pool_database(pool->head, &database, error))
        connection = open_one(pool, database, lease, error);
    if (connection == NULL) {
        opening_failed(pool, probes, error);
        return NULL;
    }
    bool watched = lido__pool_keeper_start(pool->head);
    connection->generation = generation; /* as it was before: what was lost meanwhile may be this one's server */
    connection->retire_at = retirement(pool->config);
    connection->idle_since = lido__clock_recent_us();
    pthread_mutex_lock(&pool->lock);
    bool was_down = pool->down;
    bool in = put_in(pool, connection, lease, watched);
    lido__pool_waiter *granted = in ? grant_slots(pool) : NULL;
    pthread_mutex_unlock(&pool->lock);
    lido__pool_wake_all(granted);
    if (!in)
        return has_no_place(pool, connection, probes, error);
    if (was_down)
        lido__pool_log_recovery(pool);
    if (pool->metrics != NULL)
        lido__metrics_use_begins(connection);
    return connection;
}
