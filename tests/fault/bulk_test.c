/* Many rows, and something breaks in their midst: the program cancels, the deadline passes, the connection goes.
 * Nothing of them stays, the error says what it was, and the engine serves the next. */
#include "databases.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 200000, MISHAP_AT = 50000 };

static const char *const columns[] = {"id", "words"};

/* What happens when the source is asked for the row MISHAP_AT. */
typedef struct mishap {
    int next;
    int rows;
    int pause_us; /* before each row, from there on */
    void (*happens)(struct mishap *mishap);
    lido_session *session;
    lido_engine *engine;
    int64_t server; /* the server process's id */
} mishap;

static lido_supply give_row(void *argument, lido_value *row, const char **why) {
    mishap *my = argument;
    (void)why;
    if (my->next == my->rows)
        return LIDO_ROWS_END;
    if (my->next == MISHAP_AT && my->happens != NULL)
        my->happens(my);
    if (my->next >= MISHAP_AT && my->pause_us > 0)
        usleep((useconds_t)my->pause_us);
    row[0] = lido_value_int64(my->next++);
    row[1] = lido_value_text("a few words that take some room");
    return LIDO_ROWS_MORE;
}

static void make_table(lido_engine *engine) {
    run_surely(engine, "DROP TABLE IF EXISTS crowd; CREATE TABLE crowd (id bigint, words text)");
}

static bool is_postgres(lido_engine *engine) {
    lido_server server;
    lido_error error = LIDO_ERROR_INIT;
    assert_int_equal(lido_engine_inspect(engine, &server, &error), LIDO_OK);
    return strcmp(server.backend, "postgresql") == 0;
}

/* The mishap befalls rows in a transaction, in autocommit mode, and in a savepoint; each time nothing of them stays. */
static void befalls(lido_engine *engine, mishap of, const lido_session_options *options, lido_category expected,
                    bool survives) {
    lido_session *db = lido_session_open(engine, options);
    of.session = db;
    of.engine = engine;
    if (of.rows == 0)
        of.rows = MANY;
    if (!options->autocommit)
        lido_exec(db, "INSERT INTO crowd VALUES (-1, 'before')");
    if (is_postgres(engine) && !options->autocommit)
        of.server = lido_query_value(db, "SELECT pg_backend_pid()").as.integer;
    int savepoint = options->autocommit ? 0 : lido_savepoint_begin(db);
    assert_int_equal(lido_insert_from(db, "crowd", 2, columns, give_row, &of), 0);
    expect_error(db, expected);
    assert_int_equal(lido_error_of(db)->row, 0);
    if (savepoint > 0)
        lido_savepoint_rollback(db, savepoint);
    assert_int_equal(lido_failed(db), options->autocommit || !survives);
    lido_status status = lido_commit(db);
    if (!options->autocommit)
        assert_int_equal(status, survives ? LIDO_OK : LIDO_ROLLED_BACK);
    lido_session_close(db);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM crowd"), !options->autocommit && survives ? 1 : 0);
    run_surely(engine, "DELETE FROM crowd");
}

static void befalls_both(lido_engine *engine, mishap of, int64_t timeout_ms, lido_category expected, bool survives) {
    lido_session_options options = {.statement_timeout_ms = timeout_ms};
    befalls(engine, of, &options, expected, survives);
    options.autocommit = true;
    befalls(engine, of, &options, expected, survives);
}

/* ---- Mishaps ---- */

static void cancel(mishap *my) {
    assert_int_equal(lido_cancel(my->session), LIDO_OK);
}

static void terminate(mishap *my) {
    lido_session *db = open_autocommit(my->engine);
    if (my->server != 0)
        lido_query_value(db, "SELECT pg_terminate_backend(?)", my->server);
    else
        lido_query_value(db, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'COPY%'");
    expect_no_error(db);
    lido_session_close(db);
}

static void a_cancel(lido_engine *engine) {
    make_table(engine);
    befalls_both(engine, (mishap){.happens = cancel}, 0, LIDO_ERROR_CANCELLED, true);
}

/* Long before a chunk is full, and with nobody else to notice. */
static void a_slow_source(lido_engine *engine) {
    make_table(engine);
    befalls_both(engine, (mishap){.pause_us = 1000}, 1000, LIDO_ERROR_TIMEOUT, true);
}

/* Values that are all there take too long by themselves. */
static void too_many_values(lido_engine *engine) {
    enum { ROWS = 3000000 };
    lido_value *values = calloc(2 * ROWS, sizeof *values);
    assert_non_null(values);
    for (int i = 0; i < ROWS; i++) {
        values[2 * i] = lido_value_int64(i);
        values[2 * i + 1] = lido_value_text("words");
    }
    make_table(engine);
    lido_session_options options = {.autocommit = true, .statement_timeout_ms = 100};
    lido_session *db = lido_session_open(engine, &options);
    assert_int_equal(lido_insert_rows(db, "crowd", 2, columns, ROWS, values), 0);
    expect_error(db, LIDO_ERROR_TIMEOUT);
    lido_session_close(db);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM crowd"), 0);
    free(values);
}

static void *cancel_soon(void *session) {
    usleep(50 * 1000);
    lido_cancel(session);
    return NULL;
}

/* From another thread, at any moment. */
static void a_cancel_by_another_thread(lido_engine *engine) {
    make_table(engine);
    lido_session *db = open_autocommit(engine);
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, cancel_soon, db), 0);
        int64_t count = lido_insert_from(db, "crowd", 2, columns, give_row, &(mishap){.rows = 3000000});
        assert_int_equal(pthread_join(thread, NULL), 0);
        if (count == 0)
            expect_error(db, LIDO_ERROR_CANCELLED);
        lido_exec(db, "DELETE FROM crowd WHERE id < 0"); /* a late cancel may hit this one */
        lido_exec(db, "DELETE FROM crowd");
    }
    lido_session_close(db);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM crowd"), 0);
}

