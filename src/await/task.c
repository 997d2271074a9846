/* A task's life: spawned, run, ended, joined. */
#include "await/task.h"

#include <sched.h>
#include <stdlib.h>

#include "await/loop.h"
#include "base/clock.h"

/* ---- The end ---- */

/* What it has left open is closed in it, as it would have done itself; that it was cancelled does not keep it from
 * it. */
static void leave_all(lido_task *task) {
    task->firm++;
    while (task->held != NULL)
        task->held->leave(task->held);
    lido__locals_free(task->locals);
    task->locals = NULL;
}

static void run_whole(void *argument) {
    lido_task *task = argument;
    task->result = task->function(task->argument);
    leave_all(task);
    task->state = LIDO__TASK_ENDED;
}

void lido__task_let_go(lido_task *task) {
    if (atomic_fetch_sub_explicit(&task->references, 1, memory_order_acq_rel) != 1)
        return;
    lido__loop_let_go(task->loop);
    free(task);
}

static void unlist(lido_task *task) {
    *(task->previous_of_all != NULL ? &task->previous_of_all->next_of_all : &task->loop->all) = task->next_of_all;
    if (task->next_of_all != NULL)
        task->next_of_all->previous_of_all = task->previous_of_all;
}

void lido__task_bury(lido_task *task) {
    lido_loop *loop = task->loop;
    lido__coroutine_give_back(&loop->stacks, task->home);
    task->home = task->running = NULL;
    pthread_mutex_lock(&loop->lock);
    unlist(task);
    task->ended = true;
    lido__joiner *joiner = task->joiners;
    task->joiners = NULL;
    pthread_mutex_unlock(&loop->lock);
    while (joiner != NULL) {
        lido__joiner *next = joiner->next; /* once woken, it is gone */
        lido__waker_wake(&joiner->waker);
        joiner = next;
    }
    if (task->done != NULL)
        task->done(task->result, task->user);
    atomic_fetch_sub_explicit(&loop->tasks, 1, memory_order_relaxed);
    lido__task_let_go(task);
}

/* ---- The beginning ---- */

static lido_task *task_new(lido_loop *loop, const lido_task_options *options, lido_task_function *function,
                           void *argument) {
    /* Only the loop's thread takes stacks from its cache. */
    lido__coroutine_cache elsewhere = {.stack_size = loop->stacks.stack_size};
    lido_task *task = calloc(1, sizeof *task);
    if (task == NULL)
        return NULL;
    task->home = lido__coroutine_take(lido__loop_is_mine(loop) ? &loop->stacks : &elsewhere, run_whole, task);
    if (task->home == NULL) {
        free(task);
        return NULL;
    }
    task->home->back = &loop->main;
    task->running = task->home;
    task->loop = loop;
    task->number = lido__await_number();
    task->name = options != NULL ? options->name : NULL;
    task->function = function;
    task->argument = argument;
    task->state = LIDO__TASK_PARKED;
    task->deadline =
        options != NULL && options->deadline_ms > 0 ? lido__deadline_in_ms(options->deadline_ms) : LIDO__NO_DEADLINE;
    atomic_init(&task->references, 2);
    return task;
}

static void enlist(lido_task *task) {
    lido_loop *loop = task->loop;
    lido__loop_hold(loop);
    atomic_fetch_add_explicit(&loop->tasks, 1, memory_order_relaxed);
    pthread_mutex_lock(&loop->lock);
    task->next_of_all = loop->all;
    if (loop->all != NULL)
        loop->all->previous_of_all = task;
    loop->all = task;
    pthread_mutex_unlock(&loop->lock);
    if (!lido__loop_is_mine(loop)) {
        lido__loop_post(task, LIDO__TASK_START);
        return;
    }
    lido__loop_make_ready(task, LIDO__AWAIT_READY);
    if (!loop->turning)
        lido__loop_tell_busy(loop);
}

