/* A server that goes, or that becomes one which refuses writes: all connections to it are given up together, and the
 * next goes to a host that is up and writable. Two proxies before one server are the two hosts. */
#include "databases.h"
#include "in_task.h"
#include "support/proxy.h"

#include <poll.h>
#include <string.h>

enum { IDLE = 4 };

static proxy *first;
static proxy *second;
static lido_engine *engine;

static lido_engine *open_hosts(const char *server_wanted) {
    char ports[32];
    char url[400];
    lido_options options = LIDO_OPTIONS_INIT;
    snprintf(ports, sizeof ports, "%s,%s", proxy_port(first), proxy_port(second));
    snprintf(url, sizeof url, "postgresql://lido@/postgres?sslmode=disable&target_session_attrs=%s", server_wanted);
    options.host = "127.0.0.1,127.0.0.1";
    options.port = ports;
    return open_surely(url, &options);
}

static int begin(void **state) {
    (void)state;
    if (getenv("LIDO_TEST_POSTGRES_URL") == NULL || (first = proxy_open()) == NULL)
        return 0; /* the test will skip itself */
    second = proxy_open();
    lido_engine *server = open_surely(postgres_url(), NULL);
    run_surely(server, "DROP TABLE IF EXISTS hosted; CREATE TABLE hosted (id integer)");
    lido_engine_close(server);
    return 0;
}

static int end(void **state) {
    (void)state;
    lido_engine_close(engine);
    proxy_close(first);
    proxy_close(second);
    engine = NULL;
    first = second = NULL;
    return 0;
}

static void need_hosts(void) {
    postgres_url();
    if (first == NULL) {
        print_message(POSTGRES_TEST_SKIPPED);
        skip();
    }
}

/* Has so many connections opened, and leaves them idle. */
static void fill_pool(int count) {
    lido_session *sessions[IDLE];
    for (int i = 0; i < count; i++) {
        sessions[i] = lido_session_open(engine, NULL);
        lido_query(sessions[i], "SELECT 1");
        expect_no_error(sessions[i]);
    }
    for (int i = 0; i < count; i++)
        lido_session_close(sessions[i]);
}

/* A connection that was used a moment ago is not looked at before it is used again. */
static void let_grow_older(void) {
    poll(NULL, 0, 20);
}

static uint64_t invalidated(void) {
    lido_pool_stats stats;
    lido_engine_stats(engine, &stats);
    return stats.invalidated;
}

static void expect_write(void) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO hosted VALUES (1)");
    expect_no_error(db);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
}

/* ---- What gives up a generation ---- */

/* Has the server answer with an error of our choice while IDLE - 1 other connections idle. Returns how many were given
 * up. */
static uint64_t given_up_after(const char *sqlstate, lido_category category) {
    char statement[160];
    snprintf(statement, sizeof statement, "DO $$ BEGIN RAISE EXCEPTION 'as told' USING ERRCODE = '%s'; END $$",
             sqlstate);
    fill_pool(IDLE);
    uint64_t before = invalidated();
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, statement);
    expect_error(db, category);
    assert_string_equal(lido_error_of(db)->sqlstate, sqlstate);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    lido_session_close(db);
    uint64_t given_up = invalidated() - before;
    expect_write();
    return given_up;
}

static const char *const gone[] = {"57P01", "57P02", "57P03", "08000", "08001", "08003", "08004", "08006", "08P01"};

static void what_says_that_the_server_is_gone_gives_up_all_connections(void **state) {
    (void)state;
    need_hosts();
    engine = open_hosts("any");
    proxy_set_fatal(first, true);
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        assert_int_equal(given_up_after(gone[i], LIDO_ERROR_DISCONNECTED), IDLE - 1);
}

/* A foreign table's server says the same of itself: that is an error like any other, and a savepoint clears it. */
static void what_says_so_of_another_server_gives_up_nothing(void **state) {
    (void)state;
    lido_error inside;
    need_hosts();
    engine = open_hosts("any");
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        assert_int_equal(given_up_after(gone[i], LIDO_ERROR_OTHER), 0);
    lido_session *db = lido_session_open(engine, NULL);
    lido_savepoint_outcome (db, &inside)
        lido_exec(db, "DO $$ BEGIN RAISE EXCEPTION 'as told' USING ERRCODE = '08006'; END $$");
    assert_int_equal(inside.status, LIDO_ROLLED_BACK);
    lido_exec(db, "INSERT INTO hosted VALUES (2)");
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
}

static void what_says_something_of_the_statement_does_not(void **state) {
    (void)state;
    need_hosts();
    engine = open_hosts("any");
    assert_int_equal(given_up_after("23505", LIDO_ERROR_UNIQUE), 0);
    assert_int_equal(given_up_after("40001", LIDO_ERROR_SERIALISATION), 0);
    assert_int_equal(given_up_after("40P01", LIDO_ERROR_DEADLOCK), 0);
    assert_int_equal(given_up_after("57014", LIDO_ERROR_CANCELLED), 0);
    assert_int_equal(given_up_after("42601", LIDO_ERROR_SYNTAX), 0);
    assert_int_equal(given_up_after("25P02", LIDO_ERROR_OTHER), 0);
}

