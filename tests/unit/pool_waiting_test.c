/* Waiting for a connection: how many may, when it would be in vain, when it is cancelled or takes too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fault.h"
#include "support/scripted.h"

/* ---- How many may wait ---- */

static void no_more_wait_than_may(void **state) {
    (void)state;
    customer customers[2];
    config.pool_max_waiting = 2;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    let_queue(&customers[0], true);
    let_queue(&customers[1], true);
    assert_null(acquire());
    assert_int_equal(told.category, LIDO_ERROR_POOL_EXHAUSTED);
    assert_non_null(strstr(told.message, "2 already wait"));
    assert_non_null(strstr(told.message, "pool_max_waiting"));
    release(connection);
    wait_for(&customers[0]);
    wait_for(&customers[1]);
    assert_int_equal(stats_now().waits, 2);
}

static void where_nobody_may_wait_a_free_connection_can_still_be_had(void **state) {
    (void)state;
    config.pool_max_waiting = 0;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    assert_refused(LIDO_ERROR_POOL_EXHAUSTED);
    release(connection);
    release(acquire_surely());
    assert_int_equal(stats_now().waits, 0);
}

static void a_place_in_the_queue_comes_free_when_who_had_it_stops_waiting(void **state) {
    (void)state;
    customer impatient;
    customer next;
    config.pool_max_waiting = 1;
    config.pool_timeout_ms = 30;
    time_stands_still();
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    let_queue(&impatient, false);
    assert_refused(LIDO_ERROR_POOL_EXHAUSTED);
    time_passes_ms(30);
    wait_for(&impatient);
    let_queue(&next, true);
    release(connection);
    wait_for(&next);
    assert_int_equal(next.number, 1);
}

enum { HERE = 1, THERE = 2 };

/* What is given back belongs to who waits at once, and not when that thread comes to run. */
static void who_comes_later_does_not_overtake(void **state) {
    (void)state;
    customer waiting;
    config.pool_timeout_ms = 30;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    let_queue_as(&waiting, THERE);
    release(connection);
    assert_refused(LIDO_ERROR_POOL_EXHAUSTED);
    wait_for(&waiting);
    assert_int_equal(waiting.number, 1);
    release(waiting.got);
}

/* ---- Waiting in vain ---- */

static void a_thread_that_has_all_connections_does_not_wait_for_one(void **state) {
    (void)state;
    make_pool(2, 0);
    lido__connection *first = acquire_for("first", HERE, &told);
    lido__connection *second = acquire_for("second", HERE, &told);
    assert_null(acquire_for("third", HERE, &told));
    assert_int_equal(told.category, LIDO_ERROR_POOL_EXHAUSTED);
    assert_non_null(strstr(told.message, "all 2 connections are held by threads or tasks that wait"));
    assert_non_null(strstr(told.hint, "session.c:1"));
    assert_int_equal(stats_now().waits, 0);
    release(first);
    release(second);
}

static void two_threads_do_not_wait_for_each_other(void **state) {
    (void)state;
    customer there;
    make_pool(2, 0);
    lido__connection *here = acquire_for("here", HERE, &told);
    lido__connection *held_there = acquire_for("there", THERE, &told);
    let_queue_as(&there, THERE); /* might get the one that is held here: it waits */
    assert_null(acquire_for("here again", HERE, &told));
    assert_int_equal(told.category, LIDO_ERROR_POOL_EXHAUSTED);
    release(here);
    wait_for(&there);
    assert_int_equal(there.number, 1);
    release(there.got);
    release(held_there);
}

static void what_somebody_else_holds_may_be_waited_for(void **state) {
    (void)state;
    customer waiting;
    make_pool(2, 0);
    lido__connection *own = acquire_for("own", HERE, &told);
    lido__connection *other = acquire_for("other", THERE, &told);
    let_queue_as(&waiting, HERE);
    release(other);
    wait_for(&waiting);
    assert_int_equal(waiting.number, 2);
    release(waiting.got);
    release(own);
}

static void what_is_being_opened_may_be_waited_for(void **state) {
    (void)state;
    customer opening;
    customer waiting;
    make_pool(2, 0);
    lido__connection *own = acquire_for("own", HERE, &told);
    let_open(false);
    let_come_as(&opening, THERE);
    wait_until_opening(1);
    let_queue_as(&waiting, HERE);
    let_open(true);
    wait_for(&opening);
    release(opening.got);
    wait_for(&waiting);
    assert_int_equal(waiting.number, 2);
    release(waiting.got);
    release(own);
}

