/* A pool whose keeper runs by the test's clock, which stands still but for what the test lets pass; and waiting for
 * what it does. */
#ifndef TESTS_UNIT_KEPT_POOL_H
#define TESTS_UNIT_KEPT_POOL_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fault.h"
#include "support/scripted.h"

/* Longer than the pause between two of its rounds, at the shortest; the tests set a limit that makes it so. */
enum { ROUND_MS = 10, QUICK_MS = 40 };

static int expected_open;
static int expected_in_use;
static uint64_t expected_recycled;
static int expected_cancels;

/* Time passes while these wait for what the keeper does: by the test's clock, and as fast as the keeper's thread comes
 * to run. None of them is true in the middle of something: while a connection is opened, closed or cancelled. */
static inline bool open_as_expected(void) {
    time_passes_ms(ROUND_MS);
    lido_pool_stats stats = stats_now();
    return stats.open == expected_open && stats.in_use == expected_in_use &&
           stats.idle == expected_open - expected_in_use;
}

static inline bool recycled_as_expected(void) {
    time_passes_ms(ROUND_MS);
    return stats_now().recycled == expected_recycled;
}

static inline int cancels_now(void) {
    pthread_mutex_lock(&database.lock);
    int cancels = database.cancels;
    pthread_mutex_unlock(&database.lock);
    return cancels;
}

static inline bool anything_is_being_cancelled(void) {
    bool found = false;
    unsigned place = 0;
    pthread_mutex_lock(&pool.lock);
    for (const lido__connection *at; (at = lido__places_next(&pool.places, &place)) != NULL;)
        found = found || lido__hold_cancels(at) > 0;
    pthread_mutex_unlock(&pool.lock);
    return found;
}

static inline bool cancelled_as_expected(void) {
    time_passes_ms(1);
    return cancels_now() == expected_cancels && !anything_is_being_cancelled();
}

static inline bool is_opening(void) {
    time_passes_ms(ROUND_MS);
    pthread_mutex_lock(&database.lock);
    bool opening = database.opening > 0;
    pthread_mutex_unlock(&database.lock);
    return opening;
}

static inline bool soon_open(int count, int in_use) {
    expected_open = count;
    expected_in_use = in_use;
    return soon(open_as_expected);
}

static inline bool soon_cancelled(int count) {
    expected_cancels = count;
    return soon(cancelled_as_expected);
}

static inline void begin_to_wait_until(lido__connection *connection, int64_t moment) {
    atomic_store(&connection->wait_until, moment);
}

/* Returns when the keeper has been round twice at least: in each round it cancels what is late, after the rest. */
static inline void let_rounds_pass(lido__connection *held) {
    for (int i = 0; i < 2; i++) {
        begin_to_wait_until(held, lido__clock_now_us());
        assert_true(soon_cancelled(cancels_now() + 1));
        begin_to_wait_until(held, LIDO__NO_DEADLINE);
    }
}

/* While the keeper runs: how many are to be open from now on. */
static inline void set_min_size(int size) {
    pthread_mutex_lock(&pool.lock);
    config.pool_min_size = size;
    pthread_mutex_unlock(&pool.lock);
}

static inline void make_kept_pool(int size, int overflow) {
    time_stands_still();
    config.pool_leak_after_ms = QUICK_MS; /* its shortest limit sets the keeper's pace */
    make_pool(size, overflow);
}

#endif
