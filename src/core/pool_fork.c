/* The pool and fork: what a child inherits it disarms at once, abandons at its first use of the pool, and never speaks
 * on. */
#include "core/pool.h"

/* The first use in a child. An in-memory database is the parent's, too, with locks that nobody here will release: the
 * child gets a new one. Attaching does not wait, so it may be done under the lock, which keeps others from the old
 * one. */
static bool start_in_child(lido__pool *pool, lido_error *error) {
    pthread_mutex_lock(&pool->lock);
    bool first = atomic_load(&pool->forked);
    if (first && pool == pool->head && pool->backend->attach != NULL)
        pool->database = pool->backend->attach(pool->config, error);
    if (first) /* made anew, not destroyed before: the parent's keeper sleeps on it, as far as this memory knows */
        lido__waker_init(&pool->keeper_waker);
    atomic_store(&pool->forked, error->status != LIDO_OK);
    pthread_mutex_unlock(&pool->lock);
    lido__pool_abandon_inherited(pool);
    return error->status == LIDO_OK;
}

bool lido__pool_is_started(lido__pool *pool, lido_error *error) {
    return !atomic_load_explicit(&pool->forked, memory_order_relaxed) || start_in_child(pool, error);
}

bool lido__pool_database(lido__pool *pool, void **database, lido_error *error) {
    if (!lido__pool_is_started(pool, error))
        return false;
    pthread_mutex_lock(&pool->lock);
    *database = pool->database;
    pthread_mutex_unlock(&pool->lock);
    return true;
}

void lido__pool_abandon_inherited(lido__pool *pool) {
    pthread_mutex_lock(&pool->lock);
    lido__connection *inherited = pool->inherited;
    pool->inherited = NULL;
    pthread_mutex_unlock(&pool->lock);
    while (inherited != NULL) {
        lido__connection *next = inherited->next;
        pool->backend->abandon(inherited);
        inherited = next;
    }
}

void lido__pool_before_fork(lido__pool *pool) {
    pthread_mutex_lock(&pool->lock);
}

void lido__pool_after_fork_in_parent(lido__pool *pool) {
    pthread_mutex_unlock(&pool->lock);
}

static void inherit(lido__pool *pool, lido__connection *connection) {
    lido__pool_take_out(pool, connection);
    if (pool->backend->disarm != NULL)
        pool->backend->disarm(connection);
    connection->next = pool->inherited;
    pool->inherited = connection;
}

/* Runs inside fork(), where little is allowed: moves pointers and disarms, no more. The waiters are threads that the
 * child does not have. */
void lido__pool_after_fork_in_child(lido__pool *pool) {
    unsigned at = 0;
    for (lido__connection *inherited; (inherited = lido__places_next(&pool->places, &at)) != NULL;)
        inherit(pool, inherited);
    lido__places_forget(&pool->places);
    atomic_store_explicit(&pool->open, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->waiting, 0, memory_order_relaxed);
    pool->oldest = pool->newest = NULL;
    pool->probing = pool->keeper_runs = false;
    lido__metrics_after_fork(pool);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_relaxed);
    atomic_store_explicit(&pool->forked, true, memory_order_relaxed);
    pthread_mutex_unlock(&pool->lock);
}
