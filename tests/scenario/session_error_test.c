/* A session's errors: that the first one sticks, what it says, and who is refused altogether. */
#include "support/scenario.h"

#include <pthread.h>
#include <string.h>

static const char endless[] = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT count(*) FROM n";

static void make_items(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_exec(db, "CREATE TABLE items (id integer PRIMARY KEY, name text)");
    assert_int_equal(lido_session_close(db), LIDO_OK);
}

static int count_items(lido_session *db) {
    return (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer;
}

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

/* ---- Who is refused ---- */

static void *use_what_is_not_yours(void *argument) {
    lido_session *db = argument;
    lido_error told;
    saw("there: exec %d", (int)lido_exec(db, "INSERT INTO items VALUES (2, 'chair')"));
    saw("there: query %d", lido_query(db, "SELECT 1") != NULL);
    lido_send(db, "INSERT INTO items VALUES (3, 'table')");
    lido_fail(db, "from there");
    saw("there: savepoint %d", lido_savepoint_begin(db));
    saw("there: release %s", lido_status_name(lido_savepoint_release(db, 1, &told)));
    saw("there: %s", told.message);
    lido_savepoint_rollback(db, 1);
    lido_rollback(db);
    saw("there: commit %s", lido_status_name(lido_commit(db)));
    saw("there: close %s", lido_status_name(lido_session_close(db)));
    saw("there: failed %d, %s", lido_failed(db), lido_error_of(db)->message);
    saw_error(db);
    return NULL;
}

static void in_another_thread(void *(*function)(void *), void *argument) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, function, argument), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void story_of_another_thread(lido_engine *engine) {
    make_items(engine);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
    int savepoint = lido_savepoint_begin(db);
    in_another_thread(use_what_is_not_yours, db);
    saw("here: failed %d", lido_failed(db));
    saw_error(db);
    saw("here: items %d", count_items(db));
    saw("here: release %s", lido_status_name(lido_savepoint_release(db, savepoint, NULL)));
    saw("here: commit %s", lido_status_name(lido_commit(db)));
    saw("here: items %d", count_items(db));
    lido_session_close(db);
}

static void *read_what_is_not_yours(void *argument) {
    lido_rows *rows = argument;
    const char *name = "untouched";
    saw("there: next %d", lido_next(rows));
    saw("there: scan %d, %s", lido_scan(rows, &name), name);
    saw("there: %s, null %d", lido_kind_name(lido_get(rows, 0).kind), lido_is_null(rows, 0));
    saw("there: text %d, integer %d", lido_get_text(rows, 0) != NULL, (int)lido_get_int64(rows, 0));
    saw("there: column %d, no such %d", lido_column(rows, "name") != SIZE_MAX, lido_column(rows, "nam") != SIZE_MAX);
    lido_get(rows, 7);
    lido_rows_close(rows);
    return NULL;
}