static void what_is_being_cancelled_may_be_waited_for(void **state) {
    (void)state;
    customer waiting;
    make_pool(1, 0);
    lido__connection *cancelled = acquire_for("own", HERE, &told);
    lido__holding holding;
    assert_true(lido__hold_read(cancelled, &holding));
    assert_true(lido__hold_cancel(cancelled, &holding)); /* as by lido__pool_cancel, which is not done yet */
    release(cancelled);
    let_queue_as(&waiting, HERE);
    lido__pool_send_cancel(&pool, cancelled, false);
    wait_for(&waiting);
    assert_int_equal(waiting.number, 2);
    release(waiting.got);
}

/* There is room; it is the server that is waited for. */
static void a_server_may_be_waited_for_by_who_has_all_connections_there_are(void **state) {
    (void)state;
    config.pool_timeout_ms = 0;
    time_stands_still();
    make_pool(3, 0);
    lido__connection *own = acquire_for("own", HERE, &told);
    let_fail(1);
    assert_refused(LIDO_ERROR_DISCONNECTED);
    assert_null(acquire_for("second", HERE, &told));
    assert_int_equal(told.category, LIDO_ERROR_DISCONNECTED);
    release(own);
}

/* ---- Cancelling who waits ---- */

static void who_waits_can_be_cancelled(void **state) {
    (void)state;
    customer customers[3];
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    for (int i = 0; i < 3; i++)
        let_queue(&customers[i], true);
    assert_true(lido__pool_cancel(&pool, &customers[1]));
    wait_for(&customers[1]);
    assert_null(customers[1].got);
    assert_int_equal(customers[1].error.category, LIDO_ERROR_CANCELLED);
    assert_int_equal(stats_now().timeouts, 0);
    assert_int_equal(stats_now().waiting, 2);
    release(connection);
    wait_for(&customers[0]);
    wait_for(&customers[2]);
    assert_int_equal(customers[0].served_as, 1);
    assert_int_equal(customers[2].served_as, 2);
    assert_int_equal(database.cancels, 0);
}

static void who_does_neither_cannot_be_cancelled(void **state) {
    (void)state;
    make_pool(1, 0);
    release(acquire_for("session", HERE, &told));
    assert_false(lido__pool_cancel(&pool, "session"));
    assert_false(lido__pool_cancel(&pool, &pool));
    assert_int_equal(database.cancels, 0);
}

/* ---- Cancelling who has one ---- */

static const char session[] = "session";

typedef struct cancelling {
    pthread_t thread;
    bool heard;
} cancelling;

static void *cancel_session(void *argument) {
    cancelling *self = argument;
    self->heard = lido__pool_cancel(&pool, session);
    return NULL;
}

/* Returns when the cancel is under way, and stays so until let_cancels_end. */
static void let_cancel(cancelling *who, int count) {
    assert_int_equal(pthread_create(&who->thread, NULL, cancel_session, who), 0);
    wait_until_cancelling(count);
}

static void a_connection_that_was_cancelled_is_used_again(void **state) {
    (void)state;
    make_pool(1, 0);
    lido__connection *connection = acquire_for(session, HERE, &told);
    assert_true(lido__pool_cancel(&pool, session));
    assert_int_equal(database.cancels, 1);
    assert_int_equal(database.given_up, 0);
    release(connection);
    assert_ptr_equal(acquire_surely(), connection);
    release(connection);
}

/* The cancel would hit whoever has it next. */
static void one_that_comes_back_while_it_is_cancelled_is_closed_by_who_cancels(void **state) {
    (void)state;
    cancelling canceller;
    make_pool(1, 0);
    lido__connection *connection = acquire_for(session, HERE, &told);
    let_cancels_end(false);
    let_cancel(&canceller, 1);
    release(connection);
    assert_int_equal(database.open, 1);
    assert_int_equal(stats_now().open, 1); /* its slot is not free yet */
    assert_int_equal(stats_now().idle + stats_now().in_use, 0);
    let_cancels_end(true);
    pthread_join(canceller.thread, NULL);
    assert_true(canceller.heard);
    assert_int_equal(database.open, 0);
    assert_int_equal(stats_now().open, 0);
    lido__connection *fresh = acquire_surely();
    assert_int_equal(number_of(fresh), 2);
    release(fresh);
}

