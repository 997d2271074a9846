/* Looking again before falling asleep: where it pays it is done, where it does not it is left, at once. Time is the
 * test's: it passes while an answer is looked for, and while the thread sleeps. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <lido/task.h>

#include "await/spin.h"
#include "base/clock.h"
#include "base/processors.h"

enum { LOOK_US = 1, MOST_US = 50, MANY = 100000 };

static int64_t now;

static int64_t test_clock(void) {
    return now;
}

/* The other side: how long it takes to answer while we look, and while we sleep; and what was made of that. */
typedef struct answers {
    int64_t looked_us;
    int64_t slept_us;
    int64_t asked_at;
    int looks;
    int sleeps;
    int64_t looking_us;
    lido__spin spin;
    struct answers *others; /* somebody else waits for them, while we sleep */
} answers;

static bool look(void *argument) {
    answers *of = argument;
    now += LOOK_US;
    of->looking_us += LOOK_US;
    return now - of->asked_at >= of->looked_us;
}

static void ask(answers *of, int times);

static lido__await_outcome sleep_for_answer(const lido__wait *wait, int64_t deadline) {
    answers *of = wait->argument;
    (void)deadline;
    of->sleeps++;
    if (of->others != NULL)
        ask(of->others, 1);
    now = now > of->asked_at + of->slept_us ? now : of->asked_at + of->slept_us;
    return LIDO__AWAIT_READY;
}

static void ask(answers *of, int times) {
    lido__wait wait = {.kind = LIDO__WAIT_DESCRIPTOR, .read = true, .spin = &of->spin, .look = look, .argument = of};
    for (int i = 0; i < times; i++) {
        int sleeps = of->sleeps;
        of->asked_at = now;
        assert_int_equal(lido__spin_or_sleep(&wait, LIDO__NO_DEADLINE, sleep_for_answer), LIDO__AWAIT_READY);
        of->looks += of->sleeps == sleeps;
    }
}

static answers answers_in(int64_t looked_us, int64_t slept_us) {
    return (answers){.looked_us = looked_us, .slept_us = slept_us, .spin = {.most_us = MOST_US}};
}

static int begin(void **state) {
    (void)state;
    now = 1000000;
    lido__clock_replace(test_clock);
    lido__spin_replace_processors(4);
    return 0;
}

static int end(void **state) {
    (void)state;
    lido__clock_replace(NULL);
    lido__spin_replace_processors(0);
    return 0;
}

/* ---- When ---- */

static void what_comes_sooner_when_looked_for_is_looked_for(void **state) {
    (void)state;
    answers quick = answers_in(16, 66);
    ask(&quick, MANY);
    assert_in_range(quick.looks, MANY - MANY / 100, MANY - 1);
}

/* Client and server share a processor: while one looks, the other does not run. */
static void what_never_comes_while_looked_for_costs_next_to_nothing(void **state) {
    (void)state;
    answers shared = answers_in(INT32_MAX, 12);
    ask(&shared, MANY);
    assert_int_equal(shared.looks, 0);
    assert_true(shared.looking_us > 0); /* it was tried */
    assert_true(shared.looking_us * 100 < INT64_C(12) * MANY);
    int64_t before = shared.looking_us;
    ask(&shared, 1000); /* by now it is tried rarely */
    assert_true(shared.looking_us - before <= 2 * MOST_US);
}

static void what_comes_as_soon_asleep_is_slept_for(void **state) {
    (void)state;
    answers same = answers_in(20, 22);
    ask(&same, MANY);
    assert_in_range(same.looks, 1, MANY / 100);
}

static void what_takes_longer_than_one_may_look_is_slept_for(void **state) {
    (void)state;
    answers slow = answers_in(MOST_US + 1, 500);
    ask(&slow, MANY);
    assert_int_equal(slow.looks, 0);
    assert_true(slow.looking_us * 100 < INT64_C(500) * MANY);
}

static void a_change_is_noticed_either_way(void **state) {
    (void)state;
    answers of = answers_in(16, 66);
    ask(&of, 1000);
    of.looked_us = INT32_MAX;
    of.looks = of.sleeps = 0;
    int64_t before = of.looking_us;
    ask(&of, 1000);
    assert_true(of.looking_us - before < 12 * MOST_US);
    of.looked_us = 16;
    ask(&of, 10000);
    of.looks = 0;
    ask(&of, 10000);
    assert_in_range(of.looks, 9800, 10000);
}

/* Sleeping, too, can become quicker: two that were apart may have come together. */
static void sleeping_is_measured_anew_now_and_then(void **state) {
    (void)state;
    answers of = answers_in(16, 66);
    ask(&of, 1000);
    of.slept_us = 12;
    ask(&of, 10000);
    of.looks = 0;
    ask(&of, 10000);
    assert_in_range(of.looks, 0, 500);
}

