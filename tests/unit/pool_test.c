/* The pool on good days and ordinary bad ones: taking, giving back, waiting, openings that fail, closing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fault.h"
#include "support/scripted.h"

/* ---- Taking and giving back ---- */

static void nothing_is_opened_before_it_is_needed(void **state) {
    (void)state;
    make_pool(5, 5);
    assert_int_equal(database.attempts, 0);
    release(acquire_surely());
    assert_int_equal(database.attempts, 1);
}

static void a_connection_is_used_again(void **state) {
    (void)state;
    make_pool(5, 5);
    for (int i = 0; i < 10; i++) {
        lido__connection *connection = acquire_surely();
        assert_int_equal(number_of(connection), 1);
        release(connection);
    }
    assert_int_equal(database.attempts, 1);
}

static void the_newest_idle_connection_is_used_first(void **state) {
    (void)state;
    make_pool(3, 0);
    lido__connection *first = acquire_surely();
    lido__connection *second = acquire_surely();
    lido__connection *third = acquire_surely();
    release(second);
    release(third);
    release(first);
    assert_ptr_equal(acquire_surely(), first);
    assert_ptr_equal(acquire_surely(), third);
    assert_ptr_equal(acquire_surely(), second);
    release(first);
    release(second);
    release(third);
}

static void connections_beyond_the_pool_s_size_are_closed_on_return(void **state) {
    (void)state;
    make_pool(2, 2);
    lido__connection *taken[4];
    for (int i = 0; i < 4; i++)
        taken[i] = acquire_surely();
    assert_int_equal(database.open, 4);
    release(taken[0]);
    release(taken[1]);
    assert_int_equal(database.open, 2);
    release(taken[2]);
    release(taken[3]);
    assert_int_equal(database.open, 2);
    assert_int_equal(pool.open, 2);
    assert_ptr_equal(acquire_surely(), taken[3]);
    assert_ptr_equal(acquire_surely(), taken[2]);
    assert_int_equal(database.attempts, 4);
    release(taken[2]);
    release(taken[3]);
}

static void an_overflow_without_limit_never_waits(void **state) {
    (void)state;
    enum { MANY = 100 };
    config.pool_timeout_ms = 0;
    make_pool(2, -1);
    lido__connection *taken[MANY];
    for (int i = 0; i < MANY; i++)
        taken[i] = acquire_surely();
    for (int i = 0; i < MANY; i++)
        release(taken[i]);
    assert_int_equal(database.most, MANY);
    assert_int_equal(database.open, 2);
}

static void a_broken_connection_is_not_used_again(void **state) {
    (void)state;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    connection->broken = true;
    release(connection);
    assert_int_equal(database.open, 0);
    connection = acquire_surely();
    assert_int_equal(number_of(connection), 2);
    release(connection);
}

static void a_connection_in_a_transaction_is_not_used_again(void **state) {
    (void)state;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    connection->in_transaction = true;
    release(connection);
    connection = acquire_surely();
    assert_int_equal(number_of(connection), 2);
    assert_false(connection->in_transaction);
    release(connection);
}

/* ---- Looking before using ---- */

static void a_connection_that_died_while_idle_is_replaced(void **state) {
    (void)state;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    of(connection)->dead = true;
    release(connection);
    time_passes_ms(20);
    connection = acquire_surely();
    assert_int_equal(number_of(connection), 2);
    assert_int_equal(database.open, 1);
    release(connection);
}

static void a_connection_used_just_now_is_not_looked_at(void **state) {
    (void)state;
    make_pool(1, 0);
    time_stands_still();
    release(acquire_surely());
    release(acquire_surely());
    assert_int_equal(database.looks, 0);
    time_passes_ms(20);
    release(acquire_surely());
    assert_int_equal(database.looks, 1);
}

static void without_pre_ping_nothing_is_looked_at(void **state) {
    (void)state;
    config.pool_pre_ping = false;
    make_pool(1, 0);
    release(acquire_surely());
    time_passes_ms(3600 * 1000);
    release(acquire_surely());
    assert_int_equal(database.looks, 0);
    assert_int_equal(database.attempts, 1);
}

