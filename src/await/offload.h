/* Other threads that do what blocks: a name's look-up, libpq's cancel, SQLite in a task. Each piece of work has a
 * thread at once, never a place in a queue: one may wait for a lock that another, behind it, would give back. A
 * thread that has nothing to do is kept for a while. */
#ifndef LIDO_AWAIT_OFFLOAD_H
#define LIDO_AWAIT_OFFLOAD_H

#include "await/await.h"

/* Runs the work of `wait` on another thread until the deadline. READY: it has returned, `argument` is the caller's.
 * Any other outcome: it goes on; when it returns, `dispose(argument)` is called there. Where no thread is to be had,
 * the work is done in place. */
lido__await_outcome lido__offload(const lido__wait *wait, int64_t deadline);

/* Runs the call of `wait` on another thread, to its end; it is interrupted when the caller would not wait longer.
 * False: no thread is to be had. */
bool lido__offload_call(const lido__wait *wait);

/* In the child after a fork: those threads are not there. */
void lido__offload_renew(void);

#endif
