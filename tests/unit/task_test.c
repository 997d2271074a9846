/* Tasks by themselves: running, taking turns, joining, sleeping, being cancelled, deadlines, values of their own. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <lido.h>
#include <cmocka.h>

#include "base/clock.h"

static char trace[1000];

static void saw(const char *format, ...) LIDO_FORMAT(1, 2);

static void saw(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    size_t used = strlen(trace);
    vsnprintf(trace + used, sizeof trace - used, format, arguments);
    va_end(arguments);
}

static lido_loop *loop;

static int set_up(void **state) {
    lido_error error;
    (void)state;
    trace[0] = '\0';
    loop = lido_loop_new(NULL, &error);
    return loop == NULL;
}

static int tear_down(void **state) {
    (void)state;
    lido_loop_close(loop);
    return 0;
}

static lido_task *spawn(lido_task_function *function, void *argument) {
    lido_task *task = lido_spawn(loop, function, argument);
    assert_non_null(task);
    return task;
}

static void spawn_and_forget(lido_task_function *function, void *argument) {
    lido_task_detach(spawn(function, argument));
}

static void run(void) {
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    assert_int_equal(lido_loop_tasks(loop), 0);
}

/* ---- Running and joining ---- */

static void *say(void *word) {
    for (int i = 0; i < 3; i++) {
        saw("%s ", (const char *)word);
        lido_yield();
    }
    return word;
}

static void tasks_take_turns(void **state) {
    (void)state;
    char one[] = "one";
    char two[] = "two";
    spawn_and_forget(say, one);
    spawn_and_forget(say, two);
    assert_string_equal(trace, "");
    run();
    assert_string_equal(trace, "one two one two one two ");
}

static void a_result_is_joined_when_all_is_over(void **state) {
    (void)state;
    char word[] = "word";
    void *result = NULL;
    lido_task *task = spawn(say, word);
    run();
    assert_int_equal(lido_task_join(task, &result), LIDO_OK);
    assert_ptr_equal(result, word);
}

static void *join_both(void *unused) {
    char first[] = "first";
    char second[] = "second";
    void *result = unused;
    lido_task *tasks[] = {spawn(say, first), spawn(say, second)};
    assert_int_equal(lido_task_join(tasks[1], &result), LIDO_OK);
    assert_ptr_equal(result, second);
    assert_int_equal(lido_task_join(tasks[0], NULL), LIDO_OK);
    saw("joined");
    return NULL;
}

static void a_task_joins_others(void **state) {
    (void)state;
    spawn_and_forget(join_both, NULL);
    run();
    assert_string_equal(trace, "first second first second first second joined");
}

static void *join_self(void *unused) {
    (void)unused;
    assert_non_null(lido_task_self());
    assert_int_equal(lido_task_join(lido_task_self(), NULL), LIDO_ERROR);
    return NULL;
}

static void nobody_waits_for_oneself_or_for_nothing(void **state) {
    (void)state;
    assert_null(lido_task_self());
    assert_int_equal(lido_task_join(NULL, NULL), LIDO_ERROR);
    lido_task_detach(NULL);
    lido_task_cancel(NULL);
    assert_null(lido_spawn(NULL, say, NULL));
    assert_null(lido_spawn(loop, NULL, NULL));
    spawn_and_forget(join_self, NULL);
    run();
}

/* ---- Other threads ---- */

static atomic_bool joined_there;

static void *spawn_from_thread(void *unused) {
    char word[] = "thread";
    void *result = unused;
    lido_task *task = spawn(say, word);
    assert_int_equal(lido_task_join(task, &result), LIDO_OK);
    assert_ptr_equal(result, word);
    saw("joined there");
    atomic_store(&joined_there, true);
    return NULL;
}

static void *wait_for_thread(void *unused) {
    (void)unused;
    while (!atomic_load(&joined_there))
        lido_sleep(1);
    return NULL;
}

static void another_thread_spawns_and_joins(void **state) {
    (void)state;
    pthread_t thread;
    spawn_and_forget(wait_for_thread, NULL);
    assert_int_equal(pthread_create(&thread, NULL, spawn_from_thread, NULL), 0);
    run();
    pthread_join(thread, NULL);
    assert_string_equal(trace, "thread thread thread joined there");
}

