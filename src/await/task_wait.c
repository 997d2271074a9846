/* Waiting in a task: it is parked, and the loop goes on with others until what it waits for has come.
 *
 * Whatever ends a wait puts the task into the loop's queue once; by the time it runs, other ends may have come, too. So
 * each wait undoes, after it, what it had set up. */
#include "await/loop.h"
#include "await/offload.h"
#include "base/clock.h"

static bool is_cancelled(const lido_task *task) {
    return atomic_load_explicit(&task->cancelled, memory_order_relaxed);
}

/* Until somebody makes it ready, until the deadline, or until it is cancelled; the last two and the task's own deadline
 * do not end a firm wait. */
static lido__await_outcome park(lido_task *task, int64_t deadline, bool firm) {
    lido_loop *loop = task->loop;
    if (!firm && is_cancelled(task))
        return LIDO__AWAIT_CANCELLED;
    if (!firm && task->deadline < deadline)
        deadline = task->deadline;
    task->state = LIDO__TASK_PARKED;
    task->firm_wait = firm;
    if (deadline != LIDO__NO_DEADLINE)
        lido__timer_set(&loop->timers, &task->timer, deadline);
    lido__coroutine_switch(task->running, &loop->main);
    lido__timer_unset(&loop->timers, &task->timer);
    return task->outcome;
}

void lido__task_yield(lido_task *task) {
    task->state = LIDO__TASK_PARKED;
    lido__loop_make_ready(task, LIDO__AWAIT_READY);
    lido__coroutine_switch(task->running, &task->loop->main);
}

static lido__await_outcome await_descriptor(lido_task *task, const lido__wait *wait, int64_t deadline, bool firm) {
    bool always;
    if (!lido__poller_watch(task->loop, task, wait, &always))
        return LIDO__AWAIT_FAILED;
    if (always)
        return LIDO__AWAIT_READY;
    lido__await_outcome outcome = park(task, deadline, firm);
    lido__poller_unwatch(task->loop, wait);
    return outcome;
}

/* ---- Wakers ---- */

void lido__task_wake(lido_task *task) {
    if (!lido__loop_is_mine(task->loop)) {
        lido__loop_post(task, LIDO__TASK_WAKE);
        return;
    }
    task->delivered = true;
    lido__loop_make_ready(task, LIDO__AWAIT_READY);
}

/* Once it is woken, the wake-up is on its way to the task, and has to arrive before the task may go on to other things:
 * it would be taken for theirs. */
static lido__await_outcome await_waker(lido_task *task, lido__waker *waker, int64_t deadline, bool firm) {
    task->delivered = false;
    if (!lido__waker_expect(waker, task))
        return LIDO__AWAIT_READY;
    lido__await_outcome outcome = park(task, deadline, firm);
    if (!lido__waker_expect_no_more(waker))
        return outcome;
    while (!task->delivered)
        park(task, LIDO__NO_DEADLINE, true);
    return LIDO__AWAIT_READY;
}

void lido__near_init(lido__near *near) {
    *near = (lido__near){.task = lido__here_now.task};
}

void lido__near_wake(lido__near *near) {
    near->woken = true;
    if (near->task->near != near)
        return;
    if (lido__here_now.task == NULL)
        lido__loop_run_now(near->task);
    else
        lido__loop_make_ready(near->task, LIDO__AWAIT_READY);
}

void lido__near_interrupt(lido__near *near) {
    lido__loop_post(near->task, LIDO__TASK_INTERRUPT);
}

static lido__await_outcome await_near(lido_task *task, const lido__near *near, int64_t deadline, bool firm) {
    if (near->woken)
        return LIDO__AWAIT_READY;
    task->near = near;
    lido__await_outcome outcome = park(task, deadline, firm);
    task->near = NULL;
    return outcome;
}

/* ---- Calls ---- */

static void call_in_place(void *argument) {
    const lido__wait *wait = argument;
    wait->call(wait->argument, 1);
}

/* On a stack as large as a thread's, for it may go deeper than a task's; it may wait there as anywhere in the task. */
static bool run_roomy(lido_task *task, const lido__wait *wait) {
    lido__coroutine *before = task->running;
    lido__coroutine *roomy = lido__coroutine_take(&task->loop->roomy, call_in_place, (void *)(uintptr_t)wait);
    if (roomy == NULL)
        return false;
    roomy->back = before;
    task->running = roomy;
    lido__coroutine_switch(before, roomy);
    task->running = before;
    lido__coroutine_give_back(&task->loop->roomy, roomy);
    return true;
}

static lido__await_outcome await_call(lido_task *task, const lido__wait *wait, bool firm) {
    if (!firm && is_cancelled(task))
        return LIDO__AWAIT_CANCELLED;
    if (!firm && task->deadline != LIDO__NO_DEADLINE && lido__clock_now_us() >= task->deadline)
        return LIDO__AWAIT_TIMED_OUT;
    bool done = wait->in_place && run_roomy(task, wait);
    if (!done && !lido__offload_call(wait) && !run_roomy(task, wait))
        wait->call(wait->argument, 1);
    return LIDO__AWAIT_READY;
}

lido__await_outcome lido__task_await(lido_task *task, const lido__wait *wait, int64_t deadline) {
    bool firm = wait->firm || task->firm > 0;
    switch (wait->kind) {
    case LIDO__WAIT_DESCRIPTOR:
        return await_descriptor(task, wait, deadline, firm);
    case LIDO__WAIT_MOMENT:
        return park(task, deadline, firm);
    case LIDO__WAIT_WAKER:
        return await_waker(task, wait->waker, deadline, firm);
    case LIDO__WAIT_NEAR:
        return await_near(task, wait->near, deadline, firm);
    case LIDO__WAIT_WORK:
        return lido__offload(wait, deadline);
    case LIDO__WAIT_CALL:
        return await_call(task, wait, firm);
    }
    return LIDO__AWAIT_FAILED;
}
