/* Where the calling thread is: in which task, on whose loop's thread. The one piece of thread-local state that the two
 * sides of the seam share; nothing outside src/await looks at it, save through await.h.
 *
 * A task stays on its loop's thread, so the address of this may be kept across a wait; its contents may not. */
#ifndef LIDO_AWAIT_HERE_H
#define LIDO_AWAIT_HERE_H

#include <stdint.h>

#include <lido/loop.h>
#include <lido/task.h>

typedef struct lido__here {
    uint64_t self;   /* the task's number, or the thread's; 0: not asked for yet */
    lido_task *task; /* NULL: none */
    int loops;       /* how many loops this is the thread of: while there are any, nothing may wait outside a task */
} lido__here;

extern _Thread_local lido__here lido__here_now;

/* A number for a thread, a task or a loop that no other has had. */
uint64_t lido__await_number(void);

#endif
