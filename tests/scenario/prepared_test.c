/* Statements that a connection keeps prepared: how many there are, and what becomes of them when the world changes. */
#include "support/items.h"

/* ---- How many are kept ---- */

/* How many the server has, but for those that begin and end transactions: these do not count. */
static int kept_at_server(lido_session *db) {
    return (int)lido_query_value(db, "SELECT count(*) FROM pg_prepared_statements"
                                     " WHERE statement !~ '^(BEGIN|COMMIT|ROLLBACK)'")
        .as.integer;
}

/* Runs 20 different statements three times over. */
static void run_many(lido_engine *engine) {
    lido_session *db = open_with_items(engine, NULL);
    int64_t sum = 0;
    for (int i = 0; i < 60; i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "SELECT id + %d FROM items WHERE id = ?", i % 20);
        sum += lido_query_value(db, sql, i % 3 + 1).as.integer;
    }
    saw("%d", (int)sum);
    for (int i = 0; i < 60; i++) { /* queued together, so that a statement leaves while others travel */
        char sql[80];
        snprintf(sql, sizeof sql, "UPDATE items SET id = id + %d WHERE id = ?", 100 + i % 20);
        lido_send(db, sql, i % 3 + 1000);
    }
    if (scenario_is_postgres())
        assert_true(kept_at_server(db) <= 3);
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

static void story_of_a_small_statement_cache(lido_engine *engine) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.statement_cache = 3;
    (void)engine;
    lido_engine *small = scenario_engine(&options);
    run_many(small);
    lido_engine_close(small);
}

/* What fails in one round trip with statements that are prepared there leaves nothing behind. */
static void story_of_failures_beside_new_statements(lido_engine *engine) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.statement_cache = 3;
    options.pool_size = 1;
    (void)engine;
    lido_engine *small = scenario_engine(&options);
    lido_session *db = open_with_items(small, NULL);
    lido_commit(db);
    for (int i = 0; i < 50; i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "UPDATE items SET name = 'x' WHERE id = %d", i);
        lido_send(db, i % 2 == 0 ? "INSERT INTO items VALUES (1, 'twice')" : "SELECT no_such_column FROM items");
        lido_send(db, sql);
        assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
        snprintf(sql, sizeof sql, "UPDATE items SET name = name WHERE id = %d", i);
        lido_exec(db, sql);
        assert_int_equal(lido_commit(db), LIDO_OK);
    }
    if (scenario_is_postgres())
        assert_true(kept_at_server(db) <= 3);
    saw("%s", lido_query_value(db, "SELECT name FROM items WHERE id = 1").as.text);
    lido_session_close(db);
    lido_engine_close(small);
}

static void story_of_no_prepared_statements(lido_engine *engine) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.prepare = 0;
    (void)engine;
    lido_engine *unprepared = scenario_engine(&options);
    run_many(unprepared);
    if (scenario_is_postgres()) {
        lido_session *db = open_autocommit(unprepared);
        assert_int_equal(lido_query_value(db, "SELECT count(*) FROM pg_prepared_statements").as.integer, 0);
        lido_session_close(db);
    }
    lido_engine_close(unprepared);
}

/* Texts made up at run time, each used once: they work, and what is kept of them has a limit. */
static void story_of_ever_new_statements(lido_engine *engine) {
    lido_session *db = open_autocommit(engine);
    size_t at_half = 0;
    int64_t sum = 0;
    for (int i = 0; i < 10000; i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "SELECT %d + 0 * length('some text, so that the statement is not short')", i);
        lido_rows *rows = lido_query(db, sql);
        if (lido_next(rows))
            sum += lido_get_int64(rows, 0);
        lido_rows_close(rows);
        if (i == 5000)
            at_half = scenario_allocated();
    }
    saw("%d", (int)sum);
    assert_true(scenario_allocated() < at_half + 256 * 1024);
    if (scenario_is_postgres())
        assert_true(kept_at_server(db) <= 256);
    lido_session_close(db);
}

/* ---- When the world changes under them ---- */

