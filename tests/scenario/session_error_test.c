/* A session's errors: that the first one sticks, what it says, and what is said where there is no session. What is
 * refused altogether is in session_refusal_test.c. */
#include "support/items.h"

static const char endless[] = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT count(*) FROM n";

/* ---- Sticking ---- */

/* If any of these reached the database, it would never end. */
static void ask_everything(lido_session *db) {
    lido_error told;
    saw("exec %d", (int)lido_exec(db, endless));
    saw("query %d", lido_query(db, endless) != NULL);
    saw("stream %d", lido_stream(db, endless) != NULL);
    saw("value %s", lido_kind_name(lido_query_value(db, endless).kind));
    saw("script %d", (int)lido_script(db, endless));
    saw("last key %d", (int)lido_last_key(db));
    lido_send(db, endless);
    int savepoint = lido_savepoint_begin(db);
    lido_exec(db, endless);
    saw("savepoint %d", savepoint);
    saw("release: %s", lido_status_name(lido_savepoint_release(db, savepoint, &told)));
    saw("because: %s", lido_category_name(told.category));
}

static void story_of_an_error_that_sticks(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
    saw("failed %d", lido_failed(db));
    lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
    lido_error first = *lido_error_of(db);
    saw("failed %d", lido_failed(db));
    ask_everything(db);
    lido_exec(db, "this is no SQL");
    lido_fail(db, "too late to be the first");
    saw("the first error stays: %d", memcmp(&first, lido_error_of(db), sizeof first) == 0);
    saw("commit: %s", lido_status_name(lido_commit(db)));
    saw("failed %d, status %s", lido_failed(db), lido_status_name(lido_error_of(db)->status));
    saw_error(db);
    saw("items %d", count_items(db));
    saw_error(db);
    saw("commit: %s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

static void story_of_a_rollback_that_clears(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO nowhere VALUES (1)");
    lido_rollback(db);
    saw("failed %d", lido_failed(db));
    saw_error(db);
    lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
    saw("commit: %s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

static void story_of_an_error_until_the_next_transaction(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO nowhere VALUES (1)");
    lido_commit(db);
    saw_error(db);
    lido_send(db, "INSERT INTO items VALUES (1, 'lamp')"); /* begins the next, though nothing is sent yet */
    saw_error(db);
    saw("commit: %s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

static void story_of_finding_nothing(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows = lido_query(db, "SELECT * FROM items WHERE id = ?", 7);
    saw("rows %d, count %d", rows != NULL, (int)lido_row_count(rows));
    saw("next %d", lido_next(rows));
    saw("value %s", lido_kind_name(lido_query_value(db, "SELECT name FROM items WHERE id = ?", 7).kind));
    saw("updated %d", (int)lido_exec(db, "UPDATE items SET name = 'chair' WHERE id = ?", 7));
    saw("deleted %d", (int)lido_exec(db, "DELETE FROM items WHERE id = ?", 7));
    lido_rows *stream = lido_stream(db, "SELECT * FROM items");
    saw("stream %d, next %d", stream != NULL, lido_next(stream));
    saw("failed %d", lido_failed(db));
    saw("commit: %s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

static void story_of_a_value_that_is_something_else(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
    lido_rows *rows = lido_query(db, "SELECT name FROM items");
    lido_next(rows);
    saw("as an integer: %d", (int)lido_get_int64(rows, 0));
    saw_error(db);
    saw("exec %d", (int)lido_exec(db, "INSERT INTO items VALUES (2, 'chair')"));
    saw("commit: %s", lido_status_name(lido_commit(db)));
    saw("items %d", count_items(db));
    lido_session_close(db);
}

static void story_of_no_session(lido_engine *unused) {
    (void)unused;
    lido_session *db = NULL;
    lido_error told;
    ask_everything(db);
    lido_savepoint (db)
        saw("never seen");
    lido_savepoint_rollback(db, 1);
    assert_int_equal(lido_savepoint_release(db, 1, NULL), LIDO_ERROR);
    assert_int_equal(lido_savepoint_release(db, 1, &told), LIDO_ERROR);
    saw("%s", told.message);
    lido_fail(db, "for nobody");
    lido_rollback(db);
    saw("at %d", lido_at(db, __FILE__, __LINE__) != NULL);
    saw("commit: %s", lido_status_name(lido_commit(db)));
    saw("failed %d, %s", lido_failed(db), lido_error_of(db)->message);
    saw_error(db);
    saw("runs %d", lido_block_runs(db));
    lido_block_end(db);
    lido_block_leave(&db);
    saw("close: %s", lido_status_name(lido_session_close(db)));
}

/* ---- What an error says ---- */

static void story_of_what_an_error_says(lido_engine *unused) {
    (void)unused;
    lido_options options = LIDO_OPTIONS_INIT;
    bool postgres = strcmp(scenario_database(), "postgres") == 0;
    options.password = postgres ? "let-me-in" : NULL; /* the server trusts whoever comes by its socket */
    lido_engine *engine = scenario_engine(&options);
    lido_session *db = lido_session_open(engine, NULL);
    int line = __LINE__ + 1;
    lido_exec(db, "INSERT INTO nowhere VALUES (?)", "a secret");
    const lido_error *error = lido_error_of(db);
    char all[2000];
    assert_true(lido_error_format(error, all, sizeof all) < sizeof all);
    saw("%s, %s", lido_status_name(error->status), lido_category_name(error->category));
    saw("retryable %d", error->retryable);
    saw("doing: %s", error->doing);
    saw("here: %d", error->line == line && strcmp(error->file, __FILE__) == 0);
    saw("statement: %s", error->statement);
    saw("message: %d", strstr(error->message, "nowhere") != NULL);
    saw("database: %d", strncmp(error->database, scenario_url(), postgres ? 13 : 9) == 0);
    saw("the password: %d", strstr(all, "let-me-in") != NULL);
    saw("a parameter: %d", strstr(all, "a secret") != NULL);
    lido_session_close(db);
    lido_engine_close(engine);
}

static void story_of_what_a_refusal_says(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    int line = __LINE__ + 1;
    lido_query(db, "SELECT ?", 1, 2);
    const lido_error *error = lido_error_of(db);
    saw("%s", lido_category_name(error->category));
    saw("%s: %s", error->doing, error->message);
    saw("here: %d", error->line == line && strcmp(error->file, __FILE__) == 0);
    saw("statement: %s", error->statement);
    saw("database: %d", error->database[0] != '\0');
    lido_session_close(db);
}

static void story_of_a_sent_statement_that_is_blamed(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_send(db, "INSERT INTO items VALUES (1, 'lamp')");
    int line = __LINE__ + 1;
    lido_send(db, "INSERT INTO items VALUES (1, 'again')");
    lido_send(db, "INSERT INTO items VALUES (2, 'chair')");
    saw("commit: %s", lido_status_name(lido_commit(db)));
    saw("blames its own line: %d", lido_error_of(db)->line == line);
    saw("statement: %s", lido_error_of(db)->statement);
    lido_session_close(db);
}

static void story_of_a_program_that_fails_by_itself(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
    lido_fail(db, "only %d %s left, 100%% sure", 3, "lamps");
    lido_fail(db, "never mind");
    saw("%s", lido_error_of(db)->message);
    saw_error(db);
    saw("retryable %d", lido_error_of(db)->retryable);
    saw("exec %d", (int)lido_exec(db, "INSERT INTO items VALUES (2, 'chair')"));
    saw("commit: %s", lido_status_name(lido_commit(db)));
    saw("items %d", count_items(db));
    lido_session_close(db);
}

/* ---- Savepoints that are not open ---- */

static void saw_no_savepoint(lido_session *db, int savepoint) {
    lido_error told;
    saw("%s", lido_status_name(lido_savepoint_release(db, savepoint, &told)));
    saw("%s, %s: %s; %s", lido_category_name(told.category), told.doing, told.message, told.hint);
    assert_int_equal(told.status, LIDO_ERROR);
    assert_true(told.file != NULL && told.database[0] != '\0');
}

static void story_of_a_savepoint_that_is_not_open(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
    saw_no_savepoint(db, 7);
    saw_no_savepoint(db, 0);
    lido_savepoint_begin(db);
    lido_savepoint_begin(db);
    saw_no_savepoint(db, 3);
    saw("failed %d", lido_failed(db));
    saw_error(db);
    saw("inner: %s", lido_status_name(lido_savepoint_release(db, 2, NULL)));
    saw("commit: %s", lido_status_name(lido_commit(db)));
    saw("items %d", count_items(db));
    lido_session_close(db);
}

#define NONE_OPEN "none is open: a savepoint ends with its transaction, and with those around it\n"

#define REFUSED_WITH(category) \
    "exec 0\n" \
    "query 0\n" \
    "stream 0\n" \
    "value null\n" \
    "script 0\n" \
    "last key 0\n" category

int main(void) {
    const scenario scenarios[] = {
        {"the first error sticks and nothing is run", story_of_an_error_that_sticks,
         "failed 0\n"
         "failed 1\n" REFUSED_WITH("savepoint 1\n"
                                   "release: rolled back\n"
                                   "because: unique violation\n") "the first error stays: 1\n"
                                                                  "commit: rolled back\n"
                                                                  "failed 0, status rolled back\n"
                                                                  "unique violation\n"
                                                                  "items 0\n"
                                                                  "no error\n"
                                                                  "commit: ok\n"},
        {"a rollback clears the error", story_of_a_rollback_that_clears,
         "failed 0\n"
         "no error\n"
         "commit: ok\n"},
        {"an error is told until the next transaction", story_of_an_error_until_the_next_transaction,
         "syntax error or unknown name\n"
         "no error\n"
         "commit: ok\n"},
        {"finding nothing is no error", story_of_finding_nothing,
         "rows 1, count 0\n"
         "next 0\n"
         "value null\n"
         "updated 0\n"
         "deleted 0\n"
         "stream 1, next 0\n"
         "failed 0\n"
         "commit: ok\n"},
        {"a value read as what it is not", story_of_a_value_that_is_something_else,
         "as an integer: 0\n"
         "type mismatch\n"
         "exec 0\n"
         "commit: rolled back\n"
         "items 0\n"},
        {"no session at all", story_of_no_session,
         REFUSED_WITH("savepoint 0\n"
                      "release: error\n"
                      "because: misuse\n") "the session is NULL\n"
                                           "at 0\n"
                                           "commit: error\n"
                                           "failed 1, the session is NULL\n"
                                           "misuse\n"
                                           "runs 0\n"
                                           "close: ok\n"},
        {"what an error says", story_of_what_an_error_says,
         "error, syntax error or unknown name\n"
         "retryable 0\n"
         "doing: running a statement\n"
         "here: 1\n"
         "statement: INSERT INTO nowhere VALUES (?)\n"
         "message: 1\n"
         "database: 1\n"
         "the password: 0\n"
         "a parameter: 0\n"},
        {"what a refusal says", story_of_what_a_refusal_says,
         "misuse\n"
         "preparing a statement: the statement takes 1 parameter and got 2: pass one for each ?, $1 or :name\n"
         "here: 1\n"
         "statement: SELECT ?\n"
         "database: 1\n"},
        {"the blame falls on the statement that was sent", story_of_a_sent_statement_that_is_blamed,
         "commit: rolled back\n"
         "blames its own line: 1\n"
         "statement: INSERT INTO items VALUES (1, 'again')\n"},
        {"a program fails the session by itself", story_of_a_program_that_fails_by_itself,
         "only 3 lamps left, 100% sure\n"
         "other error\n"
         "retryable 0\n"
         "exec 0\n"
         "commit: rolled back\n"
         "items 0\n"},
        {"a savepoint that is not open", story_of_a_savepoint_that_is_not_open,
         "error\n"
         "misuse, using a savepoint: there is no open savepoint 7; " NONE_OPEN "error\n"
         "misuse, using a savepoint: there is no open savepoint 0; " NONE_OPEN "error\n"
         "misuse, using a savepoint: there is no open savepoint 3; open are those from 1 to 2\n"
         "failed 0\n"
         "no error\n"
         "inner: ok\n"
         "commit: ok\n"
         "items 1\n"},
    };
    return scenarios_run("session_error", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
