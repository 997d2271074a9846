/* Whose turn it is on lanes, and who is told to stop: a slow or failing statement delays nobody beyond its own run
 * again, lido_cancel from another thread stops the one it is meant for, and whoever is gone leaves nothing running. */
#include "lane_lines.h"
#include "soak.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "support/chance.h"

enum { QUICK = 40, QUICK_EACH = 5, SLOW_SECONDS = 8, OVER_MOST_MS = 10000 };

/* How many statements with that mark the server is at. */
static int64_t running(const char *mark) {
    char query[300];
    snprintf(query, sizeof query,
             "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE "
             "'%%AS %s'",
             mark);
    return ask_surely(witness, query);
}

static void expect_nothing_runs(const char *mark) {
    int64_t deadline = lido__deadline_in_ms(OVER_MOST_MS);
    while (running(mark) != 0) {
        poll(NULL, 0, 5);
        assert_true(lido__clock_now_us() < deadline);
    }
}

static void run_out_loop(lido_loop *loop) {
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    lido_loop_close(loop);
}

/* ---- The order in which they are done ---- */

/* All in one loop's thread. */
typedef struct finish {
    lido_engine *engine;
    int done;        /* counted */
    int right;       /* the statements of theirs that gave what they give alone */
    int failed_as;   /* when the failing one was done, */
    int slow_as;     /* and the slow one */
    int quick_after; /* of the quick ones, after the slow one */
} finish;

static void *be_quick(void *argument) {
    finish *of = argument;
    char digest[DIGEST_MOST];
    lido_session *db = lido_session_open(of->engine, &reads);
    for (int i = 0; i < QUICK_EACH; i++) {
        size_t which = (size_t)(i % 2);
        ask(db, which, i, digest);
        of->right += strcmp(digest, expected[which][i]) == 0;
    }
    lido_session_close(db);
    of->done++;
    of->quick_after += of->slow_as != 0;
    return NULL;
}

static void *fail_each_time(void *argument) {
    finish *of = argument;
    char digest[DIGEST_MOST];
    lido_session *db = lido_session_open(of->engine, &reads);
    for (int i = 0; i < QUICK_EACH; i++) {
        ask(db, 4, 3, digest); /* 10 / (3 - 3) */
        of->right += strcmp(digest, expected[4][3]) == 0;
    }
    lido_session_close(db);
    of->failed_as = ++of->done;
    return NULL;
}

static void *be_slow(void *argument) {
    finish *of = argument;
    lido_session *db = lido_session_open(of->engine, &reads);
    lido_value slept = lido_query_value(db, "SELECT 7 FROM pg_sleep(?)", SLOW_SECONDS);
    expect_no_error(db);
    assert_int_equal(slept.as.integer, 7);
    lido_session_close(db);
    of->slow_as = ++of->done;
    return NULL;
}

static void spawn(lido_loop *loop, lido_task_function *function, void *argument) {
    lido_task *task = lido_spawn(loop, function, argument);
    assert_non_null(task);
    lido_task_detach(task);
}

/* It travels in the company of the others, whichever lane they are on: `slow_at` of them come before it. */
static void the_slow_one_is_last(int slow_at) {
    finish of = {.engine = open_lanes(NULL)};
    lido_loop *loop = lido_loop_new(NULL, NULL);
    int64_t began = lido__clock_now_us();
    for (int i = 0; i < QUICK; i++) {
        if (i == slow_at)
            spawn(loop, be_slow, &of);
        if (i == slow_at + 3)
            spawn(loop, fail_each_time, &of);
        spawn(loop, be_quick, &of);
    }
    run_out_loop(loop);
    assert_int_equal(of.right, (QUICK + 1) * QUICK_EACH);
    assert_int_equal(of.quick_after, 0);
    assert_int_equal(of.slow_as, QUICK + 2);
    assert_in_range(of.failed_as, 1, QUICK + 1);
    assert_in_range(lido__clock_now_us() - began, SLOW_SECONDS * 1000000, 3 * SLOW_SECONDS * 1000000); /* slept once */
    lido_engine_close(of.engine);
}

static void a_slow_one_and_a_failing_one_delay_nobody(void **state) {
    (void)state;
    postgres_url();
    the_slow_one_is_last(0);
    the_slow_one_is_last(QUICK / 2);
}

/* ---- Cancelled by another thread ---- */

