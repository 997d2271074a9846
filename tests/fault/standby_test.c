/* A server that becomes a standby, and a primary again: who is refused a write there leaves it, and finds the primary
 * as soon as there is one. tests/support/with-postgres starts the server again. */
#include "engines.h"
#include "server_process.h"

enum { STEP_MS = 20 };

/* ---- The server ---- */

static bool in_recovery(void) {
    lido_session *db = open_autocommit(server);
    lido_value answer = lido_query_value(db, "SELECT pg_is_in_recovery()");
    bool recovers = !lido_failed(db) && answer.kind == LIDO_KIND_BOOL && answer.as.boolean;
    lido_session_close(db);
    return recovers;
}

static void wait_until_recovery_is(bool wanted) {
    int64_t deadline = lido__deadline_in_ms(DOWN_MOST_MS);
    while (in_recovery() != wanted) {
        assert_true(lido__clock_now_us() < deadline);
        poll(NULL, 0, STEP_MS);
    }
}

/* What it finds when it starts makes it a standby, which waits for a primary to follow. */
static void make_standby(void) {
    char path[300];
    snprintf(path, sizeof path, "%s/standby.signal", getenv("LIDO_TEST_POSTGRES_DIRECTORY"));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_true(stop_at_once());
    wait_until_it_is_back();
    wait_until_recovery_is(true);
}

static void promote(void) {
    lido_session *db = open_autocommit(server);
    lido_query(db, "SELECT pg_promote()");
    expect_no_error(db);
    lido_session_close(db);
    wait_until_recovery_is(false);
}

/* ---- The test ---- */

static int begin(void **state) {
    (void)state;
    if (getenv("LIDO_TEST_POSTGRES_DIRECTORY") == NULL ||
        !open_server("DROP TABLE IF EXISTS followed; CREATE TABLE followed (id integer)"))
        return 0; /* the test will skip itself */
    engine = open_surely(postgres_url(), NULL);
    return 0;
}

static int end(void **state) {
    if (server != NULL && in_recovery())
        promote();
    return close_engines(state);
}

static lido_category try_to_write(void) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO followed VALUES (1)");
    if (!lido_failed(db))
        lido_commit(db);
    lido_category category = lido_error_of(db)->category;
    lido_session_close(db);
    return category;
}

static int64_t backend(void) {
    return ask_surely(engine, "SELECT pg_backend_pid()");
}

static void a_refused_write_leaves_a_standby_and_finds_the_primary(void **state) {
    (void)state;
    lido_pool_stats stats;
    need_a_server_of_ours();
    assert_int_equal(try_to_write(), LIDO_ERROR_NONE);
    make_standby();
    int64_t before = backend(); /* it may be read from */
    lido_engine_stats(engine, &stats);
    uint64_t lost = stats.invalidated;
    assert_int_equal(backend(), before);
    assert_int_equal(try_to_write(), LIDO_ERROR_READ_ONLY);
    assert_int_not_equal(backend(), before); /* it was left: behind that address there may be another by now */
    lido_engine_stats(engine, &stats);
    assert_int_equal(stats.invalidated, lost + 1);
    promote();
    assert_int_equal(try_to_write(), LIDO_ERROR_NONE);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM followed"), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_refused_write_leaves_a_standby_and_finds_the_primary, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
