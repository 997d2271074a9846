/* Looking before using, and asking: which connections are trusted, and what is counted on the way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fault.h"
#include "support/scripted.h"

enum { PING_AFTER_MS = 30000, PING_MOST_MS = 2000 };

static void make_asking_pool(int size) {
    config.pool_ping_after_ms = PING_AFTER_MS;
    time_stands_still();
    make_pool(size, 0);
}

/* ---- Asking ---- */

static void one_that_was_idle_for_long_is_asked(void **state) {
    (void)state;
    make_asking_pool(1);
    release(acquire_surely());
    time_passes_us(PING_AFTER_MS * 1000 - 1);
    release(acquire_surely());
    assert_int_equal(database.pings, 0);
    assert_int_equal(database.looks, 1);
    time_passes_ms(PING_AFTER_MS);
    release(acquire_surely());
    assert_int_equal(database.pings, 1);
    assert_int_equal(database.attempts, 1);
}

static void asking_has_a_deadline_of_its_own(void **state) {
    (void)state;
    make_asking_pool(1);
    release(acquire_surely());
    time_passes_ms(PING_AFTER_MS);
    release(acquire_surely());
    assert_int_equal(database.most_ms_for_a_ping, PING_MOST_MS);
}

static void one_that_does_not_answer_is_replaced(void **state) {
    (void)state;
    make_asking_pool(1);
    release(acquire_surely());
    time_passes_ms(PING_AFTER_MS);
    database.deaf = true;
    lido__connection *fresh = acquire_surely();
    assert_int_equal(number_of(fresh), 2);
    assert_int_equal(database.open, 1);
    assert_int_equal(stats_now().invalidated, 1);
    release(fresh);
}

static void one_that_is_seen_to_be_dead_is_not_asked(void **state) {
    (void)state;
    make_asking_pool(1);
    lido__connection *connection = acquire_surely();
    of(connection)->dead = true;
    release(connection);
    time_passes_ms(PING_AFTER_MS);
    release(acquire_surely());
    assert_int_equal(database.pings, 0);
}

static void one_that_is_too_old_is_neither_looked_at_nor_asked(void **state) {
    (void)state;
    config.pool_recycle_ms = PING_AFTER_MS;
    make_asking_pool(1);
    without_keeper();
    release(acquire_surely());
    time_passes_ms(PING_AFTER_MS);
    release(acquire_surely());
    assert_int_equal(database.pings + database.looks, 0);
    assert_int_equal(stats_now().recycled, 1);
    assert_int_equal(stats_now().invalidated, 0);
}

static void without_pre_ping_nobody_is_asked(void **state) {
    (void)state;
    config.pool_pre_ping = false;
    make_asking_pool(1);
    release(acquire_surely());
    time_passes_ms(PING_AFTER_MS * 10);
    release(acquire_surely());
    assert_int_equal(database.pings + database.looks, 0);
}

static void asking_holds_up_nobody_else(void **state) {
    (void)state;
    customer asking;
    make_asking_pool(2);
    lido__connection *other = acquire_surely();
    release(acquire_surely());
    time_passes_ms(PING_AFTER_MS);
    let_pings_end(false);
    let_come(&asking, true);
    wait_until_pinging(1);
    release(other);
    assert_ptr_equal(acquire_surely(), other);
    assert_int_equal(stats_now().in_use, 2);
    release(other);
    let_pings_end(true);
    wait_for(&asking);
    assert_int_equal(asking.number, 2);
}

/* ---- Doubts ---- */

static void make_doubting_pool(void) {
    config.pool_pre_ping = false; /* that is about the network */
    time_stands_still();
    make_pool(3, 0);
    lido__connection *held[3];
    for (int i = 0; i < 3; i++)
        held[i] = acquire_surely();
    held[2]->doubted = true;
    for (int i = 0; i < 3; i++)
        release(held[i]);
}

static void one_that_is_doubted_is_asked_once(void **state) {
    (void)state;
    make_doubting_pool();
    lido__connection *doubted = acquire_surely();
    assert_int_equal(number_of(doubted), 3);
    release(doubted);
    release(acquire_surely());
    assert_int_equal(database.pings, 1);
    assert_int_equal(database.most_ms_for_a_ping, PING_MOST_MS);
    assert_int_equal(stats_now().invalidated, 0);
}

static void when_it_says_that_its_server_refuses_all_are_replaced(void **state) {
    (void)state;
    make_doubting_pool();
    database.demoted = true;
    lido__connection *fresh = acquire_surely();
    assert_int_equal(number_of(fresh), 4);
    assert_int_equal(stats_now().invalidated, 3);
    assert_int_equal(database.open, 1);
    release(fresh);
}

/* It goes to who waits as it is, and he asks. */
static void who_is_handed_one_that_is_doubted_asks(void **state) {
    (void)state;
    customer waiting;
    make_pool(1, 0);
    lido__connection *doubted = acquire_surely();
    let_queue(&waiting, true);
    doubted->doubted = database.demoted = true;
    release(doubted);
    wait_for(&waiting);
    assert_int_equal(waiting.number, 2);
    assert_int_equal(database.pings, 1);
}

