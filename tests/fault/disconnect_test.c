/* Connections to PostgreSQL that break: while they idle in the pool, in a transaction, in a statement. The session says
 * so, no savepoint brings the transaction back, and the pool serves the next session. */
#include "engines.h"
#include "in_task.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"

/* With room for one connection. */
static lido_engine *open_narrow(bool pre_ping) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 1;
    options.max_overflow = 0;
    options.pool_timeout_ms = 2000;
    options.pool_pre_ping = pre_ping;
    return open_surely(postgres_url(), &options);
}

static int begin(void **state) {
    (void)state;
    if (open_server("DROP TABLE IF EXISTS broken; CREATE TABLE broken (id integer PRIMARY KEY)"))
        engine = open_narrow(true);
    return 0;
}

static int64_t backend_of(lido_session *db) {
    lido_value pid = lido_query_value(db, "SELECT pg_backend_pid()");
    expect_no_error(db);
    return pid.as.integer;
}

/* Returns when the backend is gone. */
static void terminate(int64_t backend) {
    lido_session *db = open_autocommit(server);
    lido_query_value(db, "SELECT pg_terminate_backend(?, 10000)", backend);
    expect_no_error(db);
    lido_session_close(db);
}

static int64_t rows_that_stand(void) {
    return ask_surely(server, "SELECT count(*) FROM broken");
}

static void expect_engine_works(void) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO broken VALUES (?)", 1000);
    lido_exec(db, "DELETE FROM broken WHERE id = ?", 1000);
    expect_no_error(db);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
}

/* A session that failed for a lost connection stays so, whatever is tried, until its transaction ends. */
static void expect_lost(lido_session *db) {
    expect_error(db, LIDO_ERROR_DISCONNECTED);
    assert_true(lido_failed(db));
    assert_int_equal(lido_exec(db, "INSERT INTO broken VALUES (99)"), 0);
    assert_null(lido_query(db, "SELECT 1"));
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    expect_error(db, LIDO_ERROR_DISCONNECTED);
    assert_int_equal(rows_that_stand(), 0);
}

/* Terminates a backend while its session waits for a statement. */
typedef struct killer {
    pthread_t thread;
    int64_t backend;
} killer;

static void *kill_while_it_runs(void *argument) {
    killer *self = argument;
    lido_session *db = open_autocommit(server);
    for (bool runs = false; !runs;) {
        lido_value value = lido_query_value(
            db, "SELECT state = 'active' AND query LIKE '%pg_sleep%' FROM pg_stat_activity WHERE pid = ?",
            self->backend);
        runs = value.kind != LIDO_KIND_BOOL || value.as.boolean;
    }
    lido_query_value(db, "SELECT pg_terminate_backend(?)", self->backend);
    lido_session_close(db);
    return NULL;
}

static void start_killer(killer *self, lido_session *db) {
    self->backend = backend_of(db);
    assert_int_equal(pthread_create(&self->thread, NULL, kill_while_it_runs, self), 0);
}

/* ---- Idle ---- */

static void a_connection_lost_in_the_pool_is_not_noticed(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    int64_t first = backend_of(db);
    lido_session_close(db);
    terminate(first);
    db = lido_session_open(engine, NULL);
    assert_true(backend_of(db) != first);
    lido_exec(db, "INSERT INTO broken VALUES (1)");
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    assert_int_equal(rows_that_stand(), 1);
}

/* It speaks to an idle client who has asked to be told something: the connection is looked at, read, and used. */
static void what_the_server_says_meanwhile_is_no_loss(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = open_autocommit(engine);
    int64_t first = backend_of(db);
    lido_exec(db, "LISTEN news");
    lido_session_close(db);
    for (int i = 0; i < 3; i++) {
        run_surely(server, "NOTIFY news, 'nothing that the pool would care about'");
        poll(NULL, 0, 50);
        db = open_autocommit(engine);
        assert_int_equal(backend_of(db), first);
        lido_session_close(db);
    }
}

static void many_connections_lost_in_the_pool_are_not_noticed(void **state) {
    (void)state;
    enum { MANY = 5 };
    lido_engine *wide = open_surely(postgres_url(), NULL);
    lido_session *sessions[MANY];
    int64_t backends[MANY];
    for (int i = 0; i < MANY; i++) {
        sessions[i] = lido_session_open(wide, NULL);
        backends[i] = backend_of(sessions[i]);
    }
    for (int i = 0; i < MANY; i++) {
        lido_session_close(sessions[i]);
        terminate(backends[i]);
    }
    for (int i = 0; i < MANY; i++) {
        sessions[i] = lido_session_open(wide, NULL);
        backend_of(sessions[i]);
    }
    for (int i = 0; i < MANY; i++)
        lido_session_close(sessions[i]);
    lido_engine_close(wide);
}

