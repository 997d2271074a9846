/* The pool against a model of it: schedules of random steps on a clock that stands still between them, and after each
 * step both must agree on everything. One thread, so that the same LIDO_TEST_SEED plays the same steps; what threads do
 * to each other is in pool_crowd_test.c. */
#include "pool_model.h"

#include <string.h>

#include "base/fault.h"

enum { SCHEDULES = 10000, STEPS = 60, LIFE_MS = 3000 };

static uint64_t chance;
static int schedule;
static char steps_taken[STEPS + 1];
static int step_count;

static unsigned draw(unsigned below) {
    return draw_below(&chance, below);
}

/* ---- The steps: each does it to the pool and to the model ---- */

/* What depends on the system's randomness is checked against its bounds, and then set by the test's own. */
static void note_failure(void) {
    if (!expected.down)
        return;
    assert_in_range(pool.down_until - lido__clock_now_us(), 25000, 5000000);
    pool.down_until = expected.down_until = lido__clock_now_us() + 1000 * (25 + draw(1000));
}

static void note_opened(lido__connection *real, int64_t generation) {
    int number = ++expected.made;
    assert_int_equal(number_of(real), number);
    assert_in_range(real->retire_at - lido__clock_now_us(), LIFE_MS * 900, LIFE_MS * 1000);
    *connection_of(number) = (modelled){.real = real, .generation = generation};
    real->retire_at = connection_of(number)->retire_at = lido__clock_now_us() + 1000 * (1 + draw(LIFE_MS));
    expected.stats.connects++;
    expected.down = false;
}

static void step_acquire(int holder) {
    lido_error error = LIDO_ERROR_INIT;
    int number;
    int attempts = expected.attempts;
    database.failures = expected.failures_to_come;
    database.failure = expected.failure;
    lido_category outcome = model_acquire(holder, &number);
    lido__connection *real = acquire_for(&expected.held_by[holder], owner_of(holder), &error);
    assert_int_equal(error.category, outcome);
    if (outcome != LIDO_ERROR_NONE) {
        assert_null(real);
        if (expected.attempts > attempts)
            note_failure();
        return;
    }
    assert_non_null(real);
    if (number == 0) {
        note_opened(real, expected.generation);
        number = expected.made;
    }
    modelled *at = connection_of(number);
    assert_ptr_equal(real, at->real); /* the newest idle one, or the new one */
    at->fate = HELD;
    at->holder = holder;
    at->taken_at = lido__clock_now_us();
    expected.held_by[holder] = number;
}

static void step_release(int holder) {
    int number = expected.held_by[holder];
    modelled *at = connection_of(number);
    at->broken = draw(8) == 0;
    at->server_gone = draw(16) == 0;
    bool in_transaction = draw(16) == 0;
    at->real->broken = at->broken;
    at->real->server_gone = at->server_gone;
    at->real->in_transaction = in_transaction;
    at->broken = at->broken || in_transaction; /* the pool makes no difference */
    lido__connection *real = at->real;
    model_release(number);
    release(real);
}

static void step_kill_idle(void) {
    if (expected.idle_count == 0)
        return;
    modelled *at = connection_of(expected.idle[draw((unsigned)expected.idle_count)]);
    at->dead = of(at->real)->dead = true;
    if (draw(3) == 0)
        at->gone = of(at->real)->gone = true;
}

/* A cancel that takes its time: it has found the connection, and has not reached the server yet. */
static void step_begin_to_cancel(int holder) {
    int number = expected.held_by[holder];
    if (number == 0) {
        assert_false(lido__pool_cancel(&pool, &expected.held_by[holder]));
        return;
    }
    lido__holding holding;
    lido__connection *real = connection_of(number)->real;
    connection_of(number)->cancels++;
    assert_true(lido__hold_read(real, &holding) && lido__hold_cancel(real, &holding));
}

static void step_end_a_cancel(void) {
    for (int number = 1; number <= expected.made; number++) {
        modelled *at = connection_of(number);
        if (at->cancels == 0 || (at->fate != HELD && at->fate != BEING_CANCELLED))
            continue;
        if (--at->cancels == 0 && at->fate == BEING_CANCELLED)
            model_close(number);
        lido__pool_send_cancel(&pool, at->real, false);
        return;
    }
}