static void an_old_connection_is_replaced(void **state) {
    (void)state;
    config.pool_recycle_ms = 60000;
    make_pool(2, 0);
    release(acquire_surely());
    time_passes_ms(53000); /* up to a tenth earlier than its time, by chance */
    lido__connection *connection = acquire_surely();
    assert_int_equal(number_of(connection), 1);
    release(connection);
    time_passes_ms(8000);
    connection = acquire_surely();
    assert_int_equal(number_of(connection), 2);
    assert_int_equal(database.open, 1);
    release(connection);
}

static void a_replacement_that_cannot_be_opened_leaves_its_slot(void **state) {
    (void)state;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    of(connection)->dead = true;
    release(connection);
    time_passes_ms(20);
    database.failures = 1;
    assert_null(acquire());
    assert_int_equal(told.category, LIDO_ERROR_DISCONNECTED);
    assert_int_equal(pool.open, 0);
    lido__fault_clear(&told);
    release(acquire_surely());
}

/* ---- Waiting ---- */

static void a_full_pool_says_who_holds_its_connections(void **state) {
    (void)state;
    config.pool_timeout_ms = 30;
    make_pool(1, 1);
    lido__connection *first = acquire_at("orders.c", 12, &told);
    lido__connection *second = acquire_at("reports.c", 345, &told);
    int64_t began = lido__clock_now_us();
    assert_null(acquire());
    assert_true(lido__clock_now_us() - began >= 30000);
    assert_int_equal(told.category, LIDO_ERROR_POOL_EXHAUSTED);
    assert_non_null(strstr(told.message, "30 ms"));
    assert_non_null(strstr(told.hint, "orders.c:12"));
    assert_non_null(strstr(told.hint, "reports.c:345"));
    assert_null(last_in_queue());
    release(first);
    release(second);
}

/* Who has had theirs longest comes first. */
static void it_says_for_how_long_and_for_what_statement(void **state) {
    (void)state;
    static const lido__sql short_one = {.text = "SELECT 1"};
    static const lido__sql long_one = {.text = "UPDATE items SET price = price * 2 WHERE name = 'lamp'"};
    config.pool_timeout_ms = 0;
    time_stands_still();
    make_pool(3, 0);
    lido__connection *first = acquire_at("orders.c", 12, &told);
    time_passes_ms(1000);
    lido__connection *second = acquire_at("reports.c", 345, &told);
    lido__connection *third = acquire_at("visits.c", 6, &told);
    time_passes_ms(500);
    atomic_store(&first->last_sql, &long_one);
    atomic_store(&second->last_sql, &short_one);
    assert_null(acquire());
    assert_string_equal(told.hint, "held by orders.c:12 for 1500 ms (UPDATE items SET price = pri…), reports.c:345 for "
                                   "500 ms (SELECT 1), visits.c:6 for 500 ms");
    release(first);
    release(second);
    release(third);
}

static void a_pool_timeout_of_zero_does_not_wait(void **state) {
    (void)state;
    config.pool_timeout_ms = 0;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    assert_null(acquire());
    assert_int_equal(told.category, LIDO_ERROR_POOL_EXHAUSTED);
    release(connection);
}

static void a_freed_connection_goes_to_who_has_waited_longest(void **state) {
    (void)state;
    enum { CUSTOMERS = 6 };
    customer customers[CUSTOMERS];
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    for (int i = 0; i < CUSTOMERS; i++)
        let_queue(&customers[i], true);
    release(connection);
    for (int i = 0; i < CUSTOMERS; i++) {
        wait_for(&customers[i]);
        assert_int_equal(customers[i].served_as, i + 1);
        assert_int_equal(customers[i].number, 1);
    }
    assert_int_equal(database.attempts, 1);
}

