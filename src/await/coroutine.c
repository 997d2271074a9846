/* Switching stacks.
 *
 * makecontext puts a stack under a function once, when the stack is made; each switch after that is _setjmp and
 * _longjmp, which leave the signal mask alone and so make no system call. This file is compiled without
 * _FORTIFY_SOURCE, whose longjmp takes a jump to another stack for an accident.
 *
 * A stack that is used again never leaves `trampoline`: it finds the next function there. */
#include "await/coroutine.h"

#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

#include "await/sanitizer.h"

/* ---- Telling the sanitizers ---- */

static void before_switch(lido__coroutine *from, lido__coroutine *to) {
    to->from = from;
#ifdef LIDO__ADDRESS_SANITIZER
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack.base, to->stack.size);
#endif
#ifdef LIDO__THREAD_SANITIZER
    from->fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/* `self` has just been switched to. */
static void after_switch(lido__coroutine *self) {
#ifdef LIDO__ADDRESS_SANITIZER
    const void *base;
    size_t size;
    __sanitizer_finish_switch_fiber(self->fake_stack, &base, &size);
    self->from->stack.base = (char *)(uintptr_t)base;
    self->from->stack.size = size;
#else
    (void)self;
#endif
}

/* ---- Switching ---- */

void lido__coroutine_switch(lido__coroutine *from, lido__coroutine *to) {
    if (_setjmp(from->context) == 0) {
        before_switch(from, to);
        _longjmp(to->context, 1);
    }
    after_switch(from);
}

/* The last thing on a stack that is to be unmapped: AddressSanitizer frees what it has kept for it. */
static void leave(lido__coroutine *self) {
#ifdef LIDO__ADDRESS_SANITIZER
    self->back->from = self;
    __sanitizer_start_switch_fiber(NULL, self->back->stack.base, self->back->stack.size);
    _longjmp(self->back->context, 1);
#else
    (void)self;
#endif
}

/* makecontext passes ints only: the pointer comes in two. */
static void trampoline(unsigned high, unsigned low) {
    lido__coroutine *self = (lido__coroutine *)(((uintptr_t)high << 32) | (uintptr_t)low);
    after_switch(self);
    if (_setjmp(self->context) == 0) {
        before_switch(self, self->back);
        _longjmp(self->back->context, 1);
    }
    after_switch(self);
    for (;;) {
        if (self->run != NULL)
            self->run(self->argument);
        else
            leave(self);
        lido__coroutine_switch(self, self->back);
    }
}

/* Lets it run into its trampoline and come back: `here` is the stack that this runs on, and its `back`. */
static bool start(lido__coroutine *started, lido__coroutine *here) {
    ucontext_t fresh;
    ucontext_t unused;
    uintptr_t bits = (uintptr_t)started;
    if (getcontext(&fresh) != 0)
        return false;
    fresh.uc_stack.ss_sp = started->stack.base;
    fresh.uc_stack.ss_size = started->stack.size;
    fresh.uc_link = NULL;
    makecontext(&fresh, (void (*)(void))trampoline, 2, (unsigned)(bits >> 32), (unsigned)(bits & UINT32_MAX));
    if (_setjmp(here->context) == 0) {
        before_switch(here, started);
        swapcontext(&unused, &fresh);
    }
    after_switch(here);
    return true;
}

/* ---- Having stacks ---- */

static void coroutine_free(lido__coroutine *freed) {
#ifdef LIDO__ADDRESS_SANITIZER
    lido__coroutine here = {.run = NULL};
    freed->run = NULL;
    freed->back = &here;
    lido__coroutine_switch(&here, freed);
#endif
#ifdef LIDO__THREAD_SANITIZER
    __tsan_destroy_fiber(freed->fiber);
#endif
    lido__stack_unmap(&freed->stack);
    free(freed);
}

static lido__coroutine *coroutine_new(size_t stack_size) {
    lido__coroutine here = {.run = NULL};
    lido__coroutine *made = calloc(1, sizeof *made);
    if (made == NULL || !lido__stack_map(&made->stack, stack_size)) {
        free(made);
        return NULL;
    }
#ifdef LIDO__THREAD_SANITIZER
    made->fiber = __tsan_create_fiber(0);
#endif
    made->back = &here;
    if (start(made, &here))
        return made;
    lido__stack_unmap(&made->stack); /* getcontext failed, which it does nowhere */
    free(made);
    return NULL;
}

lido__coroutine *lido__coroutine_take(lido__coroutine_cache *cache, void (*run)(void *argument), void *argument) {
    lido__coroutine *taken = cache->free;
    if (taken != NULL) {
        cache->free = taken->next;
        cache->count--;
    } else if ((taken = coroutine_new(cache->stack_size)) == NULL) {
        return NULL;
    }
    taken->run = run;
    taken->argument = argument;
    return taken;
}

void lido__coroutine_give_back(lido__coroutine_cache *cache, lido__coroutine *coroutine) {
    if (cache->count >= cache->most) {
        coroutine_free(coroutine);
        return;
    }
    coroutine->next = cache->free;
    cache->free = coroutine;
    cache->count++;
}

void lido__coroutine_cache_clear(lido__coroutine_cache *cache) {
    while (cache->free != NULL) {
        lido__coroutine *next = cache->free->next;
        coroutine_free(cache->free);
        cache->free = next;
    }
    cache->count = 0;
}
