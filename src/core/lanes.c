/* An engine's lanes: the pool of their connections, the groups of its loops, and cancels under way. */
#include <stdlib.h>

#include "await/await.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/engine.h"

enum { MANY = 10000, SEEN_OFF_MOST_MS = 5000 };

void lido__lanes_tell_why_not(lido_engine *engine, const char *reason) {
    if (!atomic_exchange(&engine->lanes.told_why_not, true))
        lido__log(LIDO_LOG_WARNING, "%s: its sessions get connections of the pool, for there are no lanes: %s",
                  engine->config.display, reason);
}

/* They come on top of the engine's own pool, and are as many as the loops have; who holds one for long does so by
 * intent. */
bool lido__lanes_init(lido_engine *engine) {
    lido__lanes *lanes = &engine->lanes;
    const lido__backend *backend = engine->backend;
    if (engine->config.lanes == 0 || backend->lanes == NULL)
        return true;
    const char *obstacle = backend->lanes->obstacle(&engine->config);
    if (obstacle != NULL) {
        lido__lanes_tell_why_not(engine, obstacle);
        return true;
    }
    lanes->config = engine->config;
    lanes->config.for_lanes = true;
    lanes->config.pool_size = MANY;
    lanes->config.max_overflow = lanes->config.pool_min_size = 0;
    lanes->config.pool_leak_after_ms = -1;
    if (pthread_mutex_init(&lanes->lock, NULL) != 0)
        return false;
    if (lido__pool_init_beside(&lanes->pool, &lanes->config, &engine->pool, false)) {
        lanes->used = true;
        return true;
    }
    pthread_mutex_destroy(&lanes->lock);
    return false;
}

void lido__lanes_done(lido__lanes *lanes) {
    if (!lanes->used)
        return;
    pthread_mutex_lock(&lanes->lock); /* who let go of the engine before this one may be about to unlock it */
    pthread_mutex_unlock(&lanes->lock);
    while (lanes->inherited != NULL) {
        lido__lane_group *next = lanes->inherited->next;
        lido__lane_group_free(lanes->inherited);
        lanes->inherited = next;
    }
    lido__pool_done(&lanes->pool);
    pthread_mutex_destroy(&lanes->lock);
}

/* Groups and cancels come and go under the lock together with their references to the engine, so that a fork in between
 * takes as many from the child as it finds. Only the last reference goes outside, for the lock goes with it: then
 * nobody in the child has the engine either. */
void lido__lanes_add_group(lido__lanes *lanes, lido__lane_group *group) {
    pthread_mutex_lock(&lanes->lock);
    lido__engine_hold(group->engine);
    group->next = lanes->groups;
    lanes->groups = group;
    pthread_mutex_unlock(&lanes->lock);
}

bool lido__lanes_remove_group(lido__lanes *lanes, lido__lane_group *group) {
    pthread_mutex_lock(&lanes->lock);
    lido__lane_group **link = &lanes->groups;
    while (*link != group)
        link = &(*link)->next;
    *link = group->next;
    bool last = !lido__engine_let_go_unless_last(group->engine);
    pthread_mutex_unlock(&lanes->lock);
    return last;
}

size_t lido__lanes_references(lido_engine *engine) {
    if (!engine->lanes.used)
        return 0;
    pthread_mutex_lock(&engine->lanes.lock);
    size_t count = engine->lanes.cancels;
    for (const lido__lane_group *at = engine->lanes.groups; at != NULL; at = at->next)
        count++;
    pthread_mutex_unlock(&engine->lanes.lock);
    return count;
}

size_t lido__lanes_cancels(lido__lanes *lanes) {
    if (!lanes->used)
        return 0;
    pthread_mutex_lock(&lanes->lock);
    size_t count = lanes->cancels;
    pthread_mutex_unlock(&lanes->lock);
    return count;
}

unsigned lido__lanes_aboard(lido__lanes *lanes) {
    unsigned count = 0;
    if (!lanes->used)
        return 0;
    pthread_mutex_lock(&lanes->lock);
    for (const lido__lane_group *at = lanes->groups; at != NULL; at = at->next)
        count += atomic_load_explicit(&at->aboard, memory_order_relaxed);
    pthread_mutex_unlock(&lanes->lock);
    return count;
}

void lido__lanes_cancel_all(lido__lanes *lanes) {
    if (!lanes->used)
        return;
    pthread_mutex_lock(&lanes->lock);
    for (lido__lane_group *at = lanes->groups; at != NULL; at = at->next) {
        atomic_store(&at->all_cancelled, true);
        lido__attendant_call(&at->attendant);
    }
    pthread_mutex_unlock(&lanes->lock);
}