static void of_several_who_cancel_the_last_one_closes(void **state) {
    (void)state;
    cancelling cancellers[3];
    make_pool(1, 0);
    lido__connection *connection = acquire_for(session, HERE, &told);
    let_cancels_end(false);
    for (int i = 0; i < 3; i++)
        let_cancel(&cancellers[i], i + 1);
    release(connection);
    assert_int_equal(database.closed, 0);
    let_cancels_end(true);
    for (int i = 0; i < 3; i++)
        pthread_join(cancellers[i].thread, NULL);
    assert_int_equal(database.cancels, 3);
    assert_int_equal(database.closed, 1);
}

static void who_waits_gets_the_slot_of_a_cancelled_connection(void **state) {
    (void)state;
    cancelling canceller;
    customer waiting;
    make_pool(1, 0);
    lido__connection *connection = acquire_for(session, HERE, &told);
    let_queue(&waiting, true);
    let_cancels_end(false);
    let_cancel(&canceller, 1);
    release(connection);
    assert_int_equal(stats_now().waiting, 1);
    let_cancels_end(true);
    pthread_join(canceller.thread, NULL);
    wait_for(&waiting);
    assert_int_equal(waiting.number, 2);
}

static void a_pool_that_is_closed_meanwhile_leaves_the_closing_to_who_cancels(void **state) {
    (void)state;
    cancelling canceller;
    make_pool(1, 0);
    lido__connection *connection = acquire_for(session, HERE, &told);
    let_cancels_end(false);
    let_cancel(&canceller, 1);
    release(connection);
    lido__pool_close(&pool);
    assert_int_equal(database.open, 1);
    let_cancels_end(true);
    pthread_join(canceller.thread, NULL);
    assert_int_equal(database.open, 0);
}

/* It is not used yet, but belongs to the session already, while it is being asked. */
static void one_that_is_cancelled_while_it_is_asked_is_not_closed_under_who_cancels(void **state) {
    (void)state;
    cancelling canceller;
    customer asking;
    config.pool_ping_after_ms = 100;
    time_stands_still();
    make_pool(1, 0);
    release(acquire_surely());
    time_passes_ms(200);
    database.deaf = true;
    let_pings_end(false);
    let_come(&asking, true);
    wait_until_pinging(1);
    unsigned place = 0;
    pthread_mutex_lock(&pool.lock);
    atomic_store(&lido__places_next(&pool.places, &place)->holder.session, session);
    pthread_mutex_unlock(&pool.lock);
    let_cancels_end(false);
    let_cancel(&canceller, 1);
    let_pings_end(true);
    wait_for(&asking);
    assert_null(asking.got);
    assert_int_equal(asking.error.category, LIDO_ERROR_CANCELLED);
    assert_int_equal(database.closed, 0);
    let_cancels_end(true);
    pthread_join(canceller.thread, NULL);
    assert_true(canceller.heard);
    assert_int_equal(database.closed, 1);
    assert_int_equal(stats_now().open, 0);
}

/* ---- Taking too long ---- */

static void who_waited_in_vain_is_counted(void **state) {
    (void)state;
    config.pool_timeout_ms = 0;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    assert_refused(LIDO_ERROR_POOL_EXHAUSTED);
    assert_refused(LIDO_ERROR_POOL_EXHAUSTED);
    lido_pool_stats stats = stats_now();
    assert_int_equal(stats.acquires, 3);
    assert_int_equal(stats.waits, 2);
    assert_int_equal(stats.timeouts, 2);
    assert_int_equal(stats.waiting, 0);
    release(connection);
}

static void the_time_that_was_waited_is_counted(void **state) {
    (void)state;
    customer impatient;
    config.pool_timeout_ms = 20;
    time_stands_still();
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    let_queue(&impatient, false);
    time_passes_ms(70);
    wait_for(&impatient);
    release(connection);
    assert_int_equal(stats_now().wait_us, 70000);
    assert_int_equal(stats_now().use_us, 70000);
}