static void without_pre_ping_one_session_pays(void **state) {
    (void)state;
    postgres_url();
    lido_engine_close(engine);
    engine = open_narrow(false);
    lido_session *db = open_autocommit(engine); /* which leaves no rollback behind, whose answer would tell */
    int64_t first = backend_of(db);
    lido_session_close(db);
    terminate(first);
    db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO broken VALUES (1)");
    expect_lost(db);
    lido_session_close(db);
    expect_engine_works();
}

/* ---- In a transaction ---- */

static void a_transaction_whose_connection_is_lost_is_rolled_back(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO broken VALUES (1)");
    terminate(backend_of(db));
    lido_exec(db, "INSERT INTO broken VALUES (2)");
    expect_lost(db);
    assert_int_equal(backend_of(db) > 0, 1); /* the next transaction has a new connection */
    lido_session_close(db);
    expect_engine_works();
}

static void the_error_says_what_the_server_said(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    terminate(backend_of(db));
    lido_exec(db, "INSERT INTO broken VALUES (2)");
    const lido_error *error = lido_error_of(db);
    expect_error(db, LIDO_ERROR_DISCONNECTED);
    assert_string_equal(error->sqlstate, "57P01");
    assert_non_null(strstr(error->message, "administrator"));
    assert_string_equal(error->statement, "INSERT INTO broken VALUES (2)");
    assert_string_equal(error->doing, "running a statement");
    assert_false(error->retryable);
    lido_session_close(db);
}

/* The server's last words had come before COMMIT was sent, or not: nobody can promise more than that it is not OK. */
static void a_commit_on_a_lost_connection_is_not_committed(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO broken VALUES (1)");
    terminate(backend_of(db));
    lido_status status = lido_commit(db);
    assert_true(status == LIDO_ROLLED_BACK || status == LIDO_UNKNOWN);
    expect_error(db, status == LIDO_UNKNOWN ? LIDO_ERROR_UNKNOWN_OUTCOME : LIDO_ERROR_DISCONNECTED);
    assert_false(lido_error_of(db)->retryable);
    assert_int_equal(rows_that_stand(), 0);
    lido_session_close(db);
    expect_engine_works();
}

static void a_rollback_on_a_lost_connection_just_rolls_back(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO broken VALUES (1)");
    terminate(backend_of(db));
    lido_rollback(db);
    expect_no_error(db);
    assert_int_equal(lido_exec(db, "INSERT INTO broken VALUES (2)"), 1);
    assert_int_equal(lido_session_close(db), LIDO_ROLLED_BACK);
    assert_int_equal(rows_that_stand(), 0);
}

static void a_savepoint_cannot_clear_a_lost_connection(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO broken VALUES (1)");
    int64_t backend = backend_of(db);
    int savepoint = lido_savepoint_begin(db);
    lido_exec(db, "INSERT INTO broken VALUES (2)");
    terminate(backend);
    lido_exec(db, "INSERT INTO broken VALUES (3)");
    lido_savepoint_rollback(db, savepoint);
    expect_lost(db);
    lido_session_close(db);
    expect_engine_works();
}

static void a_savepoint_block_cannot_clear_it_either(void **state) {
    (void)state;
    lido_status outcome;
    lido_status inner;
    postgres_url();
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "INSERT INTO broken VALUES (1)");
        int64_t backend = backend_of(db);
        lido_savepoint_outcome (db, &inner) {
            terminate(backend);
            lido_exec(db, "INSERT INTO broken VALUES (2)");
        }
        assert_true(lido_failed(db));
        lido_exec(db, "INSERT INTO broken VALUES (3)");
    }
    assert_int_equal(inner, LIDO_ROLLED_BACK);
    assert_int_equal(outcome, LIDO_ROLLED_BACK);
    assert_int_equal(rows_that_stand(), 0);
    expect_engine_works();
}

static void sent_statements_are_lost_with_the_connection(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    int64_t backend = backend_of(db);
    lido_send(db, "INSERT INTO broken VALUES (1)");
    terminate(backend);
    lido_send(db, "INSERT INTO broken VALUES (2)");
    lido_status status = lido_commit(db);
    assert_true(status == LIDO_ROLLED_BACK || status == LIDO_UNKNOWN);
    assert_int_equal(rows_that_stand(), 0);
    lido_session_close(db);
    expect_engine_works();
}