lido_task *lido_spawn_with(lido_loop *loop, const lido_task_options *options, lido_task_function *function,
                           void *argument) {
    lido_task *task = loop != NULL && function != NULL ? task_new(loop, options, function, argument) : NULL;
    if (task != NULL)
        enlist(task);
    return task;
}

lido_task *lido_spawn(lido_loop *loop, lido_task_function *function, void *argument) {
    return lido_spawn_with(loop, NULL, function, argument);
}

lido_status lido_submit(lido_loop *loop, lido_task_function *function, void *argument, lido_done_function *done,
                        void *user) {
    lido_task *task = loop != NULL && function != NULL ? task_new(loop, NULL, function, argument) : NULL;
    if (task == NULL)
        return LIDO_ERROR;
    task->done = done;
    task->user = user;
    enlist(task);
    lido_task_detach(task);
    return LIDO_OK;
}

/* ---- Handles ---- */

void lido_task_detach(lido_task *task) {
    if (task != NULL)
        lido__task_let_go(task);
}

static bool enqueue_joiner(lido_task *task, lido__joiner *joiner) {
    pthread_mutex_lock(&task->loop->lock);
    bool waits = !task->ended;
    if (waits) {
        joiner->next = task->joiners;
        task->joiners = joiner;
    }
    pthread_mutex_unlock(&task->loop->lock);
    return waits;
}

/* False: it has been taken out already, to be woken. */
static bool dequeue_joiner(lido_task *task, lido__joiner *joiner) {
    pthread_mutex_lock(&task->loop->lock);
    lido__joiner **link = &task->joiners;
    while (*link != NULL && *link != joiner)
        link = &(*link)->next;
    bool found = *link != NULL;
    if (found)
        *link = joiner->next;
    pthread_mutex_unlock(&task->loop->lock);
    return found;
}

static bool wait_for_end(lido_task *task) {
    lido__joiner joiner = {.next = NULL};
    bool ended = true;
    if (!lido__waker_init(&joiner.waker))
        return false;
    if (enqueue_joiner(task, &joiner) && lido__await_waker(&joiner.waker, LIDO__NO_DEADLINE) != LIDO__AWAIT_READY) {
        ended = !dequeue_joiner(task, &joiner);
        if (ended)
            lido__await(&(lido__wait){.kind = LIDO__WAIT_WAKER, .waker = &joiner.waker, .firm = true},
                        LIDO__NO_DEADLINE);
    }
    lido__waker_done(&joiner.waker);
    return ended;
}

lido_status lido_task_join(lido_task *task, void **result) {
    if (task == NULL || task == lido__here_now.task || !wait_for_end(task))
        return LIDO_ERROR;
    if (result != NULL)
        *result = task->result;
    lido__task_let_go(task);
    return LIDO_OK;
}

void lido_task_cancel(lido_task *task) {
    if (task == NULL)
        return;
    atomic_store(&task->cancelled, true);
    lido__loop_post(task, LIDO__TASK_CANCEL);
}

/* ---- In the task itself ---- */

lido_task *lido_task_self(void) {
    return lido__here_now.task;
}

bool lido_task_cancelled(void) {
    const lido_task *task = lido__here_now.task;
    return task != NULL && atomic_load_explicit(&task->cancelled, memory_order_relaxed);
}

int64_t lido_task_deadline(int64_t ms) {
    lido_task *task = lido__here_now.task;
    if (task == NULL)
        return -1;
    int64_t before = task->deadline;
    task->deadline = lido__deadline_in_ms(ms);
    if (before == LIDO__NO_DEADLINE)
        return -1;
    int64_t left = before - lido__clock_now_us();
    return left > 0 ? left / 1000 : 0;
}

void lido_yield(void) {
    if (lido__here_now.task != NULL)
        lido__task_yield(lido__here_now.task);
}

lido_status lido_sleep(int64_t ms) {
    return lido__await_moment(lido__deadline_in_ms(ms)) == LIDO__AWAIT_TIMED_OUT && lido__await_may_wait(NULL)
               ? LIDO_OK
               : LIDO_ERROR;
}