static int count_columns(lido_session *db) {
    lido_rows *rows = lido_query(db, "SELECT * FROM items");
    int columns = (int)lido_column_count(rows);
    lido_rows_close(rows);
    return columns;
}

/* Makes sure that the statement is prepared, on the one connection that the pool has. */
static void prepare_statement(lido_engine *engine) {
    lido_session *db = open_autocommit(engine);
    for (int i = 0; i < 3; i++)
        count_columns(db);
    lido_session_close(db);
}

static void add_column(lido_engine *engine, const char *name) {
    char sql[80];
    lido_session *db = open_autocommit(engine);
    snprintf(sql, sizeof sql, "ALTER TABLE items ADD COLUMN %s text", name);
    lido_exec(db, sql);
    if (lido_failed(db))
        lido_error_print(lido_error_of(db), stderr);
    lido_session_close(db);
}

/* On PostgreSQL a prepared statement may not return other columns than before: lido prepares it anew. */
static void story_of_a_new_column(lido_engine *engine) {
    lido_session *db = open_with_items(engine, NULL);
    lido_commit(db);
    prepare_statement(engine);
    add_column(engine, "price");
    saw("first in a transaction: %d", count_columns(db));
    saw("%s", lido_status_name(lido_commit(db)));
    add_column(engine, "size");
    lido_session *autocommit = open_autocommit(engine);
    saw("in autocommit mode: %d", count_columns(autocommit));
    add_column(engine, "colour");
    lido_rows *stream = lido_stream(autocommit, "SELECT * FROM items");
    saw("as a stream: %d", (int)lido_column_count(stream));
    lido_session_close(autocommit);
    lido_session_close(db);
}

/* What was done before in the transaction cannot be done again by lido, but by the one who wrote it. */
static void story_of_a_new_column_in_the_middle(lido_engine *engine) {
    lido_session *db = open_with_items(engine, NULL);
    lido_commit(db);
    prepare_statement(engine);
    lido_query_value(db, "SELECT 1");
    add_column(engine, "price");
    int columns = count_columns(db);
    if (scenario_is_postgres()) {
        assert_int_equal(columns, 0);
        assert_true(lido_error_of(db)->retryable);
        assert_string_equal(lido_error_of(db)->sqlstate, "0A000");
        assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    } else {
        assert_int_equal(columns, 3);
    }
    saw("again: %d", columns == 3 ? columns : count_columns(db));
    lido_session_close(db);
}

typedef struct renovation {
    lido_engine *engine;
    int attempts;
    int columns;
} renovation;

static bool look_while_it_changes(lido_session *db, void *argument) {
    renovation *going_on = argument;
    lido_query_value(db, "SELECT 1");
    if (++going_on->attempts == 1)
        add_column(going_on->engine, "price");
    going_on->columns = count_columns(db);
    return true;
}

static void story_of_a_new_column_and_a_retry(lido_engine *engine) {
    renovation going_on = {.engine = engine};
    lido_session *db = open_with_items(engine, NULL);
    lido_commit(db);
    lido_session_close(db);
    prepare_statement(engine);
    saw("%s", lido_status_name(lido_transact(engine, NULL, look_while_it_changes, &going_on)));
    saw("%d columns", going_on.columns);
    assert_int_equal(going_on.attempts, scenario_is_postgres() ? 2 : 1);
}

