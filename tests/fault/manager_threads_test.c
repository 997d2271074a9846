/* The manager where many threads ask for it at once, each has a session of its own, and a worker is closed while they
 * are at it. No story forks, so that ThreadSanitizer, which takes no child that starts threads, can watch. */
#include "managed.h"
#include "soak.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* ---- Made, opened and closed ---- */

static void *get_manager(void *start) {
    while (!atomic_load((atomic_bool *)start))
        ;
    return lido_manager_get();
}

static void test_first_use_by_many(void **state) {
    (void)state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    atomic_bool start = false;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_manager, &start), 0);
    atomic_store(&start, true);
    for (int i = 0; i < THREADS; i++) {
        void *found = NULL;
        pthread_join(threads[i], &found);
        assert_ptr_equal(found, lido_manager_get());
    }
}

/* Sessions are opened by some while others open and close the worker: each is good, or refused. */
typedef struct turmoil {
    lido_manager *manager;
    atomic_bool ends;
    atomic_int good;
    atomic_int refused;
    atomic_int wrong;
} turmoil;

static void *open_sessions(void *argument) {
    turmoil *in = argument;
    while (!atomic_load(&in->ends)) {
        lido_session *db = lido_manager_session(in->manager);
        lido_query_value(db, "SELECT 1");
        lido_category category = lido_error_of(db)->category;
        atomic_int *counted = !lido_failed(db)                                                    ? &in->good
                              : category == LIDO_ERROR_MISUSE || category == LIDO_ERROR_CANCELLED ? &in->refused
                                                                                                  : &in->wrong;
        atomic_fetch_add(counted, 1);
        lido_session_close(db);
        lido_query_value(lido_manager_scoped(in->manager), "SELECT 1");
        lido_scoped_remove(in->manager);
    }
    return NULL;
}

static void test_opened_and_closed_under_way(void **state) {
    (void)state;
    enum { THREADS = 4, ROUNDS = 30 };
    pthread_t threads[THREADS];
    turmoil in = {.manager = begin(false)};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_sessions, &in), 0);
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(lido_manager_init_worker(in.manager, NULL, NULL), LIDO_OK);
        lido_sleep(2);
        lido_manager_close_worker(in.manager, 20, NULL);
    }
    atomic_store(&in.ends, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&in.wrong), 0);
    assert_true(atomic_load(&in.good) > 0 && atomic_load(&in.refused) > 0);
}

static int count_threads(void) {
    int count = -2; /* . and .. */
    DIR *threads = opendir("/proc/self/task");
    assert_non_null(threads);
    while (readdir(threads) != NULL)
        count++;
    closedir(threads);
    return count;
}

static void live_once(lido_manager *manager, int64_t expected) {
    assert_int_equal(lido_manager_init_worker(manager, &(lido_init_options){.verify = true}, NULL), LIDO_OK);
    lido_session *db = lido_manager_scoped(manager);
    lido_exec(db, "INSERT INTO managed VALUES ('again')");
    assert_int_equal(lido_commit(db), LIDO_OK);
    expect_rows(manager, expected);
    lido_scoped_remove(manager);
    assert_int_equal(lido_manager_close_worker(manager, 1000, NULL), LIDO_OK);
}

static void again_and_again(bool postgres) {
    enum { ROUNDS = 40 };
    lido_manager *manager = begin(postgres);
    live_once(manager, 1);
    int descriptors = count_descriptors();
    size_t allocated = count_allocated();
    int threads = count_threads();
    for (int i = 0; i < ROUNDS; i++)
        live_once(manager, i + 2);
    assert_true(soak_left_nothing(descriptors, allocated));
    for (int tries = 0; tries < 500 && count_threads() > threads; tries++)
        lido_sleep(10);
    assert_in_range(count_threads(), 1, threads);
}

static void test_again_and_again_on_sqlite(void **state) {
    (void)state;
    again_and_again(false);
}

static void test_again_and_again_on_postgres(void **state) {
    (void)state;
    again_and_again(true);
}

/* ---- Scoped sessions ---- */

enum { SCOPED_THREADS = 8, SCOPED_ROWS = 20 };

