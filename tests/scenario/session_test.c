/* Sessions and the connections they lease: opening, closing, autocommit, read-only, isolation. */
#include "support/items.h"

static void story_of_a_first_table(lido_engine *engine) {
    lido_status outcome;
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "CREATE TABLE items (id integer PRIMARY KEY, name text)");
        saw("inserted %d", (int)lido_exec(db, "INSERT INTO items VALUES (?, ?), (?, ?)", 1, "lamp", 2, "chair"));
        lido_rows *rows = lido_query(db, "SELECT id, name FROM items ORDER BY id");
        int id;
        const char *name;
        while (lido_next(rows) && lido_scan(rows, &id, &name))
            saw("%d %s", id, name);
    }
    saw("%s", lido_status_name(outcome));
}

/* ---- The lease ---- */

static void story_of_two_sessions_and_one_connection(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = engine_with_one_connection();
    make_items(engine);
    lido_session *first = lido_session_open(engine, NULL);
    lido_session *second = lido_session_open(engine, NULL);
    lido_exec(first, "INSERT INTO items VALUES (1, 'lamp')");
    saw("first: %s", lido_status_name(lido_commit(first)));
    lido_exec(second, "INSERT INTO items VALUES (2, 'chair')");
    lido_rollback(second);
    lido_exec(first, "INSERT INTO items VALUES (3, 'table')");
    saw("first again: %s", lido_status_name(lido_commit(first)));
    saw("close: %s, %s", lido_status_name(lido_session_close(second)), lido_status_name(lido_session_close(first)));
    saw_items(engine);
    lido_engine_close(engine);
}

/* A connection is given back once, however often its transaction is ended: by then it may be somebody else's. */
static void story_of_ending_twice(lido_engine *unused) {
    (void)unused;
    lido_pool_stats stats;
    lido_engine *engine = engine_with_one_connection();
    make_items(engine);
    lido_session *first = lido_session_open(engine, NULL);
    lido_session *second = lido_session_open(engine, NULL);
    insert(first, 1);
    saw_status("first", lido_commit(first));
    insert(second, 2);
    saw_status("first again", lido_commit(first));
    lido_rollback(first);
    lido_rollback(first);
    lido_session_close(first);
    insert(second, 3);
    saw_status("second", lido_commit(second));
    lido_rollback(second);
    lido_engine_stats(engine, &stats);
    saw("%d open, %d in use, %d idle, lent %d times", stats.open, stats.in_use, stats.idle, (int)stats.acquires);
    lido_session_close(second);
    saw_items(engine);
    lido_engine_close(engine);
}

static void story_of_a_connection_that_is_not_given_back(lido_engine *unused) {
    (void)unused;
    char here[300];
    lido_engine *engine = engine_with_one_connection();
    make_items(engine);
    lido_session *holder = lido_session_open(engine, NULL);
    lido_session *waiter = lido_session_open(engine, NULL);
    snprintf(here, sizeof here, "%s:%d ", __FILE__, __LINE__ + 1);
    lido_query_value(holder, "SELECT count(*) FROM items");
    lido_query_value(waiter, "SELECT count(*) FROM items");
    lido_exec(waiter, "INSERT INTO items VALUES (2, 'chair')");
    saw_error(waiter);
    saw("says who holds it: %d", strstr(lido_error_of(waiter)->hint, here) != NULL);
    saw("waiter: %s", lido_status_name(lido_commit(waiter)));
    lido_exec(holder, "INSERT INTO items VALUES (1, 'lamp')");
    saw("holder: %s", lido_status_name(lido_commit(holder)));
    lido_exec(waiter, "INSERT INTO items VALUES (3, 'table')");
    saw("waiter: %s", lido_status_name(lido_commit(waiter)));
    lido_session_close(waiter);
    lido_session_close(holder);
    saw_items(engine);
    lido_engine_close(engine);
}

static void story_of_rows_that_outlive_their_transaction(lido_engine *unused) {
    (void)unused;
    int id = 0;
    const char *name = NULL;
    lido_engine *engine = engine_with_one_connection();
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO items VALUES (1, 'lamp'), (2, 'chair')");
    lido_rows *rows = lido_query(db, "SELECT id, name FROM items ORDER BY id");
    const char *kept = lido_query_value(db, "SELECT name FROM items WHERE id = 2").as.text;
    assert_true(lido_next(rows) && lido_scan(rows, &id, &name));
    assert_int_equal(lido_commit(db), LIDO_OK);
    saw_items(engine); /* on the connection that is free again */
    saw("%d %s", id, name);
    while (lido_next(rows) && lido_scan(rows, &id, &name))
        saw("%d %s", id, name);
    saw("%s", kept);
    lido_session_close(db);
    lido_engine_close(engine);
}

