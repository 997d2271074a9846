/* Loops: hosts that are attached to, closing with tasks left, loops of several threads, work on other threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <lido.h>
#include <lido/sys/loop.h>
#include <uv.h>
#include <cmocka.h>

#include "await/await.h"
#include "base/clock.h"

static int ended;

static void *sleep_long(void *unused) {
    assert_int_equal(lido_sleep(1000000), LIDO_ERROR);
    ended++;
    return unused;
}

static void closing_ends_the_tasks_that_are_left(void **state) {
    (void)state;
    char here;
    void *result = NULL;
    lido_loop *loop = lido_loop_new(NULL, NULL);
    ended = 0;
    for (int i = 0; i < 10; i++)
        lido_task_detach(lido_spawn(loop, sleep_long, NULL));
    lido_task *kept = lido_spawn(loop, sleep_long, &here);
    lido_loop_close(loop);
    assert_int_equal(ended, 11);
    lido_task_cancel(kept); /* its handle outlives the loop */
    assert_int_equal(lido_task_join(kept, &result), LIDO_OK);
    assert_ptr_equal(result, &here);
    lido_loop_close(NULL);
    lido_loop_stop(NULL);
    assert_int_equal(lido_loop_run(NULL), LIDO_ERROR);
    assert_int_equal(lido_loop_tasks(NULL), 0);
    assert_null(lido_loop_uv(NULL));
}

/* ---- Inside libuv ---- */

static void *sleep_shortly(void *count) {
    for (int i = 0; i < 5; i++)
        lido_sleep(2);
    ++*(int *)count;
    return NULL;
}

