/* The pool while the server cannot be reached, and after it was lost: pauses, probes, generations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fault.h"
#include "support/scripted.h"

enum { PAUSE_MS = 50, PAUSE_MOST_MS = 5000 };

/* The `count`-th failure in a row: it pauses between half of the most and all of it. */
static int64_t most_of_pause_us(int count) {
    int64_t most = PAUSE_MS;
    for (int i = 1; i < count; i++)
        most *= 2;
    return (most < PAUSE_MOST_MS ? most : PAUSE_MOST_MS) * 1000;
}

static int64_t left_of_pause_us(void) {
    return pool.down_until - lido__clock_now_us();
}

static void let_pause_end(void) {
    time_passes_us(left_of_pause_us());
}

/* A pool that has just failed to open its first connection, and whose next openings fail, too. */
static void make_pool_that_is_down(int size) {
    time_stands_still();
    make_pool(size, 0);
    let_fail(1000);
    assert_refused(LIDO_ERROR_DISCONNECTED);
    assert_true(stats_now().down);
}

/* ---- Down ---- */

static void a_pool_that_is_down_does_not_try_before_the_pause_is_over(void **state) {
    (void)state;
    config.pool_timeout_ms = 0;
    make_pool_that_is_down(3);
    time_passes_us(left_of_pause_us() - 1);
    assert_refused(LIDO_ERROR_DISCONNECTED);
    assert_int_equal(database.attempts, 1);
    time_passes_us(1);
    assert_refused(LIDO_ERROR_DISCONNECTED);
    assert_int_equal(database.attempts, 2);
}

static void who_is_refused_during_the_pause_hears_why_the_last_attempt_failed(void **state) {
    (void)state;
    config.pool_timeout_ms = 0;
    make_pool_that_is_down(3);
    assert_null(acquire());
    assert_string_equal(told.message, "nobody opened");
    lido_pool_stats stats = stats_now();
    assert_int_equal(stats.timeouts, 1);
    assert_int_equal(stats.failed_connects, 1);
    assert_int_equal(stats.open, 0);
}

static void the_pause_grows_and_has_a_bound(void **state) {
    (void)state;
    make_pool_that_is_down(3);
    for (int count = 1; count <= 20; count++) {
        assert_int_equal(database.attempts, count);
        assert_in_range(left_of_pause_us(), most_of_pause_us(count) / 2, most_of_pause_us(count));
        let_pause_end();
        assert_refused(LIDO_ERROR_DISCONNECTED);
    }
}

static void pauses_differ_so_that_not_all_knock_at_once(void **state) {
    (void)state;
    enum { MANY = 40 };
    int different = 0;
    int64_t last = 0;
    make_pool_that_is_down(1);
    for (int i = 0; i < MANY; i++) {
        let_pause_end();
        assert_refused(LIDO_ERROR_DISCONNECTED);
        different += left_of_pause_us() != last;
        last = left_of_pause_us();
    }
    assert_true(different > MANY / 2);
}

static void after_a_success_the_pause_starts_small_again(void **state) {
    (void)state;
    make_pool_that_is_down(1);
    for (int i = 0; i < 5; i++) {
        let_pause_end();
        assert_refused(LIDO_ERROR_DISCONNECTED);
    }
    let_fail(0);
    let_pause_end();
    lido__connection *connection = acquire_surely();
    assert_false(stats_now().down);
    connection->broken = true;
    release(connection);
    let_fail(1);
    assert_refused(LIDO_ERROR_DISCONNECTED);
    assert_in_range(left_of_pause_us(), most_of_pause_us(1) / 2, most_of_pause_us(1));
}

/* Ten at once fail as one: it was one server that did not answer. */
static void failures_at_the_same_time_count_as_one(void **state) {
    (void)state;
    enum { MANY = 10 };
    customer customers[MANY];
    time_stands_still();
    make_pool(MANY, 0);
    let_open(false);
    let_fail(MANY);
    for (int i = 0; i < MANY; i++)
        let_come(&customers[i], true);
    wait_until_opening(MANY);
    let_open(true);
    for (int i = 0; i < MANY; i++)
        wait_for(&customers[i]);
    assert_int_equal(stats_now().failed_connects, MANY);
    assert_in_range(left_of_pause_us(), most_of_pause_us(1) / 2, most_of_pause_us(1));
}

