/* Cancelling from another thread, at known moments and at any; and deadlines, which end a statement the same way. What
 * is cancelled fails as cancelled, within a bound; nothing else does; the session, the connection and the pool serve
 * on. */
#include "databases.h"
#include "in_task.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { BOUND_MS = 5000, HAMMER_MS = 1000, HAMMER_MOST_MS = 30000, HAMMERED = 3, POOL = 4 };

/* ---- On which database ---- */

typedef enum place { ON_POSTGRES, ON_FILE, IN_MEMORY } place;

static lido_engine *engine;

static lido_engine *open_at(place where, const lido_options *options) {
    if (where == ON_POSTGRES)
        return open_surely(postgres_url(), options);
    return open_surely(where == ON_FILE ? file_url("cancelled.db") : "sqlite://", options);
}

static void begin_at(place where, int pool_size) {
    lido_options options = LIDO_OPTIONS_INIT;
    if (where == ON_POSTGRES)
        postgres_url();
    make_folder(NULL);
    options.pool_size = pool_size;
    options.max_overflow = 0;
    options.pool_timeout_ms = 20000;
    options.busy_timeout_ms = 20000;
    engine = open_at(where, &options);
    if (where == ON_POSTGRES)
        run_surely(engine, "DROP TABLE IF EXISTS cancelled");
    run_surely(engine, "CREATE TABLE cancelled (id integer PRIMARY KEY, count integer)");
}

/* Nothing was lost on the way: no connection in use, no more than there may be. */
static void end_at_rest(int pool_size) {
    lido_pool_stats stats;
    lido_engine_stats(engine, &stats);
    assert_int_equal(stats.in_use, 0);
    assert_int_equal(stats.waiting, 0);
    assert_true(stats.open <= pool_size + 1); /* and SQLite's writer */
    assert_int_equal(ask_surely(engine, "SELECT 7"), 7);
    lido_engine_close(engine);
    remove_folder(NULL);
}

/* Ends by itself after a long time only. */
static const char *endless(place where) {
    return where == ON_POSTGRES ? "SELECT 7 FROM pg_sleep(60)"
                                : "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) "
                                  "SELECT count(*) FROM numbers";
}

/* ---- Another thread that waits for something ---- */

typedef struct patient {
    pthread_t thread;
    const char *sql;
    _Atomic(lido_session *) session; /* NULL until it is there */
    lido_error error;                /* what its statement said */
    lido_category next;              /* and the one after it */
    atomic_int_fast64_t took_us;     /* 0: it is still at it */
    atomic_bool leaves;              /* it may close the session */
} patient;

static void *wait_for_it(void *argument) {
    patient *self = argument;
    lido_session *db = lido_session_open(engine, NULL);
    atomic_store(&self->session, db);
    int64_t began = lido__clock_now_us();
    lido_exec(db, self->sql);
    self->error = *lido_error_of(db);
    self->took_us = lido__clock_now_us() - began + 1;
    lido_rollback(db);
    while (!atomic_load(&self->leaves))
        poll(NULL, 0, 1);
    lido_query_value(db, "SELECT 1");
    self->next = lido_error_of(db)->category;
    lido_session_close(db);
    return NULL;
}

static void admit(patient *self, const char *sql) {
    memset(self, 0, sizeof *self);
    self->sql = sql;
    assert_int_equal(pthread_create(&self->thread, NULL, wait_for_it, self), 0);
    while (atomic_load(&self->session) == NULL)
        poll(NULL, 0, 1);
}

/* Until it is where it is to be cancelled; it is given time to get into the statement itself. */
static void settle(bool in_queue) {
    lido_pool_stats stats = {0};
    while ((in_queue ? stats.waiting : stats.in_use) == 0) {
        poll(NULL, 0, 1);
        lido_engine_stats(engine, &stats);
    }
    poll(NULL, 0, 100);
}

static void expect_cancelled(patient *self) {
    int64_t began = lido__clock_now_us();
    assert_int_equal(lido_cancel(self->session), LIDO_OK);
    atomic_store(&self->leaves, true);
    pthread_join(self->thread, NULL);
    assert_true(lido__clock_now_us() - began < BOUND_MS * 1000);
    if (self->error.category != LIDO_ERROR_CANCELLED)
        lido_error_print(&self->error, stderr);
    assert_int_equal(self->error.category, LIDO_ERROR_CANCELLED);
    assert_false(self->error.retryable);
    assert_int_equal(self->next, LIDO_ERROR_NONE);
}

/* ---- At known moments ---- */

static void a_statement_is_cancelled(void **state) {
    const place where = *(const place *)*state;
    patient other;
    begin_at(where, 1);
    admit(&other, endless(where));
    settle(false);
    expect_cancelled(&other);
    assert_string_equal(other.error.sqlstate, "57014");
    assert_string_equal(other.error.doing, "running a statement");
    end_at_rest(1);
}