/* The server forgets what was prepared: because it was told so through lido, or by something that lido does not see. */
static void story_of_forgotten_statements(lido_engine *engine) {
    static const char *const ways[] = {"DISCARD ALL", "DEALLOCATE ALL", "DISCARD PLANS", "deallocate /* all */ all",
                                       "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$"};
    if (!scenario_is_postgres())
        return;
    lido_session *db = open_with_items(engine, NULL);
    lido_commit(db);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        prepare_statement(engine);
        lido_session *autocommit = open_autocommit(engine);
        for (int times = 0; times < 2; times++) {
            lido_exec(autocommit, ways[i]);
            if (lido_failed(autocommit) || count_columns(autocommit) != 2)
                fail_msg("%s: %s", ways[i], lido_error_of(autocommit)->message);
        }
        lido_session_close(autocommit);
        assert_int_equal(count_columns(db), 2);
        if (i > 0) { /* DISCARD ALL cannot be run in a transaction */
            prepare_statement(engine);
            lido_exec(db, ways[i]);
            bool seen = i + 1 < sizeof ways / sizeof ways[0];
            assert_int_equal(count_columns(db), seen ? 2 : 0);
            assert_int_equal(lido_error_of(db)->retryable, !seen);
        }
        lido_rollback(db);
        assert_int_equal(count_columns(db), 2);
        assert_int_equal(lido_commit(db), LIDO_OK);
    }
    lido_session_close(db);
}

/* Runs statements that fill a cache of three, and has the server forget them without lido knowing. */
static void fill_and_forget(lido_session *db) {
    lido_exec(db, "SELECT 1");
    lido_exec(db, "SELECT 2");
    lido_exec(db, "SELECT 3");
    lido_exec(db, "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$");
}

/* A statement that makes room for itself takes leave of one that the server does not know any more. */
static void story_of_a_full_cache_that_was_forgotten(lido_engine *engine) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.statement_cache = 3;
    if (!scenario_is_postgres())
        return;
    (void)engine;
    lido_engine *small = scenario_engine(&options);
    lido_session *db = open_with_items(small, NULL);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session *autocommit = open_autocommit(small);
    fill_and_forget(autocommit);
    assert_int_equal(lido_exec(autocommit, "INSERT INTO items VALUES (4, 'desk')"), 1);
    assert_int_equal(count_items(autocommit), 4);
    fill_and_forget(autocommit);
    assert_int_equal(lido_exec(db, "INSERT INTO items VALUES (5, 'bed')"), 1);
    assert_int_equal(lido_commit(db), LIDO_OK);
    assert_int_equal(count_items(autocommit), 5);
    fill_and_forget(db);
    lido_exec(db, "INSERT INTO items VALUES (6, 'rug')");
    assert_true(lido_error_of(db)->retryable);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    lido_exec(db, "INSERT INTO items VALUES (6, 'rug')");
    assert_int_equal(lido_commit(db), LIDO_OK);
    assert_int_equal(count_items(autocommit), 6);
    fill_and_forget(autocommit);
    lido_rows *stream = lido_stream(autocommit, "SELECT id FROM items WHERE id > 2");
    for (int i = 0; i < 4; i++)
        assert_true(lido_next(stream));
    lido_session_close(autocommit);
    lido_session_close(db);
    lido_engine_close(small);
}

/* What is prepared anew does not stay prepared as it was, too. */
static void story_of_many_new_columns(lido_engine *engine) {
    lido_session *db = open_with_items(engine, NULL);
    lido_commit(db);
    for (int i = 0; i < 20; i++) {
        char name[20];
        prepare_statement(engine);
        snprintf(name, sizeof name, "more_%d", i);
        add_column(engine, name);
    }
    saw("%d", count_columns(db));
    lido_commit(db);
    if (scenario_is_postgres()) {
        static const char sql[] = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT * FROM items'";
        lido_exec(db, "SELECT 'one more'");
        assert_true(lido_query_value(db, sql).as.integer <= 2);
    }
    lido_session_close(db);
}

/* ---- When the world changes under BEGIN and COMMIT ---- */

static const char hidden_deallocate[] = "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$";