/* The time-out and the hand-over meet: whoever comes second must see it. */
static void a_connection_handed_over_too_late_is_taken_all_the_same(void **state) {
    (void)state;
    enum { TIMES = 300 };
    int got = 0;
    config.pool_timeout_ms = 1;
    make_pool(1, 0);
    for (int i = 0; i < TIMES; i++) {
        customer impatient;
        lido__connection *connection = acquire_surely();
        let_come(&impatient, false);
        lido__await_moment(lido__clock_now_us() + 1000 + i % 30 * 10);
        release(connection);
        wait_for(&impatient);
        got += impatient.got != NULL;
        assert_int_equal(impatient.error.category, impatient.got != NULL ? LIDO_ERROR_NONE : LIDO_ERROR_POOL_EXHAUSTED);
        assert_int_equal(stats_now().idle, 1);
    }
    assert_int_equal(stats_now().timeouts, TIMES - got);
    assert_int_equal(database.attempts, 1);
}

static void a_hanging_opening_holds_its_slot_and_who_waits_for_it_can_give_up(void **state) {
    (void)state;
    customer opening;
    customer impatient;
    config.pool_timeout_ms = 20;
    time_stands_still();
    make_pool(1, 0);
    let_open(false);
    let_come(&opening, true);
    wait_until_opening(1);
    let_queue(&impatient, false);
    time_passes_ms(20);
    wait_for(&impatient);
    assert_int_equal(impatient.error.category, LIDO_ERROR_POOL_EXHAUSTED);
    assert_int_equal(stats_now().open, 1);
    let_open(true);
    wait_for(&opening);
    assert_int_equal(opening.number, 1);
    assert_int_equal(stats_now().idle, 1);
}

static void failed_openings_beyond_the_size_leave_their_slots(void **state) {
    (void)state;
    time_stands_still();
    make_pool(1, 2);
    lido__connection *kept = acquire_surely();
    for (int i = 0; i < 10; i++) {
        let_fail(1);
        assert_refused(LIDO_ERROR_DISCONNECTED);
        time_passes_ms(10000);
    }
    assert_int_equal(stats_now().open, 1);
    lido__connection *second = acquire_surely();
    lido__connection *third = acquire_surely();
    release(kept);
    release(second);
    release(third);
    assert_int_equal(stats_now().open, 1);
}

static void closing_counts_nobody_as_timed_out(void **state) {
    (void)state;
    customer waiting;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    let_queue(&waiting, true);
    lido__pool_close(&pool);
    wait_for(&waiting);
    assert_int_equal(waiting.error.category, LIDO_ERROR_MISUSE);
    assert_int_equal(stats_now().timeouts, 0);
    assert_int_equal(stats_now().waits, 1);
    release(connection);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        POOL_TEST(no_more_wait_than_may),
        POOL_TEST(where_nobody_may_wait_a_free_connection_can_still_be_had),
        POOL_TEST(a_place_in_the_queue_comes_free_when_who_had_it_stops_waiting),
        POOL_TEST(who_comes_later_does_not_overtake),
        POOL_TEST(a_thread_that_has_all_connections_does_not_wait_for_one),
        POOL_TEST(two_threads_do_not_wait_for_each_other),
        POOL_TEST(what_somebody_else_holds_may_be_waited_for),
        POOL_TEST(what_is_being_opened_may_be_waited_for),
        POOL_TEST(what_is_being_cancelled_may_be_waited_for),
        POOL_TEST(a_server_may_be_waited_for_by_who_has_all_connections_there_are),
        POOL_TEST(who_waits_can_be_cancelled),
        POOL_TEST(who_does_neither_cannot_be_cancelled),
        POOL_TEST(a_connection_that_was_cancelled_is_used_again),
        POOL_TEST(one_that_comes_back_while_it_is_cancelled_is_closed_by_who_cancels),
        POOL_TEST(of_several_who_cancel_the_last_one_closes),
        POOL_TEST(who_waits_gets_the_slot_of_a_cancelled_connection),
        POOL_TEST(a_pool_that_is_closed_meanwhile_leaves_the_closing_to_who_cancels),
        POOL_TEST(one_that_is_cancelled_while_it_is_asked_is_not_closed_under_who_cancels),
        POOL_TEST(who_waited_in_vain_is_counted),
        POOL_TEST(the_time_that_was_waited_is_counted),
        POOL_TEST(a_connection_handed_over_too_late_is_taken_all_the_same),
        POOL_TEST(a_hanging_opening_holds_its_slot_and_who_waits_for_it_can_give_up),
        POOL_TEST(failed_openings_beyond_the_size_leave_their_slots),
        POOL_TEST(closing_counts_nobody_as_timed_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
