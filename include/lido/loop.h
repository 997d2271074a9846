/* The loop: what runs tasks, on one thread, thousands of them.
 *
 * A loop has libuv inside, which the program may use for itself as well (lido_loop_uv), or it is attached to a loop
 * that the program runs already: libuv's here, libevent's and GLib's by the headers in lido/adapters, any other by
 * lido/sys/loop.h.
 *
 * A loop belongs to the thread that made it. What waits (a statement, lido_sleep, lido_task_join) is called in a task
 * there; outside of any task it would stop the whole loop, and is refused. A child made by fork makes loops of its
 * own: it can do nothing with its parent's. */
#ifndef LIDO_LOOP_H
#define LIDO_LOOP_H

#include <stddef.h>

#include <lido/error.h>

LIDO_BEGIN_C

typedef struct lido_loop lido_loop;

struct uv_loop_s;

/* All zero is the default. */
typedef struct lido_loop_options {
    size_t stack_size;  /* of each task, in bytes; 0: 64 KiB; 32 KiB at least. What is not touched takes no memory */
    size_t stacks_kept; /* of tasks that have ended, for those that come; 0: 64 */
} lido_loop_options;

/* Makes a loop, with libuv inside, for the calling thread. `options`: NULL for the defaults; copied. Returns the
 * loop, to be closed with lido_loop_close, or NULL with *error set (out of memory, descriptors; `error` may be NULL).
 * Never waits. */
LIDO_API lido_loop *lido_loop_new(const lido_loop_options *options, lido_error *error) LIDO_USE_RESULT;

/* The same inside a libuv loop of the program's, which must outlive it. From here until lido_loop_close the calling
 * thread is the loop's; nothing may wait there outside a task. Tasks run while the program runs uv_run, and as long as
 * there are any, uv_run goes on. */
LIDO_API lido_loop *lido_loop_attach_uv(struct uv_loop_s *uv, const lido_loop_options *options,
                                        lido_error *error) LIDO_USE_RESULT;

/* Runs until no task is left, and nothing else that keeps libuv going, or until lido_loop_stop. LIDO_OK; LIDO_ERROR:
 * not this thread's loop, already running, made by a parent process, or attached: then the program runs it. Waits. */
LIDO_API lido_status lido_loop_run(lido_loop *loop);

/* Makes lido_loop_run return soon, whatever is left to do; it may be called again. Never waits; safe from any thread.
 * */
LIDO_API void lido_loop_stop(lido_loop *loop);

/* Cancels the tasks that are left, runs them to their end, and frees the loop. A handle of a task that was not joined
 * stays good. Not from a task, nor from within lido_loop_run. Nobody may use the loop meanwhile. NULL is allowed.
 * Waits for the tasks. */
LIDO_API void lido_loop_close(lido_loop *loop);

/* The libuv loop inside, a uv_loop_t, for the program's own handles; NULL if there is none. */
LIDO_API struct uv_loop_s *lido_loop_uv(lido_loop *loop);

/* How many tasks have been spawned there and not ended. Never waits; safe from any thread. */
LIDO_API size_t lido_loop_tasks(const lido_loop *loop);

LIDO_END_C

#endif