typedef struct sleeper {
    lido_engine *engine;
    _Atomic(lido_session *) session; /* of the one who sleeps */
    atomic_bool told;                /* it was cancelled, and that was heard */
    atomic_bool ends;
    lido_category category;
    int right;
    int asked;
    unsigned pause_us;
} sleeper;

static void *sleep_on_a_lane(void *argument) {
    sleeper *self = argument;
    lido_session *db = lido_session_open(self->engine, &reads);
    lido_query_value(db, "SELECT 1");
    atomic_store(&self->session, db);
    lido_query_value(db, "SELECT count(*) FROM generate_series(1, 1000000000) AS sleeper");
    self->category = lido_error_of(db)->category;
    atomic_store(&self->ends, true);
    while (!atomic_load(&self->told)) /* whose session it still is */
        lido_sleep(1);
    lido_session_close(db);
    return NULL;
}

static void *ask_beside(void *argument) {
    sleeper *self = argument;
    char digest[DIGEST_MOST];
    lido_session *db = lido_session_open(self->engine, &reads);
    while (!atomic_load(&self->ends)) {
        ask(db, 0, 1, digest);
        self->right += strcmp(digest, expected[0][1]) == 0;
        self->asked++;
        lido_sleep(2);
    }
    lido_session_close(db);
    return NULL;
}

/* It may be on a lane, on its way from there to the pool, or there: once told, it stops. */
static void *cancel_from_here(void *argument) {
    sleeper *self = argument;
    lido_session *db;
    while ((db = atomic_load(&self->session)) == NULL)
        poll(NULL, 0, 1);
    usleep(self->pause_us);
    while (!atomic_load(&self->ends) && lido_cancel(db) != LIDO_OK)
        poll(NULL, 0, 1);
    atomic_store(&self->told, true);
    return NULL;
}

static void cancel_once(unsigned pause_us) {
    enum { BESIDE = 6 };
    sleeper self = {.engine = open_lanes(NULL), .pause_us = pause_us};
    pthread_t thread;
    lido_loop *loop = lido_loop_new(NULL, NULL);
    spawn(loop, sleep_on_a_lane, &self);
    for (int i = 0; i < BESIDE; i++)
        spawn(loop, ask_beside, &self);
    assert_int_equal(pthread_create(&thread, NULL, cancel_from_here, &self), 0);
    run_out_loop(loop);
    pthread_join(thread, NULL);
    assert_int_equal(self.category, LIDO_ERROR_CANCELLED);
    assert_int_equal(self.right, self.asked);
    lido_engine_close(self.engine);
}

static void cancelled_by_another_thread(void **state) {
    (void)state;
    postgres_url();
    uint64_t chance = chance_of(seed_of_test(), 0);
    for (int i = 0; i < 12; i++)
        cancel_once(i % 3 == 0 ? draw_below(&chance, 2000) : draw_below(&chance, 400000));
    expect_nothing_runs("sleeper");
}

/* ---- Left alone ---- */

typedef struct leaver {
    lido_engine *engine;
    lido_category category;
} leaver;

static void *leave_it(void *argument) {
    leaver *self = argument;
    lido_session_options options = reads;
    options.statement_timeout_ms = 60;
    lido_session *db = lido_session_open(self->engine, &options);
    lido_query_value(db, "SELECT count(*) FROM generate_series(1, 1000000000) AS left_alone");
    self->category = lido_error_of(db)->category;
    lido_session_close(db);
    return NULL;
}

/* The loop ends with its last task, and its lanes with it; the server would go on for minutes. */
static void a_loop_that_ends_leaves_nothing_running(void **state) {
    (void)state;
    postgres_url();
    for (int i = 0; i < 5; i++) {
        leaver self = {.engine = open_lanes(NULL)};
        lido_loop *loop = lido_loop_new(NULL, NULL);
        spawn(loop, leave_it, &self);
        run_out_loop(loop);
        assert_int_equal(self.category, LIDO_ERROR_TIMEOUT);
        lido_engine_close(self.engine);
    }
    expect_nothing_runs("left_alone");
}

static int run_once(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_one_and_a_failing_one_delay_nobody),
        cmocka_unit_test(cancelled_by_another_thread),
        cmocka_unit_test(a_loop_that_ends_leaves_nothing_running),
    };
    return cmocka_run_group_tests(tests, make_items, drop_items);
}

int main(void) {
    lido_loop_close(lido_loop_new(NULL, NULL)); /* libuv keeps two descriptors from its first loop on */
    return soak_run(run_once);
}