/* ---- On each database ---- */

static void on_a_file(void (*story)(lido_engine *engine)) {
    lido_engine *engine = open_surely(file_url("crowd.db?synchronous=off"), NULL);
    story(engine);
    lido_engine_close(engine);
}

static void on_the_server(void (*story)(lido_engine *engine)) {
    lido_engine *engine = open_surely(postgres_url(), NULL);
    story(engine);
    run_surely(engine, "DROP TABLE IF EXISTS crowd");
    lido_engine_close(engine);
}

static void a_cancel_on_sqlite(void **state) {
    (void)state;
    on_a_file(a_cancel);
    on_a_file(a_cancel_by_another_thread);
}

static void a_cancel_on_postgresql(void **state) {
    (void)state;
    on_the_server(a_cancel);
    on_the_server(a_cancel_by_another_thread);
}

static void a_deadline_on_sqlite(void **state) {
    (void)state;
    on_a_file(a_slow_source);
    on_a_file(too_many_values);
}

static void a_deadline_on_postgresql(void **state) {
    (void)state;
    on_the_server(a_slow_source);
    on_the_server(too_many_values);
}

/* The server waits in a trigger and reads no more: the deadline cancels it there. */
static void *insert_until_cancelled(void *engine) {
    lido_session *db = open_autocommit(engine);
    assert_int_equal(lido_insert_from(db, "crowd", 2, columns, give_row, &(mishap){.rows = MANY}), 0);
    expect_error(db, LIDO_ERROR_CANCELLED);
    lido_session_close(db);
    return NULL;
}

static void *cancel_after_a_second(void *task) {
    assert_int_equal(lido_sleep(1000), LIDO_OK);
    lido_task_cancel(task);
    return NULL;
}

/* Nobody takes what is sent then; the loop goes on, or nobody could cancel. */
static void befalls_a_task(lido_engine *engine) {
    lido_loop *loop = lido_loop_new(NULL, NULL);
    lido_task *inserting = lido_spawn(loop, insert_until_cancelled, engine);
    assert_non_null(inserting);
    lido_task_detach(lido_spawn(loop, cancel_after_a_second, inserting));
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    assert_int_equal(lido_task_join(inserting, NULL), LIDO_OK);
    lido_loop_close(loop);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM crowd"), 0);
}

static void story_of_a_server_that_waits(lido_engine *engine) {
    make_table(engine);
    run_surely(engine, "CREATE OR REPLACE FUNCTION crowd_waits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                       " IF new.id = 60000 THEN PERFORM pg_sleep(60); END IF; RETURN new; END $$");
    run_surely(engine, "CREATE TRIGGER waits BEFORE INSERT ON crowd FOR EACH ROW EXECUTE FUNCTION crowd_waits()");
    befalls_both(engine, (mishap){.rows = 0}, 2000, LIDO_ERROR_TIMEOUT, true);
    befalls_a_task(engine);
    run_surely(engine, "DROP TRIGGER waits ON crowd");
    run_surely(engine, "DROP FUNCTION crowd_waits");
}

static void a_server_that_waits(void **state) {
    (void)state;
    on_the_server(story_of_a_server_that_waits);
}

static void story_of_a_connection_that_goes(lido_engine *engine) {
    make_table(engine);
    befalls_both(engine, (mishap){.happens = terminate}, 0, LIDO_ERROR_DISCONNECTED, false);
}

static void a_connection_that_goes(void **state) {
    (void)state;
    on_the_server(story_of_a_connection_that_goes);
}

/* Somebody else holds the table: the wait is for the lock, before the first row, and has the same deadline. */
static void story_of_a_locked_table(lido_engine *engine) {
    make_table(engine);
    lido_session *holder = lido_session_open(engine, NULL);
    lido_exec(holder, "LOCK TABLE crowd");
    lido_session *db =
        lido_session_open(engine, &(lido_session_options){.autocommit = true, .statement_timeout_ms = 300});
    mishap never = {.rows = MANY};
    assert_int_equal(lido_insert_from(db, "crowd", 2, columns, give_row, &never), 0);
    expect_error(db, LIDO_ERROR_TIMEOUT);
    assert_true(never.next < 1000); /* no more than it looks ahead */
    lido_rollback(holder);
    never.next = 0;
    never.rows = 1000;
    assert_int_equal(lido_insert_from(db, "crowd", 2, columns, give_row, &never), 1000);
    lido_session_close(db);
    lido_session_close(holder);
}

static void a_locked_table(void **state) {
    (void)state;
    on_the_server(story_of_a_locked_table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cancel_on_sqlite, make_folder, remove_folder),
        cmocka_unit_test(a_cancel_on_postgresql),
        cmocka_unit_test_setup_teardown(a_deadline_on_sqlite, make_folder, remove_folder),
        cmocka_unit_test(a_deadline_on_postgresql),
        cmocka_unit_test(a_server_that_waits),
        cmocka_unit_test(a_connection_that_goes),
        cmocka_unit_test(a_locked_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