static void what_counts_as_out_of_reach(void **state) {
    (void)state;
    static const struct {
        lido_category category;
        bool down;
    } kinds[] = {{LIDO_ERROR_DISCONNECTED, true},   {LIDO_ERROR_TIMEOUT, true},        {LIDO_ERROR_PERMISSION, true},
                 {LIDO_ERROR_CONFIGURATION, true},  {LIDO_ERROR_OUT_OF_MEMORY, false}, {LIDO_ERROR_BUSY, false},
                 {LIDO_ERROR_POOL_EXHAUSTED, false}};
    time_stands_still();
    make_pool(2, 0);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        database.failures = 1;
        database.failure = kinds[i].category;
        assert_refused(kinds[i].category);
        assert_int_equal(stats_now().down, kinds[i].down);
        time_passes_ms(PAUSE_MOST_MS);
        release(acquire_surely());
        lido__connection *connection = acquire_surely();
        connection->broken = true;
        release(connection);
    }
}

static void connections_that_are_there_are_lent_while_the_pool_is_down(void **state) {
    (void)state;
    time_stands_still();
    make_pool(2, 0);
    lido__connection *first = acquire_surely();
    let_fail(1);
    assert_refused(LIDO_ERROR_DISCONNECTED);
    release(first);
    assert_ptr_equal(acquire_surely(), first);
    assert_true(stats_now().down);
    release(first);
}

/* ---- Probing ---- */

static void only_one_probes_and_the_others_go_on_with_it(void **state) {
    (void)state;
    customer prober;
    customer others[3];
    make_pool_that_is_down(4);
    let_fail(0);
    let_open(false);
    let_pause_end();
    let_come_as(&prober, 1);
    wait_until_opening(1);
    for (uint64_t i = 0; i < 3; i++)
        let_queue_as(&others[i], 2 + i);
    assert_int_equal(database.attempts, 2);
    let_open(true);
    wait_for(&prober);
    release(prober.got);
    for (int i = 0; i < 3; i++) {
        wait_for(&others[i]);
        assert_non_null(others[i].got);
        release(others[i].got);
    }
}

static void only_one_probes_and_the_others_fail_with_it(void **state) {
    (void)state;
    customer prober;
    customer others[3];
    make_pool_that_is_down(4);
    let_open(false);
    let_pause_end();
    let_come(&prober, true);
    wait_until_opening(1);
    for (int i = 0; i < 3; i++)
        let_queue(&others[i], true);
    let_open(true);
    wait_for(&prober);
    for (int i = 0; i < 3; i++) {
        wait_for(&others[i]);
        assert_int_equal(others[i].error.category, LIDO_ERROR_DISCONNECTED);
    }
    assert_int_equal(database.attempts, 2);
    assert_in_range(left_of_pause_us(), most_of_pause_us(2) / 2, most_of_pause_us(2));
}

/* Whatever a probe fails with: those who relied on it must not wait on for nothing. */
static void a_probe_that_fails_in_another_way_is_told_to_who_waits(void **state) {
    (void)state;
    customer prober;
    customer waiting;
    make_pool_that_is_down(2);
    database.failure = LIDO_ERROR_OUT_OF_MEMORY;
    let_open(false);
    let_pause_end();
    let_come(&prober, true);
    wait_until_opening(1);
    let_queue(&waiting, true);
    let_open(true);
    wait_for(&prober);
    wait_for(&waiting);
    assert_int_equal(prober.error.category, LIDO_ERROR_OUT_OF_MEMORY);
    assert_int_equal(waiting.error.category, LIDO_ERROR_OUT_OF_MEMORY);
}

/* Its opening takes so long that the pool goes down, and is probed, meanwhile. */
static void who_began_before_the_pool_went_down_does_not_end_the_probe(void **state) {
    (void)state;
    customer slow, quick, prober, other;
    time_stands_still();
    make_pool(4, 0);
    let_open(false);
    let_fail(1000);
    let_come(&slow, false);
    wait_until_opening(1);
    let_come(&quick, false);
    wait_until_opening(2);
    let_through(2);
    wait_for(&quick);
    assert_true(stats_now().down);
    let_pause_end();
    let_come(&prober, false);
    wait_until_opening(2);
    let_through(1);
    wait_for(&slow);
    let_pause_end();
    let_queue(&other, true); /* and is no second prober */
    assert_int_equal(database.attempts, 3);
    let_open(true);
    wait_for(&prober);
    wait_for(&other);
    assert_int_equal(database.attempts, 3);
}

