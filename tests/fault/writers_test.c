/* Many writers on one SQLite file: each gets its turn, several share a commit, and what befalls one is
 * nobody else's. */
#include "writers.h"

enum { WRITERS = 8, EACH = 200 };

/* ---- Totals ---- */

typedef struct one {
    pthread_t thread;
    int number;
    int failures;
    int64_t others; /* how many rows it has seen, the last time */
} one;

static void *insert_alone(void *argument) {
    one *self = argument;
    lido_session *db = open_autocommit(engine);
    for (int i = 0; i < EACH; i++)
        self->failures += lido_exec(db, "INSERT INTO written (who, what) VALUES (?, ?)", self->number, i) != 1;
    lido_session_close(db);
    return NULL;
}

static void *read_then_insert(void *argument) {
    one *self = argument;
    lido_status outcome;
    for (int i = 0; i < EACH; i++) {
        lido_transaction (db, engine, &outcome) {
            self->others = lido_query_value(db, "SELECT count(*) FROM written").as.integer;
            lido_exec(db, "INSERT INTO written (who, what) VALUES (?, ?)", self->number, self->others);
        }
        self->failures += outcome != LIDO_OK;
    }
    return NULL;
}

static void run_all(void *(*work)(void *)) {
    one writers[WRITERS] = {{.number = 0}};
    for (int i = 0; i < WRITERS; i++) {
        writers[i].number = i;
        assert_int_equal(pthread_create(&writers[i].thread, NULL, work, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(writers[i].failures, 0);
    assert_int_equal(ask("SELECT count(*) FROM written"), WRITERS * EACH);
}

static void eight_that_each_write_alone(void **state) {
    (void)state;
    run_all(insert_alone);
    assert_int_equal(ask("SELECT count(DISTINCT who * 1000 + what) FROM written"), WRITERS * EACH);
}

/* Each counts the rows before it inserts: if none reads what another is about to change, all counts differ. A first one
 * shows that who begins so goes on to write. */
static void eight_that_read_and_then_write(void **state) {
    (void)state;
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        lido_query_value(db, "SELECT count(*) FROM written");
        lido_exec(db, "INSERT INTO written (who, what) VALUES (-1, -1)");
    }
    assert_int_equal(outcome, LIDO_OK);
    run("DELETE FROM written");
    run_all(read_then_insert);
    assert_int_equal(ask("SELECT count(DISTINCT what) FROM written"), WRITERS * EACH);
}

/* ---- A group ---- */

static void those_who_wait_are_committed_together_and_in_order(void **state) {
    (void)state;
    waiting many[WRITERS];
    lido_session *holder = hold_the_turn();
    for (int i = 0; i < WRITERS; i++)
        wait_with(&many[i], "INSERT INTO written (who, what) VALUES (1, (SELECT count(*) FROM written)) RETURNING what",
                  i);
    assert_int_equal(lido_commit(holder), LIDO_OK);
    for (int i = 0; i < WRITERS; i++) {
        expect_done(&many[i]);
        assert_int_equal(many[i].returned, i + 1); /* the holder's row came first */
    }
    lido_session_close(holder);
}

/* The third of five fails, in this way; the other four stand. */
static void fail_among_others(const char *wrong, lido_category category) {
    waiting many[5];
    lido_session *holder = hold_the_turn();
    for (int i = 0; i < 5; i++)
        wait_with(&many[i], i == 2 ? wrong : "INSERT INTO written (who, what) VALUES (1, 1)", i);
    assert_int_equal(lido_commit(holder), LIDO_OK);
    for (int i = 0; i < 5; i++)
        if (i == 2)
            expect_failed(&many[i], category);
        else
            expect_done(&many[i]);
    lido_session_close(holder);
    assert_int_equal(ask("SELECT count(*) FROM written WHERE who = 1"), 4);
    assert_int_equal(ask("SELECT count(*) FROM written WHERE who = 9"), 0);
    assert_int_equal(ask("SELECT count(*) FROM children"), 0);
}

static void one_that_is_there_already(void **state) {
    (void)state;
    fail_among_others("INSERT INTO written (id, who) VALUES (100, 9), (100, 9)", LIDO_ERROR_UNIQUE);
}

static void one_that_breaks_a_check(void **state) {
    (void)state;
    fail_among_others("INSERT INTO written (who, what) VALUES (9, 1), (9, -7)", LIDO_ERROR_CHECK);
}

static void one_that_leaves_a_reference_open(void **state) {
    (void)state;
    fail_among_others("INSERT INTO children (parent) VALUES (12345)", LIDO_ERROR_FOREIGN_KEY);
}

/* ---- What makes SQLite roll back everything ---- */

/* The third of five has all of the group rolled back: the statements are run again, the block is told to. */
static void fail_with_everything(const char *wrong, bool cancel) {
    waiting many[5];
    waiting holder;
    start_holder(&holder);
    for (int i = 0; i < 5; i++)
        wait_with(&many[i], i == 2 ? wrong : "INSERT INTO written (who, what) VALUES (1, 1)", i);
    holder.may_commit = true;
    for (int i = 0; i < 20000 && count_waiting() > 2; i++)
        pause_ms(1);
    pause_ms(20);
    if (cancel)
        assert_int_equal(lido_cancel(many[2].session), LIDO_OK);
    expect_failed(&holder, LIDO_ERROR_SERIALISATION);
    assert_int_equal(holder.outcome, LIDO_ROLLED_BACK);
    assert_true(holder.error.retryable);
    for (int i = 0; i < 5; i++)
        if (i != 2)
            expect_done(&many[i]);
    assert_int_equal(pthread_join(many[2].thread, NULL), 0);
    assert_int_equal(many[2].outcome, LIDO_ERROR);
    if (cancel)
        assert_int_equal(many[2].error.category, LIDO_ERROR_CANCELLED);
    assert_int_equal(ask("SELECT count(*) FROM written WHERE who = 1"), 4);
    assert_int_equal(ask("SELECT count(*) FROM written"), 4);
}

static void one_that_is_cancelled_while_it_runs(void **state) {
    (void)state;
    fail_with_everything("INSERT INTO written (who, what) SELECT 9, " ENDLESS, true);
}

static void one_whose_trigger_rolls_everything_back(void **state) {
    (void)state;
    fail_with_everything("INSERT INTO written (who, what) VALUES (10, 1)", false);
}

static void one_that_says_or_rollback(void **state) {
    (void)state;
    run("INSERT INTO written (id, who, what) VALUES (500, 1, 1)");
    run("UPDATE written SET who = 9 WHERE id = 500");
    run("DELETE FROM written");
    fail_with_everything("INSERT OR ROLLBACK INTO written (id, who) VALUES (700, 9), (700, 9)", false);
}

/* ---- Cancelled while waiting ---- */

static void one_that_is_cancelled_while_it_waits(void **state) {
    (void)state;
    waiting many[3];
    lido_session *holder = hold_the_turn();
    for (int i = 0; i < 3; i++)
        wait_with(&many[i], "INSERT INTO written (who, what) VALUES (1, 1)", i);
    assert_int_equal(lido_cancel(many[1].session), LIDO_OK);
    expect_failed(&many[1], LIDO_ERROR_CANCELLED);
    assert_int_equal(lido_commit(holder), LIDO_OK);
    expect_done(&many[0]);
    expect_done(&many[2]);
    lido_session_close(holder);
    assert_int_equal(ask("SELECT count(*) FROM written"), 3);
}

/* ---- Blocks ---- */

#define QUICK "INSERT INTO written (who, what) VALUES (2, (SELECT count(*) FROM written)) RETURNING what"

static void be_known_as_quick(void) {
    waiting once;
    wait_in_block(&once, QUICK, -1, false);
    expect_done(&once);
    run("DELETE FROM written");
}

static void blocks_share_a_commit(void **state) {
    (void)state;
    waiting many[WRITERS];
    be_known_as_quick();
    waiting holder;
    start_holder(&holder);
    for (int i = 0; i < WRITERS; i++)
        wait_in_block(&many[i], QUICK, i, false);
    holder.may_commit = true;
    expect_done(&holder);
    for (int i = 0; i < WRITERS; i++) {
        expect_done(&many[i]);
        assert_int_equal(many[i].returned, i + 1);
    }
    assert_int_equal(ask("SELECT count(*) FROM written"), WRITERS + 1);
}

static void one_block_rolls_back_and_the_others_stand(void **state) {
    (void)state;
    waiting many[3];
    be_known_as_quick();
    waiting holder;
    start_holder(&holder);
    wait_in_block(&many[0], QUICK, 0, false);
    wait_in_block(&many[1], "INSERT INTO children (parent) VALUES (54321)", 1, false);
    wait_in_block(&many[2], QUICK, 2, false);
    holder.may_commit = true;
    expect_done(&holder);
    expect_done(&many[0]);
    expect_failed(&many[1], LIDO_ERROR_FOREIGN_KEY);
    expect_done(&many[2]);
    assert_int_equal(ask("SELECT count(*) FROM written"), 3);
    assert_int_equal(ask("SELECT count(*) FROM children"), 0);
}

/* It has the turn inside the group of those before it, and does nothing: they do not wait for it for long. */
static void one_that_dawdles_loses_its_turn(void **state) {
    (void)state;
    waiting dawdler;
    be_known_as_quick();
    waiting holder;
    start_holder(&holder);
    wait_in_block(&dawdler, QUICK, 0, true);
    holder.may_commit = true;
    expect_done(&holder);
    assert_int_equal(ask("SELECT count(*) FROM written"), 1);
    run("INSERT INTO written (who, what) VALUES (3, 3)"); /* nobody holds the turn */
    dawdler.may_commit = true;
    expect_failed(&dawdler, LIDO_ERROR_SERIALISATION);
    assert_int_equal(dawdler.outcome, LIDO_ROLLED_BACK);
    assert_true(dawdler.error.retryable);
    assert_int_equal(ask("SELECT count(*) FROM written"), 2);
}

static bool refuse_second_checkout(const lido_event *event, void *user) {
    (void)event;
    return atomic_fetch_sub((atomic_int *)user, 1) != 1;
}

static void a_listener_refuses_who_is_inside_a_group(void **state) {
    (void)state;
    waiting refused;
    atomic_int left = 0;
    be_known_as_quick();
    assert_int_equal(
        lido_engine_listen(engine, &(lido_listening){.kinds = LIDO_EVENT_CHECKOUT}, refuse_second_checkout, &left),
        LIDO_OK);
    waiting holder;
    start_holder(&holder);
    wait_in_block(&refused, QUICK, 0, false);
    left = 1;
    holder.may_commit = true;
    expect_done(&holder);
    assert_int_equal(pthread_join(refused.thread, NULL), 0);
    assert_int_equal(refused.outcome, LIDO_ROLLED_BACK);
    assert_int_equal(ask("SELECT count(*) FROM written"), 1);
}

int main(void) {
#define ON_A_FILE(test) cmocka_unit_test_setup_teardown(test, open_file, close_file)
    const struct CMUnitTest tests[] = {
        ON_A_FILE(eight_that_each_write_alone),
        ON_A_FILE(eight_that_read_and_then_write),
        ON_A_FILE(those_who_wait_are_committed_together_and_in_order),
        ON_A_FILE(one_that_is_there_already),
        ON_A_FILE(one_that_breaks_a_check),
        ON_A_FILE(one_that_leaves_a_reference_open),
        ON_A_FILE(one_that_is_cancelled_while_it_runs),
        ON_A_FILE(one_whose_trigger_rolls_everything_back),
        ON_A_FILE(one_that_says_or_rollback),
        ON_A_FILE(one_that_is_cancelled_while_it_waits),
        ON_A_FILE(blocks_share_a_commit),
        ON_A_FILE(one_block_rolls_back_and_the_others_stand),
        ON_A_FILE(one_that_dawdles_loses_its_turn),
        ON_A_FILE(a_listener_refuses_who_is_inside_a_group),
    };
    return cmocka_run_group_tests_name("writers", tests, NULL, NULL);
}
