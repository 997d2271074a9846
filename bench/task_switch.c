/* task-switch: to a task and back, by lido_yield; beside it, two threads' round trip over a pair of pipes is 100
 * times as long. Raw: nothing but the two jumps that a switch is made of, _setjmp and _longjmp. */
#include <setjmp.h>
#include <stdlib.h>

#include "measures.h"

static void *yield_often(void *operations) {
    for (size_t i = *(size_t *)operations; i > 0; i--)
        lido_yield();
    return NULL;
}

static bool lido_switches(void *loop, size_t operations, bench_context *context) {
    lido_task *task = lido_spawn(loop, yield_often, &operations);
    if (task == NULL)
        return bench_fail(context, "out of memory");
    lido_task_detach(task);
    return lido_loop_run(loop) == LIDO_OK || bench_fail(context, "the loop did not run");
}

static bool raw_switches(void *unused, size_t operations, bench_context *context) {
    static jmp_buf there;
    static volatile size_t left;
    (void)unused;
    (void)context;
    left = operations * 2;
    _setjmp(there);
    if (left > 0) {
        left--;
        _longjmp(there, 1);
    }
    return true;
}

static void *open_job(bench_context *context) {
    lido_error error;
    lido_loop *loop = lido_loop_new(NULL, &error);
    if (loop == NULL)
        bench_fail_lido(context, &error);
    return loop;
}

static void close_job(void *loop) {
    lido_loop_close(loop);
}

const bench_measure bench_task_switch[] = {
    {.name = "task-switch",
     .case_name = "there-and-back",
     .most = 0.060,
     .open = open_job,
     .close = close_job,
     .lido = lido_switches,
     .raw = raw_switches},
    {.name = NULL},
};