static void story_of_rows_in_another_thread(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows = lido_query(db, "SELECT 'lamp' AS name UNION ALL SELECT 'vase' ORDER BY name");
    saw("here: next %d", lido_next(rows));
    in_another_thread(read_what_is_not_yours, rows);
    saw("here: %s", lido_get_text(rows, 0));
    saw("here: next %d", lido_next(rows));
    saw("here: %s, failed %d", lido_get_text(rows, 0), lido_failed(db));
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

static void story_of_no_rows(lido_engine *unused) {
    (void)unused;
    int id = 7;
    lido_rows *rows = NULL;
    saw("next %d, scan %d, id %d", lido_next(rows), lido_scan(rows, &id), id);
    saw("rows %d, affected %d, columns %d", (int)lido_row_count(rows), (int)lido_affected(rows),
        (int)lido_column_count(rows));
    saw("name %d, column %d", lido_column_name(rows, 0) != NULL, lido_column(rows, "id") == SIZE_MAX);
    saw("%s, null %d", lido_kind_name(lido_get(rows, 0).kind), lido_is_null(rows, 0));
    saw("%d %d %d", lido_get_bool(rows, 0), (int)lido_get_int64(rows, 0), (int)lido_get_double(rows, 0));
    saw("%d %d %d", lido_get_text(rows, 0) != NULL, lido_get_blob(rows, 0).data != NULL,
        (int)lido_get_time(rows, 0).microseconds);
    lido_rows_close(rows);
}

static bool never_asked(lido_session *db, void *argument) {
    (void)argument;
    saw("runs, failed %d", lido_failed(db));
    return true;
}

static void story_of_no_engine(lido_engine *unused) {
    (void)unused;
    lido_error outcome;
    lido_session *db = lido_session_open(NULL, NULL);
    saw("session %d, failed %d, %s", db != NULL, lido_failed(db), lido_error_of(db)->message);
    saw_error(db);
    lido_exec(db, "SELECT 1");
    lido_session_close(db);
    lido_transaction (block, (lido_engine *)NULL, &outcome)
        saw("never seen");
    saw("%s: %s", lido_status_name(outcome.status), outcome.message);
    saw("transact: %s", lido_status_name(lido_transact(NULL, NULL, never_asked, NULL)));
    lido_pool_stats stats = {.open = 7, .connects = 7};
    lido_engine_stats(NULL, &stats);
    saw("open %d, connects %d", stats.open, (int)stats.connects);
    lido_setting setting;
    saw("setting %d", lido_engine_setting(NULL, 0, &setting));
    lido_server server;
    saw("inspect: %s", lido_status_name(lido_engine_inspect(NULL, &server, &outcome)));
    saw("%s: %s, %s", lido_category_name(outcome.category), outcome.doing, outcome.message);
    assert_int_equal(lido_engine_inspect(NULL, NULL, NULL), LIDO_ERROR);
    lido_engine_close(NULL);
}

/* ---- Options that are none ---- */

static void saw_transact(lido_engine *engine, lido_session_options options) {
    lido_error why;
    lido_status outcome =
        lido_transact(engine, &(lido_transact_options){.session = options, .error = &why}, never_asked, NULL);
    saw("transact: %s, %s", lido_status_name(outcome), lido_category_name(why.category));
}

static void saw_unusable(lido_engine *engine, lido_session_options options) {
    int line = __LINE__ + 1;
    lido_session *db = lido_at(lido_session_open(engine, &options), __FILE__, line);
    saw("%s: %s", lido_error_of(db)->doing, lido_error_of(db)->message);
    lido_rollback(db);
    saw("exec %d", (int)lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')"));
    lido_send(db, "INSERT INTO items VALUES (2, 'chair')");
    int savepoint = lido_savepoint_begin(db);
    saw("query %d", lido_query(db, "SELECT 1") != NULL);
    lido_savepoint_rollback(db, savepoint);
    for (int i = 0; i < 2; i++)
        saw("commit: %s", lido_status_name(lido_commit(db)));
    saw("failed %d, %s", lido_failed(db), lido_category_name(lido_error_of(db)->category));
    saw("close: %s", lido_status_name(lido_session_close(db)));
}

static void story_of_options_out_of_range(lido_engine *engine) {
    lido_error outcome;
    make_items(engine);
    saw_unusable(engine, (lido_session_options){.isolation = (lido_isolation)7});
    saw_unusable(engine, (lido_session_options){.at_end = (lido_at_end)-1, .autocommit = true});
    saw_unusable(engine, (lido_session_options){.statement_timeout_ms = -2});
    saw_unusable(engine, (lido_session_options){.transaction_timeout_ms = INT64_MIN});
    lido_transaction_with (db, engine, &(lido_session_options){.at_end = (lido_at_end)3}, &outcome)
        lido_exec(db, "INSERT INTO items VALUES (3, 'table')");
    saw("block: %s, %s", lido_status_name(outcome.status), outcome.message);
    saw_transact(engine, (lido_session_options){.isolation = (lido_isolation)7});
    saw_transact(engine, (lido_session_options){.at_end = (lido_at_end)7}); /* is not looked at */
    lido_session *db = lido_session_open(
        engine, &(lido_session_options){.isolation = LIDO_SERIALISABLE,
                                        .at_end = LIDO_AT_END_ROLLBACK,
                                        .statement_timeout_ms = -1,
                                        .transaction_timeout_ms = -1}); /* the last of each that is one */
    saw("items %d", count_items(db));
    lido_session_close(db);
}

/* ---- NULL where something should be ---- */

static void story_of_values_that_are_not_there(lido_engine *engine) {
    lido_status outcome;
    lido_session *db = lido_session_open(engine, NULL);
    SAW_REFUSAL(db, lido_execv(db, "SELECT ?", 1, NULL));
    SAW_REFUSAL(db, lido_queryv(db, "SELECT ?, ?", 2, NULL));
    SAW_REFUSAL(db, lido_streamv(db, "SELECT ?", 1, NULL));
    SAW_REFUSAL(db, (lido_sendv(db, "SELECT ?", 1, NULL), 0));
    SAW_REFUSAL(db, lido_query_valuev(db, "SELECT :a", 1, NULL).kind);
    saw("none wanted: %d", (int)lido_query_valuev(db, "SELECT 7", 0, NULL).as.integer);
    lido_rows *rows = lido_query(db, "SELECT 7 AS number");
    lido_next(rows);
    SAW_REFUSAL(db, lido_column(rows, NULL) == SIZE_MAX);
    SAW_REFUSAL(db, lido_get_text(rows, lido_column(rows, NULL)));
    SAW_REFUSAL(db, lido_scanv(rows, 1, NULL));
    lido_savepoint_outcome (db, (lido_status *)NULL)
        lido_fail(db, "inside");
    lido_savepoint_outcome (db, (lido_error *)NULL)
        lido_fail(db, "inside");
    saw("number %d", (int)lido_get_int64(rows, 0));
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
    lido_transaction (nobody, (lido_engine *)NULL, (lido_error *)NULL)
        saw("never seen");
    lido_transaction (nobody, (lido_engine *)NULL, (lido_status *)NULL)
        saw("never seen");
    lido_transaction (silent, engine, (lido_status *)NULL)
        lido_exec(silent, "CREATE TABLE made (n integer)");
    lido_transaction (silent, engine, (lido_error *)NULL)
        lido_exec(silent, "INSERT INTO made VALUES (7)");
    lido_transaction (silent, engine, &outcome)
        saw("made %d", (int)lido_query_value(silent, "SELECT n FROM made").as.integer);
    saw("%s", lido_status_name(outcome));
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

#define UNUSABLE(message) \
    "opening a session: the option " message "\n" \
    "exec 0\n" \
    "query 0\n" \
    "commit: rolled back\n" \
    "commit: rolled back\n" \
    "failed 1, misuse\n" \
    "close: rolled back\n"

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
        {"another thread is refused and changes nothing", story_of_another_thread,
         "there: exec 0\n"
         "there: query 0\n"
         "there: savepoint 0\n"
         "there: release error\n"
         "there: the session belongs to another thread\n"
         "there: commit error\n"
         "there: close error\n"
         "there: failed 1, the session belongs to another thread\n"
         "misuse\n"
         "here: failed 0\n"
         "no error\n"
         "here: items 1\n"
         "here: release ok\n"
         "here: commit ok\n"
         "here: items 1\n"},
        {"rows are not for another thread either", story_of_rows_in_another_thread,
         "here: next 1\n"
         "there: next 0\n"
         "there: scan 0, untouched\n"
         "there: null, null 1\n"
         "there: text 0, integer 0\n"
         "there: column 0, no such 0\n"
         "here: lamp\n"
         "here: next 1\n"
         "here: vase, failed 0\n"},
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
        {"no rows at all", story_of_no_rows,
         "next 0, scan 0, id 7\n"
         "rows 0, affected 0, columns 0\n"
         "name 0, column 1\n"
         "null, null 1\n"
         "0 0 0\n"
         "0 0 0\n"},
        {"no engine at all", story_of_no_engine,
         "session 1, failed 1, the engine is NULL\n"
         "misuse\n"
         "rolled back: the engine is NULL\n"
         "runs, failed 1\n"
         "transact: error\n"
         "open 0, connects 0\n"
         "setting 0\n"
         "inspect: error\n"
         "misuse: inspecting an engine, the engine is NULL\n"},
        {"options out of range", story_of_options_out_of_range,
         UNUSABLE("isolation is 7: 0 to 3 (LIDO_SERIALISABLE) are allowed") UNUSABLE(
             "at_end is -1: 0 to 2 (LIDO_AT_END_ROLLBACK) are allowed")
             UNUSABLE("statement_timeout_ms is -2: milliseconds, 0 (the engine's) and -1 (none) are allowed") UNUSABLE(
                 "transaction_timeout_ms is -9223372036854775808: milliseconds, 0 (the engine's) and -1 (none) are "
                 "allowed") "block: rolled back, the option at_end is 3: 0 to 2 (LIDO_AT_END_ROLLBACK) are allowed\n"
                            "runs, failed 1\n"
                            "transact: rolled back, misuse\n"
                            "runs, failed 0\n"
                            "transact: ok, no error\n"
                            "items 0\n"},
        {"NULL where values, names and outcomes should be", story_of_values_that_are_not_there,
         "misuse: the statement got 1 parameter, and the pointer to the values is NULL\n"
         "misuse: the statement got 2 parameters, and the pointer to the values is NULL\n"
         "misuse: the statement got 1 parameter, and the pointer to the values is NULL\n"
         "misuse: the statement got 1 parameter, and the pointer to the values is NULL\n"
         "misuse: the statement got 1 parameter, and the pointer to the values is NULL\n"
         "none wanted: 7\n"
         "misuse: the column's name is NULL\n"
         "misuse: the column's name is NULL\n"
         "misuse: the pointer to the targets is NULL\n"
         "number 7\n"
         "ok\n"
         "made 7\n"
         "ok\n"},
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