/* What begins and ends transactions is prepared as well, and is missed no more than the rest. */
static void story_of_a_forgotten_commit(lido_engine *engine) {
    if (!scenario_is_postgres())
        return;
    lido_session *db = open_with_items(engine, NULL);
    assert_int_equal(lido_commit(db), LIDO_OK);

    lido_exec(db, "UPDATE items SET name = 'dropped in sight' WHERE id = 1");
    lido_send(db, "DEALLOCATE ALL"); /* travels with COMMIT */
    assert_int_equal(lido_commit(db), LIDO_OK);
    assert_string_equal(lido_query_value(db, "SELECT name FROM items WHERE id = 1").as.text, "dropped in sight");
    assert_int_equal(lido_commit(db), LIDO_OK);

    lido_send(db, "DEALLOCATE ALL"); /* travels with BEGIN, too */
    assert_int_equal(lido_commit(db), LIDO_OK);

    lido_exec(db, "UPDATE items SET name = 'to have COMMIT prepared' WHERE id = 1");
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_exec(db, "UPDATE items SET name = 'dropped out of sight' WHERE id = 1");
    lido_exec(db, hidden_deallocate);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    assert_string_equal(lido_error_of(db)->sqlstate, "26000");
    assert_true(lido_error_of(db)->retryable);

    lido_exec(db, hidden_deallocate);
    lido_rollback(db); /* cannot be run, and costs the connection */
    lido_exec(db, "UPDATE items SET name = 'and again' WHERE id = 1");
    assert_int_equal(lido_commit(db), LIDO_OK);
    assert_string_equal(lido_query_value(db, "SELECT name FROM items WHERE id = 1").as.text, "and again");
    lido_session_close(db);
}

/* ---- When a column's type changes ---- */

static const char insert_price[] = "INSERT INTO prices VALUES (?, ?)";

/* An empty table whose INSERT is prepared for whole prices, on the one connection that waits to be used. */
static void prepare_for_whole_prices(lido_engine *engine) {
    lido_session *db = open_autocommit(engine);
    lido_exec(db, "DEALLOCATE ALL");
    lido_exec(db, "DROP TABLE IF EXISTS prices");
    lido_exec(db, "CREATE TABLE prices (id integer PRIMARY KEY, price integer)");
    for (int i = 0; i < 3; i++)
        assert_int_equal(lido_exec(db, insert_price, i, 10), 1);
    lido_exec(db, "DELETE FROM prices");
    assert_false(lido_failed(db));
    lido_session_close(db);
}

static void allow_broken_prices(lido_engine *engine) {
    lido_session *db = open_autocommit(engine);
    lido_exec(db, "ALTER TABLE prices ALTER price TYPE numeric");
    assert_false(lido_failed(db));
    lido_session_close(db);
}

static int count_prices(lido_session *db) {
    return (int)lido_query_value(db, "SELECT count(*) FROM prices WHERE price = 1.5").as.integer;
}

/* A prepared statement keeps its parameters' types; lido prepares it anew. */
static void story_of_another_type(lido_engine *engine) {
    if (!scenario_is_postgres())
        return;
    lido_session *autocommit = open_autocommit(engine);
    prepare_for_whole_prices(engine);
    allow_broken_prices(engine);
    assert_int_equal(lido_exec(autocommit, insert_price, 1, 1.5), 1);
    assert_int_equal(count_prices(autocommit), 1);

    prepare_for_whole_prices(engine);
    allow_broken_prices(engine);
    lido_session *db = lido_session_open(engine, NULL);
    assert_int_equal(lido_exec(db, insert_price, 1, 1.5), 1); /* the first in its transaction */
    assert_int_equal(count_prices(db), 1);
    assert_int_equal(lido_commit(db), LIDO_OK);

    prepare_for_whole_prices(engine);
    lido_query_value(db, "SELECT 1");
    allow_broken_prices(engine);
    lido_exec(db, insert_price, 1, 1.5); /* in the middle of it */
    assert_true(lido_error_of(db)->retryable);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    lido_query_value(db, "SELECT 1");
    assert_int_equal(lido_exec(db, insert_price, 1, 1.5), 1);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    lido_session_close(autocommit);
}

