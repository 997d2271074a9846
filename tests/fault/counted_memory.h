/* An allocator that counts what is allocated. For one file of a program: its malloc takes the place of libc's, and of
 * the sanitizer's, for every library in the process. (mallinfo2 counts what libc keeps at hand for threads as
 * allocated, which grows by a quarter of a megabyte before it stays.)
 *
 * short_memory.h sets ALLOCATION_FAILS: whether the allocation that is asked for is not to be had. */
#ifndef TESTS_FAULT_COUNTED_MEMORY_H
#define TESTS_FAULT_COUNTED_MEMORY_H

#include <errno.h>
#include <malloc.h>
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

/* The same function by the one's name and the other's. */
#ifdef UNDER_ADDRESS_SANITIZER
#define REAL(function) __interceptor_##function
#define REAL_ALIGNED __interceptor_aligned_alloc
#else
#define REAL(function) __libc_##function
#define REAL_ALIGNED __libc_memalign
#endif

#ifndef ALLOCATION_FAILS
#define ALLOCATION_FAILS() false
#endif

void *REAL(malloc)(size_t size);
void *REAL(calloc)(size_t count, size_t size);
void *REAL(realloc)(void *memory, size_t size);
void *REAL_ALIGNED(size_t alignment, size_t size);
void REAL(free)(void *memory);

static atomic_long living_allocations;
static atomic_long living_bytes;

static void count(int allocations, size_t bytes) {
    atomic_fetch_add_explicit(&living_allocations, allocations, memory_order_relaxed);
    atomic_fetch_add_explicit(&living_bytes, allocations * (long)bytes, memory_order_relaxed);
}

/* AddressSanitizer cannot be asked before it has begun, and allocates before that. It counts bytes itself. */
static size_t bytes_of(void *memory) {
#ifdef UNDER_ADDRESS_SANITIZER
    (void)memory;
    return 0;
#else
    return malloc_usable_size(memory);
#endif
}

static void *counted(void *memory) {
    if (memory != NULL)
        count(1, bytes_of(memory));
    return memory;
}

static void uncounted(void *memory) {
    if (memory != NULL)
        count(-1, bytes_of(memory));
}

void *malloc(size_t size) {
    return ALLOCATION_FAILS() ? NULL : counted(REAL(malloc)(size));
}

void *calloc(size_t count, size_t size) {
    return ALLOCATION_FAILS() ? NULL : counted(REAL(calloc)(count, size));
}

void *aligned_alloc(size_t alignment, size_t size) {
    return ALLOCATION_FAILS() ? NULL : counted(REAL_ALIGNED(alignment, size));
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    void *aligned = aligned_alloc(alignment, size);
    if (aligned == NULL)
        return ENOMEM;
    *memory = aligned;
    return 0;
}

void *realloc(void *memory, size_t size) {
    if (size > 0 && ALLOCATION_FAILS())
        return NULL;
    uncounted(memory);
    void *moved = counted(REAL(realloc)(memory, size));
    if (moved == NULL && size > 0)
        counted(memory); /* it stayed */
    return moved;
}

void free(void *memory) {
    uncounted(memory);
    REAL(free)(memory);
}

#endif
