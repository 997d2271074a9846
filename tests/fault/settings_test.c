/* What each new connection is told, and what bounds a pattern: promises that nothing else would miss if they were not
 * kept. */
#include "databases.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/postgres/postgres.h"
#include "core/engine.h"

static void expect_number(lido_session *db, const char *sql, int64_t expected) {
    lido_value value = lido_query_value(db, sql);
    expect_no_error(db);
    assert_int_equal(value.kind, LIDO_KIND_INT64);
    if (value.as.integer != expected)
        fail_msg("%s: %lld and not %lld", sql, (long long)value.as.integer, (long long)expected);
}

static void expect_text(lido_session *db, const char *sql, const char *expected) {
    lido_value value = lido_query_value(db, sql);
    expect_no_error(db);
    assert_int_equal(value.kind, LIDO_KIND_TEXT);
    assert_string_equal(value.as.text, expected);
}

/* ---- SQLite ---- */

static void the_defaults_reach_sqlite(void **state) {
    (void)state;
    lido_engine *engine = open_surely(file_url("defaults.db"), NULL);
    lido_session *db = open_autocommit(engine);
    expect_text(db, "PRAGMA journal_mode", "wal");
    expect_number(db, "PRAGMA synchronous", 2); /* full */
    expect_number(db, "PRAGMA foreign_keys", 1);
    expect_number(db, "PRAGMA cache_size", -8192);
    expect_number(db, "PRAGMA mmap_size", 128 << 20);
    expect_number(db, "PRAGMA journal_size_limit", 64 << 20);
    expect_number(db, "PRAGMA wal_autocheckpoint", 0); /* lido's own takes the place of SQLite's */
    lido_session_close(db);
    lido_engine_close(engine);
}

static void what_is_set_reaches_sqlite(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    options.journal_mode = "truncate";
    options.synchronous = "extra";
    options.foreign_keys = 0;
    options.cache_size = 1 << 20;
    options.mmap_size = 0;
    options.journal_size_limit = 1 << 16;
    lido_engine *engine = open_surely(file_url("settings.db"), &options);
    lido_session *db = open_autocommit(engine);
    expect_text(db, "PRAGMA journal_mode", "truncate");
    expect_number(db, "PRAGMA synchronous", 3);
    expect_number(db, "PRAGMA foreign_keys", 0);
    expect_number(db, "PRAGMA cache_size", -1024);
    expect_number(db, "PRAGMA mmap_size", 0);
    expect_number(db, "PRAGMA journal_size_limit", 1 << 16);
    lido_session_close(db);
    lido_engine_close(engine);
}

/* Each "a" more doubles its steps: it must be stopped long before it is done. */
static void a_pattern_that_would_take_for_ever_is_stopped(void **state) {
    (void)state;
    lido_engine *engine = open_surely("sqlite://", NULL);
    lido_session *db = open_autocommit(engine);
    lido_query_value(db, "SELECT ? REGEXP ?", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",
                     "^(([a-z])+.)+[A-Z]([a-z])+$");
    assert_true(lido_failed(db));
    assert_non_null(strstr(lido_error_of(db)->message, "too many steps"));
    expect_number(db, "SELECT 'still' REGEXP 'il'", 1);
    lido_session_close(db);
    lido_engine_close(engine);
}

/* ---- PostgreSQL ---- */

static lido_options over_the_network(void) {
    lido_options options = LIDO_OPTIONS_INIT;
    postgres_url();
    options.host = "127.0.0.1";
    options.port = getenv("LIDO_TEST_POSTGRES_PORT");
    options.password = getenv("LIDO_TEST_POSTGRES_PASSWORD");
    return options;
}

static void the_server_is_told_who_we_are(void **state) {
    (void)state;
    lido_options options = over_the_network();
    options.application_name = "the shop";
    lido_engine *engine = open_surely(postgres_url(), &options);
    lido_engine *unnamed = open_surely(postgres_url(), NULL);
    lido_session *db = open_autocommit(engine);
    expect_text(db, "SELECT current_setting('application_name')", "the shop");
    expect_text(db, "SELECT current_setting('client_encoding')", "UTF8");
    lido_session_close(db);
    db = open_autocommit(unnamed);
    expect_text(db, "SELECT current_setting('application_name')", "lido");
    lido_session_close(db);
    lido_engine_close(unnamed);
    lido_engine_close(engine);
}

static int socket_option(int descriptor, int level, int option) {
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(descriptor, level, option, &value, &size), 0);
    return value;
}

/* A peer that is gone without a word is noticed within a minute. */
static void a_silent_network_is_noticed(void **state) {
    (void)state;
    lido_options options = over_the_network();
    lido_error error = LIDO_ERROR_INIT;
    lido_engine *engine = open_surely(postgres_url(), &options);
    lido__connection *connection = lido__backend_postgres.open(&engine->config, NULL, &error);
    assert_non_null(connection);
    int descriptor = PQsocket(((postgres_connection *)connection)->wire);
    assert_int_equal(socket_option(descriptor, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_int_equal(socket_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE), 30);
    assert_int_equal(socket_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL), 10);
    assert_int_equal(socket_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT), 3);
    assert_int_equal(socket_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
    lido__backend_postgres.close(connection);
    lido_engine_close(engine);
}

/* The server's own advice is passed on. */
static void the_servers_hint_is_ours(void **state) {
    (void)state;
    lido_engine *engine = open_surely(postgres_url(), NULL);
    lido_session *db = open_autocommit(engine);
    lido_exec(db, "DO $$ BEGIN RAISE EXCEPTION 'no' USING HINT = 'ask again on Monday'; END $$");
    assert_string_equal(lido_error_of(db)->hint, "ask again on Monday");
    lido_session_close(db);
    lido_engine_close(engine);
}

#define FILE_TEST(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        FILE_TEST(the_defaults_reach_sqlite),
        FILE_TEST(what_is_set_reaches_sqlite),
        cmocka_unit_test(a_pattern_that_would_take_for_ever_is_stopped),
        cmocka_unit_test(the_server_is_told_who_we_are),
        cmocka_unit_test(a_silent_network_is_noticed),
        cmocka_unit_test(the_servers_hint_is_ours),
    };
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
