/* scoped: finding the session that is a thread's own. Raw: reading a thread-local variable, through a function that is
 * not inlined, as lido's is not. */
#include "measures.h"

typedef struct job {
    lido_manager *manager;
} job;

static _Thread_local lido_session *of_thread;

static __attribute__((noinline)) lido_session *find_raw(void) {
    __asm__ volatile("" ::: "memory"); /* each time anew */
    return of_thread;
}

static bool find_scoped(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    const lido_session *first = lido_manager_scoped(my->manager);
    bool same = true;
    for (size_t i = 0; i < operations; i++)
        same &= lido_manager_scoped(my->manager) == first;
    return (same && !lido_failed(first)) || bench_fail(context, "a thread had two sessions");
}

static bool find_local(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    bool same = true;
    of_thread = lido_manager_scoped(my->manager);
    for (size_t i = 0; i < operations; i++)
        same &= find_raw() == of_thread;
    return same || bench_fail(context, "a thread-local variable changed");
}

static void *open_job(bench_context *context) {
    static job my;
    lido_error error;
    my.manager = lido_manager_get();
    if (lido_manager_configure_database(my.manager, NULL, "sqlite://", NULL, &error) == LIDO_OK &&
        lido_manager_init_worker(my.manager, NULL, &error) == LIDO_OK)
        return &my;
    bench_fail_lido(context, &error);
    return NULL;
}

static void close_job(void *opened) {
    job *my = opened;
    lido_scoped_remove(my->manager);
    lido_manager_close_worker(my->manager, 1000, NULL);
}

const bench_measure bench_scoped[] = {
    {.name = "scoped",
     .case_name = "look-up",
     .unit = BENCH_NANOSECONDS,
     .most = 15,
     .open = open_job,
     .close = close_job,
     .lido = find_scoped,
     .raw = find_local},
    {.name = NULL},
};
