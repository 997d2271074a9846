/* A loop's inside.
 *
 * loop.c makes and ends loops; turn.c runs the tasks that can run; poller.c watches descriptors; attendant.c looks
 * after attendants; loop_uv.c is libuv as the host. All members are the loop's thread's, save where said. */
#ifndef LIDO_AWAIT_LOOP_H
#define LIDO_AWAIT_LOOP_H

#include <pthread.h>
#include <sys/types.h>

#include <lido/sys/loop.h>

#include "await/task.h"

/* One for each descriptor, by its number. */
typedef struct lido__poll_slot {
    lido_task *waiter;      /* NULL: none */
    lido__lookout *lookout; /* the same; one of the two */
    unsigned armed;         /* what epoll was asked to tell of it; 0: it is not in there */
} lido__poll_slot;

typedef struct lido__poller {
    int epoll;
    lido__poll_slot *slots;
    size_t slot_count;
} lido__poller;

struct lido_loop {
    uint64_t number; /* never used again */
    pthread_t thread;
    pid_t process;
    atomic_int references; /* the opener's, and each task's */

    const lido_loop_operations *operations; /* the host's */
    void *opened;                           /* what they are called with; NULL: not opened yet, or closed */
    struct uv_loop_s *uv;                   /* NULL: it is another kind of host */
    bool owns_uv;
    bool attached; /* the program runs the host */
    bool running;
    bool told_busy;
    int64_t host_timer; /* when the host's timer is set to; LIDO__NO_DEADLINE: it is not */

    lido__coroutine_cache stacks;
    lido__coroutine_cache roomy; /* for what may go deep, and does not last */
    lido__coroutine main;        /* the thread's own stack, while a task runs */

    lido_task *ready; /* oldest first */
    lido_task *ready_last;
    lido_task *all; /* not ended */
    lido__timer *timers;
    lido__attendant *attendants;
    lido__attendant *attended;      /* whom a walk over them is at; NULL: he has left, or there is no walk; */
    lido__attendant *attended_next; /* and who comes next: both may leave when anybody is called */
    lido__poller poller;
    int wake_descriptor; /* an eventfd: readable as long as a turn is wanted */
    bool turning;
    bool in_haste; /* tasks that take their time have run: look at timers and descriptors first, before any run again */

    atomic_size_t tasks;
    atomic_bool signalled; /* the eventfd has been written to */
    atomic_bool stopping;
    atomic_bool has_letters; /* the inbox is to be looked at */

    pthread_mutex_t lock; /* a leaf; guards the inbox, and what the tasks say it does */
    lido_task *inbox;     /* newest first */
};

/* ---- loop.c ---- */

bool lido__loop_is_mine(const lido_loop *loop); /* this is its thread */
void lido__loop_hold(lido_loop *loop);
void lido__loop_let_go(lido_loop *loop);
/* From any thread: there will be a turn soon. */
void lido__loop_signal(lido_loop *loop);

/* ---- turn.c ---- */

/* On the loop's thread: puts a task that is parked or new into the queue. */
void lido__loop_make_ready(lido_task *task, lido__await_outcome outcome);
/* On the loop's thread, outside all tasks: runs one that is parked. */
void lido__loop_run_now(lido_task *task);
/* From any thread. False if the task has ended. */
bool lido__loop_post(lido_task *task, unsigned message);
/* Lets the host know whether there are tasks. */
void lido__loop_tell_busy(lido_loop *loop);
/* Lets the tasks run until they are all gone; the host is not asked. */
void lido__loop_drain(lido_loop *loop);

/* ---- poller.c ---- */

bool lido__poller_init(lido__poller *poller, int wake_descriptor);
void lido__poller_done(lido__poller *poller);
/* Will make `task` ready when that comes; false: it is no descriptor, is waited for already, or there is no memory.
 * *always: it is one that never has to be waited for. */
bool lido__poller_watch(lido_loop *loop, lido_task *task, const lido__wait *wait, bool *always);
void lido__poller_unwatch(lido_loop *loop, const lido__wait *wait);
/* Makes ready those whose descriptors are; waits up to `ms` for one (-1: for ever). Returns how many told something. */
int lido__poller_look(lido_loop *loop, int ms);

bool lido__poller_look_out(lido_loop *loop, lido__lookout *lookout, int descriptor, bool write);

/* ---- attendant.c ---- */

/* Calls those that other threads have called, and those whose moment has come. */
void lido__attendants_hear(lido_loop *loop);
/* The tasks that could run have run. */
void lido__attendants_end_turn(lido_loop *loop);
/* The loop ends. */
void lido__attendants_end(lido_loop *loop);
/* The earliest of their moments. */
int64_t lido__attendants_moment(const lido_loop *loop);

/* ---- loop_uv.c ---- */

extern const lido_loop_operations lido__loop_uv_operations;
struct uv_loop_s *lido__loop_uv_new(void);
void lido__loop_uv_run(struct uv_loop_s *uv);
void lido__loop_uv_stop(struct uv_loop_s *uv);
void lido__loop_uv_free(struct uv_loop_s *uv);

#endif