static void waiting_in_the_pool_is_cancelled(void **state) {
    const place where = *(const place *)*state;
    patient other;
    begin_at(where, 1);
    lido_session *held = lido_session_open(engine, NULL);
    lido_query_value(held, "SELECT 1");
    admit(&other, "SELECT 1");
    settle(true);
    int64_t began = lido__clock_now_us();
    assert_int_equal(lido_cancel(other.session), LIDO_OK);
    while (other.took_us == 0 && lido__clock_now_us() - began < BOUND_MS * 1000)
        poll(NULL, 0, 1);
    expect_no_error(held); /* who holds the connection is not touched */
    assert_int_equal(lido_query_value(held, "SELECT 7").as.integer, 7);
    assert_int_equal(lido_commit(held), LIDO_OK);
    atomic_store(&other.leaves, true);
    pthread_join(other.thread, NULL);
    assert_true(other.took_us < BOUND_MS * 1000);
    assert_int_equal(other.error.category, LIDO_ERROR_CANCELLED);
    assert_int_equal(other.next, LIDO_ERROR_NONE);
    lido_session_close(held);
    end_at_rest(1);
}

/* Opens as many connections as the pool keeps, so that nobody is waiting for one to be opened. */
static void warm_up(int pool_size) {
    lido_session *open[POOL];
    for (int i = 0; i < pool_size; i++) {
        open[i] = lido_session_open(engine, NULL);
        lido_query_value(open[i], "SELECT 1");
        expect_no_error(open[i]);
    }
    for (int i = 0; i < pool_size; i++)
        lido_session_close(open[i]);
}

/* On PostgreSQL a row's, on SQLite the file's. */
static void waiting_for_a_lock_is_cancelled(void **state) {
    const place where = *(const place *)*state;
    patient other;
    begin_at(where, 2);
    run_surely(engine, "INSERT INTO cancelled VALUES (1, 0)");
    warm_up(2);
    lido_session *holder = lido_session_open(engine, NULL);
    lido_exec(holder, "UPDATE cancelled SET count = 1");
    expect_no_error(holder);
    admit(&other, "UPDATE cancelled SET count = 2");
    poll(NULL, 0, 200);
    expect_cancelled(&other);
    assert_int_equal(lido_commit(holder), LIDO_OK);
    lido_session_close(holder);
    assert_int_equal(ask_surely(engine, "SELECT count FROM cancelled"), 1);
    end_at_rest(2);
}

static void a_stream_is_cancelled(void **state) {
    const place where = *(const place *)*state;
    begin_at(where, 1);
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows =
        lido_stream(db, where == ON_POSTGRES ? "SELECT n FROM generate_series(1, 100000000) AS n"
                                             : "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM "
                                               "numbers) SELECT n FROM numbers");
    assert_true(lido_next(rows));
    assert_int_equal(lido_cancel(db), LIDO_OK); /* from its own thread is from any thread, too */
    int64_t deadline = lido__deadline_in_ms(BOUND_MS);
    while (lido_next(rows))
        assert_true(lido__clock_now_us() < deadline);
    expect_error(db, LIDO_ERROR_CANCELLED);
    lido_rollback(db);
    assert_int_equal(lido_query_value(db, "SELECT 7").as.integer, 7);
    lido_session_close(db);
    end_at_rest(1);
}

static void with_nothing_to_cancel_nothing_happens(void **state) {
    const place where = *(const place *)*state;
    begin_at(where, 1);
    lido_session *db = lido_session_open(engine, NULL);
    assert_int_equal(lido_cancel(NULL), LIDO_ERROR);
    assert_int_equal(lido_cancel(db), LIDO_ERROR);
    lido_exec(db, "INSERT INTO cancelled VALUES (1, 1)");
    expect_no_error(db);
    assert_int_equal(lido_cancel(db), LIDO_ERROR); /* between two statements */
    lido_exec(db, "INSERT INTO cancelled VALUES (2, 2)");
    expect_no_error(db);
    assert_int_equal(lido_commit(db), LIDO_OK);
    assert_int_equal(lido_cancel(db), LIDO_ERROR);
    lido_session_close(db);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM cancelled"), 2);
    end_at_rest(1);
}

/* A savepoint around what was cancelled brings the rest of the transaction through. */
static void a_savepoint_outlives_what_was_cancelled_in_it(void **state) {
    const place where = *(const place *)*state;
    begin_at(where, 1);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.statement_timeout_ms = 200});
    lido_exec(db, "INSERT INTO cancelled VALUES (1, 1)");
    lido_error error;
    lido_savepoint_outcome (db, &error) {
        lido_exec(db, "INSERT INTO cancelled VALUES (2, 2)");
        lido_query_value(db, endless(where));
    }
    assert_int_equal(error.category, LIDO_ERROR_TIMEOUT);
    expect_no_error(db);
    lido_exec(db, "INSERT INTO cancelled VALUES (3, 3)");
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    assert_int_equal(ask_surely(engine, "SELECT sum(id) FROM cancelled"), 4);
    end_at_rest(1);
}

