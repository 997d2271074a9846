/* An allocator that fails when it is told to. For one file of a program: see counted_memory.h. */
#ifndef TESTS_FAULT_SHORT_MEMORY_H
#define TESTS_FAULT_SHORT_MEMORY_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Volatile, for compilers know that malloc does not touch a program's variables. It fails in the thread that tells it
 * to, and not in the library's own, which start when the system lets them. */
static _Thread_local volatile long allocations_left = -1; /* before one fails; negative: none does */
static _Thread_local volatile bool fails_ever_after;
static _Thread_local volatile bool has_failed;

static bool fails_now(void) {
    if (allocations_left < 0)
        return false;
    if (allocations_left > 0) {
        allocations_left--;
        return false;
    }
    has_failed = true;
    if (!fails_ever_after)
        allocations_left = -1;
    errno = ENOMEM;
    return true;
}

#define ALLOCATION_FAILS fails_now
#include "counted_memory.h"

/* How many allocations live. The sanitizer's strdup does not come by here, and its own search for leaks does better. */
static long count_living(void) {
#ifdef UNDER_ADDRESS_SANITIZER
    return 0;
#else
    return atomic_load(&living_allocations);
#endif
}

static void run_out_at(long allocation, bool ever_after) {
    allocations_left = allocation - 1;
    fails_ever_after = ever_after;
    has_failed = false;
}

/* Returns whether it had come to that. */
static bool memory_is_back(void) {
    allocations_left = -1;
    return has_failed;
}

#endif
