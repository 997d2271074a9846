/* Chance that can be played again: LIDO_TEST_SEED says how it fell. */
#ifndef TESTS_SUPPORT_CHANCE_H
#define TESTS_SUPPORT_CHANCE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka needs those before it */
#include <setjmp.h>

#include <cmocka.h>

#include "base/random.h"

/* What LIDO_TEST_SEED says, or a new one; printed either way. */
static inline uint64_t seed_of_test(void) {
    const char *asked = getenv("LIDO_TEST_SEED");
    uint64_t seed = asked != NULL ? strtoull(asked, NULL, 10) : lido__random() % 1000000;
    print_message("           LIDO_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* The state of the `which`-th sequence of a seed. */
static inline uint64_t chance_of(uint64_t seed, uint64_t which) {
    return (seed + 1) * UINT64_C(0xD1342543DE82EF95) + (which << 32);
}

/* The next number of the sequence that *state is in: the same state draws the same (splitmix64). */
static inline uint64_t draw_bits(uint64_t *state) {
    uint64_t mixed = *state += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ (mixed >> 31);
}

/* The same, below `below`. */
static inline unsigned draw_below(uint64_t *state, unsigned below) {
    return (unsigned)(draw_bits(state) % below);
}

#endif