static bool insert_and_lose(lido_session *db, void *argument) {
    int *attempts = argument;
    ++*attempts;
    lido_exec(db, "INSERT INTO broken VALUES (1)");
    terminate(backend_of(db));
    return true;
}

static void a_lost_connection_is_no_reason_to_run_a_function_again(void **state) {
    (void)state;
    int attempts = 0;
    postgres_url();
    assert_int_not_equal(lido_transact(engine, NULL, insert_and_lose, &attempts), LIDO_OK);
    assert_int_equal(attempts, 1);
    assert_int_equal(rows_that_stand(), 0);
}

/* ---- In a statement ---- */

static void a_statement_is_interrupted_by_the_loss(void **state) {
    (void)state;
    killer other;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO broken VALUES (1)");
    start_killer(&other, db);
    int64_t began = lido__clock_now_us();
    lido_query(db, "SELECT pg_sleep(30)");
    assert_true(lido__clock_now_us() - began < 20 * 1000000);
    pthread_join(other.thread, NULL);
    expect_lost(db);
    lido_session_close(db);
    expect_engine_works();
}

static void in_autocommit_the_next_statement_has_a_new_connection(void **state) {
    (void)state;
    killer other;
    postgres_url();
    lido_session *db = open_autocommit(engine);
    start_killer(&other, db);
    assert_int_equal(lido_exec(db, "INSERT INTO broken SELECT 1 FROM pg_sleep(30)"), 0);
    expect_error(db, LIDO_ERROR_DISCONNECTED); /* the server gave it up before it was done */
    pthread_join(other.thread, NULL);
    assert_int_equal(lido_exec(db, "INSERT INTO broken VALUES (2)"), 1);
    expect_no_error(db);
    lido_session_close(db);
    assert_int_equal(rows_that_stand(), 1);
}

static void a_stream_ends_with_an_error(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    int64_t backend = backend_of(db);
    int64_t count = 0;
    lido_rows *rows = lido_stream(db, "SELECT i, repeat('x', 1000) FROM generate_series(1, 1000000) AS i");
    while (lido_next(rows))
        if (++count == 10)
            terminate(backend);
    assert_in_range(count, 10, 999999);
    assert_false(lido_next(rows));
    lido_rows_close(rows);
    expect_lost(db);
    lido_session_close(db);
    expect_engine_works();
}

static void closing_a_lost_stream_does_not_wait(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    int64_t backend = backend_of(db);
    lido_rows *rows = lido_stream(db, "SELECT i, repeat('x', 1000) FROM generate_series(1, 1000000) AS i");
    assert_true(lido_next(rows));
    terminate(backend);
    int64_t began = lido__clock_now_us();
    lido_rows_close(rows);
    assert_true(lido__clock_now_us() - began < 4 * 1000000);
    lido_exec(db, "INSERT INTO broken VALUES (1)");
    expect_lost(db);
    lido_session_close(db);
    expect_engine_works();
}

#define LOSS_TEST(test) cmocka_unit_test_setup_teardown(test, begin, close_engines)

int main(void) {
    const struct CMUnitTest tests[] = {
        LOSS_TEST(a_connection_lost_in_the_pool_is_not_noticed),
        LOSS_TEST(what_the_server_says_meanwhile_is_no_loss),
        LOSS_TEST(many_connections_lost_in_the_pool_are_not_noticed),
        LOSS_TEST(without_pre_ping_one_session_pays),
        LOSS_TEST(a_transaction_whose_connection_is_lost_is_rolled_back),
        LOSS_TEST(the_error_says_what_the_server_said),
        LOSS_TEST(a_commit_on_a_lost_connection_is_not_committed),
        LOSS_TEST(a_rollback_on_a_lost_connection_just_rolls_back),
        LOSS_TEST(a_savepoint_cannot_clear_a_lost_connection),
        LOSS_TEST(a_savepoint_block_cannot_clear_it_either),
        LOSS_TEST(sent_statements_are_lost_with_the_connection),
        LOSS_TEST(a_lost_connection_is_no_reason_to_run_a_function_again),
        LOSS_TEST(a_statement_is_interrupted_by_the_loss),
        LOSS_TEST(in_autocommit_the_next_statement_has_a_new_connection),
        LOSS_TEST(a_stream_ends_with_an_error),
        LOSS_TEST(closing_a_lost_stream_does_not_wait),
    };
    return tell_in_thread_and_task("disconnect", tests, sizeof tests / sizeof tests[0]);
}