/* ---- Autocommit ---- */

static void story_of_autocommit(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
    saw_items(engine);
    saw("again: %d", (int)lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')"));
    saw("failed %d", lido_failed(db));
    saw_error(db);
    saw("next: %d", (int)lido_exec(db, "INSERT INTO items VALUES (2, 'chair')"));
    saw("failed %d", lido_failed(db));
    saw_error(db);
    lido_rollback(db); /* there is nothing to roll back */
    saw("close: %s", lido_status_name(lido_session_close(db)));
    saw_items(engine);
}

static void story_of_what_autocommit_cannot_do(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    saw("savepoint %d", lido_savepoint_begin(db));
    saw_error(db);
    lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
    saw("failed %d", lido_failed(db));
    saw("last key %d", (int)lido_last_key(db));
    saw_error(db);
    lido_session_close(db);
}

static void story_of_an_autocommit_session_that_frees_its_connection(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = engine_with_one_connection();
    make_items(engine);
    lido_session *a = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_session *b = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    for (int i = 0; i < 3; i++) {
        lido_exec(a, "INSERT INTO items VALUES (?, 'a')", 2 * i);
        lido_exec(b, "INSERT INTO items VALUES (?, 'b')", 2 * i + 1);
        lido_exec(a, "INSERT INTO nowhere VALUES (1)");
    }
    saw_items(engine);
    lido_session_close(b);
    lido_session_close(a);
    lido_engine_close(engine);
}

/* ---- Closing ---- */

static void close_after(lido_engine *engine, lido_at_end at_end, int id, bool fails) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.at_end = at_end});
    lido_exec(db, "INSERT INTO items VALUES (?, 'lamp')", id);
    if (fails)
        lido_exec(db, "INSERT INTO items VALUES (?, 'lamp again')", id);
    saw("%s", lido_status_name(lido_session_close(db)));
}

static void story_of_closing(lido_engine *engine) {
    make_items(engine);
    close_after(engine, LIDO_AT_END_DEFAULT, 1, false);
    close_after(engine, LIDO_AT_END_COMMIT, 2, false);
    close_after(engine, LIDO_AT_END_COMMIT, 3, true);
    close_after(engine, LIDO_AT_END_ROLLBACK, 4, false);
    saw_items(engine);
}

/* The memory of the one serves the other. */
static void story_of_a_session_after_one_that_went_wrong(lido_engine *engine) {
    make_items(engine);
    lido_session *first = lido_session_open(engine, &(lido_session_options){.isolation = LIDO_SERIALISABLE});
    insert(first, 1);
    lido_savepoint_begin(first);
    lido_rows *left_open = lido_query(first, "SELECT id FROM items");
    lido_query(first, "SELECT id, name FROM items");
    saw("row %d", (int)lido_next(left_open));
    lido_send(first, "INSERT INTO items VALUES (2, 'chair')");
    lido_exec(first, "INSERT INTO nowhere VALUES (3)");
    saw("first: failed %d", (int)lido_failed(first));
    saw("close: %s", lido_status_name(lido_session_close(first)));
    lido_session *second = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    saw("second: failed %d, \"%s\"", (int)lido_failed(second), lido_error_of(second)->message);
    insert(second, 4);
    lido_rows *rows = lido_query(second, "SELECT id FROM items");
    saw("rows %d, columns %d", (int)lido_row_count(rows), (int)lido_column_count(rows));
    saw("close: %s", lido_status_name(lido_session_close(second)));
    saw_items(engine);
}

static void story_of_closing_with_nothing_open(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    saw("never used: %s", lido_status_name(lido_session_close(db)));
    db = lido_session_open(engine, &(lido_session_options){.at_end = LIDO_AT_END_ROLLBACK});
    lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
    saw("commit: %s", lido_status_name(lido_commit(db)));
    saw("commit again: %s", lido_status_name(lido_commit(db)));
    saw("close: %s", lido_status_name(lido_session_close(db)));
    db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO items VALUES (2, 'chair')");
    lido_rollback(db);
    lido_rollback(db);
    saw("rolled back, commit: %s", lido_status_name(lido_commit(db)));
    saw("close: %s", lido_status_name(lido_session_close(db)));
    saw_items(engine);
}

