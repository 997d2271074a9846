/* Work that blocks in a library's hands (a name's look-up, libpq's cancel) and must be bounded all the same: it is
 * done by a thread of its own, and whoever asked waits for it no longer than the deadline. */
#ifndef LIDO_AWAIT_OFFLOAD_H
#define LIDO_AWAIT_OFFLOAD_H

#include "await/await.h"

/* Runs the work of `wait` on another thread until the deadline. READY: it has returned, `argument` is the caller's.
 * TIMED_OUT: it goes on; when it returns, `dispose(argument)` is called there. Where no thread is to be had, the work
 * is done in place. */
lido__await_outcome lido__offload(const lido__wait *wait, int64_t deadline);

#endif
