/* A task's inside, and the task's side of the seam.
 *
 * task.c spawns, ends and joins; task_wait.c waits in one; local.c is its values. States: ready (in the loop's queue)
 * -> running -> parked or ready again -> … -> ended. All members are the loop's thread's, save where said. */
#ifndef LIDO_AWAIT_TASK_H
#define LIDO_AWAIT_TASK_H

#include <stdatomic.h>

#include <lido/task.h>

#include "await/await.h"
#include "await/coroutine.h"
#include "await/here.h"
#include "await/timers.h"

typedef enum lido__task_state {
    LIDO__TASK_READY,
    LIDO__TASK_RUNNING,
    LIDO__TASK_PARKED,
    LIDO__TASK_ENDED
} lido__task_state;

/* What other threads ask of a task's loop. */
enum { LIDO__TASK_START = 1, LIDO__TASK_WAKE = 2, LIDO__TASK_CANCEL = 4, LIDO__TASK_INTERRUPT = 8 };

/* Who waits for a task's end; on its own stack. */
typedef struct lido__joiner {
    lido__waker waker;
    struct lido__joiner *next;
} lido__joiner;

typedef struct lido__local lido__local;

struct lido_task {
    lido_loop *loop; /* held: for its lock, also when it was closed */
    uint64_t number; /* what lido__await_self says in it */
    const char *name;
    lido_task_function *function;
    void *argument;
    void *result;
    lido_done_function *done; /* lido_submit's; NULL: none */
    void *user;

    lido__coroutine *home;    /* its stack */
    lido__coroutine *running; /* home, or the roomier one that it is on for the moment */
    lido__task_state state;
    lido_task *next; /* in the loop's queue of those that are ready */
    lido_task *next_of_all;
    lido_task *previous_of_all;

    /* What it is parked for. */
    lido__await_outcome outcome; /* why it goes on */
    bool firm_wait;              /* being cancelled does not end it */
    bool delivered;              /* the waker's wake-up has arrived */
    const lido__near *near;      /* NULL: it is parked for something else */
    lido__timer timer;

    int64_t deadline; /* of all that it waits for, as lido_task_deadline set it */
    int firm;         /* > 0: neither that nor being cancelled counts */
    int error_number; /* its errno, while another runs */
    lido__held *held; /* what is left when it ends */
    lido__local *locals;

    atomic_bool cancelled;  /* from any thread; never taken back */
    atomic_int references;  /* the loop's, the handle's, one while it is in the loop's inbox */
    atomic_uint messages;   /* of LIDO__TASK_…; in the loop's inbox if not 0 */
    lido_task *next_letter; /* there; under the loop's lock, as are the next two */
    bool ended;
    lido__joiner *joiners;
};

/* ---- task.c ---- */

void lido__task_let_go(lido_task *task);
/* On the loop's thread, when it has switched back from one that has ended. */
void lido__task_bury(lido_task *task);

/* ---- task_wait.c ---- */

lido__await_outcome lido__task_await(lido_task *task, const lido__wait *wait, int64_t deadline);
/* Back into the queue, behind the others. */
void lido__task_yield(lido_task *task);
/* From any thread, once for each waker that a task waits for: it has been woken. */
void lido__task_wake(lido_task *task);

/* ---- local.c ---- */

void lido__locals_free(lido__local *locals);

#endif
