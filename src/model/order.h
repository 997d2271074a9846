/* Dependency order: each node after those it needs. A node is a table, by its number; tables know nothing of this.
 *
 * Read first lido__order_find. Linear in nodes and dependencies, without recursion. */
#ifndef LIDO_MODEL_ORDER_H
#define LIDO_MODEL_ORDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"

/* `from` needs `to`: it shall come after it. What a node needs of itself is no matter of order, and is ignored. */
typedef struct lido__dependency {
    size_t from;
    size_t to;
    bool may_wait; /* it is enough if `to` comes later, should there be no order with it earlier */
    bool waits;    /* found: it does come later */
} lido__dependency;

typedef struct lido__order {
    size_t *nodes; /* all of them, in order; not set if there is a cycle */
    size_t *cycle; /* nodes of which each needs the next, and the last the first; none of it may wait */
    size_t cycle_length;
} lido__order;

/* Puts nodes 0 to count - 1 in order. Stable: what is in order already stays as it is, and a node that comes earlier
 * than its number does so for another that needs it. Sets `waits` of all dependencies. False if there is a cycle, the
 * first of which is told, or memory ran out (arena->out_of_memory). What is found is the arena's. */
bool lido__order_find(lido__arena *arena, size_t count, size_t dependency_count, lido__dependency *dependencies,
                      lido__order *order);

/* Appends "a -> b -> a" to `text`, `names` being those of all nodes. */
void lido__order_spell(const lido__order *order, const char *const *names, lido__buffer *text);

#endif