static void *cancel_from_thread(void *task) {
    lido_sleep(5);
    lido_task_cancel(task);
    return NULL;
}

static void *sleep_for_ever(void *unused) {
    (void)unused;
    saw("slept %d ", lido_sleep(1000000));
    saw("again %d ", lido_sleep(1000000));
    saw("cancelled %d", lido_task_cancelled());
    return NULL;
}

static void another_thread_cancels(void **state) {
    (void)state;
    pthread_t thread;
    lido_task *task = spawn(sleep_for_ever, NULL);
    assert_int_equal(pthread_create(&thread, NULL, cancel_from_thread, task), 0);
    run();
    pthread_join(thread, NULL);
    assert_int_equal(lido_task_join(task, NULL), LIDO_OK);
    assert_string_equal(trace, "slept 3 again 3 cancelled 1");
}

static void *stop_from_thread(void *unused) {
    (void)unused;
    lido_sleep(5);
    lido_loop_stop(loop);
    return NULL;
}

static void another_thread_stops_the_loop(void **state) {
    (void)state;
    pthread_t thread;
    spawn_and_forget(sleep_for_ever, NULL);
    assert_int_equal(pthread_create(&thread, NULL, stop_from_thread, NULL), 0);
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    pthread_join(thread, NULL);
    assert_int_equal(lido_loop_tasks(loop), 1);
    assert_string_equal(trace, ""); /* closing the loop cancels it */
}

/* ---- Sleeping, cancelling, deadlines ---- */

static void *sleep_and_say(void *ms) {
    assert_int_equal(lido_sleep((intptr_t)ms), LIDO_OK);
    saw("%d ", (int)(intptr_t)ms);
    return NULL;
}

static void sleepers_wake_in_the_order_of_their_moments(void **state) {
    (void)state;
    const intptr_t all[] = {30, 1, 20, 10, 40, 5};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        spawn_and_forget(sleep_and_say, (void *)all[i]);
    int64_t began = lido__clock_now_us();
    run();
    assert_true(lido__clock_now_us() - began >= 40000);
    assert_string_equal(trace, "1 5 10 20 30 40 ");
}

static void cancelled_before_it_began(void **state) {
    (void)state;
    lido_task *task = spawn(sleep_for_ever, NULL);
    lido_task_cancel(task);
    lido_task_cancel(task);
    run();
    lido_task_cancel(task); /* too late is no harm */
    assert_int_equal(lido_task_join(task, NULL), LIDO_OK);
    assert_string_equal(trace, "slept 3 again 3 cancelled 1");
}

static void *join_in_vain(void *slow) {
    saw("joined %d ", lido_task_join(slow, NULL));
    return NULL;
}

static void a_cancelled_join_leaves_the_handle(void **state) {
    (void)state;
    lido_task *slow = spawn(sleep_and_say, (void *)10);
    lido_task *joiner = spawn(join_in_vain, slow);
    lido_task_cancel(joiner);
    run();
    assert_int_equal(lido_task_join(slow, NULL), LIDO_OK);
    assert_int_equal(lido_task_join(joiner, NULL), LIDO_OK);
    assert_string_equal(trace, "joined 3 10 ");
}

static void *keep_a_deadline(void *unused) {
    (void)unused;
    assert_int_equal(lido_task_deadline(20), -1);
    saw("%d ", lido_sleep(1));
    saw("%d ", lido_sleep(100000));
    saw("%d ", lido_sleep(1)); /* it has passed for all that follows */
    assert_int_equal(lido_task_deadline(-1), 0);
    saw("%d ", lido_sleep(1));
    assert_int_equal(lido_task_deadline(1000), -1);
    assert_in_range(lido_task_deadline(-1), 900, 1000);
    return NULL;
}

static void a_deadline_ends_all_waiting(void **state) {
    (void)state;
    spawn_and_forget(keep_a_deadline, NULL);
    run();
    assert_string_equal(trace, "0 3 3 0 ");
}