/* Each is a transaction of its own: what was done is not done twice, and what fails for a reason is told. */
static void story_of_another_type_for_many(lido_engine *engine) {
    if (!scenario_is_postgres())
        return;
    lido_session *db = open_autocommit(engine);
    prepare_for_whole_prices(engine);
    allow_broken_prices(engine);
    lido_exec(db, "CREATE TABLE visits (at integer)");
    for (int i = 0; i < 4; i++) {
        lido_send(db, insert_price, i, 1.5);
        lido_send(db, "INSERT INTO visits VALUES (?)", i);
    }
    lido_send(db, insert_price, 3, 1.5); /* the key is taken */
    assert_int_equal(lido_commit(db), LIDO_ERROR);
    assert_int_equal(lido_error_of(db)->category, LIDO_ERROR_UNIQUE);
    assert_int_equal(count_prices(db), 4);
    assert_int_equal(lido_query_value(db, "SELECT count(*) FROM visits").as.integer, 4);

    prepare_for_whole_prices(engine);
    lido_rows_close(lido_stream(db, "INSERT INTO prices VALUES (?, ?) RETURNING id", 1, 2));
    allow_broken_prices(engine);
    lido_send(db, "INSERT INTO visits VALUES (?)", 4);
    lido_rows *stream = lido_stream(db, "INSERT INTO prices VALUES (?, ?) RETURNING id", 2, 1.5);
    assert_true(lido_next(stream));
    lido_rows_close(stream);
    assert_int_equal(count_prices(db), 1);
    assert_int_equal(lido_query_value(db, "SELECT count(*) FROM visits").as.integer, 5);
    lido_session_close(db);
}

typedef struct bad_price {
    int attempts;
    const char *price;
} bad_price;

static bool insert_bad_price(lido_session *db, void *argument) {
    bad_price *bad = argument;
    bad->attempts++;
    lido_exec(db, insert_price, 1, 10);
    lido_exec(db, insert_price, 2, bad->price);
    return true;
}

/* A value that is wrong for today's type, too, costs one more try and is then told as what it is. */
static void story_of_a_wrong_value(lido_engine *engine) {
    lido_error told;
    bad_price bad = {.price = "ten"};
    if (!scenario_is_postgres())
        return;
    prepare_for_whole_prices(engine);
    for (int i = 1; i <= 3; i++) {
        lido_transact_options options = {.error = &told};
        bad.attempts = 0;
        assert_int_equal(lido_transact(engine, &options, insert_bad_price, &bad), LIDO_ROLLED_BACK);
        assert_int_equal(bad.attempts, 2);
        assert_false(told.retryable);
        assert_string_equal(told.sqlstate, "22P02");
    }
    lido_session *db = open_autocommit(engine);
    lido_exec(db, insert_price, 1, "ten");
    assert_string_equal(lido_error_of(db)->sqlstate, "22P02");
    assert_false(lido_error_of(db)->retryable);
    assert_int_equal(lido_exec(db, insert_price, 1, 10), 1);
    lido_session_close(db);
}

int main(void) {
    const scenario scenarios[] = {
        {"a small statement cache", story_of_a_small_statement_cache,
         "690\n"
         "ok\n"},
        {"failures beside new statements", story_of_failures_beside_new_statements, "lamp\n"},
        {"no prepared statements", story_of_no_prepared_statements,
         "690\n"
         "ok\n"},
        {"ever new statements", story_of_ever_new_statements, "49995000\n"},
        {"a new column", story_of_a_new_column,
         "first in a transaction: 3\n"
         "ok\n"
         "in autocommit mode: 4\n"
         "as a stream: 5\n"},
        {"a new column in the middle of a transaction", story_of_a_new_column_in_the_middle, "again: 3\n"},
        {"a new column and a retry", story_of_a_new_column_and_a_retry,
         "ok\n"
         "3 columns\n"},
        {"forgotten statements", story_of_forgotten_statements, ""},
        {"a full cache that was forgotten", story_of_a_full_cache_that_was_forgotten, ""},
        {"many new columns", story_of_many_new_columns, "22\n"},
        {"a forgotten commit", story_of_a_forgotten_commit, ""},
        {"another type for a column", story_of_another_type, ""},
        {"another type for a column, and many statements", story_of_another_type_for_many, ""},
        {"a value that is wrong", story_of_a_wrong_value, ""},
    };
    return scenarios_run("prepared", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
