/* The table and the stack of places.h. */
#include "core/places.h"

#include <stdlib.h>

static lido__place *place_at(const lido__places *places, unsigned index) {
    unsigned from_first = index + LIDO__PLACES_FIRST;
    unsigned chunk = 0;
    while (from_first >> (chunk + 1) >= LIDO__PLACES_FIRST)
        chunk++;
    return &places->chunks[chunk][from_first - ((unsigned)LIDO__PLACES_FIRST << chunk)];
}

void lido__places_done(lido__places *places) {
    for (size_t i = 0; i < LIDO__PLACES_CHUNKS; i++)
        free(places->chunks[i]);
}

/* ---- The table ---- */

/* Room for one more; the new places of a chunk come one after another. */
static bool make_place(lido__places *places) {
    unsigned chunk = 0;
    unsigned before = 0;
    while (chunk < LIDO__PLACES_CHUNKS && places->chunks[chunk] != NULL)
        before += (unsigned)LIDO__PLACES_FIRST << chunk++;
    if (places->made < before)
        return true;
    if (chunk == LIDO__PLACES_CHUNKS)
        return false;
    places->chunks[chunk] = calloc((size_t)LIDO__PLACES_FIRST << chunk, sizeof(lido__place));
    return places->chunks[chunk] != NULL;
}

bool lido__places_add(lido__places *places, lido__connection *connection) {
    unsigned index = places->free;
    if (index != 0) {
        places->free = atomic_load_explicit(&place_at(places, index - 1)->below, memory_order_relaxed);
    } else {
        if (!make_place(places))
            return false;
        index = ++places->made;
    }
    connection->place = index - 1;
    atomic_store_explicit(&place_at(places, index - 1)->connection, connection, memory_order_relaxed);
    return true;
}

void lido__places_remove(lido__places *places, const lido__connection *connection) {
    lido__place *place = place_at(places, connection->place);
    atomic_store_explicit(&place->connection, NULL, memory_order_relaxed);
    atomic_store_explicit(&place->below, places->free, memory_order_relaxed);
    places->free = connection->place + 1;
}

lido__connection *lido__places_next(const lido__places *places, unsigned *at) {
    while (*at < places->made) {
        lido__connection *connection =
            atomic_load_explicit(&place_at(places, (*at)++)->connection, memory_order_relaxed);
        if (connection != NULL)
            return connection;
    }
    return NULL;
}

void lido__places_forget(lido__places *places) {
    for (unsigned at = 0; at < places->made; at++)
        atomic_store_explicit(&place_at(places, at)->connection, NULL, memory_order_relaxed);
    places->made = places->free = 0;
    atomic_store_explicit(&places->idle, 0, memory_order_relaxed);
}

/* ---- The stack ---- */

static const uint64_t one_change = (uint64_t)1 << 32;

static uint64_t with_top(uint64_t idle, unsigned top) {
    return (idle & ~(one_change - 1)) + one_change + top;
}

/* The order is sequential: who has pushed looks next whether somebody waits, and who begins to wait looks next whether
 * something is idle. One of the two sees the other. */
void lido__places_push(lido__places *places, lido__connection *connection) {
    lido__place *place = place_at(places, connection->place);
    unsigned top = connection->place + 1;
    uint64_t idle = atomic_load_explicit(&places->idle, memory_order_relaxed);
    do
        atomic_store_explicit(&place->below, (unsigned)(uint32_t)idle, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&places->idle, &idle, with_top(idle, top)));
}

lido__connection *lido__places_pop(lido__places *places) {
    uint64_t idle = atomic_load(&places->idle);
    lido__place *place;
    unsigned below;
    do {
        if ((uint32_t)idle == 0)
            return NULL;
        place = place_at(places, (uint32_t)idle - 1);
        below = atomic_load_explicit(&place->below, memory_order_relaxed);
    } while (!atomic_compare_exchange_weak(&places->idle, &idle, with_top(idle, below)));
    return atomic_load_explicit(&place->connection, memory_order_relaxed);
}

lido__connection *lido__places_take_all(lido__places *places) {
    uint64_t idle = atomic_load(&places->idle);
    while (!atomic_compare_exchange_weak(&places->idle, &idle, with_top(idle, 0)))
        ;
    lido__connection *first = NULL;
    lido__connection **link = &first;
    for (unsigned top = (uint32_t)idle; top != 0;) {
        const lido__place *place = place_at(places, top - 1);
        *link = atomic_load_explicit(&place->connection, memory_order_relaxed);
        link = &(*link)->next;
        top = atomic_load_explicit(&place->below, memory_order_relaxed);
    }
    *link = NULL;
    return first;
}
