/* The three outcomes of a commit, told truthfully when the connection breaks, or falls silent, just then: a relay
 * between lido and PostgreSQL loses the answer, and knows whether the server got the question. */
#include "engines.h"
#include "in_task.h"
#include "relay.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

static relay between;

/* Through the relay, with room for one connection. */
static int begin(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    if (getenv("LIDO_TEST_POSTGRES_PASSWORD") == NULL ||
        !open_server("DROP TABLE IF EXISTS outcomes; CREATE TABLE outcomes (id integer PRIMARY KEY)"))
        return 0; /* the test will skip itself */
    relay_start(&between, getenv("LIDO_TEST_POSTGRES_PORT"));
    options.host = "127.0.0.1";
    options.port = between.port;
    options.password = getenv("LIDO_TEST_POSTGRES_PASSWORD");
    options.sslmode = "disable"; /* the relay reads along */
    options.pool_size = 1;
    options.max_overflow = 0;
    options.pool_timeout_ms = 2000;
    engine = open_surely(postgres_url(), &options);
    return 0;
}

static int end(void **state) {
    bool relays = engine != NULL;
    close_engines(state);
    if (relays)
        relay_stop(&between);
    return 0;
}

static void need_relay(void) {
    if (engine == NULL) {
        print_message(POSTGRES_TEST_SKIPPED);
        skip();
    }
}

/* What stands in the end; a server whose client is gone may need a moment to notice. */
static int64_t rows_that_stand(void) {
    return ask_surely(server, "SELECT count(*) FROM outcomes");
}

static void expect_engine_works(void) {
    assert_true(relay_has_acted(&between));
    assert_int_equal(ask_surely(engine, "SELECT 1"), 1);
}

static lido_session *open_with_a_row(void) {
    lido_session *db = lido_session_open(engine, NULL);
    assert_int_equal(lido_exec(db, "INSERT INTO outcomes VALUES (1)"), 1);
    expect_no_error(db);
    return db;
}

/* ---- Before the first statement ---- */

/* It was let in, and lost while lido asked for what the server does not tell: that is no server out of reach. */
static void a_connection_lost_before_its_first_use_is_opened_again(void **state) {
    (void)state;
    lido_pool_stats stats;
    need_relay();
    relay_act_at(&between, "extra_float_digits", CUTS_BEFORE);
    lido_session *db = lido_session_open(engine, NULL);
    assert_int_equal(lido_exec(db, "INSERT INTO outcomes VALUES (1)"), 1);
    expect_no_error(db);
    assert_true(relay_has_acted(&between));
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    lido_engine_stats(engine, &stats);
    assert_int_equal(stats.failed_connects, 0);
    assert_int_equal(rows_that_stand(), 1);
}

/* ---- COMMIT ---- */

static void the_relay_relays(void **state) {
    (void)state;
    need_relay();
    lido_session *db = open_with_a_row();
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    assert_int_equal(rows_that_stand(), 1);
}

static void a_commit_whose_answer_is_lost_is_unknown(void **state) {
    (void)state;
    need_relay();
    lido_session *db = open_with_a_row();
    relay_act_at(&between, "COMMIT", CUTS_AFTER);
    assert_int_equal(lido_commit(db), LIDO_UNKNOWN);
    const lido_error *error = lido_error_of(db);
    expect_error(db, LIDO_ERROR_UNKNOWN_OUTCOME);
    assert_int_equal(error->status, LIDO_UNKNOWN);
    assert_false(error->retryable);
    assert_string_equal(error->doing, "committing");
    assert_true(error->hint[0] != '\0');
    lido_session_close(db);
    assert_int_equal(rows_that_stand(), 1); /* it stood, this time */
    expect_engine_works();
}

static void a_commit_that_never_arrives_is_unknown_too(void **state) {
    (void)state;
    need_relay();
    lido_session *db = open_with_a_row();
    relay_act_at(&between, "COMMIT", CUTS_BEFORE);
    assert_int_equal(lido_commit(db), LIDO_UNKNOWN);
    lido_session_close(db);
    assert_int_equal(rows_that_stand(), 0);
    expect_engine_works();
}

/* BEGIN, the statement and COMMIT travel together. */
static void what_was_sent_with_the_commit_shares_its_outcome(void **state) {
    (void)state;
    need_relay();
    lido_session *db = lido_session_open(engine, NULL);
    lido_send(db, "INSERT INTO outcomes VALUES (1)");
    relay_act_at(&between, "COMMIT", CUTS_AFTER);
    assert_int_equal(lido_commit(db), LIDO_UNKNOWN);
    lido_session_close(db);
    assert_int_equal(rows_that_stand(), 1);
    expect_engine_works();
}

