/* Writers on one SQLite file that do not meet at a commit: who reads first, who only reads, who waits too long, another
 * engine. */
#include "writers.h"

/* ---- Reading first ---- */

static void who_has_read_may_write_while_nobody_else_has(void **state) {
    (void)state;
    lido_session *db = lido_session_open(engine, NULL);
    assert_int_equal(lido_query_value(db, "SELECT count(*) FROM written").as.integer, 0);
    assert_int_equal(lido_exec(db, "INSERT INTO written (who, what) VALUES (1, 1)"), 1);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
}

static void what_was_read_is_stale_when_another_has_written(void **state) {
    (void)state;
    lido_session *db = lido_session_open(engine, NULL);
    assert_int_equal(lido_query_value(db, "SELECT count(*) FROM written").as.integer, 0);
    run("INSERT INTO written (who, what) VALUES (2, 2)");
    assert_int_equal(lido_exec(db, "INSERT INTO written (who, what) VALUES (1, 1)"), 0);
    expect_error(db, LIDO_ERROR_SERIALISATION);
    assert_true(lido_error_of(db)->retryable);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    run("INSERT INTO written (who, what) VALUES (2, 2)"); /* the turn was given back */
    lido_session_close(db);
}

static void *read_and_commit(void *argument) {
    waiting *self = argument;
    lido_session *db = lido_session_open(engine, NULL);
    self->returned = lido_query_value(db, self->sql).as.integer;
    lido_exec(db, "INSERT INTO written (who, what) VALUES (1, ?)", self->returned);
    self->outcome = lido_commit(db);
    self->error = *lido_error_of(db);
    lido_session_close(db);
    return NULL;
}

/* A transaction that begins as one that wrote later waits for its turn before it reads. */
static void what_begins_alike_waits_before_it_reads(void **state) {
    (void)state;
    waiting first = {.sql = "SELECT count(*) AS n FROM written"};
    waiting second = {.sql = first.sql};
    read_and_commit(&first);
    assert_int_equal(first.outcome, LIDO_OK);
    lido_session *holder = hold_the_turn();
    assert_int_equal(pthread_create(&second.thread, NULL, read_and_commit, &second), 0);
    expect_waiting(1);
    assert_int_equal(lido_commit(holder), LIDO_OK);
    expect_done(&second);
    assert_int_equal(second.returned, 2);
    lido_session_close(holder);
}

static void who_only_reads_waits_for_nobody(void **state) {
    (void)state;
    waiting alike = {.sql = "SELECT count(*) AS n FROM written"};
    read_and_commit(&alike);
    lido_session *holder = hold_the_turn();
    lido_session *reader = lido_session_open(engine, &(lido_session_options){.read_only = true});
    assert_int_equal(lido_query_value(reader, alike.sql).as.integer, 1);
    expect_no_error(reader);
    assert_int_equal(lido_commit(reader), LIDO_OK);
    lido_session_close(reader);
    assert_int_equal(lido_commit(holder), LIDO_OK);
    lido_session_close(holder);
}

/* ---- Waiting too long, and for oneself ---- */

static lido_engine *open_impatient(int64_t busy_timeout_ms) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.busy_timeout_ms = busy_timeout_ms;
    return open_surely(file_url("written.db"), &options);
}

static void who_waits_too_long_hears_who_writes(void **state) {
    (void)state;
    waiting late = {.sql = "INSERT INTO written (who, what) VALUES (1, 1)"};
    lido_engine_close(engine);
    engine = open_impatient(50);
    lido_session *holder = hold_the_turn();
    assert_int_equal(pthread_create(&late.thread, NULL, write_alone, &late), 0);
    expect_failed(&late, LIDO_ERROR_BUSY);
    assert_true(late.error.retryable);
    assert_string_equal(late.error.sqlstate, "55P03");
    assert_non_null(strstr(late.error.message, "busy_timeout (50 ms)"));
    assert_non_null(strstr(late.error.hint, "writers.h:"));
    assert_int_equal(lido_commit(holder), LIDO_OK);
    lido_session_close(holder);
}

static void who_waits_for_itself_is_told_at_once(void **state) {
    (void)state;
    lido_session *holder = hold_the_turn();
    lido_session *db = open_autocommit(engine);
    assert_int_equal(lido_exec(db, "INSERT INTO written (who, what) VALUES (1, 1)"), 0);
    expect_error(db, LIDO_ERROR_BUSY);
    assert_non_null(strstr(lido_error_of(db)->message, "this thread's"));
    assert_int_equal(lido_commit(holder), LIDO_OK);
    assert_int_equal(lido_exec(db, "INSERT INTO written (who, what) VALUES (1, 1)"), 1);
    lido_session_close(db);
    lido_session_close(holder);
}

/* ---- Others on the file ---- */

static void *write_in(void *other) {
    lido_session *db = open_autocommit(other);
    int64_t failures = 0;
    for (int i = 0; i < 100; i++)
        failures += lido_exec(db, "INSERT INTO written (who, what) VALUES (1, ?)", i) != 1;
    lido_session_close(db);
    return (void *)(uintptr_t)failures;
}

static void two_engines_on_one_file(void **state) {
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    lido_engine *other = open_impatient(20000);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_in, i % 2 == 0 ? engine : other), 0);
    for (int i = 0; i < THREADS; i++) {
        void *failures = NULL;
        assert_int_equal(pthread_join(threads[i], &failures), 0);
        assert_null(failures);
    }
    lido_engine_close(other);
    assert_int_equal(ask("SELECT count(*) FROM written"), THREADS * 100);
}

static void what_cannot_be_in_a_transaction(void **state) {
    (void)state;
    waiting one;
    waiting two;
    lido_session *holder = hold_the_turn();
    wait_with(&one, "VACUUM", 0);
    wait_with(&two, "INSERT INTO written (who, what) VALUES (1, 1)", 1);
    assert_int_equal(lido_commit(holder), LIDO_OK);
    expect_done(&one);
    expect_done(&two);
    lido_session_close(holder);
    assert_int_equal(ask("PRAGMA user_version"), 0);
    assert_int_equal(ask("SELECT count(*) FROM written"), 2);
}

int main(void) {
#define ON_A_FILE(test) cmocka_unit_test_setup_teardown(test, open_file, close_file)
    const struct CMUnitTest tests[] = {
        ON_A_FILE(who_has_read_may_write_while_nobody_else_has),
        ON_A_FILE(what_was_read_is_stale_when_another_has_written),
        ON_A_FILE(what_begins_alike_waits_before_it_reads),
        ON_A_FILE(who_only_reads_waits_for_nobody),
        ON_A_FILE(who_waits_too_long_hears_who_writes),
        ON_A_FILE(who_waits_for_itself_is_told_at_once),
        ON_A_FILE(two_engines_on_one_file),
        ON_A_FILE(what_cannot_be_in_a_transaction),
    };
    return cmocka_run_group_tests_name("writers apart", tests, NULL, NULL);
}