typedef struct scoped_thread {
    pthread_t thread;
    lido_manager *manager;
    pthread_barrier_t *all_have_one;
    lido_session *session;
    atomic_int *committed; /* by all of them */
    atomic_bool *ends;
    bool always_the_same;
} scoped_thread;

static void start_scoped(scoped_thread *threads, const scoped_thread *like, void *(*run)(void *)) {
    for (int i = 0; i < SCOPED_THREADS; i++) {
        threads[i] = *like;
        assert_int_equal(pthread_create(&threads[i].thread, NULL, run, &threads[i]), 0);
    }
}

/* What is open when the thread ends is rolled back. */
static void *insert_some(void *argument) {
    scoped_thread *self = argument;
    self->session = lido_manager_scoped(self->manager);
    self->always_the_same = true;
    pthread_barrier_wait(self->all_have_one);
    for (int i = 0; i < SCOPED_ROWS; i++) {
        lido_session *db = lido_manager_scoped(self->manager);
        self->always_the_same = self->always_the_same && db == self->session;
        lido_exec(db, "INSERT INTO managed VALUES ('thread')");
        if (lido_commit(db) == LIDO_OK)
            atomic_fetch_add(self->committed, 1);
    }
    lido_exec(lido_manager_scoped(self->manager), "INSERT INTO managed VALUES ('never')");
    return NULL;
}

static void each_thread_has_its_own(bool postgres) {
    scoped_thread threads[SCOPED_THREADS];
    pthread_barrier_t barrier;
    lido_pool_stats stats;
    atomic_int committed = 0;
    lido_manager *manager = begin(postgres);
    assert_int_equal(lido_manager_init_worker(manager, NULL, NULL), LIDO_OK);
    assert_int_equal(pthread_barrier_init(&barrier, NULL, SCOPED_THREADS), 0);
    start_scoped(threads, &(scoped_thread){.manager = manager, .all_have_one = &barrier, .committed = &committed},
                 insert_some);
    for (int i = 0; i < SCOPED_THREADS; i++)
        pthread_join(threads[i].thread, NULL);
    pthread_barrier_destroy(&barrier);
    for (int i = 0; i < SCOPED_THREADS; i++) {
        assert_true(threads[i].always_the_same);
        for (int j = 0; j < i; j++)
            assert_ptr_not_equal(threads[i].session, threads[j].session);
    }
    assert_int_equal(atomic_load(&committed), SCOPED_THREADS * SCOPED_ROWS);
    expect_rows(manager, SCOPED_THREADS * SCOPED_ROWS);
    lido_engine_stats(lido_manager_engine(manager, NULL, NULL), &stats);
    assert_int_equal(stats.in_use, 0);
    assert_int_equal(lido_manager_close_worker(manager, 0, NULL), LIDO_OK);
}

static void test_scoped_on_sqlite(void **state) {
    (void)state;
    each_thread_has_its_own(false);
}

static void test_scoped_on_postgres(void **state) {
    (void)state;
    each_thread_has_its_own(true);
}

/* The worker closes and is made again under them: what a thread was told is committed stands, nothing else does. */
static void *insert_until_the_end(void *argument) {
    scoped_thread *self = argument;
    while (!atomic_load(self->ends)) {
        lido_session *db = lido_manager_scoped(self->manager);
        lido_exec(db, "INSERT INTO managed VALUES ('thread')");
        if (lido_commit(db) == LIDO_OK)
            atomic_fetch_add(self->committed, 1);
    }
    return NULL;
}

static void closed_while_threads_work(bool postgres) {
    enum { ROUNDS = 10 };
    scoped_thread threads[SCOPED_THREADS];
    atomic_int committed = 0;
    atomic_bool ends = false;
    lido_manager *manager = begin(postgres);
    start_scoped(threads, &(scoped_thread){.manager = manager, .committed = &committed, .ends = &ends},
                 insert_until_the_end);
    for (int i = 0; i < ROUNDS; i++) {
        int before = atomic_load(&committed);
        assert_int_equal(lido_manager_init_worker(manager, NULL, NULL), LIDO_OK);
        while (atomic_load(&committed) == before)
            lido_sleep(1);
        assert_int_equal(lido_manager_close_worker(manager, 10000, NULL), LIDO_OK);
    }
    atomic_store(&ends, true);
    for (int i = 0; i < SCOPED_THREADS; i++)
        pthread_join(threads[i].thread, NULL);
    assert_int_equal(lido_manager_init_worker(manager, NULL, NULL), LIDO_OK);
    expect_rows(manager, atomic_load(&committed));
    assert_int_equal(lido_manager_close_worker(manager, 0, NULL), LIDO_OK);
}

