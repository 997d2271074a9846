/* The keeper: what it opens ahead, closes and cancels, while nobody takes a connection. Its thread runs by the test's
 * clock, which stands still but for what the test lets pass. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fault.h"
#include "support/scripted.h"

/* Longer than the pause between two of its rounds, at the shortest; the tests set a limit that makes it so. */
enum { ROUND_MS = 10, QUICK_MS = 40 };

static int expected_open;
static int expected_in_use;
static uint64_t expected_recycled;
static int expected_cancels;

/* Time passes while these wait for what the keeper does: by the test's clock, and as fast as the keeper's thread comes
 * to run. None of them is true in the middle of something: while a connection is opened, closed or cancelled. */
static bool open_as_expected(void) {
    time_passes_ms(ROUND_MS);
    lido_pool_stats stats = stats_now();
    return stats.open == expected_open && stats.in_use == expected_in_use &&
           stats.idle == expected_open - expected_in_use;
}

static bool recycled_as_expected(void) {
    time_passes_ms(ROUND_MS);
    return stats_now().recycled == expected_recycled;
}

static int cancels_now(void) {
    pthread_mutex_lock(&database.lock);
    int cancels = database.cancels;
    pthread_mutex_unlock(&database.lock);
    return cancels;
}

static bool anything_is_being_cancelled(void) {
    bool found = false;
    unsigned place = 0;
    pthread_mutex_lock(&pool.lock);
    for (const lido__connection *at; (at = lido__places_next(&pool.places, &place)) != NULL;)
        found = found || lido__hold_cancels(at) > 0;
    pthread_mutex_unlock(&pool.lock);
    return found;
}

static bool cancelled_as_expected(void) {
    time_passes_ms(1);
    return cancels_now() == expected_cancels && !anything_is_being_cancelled();
}

static bool is_opening(void) {
    time_passes_ms(ROUND_MS);
    pthread_mutex_lock(&database.lock);
    bool opening = database.opening > 0;
    pthread_mutex_unlock(&database.lock);
    return opening;
}

static bool soon_open(int count, int in_use) {
    expected_open = count;
    expected_in_use = in_use;
    return soon(open_as_expected);
}

static bool soon_cancelled(int count) {
    expected_cancels = count;
    return soon(cancelled_as_expected);
}

static void begin_to_wait_until(lido__connection *connection, int64_t moment) {
    atomic_store(&connection->wait_until, moment);
}

/* Returns when the keeper has been round twice at least: in each round it cancels what is late, after the rest. */
static void let_rounds_pass(lido__connection *held) {
    for (int i = 0; i < 2; i++) {
        begin_to_wait_until(held, lido__clock_now_us());
        assert_true(soon_cancelled(cancels_now() + 1));
        begin_to_wait_until(held, LIDO__NO_DEADLINE);
    }
}

/* While the keeper runs: how many are to be open from now on. */
static void set_min_size(int size) {
    pthread_mutex_lock(&pool.lock);
    config.pool_min_size = size;
    pthread_mutex_unlock(&pool.lock);
}

static void make_kept_pool(int size, int overflow) {
    time_stands_still();
    config.pool_leak_after_ms = QUICK_MS; /* its shortest limit sets the keeper's pace */
    make_pool(size, overflow);
}

/* ---- Opening ahead ---- */

static void nothing_is_opened_ahead_of_the_first_use(void **state) {
    (void)state;
    config.pool_min_size = 3;
    make_kept_pool(5, 0);
    assert_int_equal(database.attempts, 0);
    assert_int_equal(stats_now().open, 0);
}

static void after_the_first_use_the_least_size_is_opened(void **state) {
    (void)state;
    config.pool_min_size = 3;
    make_kept_pool(5, 0);
    release(acquire_surely());
    assert_true(soon_open(3, 0));
    lido__connection *held = acquire_surely();
    let_rounds_pass(held);
    assert_int_equal(database.attempts, 3);
    assert_int_equal(stats_now().idle, 2);
    release(held);
}

static void what_is_lost_is_opened_again(void **state) {
    (void)state;
    config.pool_min_size = 2;
    make_kept_pool(3, 0);
    lido__connection *lost = acquire_surely();
    assert_true(soon_open(2, 1));
    lost->server_gone = lost->broken = true;
    release(lost);
    assert_true(soon_open(2, 0));
    assert_int_equal(database.attempts, 4);
}

static void no_more_is_opened_ahead_than_there_is_room_for(void **state) {
    (void)state;
    config.pool_min_size = 5;
    make_kept_pool(2, 0);
    lido__connection *held = acquire_surely();
    assert_true(soon_open(2, 1));
    let_rounds_pass(held);
    assert_int_equal(database.most, 2);
    release(held);
}

