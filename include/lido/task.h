/* Tasks: functions that run on a loop, in turn, on one thread. One that waits for something lets the others on.
 *
 * A task is written as if it had a thread for itself. Everything in lido that waits may be called in it, in the same
 * words as on a thread. It has a stack of its own, 64 KiB unless lido_loop_options says otherwise: large arrays belong
 * elsewhere. One that overflows it ends the process, with a message. What blocks without lido's knowledge, such as
 * sleep() or read() on a pipe, stops the whole loop.
 *
 * Sessions belong to the task that opened them. Those that it leaves open are rolled back and closed when it ends, and
 * the log says so. */
#ifndef LIDO_TASK_H
#define LIDO_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include <lido/loop.h>

LIDO_BEGIN_C

typedef struct lido_task lido_task;

/* What a task runs. What it returns is for who joins it. */
typedef void *lido_task_function(void *argument);

/* All zero is the default. */
typedef struct lido_task_options {
    const char *name;    /* for messages; static text */
    int64_t deadline_ms; /* see lido_task_deadline; 0: none */
} lido_task_options;

/* Makes a task that will run function(argument) on the loop; it begins in the loop's next turn. Returns its handle,
 * for exactly one lido_task_join or lido_task_detach; NULL: there is no memory for it, and it will not run. Never
 * waits; safe from any thread as long as the loop is not being closed. */
LIDO_API lido_task *lido_spawn(lido_loop *loop, lido_task_function *function, void *argument) LIDO_USE_RESULT;
LIDO_API lido_task *lido_spawn_with(lido_loop *loop, const lido_task_options *options, lido_task_function *function,
                                    void *argument) LIDO_USE_RESULT;

/* Waits until the task has ended, puts what it returned into *result (or NULL), and frees the handle. LIDO_ERROR: the
 * task is NULL, or this cannot be waited for here: the caller was cancelled, its deadline has passed, it is the task
 * itself, or the thread of a loop outside any task; then the handle is still good. From any thread or task. */
LIDO_API lido_status lido_task_join(lido_task *task, void **result);

/* Frees the handle; the task goes on. NULL is allowed. Never waits; safe from any thread. */
LIDO_API void lido_task_detach(lido_task *task);

/* Tells the task to end: what it waits for, and all that it will wait for, fails with category cancelled. Statements
 * are cancelled at the server, transactions roll back; what gives back and cleans up still waits. Being cancelled
 * lasts. It is for the task to return then. NULL is allowed. Never waits; safe from any thread, while the handle is
 * good. */
LIDO_API void lido_task_cancel(lido_task *task);

/* The task that is running; NULL: there is none here. It is good as long as the task runs. Never waits. */
LIDO_API lido_task *lido_task_self(void);

/* Whether the task that is running was cancelled, for work that takes long and does not wait. */
LIDO_API bool lido_task_cancelled(void);

/* From now on everything that the running task waits for must have come within so many milliseconds, or fails with
 * category timeout; -1: no more than that by itself. Returns how much was left of the deadline before, for setting it
 * back; -1: there was none, or this is no task. Never waits. */
LIDO_API int64_t lido_task_deadline(int64_t ms);

/* Lets the other tasks, and the loop's other business, have their turn. In a thread: does nothing. */
LIDO_API void lido_yield(void);

/* Waits so many milliseconds. LIDO_ERROR: it was cancelled, its deadline passed, or it cannot wait here. In a thread
 * alike. */
LIDO_API lido_status lido_sleep(int64_t ms);

/* ---- Values of one's own ---- */

/* A value that belongs to the running task, or to the thread where there is none. `key`: any address that is the
 * program's own, such as a static variable's. `free`: NULL, or what is called with the value when the task or thread
 * ends, or it is replaced; it must not wait. LIDO_ERROR: no memory, and all is as it was. Never waits. */
LIDO_API lido_status lido_local_set(const void *key, void *value, void (*free_value)(void *value));

/* That value; NULL if none was set. Never waits. */
LIDO_API void *lido_local(const void *key);

/* ---- For programs without tasks ---- */

/* Called with what the function returned, on the loop's thread, outside any task. */
typedef void lido_done_function(void *result, void *user);

/* Runs function(argument) in a task of its own, and then done(result, user) as any callback of the loop's.
 * LIDO_ERROR: no memory, and neither will be called. Never waits; safe from any thread as long as the loop is not
 * being closed. */
LIDO_API lido_status lido_submit(lido_loop *loop, lido_task_function *function, void *argument,
                                 lido_done_function *done, void *user);

LIDO_END_C

#endif
