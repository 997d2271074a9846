/* The blocking side of the seam: a plain thread that waits, blocks. */
#include "await/await.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <time.h>

#include "await/offload.h"
#include "base/clock.h"

static _Thread_local uint64_t self;

uint64_t lido__await_self(void) {
    static atomic_uint_fast64_t last;
    if (self == 0)
        self = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
    return self;
}

void lido__await_self_renew(void) {
    self = 0;
}

/* Milliseconds until the deadline for poll(), rounded up so that it does not wake too early; -1: no deadline. */
static int poll_timeout(int64_t deadline) {
    if (deadline == LIDO__NO_DEADLINE)
        return -1;
    int64_t left = deadline - lido__clock_now_us();
    if (left <= 0)
        return 0;
    int64_t milliseconds = left / 1000 + 1;
    return milliseconds > INT_MAX ? INT_MAX : (int)milliseconds;
}

static lido__await_outcome block_on_descriptor(const lido__wait *wait, int64_t deadline) {
    struct pollfd poll_on = {.fd = wait->descriptor};
    poll_on.events = (short)((wait->read ? POLLIN : 0) | (wait->write ? POLLOUT : 0));
    for (;;) {
        int timeout = poll_timeout(deadline);
        int ready = poll(&poll_on, 1, timeout);
        if (ready > 0)
            return (poll_on.revents & POLLNVAL) != 0 ? LIDO__AWAIT_FAILED : LIDO__AWAIT_READY;
        if (ready < 0 && errno != EINTR)
            return LIDO__AWAIT_FAILED;
        if (timeout == 0)
            return LIDO__AWAIT_TIMED_OUT;
    }
}

static struct timespec timespec_after(int64_t microseconds) {
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    moment.tv_sec += (time_t)(microseconds / 1000000);
    moment.tv_nsec += (long)(microseconds % 1000000) * 1000;
    if (moment.tv_nsec >= 1000000000) {
        moment.tv_nsec -= 1000000000;
        moment.tv_sec++;
    }
    return moment;
}

static lido__await_outcome block_until(int64_t deadline) {
    int64_t left;
    while ((left = deadline - lido__clock_now_us()) > 0) {
        struct timespec moment = timespec_after(left);
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, NULL);
    }
    return LIDO__AWAIT_TIMED_OUT;
}

static lido__await_outcome block_on_waker(lido__waker *waker, int64_t deadline) {
    lido__await_outcome outcome = LIDO__AWAIT_READY;
    pthread_mutex_lock(&waker->lock);
    while (!waker->woken && outcome == LIDO__AWAIT_READY) {
        if (deadline == LIDO__NO_DEADLINE) {
            pthread_cond_wait(&waker->condition, &waker->lock);
            continue;
        }
        int64_t left = deadline - lido__clock_now_us();
        if (left <= 0) {
            outcome = LIDO__AWAIT_TIMED_OUT;
        } else {
            struct timespec moment = timespec_after(left);
            pthread_cond_timedwait(&waker->condition, &waker->lock, &moment);
        }
    }
    if (waker->woken)
        outcome = LIDO__AWAIT_READY;
    pthread_mutex_unlock(&waker->lock);
    return outcome;
}

lido__await_outcome lido__await(const lido__wait *wait, int64_t deadline) {
    switch (wait->kind) {
    case LIDO__WAIT_DESCRIPTOR:
        return block_on_descriptor(wait, deadline);
    case LIDO__WAIT_MOMENT:
        return block_until(deadline);
    case LIDO__WAIT_WAKER:
        return block_on_waker(wait->waker, deadline);
    case LIDO__WAIT_WORK:
        return lido__offload(wait, deadline);
    }
    return LIDO__AWAIT_FAILED;
}

bool lido__waker_init(lido__waker *waker) {
    pthread_condattr_t monotonic;
    waker->woken = false;
    if (pthread_condattr_init(&monotonic) != 0)
        return false;
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    bool made = pthread_cond_init(&waker->condition, &monotonic) == 0;
    pthread_condattr_destroy(&monotonic);
    if (made && pthread_mutex_init(&waker->lock, NULL) != 0) {
        pthread_cond_destroy(&waker->condition);
        made = false;
    }
    return made;
}

void lido__waker_done(lido__waker *waker) {
    pthread_mutex_destroy(&waker->lock);
    pthread_cond_destroy(&waker->condition);
}

void lido__waker_wake(lido__waker *waker) {
    pthread_mutex_lock(&waker->lock);
    waker->woken = true;
    /* Signalled under the lock: the waiter may destroy the waker as soon as it has the lock again. */
    pthread_cond_signal(&waker->condition);
    pthread_mutex_unlock(&waker->lock);
}
