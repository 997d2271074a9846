/* The manager where a process forks in the middle of something, and where a host program does the forking. */
#include "child.h"
#include "managed.h"

#include <string.h>

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

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_fork_on_sqlite),
        TEST(test_fork_on_postgres),
        TEST(test_environment_of_the_parent),
    };
    return cmocka_run_group_tests_name("manager", tests, NULL, NULL);
}