/* ---- At any moment ---- */

typedef struct worker {
    pthread_t thread;
    atomic_bool *stops;
    pthread_mutex_t lock; /* the session is there as long as it is held */
    lido_session *session;
    atomic_int_fast64_t fine;
    atomic_int_fast64_t cancelled;
    int64_t others; /* failed otherwise */
    lido_error last;
} worker;

static bool judge(worker *self, lido_session *db) {
    const lido_error *error = lido_error_of(db);
    if (error->category == LIDO_ERROR_NONE)
        return ++self->fine > 0;
    if (error->category == LIDO_ERROR_CANCELLED)
        return ++self->cancelled == 0;
    self->last = *error;
    return ++self->others == 0;
}

static void show_session(worker *self, lido_session *session) {
    pthread_mutex_lock(&self->lock);
    self->session = session;
    pthread_mutex_unlock(&self->lock);
}

static void *work(void *argument) {
    worker *self = argument;
    while (!atomic_load(self->stops)) {
        lido_session *db = lido_session_open(engine, NULL);
        show_session(self, db);
        for (int i = 0; i < 4; i++) {
            lido_query_value(db, "SELECT count(*) FROM cancelled AS a, cancelled AS b WHERE a.id <> b.count");
            if (judge(self, db))
                judge(self, (lido_query_value(db, "SELECT 7"), db));
            lido_rollback(db);
        }
        show_session(self, NULL);
        lido_session_close(db);
    }
    return NULL;
}

static void cancel_one(worker *of) {
    pthread_mutex_lock(&of->lock);
    if (of->session != NULL)
        lido_cancel(of->session);
    pthread_mutex_unlock(&of->lock);
}

/* The first HAMMERED of them are cancelled at random. */
static worker workers[2 * HAMMERED];

static void *hammer(void *argument) {
    const atomic_bool *rests = argument;
    for (unsigned i = 0; !atomic_load(rests); i++) {
        cancel_one(&workers[i % HAMMERED]);
        if (i % 7 == 0)
            poll(NULL, 0, 1);
    }
    return NULL;
}

/* However slow the machine is: all others have been served, and somebody was cancelled; */
static bool has_hit(void) {
    int64_t cancelled = 0;
    for (int i = 0; i < HAMMERED; i++)
        cancelled += workers[i].cancelled;
    for (int i = HAMMERED; i < 2 * HAMMERED; i++)
        if (workers[i].fine == 0)
            return false;
    return cancelled > 0;
}

/* and when nobody is cancelled any more, all are served. */
static bool all_are_served(void) {
    for (int i = 0; i < HAMMERED; i++)
        if (workers[i].fine == 0)
            return false;
    return true;
}

static void wait_until(bool (*so)(void)) {
    int64_t deadline = lido__deadline_in_ms(HAMMER_MOST_MS);
    while (!so() && lido__clock_now_us() < deadline)
        poll(NULL, 0, 10);
}

static void hammer_workers(void) {
    pthread_t hammers;
    atomic_bool rests = false;
    assert_int_equal(pthread_create(&hammers, NULL, hammer, &rests), 0);
    poll(NULL, 0, HAMMER_MS);
    wait_until(has_hit);
    atomic_store(&rests, true);
    pthread_join(hammers, NULL);
}

static void fill(place where) {
    run_surely(engine, where == ON_POSTGRES
                           ? "INSERT INTO cancelled SELECT n, n FROM generate_series(1, 300) AS n"
                           : "INSERT INTO cancelled WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 "
                             "FROM numbers WHERE n < 300) SELECT n, n FROM numbers");
}

/* Six threads share four connections, so connections change hands all the time; half of the threads are cancelled at
 * random, the others never: a cancel that came too late and hit the wrong one would show there. */
static void cancels_at_any_moment_hit_whom_they_mean(void **state) {
    const place where = *(const place *)*state;
    begin_at(where, POOL);
    fill(where);
    atomic_bool stops = false;
    memset(workers, 0, sizeof workers);
    for (int i = 0; i < 2 * HAMMERED; i++) {
        workers[i].stops = &stops;
        pthread_mutex_init(&workers[i].lock, NULL);
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    hammer_workers();
    wait_until(all_are_served);
    atomic_store(&stops, true);
    int64_t cancelled = 0;
    for (int i = 0; i < 2 * HAMMERED; i++)
        pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < 2 * HAMMERED; i++) {
        pthread_mutex_destroy(&workers[i].lock);
        if (workers[i].others > 0)
            lido_error_print(&workers[i].last, stderr);
        assert_int_equal(workers[i].others, 0);
        assert_true(workers[i].fine > 0);
        if (i >= HAMMERED)
            assert_int_equal(workers[i].cancelled, 0);
        cancelled += workers[i].cancelled;
    }
    assert_true(cancelled > 0);
    end_at_rest(POOL);
}

