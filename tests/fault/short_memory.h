/* An allocator that fails when it is told to. For one file of a program: its malloc takes the place of libc's. */
#ifndef TESTS_FAULT_SHORT_MEMORY_H
#define TESTS_FAULT_SHORT_MEMORY_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ADDRESS_SANITIZER
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ADDRESS_SANITIZER
#endif

/* The program's own malloc takes the place of libc's, and of the sanitizer's, for every library in the process. */
#ifdef UNDER_ADDRESS_SANITIZER
#define REAL(function) __interceptor_##function
#else
#define REAL(function) __libc_##function
#endif
/* The same function by the one's name and the other's. */
#ifdef UNDER_ADDRESS_SANITIZER
#define REAL_ALIGNED __interceptor_aligned_alloc
#else
#define REAL_ALIGNED __libc_memalign
#endif

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *memory, size_t size);
void *REAL_ALIGNED(size_t alignment, size_t size);
void REAL(free)(void *memory);

/* Volatile, for compilers know that malloc does not touch a program's variables. It fails in the thread that tells it
 * to, and not in the library's own, which start when the system lets them. */
static _Thread_local volatile long allocations_left = -1; /* before one fails; negative: none does */
static _Thread_local volatile bool fails_ever_after;
static _Thread_local volatile bool has_failed;
static atomic_long living;

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

static void count(int allocations) {
    atomic_fetch_add_explicit(&living, allocations, memory_order_relaxed);
}

static void *counted(void *memory) {
    count(memory != NULL);
    return memory;
}

void *malloc(size_t size) {
    return fails_now() ? NULL : counted(REAL(malloc)(size));
}

void *calloc(size_t count, size_t size) {
    return fails_now() ? NULL : counted(REAL(calloc)(count, size));
}

void *aligned_alloc(size_t alignment, size_t size) {
    return fails_now() ? NULL : counted(REAL_ALIGNED(alignment, size));
}

void *realloc(void *memory, size_t size) {
    if (size > 0 && fails_now())
        return NULL;
    void *moved = REAL(realloc)(memory, size);
    count((moved != NULL) - (memory != NULL && (moved != NULL || size == 0)));
    return moved;
}

void free(void *memory) {
    count(-(memory != NULL));
    REAL(free)(memory);
}

/* How many allocations live. The sanitizer's strdup does not come by here, and its own search for leaks does better. */
static long count_living(void) {
#ifdef UNDER_ADDRESS_SANITIZER
    return 0;
#else
    return atomic_load(&living);
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