static void who_waits_out_the_pause_becomes_the_prober(void **state) {
    (void)state;
    customer customers[2];
    make_pool_that_is_down(2);
    let_fail(0);
    let_queue(&customers[0], false);
    let_queue(&customers[1], false);
    assert_int_equal(database.attempts, 1);
    let_pause_end();
    for (int i = 0; i < 2; i++) {
        wait_for(&customers[i]);
        assert_non_null(customers[i].got);
    }
    assert_false(stats_now().down);
}

static void who_waits_is_served_by_who_gives_back_while_the_pool_is_down(void **state) {
    (void)state;
    customer waiting;
    time_stands_still();
    make_pool(2, 0);
    lido__connection *connection = acquire_surely();
    let_fail(1);
    assert_refused(LIDO_ERROR_DISCONNECTED);
    let_queue(&waiting, true);
    release(connection);
    wait_for(&waiting);
    assert_int_equal(waiting.number, 1);
    assert_int_equal(database.attempts, 2);
}

/* Idle connections that died with the server are no way around the pause. */
static void a_dead_connection_is_not_replaced_during_the_pause(void **state) {
    (void)state;
    config.pool_timeout_ms = 0;
    time_stands_still();
    make_pool(3, 0);
    lido__connection *dying = acquire_surely();
    lido__connection *living = acquire_surely();
    let_fail(1);
    assert_refused(LIDO_ERROR_DISCONNECTED);
    release(living);
    release(dying);
    of(dying)->dead = true;
    time_passes_ms(20);
    lido__connection *got = acquire_surely(); /* the next one, rather than a new one */
    assert_ptr_equal(got, living);
    of(living)->dead = true;
    release(living);
    time_passes_us(left_of_pause_us() - 1);
    assert_refused(LIDO_ERROR_DISCONNECTED);
    assert_int_equal(database.attempts, 3);
    assert_int_equal(stats_now().open, 0);
    assert_int_equal(stats_now().acquires, 5);
    let_pause_end();
    release(acquire_surely());
}

static void a_pool_that_lost_everything_recovers(void **state) {
    (void)state;
    enum { SIZE = 3 };
    lido__connection *taken[SIZE];
    time_stands_still();
    make_pool(SIZE, 0);
    for (int i = 0; i < SIZE; i++)
        taken[i] = acquire_surely();
    for (int i = 0; i < SIZE; i++) {
        taken[i]->broken = taken[i]->server_gone = true;
        release(taken[i]);
    }
    assert_int_equal(stats_now().open, 0);
    let_fail(3);
    for (int i = 0; i < 3; i++) {
        assert_refused(LIDO_ERROR_DISCONNECTED);
        let_pause_end();
    }
    for (int i = 0; i < SIZE; i++)
        taken[i] = acquire_surely();
    assert_int_equal(stats_now().open, SIZE);
    for (int i = 0; i < SIZE; i++)
        release(taken[i]);
    assert_int_equal(stats_now().idle, SIZE);
}

/* ---- Generations ---- */

static void when_the_server_goes_idle_connections_are_closed_at_once(void **state) {
    (void)state;
    make_pool(3, 0);
    lido__connection *lost = acquire_surely();
    lido__connection *first = acquire_surely();
    release(acquire_surely());
    release(first);
    assert_int_equal(database.open, 3);
    lost->server_gone = true;
    release(lost);
    assert_int_equal(database.open, 0);
    assert_int_equal(stats_now().invalidated, 2);
    assert_int_equal(stats_now().open, 0);
}

static void when_the_server_goes_those_in_use_are_closed_on_return(void **state) {
    (void)state;
    make_pool(3, 0);
    lido__connection *lost = acquire_surely();
    lido__connection *working = acquire_surely();
    lost->server_gone = true;
    release(lost);
    assert_int_equal(database.open, 1); /* it may get its answer yet */
    release(working);
    assert_int_equal(database.open, 0);
    assert_int_equal(stats_now().invalidated, 1);
}