/* ---- Deadlines ---- */

/* The transaction's time counts from its first statement, over all of them, and what comes after it has its own. */
static void a_transaction_has_its_own_deadline(void **state) {
    const place where = *(const place *)*state;
    begin_at(where, 1);
    lido_session *db =
        lido_session_open(engine, &(lido_session_options){.transaction_timeout_ms = 300, .statement_timeout_ms = -1});
    lido_exec(db, "INSERT INTO cancelled VALUES (1, 1)");
    expect_no_error(db);
    poll(NULL, 0, 100);
    int64_t began = lido__clock_now_us();
    lido_query_value(db, endless(where));
    int64_t took = lido__clock_now_us() - began;
    expect_error(db, LIDO_ERROR_TIMEOUT);
    assert_true(took > 100 * 1000);
    assert_true(took < BOUND_MS * 1000);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    lido_exec(db, "INSERT INTO cancelled VALUES (2, 2)");
    expect_no_error(db);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    assert_int_equal(ask_surely(engine, "SELECT sum(id) FROM cancelled"), 2);
    end_at_rest(1);
}

/* Time that passes between statements counts, too. */
static void a_transaction_that_dawdles_is_over(void **state) {
    const place where = *(const place *)*state;
    begin_at(where, 1);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.transaction_timeout_ms = 50});
    lido_exec(db, "INSERT INTO cancelled VALUES (1, 1)");
    expect_no_error(db);
    poll(NULL, 0, 150);
    int64_t began = lido__clock_now_us();
    lido_query_value(db, endless(where));
    expect_error(db, LIDO_ERROR_TIMEOUT);
    assert_true(lido__clock_now_us() - began < BOUND_MS * 1000);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    lido_session_close(db);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM cancelled"), 0);
    end_at_rest(1);
}

static atomic_int_fast64_t jump_us;

static int64_t clock_that_jumps(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + atomic_load(&jump_us);
}

/* PostgreSQL alone is waited for without a timer of one's own: a deadline more than ten seconds away is the
 * keeper's. */
static void the_keeper_looks_after_far_deadlines(void **state) {
    const place where = *(const place *)*state;
    patient other;
    atomic_store(&jump_us, 0);
    lido__clock_replace(clock_that_jumps);
    begin_at(where, 1);
    admit(&other, endless(where)); /* statement_timeout is five minutes */
    settle(false);
    atomic_store(&jump_us, (int64_t)301 * 1000 * 1000);
    for (int i = 0; i < BOUND_MS && other.took_us == 0; i++)
        poll(NULL, 0, 1);
    atomic_store(&other.leaves, true);
    pthread_join(other.thread, NULL);
    assert_int_equal(other.error.category, LIDO_ERROR_TIMEOUT);
    assert_string_equal(other.error.sqlstate, "57014");
    assert_int_equal(other.next, LIDO_ERROR_NONE);
    end_at_rest(1);
    lido__clock_replace(NULL);
}

/* ---- All together ---- */

static const char *const place_names[] = {"PostgreSQL", "a SQLite file", "SQLite in memory"};
static place places[] = {ON_POSTGRES, ON_FILE, IN_MEMORY};

#define STORY(story) \
    { #story, story }

int main(void) {
    static const struct {
        const char *name;
        CMUnitTestFunction story;
    } stories[] = {
        STORY(a_statement_is_cancelled),
        STORY(waiting_in_the_pool_is_cancelled),
        STORY(waiting_for_a_lock_is_cancelled),
        STORY(a_stream_is_cancelled),
        STORY(with_nothing_to_cancel_nothing_happens),
        STORY(a_savepoint_outlives_what_was_cancelled_in_it),
        STORY(cancels_at_any_moment_hit_whom_they_mean),
        STORY(a_transaction_has_its_own_deadline),
        STORY(a_transaction_that_dawdles_is_over),
        STORY(the_keeper_looks_after_far_deadlines),
    };
    enum { STORIES = sizeof stories / sizeof stories[0], PLACES = sizeof places / sizeof places[0] };
    static char names[STORIES * PLACES][96];
    struct CMUnitTest tests[STORIES * PLACES];
    for (size_t i = 0; i < STORIES * PLACES; i++) {
        size_t where = i / STORIES;
        snprintf(names[i], sizeof names[i], "%s: %s", place_names[where], stories[i % STORIES].name);
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = stories[i % STORIES].story, .initial_state = &places[where]};
    }
    return tell_in_thread_and_task("cancel", tests, STORIES * PLACES);
}