/* Those of this thread's loops nobody else takes off the list; the others are there as long as the lock is held. */
static lido__lane_group *next_near(lido__lanes *lanes, const lido__lane_group *after) {
    pthread_mutex_lock(&lanes->lock);
    lido__lane_group *at = after == NULL ? lanes->groups : after->next;
    while (at != NULL && !lido__attendant_is_near(&at->attendant)) {
        lido__attendant_call(&at->attendant);
        at = at->next;
    }
    pthread_mutex_unlock(&lanes->lock);
    return at;
}

void lido__lanes_close(lido_engine *engine) {
    lido__lanes *lanes = &engine->lanes;
    if (!lanes->used)
        return;
    lido__pool_close(&lanes->pool);
    for (lido__lane_group *at = next_near(lanes, NULL), *next; at != NULL; at = next) {
        next = next_near(lanes, at);
        lido__lane_group_leave_if_done(at);
    }
}

/* ---- Cancels ---- */

static void let_go(void *argument) {
    lido__lane_cancel *cancel = argument;
    if (atomic_fetch_sub(&cancel->references, 1) == 1)
        free(cancel);
}

static void send_cancel(void *argument) {
    lido__lane_cancel *cancel = argument;
    lido_engine *engine = cancel->engine;
    lido__lanes *lanes = &engine->lanes;
    if (cancel->sees_off) {
        lanes->pool.backend->lanes->see_off(cancel->connection, lido__deadline_in_ms(SEEN_OFF_MOST_MS));
        lido__pool_cancel_sent(&lanes->pool, cancel->connection);
    } else {
        lido__pool_send_cancel(&lanes->pool, cancel->connection, false);
    }
    pthread_mutex_lock(&lanes->lock);
    lanes->cancels--;
    atomic_store(&cancel->sent, true);
    if (cancel->group != NULL)
        lido__attendant_call(&cancel->group->attendant);
    bool last = !lido__engine_let_go_unless_last(engine);
    pthread_mutex_unlock(&lanes->lock);
    if (last)
        lido__engine_let_go(engine);
}

/* Counts as cancelling it, so that the connection stays until that is over, whoever gives it back meanwhile. */
static bool count_in(lido__pool *pool, lido__connection *connection) {
    lido__holding holding;
    pthread_mutex_lock(&pool->lock);
    bool counted = lido__hold_read(connection, &holding) && lido__hold_cancel(connection, &holding);
    pthread_mutex_unlock(&pool->lock);
    return counted;
}

static lido__lane_cancel *begin_cancel(lido__lane_group *group, lido__connection *connection, bool sees_off) {
    lido__lanes *lanes = &group->engine->lanes;
    lido__lane_cancel *cancel = malloc(sizeof *cancel);
    if (cancel == NULL || !count_in(&lanes->pool, connection)) {
        free(cancel);
        return NULL;
    }
    *cancel =
        (lido__lane_cancel){.engine = group->engine, .connection = connection, .group = group, .sees_off = sees_off};
    atomic_init(&cancel->references, 2);
    pthread_mutex_lock(&lanes->lock);
    lido__engine_hold(cancel->engine);
    lanes->cancels++;
    pthread_mutex_unlock(&lanes->lock);
    const lido__wait sending = {
        .kind = LIDO__WAIT_WORK, .work = send_cancel, .dispose = let_go, .argument = cancel, .firm = true};
    if (lido__await(&sending, lido__clock_now_us()) == LIDO__AWAIT_READY)
        let_go(cancel);
    return cancel;
}

lido__lane_cancel *lido__lanes_cancel(lido__lane_group *group, lido__connection *connection) {
    return begin_cancel(group, connection, false);
}

void lido__lanes_see_off(lido__lane_group *group, lido__connection *connection) {
    lido__lane_cancel *cancel = begin_cancel(group, connection, true);
    if (cancel != NULL)
        lido__lanes_cancel_forget(&group->engine->lanes, cancel);
}

void lido__lanes_cancel_forget(lido__lanes *lanes, lido__lane_cancel *cancel) {
    pthread_mutex_lock(&lanes->lock);
    cancel->group = NULL;
    pthread_mutex_unlock(&lanes->lock);
    let_go(cancel);
}

/* ---- Around a fork ---- */

void lido__lanes_before_fork(lido_engine *engine) {
    pthread_mutex_lock(&engine->lanes.lock);
}

void lido__lanes_after_fork_in_parent(lido_engine *engine) {
    pthread_mutex_unlock(&engine->lanes.lock);
}

/* The loops are the parent's, and so are the threads that send cancels. */
void lido__lanes_after_fork_in_child(lido_engine *engine) {
    lido__lanes *lanes = &engine->lanes;
    size_t references = lanes->cancels;
    lido__lane_group **last = &lanes->groups;
    for (; *last != NULL; last = &(*last)->next)
        references++;
    *last = lanes->inherited;
    lanes->inherited = lanes->groups;
    lanes->groups = NULL;
    lanes->cancels = 0;
    atomic_fetch_sub_explicit(&engine->references, references, memory_order_relaxed);
    pthread_mutex_unlock(&lanes->lock);
}