/* What one slow statement in a while takes, nobody loses by. */
static void one_miss_in_many_changes_nothing(void **state) {
    (void)state;
    answers of = answers_in(16, 66);
    ask(&of, 100);
    of.looks = 0;
    for (int i = 0; i < 100; i++) {
        of.looked_us = 10000;
        ask(&of, 1);
        of.looked_us = 16;
        ask(&of, 9);
    }
    assert_in_range(of.looks, 870, 900);
}

/* ---- Where ---- */

/* Others who wait, too, have work for the processors. */
static void nobody_looks_where_many_wait(void **state) {
    (void)state;
    answers inner = answers_in(16, 66);
    answers outer = answers_in(INT32_MAX, 66);
    outer.others = &inner;
    lido__spin_replace_processors(2);
    ask(&outer, 1000);
    assert_int_equal(inner.looks, 0);
    assert_int_equal(inner.looking_us, 0);
    lido__spin_replace_processors(4);
    ask(&outer, 1000);
    assert_in_range(inner.looks, 900, 1000);
}

static void nobody_looks_where_there_is_one_processor(void **state) {
    (void)state;
    answers quick = answers_in(16, 66);
    lido__spin_replace_processors(1);
    ask(&quick, 1000);
    assert_int_equal(quick.looks, 0);
    assert_int_equal(quick.looking_us, 0);
}

/* What another container has, or taskset has left to others, does no work here. */
static void only_processors_that_may_be_used_count(void **state) {
    (void)state;
    cpu_set_t before;
    cpu_set_t one;
    size_t first = 0;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_int_equal(lido__processors_count(), CPU_COUNT(&before));
    while (!CPU_ISSET(first, &before))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(lido__processors_count(), 1);
    answers inner = answers_in(16, 66);
    answers outer = answers_in(INT32_MAX, 66);
    outer.others = &inner;
    lido__spin_replace_processors(0);
    ask(&outer, 1000);
    assert_int_equal(inner.looks, 0);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

/* ---- In the seam ---- */

static bool count_look(void *argument) {
    ++*(int *)argument;
    return true;
}

static void wait_for_pipe(int most_us, int *looks) {
    int ends[2];
    lido__spin spin = {.most_us = most_us, .slept_us = 1000};
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    lido__wait wait = {.kind = LIDO__WAIT_DESCRIPTOR,
                       .descriptor = ends[0],
                       .read = true,
                       .spin = &spin,
                       .look = looks != NULL ? count_look : NULL,
                       .argument = looks};
    assert_int_equal(lido__await(&wait, LIDO__NO_DEADLINE), LIDO__AWAIT_READY);
    close(ends[0]);
    close(ends[1]);
}

static void a_descriptor_is_looked_at(void **state) {
    (void)state;
    int looks = 0;
    wait_for_pipe(MOST_US, &looks);
    assert_int_equal(looks, 1);
    wait_for_pipe(MOST_US, NULL); /* by its own means */
}

static void zero_turns_it_off(void **state) {
    (void)state;
    int looks = 0;
    wait_for_pipe(0, &looks);
    assert_int_equal(looks, 0);
}

static void *wait_in_task(void *looks) {
    wait_for_pipe(MOST_US, looks);
    return NULL;
}

static void a_task_never_looks(void **state) {
    (void)state;
    int looks = 0;
    lido__clock_replace(NULL);
    lido_loop *loop = lido_loop_new(NULL, NULL);
    assert_non_null(loop);
    lido_task *task = lido_spawn(loop, wait_in_task, &looks);
    assert_non_null(task);
    lido_task_detach(task);
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    lido_loop_close(loop);
    assert_int_equal(looks, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_comes_sooner_when_looked_for_is_looked_for),
        TEST(what_never_comes_while_looked_for_costs_next_to_nothing),
        TEST(what_comes_as_soon_asleep_is_slept_for),
        TEST(what_takes_longer_than_one_may_look_is_slept_for),
        TEST(a_change_is_noticed_either_way),
        TEST(sleeping_is_measured_anew_now_and_then),
        TEST(one_miss_in_many_changes_nothing),
        TEST(nobody_looks_where_many_wait),
        TEST(nobody_looks_where_there_is_one_processor),
        TEST(only_processors_that_may_be_used_count),
        TEST(a_descriptor_is_looked_at),
        TEST(zero_turns_it_off),
        TEST(a_task_never_looks),
    };
    return cmocka_run_group_tests_name("spin", tests, NULL, NULL);
}
