/* The monotonic clock. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

static _Atomic(lido__clock_function *) replacement;

enum { TICK_MOST_US = 10000 }; /* CONFIG_HZ=100 has the longest */

static int64_t read_clock(clockid_t clock) {
    lido__clock_function *function = atomic_load_explicit(&replacement, memory_order_acquire);
    if (function != NULL)
        return function();
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t lido__clock_now_us(void) {
    return read_clock(CLOCK_MONOTONIC);
}

int64_t lido__clock_now_ns(void) {
    lido__clock_function *function = atomic_load_explicit(&replacement, memory_order_acquire);
    if (function != NULL)
        return function() * 1000;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t lido__clock_recent_us(void) {
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

static int64_t deadline_after(int64_t now, int64_t ms) {
    if (ms < 0 || ms > (LIDO__NO_DEADLINE - now) / 1000)
        return LIDO__NO_DEADLINE;
    return now + ms * 1000;
}

int64_t lido__deadline_in_ms(int64_t ms) {
    return deadline_after(lido__clock_now_us(), ms);
}

int64_t lido__deadline_after_ms(int64_t moment, int64_t ms) {
    return deadline_after(moment + TICK_MOST_US, ms);
}

int64_t lido__deadline_about_ms(int64_t ms) {
    return lido__deadline_after_ms(lido__clock_recent_us(), ms);
}

void lido__clock_replace(lido__clock_function *function) {
    atomic_store_explicit(&replacement, function, memory_order_release);
}