static void what_is_opened_ahead_goes_to_who_waits(void **state) {
    (void)state;
    customer waiting;
    make_kept_pool(2, 0);
    lido__connection *held = acquire_surely();
    let_open(false);
    set_min_size(2);
    assert_true(soon(is_opening));
    let_queue(&waiting, true);
    let_open(true);
    wait_for(&waiting);
    assert_int_equal(waiting.number, 2);
    assert_int_equal(database.attempts, 2);
    release(held);
}

/* ---- While the server cannot be reached ---- */

static void a_pool_that_went_to_zero_recovers_with_nobody_asking(void **state) {
    (void)state;
    config.pool_min_size = 2;
    make_kept_pool(2, 0);
    lido__connection *lost = acquire_surely();
    assert_true(soon_open(2, 1));
    let_fail(4);
    lost->server_gone = lost->broken = true;
    release(lost);
    assert_true(soon_open(2, 0));
    assert_false(stats_now().down);
    assert_int_equal(stats_now().failed_connects, 4);
    assert_int_equal(stats_now().idle, 2);
}

static bool is_down(void) {
    time_passes_ms(ROUND_MS);
    return stats_now().down;
}

static uint64_t failed_before_the_pause;

/* A few attempts have failed, and the next may come in an hour. */
static bool a_long_pause_has_begun(void) {
    time_passes_ms(1000);
    pthread_mutex_lock(&pool.lock);
    bool begun = pool.stats.failed_connects >= 4 && !pool.probing;
    if (begun)
        pool.down_until = lido__clock_now_us() + 3600 * (int64_t)1000000;
    failed_before_the_pause = pool.stats.failed_connects;
    pthread_mutex_unlock(&pool.lock);
    return begun;
}

static void the_keeper_keeps_to_the_pause(void **state) {
    (void)state;
    make_kept_pool(2, 0);
    lido__connection *held = acquire_surely();
    let_fail(1000);
    set_min_size(2);
    assert_true(soon(is_down));
    assert_true(soon(a_long_pause_has_begun));
    let_rounds_pass(held);
    assert_int_equal(stats_now().failed_connects, failed_before_the_pause);
    release(held);
}

/* ---- Closing ---- */

static void take_and_give_back(int count) {
    lido__connection *taken[8];
    for (int i = 0; i < count; i++)
        taken[i] = acquire_surely();
    for (int i = 0; i < count; i++)
        release(taken[i]);
}

static void what_is_idle_for_long_is_closed(void **state) {
    (void)state;
    config.pool_max_idle_ms = 3600 * 1000;
    make_kept_pool(4, 0);
    take_and_give_back(4);
    lido__connection *held = acquire_surely();
    time_passes_ms(3000 * 1000);
    let_rounds_pass(held);
    assert_int_equal(stats_now().idle, 3);
    time_passes_ms(600 * 1000);
    assert_true(soon_open(1, 1));
    assert_int_equal(database.open, 1);
    assert_int_equal(stats_now().recycled, 0); /* that is for age */
    release(held);
}

static void the_least_size_is_kept_however_long_it_is_idle(void **state) {
    (void)state;
    config.pool_max_idle_ms = 5000;
    config.pool_min_size = 2;
    make_kept_pool(4, 0);
    take_and_give_back(4);
    time_passes_ms(5000);
    assert_true(soon_open(2, 0));
    lido__connection *held = acquire_surely();
    time_passes_ms(50000);
    let_rounds_pass(held);
    assert_int_equal(stats_now().open, 2);
    assert_int_equal(database.attempts, 4);
    release(held);
}

static void without_a_limit_nothing_is_closed(void **state) {
    (void)state;
    make_kept_pool(4, 0);
    take_and_give_back(4);
    lido__connection *held = acquire_surely();
    time_passes_ms(1000 * 3600 * 24);
    let_rounds_pass(held);
    assert_int_equal(stats_now().idle, 3);
    release(held);
}

static void old_ones_are_closed_though_nobody_takes_them(void **state) {
    (void)state;
    config.pool_recycle_ms = 6000 * 1000;
    make_kept_pool(4, 0);
    take_and_give_back(4);
    lido__connection *held = acquire_surely();
    time_passes_ms(5000 * 1000); /* up to a tenth less than its time is possible */
    let_rounds_pass(held);
    assert_int_equal(stats_now().idle, 3);
    time_passes_ms(1000 * 1000);
    expected_recycled = 3;
    assert_true(soon(recycled_as_expected));
    assert_true(soon_open(1, 1)); /* the one that is in use is left alone, */
    release(held);                /* until it comes back */
    assert_int_equal(stats_now().open, 0);
    assert_int_equal(stats_now().recycled, 4);
}