static void test_closed_under_work_on_sqlite(void **state) {
    (void)state;
    closed_while_threads_work(false);
}

static void test_closed_under_work_on_postgres(void **state) {
    (void)state;
    closed_while_threads_work(true);
}

/* ---- Closing ---- */

typedef struct long_one {
    lido_manager *manager;
    const char *statement;
    atomic_bool begun;
    lido_error error;
} long_one;

static void *run_long(void *argument) {
    long_one *self = argument;
    lido_session *db = lido_manager_session(self->manager);
    lido_exec(db, "INSERT INTO managed VALUES ('never')");
    atomic_store(&self->begun, true);
    lido_query_value(db, self->statement);
    self->error = *lido_error_of(db);
    lido_rollback(db);
    lido_session_close(db);
    return NULL;
}

static void what_takes_long_is_cancelled(bool postgres) {
    lido_error error;
    pthread_t thread;
    long_one one = {.manager = begin(postgres),
                    .statement = postgres ? "SELECT count(*) FROM pg_sleep(60)"
                                          : "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
                                            "1000000000) SELECT count(*) FROM n"};
    assert_int_equal(lido_manager_init_worker(one.manager, NULL, NULL), LIDO_OK);
    assert_int_equal(pthread_create(&thread, NULL, run_long, &one), 0);
    while (!atomic_load(&one.begun))
        lido_sleep(1);
    assert_int_equal(lido_manager_close_worker(one.manager, 50, &error), LIDO_ERROR);
    pthread_join(thread, NULL);
    assert_int_equal(error.category, LIDO_ERROR_TIMEOUT);
    assert_string_equal(error.message, "not all sessions ended within 50 ms: ended late: 1, left to their owners: 0");
    assert_non_null(strstr(error.hint, "manager_threads_test.c:"));
    assert_int_equal(one.error.category, LIDO_ERROR_CANCELLED);
    assert_int_equal(lido_manager_init_worker(one.manager, NULL, NULL), LIDO_OK);
    expect_rows(one.manager, 0);
    assert_int_equal(lido_manager_close_worker(one.manager, 1000, &error), LIDO_OK);
}

static void test_cancelled_on_sqlite(void **state) {
    (void)state;
    what_takes_long_is_cancelled(false);
}

static void test_cancelled_on_postgres(void **state) {
    (void)state;
    what_takes_long_is_cancelled(true);
}

/* Runs nothing at the deadline, and ends by itself a little later. */
static void *commit_late(void *argument) {
    long_one *self = argument;
    lido_session *db = lido_manager_session(self->manager);
    lido_query_value(db, "SELECT count(*) FROM managed");
    atomic_store(&self->begun, true);
    while (lido_manager_engine(self->manager, NULL, NULL) != NULL)
        lido_sleep(1);
    lido_sleep(200);
    self->error.status = lido_commit(db);
    lido_session_close(db);
    return NULL;
}

static void test_ended_late_by_itself(void **state) {
    (void)state;
    lido_error error;
    pthread_t thread;
    long_one one = {.manager = begin(false)};
    assert_int_equal(lido_manager_init_worker(one.manager, NULL, NULL), LIDO_OK);
    assert_int_equal(pthread_create(&thread, NULL, commit_late, &one), 0);
    while (!atomic_load(&one.begun))
        lido_sleep(1);
    assert_int_equal(lido_manager_close_worker(one.manager, 10, &error), LIDO_ERROR);
    pthread_join(thread, NULL);
    assert_int_equal(one.error.status, LIDO_OK);
    assert_string_equal(error.message, "not all sessions ended within 10 ms: ended late: 1, left to their owners: 0");
}

/* ---- Closing with lanes ---- */

typedef struct lane_user {
    lido_manager *manager;
    lido_loop *loop;
    atomic_bool begun;
    lido_error error;
} lane_user;