/* Of three in the queue, the one at `position` runs out of patience; the others are served, and in their order. */
static void leave_the_queue_at(int position) {
    customer customers[3];
    customer late;
    lido__connection *connection = acquire_surely();
    atomic_store(&served, 0);
    for (int i = 0; i < 3; i++)
        let_queue(&customers[i], i != position);
    wait_for(&customers[position]);
    assert_null(customers[position].got);
    assert_int_equal(customers[position].error.category, LIDO_ERROR_POOL_EXHAUSTED);
    let_queue(&late, true);
    release(connection);
    int expected = 1;
    for (int i = 0; i < 3; i++)
        if (i != position) {
            wait_for(&customers[i]);
            assert_int_equal(customers[i].served_as, expected++);
        }
    wait_for(&late);
    assert_int_equal(late.served_as, 3);
    assert_null(last_in_queue());
}

static void who_stops_waiting_leaves_the_queue_as_it_was(void **state) {
    (void)state;
    config.pool_timeout_ms = 40;
    make_pool(1, 0);
    leave_the_queue_at(0);
    leave_the_queue_at(1);
    leave_the_queue_at(2);
    assert_int_equal(database.attempts, 1);
}

static void in_place_of_a_broken_connection_the_waiter_opens_one(void **state) {
    (void)state;
    customer waiting;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    let_queue(&waiting, true);
    connection->broken = true;
    release(connection);
    wait_for(&waiting);
    assert_int_equal(waiting.number, 2);
    assert_int_equal(pool.open, 1);
}

/* ---- Openings that fail or take long ---- */

static void a_failed_opening_is_reported_and_its_slot_is_free_again(void **state) {
    (void)state;
    make_pool(1, 1);
    database.failures = 3;
    for (int i = 0; i < 3; i++) {
        assert_null(acquire());
        assert_int_equal(told.category, LIDO_ERROR_DISCONNECTED);
        assert_string_equal(told.message, "nobody opened");
        lido__fault_clear(&told);
        assert_int_equal(pool.open, 0);
    }
    lido__connection *first = acquire_surely();
    lido__connection *second = acquire_surely();
    release(first);
    release(second);
}

static void when_an_opening_fails_who_waits_is_told(void **state) {
    (void)state;
    customer opening;
    customer waiting;
    make_pool(1, 0);
    let_open(false);
    database.failures = 1;
    let_come(&opening, true);
    wait_until_opening(1);
    let_queue(&waiting, true);
    let_open(true);
    wait_for(&opening);
    wait_for(&waiting);
    assert_null(opening.got);
    assert_null(waiting.got);
    assert_int_equal(opening.error.category, LIDO_ERROR_DISCONNECTED);
    assert_int_equal(waiting.error.category, LIDO_ERROR_DISCONNECTED);
    release(acquire_surely()); /* after a pause, the next one tries */
}

static void one_failed_opening_tells_all_who_wait(void **state) {
    (void)state;
    enum { CUSTOMERS = 5 };
    customer customers[CUSTOMERS];
    make_pool(1, 0);
    let_open(false);
    database.failures = 1;
    let_come(&customers[0], true);
    wait_until_opening(1);
    for (int i = 1; i < CUSTOMERS; i++)
        let_queue(&customers[i], true);
    let_open(true);
    for (int i = 0; i < CUSTOMERS; i++) {
        wait_for(&customers[i]);
        assert_int_equal(customers[i].error.category, LIDO_ERROR_DISCONNECTED);
    }
    assert_int_equal(pool.open, 0);
    assert_int_equal(database.attempts, 1);
}

static void a_slow_opening_holds_up_nobody_else(void **state) {
    (void)state;
    customer slow;
    make_pool(2, 0);
    lido__connection *connection = acquire_surely();
    let_open(false);
    let_come(&slow, true);
    wait_until_opening(1);
    release(connection); /* while the other one is being opened */
    assert_ptr_equal(acquire_surely(), connection);
    release(connection);
    let_open(true);
    wait_for(&slow);
    assert_int_equal(slow.number, 2);
}

/* ---- Closing ---- */

static void a_closed_pool_refuses(void **state) {
    (void)state;
    make_pool(2, 0);
    release(acquire_surely());
    lido__pool_close(&pool);
    assert_int_equal(database.open, 0);
    assert_null(acquire());
    assert_int_equal(told.category, LIDO_ERROR_MISUSE);
    assert_int_equal(database.attempts, 1);
}