/* Who asked for it is told so, and nothing else follows. */
static void a_session_that_may_not_write_gives_up_nothing(void **state) {
    (void)state;
    need_hosts();
    engine = open_hosts("any");
    fill_pool(IDLE);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.read_only = true});
    lido_exec(db, "INSERT INTO hosted VALUES (1)");
    expect_error(db, LIDO_ERROR_READ_ONLY);
    lido_session_close(db);
    assert_int_equal(invalidated(), 0);
}

/* Those in use when a generation ends are not used again either. */
static void a_connection_in_use_goes_with_its_generation(void **state) {
    (void)state;
    need_hosts();
    engine = open_hosts("any");
    lido_session *busy = lido_session_open(engine, NULL);
    int64_t backend = lido_query_value(busy, "SELECT pg_backend_pid()").as.integer;
    proxy_set_fatal(first, true);
    given_up_after("57P01", LIDO_ERROR_DISCONNECTED);
    lido_exec(busy, "INSERT INTO hosted VALUES (1)"); /* its own transaction is not touched */
    assert_int_equal(lido_commit(busy), LIDO_OK);
    for (int i = 0; i < 3; i++) {
        assert_true(lido_query_value(busy, "SELECT pg_backend_pid()").as.integer != backend);
        expect_no_error(busy);
        lido_rollback(busy);
    }
    lido_session_close(busy);
}

/* ---- Several hosts ---- */

static void the_second_host_serves_when_the_first_is_dead(void **state) {
    (void)state;
    need_hosts();
    engine = open_hosts("any");
    proxy_set_dead(first, true);
    expect_write();
    assert_int_equal(proxy_connections(first), 0);
    assert_int_equal(proxy_connections(second), 1);
}

static void when_the_first_dies_the_second_takes_over(void **state) {
    (void)state;
    need_hosts();
    engine = open_hosts("read-write");
    fill_pool(IDLE);
    assert_int_equal(proxy_connections(first), IDLE);
    proxy_set_dead(first, true);
    let_grow_older();
    fill_pool(IDLE);
    expect_write();
    assert_int_equal(proxy_connections(second), IDLE);
    proxy_set_dead(first, false); /* and back, when the second dies */
    proxy_set_dead(second, true);
    let_grow_older();
    expect_write();
    assert_true(proxy_connections(first) > IDLE);
}

static void the_first_host_that_can_be_written_to_is_taken(void **state) {
    (void)state;
    need_hosts();
    proxy_set_read_only(first, true);
    engine = open_hosts("read-write");
    expect_write();
    assert_int_equal(proxy_connections(second), 1);
}

static void the_first_host_is_taken_by_who_does_not_care(void **state) {
    (void)state;
    need_hosts();
    proxy_set_read_only(first, true);
    engine = open_hosts("any");
    assert_int_equal(ask_surely(engine, "SELECT 1"), 1);
    assert_int_equal(proxy_connections(second), 0);
}

static void a_reader_can_ask_for_a_host_that_is_not_written_to(void **state) {
    (void)state;
    need_hosts();
    proxy_set_read_only(second, true);
    engine = open_hosts("read-only");
    assert_int_equal(ask_surely(engine, "SELECT 1"), 1);
    assert_int_equal(proxy_connections(second), 1);
}

static void no_host_that_is_wanted_is_no_connection(void **state) {
    (void)state;
    need_hosts();
    proxy_set_read_only(first, true);
    proxy_set_read_only(second, true);
    engine = open_hosts("read-write");
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO hosted VALUES (1)");
    expect_error(db, LIDO_ERROR_DISCONNECTED);
    assert_non_null(strstr(lido_error_of(db)->message, "read-only"));
    assert_non_null(strstr(lido_error_of(db)->hint, "target_session_attrs"));
    lido_session_close(db);
}

/* ---- Refused writes ---- */

/* As an administrator does before a switch-over. Each of the server's processes hears of it by itself. */
static void set_read_only(const char *to) {
    char statement[80];
    snprintf(statement, sizeof statement, "ALTER SYSTEM SET default_transaction_read_only = %s", to);
    lido_engine *administrator = open_surely(postgres_url(), NULL);
    lido_session *db = open_autocommit(administrator);
    lido_exec(db, statement);
    lido_query(db, "SELECT pg_reload_conf()");
    expect_no_error(db);
    lido_session_close(db);
    lido_engine_close(administrator);
}

static int end_writable(void **state) {
    if (first != NULL)
        set_read_only("off");
    return end(state);
}

static lido_category try_to_write(void) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO hosted VALUES (1)");
    lido_category category = lido_error_of(db)->category;
    lido_session_close(db);
    return category;
}