static lido_session *open_reads(lido_manager *manager) {
    const lido_session_options reads = {.read_only = true, .autocommit = true};
    lido_session *db = lido_session_open(lido_manager_engine(manager, NULL, NULL), &reads);
    assert_int_equal(lido_query_value(db, "SELECT count(*) FROM managed").as.integer, 0);
    expect_no_error(db);
    return db;
}

static void *read_once(void *argument) {
    lido_session_close(open_reads(((lane_user *)argument)->manager));
    return NULL;
}

static void *read_for_long(void *argument) {
    lane_user *self = argument;
    lido_session *db = open_reads(self->manager);
    atomic_store(&self->begun, true);
    lido_query_value(db, "SELECT count(*) FROM generate_series(1, 1000000000) AS lane_user");
    self->error = *lido_error_of(db);
    lido_session_close(db);
    return NULL;
}

static void *run_in_loop(void *argument) {
    lane_user *self = argument;
    lido_loop *loop = lido_loop_new(NULL, NULL);
    lido_task_detach(lido_spawn(loop, read_for_long, self));
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    lido_loop_close(loop);
    return NULL;
}

static void begin_with_lanes(lane_user *self) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.lanes = 2;
    self->manager = begin(true);
    assert_int_equal(lido_manager_configure_database(self->manager, "default", url, &options, NULL), LIDO_OK);
    assert_int_equal(lido_manager_init_worker(self->manager, NULL, NULL), LIDO_OK);
}

/* A loop that does not run could not give them back. */
static void test_idle_lanes_hold_nothing_up(void **state) {
    (void)state;
    lane_user self = {.begun = false};
    lido_error error;
    begin_with_lanes(&self);
    lido_loop *loop = lido_loop_new(NULL, NULL);
    lido_task_detach(lido_spawn(loop, read_once, &self));
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    assert_int_equal(lido_manager_close_worker(self.manager, 500, &error), LIDO_OK);
    lido_loop_close(loop);
}

#define LANE_USERS \
    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '% AS " \
    "lane_user'"

/* It may have been sent from its lane to the pool by then; the server is at neither when all is over. */
static void test_cancelled_on_a_lane(void **state) {
    (void)state;
    lane_user self = {.begun = false};
    lido_error error;
    pthread_t thread;
    begin_with_lanes(&self);
    lido_engine *witness = open_surely(url, NULL);
    assert_int_equal(pthread_create(&thread, NULL, run_in_loop, &self), 0);
    while (!atomic_load(&self.begun) || ask_surely(witness, LANE_USERS) == 0)
        lido_sleep(1);
    assert_int_equal(lido_manager_close_worker(self.manager, 20, &error), LIDO_ERROR);
    pthread_join(thread, NULL);
    assert_int_equal(error.category, LIDO_ERROR_TIMEOUT);
    assert_string_equal(error.message, "not all sessions ended within 20 ms: ended late: 1, left to their owners: 0");
    assert_true(strstr(error.hint, "1 statement on lanes") != NULL ||
                strstr(error.hint, "manager_threads_test.c:") != NULL);
    assert_int_equal(self.error.category, LIDO_ERROR_CANCELLED);
    int64_t deadline = lido__deadline_in_ms(5000);
    while (ask_surely(witness, LANE_USERS) != 0) {
        lido_sleep(1);
        assert_true(lido__clock_now_us() < deadline);
    }
    lido_engine_close(witness);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_first_use_by_many),
        TEST(test_opened_and_closed_under_way),
        TEST(test_again_and_again_on_sqlite),
        TEST(test_again_and_again_on_postgres),
        TEST(test_scoped_on_sqlite),
        TEST(test_scoped_on_postgres),
        TEST(test_closed_under_work_on_sqlite),
        TEST(test_closed_under_work_on_postgres),
        TEST(test_cancelled_on_sqlite),
        TEST(test_cancelled_on_postgres),
        TEST(test_ended_late_by_itself),
        TEST(test_idle_lanes_hold_nothing_up),
        TEST(test_cancelled_on_a_lane),
    };
    return cmocka_run_group_tests_name("manager_threads", tests, NULL, NULL);
}