/* ---- Age ---- */

static void one_that_comes_back_too_old_is_closed(void **state) {
    (void)state;
    config.pool_recycle_ms = 60000;
    time_stands_still();
    make_pool(1, 0);
    without_keeper();
    lido__connection *connection = acquire_surely();
    time_passes_ms(60000);
    release(connection);
    assert_int_equal(database.open, 0);
    assert_int_equal(stats_now().recycled, 1);
    release(acquire_surely());
    assert_int_equal(stats_now().recycled, 1);
}

static void who_waits_for_one_that_comes_back_too_old_opens_another(void **state) {
    (void)state;
    customer waiting;
    config.pool_recycle_ms = 60000;
    time_stands_still();
    make_pool(1, 0);
    without_keeper();
    lido__connection *connection = acquire_surely();
    let_queue(&waiting, true);
    time_passes_ms(60000);
    release(connection);
    wait_for(&waiting);
    assert_int_equal(waiting.number, 2);
    assert_int_equal(database.most, 1);
}

static void one_that_goes_for_two_reasons_is_counted_for_one(void **state) {
    (void)state;
    config.pool_recycle_ms = 60000;
    time_stands_still();
    make_pool(3, 0);
    without_keeper();
    lido__connection *lost = acquire_surely();
    lido__connection *old = acquire_surely();
    lido__connection *broken = acquire_surely();
    time_passes_ms(60000);
    lost->server_gone = true;
    release(lost);
    release(old); /* of an earlier generation, and too old */
    broken->broken = true;
    release(broken);
    assert_int_equal(stats_now().invalidated, 1);
    assert_int_equal(stats_now().recycled, 0);
    assert_int_equal(database.closed, 3);
}

/* ---- Counting ---- */

static void what_is_open_is_idle_in_use_or_being_opened(void **state) {
    (void)state;
    customer opening;
    customer waiting;
    make_pool(3, 0);
    lido__connection *used = acquire_surely();
    lido__connection *other = acquire_surely();
    let_open(false);
    let_come(&opening, true);
    wait_until_opening(1);
    lido_pool_stats stats = stats_now();
    assert_int_equal(stats.open, 3);
    assert_int_equal(stats.in_use, 2);
    assert_int_equal(stats.idle, 0);
    let_queue(&waiting, true);
    assert_int_equal(stats_now().waiting, 1);
    let_open(true);
    wait_for(&opening);
    wait_for(&waiting);
    release(other);
    stats = stats_now();
    assert_int_equal(stats.open, 3);
    assert_int_equal(stats.in_use, 1);
    assert_int_equal(stats.idle, 2);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.acquires, 4);
    assert_int_equal(stats.waits, 1);
    assert_int_equal(stats.connects, 3);
    release(used);
}

static void openings_are_counted_by_how_they_end(void **state) {
    (void)state;
    make_pool(1, 0);
    time_stands_still();
    let_fail(2);
    for (int i = 0; i < 2; i++) {
        assert_refused(LIDO_ERROR_DISCONNECTED);
        time_passes_ms(10000);
    }
    release(acquire_surely());
    lido_pool_stats stats = stats_now();
    assert_int_equal(stats.failed_connects, 2);
    assert_int_equal(stats.connects, 1);
    assert_int_equal(stats.acquires, 3);
    assert_false(stats.down);
}

static void the_time_of_all_use_is_counted(void **state) {
    (void)state;
    time_stands_still();
    make_pool(2, 0);
    lido__connection *first = acquire_surely();
    time_passes_ms(5);
    lido__connection *second = acquire_surely();
    time_passes_ms(10);
    release(first);
    release(second);
    time_passes_ms(100);
    assert_int_equal(stats_now().use_us, 25000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        POOL_TEST(one_that_was_idle_for_long_is_asked),
        POOL_TEST(asking_has_a_deadline_of_its_own),
        POOL_TEST(one_that_does_not_answer_is_replaced),
        POOL_TEST(one_that_is_seen_to_be_dead_is_not_asked),
        POOL_TEST(one_that_is_too_old_is_neither_looked_at_nor_asked),
        POOL_TEST(without_pre_ping_nobody_is_asked),
        POOL_TEST(asking_holds_up_nobody_else),
        POOL_TEST(one_that_is_doubted_is_asked_once),
        POOL_TEST(when_it_says_that_its_server_refuses_all_are_replaced),
        POOL_TEST(who_is_handed_one_that_is_doubted_asks),
        POOL_TEST(one_that_comes_back_too_old_is_closed),
        POOL_TEST(who_waits_for_one_that_comes_back_too_old_opens_another),
        POOL_TEST(one_that_goes_for_two_reasons_is_counted_for_one),
        POOL_TEST(what_is_open_is_idle_in_use_or_being_opened),
        POOL_TEST(openings_are_counted_by_how_they_end),
        POOL_TEST(the_time_of_all_use_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