static void write_until_refused(void) {
    lido_category category = LIDO_ERROR_NONE;
    for (int i = 0; i < 500 && category == LIDO_ERROR_NONE; i++) {
        category = try_to_write();
        poll(NULL, 0, 10);
    }
    assert_int_equal(category, LIDO_ERROR_READ_ONLY);
}

/* A fail-over: the first still answers, but refuses writes. One transaction fails, and all that follow go to the
 * second. */
static void when_the_first_is_demoted_the_second_takes_over(void **state) {
    (void)state;
    need_hosts();
    proxy_set_read_only(second, false);
    engine = open_hosts("read-write");
    fill_pool(IDLE);
    set_read_only("on");
    write_until_refused();
    assert_int_equal(proxy_connections(first), IDLE);
    for (int i = 0; i < IDLE; i++)
        expect_write();
    assert_int_equal(invalidated(), IDLE);
    assert_int_equal(proxy_connections(first), IDLE + 1); /* tried once more, in vain */
    assert_int_equal(proxy_connections(second), 1);
}

/* Another connection would be refused the same way: none is given up for it, each time anew. */
static void a_role_that_may_not_write_gives_up_nothing(void **state) {
    (void)state;
    need_hosts();
    lido_options options = LIDO_OPTIONS_INIT;
    options.user = "hosted_reader";
    lido_engine *server = open_surely(postgres_url(), NULL);
    run_surely(server, "DROP ROLE IF EXISTS hosted_reader; CREATE ROLE hosted_reader LOGIN;"
                       "ALTER ROLE hosted_reader SET default_transaction_read_only = on;"
                       "GRANT INSERT ON hosted TO hosted_reader");
    engine = open_surely(postgres_url(), &options);
    fill_pool(IDLE);
    for (int i = 0; i < 3; i++)
        assert_int_equal(try_to_write(), LIDO_ERROR_READ_ONLY);
    fill_pool(IDLE);
    assert_int_equal(invalidated(), 0);
    run_surely(server, "DROP OWNED BY hosted_reader; DROP ROLE hosted_reader");
    lido_engine_close(server);
}

static void expect_refusal_that_gives_up_nothing(const char *because) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, because);
    lido_exec(db, "INSERT INTO hosted VALUES (1)");
    expect_error(db, LIDO_ERROR_READ_ONLY);
    lido_session_close(db);
    fill_pool(IDLE);
    assert_int_equal(invalidated(), 0);
}

static void a_transaction_that_may_not_write_gives_up_nothing(void **state) {
    (void)state;
    need_hosts();
    engine = open_hosts("any");
    fill_pool(IDLE);
    expect_refusal_that_gives_up_nothing("SET TRANSACTION READ ONLY");
    expect_refusal_that_gives_up_nothing("SET LOCAL transaction_read_only = on");
    assert_int_equal(given_up_after("25006", LIDO_ERROR_READ_ONLY), 0); /* a foreign table's server, say */
}

static void a_connection_that_was_told_to_refuse_gives_up_no_other(void **state) {
    (void)state;
    need_hosts();
    engine = open_hosts("any");
    fill_pool(IDLE);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "SET default_transaction_read_only = on");
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_exec(db, "INSERT INTO hosted VALUES (1)");
    expect_error(db, LIDO_ERROR_READ_ONLY);
    lido_rollback(db);
    lido_exec(db, "RESET default_transaction_read_only");
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    expect_write();
    assert_int_equal(invalidated(), 0);
}

#define HOSTS_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        HOSTS_TEST(what_says_that_the_server_is_gone_gives_up_all_connections),
        HOSTS_TEST(what_says_so_of_another_server_gives_up_nothing),
        HOSTS_TEST(what_says_something_of_the_statement_does_not),
        HOSTS_TEST(a_session_that_may_not_write_gives_up_nothing),
        HOSTS_TEST(a_connection_in_use_goes_with_its_generation),
        HOSTS_TEST(the_second_host_serves_when_the_first_is_dead),
        HOSTS_TEST(when_the_first_dies_the_second_takes_over),
        HOSTS_TEST(the_first_host_that_can_be_written_to_is_taken),
        HOSTS_TEST(the_first_host_is_taken_by_who_does_not_care),
        HOSTS_TEST(a_reader_can_ask_for_a_host_that_is_not_written_to),
        HOSTS_TEST(no_host_that_is_wanted_is_no_connection),
        cmocka_unit_test_setup_teardown(when_the_first_is_demoted_the_second_takes_over, begin, end_writable),
        HOSTS_TEST(a_role_that_may_not_write_gives_up_nothing),
        HOSTS_TEST(a_transaction_that_may_not_write_gives_up_nothing),
        HOSTS_TEST(a_connection_that_was_told_to_refuse_gives_up_no_other),
    };
    return tell_in_thread_and_task("hosts", tests, sizeof tests / sizeof tests[0]);
}
