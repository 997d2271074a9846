/* The manager where a process forks in the middle of something, and where a host program does the forking. */
#include "child.h"
#include "managed.h"

#include <spawn.h>
#include <string.h>

typedef enum place { SQLITE, POSTGRES, POSTGRES_BY_TLS } place;

static const char uses_tls[] = "SELECT count(*) FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";

/* A child can read, but not write, where its parent is writing to a file. */
static void work_as_a_worker(lido_manager *manager, place where) {
    lido_session *db = lido_manager_scoped(manager);
    CHILD_EXPECT(lido_query_value(db, "SELECT count(*) FROM managed").as.integer == 0);
    CHILD_EXPECT(where != POSTGRES_BY_TLS || lido_query_value(db, uses_tls).as.integer == 1);
    if (where != SQLITE)
        lido_exec(db, "INSERT INTO managed VALUES ('child')");
    CHILD_EXPECT(lido_commit(db) == LIDO_OK);
    lido_scoped_remove(manager);
}

/* The child is no worker until it is made one, and its parent's scoped session is none of its own. */
static void be_a_child(lido_manager *manager, place where, const lido_session *of_parent) {
    lido_error error;
    lido_session *db = lido_manager_session(manager);
    CHILD_EXPECT(lido_failed(db));
    CHILD_EXPECT(strstr(lido_error_of(db)->message, "forked from") != NULL);
    CHILD_EXPECT(strstr(lido_error_of(db)->hint, "lido_manager_init_worker") != NULL);
    lido_session_close(db);
    CHILD_EXPECT(lido_failed(of_parent));
    CHILD_EXPECT(strstr(lido_error_of(of_parent)->hint, "open a session in the child") != NULL);
    CHILD_EXPECT(lido_manager_close_worker(manager, 0, &error) == LIDO_OK); /* it has none */
    for (int i = 0; i < 2; i++) {
        CHILD_EXPECT(lido_manager_init_worker(manager, &(lido_init_options){.verify = true}, &error) == LIDO_OK);
        if (i == 0)
            work_as_a_worker(manager, where);
        CHILD_EXPECT(lido_manager_close_worker(manager, 1000, &error) == LIDO_OK);
    }
    _exit(0);
}

static lido_manager *begin_at(place where) {
    char by_tls[URL_MOST + PATH_MOST];
    lido_error error;
    lido_options options = LIDO_OPTIONS_INIT;
    lido_manager *manager = begin(where != SQLITE);
    const char *certificate = getenv("LIDO_TEST_POSTGRES_CERTIFICATE");
    if (where != POSTGRES_BY_TLS)
        return manager;
    if (certificate == NULL) {
        print_message("the server's certificate is not known\n");
        skip();
    }
    snprintf(by_tls, sizeof by_tls, "postgresql://lido@localhost:%s/postgres?sslrootcert=%s",
             getenv("LIDO_TEST_POSTGRES_PORT"), certificate);
    options.password = getenv("LIDO_TEST_POSTGRES_PASSWORD");
    options.sslmode = "verify-full";
    assert_int_equal(lido_manager_configure_database(manager, "default", by_tls, &options, &error), LIDO_OK);
    return manager;
}

static void a_worker_forks(place where) {
    lido_manager *manager = begin_at(where);
    assert_int_equal(lido_manager_init_worker(manager, NULL, NULL), LIDO_OK);
    lido_session *db = lido_manager_scoped(manager);
    lido_exec(db, "INSERT INTO managed VALUES ('parent')");
    pid_t child = fork_surely();
    if (child == 0)
        be_a_child(manager, where, db);
    expect_good_end(child);
    if (where == POSTGRES_BY_TLS)
        assert_int_equal(lido_query_value(db, uses_tls).as.integer, 1);
    expect_no_error(db);
    assert_int_equal(lido_commit(db), LIDO_OK);
    expect_rows(manager, where == SQLITE ? 1 : 2);
    lido_scoped_remove(manager);
    assert_int_equal(lido_manager_close_worker(manager, 1000, NULL), LIDO_OK);
}

static void test_fork_on_sqlite(void **state) {
    (void)state;
    a_worker_forks(SQLITE);
}

static void test_fork_on_postgres(void **state) {
    (void)state;
    a_worker_forks(POSTGRES);
}

static void test_fork_on_postgres_by_tls(void **state) {
    (void)state;
    a_worker_forks(POSTGRES_BY_TLS);
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

/* ---- Spawned ---- */

/* What a host program starts anew has nothing of its parent's but the environment. */
static int be_spawned(void) {
    lido_error error;
    lido_manager *manager = lido_manager_get();
    CHILD_EXPECT(lido_manager_configure(manager, NULL, &error) == LIDO_OK);
    CHILD_EXPECT(lido_manager_init_worker(manager, &(lido_init_options){.verify = true}, &error) == LIDO_OK);
    lido_session *db = lido_manager_scoped(manager);
    lido_exec(db, "INSERT INTO managed VALUES ('spawned')");
    CHILD_EXPECT(lido_commit(db) == LIDO_OK);
    CHILD_EXPECT(lido_manager_close_worker(manager, 1000, &error) == LIDO_OK);
    return 0;
}

static void a_host_spawns(bool postgres) {
    enum { CHILDREN = 3 };
    char *arguments[] = {"/proc/self/exe", "spawned", NULL};
    lido_manager *manager = begin(postgres);
    pid_t children[CHILDREN];
    assert_int_equal(lido_manager_init_worker(manager, NULL, NULL), LIDO_OK);
    lido_session *db = lido_manager_scoped(manager);
    assert_int_equal(lido_query_value(db, "SELECT count(*) FROM managed").as.integer, 0);
    setenv("DATABASE_URL", url, 1);
    for (int i = 0; i < CHILDREN; i++)
        assert_int_equal(posix_spawn(&children[i], arguments[0], NULL, NULL, arguments, environ), 0);
    unsetenv("DATABASE_URL");
    for (int i = 0; i < CHILDREN; i++)
        expect_good_end(children[i]);
    assert_int_equal(lido_commit(db), LIDO_OK);
    expect_rows(manager, CHILDREN);
    assert_int_equal(lido_manager_close_worker(manager, 1000, NULL), LIDO_OK);
}

static void test_spawned_on_sqlite(void **state) {
    (void)state;
    a_host_spawns(false);
}

static void test_spawned_on_postgres(void **state) {
    (void)state;
    a_host_spawns(true);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "spawned") == 0)
        return be_spawned();
    const struct CMUnitTest tests[] = {
        TEST(test_fork_on_sqlite),          TEST(test_fork_on_postgres),
        TEST(test_fork_on_postgres_by_tls), TEST(test_environment_of_the_parent),
        TEST(test_spawned_on_sqlite),       TEST(test_spawned_on_postgres),
    };
    return cmocka_run_group_tests_name("manager", tests, NULL, NULL);
}
