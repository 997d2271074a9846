/* The list of engines, and what is done to them around a fork. */
#include "core/fork.h"

#include <pthread.h>

#include "await/await.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static lido_engine *engines;
static atomic_uint_fast64_t forks;

uint64_t lido__fork_count(void) {
    return atomic_load_explicit(&forks, memory_order_relaxed);
}

static bool is_used(const lido__backend *backend) {
    const lido_engine *at = engines;
    while (at != NULL && at->backend != backend)
        at = at->next;
    return at != NULL;
}

static void tell_backends(lido__fork_moment moment) {
    static const lido__backend *const all[] = {&lido__backend_sqlite, &lido__backend_postgres};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i]->around_fork != NULL && is_used(all[i]))
            all[i]->around_fork(moment);
}

static void tell_pools(lido_engine *engine, void (*tell)(lido__pool *pool)) {
    tell(&engine->pool);
    if (engine->backend->one_writer)
        tell(&engine->writer.pool);
    if (engine->lanes.used)
        tell(&engine->lanes.pool);
}

static void tell_lanes(void (*tell)(lido_engine *engine)) {
    for (lido_engine *at = engines; at != NULL; at = at->next)
        if (at->lanes.used)
            tell(at);
}

/* The backends' own locks come last: an engine may be taking them under its pool's. */
static void before_fork(void) {
    pthread_mutex_lock(&lock);
    for (lido_engine *at = engines; at != NULL; at = at->next)
        tell_pools(at, lido__pool_before_fork);
    tell_lanes(lido__lanes_before_fork);
    tell_backends(LIDO__BEFORE_FORK);
}

static void after_fork_in_parent(void) {
    tell_backends(LIDO__AFTER_FORK_IN_PARENT);
    tell_lanes(lido__lanes_after_fork_in_parent);
    for (lido_engine *at = engines; at != NULL; at = at->next)
        tell_pools(at, lido__pool_after_fork_in_parent);
    pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void) {
    atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
    lido__await_self_renew();
    tell_backends(LIDO__AFTER_FORK_IN_CHILD);
    tell_lanes(lido__lanes_after_fork_in_child);
    for (lido_engine *at = engines; at != NULL; at = at->next) {
        tell_pools(at, lido__pool_after_fork_in_child);
        lido__writer_forget(&at->writer);
    }
    pthread_mutex_unlock(&lock);
}

static void install(void) {
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

void lido__fork_prepare(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
}

void lido__fork_watch(lido_engine *engine) {
    lido__fork_prepare();
    pthread_mutex_lock(&lock);
    engine->previous = NULL;
    engine->next = engines;
    if (engines != NULL)
        engines->previous = engine;
    engines = engine;
    pthread_mutex_unlock(&lock);
}

void lido__fork_unwatch(lido_engine *engine) {
    pthread_mutex_lock(&lock);
    *(engine->previous != NULL ? &engine->previous->next : &engines) = engine->next;
    if (engine->next != NULL)
        engine->next->previous = engine->previous;
    pthread_mutex_unlock(&lock);
}