/* So that they do not all have to be opened again at one moment. */
static void connections_do_not_age_alike(void **state) {
    (void)state;
    enum { MANY = 8 };
    int different = 0;
    config.pool_recycle_ms = 6000 * 1000;
    make_kept_pool(MANY, 0);
    take_and_give_back(MANY);
    int64_t now = lido__clock_now_us();
    lido__connection *idle[MANY];
    int count = idle_now(idle, MANY);
    assert_int_equal(count, MANY);
    for (int i = 0; i < count; i++) {
        assert_in_range(idle[i]->retire_at - now, 5400 * (int64_t)1000000, 6000 * (int64_t)1000000);
        different += i > 0 && idle[i]->retire_at != idle[i - 1]->retire_at;
    }
    assert_true(different > MANY / 2);
}

static void old_ones_of_the_least_size_are_replaced(void **state) {
    (void)state;
    config.pool_recycle_ms = 6000 * 1000;
    config.pool_min_size = 2;
    make_kept_pool(2, 0);
    take_and_give_back(2);
    time_passes_ms(6000 * 1000);
    expected_recycled = 2;
    assert_true(soon(recycled_as_expected));
    assert_true(soon_open(2, 0));
    assert_int_equal(database.attempts, 4);
}

/* ---- Cancelling what is late ---- */

static void what_outlasts_its_deadline_is_cancelled(void **state) {
    (void)state;
    make_kept_pool(2, 0);
    lido__connection *late = acquire_surely();
    lido__connection *in_time = acquire_surely();
    int64_t deadline = lido__clock_now_us() + 3600 * (int64_t)1000000;
    begin_to_wait_until(late, deadline);
    time_passes_ms(3000 * 1000);
    let_rounds_pass(in_time);
    assert_int_equal(atomic_load(&late->wait_until), deadline); /* nobody has touched it */
    int before = cancels_now();
    time_passes_ms(600 * 1000);
    assert_true(soon_cancelled(before + 1));
    assert_true(atomic_load(&late->wait_until) > deadline); /* it has been given some more */
    assert_int_equal(database.given_up, 0);
    begin_to_wait_until(late, LIDO__NO_DEADLINE);
    release(late);
    release(in_time);
    assert_int_equal(stats_now().idle, 2); /* cancelled, drained, used again */
}

static void what_does_not_hear_its_cancel_is_given_up(void **state) {
    (void)state;
    make_kept_pool(1, 0);
    lido__connection *deaf = acquire_surely();
    begin_to_wait_until(deaf, lido__clock_now_us());
    assert_true(soon_cancelled(1));
    assert_int_equal(database.given_up, 0);
    assert_in_range(atomic_load(&deaf->wait_until) - lido__clock_now_us(), 1000000, 5000000);
    time_passes_us(atomic_load(&deaf->wait_until) - lido__clock_now_us());
    assert_true(soon_cancelled(2));
    assert_int_equal(database.given_up, 1);
    deaf->broken = true; /* as its holder finds out now */
    release(deaf);
    assert_int_equal(database.open, 0);
}

/* A server that has fallen silent does not take the first one's cancel; the others' deadlines do not wait for that. */
static void all_that_is_late_is_cancelled_at_once(void **state) {
    (void)state;
    lido__connection *late[3];
    make_pool(3, 0);
    for (int i = 0; i < 3; i++)
        late[i] = acquire_surely();
    let_cancels_end(false);
    for (int i = 0; i < 3; i++)
        atomic_store(&late[i]->wait_until, lido__clock_now_us());
    wait_until_cancelling(3);
    let_cancels_end(true);
    assert_true(soon_cancelled(3)); /* else they would be closed by who cancels, some time after the test */
    for (int i = 0; i < 3; i++) {
        atomic_store(&late[i]->wait_until, LIDO__NO_DEADLINE);
        release(late[i]);
    }
}

/* The next wait is one of its own, with a right to be cancelled first. */
static void who_heard_its_cancel_is_not_given_up_the_next_time(void **state) {
    (void)state;
    make_kept_pool(1, 0);
    lido__connection *connection = acquire_surely();
    for (int i = 1; i <= 3; i++) {
        begin_to_wait_until(connection, lido__clock_now_us());
        assert_true(soon_cancelled(i));
        begin_to_wait_until(connection, LIDO__NO_DEADLINE);
        time_passes_ms(10000);
    }
    assert_int_equal(database.given_up, 0);
    release(connection);
}

/* ---- The end ---- */

static bool is_closed(void) {
    pthread_mutex_lock(&pool.lock);
    bool closed = pool.closed;
    pthread_mutex_unlock(&pool.lock);
    return closed;
}

static void *close_pool(void *unused) {
    lido__pool_close(&pool);
    return unused;
}

