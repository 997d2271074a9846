/* Mapping stacks. */
#include "await/stack.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "await/sanitizer.h"

/* Wide, for a large local array may be skipped over before its first byte is touched; it takes addresses alone. */
enum { GUARD_SIZE = 64 * 1024 };

bool lido__stack_map(lido__stack *stack, size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (size > SIZE_MAX / LIDO__STACK_FACTOR - 2 * page - GUARD_SIZE)
        return false;
    size = (size * LIDO__STACK_FACTOR + page - 1) / page * page;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE;
    char *mapped = mmap(NULL, size + GUARD_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (mapped == MAP_FAILED)
        return false;
    if (mprotect(mapped, GUARD_SIZE, PROT_NONE) != 0) {
        munmap(mapped, size + GUARD_SIZE);
        return false;
    }
    stack->base = mapped + GUARD_SIZE;
    stack->size = size;
    stack->valgrind = VALGRIND_STACK_REGISTER(stack->base, stack->base + size);
    return true;
}

void lido__stack_unmap(lido__stack *stack) {
    VALGRIND_STACK_DEREGISTER(stack->valgrind);
    munmap(stack->base - GUARD_SIZE, stack->size + GUARD_SIZE);
    stack->base = NULL;
}

bool lido__stack_guards(const lido__stack *stack, const void *address) {
    uintptr_t base = (uintptr_t)stack->base;
    uintptr_t at = (uintptr_t)address;
    return at < base && at >= base - GUARD_SIZE;
}
