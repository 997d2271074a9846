/* Connections that do not come about: what the error is called, how long it takes, and that the engine serves as soon
 * as the server does. */
#include "databases.h"
#include "false_server.h"

#include <string.h>

#include "base/clock.h"

/* The server asks for a password there; skips the test if it is not known where. */
static lido_options on_loopback(void) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.host = "127.0.0.1";
    options.port = getenv("LIDO_TEST_POSTGRES_PORT");
    options.password = getenv("LIDO_TEST_POSTGRES_PASSWORD");
    if (options.port == NULL || options.password == NULL) {
        print_message(POSTGRES_TEST_SKIPPED);
        skip();
    }
    return options;
}

/* Tries a statement on an engine that cannot connect, and returns the error. */
static lido_error fail_to_connect(const lido_options *options, lido_category category) {
    lido_engine *engine = open_surely(postgres_url(), options);
    lido_session *db = lido_session_open(engine, NULL);
    assert_null(lido_query(db, "SELECT 1"));
    expect_error(db, category);
    lido_error error = *lido_error_of(db);
    assert_string_equal(error.doing, "connecting");
    assert_false(error.retryable);
    for (const char *at = error.message; *at != '\0'; at++)
        assert_true((unsigned char)*at >= ' ');
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    lido_session_close(db);
    lido_engine_close(engine);
    return error;
}