static bool anything_is_cancelled(void) {
    for (int number = 1; number <= expected.made; number++)
        if (connection_of(number)->cancels > 0)
            return true;
    return false;
}

static void step_fork(void) {
    if (anything_is_cancelled()) /* by a thread that the child would not have */
        return;
    lido__pool_before_fork(&pool);
    lido__pool_after_fork_in_child(&pool);
    without_keeper();
    for (int number = 1; number <= expected.made; number++)
        if (connection_of(number)->fate == IDLE || connection_of(number)->fate == HELD)
            connection_of(number)->fate = INHERITED;
    memset(expected.held_by, 0, sizeof expected.held_by);
    expected.idle_count = expected.open = 0;
    expected.generation++;
    expected.forked = true;
}

static void step_close(void) {
    pool.keeper_runs = false;
    expected.shut_down = true;
    lido__pool_close(&pool);
    while (expected.idle_count > 0)
        model_close(expected.idle[--expected.idle_count]);
}

static void step_pass_time(void) {
    static const unsigned most_ms[] = {1, 30, PING_AFTER_MS * 3, LIFE_MS};
    time_passes_us(draw(1000 * most_ms[draw(4)]));
}

static void step_let_fail(void) {
    expected.failures_to_come = 1;
    expected.failure = draw(4) != 0 ? LIDO_ERROR_DISCONNECTED : LIDO_ERROR_OUT_OF_MEMORY;
}

static void step_change_hearing(void) {
    expected.deaf = !expected.deaf;
    database.deaf = expected.deaf;
}

/* ---- Agreeing ---- */

static void agree_on_lists(void) {
    lido__connection *idle[CONNECTIONS_MOST];
    assert_int_equal(idle_now(idle, CONNECTIONS_MOST), expected.idle_count);
    for (int i = 0; i < expected.idle_count; i++)
        assert_ptr_equal(idle[i], connection_of(expected.idle[expected.idle_count - 1 - i])->real);
    int held = 0;
    lido__holding holding;
    unsigned place = 0;
    for (lido__connection *at; (at = lido__places_next(&pool.places, &place)) != NULL;) {
        if (!lido__hold_read(at, &holding))
            continue;
        held++;
        assert_int_equal(connection_of(number_of(at))->fate, HELD);
    }
    for (int holder = 0; holder < HOLDERS; holder++)
        held -= expected.held_by[holder] != 0;
    assert_int_equal(held, 0);
}

static void agree_on_stats(void) {
    lido_pool_stats stats = stats_now();
    expected.stats.open = expected.open;
    expected.stats.idle = expected.idle_count;
    expected.stats.down = expected.down;
    expected.stats.in_use = 0;
    for (int holder = 0; holder < HOLDERS; holder++)
        expected.stats.in_use += expected.held_by[holder] != 0;
    assert_int_equal(stats.open, expected.stats.open);
    assert_int_equal(stats.idle, expected.stats.idle);
    assert_int_equal(stats.in_use, expected.stats.in_use);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.down, expected.stats.down);
    assert_int_equal(stats.acquires, expected.stats.acquires);
    assert_int_equal(stats.waits, expected.stats.waits);
    assert_int_equal(stats.timeouts, expected.stats.timeouts);
    assert_int_equal(stats.connects, expected.stats.connects);
    assert_int_equal(stats.failed_connects, expected.stats.failed_connects);
    assert_int_equal(stats.recycled, expected.stats.recycled);
    assert_int_equal(stats.invalidated, expected.stats.invalidated);
    assert_int_equal(stats.wait_us, 0);
    assert_int_equal(stats.use_us, expected.stats.use_us);
}

/* Nothing is closed twice, or leaked: what was opened is open here, or was closed, or abandoned. */
static void agree_on_database(void) {
    assert_int_equal(database.attempts, expected.attempts);
    assert_int_equal(database.looks, expected.looks);
    assert_int_equal(database.pings, expected.pings);
    assert_int_equal(database.closed, expected.closed);
    assert_int_equal(database.abandoned, expected.abandoned);
    assert_int_equal(database.open, expected.made - expected.closed - expected.abandoned);
    assert_int_equal(database.misused, 0);
    assert_true(config.max_overflow < 0 || expected.open <= config.pool_size + config.max_overflow);
}

