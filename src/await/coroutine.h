/* Coroutines: functions on stacks of their own that can stop in the middle and be gone on with.
 *
 * They know nothing of tasks and waiting. All switching is on one thread: a coroutine stays on the thread that began
 * it. The stack that a thread came with is a coroutine, too, as lido__coroutine_here. */
#ifndef LIDO_AWAIT_COROUTINE_H
#define LIDO_AWAIT_COROUTINE_H

#include <setjmp.h>

#include "await/stack.h"

typedef struct lido__coroutine {
    jmp_buf context; /* where it stopped */
    void (*run)(void *argument);
    void *argument;
    struct lido__coroutine *back; /* who goes on when `run` has returned */
    struct lido__coroutine *from; /* who switched to it last */
    lido__stack stack;            /* of a thread's own: as a sanitizer told it */
    struct lido__coroutine *next; /* in a cache */
    void *fake_stack;             /* AddressSanitizer's */
    void *fiber;                  /* ThreadSanitizer's */
} lido__coroutine;

/* Stacks of one size that are not used now, up to some number. */
typedef struct lido__coroutine_cache {
    lido__coroutine *free;
    size_t count;
    size_t most;
    size_t stack_size;
} lido__coroutine_cache;

/* One that will run that when it is switched to, and then switch to its `back`. NULL: no memory. Give it back to the
 * same cache, after `run` has returned. */
lido__coroutine *lido__coroutine_take(lido__coroutine_cache *cache, void (*run)(void *argument), void *argument);
void lido__coroutine_give_back(lido__coroutine_cache *cache, lido__coroutine *coroutine);
void lido__coroutine_cache_clear(lido__coroutine_cache *cache);

/* Stops `from`, which is running, and goes on with `to`. Returns when somebody switches to `from`. */
void lido__coroutine_switch(lido__coroutine *from, lido__coroutine *to);

#endif
