/* The keeper: what it cancels because it is late, and how it ends with its pool. */
#include "kept_pool.h"

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
