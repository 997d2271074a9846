/* The monotonic clock. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

static _Atomic(lido__clock_function *) replacement;

int64_t lido__clock_now_us(void) {
    lido__clock_function *function = atomic_load_explicit(&replacement, memory_order_acquire);
    if (function != NULL)
        return function();
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t lido__deadline_in_ms(int64_t ms) {
    int64_t now = lido__clock_now_us();
    if (ms < 0 || ms > (LIDO__NO_DEADLINE - now) / 1000)
        return LIDO__NO_DEADLINE;
    return now + ms * 1000;
}

void lido__clock_replace(lido__clock_function *function) {
    atomic_store_explicit(&replacement, function, memory_order_release);
}
