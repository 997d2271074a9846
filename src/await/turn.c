/* One turn of a loop: hears what other threads ask, looks at descriptors and timers, and lets the tasks run that can.
 *
 * A turn goes on as long as there is something to do, for some rounds: each one saves the host's own round, which costs
 * a wait in the system and the reading of its clock. It ends after the next tick of the clock, for the host's
 * other business. */
#include <errno.h>

#include "await/loop.h"
#include "base/clock.h"

enum { ROUNDS_MOST = 32, RUNS_MOST = 64 };

/* ---- The queue ---- */

static void queue_add(lido_loop *loop, lido_task *task) {
    task->next = NULL;
    *(loop->ready_last != NULL ? &loop->ready_last->next : &loop->ready) = task;
    loop->ready_last = task;
}

void lido__loop_make_ready(lido_task *task, lido__await_outcome outcome) {
    if (task->state != LIDO__TASK_PARKED)
        return;
    task->state = LIDO__TASK_READY;
    task->outcome = outcome;
    queue_add(task->loop, task);
    if (!task->loop->turning)
        lido__loop_signal(task->loop);
}

/* ---- The inbox ---- */

/* The signal is sent under the lock, which the task's end takes, too: after that the loop may be gone. It cannot
 * block. */
bool lido__loop_post(lido_task *task, unsigned message) {
    lido_loop *loop = task->loop;
    pthread_mutex_lock(&loop->lock);
    bool ended = task->ended;
    if (!ended && atomic_fetch_or(&task->messages, message) == 0) {
        atomic_fetch_add_explicit(&task->references, 1, memory_order_relaxed);
        task->next_letter = loop->inbox;
        loop->inbox = task;
        atomic_store(&loop->has_letters, true);
    }
    if (!ended)
        lido__loop_signal(loop);
    pthread_mutex_unlock(&loop->lock);
    return !ended;
}

static void hear(lido_task *task) {
    unsigned messages = atomic_exchange(&task->messages, 0);
    if ((messages & LIDO__TASK_START) != 0)
        lido__loop_make_ready(task, LIDO__AWAIT_READY);
    if ((messages & LIDO__TASK_WAKE) != 0) {
        task->delivered = true;
        lido__loop_make_ready(task, LIDO__AWAIT_READY);
    }
    if ((messages & LIDO__TASK_CANCEL) != 0 && !task->firm_wait)
        lido__loop_make_ready(task, LIDO__AWAIT_CANCELLED);
    if ((messages & LIDO__TASK_INTERRUPT) != 0 && task->near != NULL)
        lido__loop_make_ready(task, LIDO__AWAIT_READY);
    lido__task_let_go(task);
}

/* Letters lie with the newest on top; they are heard in the order they came. */
static void read_inbox(lido_loop *loop) {
    if (!atomic_exchange(&loop->has_letters, false))
        return;
    pthread_mutex_lock(&loop->lock);
    lido_task *letter = loop->inbox;
    loop->inbox = NULL;
    lido_task *oldest = NULL;
    while (letter != NULL) {
        lido_task *next = letter->next_letter;
        letter->next_letter = oldest;
        oldest = letter;
        letter = next;
    }
    pthread_mutex_unlock(&loop->lock);
    while (oldest != NULL) {
        lido_task *next = oldest->next_letter; /* once it has been heard, it may be there again */
        hear(oldest);
        oldest = next;
    }
}

/* ---- Timers ---- */

static void fire_timers(lido_loop *loop) {
    if (loop->timers == NULL)
        return;
    int64_t now = lido__clock_now_us();
    while (loop->timers != NULL && loop->timers->moment <= now) {
        lido_task *late = (lido_task *)((char *)loop->timers - offsetof(lido_task, timer));
        lido__timer_unset(&loop->timers, &late->timer);
        lido__loop_make_ready(late, LIDO__AWAIT_TIMED_OUT);
    }
}

static int64_t next_moment(const lido_loop *loop) {
    int64_t moment = lido__attendants_moment(loop);
    return loop->timers != NULL && loop->timers->moment < moment ? loop->timers->moment : moment;
}