static void story_of_an_engine_closed_under_a_session(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = scenario_engine(NULL);
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
    lido_engine_close(engine);
    saw("inserted %d", (int)lido_exec(db, "INSERT INTO items VALUES (2, 'chair')"));
    lido_session *late = lido_session_open(engine, NULL); /* the engine is there as long as db is */
    saw("late: failed %d, %s", lido_failed(late), lido_error_of(late)->message);
    lido_rollback(late);
    saw("late: rows %d", lido_query(late, "SELECT 1") != NULL);
    saw_error(late);
    lido_session_close(late);
    saw("items %d", (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer);
    saw("commit: %s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

/* ---- Read-only ---- */

static void refuse_write(lido_session *db, const char *sql) {
    lido_execv(db, sql, 0, NULL);
    saw("%s %s", lido_category_name(lido_error_of(db)->category), lido_error_of(db)->sqlstate);
    lido_rollback(db);
}

static void refuse_writes(lido_engine *engine, bool autocommit) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.read_only = true, .autocommit = autocommit});
    saw("reads %s", lido_query_value(db, "SELECT name FROM items WHERE id = ?", 1).as.text);
    refuse_write(db, "INSERT INTO items VALUES (2, 'chair')");
    refuse_write(db, "UPDATE items SET name = 'chair'");
    refuse_write(db, "DELETE FROM items");
    refuse_write(db, "CREATE TABLE other (id integer)");
    refuse_write(db, "DROP TABLE items");
    refuse_write(db, "WITH new (id, name) AS (SELECT 2, 'chair') INSERT INTO items SELECT id, name FROM new");
    refuse_write(db, "INSERT INTO items VALUES (3, 'table') RETURNING id");
    saw("rows %d", lido_query(db, "INSERT INTO items VALUES (3, 'table') RETURNING id") != NULL);
    saw_error(db);
    lido_session_close(db);
}

static void story_of_read_only(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = engine_with_one_connection();
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
    lido_commit(db);
    refuse_writes(engine, false);
    lido_exec(db, "INSERT INTO items VALUES (4, 'shelf')"); /* on the connection that was read-only */
    saw("%s", lido_status_name(lido_commit(db)));
    refuse_writes(engine, true);
    lido_exec(db, "INSERT INTO items VALUES (5, 'door')");
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
    saw_items(engine);
    lido_engine_close(engine);
}

