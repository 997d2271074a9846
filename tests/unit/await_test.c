/* The seam on a plain thread: each kind of waiting ends when it should, by what it waits for or by its deadline. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "await/await.h"
#include "base/clock.h"

enum { SHORT_MS = 30, LONG_MS = 10000, SLACK_MS = 5000 };

static int64_t began;

static int64_t soon(void) {
    began = lido__clock_now_us();
    return lido__deadline_in_ms(SHORT_MS);
}

/* Never early; late only as much as a busy machine may be. */
static void expect_took_its_time(void) {
    assert_in_range((lido__clock_now_us() - began) / 1000, SHORT_MS, SHORT_MS + SLACK_MS);
}

static void expect_took_less(void) {
    assert_in_range((lido__clock_now_us() - began) / 1000, 0, LONG_MS - 1);
}

/* ---- Moments and descriptors ---- */

static void a_moment_is_waited_for(void **state) {
    (void)state;
    lido__await_moment(soon());
    expect_took_its_time();
    lido__await_moment(lido__clock_now_us() - 1);
    expect_took_its_time();
}

static void a_descriptor_is_waited_for(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(lido__await_descriptor(ends[0], true, false, soon()), LIDO__AWAIT_TIMED_OUT);
    expect_took_its_time();
    assert_int_equal(lido__await_descriptor(ends[1], false, true, LIDO__NO_DEADLINE), LIDO__AWAIT_READY);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(lido__await_descriptor(ends[0], true, false, LIDO__NO_DEADLINE), LIDO__AWAIT_READY);
    close(ends[1]); /* the other end is gone: that, too, can be read */
    assert_int_equal(lido__await_descriptor(ends[0], true, false, LIDO__NO_DEADLINE), LIDO__AWAIT_READY);
    close(ends[0]);
    assert_int_equal(lido__await_descriptor(ends[0], true, false, soon()), LIDO__AWAIT_FAILED);
}

/* ---- Wakers ---- */

static void *wake_later(void *waker) {
    usleep(SHORT_MS * 1000);
    lido__waker_wake(waker);
    return NULL;
}

static void a_waker_is_waited_for(void **state) {
    (void)state;
    lido__waker waker;
    pthread_t thread;
    assert_true(lido__waker_init(&waker));
    assert_int_equal(lido__await_waker(&waker, soon()), LIDO__AWAIT_TIMED_OUT);
    expect_took_its_time();
    assert_int_equal(pthread_create(&thread, NULL, wake_later, &waker), 0);
    assert_int_equal(lido__await_waker(&waker, LIDO__NO_DEADLINE), LIDO__AWAIT_READY);
    pthread_join(thread, NULL);
    assert_int_equal(lido__await_waker(&waker, lido__clock_now_us() - 1), LIDO__AWAIT_READY); /* it stays woken */
    lido__waker_done(&waker);
}

/* ---- Work ---- */

typedef struct task {
    atomic_bool go_on;
    atomic_bool disposed;
    pthread_t thread;
    int runs;
} task;

static void work(void *argument) {
    task *at = argument;
    at->thread = pthread_self();
    while (!atomic_load(&at->go_on))
        usleep(1000);
    at->runs++;
}

static void dispose(void *argument) {
    task *at = argument;
    atomic_store(&at->disposed, true);
}

static void work_is_done_by_another_thread(void **state) {
    (void)state;
    task at = {.go_on = true};
    assert_int_equal(lido__await_work(work, dispose, &at, LIDO__NO_DEADLINE), LIDO__AWAIT_READY);
    assert_int_equal(at.runs, 1);
    assert_false(pthread_equal(at.thread, pthread_self()));
    assert_false(at.disposed);
}

static void work_that_takes_too_long_is_left_alone(void **state) {
    (void)state;
    task at = {.go_on = false};
    assert_int_equal(lido__await_work(work, dispose, &at, soon()), LIDO__AWAIT_TIMED_OUT);
    expect_took_its_time();
    assert_false(atomic_load(&at.disposed));
    atomic_store(&at.go_on, true);
    while (!atomic_load(&at.disposed))
        usleep(1000);
    assert_int_equal(at.runs, 1);
}

/* Threads ask for a stack that no machine has. */
static void work_is_done_in_place_where_no_thread_is_to_be_had(void **state) {
    (void)state;
    pthread_attr_t before;
    pthread_attr_t huge;
    pthread_t thread;
    task at = {.go_on = true};
    assert_int_equal(pthread_getattr_default_np(&before), 0);
    assert_int_equal(pthread_attr_init(&huge), 0);
    assert_int_equal(pthread_attr_setstacksize(&huge, (size_t)1 << 52), 0);
    assert_int_equal(pthread_setattr_default_np(&huge), 0);
    began = lido__clock_now_us();
    bool no_thread = pthread_create(&thread, NULL, wake_later, NULL) != 0;
    lido__await_outcome outcome = lido__await_work(work, dispose, &at, lido__deadline_in_ms(LONG_MS));
    assert_int_equal(pthread_setattr_default_np(&before), 0);
    assert_true(no_thread);
    assert_int_equal(outcome, LIDO__AWAIT_READY);
    expect_took_less();
    assert_int_equal(at.runs, 1);
    assert_true(pthread_equal(at.thread, pthread_self()));
    assert_false(at.disposed);
    pthread_attr_destroy(&huge);
    pthread_attr_destroy(&before);
}

static void *tell_self(void *number) {
    *(uint64_t *)number = lido__await_self();
    return NULL;
}

static void each_thread_is_somebody_else(void **state) {
    (void)state;
    uint64_t here = lido__await_self();
    uint64_t there = 0;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, tell_self, &there), 0);
    pthread_join(thread, NULL);
    assert_true(here != 0 && there != 0 && here != there);
    assert_true(lido__await_self() == here);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moment_is_waited_for),
        cmocka_unit_test(a_descriptor_is_waited_for),
        cmocka_unit_test(a_waker_is_waited_for),
        cmocka_unit_test(work_is_done_in_place_where_no_thread_is_to_be_had), /* while no idle thread is kept */
        cmocka_unit_test(work_is_done_by_another_thread),
        cmocka_unit_test(work_that_takes_too_long_is_left_alone),
        cmocka_unit_test(each_thread_is_somebody_else),
    };
    return cmocka_run_group_tests_name("await", tests, NULL, NULL);
}
