/* Stacks for coroutines: mapped memory with a guard below it that nobody may touch, kept for the next coroutine. */
#ifndef LIDO_AWAIT_STACK_H
#define LIDO_AWAIT_STACK_H

#include <stdbool.h>
#include <stddef.h>

typedef struct lido__stack {
    char *base;  /* the lowest address that may be used; below it is the guard */
    size_t size; /* from there up */
    unsigned valgrind;
} lido__stack;

enum { LIDO__STACK_LEAST = 32 * 1024 /* a connection over TLS takes 20 KiB */, LIDO__STACK_DEFAULT = 64 * 1024 };

/* At least `size` bytes; false if there is no memory. Only what is touched takes any. */
bool lido__stack_map(lido__stack *stack, size_t size);
void lido__stack_unmap(lido__stack *stack);

/* Whether that address is in the stack's guard. Calls nothing: for signal handlers. */
bool lido__stack_guards(const lido__stack *stack, const void *address);

/* ---- overflow.c ---- */

/* From here on a task that overflows its stack says so before the process dies. Process-wide, once. */
void lido__overflow_watch(void);
/* Gives the calling thread a stack of its own for that handler, unless it has one; the task's is full then. */
void lido__overflow_watch_thread(void);

#endif