/* Milliseconds until the next timer, rounded up; -1: there is none. */
static int64_t next_timer_ms(const lido_loop *loop) {
    int64_t moment = next_moment(loop);
    if (moment == LIDO__NO_DEADLINE)
        return -1;
    int64_t left = moment - lido__clock_now_us();
    return left > 0 ? left / 1000 + 1 : 0;
}

static void set_host_timer(lido_loop *loop) {
    int64_t moment = next_moment(loop);
    if (moment == loop->host_timer || loop->opened == NULL)
        return;
    loop->host_timer = moment;
    loop->operations->timer(loop->opened, next_timer_ms(loop));
}

/* ---- Running ---- */

static void run_task(lido_loop *loop, lido_task *task) {
    uint64_t thread = lido__await_self();
    int error_number = errno;
    task->state = LIDO__TASK_RUNNING;
    lido__here_now.task = task;
    lido__here_now.self = task->number;
    errno = task->error_number;
    lido__coroutine_switch(&loop->main, task->running);
    task->error_number = errno;
    errno = error_number;
    lido__here_now.task = NULL;
    lido__here_now.self = thread;
    if (task->state == LIDO__TASK_ENDED)
        lido__task_bury(task);
}

void lido__loop_run_now(lido_task *task) {
    if (task->state != LIDO__TASK_PARKED)
        return;
    task->outcome = LIDO__AWAIT_READY;
    run_task(task->loop, task);
}

/* Those that are ready now, each once. Returns whether there were any. */
static bool run_ready(lido_loop *loop) {
    lido_task *first = loop->ready;
    lido_task *last = loop->ready_last;
    if (first == NULL)
        return false;
    for (lido_task *task = NULL; task != last;) {
        task = loop->ready;
        loop->ready = task->next;
        if (loop->ready == NULL)
            loop->ready_last = NULL;
        run_task(loop, task);
    }
    return true;
}

/* Tasks that make each other ready are let run some times before the system is asked again, which costs as much as
 * ten of them. */
static bool run_round(lido_loop *loop, int ms) {
    int told = lido__poller_look(loop, ms);
    bool ran = false;
    read_inbox(loop);
    fire_timers(loop);
    lido__attendants_hear(loop);
    int64_t tick = lido__clock_recent_us();
    loop->in_haste = false;
    for (int run = 0; run < RUNS_MOST && !loop->in_haste && run_ready(loop); run++) {
        ran = true;
        loop->in_haste = loop->in_haste || lido__clock_recent_us() != tick;
    }
    lido__attendants_end_turn(loop);
    return ran || told > 0;
}

static void begin(lido_loop *loop) {
    loop->turning = true;
    lido__here_now.loops++;
}

static void end(lido_loop *loop) {
    lido__here_now.loops--;
    loop->turning = false;
}

void lido__loop_tell_busy(lido_loop *loop) {
    bool busy = atomic_load_explicit(&loop->tasks, memory_order_relaxed) > 0;
    if (busy != loop->told_busy && loop->operations->busy != NULL && loop->opened != NULL)
        loop->operations->busy(loop->opened, busy);
    loop->told_busy = busy;
}

void lido_loop_turn(lido_loop *loop) {
    if (loop == NULL || !lido__loop_is_mine(loop) || loop->turning || lido__here_now.task != NULL)
        return;
    int64_t tick = lido__clock_recent_us();
    begin(loop);
    for (int round = 0; round < ROUNDS_MOST && run_round(loop, 0); round++)
        if (lido__clock_recent_us() != tick)
            break;
    end(loop);
    if (loop->ready != NULL)
        lido__loop_signal(loop);
    set_host_timer(loop);
    lido__loop_tell_busy(loop);
}

/* The host's clock may be coarser than ours, and its timer early: so it is forgotten, and set anew after the turn. */
void lido_loop_timed_out(lido_loop *loop) {
    if (loop == NULL || !lido__loop_is_mine(loop))
        return;
    loop->host_timer = LIDO__NO_DEADLINE;
    lido_loop_turn(loop);
}

void lido__loop_drain(lido_loop *loop) {
    begin(loop);
    while (atomic_load_explicit(&loop->tasks, memory_order_relaxed) > 0) {
        int64_t ms = loop->ready != NULL ? 0 : next_timer_ms(loop);
        run_round(loop, (int)(ms < 1000 ? ms : 1000));
    }
    read_inbox(loop);
    end(loop);
}