static void libuv_goes_on_as_long_as_there_are_tasks(void **state) {
    (void)state;
    uv_loop_t uv;
    int count = 0;
    assert_int_equal(uv_loop_init(&uv), 0);
    lido_loop *loop = lido_loop_attach_uv(&uv, NULL, NULL);
    assert_non_null(loop);
    assert_ptr_equal(lido_loop_uv(loop), &uv);
    assert_int_equal(lido_loop_run(loop), LIDO_ERROR); /* that is the program's to do */
    for (int i = 0; i < 3; i++)
        lido_task_detach(lido_spawn(loop, sleep_shortly, &count));
    assert_int_equal(lido_sleep(1), LIDO_ERROR); /* the thread is the loop's */
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(count, 3);
    lido_loop_close(loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
    assert_int_equal(lido_sleep(1), LIDO_OK);
}

static void hosts_that_are_none_are_refused(void **state) {
    (void)state;
    const lido_loop_operations old = {.size = 8};
    lido_error error;
    assert_null(lido_loop_attach_uv(NULL, NULL, &error));
    assert_int_equal(error.category, LIDO_ERROR_MISUSE);
    assert_null(lido_loop_attach(NULL, &error, NULL, NULL));
    assert_null(lido_loop_attach(&old, &error, NULL, &error));
    assert_int_equal(error.category, LIDO_ERROR_MISUSE);
    lido_loop_turn(NULL);
    lido_loop_timed_out(NULL);
}

/* ---- Several loops ---- */

static void *run_another_loop(void *results) {
    lido_loop *loop = lido_loop_new(NULL, NULL);
    int count = 0;
    lido_task_detach(lido_spawn(loop, sleep_shortly, &count));
    lido_loop_run(loop);
    *(int *)results = count;
    lido_loop_close(loop);
    return NULL;
}

static void each_thread_has_its_own(void **state) {
    (void)state;
    pthread_t threads[4];
    int counts[4] = {0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_another_loop, &counts[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(counts[i], 1);
    }
}

typedef struct visit {
    lido_loop *loop; /* another thread's */
    atomic_bool open;
    int count;
} visit;

static void *keep_open(void *argument) {
    visit *at = argument;
    while (atomic_load(&at->open))
        lido_sleep(1);
    return NULL;
}

static void *join_elsewhere(void *argument) {
    visit *at = argument;
    for (int i = 0; i < 20; i++) {
        lido_task *task = lido_spawn(at->loop, sleep_shortly, &at->count);
        assert_int_equal(lido_task_join(task, NULL), LIDO_OK);
    }
    atomic_store(&at->open, false);
    return NULL;
}

static void *visit_from_thread(void *argument) {
    lido_loop *loop = lido_loop_new(NULL, NULL);
    lido_task_detach(lido_spawn(loop, join_elsewhere, argument));
    lido_loop_run(loop);
    lido_loop_close(loop);
    return NULL;
}

static void tasks_join_those_of_another_loop(void **state) {
    (void)state;
    pthread_t thread;
    visit at = {.loop = lido_loop_new(NULL, NULL)};
    atomic_init(&at.open, true);
    lido_task_detach(lido_spawn(at.loop, keep_open, &at));
    assert_int_equal(pthread_create(&thread, NULL, visit_from_thread, &at), 0);
    lido_loop_run(at.loop);
    pthread_join(thread, NULL);
    assert_int_equal(at.count, 20);
    lido_loop_close(at.loop);
}

/* ---- What tasks wait for ---- */

static void *read_slowly(void *argument) {
    const int *ends = argument;
    lido__watch watch = {0};
    char byte;
    for (int i = 0; i < 10; i++) {
        lido__wait wait = {.kind = LIDO__WAIT_DESCRIPTOR, .descriptor = ends[0], .read = true};
        wait.watch = i % 2 == 0 ? &watch : NULL;
        assert_int_equal(lido__await(&wait, LIDO__NO_DEADLINE), LIDO__AWAIT_READY);
        assert_int_equal(read(ends[0], &byte, 1), 1);
        assert_int_equal(byte, 'a' + i);
    }
    assert_int_equal(lido__await_descriptor(ends[0], true, false, lido__deadline_in_ms(5)), LIDO__AWAIT_TIMED_OUT);
    assert_int_equal(lido__await_descriptor(ends[0], true, true, LIDO__NO_DEADLINE), LIDO__AWAIT_READY);
    assert_int_equal(lido__await_descriptor(-1, true, false, LIDO__NO_DEADLINE), LIDO__AWAIT_FAILED);
    assert_int_equal(lido__await_descriptor(999, true, false, LIDO__NO_DEADLINE), LIDO__AWAIT_FAILED);
    return NULL;
}

static void *write_slowly(void *argument) {
    const int *ends = argument;
    for (int i = 0; i < 10; i++) {
        const char byte = (char)('a' + i);
        lido_sleep(1);
        assert_int_equal(write(ends[1], &byte, 1), 1);
    }
    return NULL;
}

static void descriptors_are_waited_for(void **state) {
    (void)state;
    int ends[2];
    lido_loop *loop = lido_loop_new(NULL, NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    lido_task_detach(lido_spawn(loop, read_slowly, ends));
    lido_task_detach(lido_spawn(loop, write_slowly, ends));
    lido_loop_run(loop);
    lido_loop_close(loop);
    close(ends[0]);
    close(ends[1]);
}

typedef struct calling {
    pthread_t thread;
    int worth;
    atomic_bool interrupted;
} calling;

static void call(void *argument, int worth) {
    calling *made = argument;
    made->thread = pthread_self();
    made->worth = worth;
    assert_int_equal(lido__await_moment(lido__deadline_in_ms(2)), LIDO__AWAIT_TIMED_OUT);
}

static void call_until_interrupted(void *argument, int worth) {
    calling *made = argument;
    (void)worth;
    while (!atomic_load(&made->interrupted))
        lido__await_moment(lido__deadline_in_ms(1));
}

static void interrupt(void *argument) {
    atomic_store(&((calling *)argument)->interrupted, true);
}

static void *make_calls(void *unused) {
    calling made = {.worth = 0};
    assert_int_equal(lido__await_call(call, interrupt, &made, false), LIDO__AWAIT_READY);
    assert_false(pthread_equal(made.thread, pthread_self()));
    assert_in_range(made.worth, 2, 10000);
    assert_int_equal(lido__await_call(call, interrupt, &made, true), LIDO__AWAIT_READY);
    assert_true(pthread_equal(made.thread, pthread_self()));
    assert_int_equal(made.worth, 1);
    lido_task_deadline(5);
    assert_int_equal(lido__await_call(call_until_interrupted, interrupt, &made, false), LIDO__AWAIT_READY);
    assert_true(atomic_load(&made.interrupted));
    assert_int_equal(lido__await_call(call, interrupt, &made, false), LIDO__AWAIT_TIMED_OUT);
    lido_task_cancel(lido_task_self());
    assert_int_equal(lido__await_call(call, interrupt, &made, true), LIDO__AWAIT_CANCELLED);
    return unused;
}

static void calls_are_made_elsewhere_or_in_place(void **state) {
    (void)state;
    calling made = {.worth = 0};
    lido_loop *loop = lido_loop_new(NULL, NULL);
    lido_task_detach(lido_spawn(loop, make_calls, NULL));
    lido_loop_run(loop);
    lido_loop_close(loop);
    assert_int_equal(lido__await_call(call, interrupt, &made, false), LIDO__AWAIT_READY);
    assert_true(pthread_equal(made.thread, pthread_self()));
    assert_int_equal(made.worth, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_ends_the_tasks_that_are_left),
        cmocka_unit_test(libuv_goes_on_as_long_as_there_are_tasks),
        cmocka_unit_test(hosts_that_are_none_are_refused),
        cmocka_unit_test(each_thread_has_its_own),
        cmocka_unit_test(tasks_join_those_of_another_loop),
        cmocka_unit_test(descriptors_are_waited_for),
        cmocka_unit_test(calls_are_made_elsewhere_or_in_place),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