/* One connection is in use, and the keeper is opening another, which takes long. */
static lido__connection *make_pool_with_a_busy_keeper(void) {
    make_kept_pool(2, 0);
    lido__connection *held = acquire_surely();
    let_open(false);
    set_min_size(2);
    assert_true(soon(is_opening));
    return held;
}

static bool both_are_idle(void) {
    return stats_now().idle == 2;
}

/* A server that has fallen silent under all takes no new connections either. */
static void what_is_late_is_cancelled_while_one_is_opened_ahead(void **state) {
    (void)state;
    lido__connection *held = make_pool_with_a_busy_keeper();
    begin_to_wait_until(held, lido__clock_now_us());
    assert_true(soon_cancelled(1));
    begin_to_wait_until(held, LIDO__NO_DEADLINE);
    let_rounds_pass(held);
    assert_int_equal(database.attempts, 2); /* one at a time */
    let_open(true);
    release(held);
    assert_true(soon(both_are_idle)); /* what is opened ahead, too */
}

/* The keeper's opening cannot be stopped; but nobody else has to wait for it. */
static void closing_while_the_keeper_opens_sends_the_queue_home(void **state) {
    (void)state;
    customer waiting;
    lido__connection *held = make_pool_with_a_busy_keeper();
    let_queue(&waiting, true);
    lido__pool_close(&pool);
    wait_for(&waiting);
    assert_int_equal(waiting.error.category, LIDO_ERROR_MISUSE);
    let_open(true);
    release(held); /* scripted_end finds that what the keeper opened is closed, too */
}

static void what_the_keeper_opens_for_a_closed_pool_is_closed(void **state) {
    (void)state;
    pthread_t closer;
    lido__connection *held = make_pool_with_a_busy_keeper();
    release(held);
    assert_int_equal(pthread_create(&closer, NULL, close_pool, NULL), 0);
    assert_true(soon(is_closed));
    let_open(true);
    pthread_join(closer, NULL);
    assert_int_equal(database.attempts, 2);
    assert_int_equal(database.open, 0);
}

/* What is in use when the pool is closed has its deadlines still. */
static void what_is_late_is_cancelled_after_the_close_too(void **state) {
    (void)state;
    make_kept_pool(1, 0);
    lido__connection *late = acquire_surely();
    lido__pool_close(&pool);
    begin_to_wait_until(late, lido__clock_now_us());
    assert_true(soon_cancelled(1));
    release(late);
    assert_int_equal(stats_now().open, 0);
}

static void the_keeper_stops_at_once_when_the_pool_is_closed(void **state) {
    (void)state;
    struct timespec before;
    struct timespec after;
    time_stands_still(); /* by this clock, the keeper's next round is never */
    make_pool(2, 0);
    release(acquire_surely());
    assert_true(pool.keeper_runs);
    clock_gettime(CLOCK_MONOTONIC, &before);
    lido__pool_close(&pool);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_false(pool.keeper_runs);
    assert_true(after.tv_sec - before.tv_sec < 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        POOL_TEST(nothing_is_opened_ahead_of_the_first_use),
        POOL_TEST(after_the_first_use_the_least_size_is_opened),
        POOL_TEST(what_is_lost_is_opened_again),
        POOL_TEST(no_more_is_opened_ahead_than_there_is_room_for),
        POOL_TEST(what_is_opened_ahead_goes_to_who_waits),
        POOL_TEST(a_pool_that_went_to_zero_recovers_with_nobody_asking),
        POOL_TEST(the_keeper_keeps_to_the_pause),
        POOL_TEST(what_is_idle_for_long_is_closed),
        POOL_TEST(the_least_size_is_kept_however_long_it_is_idle),
        POOL_TEST(without_a_limit_nothing_is_closed),
        POOL_TEST(old_ones_are_closed_though_nobody_takes_them),
        POOL_TEST(connections_do_not_age_alike),
        POOL_TEST(old_ones_of_the_least_size_are_replaced),
        POOL_TEST(what_outlasts_its_deadline_is_cancelled),
        POOL_TEST(what_does_not_hear_its_cancel_is_given_up),
        POOL_TEST(all_that_is_late_is_cancelled_at_once),
        POOL_TEST(who_heard_its_cancel_is_not_given_up_the_next_time),
        POOL_TEST(what_is_late_is_cancelled_while_one_is_opened_ahead),
        POOL_TEST(closing_while_the_keeper_opens_sends_the_queue_home),
        POOL_TEST(what_the_keeper_opens_for_a_closed_pool_is_closed),
        POOL_TEST(what_is_late_is_cancelled_after_the_close_too),
        POOL_TEST(the_keeper_stops_at_once_when_the_pool_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