static void a_block_tells_that_its_outcome_is_unknown(void **state) {
    (void)state;
    lido_error outcome;
    need_relay();
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "INSERT INTO outcomes VALUES (1)");
        relay_act_at(&between, "COMMIT", CUTS_AFTER);
    }
    assert_int_equal(outcome.status, LIDO_UNKNOWN);
    assert_int_equal(outcome.category, LIDO_ERROR_UNKNOWN_OUTCOME);
    expect_engine_works();
}

static bool insert_and_cut(lido_session *db, void *argument) {
    int *attempts = argument;
    ++*attempts;
    lido_exec(db, "INSERT INTO outcomes VALUES (1)");
    relay_act_at(&between, "COMMIT", CUTS_AFTER);
    return true;
}

static void an_unknown_outcome_is_never_tried_again(void **state) {
    (void)state;
    int attempts = 0;
    lido_error error = LIDO_ERROR_INIT;
    need_relay();
    lido_transact_options options = {.attempts = 10, .error = &error};
    assert_int_equal(lido_transact(engine, &options, insert_and_cut, &attempts), LIDO_UNKNOWN);
    assert_int_equal(attempts, 1);
    assert_int_equal(error.category, LIDO_ERROR_UNKNOWN_OUTCOME);
    expect_engine_works();
}

static void a_session_closed_with_a_commit_tells_it_too(void **state) {
    (void)state;
    need_relay();
    lido_session *db = lido_session_open(engine, &(lido_session_options){.at_end = LIDO_AT_END_COMMIT});
    lido_exec(db, "INSERT INTO outcomes VALUES (1)");
    relay_act_at(&between, "COMMIT", CUTS_AFTER);
    assert_int_equal(lido_session_close(db), LIDO_UNKNOWN);
    expect_engine_works();
}

/* ---- Looked up afterwards ---- */

static lido_session *open_resolving(void) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.resolve_unknown = true});
    lido_exec(db, "INSERT INTO outcomes VALUES (1)");
    expect_no_error(db);
    return db;
}

static void a_commit_that_stood_is_found_to_stand(void **state) {
    (void)state;
    need_relay();
    lido_session *db = open_resolving();
    relay_act_at(&between, "COMMIT", CUTS_AFTER);
    assert_int_equal(lido_commit(db), LIDO_OK);
    expect_no_error(db);
    lido_session_close(db);
    assert_int_equal(rows_that_stand(), 1);
    expect_engine_works();
}

static void a_commit_that_never_arrived_is_found_not_to_stand(void **state) {
    (void)state;
    need_relay();
    lido_session *db = open_resolving();
    relay_act_at(&between, "COMMIT", CUTS_BEFORE);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    lido_session_close(db);
    assert_int_equal(rows_that_stand(), 0);
    expect_engine_works();
}

/* ---- Before COMMIT ---- */

static void a_statement_whose_answer_is_lost_is_rolled_back(void **state) {
    (void)state;
    need_relay();
    lido_session *db = open_with_a_row();
    relay_act_at(&between, "INSERT", CUTS_AFTER);
    assert_int_equal(lido_exec(db, "INSERT INTO outcomes SELECT 2"), 0);
    expect_error(db, LIDO_ERROR_DISCONNECTED);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    lido_session_close(db);
    assert_int_equal(rows_that_stand(), 0);
    expect_engine_works();
}

static void a_lost_rollback_is_a_rollback(void **state) {
    (void)state;
    need_relay();
    lido_session *db = open_with_a_row();
    relay_act_at(&between, "ROLLBACK", CUTS_AFTER);
    lido_rollback(db);
    expect_no_error(db);
    lido_session_close(db);
    assert_int_equal(rows_that_stand(), 0);
    expect_engine_works();
}

/* ---- Where nobody waits for the end ---- */

/* What commits by being run is not sent again elsewhere, even if it looks like reading. */
static void what_may_write_does_not_go_out_behind_an_unanswered_rollback(void **state) {
    (void)state;
    need_relay();
    run_surely(server, "DROP SEQUENCE IF EXISTS tickets; CREATE SEQUENCE tickets");
    lido_session *db = open_with_a_row();
    relay_act_at(&between, "ROLLBACK", CUTS_AFTER_NEXT);
    lido_rollback(db);
    lido_session_close(db);
    db = open_autocommit(engine);
    assert_int_equal(lido_query_value(db, "SELECT nextval('tickets')").as.integer, 1);
    expect_no_error(db);
    lido_session_close(db);
    assert_int_equal(ask_surely(server, "SELECT last_value FROM tickets"), 1);
    expect_engine_works();
}