static void a_connection_in_use_is_closed_when_it_comes_back(void **state) {
    (void)state;
    make_pool(2, 0);
    lido__connection *used = acquire_surely();
    release(acquire_surely());
    lido__pool_close(&pool);
    assert_int_equal(database.open, 1);
    release(used);
    assert_int_equal(database.open, 0);
}

static void closing_sends_the_queue_home(void **state) {
    (void)state;
    enum { CUSTOMERS = 4 };
    customer customers[CUSTOMERS];
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    for (int i = 0; i < CUSTOMERS; i++)
        let_queue(&customers[i], true);
    lido__pool_close(&pool);
    for (int i = 0; i < CUSTOMERS; i++) {
        wait_for(&customers[i]);
        assert_null(customers[i].got);
        assert_int_equal(customers[i].error.category, LIDO_ERROR_MISUSE);
    }
    release(connection);
}

static void an_opening_that_ends_after_the_close_is_closed_on_return(void **state) {
    (void)state;
    customer opening;
    make_pool(1, 0);
    let_open(false);
    let_come(&opening, true);
    wait_until_opening(1);
    lido__pool_close(&pool);
    let_open(true);
    wait_for(&opening);
    assert_int_equal(database.open, 0);
}

/* The keeper runs on for the one in use here; but who closes may have found none, and be about to stop it. */
static void what_is_opened_for_a_closed_pool_looks_after_its_own_deadlines(void **state) {
    (void)state;
    customer opening;
    make_pool(2, 0);
    lido__connection *held = acquire_surely();
    assert_true(pool.keeper_runs);
    let_open(false);
    let_come_as(&opening, 7);
    wait_until_opening(1);
    lido__pool_close(&pool);
    let_open(true);
    wait_for(&opening);
    assert_false(opening.got->watched);
    release(opening.got);
    release(held);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        POOL_TEST(nothing_is_opened_before_it_is_needed),
        POOL_TEST(a_connection_is_used_again),
        POOL_TEST(the_newest_idle_connection_is_used_first),
        POOL_TEST(connections_beyond_the_pool_s_size_are_closed_on_return),
        POOL_TEST(an_overflow_without_limit_never_waits),
        POOL_TEST(a_broken_connection_is_not_used_again),
        POOL_TEST(a_connection_in_a_transaction_is_not_used_again),
        POOL_TEST(a_connection_that_died_while_idle_is_replaced),
        POOL_TEST(a_connection_used_just_now_is_not_looked_at),
        POOL_TEST(without_pre_ping_nothing_is_looked_at),
        POOL_TEST(an_old_connection_is_replaced),
        POOL_TEST(a_replacement_that_cannot_be_opened_leaves_its_slot),
        POOL_TEST(a_full_pool_says_who_holds_its_connections),
        POOL_TEST(it_says_for_how_long_and_for_what_statement),
        POOL_TEST(a_pool_timeout_of_zero_does_not_wait),
        POOL_TEST(a_freed_connection_goes_to_who_has_waited_longest),
        POOL_TEST(who_stops_waiting_leaves_the_queue_as_it_was),
        POOL_TEST(in_place_of_a_broken_connection_the_waiter_opens_one),
        POOL_TEST(a_failed_opening_is_reported_and_its_slot_is_free_again),
        POOL_TEST(when_an_opening_fails_who_waits_is_told),
        POOL_TEST(one_failed_opening_tells_all_who_wait),
        POOL_TEST(a_slow_opening_holds_up_nobody_else),
        POOL_TEST(a_closed_pool_refuses),
        POOL_TEST(a_connection_in_use_is_closed_when_it_comes_back),
        POOL_TEST(closing_sends_the_queue_home),
        POOL_TEST(an_opening_that_ends_after_the_close_is_closed_on_return),
        POOL_TEST(what_is_opened_for_a_closed_pool_looks_after_its_own_deadlines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
