/* Who has a connection, and whom a cancel hits: the word that holder and canceller share. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "await/await.h"
#include "base/clock.h"
#include "core/hold.h"

static lido__connection connection;
static const lido__lease first = {.holder = "first", .owner = 1, .file = "first.c", .line = 11};
static const lido__lease second = {.holder = "second", .owner = 2, .file = "second.c", .line = 22};

static int begin(void **state) {
    (void)state;
    memset(&connection, 0, sizeof connection);
    return 0;
}

static void what_is_not_held_has_no_holder(void **state) {
    (void)state;
    lido__holding holding;
    assert_false(lido__hold_read(&connection, &holding));
    lido__hold_begin(&connection, &first);
    assert_true(lido__hold_read(&connection, &holding));
    assert_string_equal(holding.lease.file, "first.c");
    assert_int_equal(holding.lease.line, 11);
    assert_true(lido__hold_end(&connection));
    assert_false(lido__hold_read(&connection, &holding));
}

static void a_cancel_hits_what_runs_and_nothing_else(void **state) {
    (void)state;
    lido__holding holding;
    lido__hold_begin(&connection, &first);
    assert_true(lido__hold_read(&connection, &holding));
    lido__hold_pause(&connection);
    assert_false(lido__hold_cancel(&connection, &holding)); /* between two statements */
    assert_false(connection.stop);
    lido__hold_go_on(&connection);
    assert_true(lido__hold_cancel(&connection, &holding));
    assert_true(connection.stop);
    assert_int_equal(lido__hold_cancelled(&connection), 0);
}

/* A server that answers knows of what it runs; which is forgotten with the next. */
static void what_answers_does_so_until_it_is_over(void **state) {
    (void)state;
    lido__holding holding;
    lido__hold_begin(&connection, &first);
    assert_true(lido__hold_read(&connection, &holding));
    assert_false(lido__hold_is_answering(&connection));
    lido__hold_answers(&connection);
    assert_true(lido__hold_cancel(&connection, &holding));
    assert_true(lido__hold_is_answering(&connection));
    assert_true(lido__hold_runs(&connection, &holding));
    assert_int_equal(lido__hold_cancels(&connection), 1);
    assert_int_equal(lido__hold_cancelled(&connection), 0);
    lido__hold_pause(&connection);
    assert_false(lido__hold_is_answering(&connection));
    lido__hold_go_on(&connection);
    assert_false(lido__hold_is_answering(&connection));
    lido__hold_answers(&connection);
    assert_true(lido__hold_end(&connection));
    lido__hold_begin(&connection, &second);
    assert_false(lido__hold_is_answering(&connection));
}

/* Who cancels may wait for a server that does not answer him. */
static void who_lets_go_does_not_wait_for_ever(void **state) {
    (void)state;
    lido__holding holding;
    lido__hold_begin(&connection, &first);
    assert_true(lido__hold_read(&connection, &holding));
    assert_true(lido__hold_cancel(&connection, &holding));
    lido__hold_rest_until(&connection, lido__clock_now_us() + 20000);
    assert_false(lido__hold_runs(&connection, &holding));
    assert_int_equal(lido__hold_cancels(&connection), 1);
    assert_false(lido__hold_end(&connection));
    assert_int_equal(lido__hold_cancelled(&connection), 0);
    assert_true(lido__hold_end(&connection));
}

static void a_cancel_that_comes_too_late_does_not_hit_the_next_holder(void **state) {
    (void)state;
    lido__holding holding;
    lido__hold_begin(&connection, &first);
    assert_true(lido__hold_read(&connection, &holding));
    assert_true(lido__hold_end(&connection));
    assert_false(lido__hold_cancel(&connection, &holding));
    lido__hold_begin(&connection, &second);
    assert_false(lido__hold_cancel(&connection, &holding));
    assert_false(connection.stop);
}

static void what_is_being_cancelled_is_not_let_go_without_the_lock(void **state) {
    (void)state;
    lido__holding holding;
    lido__hold_begin(&connection, &first);
    assert_true(lido__hold_read(&connection, &holding));
    assert_true(lido__hold_cancel(&connection, &holding));
    assert_true(lido__hold_cancel(&connection, &holding));
    assert_false(lido__hold_end(&connection));
    assert_int_equal(lido__hold_end_anyway(&connection), 2);
    assert_false(lido__hold_read(&connection, &holding));
    assert_int_equal(lido__hold_cancelled(&connection), 1);
    assert_int_equal(lido__hold_cancelled(&connection), 0);
}

static void *be_through_with_it(void *argument) {
    atomic_bool *through = argument;
    lido__await_moment(lido__clock_now_us() + 20000);
    atomic_store(through, true);
    lido__hold_cancelled(&connection);
    return NULL;
}

static void the_next_statement_waits_until_a_cancel_is_through(void **state) {
    (void)state;
    lido__holding holding;
    pthread_t canceller;
    atomic_bool through = false;
    lido__hold_begin(&connection, &first);
    assert_true(lido__hold_read(&connection, &holding));
    assert_true(lido__hold_cancel(&connection, &holding));
    lido__hold_pause(&connection); /* the statement ended by itself meanwhile */
    assert_int_equal(pthread_create(&canceller, NULL, be_through_with_it, &through), 0);
    lido__hold_go_on(&connection);
    assert_true(atomic_load(&through));
    assert_false(connection.stop);
    pthread_join(canceller, NULL);
}

/* One takes and lets go under two names in turn, another reads: never half of each. */
static void *change_hands(void *argument) {
    atomic_bool *over = argument;
    for (int i = 0; i < 20000; i++) {
        lido__hold_begin(&connection, i % 2 == 0 ? &first : &second);
        lido__hold_end(&connection);
    }
    atomic_store(over, true);
    return NULL;
}

static void a_holder_is_read_whole(void **state) {
    (void)state;
    pthread_t holder;
    atomic_bool over = false;
    uint64_t times = 0;
    assert_int_equal(pthread_create(&holder, NULL, change_hands, &over), 0);
    while (!atomic_load(&over)) {
        lido__holding holding;
        if (!lido__hold_read(&connection, &holding))
            continue;
        const lido__lease *whole = holding.lease.owner == 1 ? &first : &second;
        assert_ptr_equal(holding.lease.holder, whole->holder);
        assert_ptr_equal(holding.lease.file, whole->file);
        assert_int_equal(holding.lease.line, whole->line);
        assert_true(holding.times >= times);
        times = holding.times;
    }
    pthread_join(holder, NULL);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_held_has_no_holder),
        TEST(a_cancel_hits_what_runs_and_nothing_else),
        TEST(what_answers_does_so_until_it_is_over),
        TEST(who_lets_go_does_not_wait_for_ever),
        TEST(a_cancel_that_comes_too_late_does_not_hit_the_next_holder),
        TEST(what_is_being_cancelled_is_not_let_go_without_the_lock),
        TEST(the_next_statement_waits_until_a_cancel_is_through),
        TEST(a_holder_is_read_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