static void one_lost_server_is_lost_once(void **state) {
    (void)state;
    make_pool(3, 0);
    lido__connection *first = acquire_surely();
    lido__connection *second = acquire_surely();
    first->server_gone = true;
    release(first);
    lido__connection *fresh = acquire_surely(); /* from the server that came after it */
    release(fresh);
    second->server_gone = true; /* speaks of the one before */
    release(second);
    assert_ptr_equal(acquire_surely(), fresh);
    release(fresh);
}

static void a_connection_whose_opening_began_before_the_loss_is_not_trusted(void **state) {
    (void)state;
    customer opening;
    make_pool(3, 0);
    lido__connection *lost = acquire_surely();
    let_open(false);
    let_come_as(&opening, 1);
    wait_until_opening(1);
    lost->server_gone = true;
    release(lost);
    let_open(true);
    wait_for(&opening);
    assert_non_null(opening.got); /* good enough for who has it, */
    release(opening.got);         /* but for nobody else */
    assert_int_equal(database.open, 0);
    lido__connection *fresh = acquire_surely();
    assert_int_equal(number_of(fresh), 3);
    release(fresh);
    assert_int_equal(database.open, 1);
}

static void who_waits_gets_a_new_connection_when_the_server_went(void **state) {
    (void)state;
    customer customers[2];
    make_pool(2, 0);
    lido__connection *first = acquire_surely();
    lido__connection *second = acquire_surely();
    let_queue(&customers[0], true);
    let_queue(&customers[1], true);
    first->server_gone = true;
    release(first);
    wait_for(&customers[0]);
    wait_for(&customers[1]);
    assert_int_not_equal(customers[0].number, 2);
    assert_int_not_equal(customers[1].number, 2);
    release(second);
}

static void a_look_that_finds_the_server_gone_lets_all_idle_ones_go(void **state) {
    (void)state;
    make_pool(3, 0);
    lido__connection *first = acquire_surely();
    lido__connection *second = acquire_surely();
    release(second);
    release(first);
    of(first)->gone = true;
    time_passes_ms(20);
    lido__connection *fresh = acquire_surely();
    assert_int_equal(number_of(fresh), 3);
    assert_int_equal(database.looks, 1);
    assert_int_equal(database.open, 1);
    assert_int_equal(stats_now().invalidated, 2);
    release(fresh);
    assert_int_equal(stats_now().idle, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        POOL_TEST(a_pool_that_is_down_does_not_try_before_the_pause_is_over),
        POOL_TEST(who_is_refused_during_the_pause_hears_why_the_last_attempt_failed),
        POOL_TEST(the_pause_grows_and_has_a_bound),
        POOL_TEST(pauses_differ_so_that_not_all_knock_at_once),
        POOL_TEST(after_a_success_the_pause_starts_small_again),
        POOL_TEST(failures_at_the_same_time_count_as_one),
        POOL_TEST(what_counts_as_out_of_reach),
        POOL_TEST(connections_that_are_there_are_lent_while_the_pool_is_down),
        POOL_TEST(only_one_probes_and_the_others_go_on_with_it),
        POOL_TEST(only_one_probes_and_the_others_fail_with_it),
        POOL_TEST(a_probe_that_fails_in_another_way_is_told_to_who_waits),
        POOL_TEST(who_began_before_the_pool_went_down_does_not_end_the_probe),
        POOL_TEST(who_waits_out_the_pause_becomes_the_prober),
        POOL_TEST(who_waits_is_served_by_who_gives_back_while_the_pool_is_down),
        POOL_TEST(a_dead_connection_is_not_replaced_during_the_pause),
        POOL_TEST(a_pool_that_lost_everything_recovers),
        POOL_TEST(when_the_server_goes_idle_connections_are_closed_at_once),
        POOL_TEST(when_the_server_goes_those_in_use_are_closed_on_return),
        POOL_TEST(one_lost_server_is_lost_once),
        POOL_TEST(a_connection_whose_opening_began_before_the_loss_is_not_trusted),
        POOL_TEST(who_waits_gets_a_new_connection_when_the_server_went),
        POOL_TEST(a_look_that_finds_the_server_gone_lets_all_idle_ones_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
