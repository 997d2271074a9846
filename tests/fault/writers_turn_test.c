/* Who has the turn in the middle of a group of writers, and what it does there: nobody of its group waits for it for
 * ever, and nothing happens in the wrong thread. */
#include "writers.h"

#include "core/engine.h"

#define QUICK "INSERT INTO written (who, what) VALUES (2, (SELECT count(*) FROM written)) RETURNING what"
#define COUNT_TO_SIXTY "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) SELECT i FROM n"

static void be_known_as_quick(void) {
    waiting once;
    wait_in_block(&once, QUICK, -1, false);
    expect_done(&once);
    run("DELETE FROM written");
}

/* ---- Streams ---- */

/* A stream is read for as long as the program likes. Those who share its transaction's commit do not wait for that. */
static void *stream_in_block(void *argument) {
    waiting *self = argument;
    lido_session *db = lido_session_open(engine, NULL);
    lido_query_value(db, QUICK);
    lido_rows *rows = lido_stream(db, COUNT_TO_SIXTY);
    self->session = db;
    for (int i = 0; i < 20000 && !self->may_commit; i++)
        pause_ms(1);
    while (lido_next(rows))
        self->returned++;
    self->outcome = lido_commit(db);
    self->error = *lido_error_of(db);
    lido_session_close(db);
    return NULL;
}

static void *begin_with_stream(void *argument) {
    waiting *self = argument;
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows = lido_stream(db, QUICK);
    self->session = db;
    for (int i = 0; i < 20000 && !self->may_commit; i++)
        pause_ms(1);
    while (lido_next(rows))
        self->returned++;
    self->outcome = lido_commit(db);
    self->error = *lido_error_of(db);
    lido_session_close(db);
    return NULL;
}

static void expect_holder_first(void *(*streams)(void *)) {
    waiting holder;
    waiting reader = {.may_commit = false};
    be_known_as_quick();
    start_holder(&holder);
    assert_int_equal(pthread_create(&reader.thread, NULL, streams, &reader), 0);
    expect_waiting(1);
    holder.may_commit = true;
    expect_done(&holder); /* while the other has its stream open */
    while (atomic_load(&reader.session) == NULL)
        pause_ms(1);
    reader.may_commit = true;
    assert_int_equal(pthread_join(reader.thread, NULL), 0);
    assert_int_equal(ask("SELECT count(*) FROM written WHERE who = 0"), 1);
    assert_int_equal(ask("SELECT count(*) FROM written WHERE who = 2"), reader.outcome == LIDO_OK);
}

static void one_that_streams_within_its_turn(void **state) {
    (void)state;
    expect_holder_first(stream_in_block);
}

static void one_that_begins_with_a_stream(void **state) {
    (void)state;
    expect_holder_first(begin_with_stream);
}

/* ---- Cancelling ---- */

static lido__connection *writer_connection(void) {
    unsigned place = 0;
    return lido__places_next(&engine->writer.pool.places, &place);
}

/* It has had its statement run, and the turn. */
static bool dawdles(waiting *dawdler, lido__connection *connection, lido__holding *holding) {
    const lido_session *session = atomic_load(&dawdler->session);
    return session != NULL && lido__hold_read(connection, holding) && holding->lease.holder == session &&
           atomic_load(&engine->writer.turn) % 2 == 0;
}

/* Who cancels what the dawdler runs is slow, and through with it only when the turn has been taken back: it is still
 * counted, so that the connection stays in order. */
static void a_cancel_that_takes_longer_than_the_turn(void **state) {
    (void)state;
    waiting dawdler;
    waiting holder;
    lido__holding holding;
    be_known_as_quick();
    start_holder(&holder);
    wait_in_block(&dawdler, QUICK, 0, true);
    holder.may_commit = true;
    expect_waiting(0);
    /* As lido_cancel does, in the last moment of the dawdler's statement. */
    lido__connection *connection = writer_connection();
    while (!dawdles(&dawdler, connection, &holding))
        pause_ms(1);
    lido__hold_go_on(connection);
    assert_true(lido__hold_cancel(connection, &holding));
    lido__hold_pause(connection);
    pause_ms(300);
    assert_int_equal(lido__hold_cancelled(connection), 0);
    assert_int_equal(lido__hold_cancels(connection), 0);
    expect_done(&holder);
    dawdler.may_commit = true;
    expect_failed(&dawdler, LIDO_ERROR_SERIALISATION);
    run("INSERT INTO written (who, what) VALUES (3, 3)");
    assert_int_equal(ask("SELECT count(*) FROM written"), 2);
}

/* ---- The program's functions ---- */

static _Thread_local int64_t number_of_thread;

static lido_value tell_thread(lido_call *call, size_t count, const lido_value *arguments, void *user) {
    (void)call;
    (void)count;
    (void)arguments;
    (void)user;
    return lido_value_int64(number_of_thread);
}

typedef struct caller {
    pthread_t thread;
    int number;
    int failures;
} caller;

static void *insert_with_function(void *argument) {
    caller *self = argument;
    number_of_thread = self->number;
    lido_session *db = open_autocommit(engine);
    for (int i = 0; i < 200; i++)
        self->failures += lido_exec(db, "INSERT INTO written (who, what) VALUES (?, my_thread())", self->number) != 1;
    lido_session_close(db);
    return NULL;
}

static void a_function_runs_in_the_thread_whose_statement_calls_it(void **state) {
    (void)state;
    enum { CALLERS = 8 };
    caller callers[CALLERS] = {{.number = 0}};
    lido_error error;
    assert_int_equal(lido_function_add(engine, &(lido_function){.name = "my_thread", .scalar = tell_thread}, &error),
                     LIDO_OK);
    for (int i = 0; i < CALLERS; i++) {
        callers[i].number = i + 1;
        assert_int_equal(pthread_create(&callers[i].thread, NULL, insert_with_function, &callers[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_join(callers[i].thread, NULL), 0);
        assert_int_equal(callers[i].failures, 0);
    }
    assert_int_equal(ask("SELECT count(*) FROM written"), CALLERS * 200);
    assert_int_equal(ask("SELECT count(*) FROM written WHERE who <> what"), 0);
}

int main(void) {
#define ON_A_FILE(test) cmocka_unit_test_setup_teardown(test, open_file, close_file)
    const struct CMUnitTest tests[] = {
        ON_A_FILE(one_that_streams_within_its_turn),
        ON_A_FILE(one_that_begins_with_a_stream),
        ON_A_FILE(a_cancel_that_takes_longer_than_the_turn),
        ON_A_FILE(a_function_runs_in_the_thread_whose_statement_calls_it),
    };
    return cmocka_run_group_tests_name("writers in their turn", tests, NULL, NULL);
}
