/* The manager where a process forks in the middle of something, where many threads ask for it at once, and where a
 * worker is closed while its sessions are at it. */
#include "child.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static const char create[] = "DROP TABLE IF EXISTS managed; CREATE TABLE managed (who text)";

static char url[URL_MOST];

static lido_manager *begin(bool postgres) {
    lido_error error;
    if (postgres)
        snprintf(url, sizeof url, "%s", postgres_url());
    else
        snprintf(url, sizeof url, "sqlite:///%s/managed.db", folder);
    lido_engine *engine = open_surely(url, NULL);
    run_surely(engine, create);
    lido_engine_close(engine);
    lido_manager *manager = lido_manager_get();
    assert_int_equal(lido_manager_configure_database(manager, "default", url, NULL, &error), LIDO_OK);
    return manager;
}

static void expect_rows(lido_manager *manager, int64_t expected) {
    assert_int_equal(ask_surely(lido_manager_engine(manager, NULL, NULL), "SELECT count(*) FROM managed"), expected);
}

/* ---- Fork ---- */

/* The child is no worker until it is made one, and its parent's scoped session is none of its own. */
static void be_a_child(lido_manager *manager, const lido_session *of_parent) {
    lido_error error;
    lido_session *db = lido_manager_session(manager);
    CHILD_EXPECT(lido_failed(db));
    CHILD_EXPECT(strstr(lido_error_of(db)->message, "forked from") != NULL);
    lido_session_close(db);
    CHILD_EXPECT(lido_failed(of_parent));
    CHILD_EXPECT(lido_manager_close_worker(manager, 0, &error) == LIDO_OK); /* it has none */
    CHILD_EXPECT(lido_manager_init_worker(manager, &(lido_init_options){.verify = true}, &error) == LIDO_OK);
    db = lido_manager_scoped(manager);
    CHILD_EXPECT(lido_query_value(db, "SELECT count(*) FROM managed").as.integer == 0);
    lido_rollback(db);
    lido_scoped_remove(manager);
    CHILD_EXPECT(lido_manager_close_worker(manager, 1000, &error) == LIDO_OK);
    _exit(0);
}

static void a_worker_forks(bool postgres) {
    lido_manager *manager = begin(postgres);
    assert_int_equal(lido_manager_init_worker(manager, NULL, NULL), LIDO_OK);
    lido_session *db = lido_manager_scoped(manager);
    lido_exec(db, "INSERT INTO managed VALUES ('parent')");
    pid_t child = fork_surely();
    if (child == 0)
        be_a_child(manager, db);
    expect_good_end(child);
    expect_no_error(db);
    assert_int_equal(lido_commit(db), LIDO_OK);
    expect_rows(manager, 1);
    lido_scoped_remove(manager);
    assert_int_equal(lido_manager_close_worker(manager, 1000, NULL), LIDO_OK);
}

static void test_fork_on_sqlite(void **state) {
    (void)state;
    a_worker_forks(false);
}

static void test_fork_on_postgres(void **state) {
    (void)state;
    a_worker_forks(true);
}

/* The parent reads the environment; what becomes of that later is no matter to its workers. */
static void test_environment_of_the_parent(void **state) {
    (void)state;
    lido_error error;
    lido_manager *manager = begin(false);
    setenv("DATABASE_URL", url, 1);
    assert_int_equal(lido_manager_configure(manager, NULL, &error), LIDO_OK);
    setenv("DATABASE_URL", "nonsense", 1);
    pid_t child = fork_surely();
    if (child == 0) {
        CHILD_EXPECT(lido_manager_init_worker(manager, NULL, &error) == LIDO_OK);
        lido_session *db = lido_manager_session(manager);
        lido_exec(db, "INSERT INTO managed VALUES ('child')");
        CHILD_EXPECT(lido_commit(db) == LIDO_OK);
        lido_session_close(db);
        CHILD_EXPECT(lido_manager_close_worker(manager, 1000, &error) == LIDO_OK);
        _exit(0);
    }
    unsetenv("DATABASE_URL");
    expect_good_end(child);
    lido_engine *engine = open_surely(url, NULL);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM managed"), 1);
    lido_engine_close(engine);
}

/* ---- Threads ---- */

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
    assert_string_equal(error.message, "not all sessions ended within 50 ms: cancelled: 1, left to their owners: 0");
    assert_non_null(strstr(error.hint, "manager_test.c:"));
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

/* It may have been sent from its lane to the pool by then. */
static void test_cancelled_on_a_lane(void **state) {
    (void)state;
    lane_user self = {.begun = false};
    lido_error error;
    pthread_t thread;
    begin_with_lanes(&self);
    lido_engine *witness = open_surely(url, NULL);
    assert_int_equal(pthread_create(&thread, NULL, run_in_loop, &self), 0);
    while (!atomic_load(&self.begun) ||
           ask_surely(witness, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> "
                               "pg_backend_pid() AND query LIKE '% AS lane_user'") == 0)
        lido_sleep(1);
    assert_int_equal(lido_manager_close_worker(self.manager, 20, &error), LIDO_ERROR);
    pthread_join(thread, NULL);
    assert_int_equal(error.category, LIDO_ERROR_TIMEOUT);
    assert_string_equal(error.message, "not all sessions ended within 20 ms: cancelled: 1, left to their owners: 0");
    assert_true(strstr(error.hint, "1 statement on lanes") != NULL || strstr(error.hint, "manager_test.c:") != NULL);
    assert_int_equal(self.error.category, LIDO_ERROR_CANCELLED);
    lido_engine_close(witness);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_first_use_by_many),
        TEST(test_fork_on_sqlite),
        TEST(test_fork_on_postgres),
        TEST(test_environment_of_the_parent),
        TEST(test_opened_and_closed_under_way),
        TEST(test_cancelled_on_sqlite),
        TEST(test_cancelled_on_postgres),
        TEST(test_idle_lanes_hold_nothing_up),
        TEST(test_cancelled_on_a_lane),
    };
    return cmocka_run_group_tests_name("manager", tests, NULL, NULL);
}
