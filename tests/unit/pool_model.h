/* What the pool should do, simply told: one thread, no waiting, a clock that stands still between two steps. The test
 * of random schedules compares the two. */
#ifndef TESTS_UNIT_POOL_MODEL_H
#define TESTS_UNIT_POOL_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "support/scripted.h"

enum {
    HOLDERS = 6, /* two sessions of each of three threads */
    CONNECTIONS_MOST = 64,
    LOOK_AFTER_US = 1000,
    PING_AFTER_MS = 100
};

typedef enum fate { NOWHERE, IDLE, HELD, BEING_CANCELLED, INHERITED, CLOSED } fate;

/* One connection, by its number. */
typedef struct modelled {
    fate fate;
    lido__connection *real;
    int holder;
    int cancels;
    bool dead, gone, broken, server_gone;
    int64_t generation, idle_since, taken_at, retire_at;
} modelled;

typedef struct model {
    modelled connections[CONNECTIONS_MOST];
    int made;
    int idle[CONNECTIONS_MOST]; /* oldest first: the last is the next */
    int idle_count;
    int held_by[HOLDERS]; /* 0: none */
    int open, closed, abandoned, attempts, looks, pings;
    int64_t generation, down_until;
    bool down, deaf, forked, shut_down;
    int failures_to_come; /* 0 or 1 */
    lido_category failure;
    lido_pool_stats stats;
} model;

static model expected;

static inline modelled *connection_of(int number) {
    assert_in_range(number, 1, CONNECTIONS_MOST - 1);
    return &expected.connections[number];
}

static inline uint64_t owner_of(int holder) {
    return (uint64_t)holder / 2 + 1;
}

static inline bool has_room(void) {
    return config.max_overflow < 0 || expected.open < config.pool_size + config.max_overflow;
}

static inline bool may_try(void) {
    return !expected.down || lido__clock_now_us() >= expected.down_until;
}

static inline void model_close(int number) {
    connection_of(number)->fate = CLOSED;
    expected.closed++;
    expected.open--;
}

/* The server went: nothing that was opened before is used again. */
static inline void model_lose_server(void) {
    expected.generation++;
    expected.stats.invalidated += (uint64_t)expected.idle_count;
    while (expected.idle_count > 0)
        model_close(expected.idle[--expected.idle_count]);
}

static inline bool is_first_to_be_lost(const modelled *at) {
    return at->server_gone && at->generation == expected.generation;
}

static inline bool owner_has_all(int holder) {
    int held = 0;
    for (int i = 0; i < HOLDERS; i++) {
        held += expected.held_by[i] != 0;
        if (expected.held_by[i] != 0 && owner_of(i) != owner_of(holder))
            return false;
    }
    return held > 0 && held == expected.open && !has_room();
}

/* What happens to who cannot have one now; nobody waits, as pool_timeout is 0. */
static inline lido_category model_refuse(int holder) {
    if (config.pool_max_waiting == 0 || owner_has_all(holder))
        return LIDO_ERROR_POOL_EXHAUSTED;
    expected.stats.waits++;
    expected.stats.timeouts++;
    return expected.down ? pool.reason.category : LIDO_ERROR_POOL_EXHAUSTED;
}

static inline lido_category model_open(void) {
    expected.attempts++;
    if (expected.failures_to_come == 0)
        return LIDO_ERROR_NONE;
    expected.failures_to_come = 0;
    expected.stats.failed_connects++;
    expected.open--;
    expected.down = expected.down || expected.failure == LIDO_ERROR_DISCONNECTED;
    return expected.failure;
}

/* Whether the pool finds this idle one good; counts how it finds out. */
static inline bool model_is_fit(modelled *at) {
    int64_t idle = lido__clock_now_us() - at->idle_since;
    if (lido__clock_now_us() >= at->retire_at) {
        expected.stats.recycled++;
        return false;
    }
    if (idle < LOOK_AFTER_US)
        return true;
    expected.looks++;
    at->server_gone = at->gone;
    bool good = !at->dead && !at->gone;
    if (good && idle >= PING_AFTER_MS * 1000) {
        expected.pings++;
        good = !expected.deaf;
    }
    expected.stats.invalidated += !good;
    return good;
}

/* *number: of an idle one that is lent; 0: a new one is, or what it returns says why not. */
static inline lido_category model_acquire(int holder, int *number) {
    *number = 0;
    expected.stats.acquires++;
    if (expected.forked) {
        expected.forked = false;
        for (int i = 1; i <= expected.made; i++)
            if (connection_of(i)->fate == INHERITED) {
                connection_of(i)->fate = CLOSED;
                expected.abandoned++;
            }
    }
    while (!expected.shut_down && expected.idle_count > 0) {
        int next = expected.idle[--expected.idle_count];
        modelled *at = connection_of(next);
        if (model_is_fit(at)) {
            *number = next;
            return LIDO_ERROR_NONE;
        }
        if (is_first_to_be_lost(at))
            model_lose_server();
        model_close(next);
        if (may_try()) {
            expected.open++;
            return model_open();
        }
    }
    if (expected.shut_down)
        return LIDO_ERROR_MISUSE;
    if (!has_room() || !may_try())
        return model_refuse(holder);
    expected.open++;
    return model_open();
}

static inline bool model_can_keep(const modelled *at) {
    if (at->broken || at->server_gone || at->cancels > 0)
        return false;
    if (at->generation != expected.generation) {
        expected.stats.invalidated++;
        return false;
    }
    if (at->idle_since >= at->retire_at) {
        expected.stats.recycled++;
        return false;
    }
    return !expected.shut_down && expected.open <= config.pool_size;
}

static inline void model_release(int number) {
    modelled *at = connection_of(number);
    expected.held_by[at->holder] = 0;
    at->idle_since = lido__clock_now_us();
    expected.stats.use_us += at->idle_since - at->taken_at;
    if (is_first_to_be_lost(at))
        model_lose_server();
    if (model_can_keep(at)) {
        at->fate = IDLE;
        expected.idle[expected.idle_count++] = number;
    } else if (at->cancels > 0) {
        at->fate = BEING_CANCELLED;
    } else {
        model_close(number);
    }
}

#endif