/* What to do next is said, in these words. */
static void expect_hint(const lido_error *error, const char *words) {
    if (strstr(error->hint, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error->hint, words);
}

static void expect_success(const lido_options *options) {
    lido_engine *engine = open_surely(postgres_url(), options);
    assert_int_equal(ask_surely(engine, "SELECT 1"), 1);
    lido_engine_close(engine);
}

/* ---- Refused ---- */

static void the_right_password_lets_in(void **state) {
    (void)state;
    lido_options options = on_loopback();
    expect_success(&options);
}

static void a_wrong_password_is_a_matter_of_permission(void **state) {
    (void)state;
    lido_options options = on_loopback();
    options.password = "certainly-wrong";
    lido_error error = fail_to_connect(&options, LIDO_ERROR_PERMISSION);
    char text[2000];
    assert_string_equal(error.sqlstate, "28P01");
    lido_error_format(&error, text, sizeof text);
    assert_null(strstr(text, "certainly-wrong"));
    expect_hint(&error, "DATABASE_PASSWORD");
}

static void a_missing_password_is_said_to_be_missing(void **state) {
    (void)state;
    lido_options options = on_loopback();
    options.password = NULL;
    lido_error error = fail_to_connect(&options, LIDO_ERROR_PERMISSION);
    assert_non_null(strstr(error.message, "password"));
    expect_hint(&error, "~/.pgpass");
}

static void an_unknown_role_is_a_matter_of_permission(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    options.user = "nobody_of_that_name";
    lido_error error = fail_to_connect(&options, LIDO_ERROR_PERMISSION);
    assert_string_equal(error.sqlstate, "28000");
    assert_non_null(strstr(error.message, "nobody_of_that_name"));
    expect_hint(&error, "check the user");
}

static void an_unknown_database_is_a_matter_of_configuration(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    options.database = "no_database_of_that_name";
    lido_error error = fail_to_connect(&options, LIDO_ERROR_CONFIGURATION);
    assert_string_equal(error.sqlstate, "3D000");
    assert_non_null(strstr(error.message, "no_database_of_that_name"));
    expect_hint(&error, "CREATE DATABASE");
}

/* ---- Nobody there ---- */

static void a_port_that_nobody_listens_on_is_no_connection(void **state) {
    (void)state;
    char port[8];
    lido_options options = LIDO_OPTIONS_INIT;
    options.host = "127.0.0.1";
    options.port = unused_port(port);
    lido_error error = fail_to_connect(&options, LIDO_ERROR_DISCONNECTED);
    expect_hint(&error, "DATABASE_HOST and DATABASE_PORT");
}

static void a_socket_that_is_not_there_is_no_connection(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    options.host = "/tmp/no-such-folder-for-sockets";
    lido_error error = fail_to_connect(&options, LIDO_ERROR_DISCONNECTED);
    assert_non_null(strstr(error.message, "no-such-folder-for-sockets"));
    expect_hint(&error, "the server runs there");
}

static void an_unknown_host_is_named(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    options.host = "no-such-host.invalid";
    lido_error error = fail_to_connect(&options, LIDO_ERROR_DISCONNECTED);
    assert_non_null(strstr(error.message, "no-such-host.invalid"));
    assert_true(error.hint[0] != '\0');
}

/* ---- Somebody else there ---- */

static lido_error fail_to_connect_to(false_server_manner manner, lido_category category) {
    false_server server;
    lido_options options = LIDO_OPTIONS_INIT;
    postgres_url(); /* skips before the server is started */
    false_server_start(&server, manner);
    options.host = "127.0.0.1";
    options.port = server.port;
    options.connect_timeout_ms = 200;
    lido_error error = fail_to_connect(&options, category);
    false_server_stop(&server);
    return error;
}

static void a_server_that_says_nothing_is_given_up_in_time(void **state) {
    (void)state;
    int64_t began = lido__clock_now_us();
    lido_error error = fail_to_connect_to(SAYS_NOTHING, LIDO_ERROR_TIMEOUT);
    int64_t took_ms = (lido__clock_now_us() - began) / 1000;
    assert_in_range(took_ms, 200, 5000);
    assert_non_null(strstr(error.message, "200 ms"));
    assert_true(error.hint[0] != '\0');
}

static void a_server_that_hangs_up_is_no_connection(void **state) {
    (void)state;
    fail_to_connect_to(HANGS_UP, LIDO_ERROR_DISCONNECTED);
}

static void a_server_that_speaks_http_is_no_connection(void **state) {
    (void)state;
    lido_error error = fail_to_connect_to(SPEAKS_HTTP, LIDO_ERROR_DISCONNECTED);
    expect_hint(&error, "a PostgreSQL server");
}

static void a_server_that_speaks_nonsense_is_no_connection(void **state) {
    (void)state;
    lido_error error = fail_to_connect_to(SPEAKS_NONSENSE, LIDO_ERROR_DISCONNECTED);
    expect_hint(&error, "a PostgreSQL server");
}

static void an_inspection_says_why_there_is_no_connection(void **state) {
    (void)state;
    char port[8];
    lido_options options = LIDO_OPTIONS_INIT;
    options.host = "127.0.0.1";
    options.port = unused_port(port);
    lido_engine *engine = open_surely(postgres_url(), &options);
    lido_server server = {.connection_limit = -7};
    lido_error error = LIDO_ERROR_INIT;
    assert_int_equal(lido_engine_inspect(engine, &server, &error), LIDO_ERROR);
    assert_int_equal(error.category, LIDO_ERROR_DISCONNECTED);
    assert_int_equal(server.connection_limit, -7); /* filled in only where there is something to tell */
    assert_int_equal(lido_engine_inspect(engine, NULL, NULL), LIDO_ERROR);
    lido_engine_close(engine);
}

/* ---- Several hosts ---- */

static void the_first_host_that_answers_is_taken(void **state) {
    (void)state;
    char dead[8];
    char ports[32];
    lido_options options = on_loopback();
    snprintf(ports, sizeof ports, "%s,%s", unused_port(dead), options.port);
    options.host = "127.0.0.1,127.0.0.1";
    options.port = ports;
    expect_success(&options);
}

static void a_silent_host_costs_its_connect_timeout_and_no_more(void **state) {
    (void)state;
    false_server server;
    char ports[32];
    lido_options options = on_loopback();
    false_server_start(&server, SAYS_NOTHING);
    snprintf(ports, sizeof ports, "%s,%s", server.port, options.port);
    options.host = "127.0.0.1,127.0.0.1";
    options.port = ports;
    options.connect_timeout_ms = 1000;
    int64_t began = lido__clock_now_us();
    expect_success(&options);
    int64_t took_ms = (lido__clock_now_us() - began) / 1000;
    assert_in_range(took_ms, 1000, 9000);
    false_server_stop(&server);
}

static void of_several_dead_hosts_the_first_is_reported(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    options.host = "/tmp/first-folder-that-is-not-there,/tmp/second-folder-that-is-not-there";
    lido_error error = fail_to_connect(&options, LIDO_ERROR_DISCONNECTED);
    assert_non_null(strstr(error.message, "first-folder"));
}

/* ---- Later ---- */

static void an_engine_serves_as_soon_as_its_server_does(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 1;
    options.max_overflow = 0;
    options.database = "lido_fault_connect";
    lido_engine *server = open_surely(postgres_url(), NULL);
    lido_engine *engine = open_surely(postgres_url(), &options);
    lido_session *db = open_autocommit(engine);
    for (int i = 0; i < 3; i++) { /* more often than the pool has room */
        assert_null(lido_query(db, "SELECT 1"));
        expect_error(db, LIDO_ERROR_CONFIGURATION);
    }
    lido_session *maker = open_autocommit(server);
    lido_exec(maker, "CREATE DATABASE lido_fault_connect");
    expect_no_error(maker);
    lido_query_value(db, "SELECT 1");
    expect_no_error(db);
    lido_session_close(db);
    lido_engine_close(engine);
    lido_exec(maker, "DROP DATABASE lido_fault_connect WITH (FORCE)");
    expect_no_error(maker);
    lido_session_close(maker);
    lido_engine_close(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_password_lets_in),
        cmocka_unit_test(a_wrong_password_is_a_matter_of_permission),
        cmocka_unit_test(a_missing_password_is_said_to_be_missing),
        cmocka_unit_test(an_unknown_role_is_a_matter_of_permission),
        cmocka_unit_test(an_unknown_database_is_a_matter_of_configuration),
        cmocka_unit_test(a_port_that_nobody_listens_on_is_no_connection),
        cmocka_unit_test(a_socket_that_is_not_there_is_no_connection),
        cmocka_unit_test(an_unknown_host_is_named),
        cmocka_unit_test(a_server_that_says_nothing_is_given_up_in_time),
        cmocka_unit_test(a_server_that_hangs_up_is_no_connection),
        cmocka_unit_test(a_server_that_speaks_http_is_no_connection),
        cmocka_unit_test(a_server_that_speaks_nonsense_is_no_connection),
        cmocka_unit_test(an_inspection_says_why_there_is_no_connection),
        cmocka_unit_test(the_first_host_that_answers_is_taken),
        cmocka_unit_test(a_silent_host_costs_its_connect_timeout_and_no_more),
        cmocka_unit_test(of_several_dead_hosts_the_first_is_reported),
        cmocka_unit_test(an_engine_serves_as_soon_as_its_server_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