static void a_deadline_from_the_start(void **state) {
    (void)state;
    const lido_task_options options = {.deadline_ms = 5, .name = "short"};
    lido_task_detach(lido_spawn_with(loop, &options, sleep_for_ever, NULL));
    run();
    assert_string_equal(trace, "slept 3 again 3 cancelled 0");
}

static void in_a_thread_they_do_what_they_can(void **state) {
    (void)state;
    int64_t began = lido__clock_now_us();
    assert_int_equal(lido_sleep(5), LIDO_OK);
    assert_true(lido__clock_now_us() - began >= 5000);
    lido_yield();
    assert_int_equal(lido_task_deadline(1), -1);
    assert_false(lido_task_cancelled());
}

/* ---- Values of one's own ---- */

static const char key;

static void say_freed(void *value) {
    saw("free %s ", (const char *)value);
}

static void *keep_value(void *value) {
    assert_null(lido_local(&key));
    assert_int_equal(lido_local_set(&key, value, say_freed), LIDO_OK);
    lido_yield();
    assert_ptr_equal(lido_local(&key), value);
    assert_null(lido_local(&loop));
    return NULL;
}

static void tasks_have_values_of_their_own(void **state) {
    (void)state;
    char one[] = "one";
    char two[] = "two";
    char here[] = "here";
    pthread_t thread;
    assert_int_equal(lido_local_set(&key, here, say_freed), LIDO_OK);
    spawn_and_forget(keep_value, one);
    spawn_and_forget(keep_value, two);
    run();
    assert_string_equal(trace, "free one free two ");
    assert_ptr_equal(lido_local(&key), here);
    pthread_create(&thread, NULL, keep_value, one);
    pthread_join(thread, NULL);
    assert_string_equal(trace, "free one free two free one ");
    assert_int_equal(lido_local_set(&key, NULL, NULL), LIDO_OK);
    assert_string_equal(trace, "free one free two free one free here ");
}

static void *set_errno(void *number) {
    errno = (int)(intptr_t)number;
    lido_yield();
    lido_sleep(1);
    assert_int_equal(errno, (int)(intptr_t)number);
    return NULL;
}

static void errno_is_the_tasks_own(void **state) {
    (void)state;
    spawn_and_forget(set_errno, (void *)(intptr_t)ENOENT);
    spawn_and_forget(set_errno, (void *)(intptr_t)EIO);
    run();
}

/* ---- Callbacks ---- */

static void *double_it(void *number) {
    lido_sleep(1);
    return (void *)((intptr_t)number * 2);
}

static void done(void *result, void *user) {
    assert_null(lido_task_self());
    assert_int_equal(lido_sleep(1), LIDO_ERROR);       /* it would stop the loop */
    assert_int_equal(lido_loop_run(loop), LIDO_ERROR); /* it runs */
    saw("%s %d ", (const char *)user, (int)(intptr_t)result);
}

static void what_is_submitted_is_told_when_done(void **state) {
    (void)state;
    char user[] = "twice";
    assert_int_equal(lido_submit(loop, double_it, (void *)21, done, user), LIDO_OK);
    assert_int_equal(lido_submit(loop, double_it, (void *)1, NULL, NULL), LIDO_OK);
    assert_int_equal(lido_submit(NULL, double_it, NULL, done, user), LIDO_ERROR);
    run();
    assert_string_equal(trace, "twice 42 ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(tasks_take_turns),
        TEST(a_result_is_joined_when_all_is_over),
        TEST(a_task_joins_others),
        TEST(nobody_waits_for_oneself_or_for_nothing),
        TEST(another_thread_spawns_and_joins),
        TEST(another_thread_cancels),
        TEST(another_thread_stops_the_loop),
        TEST(sleepers_wake_in_the_order_of_their_moments),
        TEST(cancelled_before_it_began),
        TEST(a_cancelled_join_leaves_the_handle),
        TEST(a_deadline_ends_all_waiting),
        TEST(a_deadline_from_the_start),
        TEST(in_a_thread_they_do_what_they_can),
        TEST(tasks_have_values_of_their_own),
        TEST(errno_is_the_tasks_own),
        TEST(what_is_submitted_is_told_when_done),
    };
    return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