/* A transaction that was opened to read and then may write has a COMMIT like any other. */
static void a_reader_that_writes_after_all_waits_for_its_commit(void **state) {
    (void)state;
    need_relay();
    lido_session *db = lido_session_open(engine, &(lido_session_options){.read_only = true});
    lido_exec(db, "SET TRANSACTION READ WRITE");
    assert_int_equal(lido_exec(db, "INSERT INTO outcomes VALUES (1)"), 1);
    expect_no_error(db);
    relay_act_at(&between, "COMMIT", CUTS_BEFORE);
    assert_int_equal(lido_commit(db), LIDO_UNKNOWN);
    lido_session_close(db);
    assert_int_equal(rows_that_stand(), 0);
    expect_engine_works();
}

/* ---- Where each statement is a transaction ---- */

static void a_statement_of_its_own_may_stand_without_its_answer(void **state) {
    (void)state;
    need_relay();
    lido_session *db = open_autocommit(engine);
    relay_act_at(&between, "INSERT", CUTS_AFTER);
    assert_int_equal(lido_exec(db, "INSERT INTO outcomes VALUES (1)"), 0);
    expect_error(db, LIDO_ERROR_UNKNOWN_OUTCOME);
    assert_false(lido_error_of(db)->retryable);
    assert_int_equal(rows_that_stand(), 1);
    assert_int_equal(lido_exec(db, "INSERT INTO outcomes VALUES (2)"), 1);
    lido_session_close(db);
    assert_int_equal(rows_that_stand(), 2);
}

/* By its parameter: the relay cannot see the text of a statement that is prepared already, nor a number. */
static void a_prepared_one_may_as_well(void **state) {
    (void)state;
    need_relay();
    lido_session *db = open_autocommit(engine);
    assert_int_equal(lido_exec(db, "INSERT INTO outcomes VALUES (ascii(?))", "a"), 1);
    relay_act_at(&between, "twenty", CUTS_AFTER);
    assert_int_equal(lido_exec(db, "INSERT INTO outcomes VALUES (ascii(?))", "twenty"), 0);
    expect_error(db, LIDO_ERROR_UNKNOWN_OUTCOME);
    assert_int_equal(rows_that_stand(), 2);
    lido_session_close(db);
}

static void sent_statements_of_their_own_may_stand_as_well(void **state) {
    (void)state;
    need_relay();
    lido_session *db = open_autocommit(engine);
    lido_send(db, "INSERT INTO outcomes VALUES (1)");
    lido_send(db, "INSERT INTO outcomes VALUES (2)");
    relay_act_at(&between, "INSERT", CUTS_AFTER);
    assert_int_equal(lido_commit(db), LIDO_ERROR);
    expect_error(db, LIDO_ERROR_UNKNOWN_OUTCOME);
    lido_session_close(db);
    expect_engine_works();
}

static void a_lost_query_is_just_lost(void **state) {
    (void)state;
    need_relay();
    lido_session *db = open_autocommit(engine);
    relay_act_at(&between, "generate_series", CUTS_AFTER);
    assert_null(lido_query(db, "SELECT i FROM generate_series(1, 10) AS i"));
    expect_error(db, LIDO_ERROR_DISCONNECTED);
    lido_session_close(db);
    expect_engine_works();
}

