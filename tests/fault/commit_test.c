/* What happens to PostgreSQL while it is at a COMMIT, which a deferred trigger makes last: its backend is terminated,
 * or told to cancel. Whatever is said of the commit then is true. */
#include "engines.h"

#include <poll.h>
#include <pthread.h>

#include "base/clock.h"

static int begin(void **state) {
    (void)state;
    if (open_server("DROP TABLE IF EXISTS slow_commits; CREATE TABLE slow_commits (id integer);"
                    "CREATE OR REPLACE FUNCTION take_long() RETURNS trigger LANGUAGE plpgsql AS "
                    "$$ BEGIN PERFORM pg_sleep(20); RETURN NULL; END $$;"
                    "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON slow_commits DEFERRABLE INITIALLY DEFERRED "
                    "FOR EACH ROW EXECUTE FUNCTION take_long()"))
        engine = open_surely(postgres_url(), NULL);
    return 0;
}

/* Runs a statement with the number of the backend, once that is at its COMMIT. */
typedef struct disturber {
    pthread_t thread;
    const char *statement;
    lido_session *cancelled; /* cancels this session instead */
    int64_t backend;
    bool done;
} disturber;

static const char is_at_commit[] =
    "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = ? AND query = 'COMMIT' AND wait_event = 'PgSleep'";

static void *disturb(void *argument) {
    disturber *self = argument;
    lido_session *db = open_autocommit(server);
    lido_value at_commit = lido_value_bool(false);
    for (int i = 0; i < 1000 && !at_commit.as.boolean; i++) {
        poll(NULL, 0, 5);
        at_commit = lido_query_value(db, is_at_commit, self->backend);
    }
    if (at_commit.as.boolean && self->cancelled != NULL)
        self->done = lido_cancel(self->cancelled) == LIDO_OK;
    else if (at_commit.as.boolean)
        self->done = lido_query_value(db, self->statement, self->backend).as.boolean;
    lido_session_close(db);
    return NULL;
}

/* Commits a row while the other is at work; tells what it came to. */
static lido_status commit_disturbed(disturber *by, lido_session *db) {
    lido_exec(db, "INSERT INTO slow_commits VALUES (1)");
    by->backend = lido_query_value(db, "SELECT pg_backend_pid()").as.integer;
    expect_no_error(db);
    assert_int_equal(pthread_create(&by->thread, NULL, disturb, by), 0);
    int64_t began = lido__clock_now_us();
    lido_status outcome = lido_commit(db);
    assert_in_range((lido__clock_now_us() - began) / 1000, 0, 15000);
    pthread_join(by->thread, NULL);
    assert_true(by->done);
    assert_int_equal(ask_surely(server, "SELECT count(*) FROM slow_commits"), 0);
    return outcome;
}

static void expect_engine_works(lido_session *db) {
    lido_query(db, "SELECT 1");
    expect_no_error(db);
    assert_int_equal(lido_session_close(db), LIDO_ROLLED_BACK);
}

/* The server's farewell does not say whether it had committed before: lido does not pretend to know. */
static void a_backend_that_is_terminated_at_commit_leaves_it_unknown(void **state) {
    (void)state;
    disturber killer = {.statement = "SELECT pg_terminate_backend(?)"};
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    assert_int_equal(commit_disturbed(&killer, db), LIDO_UNKNOWN);
    expect_error(db, LIDO_ERROR_UNKNOWN_OUTCOME);
    assert_false(lido_error_of(db)->retryable);
    assert_string_equal(lido_error_of(db)->sqlstate, "57P01");
    expect_engine_works(db);
}

static void a_commit_that_the_server_cancels_is_rolled_back(void **state) {
    (void)state;
    disturber canceller = {.statement = "SELECT pg_cancel_backend(?)"};
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    assert_int_equal(commit_disturbed(&canceller, db), LIDO_ROLLED_BACK);
    expect_error(db, LIDO_ERROR_CANCELLED);
    expect_engine_works(db);
}

static void a_commit_that_the_program_cancels_is_rolled_back(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    disturber canceller = {.cancelled = db};
    assert_int_equal(commit_disturbed(&canceller, db), LIDO_ROLLED_BACK);
    expect_error(db, LIDO_ERROR_CANCELLED);
    expect_engine_works(db);
}

static void a_commit_that_takes_too_long_is_rolled_back(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, &(lido_session_options){.statement_timeout_ms = 200});
    lido_exec(db, "INSERT INTO slow_commits VALUES (1)");
    expect_no_error(db);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    expect_error(db, LIDO_ERROR_TIMEOUT);
    assert_int_equal(ask_surely(server, "SELECT count(*) FROM slow_commits"), 0);
    expect_engine_works(db);
}

#define COMMIT_TEST(test) cmocka_unit_test_setup_teardown(test, begin, close_engines)

int main(void) {
    const struct CMUnitTest tests[] = {
        COMMIT_TEST(a_backend_that_is_terminated_at_commit_leaves_it_unknown),
        COMMIT_TEST(a_commit_that_the_server_cancels_is_rolled_back),
        COMMIT_TEST(a_commit_that_the_program_cancels_is_rolled_back),
        COMMIT_TEST(a_commit_that_takes_too_long_is_rolled_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
