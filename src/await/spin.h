/* Looking again for a while before falling asleep: for a thread that waits for a descriptor. spin.c says when. */
#ifndef LIDO_AWAIT_SPIN_H
#define LIDO_AWAIT_SPIN_H

#include "await/await.h"

typedef lido__await_outcome lido__spin_sleep(const lido__wait *wait, int64_t deadline);

/* Waits for what `wait` is for, which has a `spin`: looks, if that promises to pay, and then sleeps by `sleep`. */
lido__await_outcome lido__spin_or_sleep(const lido__wait *wait, int64_t deadline, lido__spin_sleep *sleep);
/* In a fork's child: nobody else waits here. */
void lido__spin_renew(void);
/* For tests: how many processors there are; 0: ask the system. */
void lido__spin_replace_processors(int processors);

#endif