/* ---- Playing ---- */

static void take_step(char step) {
    int holder = (int)draw(HOLDERS);
    steps_taken[step_count++] = step;
    switch (step) {
    case 'a':
        expected.held_by[holder] == 0 ? step_acquire(holder) : step_release(holder);
        break;
    case 'k':
        step_kill_idle();
        break;
    case 't':
        step_pass_time();
        break;
    case 'f':
        step_let_fail();
        break;
    case 'd':
        step_change_hearing();
        break;
    case 'c':
        step_begin_to_cancel(holder);
        break;
    case 'e':
        step_end_a_cancel();
        break;
    case 'F':
        step_fork();
        break;
    }
    agree_on_lists();
    agree_on_stats();
    agree_on_database();
}

static void begin_schedule(uint64_t seed) {
    static const int overflows[] = {0, 0, 1, 3, -1};
    memset(&expected, 0, sizeof expected);
    memset(steps_taken, 0, sizeof steps_taken);
    step_count = 0;
    chance = chance_of(seed, (uint64_t)schedule);
    scripted_begin(NULL);
    time_stands_still();
    config.pool_timeout_ms = 0;
    config.pool_ping_after_ms = PING_AFTER_MS;
    config.pool_recycle_ms = LIFE_MS;
    config.pool_max_waiting = draw(4) == 0 ? 0 : -1;
    make_pool(1 + (int)draw(4), overflows[draw(5)]);
    database.limit = INT32_MAX; /* inherited ones are open, too, and count for nobody; agree_on_database looks */
    without_keeper();
}

/* How often each thing happened in all schedules: what never happens was not tested. */
static lido_pool_stats totals;
static int pings, abandoned, cancels;

static void add_to_totals(void) {
    totals.acquires += expected.stats.acquires;
    totals.timeouts += expected.stats.timeouts;
    totals.connects += expected.stats.connects;
    totals.failed_connects += expected.stats.failed_connects;
    totals.recycled += expected.stats.recycled;
    totals.invalidated += expected.stats.invalidated;
    pings += expected.pings;
    abandoned += expected.abandoned;
    cancels += database.cancels;
}

static void assert_enough_happened(void) {
    assert_true(totals.acquires > 5 * SCHEDULES);
    assert_true(totals.connects > 2 * SCHEDULES);
    assert_true(totals.timeouts > SCHEDULES / 2);
    assert_true(totals.failed_connects > SCHEDULES / 10);
    assert_true(totals.recycled > SCHEDULES / 10);
    assert_true(totals.invalidated > SCHEDULES / 10);
    assert_true(pings > SCHEDULES / 10);
    assert_true(abandoned > SCHEDULES / 10);
    assert_true(cancels > SCHEDULES / 10);
}

/* The pool is closed first, or all is given back first. */
static void end_schedule(void) {
    bool close_first = draw(2) == 0;
    if (close_first)
        step_close();
    for (int holder = 0; holder < HOLDERS; holder++) {
        if (expected.held_by[holder] != 0)
            step_release(holder);
        else if (close_first)
            step_acquire(holder);
    }
    while (anything_is_cancelled())
        step_end_a_cancel();
    agree_on_stats();
    agree_on_database();
    if (!close_first)
        step_close();
    add_to_totals();
    assert_int_equal(expected.open, 0);
    assert_int_equal(pool.open, 0);
    assert_int_equal(scripted_end(NULL), 0);
}

static void the_pool_does_what_its_model_does(void **state) {
    (void)state;
    static const char steps[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaattttttttttkkkffdcccceeeeF";
    uint64_t seed = seed_of_test();
    for (schedule = 0; schedule < SCHEDULES; schedule++) {
        begin_schedule(seed);
        for (int i = 0; i < STEPS; i++)
            take_step(steps[draw(sizeof steps - 1)]);
        end_schedule();
    }
    assert_enough_happened();
}

/* After a failure: which steps led to it. */
static int tell_steps(void **state) {
    (void)state;
    if (schedule < SCHEDULES)
        print_error("schedule %d, steps %s\n", schedule, steps_taken);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_pool_does_what_its_model_does, tell_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