static void story_of_a_write_in_a_read_only_block(lido_engine *engine) {
    lido_error outcome;
    make_items(engine);
    lido_transaction_with (db, engine, &(lido_session_options){.read_only = true}, &outcome) {
        lido_savepoint (db)
            lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
        saw("after the savepoint: %d items", (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer);
        lido_send(db, "INSERT INTO items VALUES (2, 'chair')");
    }
    saw("%s: %s", lido_status_name(outcome.status), lido_category_name(outcome.category));
    saw_items(engine);
}

/* ---- Isolation ---- */

static void read_while_another_writes(lido_engine *engine, lido_isolation isolation, int id) {
    lido_session *reader = lido_session_open(engine, &(lido_session_options){.isolation = isolation});
    lido_session *writer = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    int before = count_items(reader);
    lido_exec(writer, "INSERT INTO items VALUES (?, 'lamp')", id);
    saw("failed %d", lido_failed(writer));
    saw("sees the same: %d", count_items(reader) == before);
    saw("%s", lido_status_name(lido_commit(reader)));
    lido_session_close(writer);
    lido_session_close(reader);
}

static void story_of_a_snapshot(lido_engine *engine) {
    make_items(engine);
    read_while_another_writes(engine, LIDO_REPEATABLE_READ, 1);
    read_while_another_writes(engine, LIDO_SERIALISABLE, 2);
}

/* What the server says the level is; SQLite has but one and cannot be asked. */
static const char *level_of(lido_engine *engine, lido_isolation isolation, bool autocommit, const char *on_sqlite) {
    static char level[40];
    lido_session *db =
        lido_session_open(engine, &(lido_session_options){.isolation = isolation, .autocommit = autocommit});
    bool postgres = strcmp(scenario_database(), "postgres") == 0;
    lido_value told = postgres ? lido_query_value(db, "SHOW transaction_isolation")
                               : lido_query_value(db, "SELECT CAST(? AS text)", on_sqlite);
    snprintf(level, sizeof level, "%s", told.as.text);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    return level;
}

static void story_of_isolation_levels(lido_engine *engine) {
    for (int autocommit = 0; autocommit < 2; autocommit++) {
        saw("%s", level_of(engine, LIDO_ISOLATION_DEFAULT, autocommit, "read committed"));
        saw("%s", level_of(engine, LIDO_READ_COMMITTED, autocommit, "read committed"));
        saw("%s", level_of(engine, LIDO_REPEATABLE_READ, autocommit, "repeatable read"));
        saw("%s", level_of(engine, LIDO_SERIALISABLE, autocommit, "serializable"));
    }
}

#define REFUSED \
    "reads lamp\n" \
    "read-only 25006\nread-only 25006\nread-only 25006\nread-only 25006\nread-only 25006\nread-only 25006\n" \
    "read-only 25006\n" \
    "rows 0\nread-only\n"

#define LEVELS "read committed\nread committed\nrepeatable read\nserializable\n"

int main(void) {
    const scenario scenarios[] = {
        {"a first table", story_of_a_first_table,
         "inserted 2\n"
         "1 lamp\n"
         "2 chair\n"
         "ok\n"},
        {"a connection is given back once", story_of_ending_twice,
         "first: ok\n"
         "first again: ok\n"
         "second: ok\n"
         "1 open, 0 in use, 1 idle, lent 3 times\n"
         "stands: 1 2 3\n"},
        {"two sessions take turns on one connection", story_of_two_sessions_and_one_connection,
         "first: ok\n"
         "first again: ok\n"
         "close: ok, ok\n"
         "stands: 1 3\n"},
        {"a session that holds on to the only connection", story_of_a_connection_that_is_not_given_back,
         "pool exhausted\n"
         "says who holds it: 1\n"
         "waiter: rolled back\n"
         "holder: ok\n"
         "waiter: ok\n"
         "stands: 1 3\n"},
        {"rows outlive their transaction", story_of_rows_that_outlive_their_transaction,
         "stands: 1 2\n"
         "1 lamp\n"
         "2 chair\n"
         "chair\n"},
        {"in autocommit mode each statement stands alone", story_of_autocommit,
         "stands: 1\n"
         "again: 0\n"
         "failed 1\n"
         "unique violation\n"
         "next: 1\n"
         "failed 0\n"
         "no error\n"
         "close: ok\n"
         "stands: 1 2\n"},
        {"autocommit mode has no savepoints and no last key", story_of_what_autocommit_cannot_do,
         "savepoint 0\n"
         "misuse\n"
         "failed 0\n"
         "last key 0\n"
         "misuse\n"},
        {"an autocommit session keeps no connection", story_of_an_autocommit_session_that_frees_its_connection,
         "stands: 0 1 2 3 4 5\n"},
        {"closing ends the transaction as at_end says", story_of_closing,
         "rolled back\n"
         "ok\n"
         "rolled back\n"
         "rolled back\n"
         "stands: 2\n"},
        {"a session opened after one that went wrong knows nothing of it", story_of_a_session_after_one_that_went_wrong,
         "row 1\n"
         "first: failed 1\n"
         "close: rolled back\n"
         "second: failed 0, \"\"\n"
         "rows 1, columns 1\n"
         "close: ok\n"
         "stands: 4\n"},
        {"closing, committing and rolling back with nothing open", story_of_closing_with_nothing_open,
         "never used: ok\n"
         "commit: ok\n"
         "commit again: ok\n"
         "close: ok\n"
         "rolled back, commit: ok\n"
         "close: ok\n"
         "stands: 1\n"},
        {"an engine closed under a session", story_of_an_engine_closed_under_a_session,
         "inserted 1\n"
         "late: failed 1, the engine is closed: open sessions before lido_engine_close, or on another engine\n"
         "late: rows 0\n"
         "misuse\n"
         "items 2\n"
         "commit: ok\n"},
        {"a read-only session refuses writes", story_of_read_only,
         REFUSED "ok\n" REFUSED "ok\n"
                 "stands: 1 4 5\n"},
        {"a write in a read-only block", story_of_a_write_in_a_read_only_block,
         "after the savepoint: 0 items\n"
         "rolled back: read-only\n"
         "stands:\n"},
        {"a snapshot stays the same while others write", story_of_a_snapshot,
         "failed 0\n"
         "sees the same: 1\n"
         "ok\n"
         "failed 0\n"
         "sees the same: 1\n"
         "ok\n"},
        {"isolation levels, in transactions and in autocommit mode", story_of_isolation_levels, LEVELS LEVELS},
    };
    return scenarios_run("session", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
