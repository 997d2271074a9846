/* The seam, and its blocking side: a plain thread that waits, blocks. The task's side is task_wait.c. */
#include "await/await.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <time.h>

#include "await/loop.h"
#include "await/offload.h"
#include "await/spin.h"
#include "base/clock.h"
#include "base/fault.h"

_Thread_local lido__here lido__here_now;

uint64_t lido__await_number(void) {
    static atomic_uint_fast64_t last;
    return atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

uint64_t lido__await_self_first(void) {
    return lido__here_now.self = lido__await_number();
}

void lido__await_self_renew(void) {
    lido__here_now = (lido__here){.self = 0};
    lido__offload_renew();
    lido__spin_renew();
}

/* ---- What holds where ---- */

static bool is_late(const lido_task *task) {
    return task->deadline != LIDO__NO_DEADLINE && lido__clock_now_us() >= task->deadline;
}

static bool refuse_loop_thread(lido_error *error) {
    lido__fault(error, LIDO_ERROR_MISUSE, "this is a loop's thread, outside any task: all of the loop would wait");
    lido__fault_hint(error, "call it in a task: lido_spawn, or lido_submit");
    return false;
}

bool lido__await_may_wait_here(lido_error *error) {
    const lido_task *task = lido__here_now.task;
    if (task == NULL)
        return lido__here_now.loops == 0 || refuse_loop_thread(error);
    if (task->firm > 0)
        return true;
    if (atomic_load_explicit(&task->cancelled, memory_order_relaxed))
        return lido__fault(error, LIDO_ERROR_CANCELLED, "the task was cancelled");
    return !is_late(task) || lido__fault(error, LIDO_ERROR_TIMEOUT, "the task's deadline has passed");
}

int64_t lido__await_deadline_here(int64_t deadline) {
    const lido_task *task = lido__here_now.task;
    return task->firm == 0 && task->deadline < deadline ? task->deadline : deadline;
}

void lido__await_firm_begin(void) {
    if (lido__here_now.task != NULL)
        lido__here_now.task->firm++;
}

void lido__await_firm_end(void) {
    if (lido__here_now.task != NULL)
        lido__here_now.task->firm--;
}

lido__await_outcome lido__await_yield(void) {
    lido_task *task = lido__here_now.task;
    if (task == NULL)
        return LIDO__AWAIT_READY;
    task->loop->in_haste = true;
    lido__task_yield(task);
    if (task->firm > 0)
        return LIDO__AWAIT_READY;
    if (atomic_load_explicit(&task->cancelled, memory_order_relaxed))
        return LIDO__AWAIT_CANCELLED;
    return is_late(task) ? LIDO__AWAIT_TIMED_OUT : LIDO__AWAIT_READY;
}

void lido__await_hold(lido__held *held, void (*leave)(lido__held *held)) {
    lido_task *task = lido__here_now.task;
    *held = (lido__held){.leave = leave};
    if (task == NULL)
        return;
    held->next = task->held;
    held->link = &task->held;
    if (held->next != NULL)
        held->next->link = &held->next;
    task->held = held;
}

void lido__await_let_go(lido__held *held) {
    if (held->link == NULL)
        return;
    *held->link = held->next;
    if (held->next != NULL)
        held->next->link = held->link;
    held->link = NULL;
}

/* ---- Blocking ---- */

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
    if (lido__here_now.task != NULL)
        return lido__task_await(lido__here_now.task, wait, deadline);
    if (lido__here_now.loops > 0 && !wait->firm)
        return LIDO__AWAIT_REFUSED;
    switch (wait->kind) {
    case LIDO__WAIT_DESCRIPTOR:
        if (wait->spin != NULL && wait->spin->most_us > 0 && !wait->write)
            return lido__spin_or_sleep(wait, deadline, block_on_descriptor);
        return block_on_descriptor(wait, deadline);
    case LIDO__WAIT_MOMENT:
        return block_until(deadline);
    case LIDO__WAIT_WAKER:
        return block_on_waker(wait->waker, deadline);
    case LIDO__WAIT_NEAR:
        break;
    case LIDO__WAIT_WORK:
        return lido__offload(wait, deadline);
    case LIDO__WAIT_CALL:
        wait->call(wait->argument, 1);
        return LIDO__AWAIT_READY;
    }
    return LIDO__AWAIT_FAILED;
}

/* ---- Wakers ---- */

bool lido__waker_init(lido__waker *waker) {
    pthread_condattr_t monotonic;
    waker->woken = false;
    waker->task = NULL;
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

/* A task hears of it outside the lock: it does not go on before it has, so it is still there. */
void lido__waker_wake(lido__waker *waker) {
    pthread_mutex_lock(&waker->lock);
    lido_task *task = waker->woken ? NULL : waker->task;
    waker->woken = true;
    /* Signalled under the lock: the waiter may destroy the waker as soon as it has the lock again. */
    pthread_cond_signal(&waker->condition);
    pthread_mutex_unlock(&waker->lock);
    if (task != NULL)
        lido__task_wake(task);
}

bool lido__waker_expect(lido__waker *waker, lido_task *task) {
    pthread_mutex_lock(&waker->lock);
    bool woken = waker->woken;
    waker->task = woken ? NULL : task;
    pthread_mutex_unlock(&waker->lock);
    return !woken;
}

bool lido__waker_expect_no_more(lido__waker *waker) {
    pthread_mutex_lock(&waker->lock);
    bool woken = waker->woken;
    waker->task = NULL;
    pthread_mutex_unlock(&waker->lock);
    return woken;
}
