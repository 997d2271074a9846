/* Attaching lido to a loop that the program runs already.
 *
 * A lido_loop has one descriptor, through which everything reaches it: its sockets, and wake-ups from other threads. So
 * the program's loop, the *host*, needs two things only: to look at one descriptor, and one timer. When either has
 * something to tell, it calls lido_loop_turn. lido/adapters/libevent.h and glib.h are written with this alone. */
#ifndef LIDO_SYS_LOOP_H
#define LIDO_SYS_LOOP_H

#include <stdint.h>

#include <lido/loop.h>

LIDO_BEGIN_C

/* What an adapter does. All are called on the loop's thread, outside any task. */
typedef struct lido_loop_operations {
    size_t size; /* of this struct, as the adapter was compiled */

    /* From now until `close`, calls lido_loop_turn(loop) whenever `descriptor` can be read, again and again as long
     * as it can be (level-triggered). Returns what the others are called with; NULL: it cannot be done. */
    void *(*open)(void *host, lido_loop *loop, int descriptor);

    /* Calls lido_loop_timed_out(loop) once, in about `ms` milliseconds. There is one timer: it replaces the one set
     * before. -1: not at all any more. */
    void (*timer)(void *opened, int64_t ms);

    /* Whether there are tasks. A host that ends when it has nothing more to do should go on as long as there are.
     * NULL if the host is ended in another way. Starts as false. */
    void (*busy)(void *opened, bool busy);

    /* Ends both, and frees. */
    void (*close)(void *opened);
} lido_loop_operations;

/* Makes a loop for the calling thread inside the host; `host` and `operations` must outlive it. From here until
 * lido_loop_close nothing may wait on this thread outside a task. Else as lido_loop_new. */
LIDO_API lido_loop *lido_loop_attach(const lido_loop_operations *operations, void *host,
                                     const lido_loop_options *options, lido_error *error) LIDO_USE_RESULT;

/* Lets the tasks run that can, for a moment; if some still can then, the descriptor stays readable. For adapters, on
 * the loop's thread. Calling it too often does no harm. Never waits. */
LIDO_API void lido_loop_turn(lido_loop *loop);

/* The same, when the timer has run out; if it did too early, it is set again. */
LIDO_API void lido_loop_timed_out(lido_loop *loop);

LIDO_END_C

#endif