static void a_deferred_constraint_is_the_error_of_its_own_statement(void **state) {
    (void)state;
    need_relay();
    run_surely(server, "DROP TABLE outcomes; CREATE TABLE outcomes (id integer UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    lido_session *db = open_autocommit(engine);
    lido_send(db, "INSERT INTO outcomes VALUES (1)");
    lido_send(db, "INSERT INTO outcomes SELECT 1");
    lido_send(db, "INSERT INTO outcomes VALUES (3)");
    assert_int_equal(lido_commit(db), LIDO_ERROR);
    expect_error(db, LIDO_ERROR_UNIQUE);
    assert_string_equal(lido_error_of(db)->statement, "INSERT INTO outcomes SELECT 1");
    lido_session_close(db);
    assert_int_equal(rows_that_stand(), 2);
    relay_act_at(&between, NULL, RELAYS);
    expect_engine_works();
}

/* ---- Silence ---- */

enum { PATIENCE_MS = 300, SILENCE_ENDS_MS = 20000 };

static lido_session *open_impatient(void) {
    return lido_session_open(engine, &(lido_session_options){.statement_timeout_ms = PATIENCE_MS});
}

/* The server does not even hear that it is to cancel: the connection is given up, after a bounded time. */
static void a_server_that_falls_silent_is_given_up(void **state) {
    (void)state;
    need_relay();
    lido_session *db = open_impatient();
    lido_exec(db, "INSERT INTO outcomes VALUES (1)");
    expect_no_error(db);
    relay_act_at(&between, "generate_series", FREEZES);
    int64_t began = lido__clock_now_us();
    assert_null(lido_query(db, "SELECT i FROM generate_series(1, 10) AS i"));
    assert_in_range((lido__clock_now_us() - began) / 1000, PATIENCE_MS, SILENCE_ENDS_MS);
    expect_error(db, LIDO_ERROR_TIMEOUT);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    lido_session_close(db);
}

static atomic_int_fast64_t ahead_us;

static int64_t clock_that_is_ahead(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + atomic_load(&ahead_us);
}

/* Ten times as fast, until it is told to stop. */
static void *let_time_pass(void *stop) {
    while (!atomic_load((atomic_bool *)stop)) {
        poll(NULL, 0, 20);
        atomic_fetch_add(&ahead_us, 180000);
    }
    return NULL;
}

/* A deadline that is far away is left to the pool's keeper; what comes of it is the same. */
static void a_far_deadline_ends_the_silence_too(void **state) {
    (void)state;
    need_relay();
    atomic_bool stop = false;
    pthread_t thread;
    lido__clock_replace(clock_that_is_ahead);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.statement_timeout_ms = 20000});
    lido_exec(db, "INSERT INTO outcomes VALUES (1)");
    expect_no_error(db);
    relay_act_at(&between, "generate_series", FREEZES);
    assert_int_equal(pthread_create(&thread, NULL, let_time_pass, &stop), 0);
    assert_null(lido_query(db, "SELECT i FROM generate_series(1, 10) AS i"));
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    expect_error(db, LIDO_ERROR_TIMEOUT);
    assert_non_null(strstr(lido_error_of(db)->message, "did not answer in time"));
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    lido_session_close(db);
    lido__clock_replace(NULL);
}

static void a_commit_that_is_met_with_silence_is_unknown(void **state) {
    (void)state;
    need_relay();
    lido_session *db = open_impatient();
    lido_exec(db, "INSERT INTO outcomes VALUES (1)");
    relay_act_at(&between, "COMMIT", FREEZES);
    int64_t began = lido__clock_now_us();
    assert_int_equal(lido_commit(db), LIDO_UNKNOWN);
    assert_in_range((lido__clock_now_us() - began) / 1000, PATIENCE_MS, SILENCE_ENDS_MS);
    lido_session_close(db);
    assert_int_equal(rows_that_stand(), 1);
}

#define RELAY_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        RELAY_TEST(a_connection_lost_before_its_first_use_is_opened_again),
        RELAY_TEST(the_relay_relays),
        RELAY_TEST(a_commit_whose_answer_is_lost_is_unknown),
        RELAY_TEST(a_commit_that_never_arrives_is_unknown_too),
        RELAY_TEST(what_was_sent_with_the_commit_shares_its_outcome),
        RELAY_TEST(a_block_tells_that_its_outcome_is_unknown),
        RELAY_TEST(an_unknown_outcome_is_never_tried_again),
        RELAY_TEST(a_session_closed_with_a_commit_tells_it_too),
        RELAY_TEST(a_commit_that_stood_is_found_to_stand),
        RELAY_TEST(a_commit_that_never_arrived_is_found_not_to_stand),
        RELAY_TEST(a_statement_whose_answer_is_lost_is_rolled_back),
        RELAY_TEST(a_lost_rollback_is_a_rollback),
        RELAY_TEST(what_may_write_does_not_go_out_behind_an_unanswered_rollback),
        RELAY_TEST(a_reader_that_writes_after_all_waits_for_its_commit),
        RELAY_TEST(a_statement_of_its_own_may_stand_without_its_answer),
        RELAY_TEST(a_prepared_one_may_as_well),
        RELAY_TEST(sent_statements_of_their_own_may_stand_as_well),
        RELAY_TEST(a_lost_query_is_just_lost),
        RELAY_TEST(a_deferred_constraint_is_the_error_of_its_own_statement),
        RELAY_TEST(a_server_that_falls_silent_is_given_up),
        RELAY_TEST(a_far_deadline_ends_the_silence_too),
        RELAY_TEST(a_commit_that_is_met_with_silence_is_unknown),
    };
    return tell_in_thread_and_task("outcome", tests, sizeof tests / sizeof tests[0]);
}
