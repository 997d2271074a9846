/* The connections of a pool: a table with a place for each, and the stack of those that are idle.
 *
 * The table is changed and walked under the pool's lock. The stack is not locked: taking its top is one
 * compare-and-swap. What makes that sound is that a place, once made, is never freed before the pool is: whoever looks
 * at the next one of a place that somebody else has just taken reads an old number, not freed memory, and the count of
 * changes beside the top shows him that he was late. (A lock around a list took 60 ns of an acquire and release, and
 * ten times that between eight threads.) */
#ifndef LIDO_CORE_PLACES_H
#define LIDO_CORE_PLACES_H

#include "backend/backend.h"

enum { LIDO__PLACES_FIRST = 64, LIDO__PLACES_CHUNKS = 25 };

typedef struct lido__place {
    _Atomic(lido__connection *) connection; /* NULL: the place is free */
    atomic_uint below;                      /* in the stack, or among the free ones: 1 + the next place; 0: none */
} lido__place;

typedef struct lido__places {
    atomic_uint_fast64_t idle;                /* the stack: 1 + its top, and from bit 32 on how often it has changed */
    lido__place *chunks[LIDO__PLACES_CHUNKS]; /* the first of LIDO__PLACES_FIRST places, each next twice as large */
    unsigned made;
    unsigned free; /* 1 + a free place; 0: none */
} lido__places;

void lido__places_done(lido__places *places);

/* Under the lock. Gives a connection a place, not an idle one yet; false if memory ran out. */
bool lido__places_add(lido__places *places, lido__connection *connection);
/* Under the lock. The connection is not idle, and the caller's alone. */
void lido__places_remove(lido__places *places, const lido__connection *connection);
/* Under the lock. The next connection from place *at on, which is moved on; NULL: there are no more. Somebody else may
 * be taking it or putting it back meanwhile. */
lido__connection *lido__places_next(const lido__places *places, unsigned *at);
/* Under the lock, in a child after a fork: nobody is anywhere. */
void lido__places_forget(lido__places *places);

/* The stack. From any thread, without the lock; the caller has the connection to himself, before or after. */
void lido__places_push(lido__places *places, lido__connection *connection);
lido__connection *lido__places_pop(lido__places *places); /* the newest; NULL: none is idle */
/* All of them, linked by `next`, newest first; until they are pushed again it looks as if none were idle. */
lido__connection *lido__places_take_all(lido__places *places);

static inline bool lido__places_has_idle(const lido__places *places) {
    return (uint32_t)atomic_load(&places->idle) != 0;
}

#endif
