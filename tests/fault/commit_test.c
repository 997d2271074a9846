/* What happens to PostgreSQL while it is at a COMMIT, which a deferred trigger makes last: its backend is terminated,
 * or told to cancel, or the server crashes. Whatever is said of the commit then is true. */
#include "engines.h"
#include "in_task.h"
#include "server_process.h"

#include <pthread.h>

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

typedef enum disturbance { RUNS_A_STATEMENT, CANCELS, STOPS_THE_SERVER, KILLS_THE_BACKEND } disturbance;

/* Does something once the backend is at its COMMIT. */
typedef struct disturber {
    pthread_t thread;
    disturbance how;
    const char *statement;   /* with the backend's number as its parameter */
    lido_session *cancelled; /* whose commit it is */
    int64_t backend;
    bool done;
} disturber;

static const char is_at_commit[] =
    "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = ? AND query = 'COMMIT' AND wait_event = 'PgSleep'";

static bool disturb_now(const disturber *self, lido_session *db) {
    switch (self->how) {
    case RUNS_A_STATEMENT:
        return lido_query_value(db, self->statement, self->backend).as.boolean;
    case CANCELS:
        return lido_cancel(self->cancelled) == LIDO_OK;
    case STOPS_THE_SERVER:
        return stop_at_once();
    case KILLS_THE_BACKEND:
        return kill((pid_t)self->backend, SIGKILL) == 0;
    }
    return false;
}

static void *disturb(void *argument) {
    disturber *self = argument;
    lido_session *db = open_autocommit(server);
    lido_value at_commit = lido_value_bool(false);
    for (int i = 0; i < 1000 && !at_commit.as.boolean; i++) {
        poll(NULL, 0, 5);
        at_commit = lido_query_value(db, is_at_commit, self->backend);
    }
    if (at_commit.as.boolean)
        self->done = disturb_now(self, db);
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
    if (by->how == STOPS_THE_SERVER || by->how == KILLS_THE_BACKEND)
        wait_until_it_is_back();
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
    disturber canceller = {.how = CANCELS, .cancelled = db};
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

/* ---- After a crash ---- */

/* The server that comes back gives transaction ids out again: what it says of one proves nothing. That it did not
 * commit here, which anybody can see, does not make a guess of it right. */
static void leave_it_unknown(disturbance how) {
    disturber crash = {.how = how};
    need_a_server_of_ours();
    lido_session *db = lido_session_open(engine, &(lido_session_options){.resolve_unknown = true});
    assert_int_equal(commit_disturbed(&crash, db), LIDO_UNKNOWN);
    expect_error(db, LIDO_ERROR_UNKNOWN_OUTCOME);
    expect_engine_works(db);
}

static void an_outcome_is_not_guessed_of_a_server_that_was_restarted(void **state) {
    (void)state;
    leave_it_unknown(STOPS_THE_SERVER);
}

/* Its main process lives on, and starts all others anew. */
static void nor_is_it_where_only_a_backend_crashed(void **state) {
    (void)state;
    leave_it_unknown(KILLS_THE_BACKEND);
}

#define COMMIT_TEST(test) cmocka_unit_test_setup_teardown(test, begin, close_engines)

int main(void) {
    const struct CMUnitTest tests[] = {
        COMMIT_TEST(a_backend_that_is_terminated_at_commit_leaves_it_unknown),
        COMMIT_TEST(a_commit_that_the_server_cancels_is_rolled_back),
        COMMIT_TEST(a_commit_that_the_program_cancels_is_rolled_back),
        COMMIT_TEST(a_commit_that_takes_too_long_is_rolled_back),
        COMMIT_TEST(an_outcome_is_not_guessed_of_a_server_that_was_restarted),
        COMMIT_TEST(nor_is_it_where_only_a_backend_crashed),
    };
    return tell_in_thread_and_task("commit", tests, sizeof tests / sizeof tests[0]);
}
