/* The keeper: what it opens ahead and closes, while nobody takes a connection. */
#include "kept_pool.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
