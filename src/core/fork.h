/* Fork: a child never speaks on, or politely closes, what its parent opened.
 *
 * Every engine is on a list, guarded by a lock that is held across each fork together with the pools' locks, so that
 * the child finds them whole. There, inherited connections are disarmed at once, within the fork, and freed when the
 * engine is next used. Sessions are the parent's: in the child they are refused, for its thread has a new number. */
#ifndef LIDO_CORE_FORK_H
#define LIDO_CORE_FORK_H

#include <stdint.h>

#include "core/engine.h"

/* How many forks lie between this process and the first: tells whose a session is. */
uint64_t lido__fork_count(void);

/* Sees that all below is done around a fork, from here on. Handlers of others, which may need what is locked here, are
 * to be installed after it. */
void lido__fork_prepare(void);

/* Puts an engine on the list, and takes it off. */
void lido__fork_watch(lido_engine *engine);
void lido__fork_unwatch(lido_engine *engine);

#endif
