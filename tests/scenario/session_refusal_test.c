/* Who and what is refused: other threads, nothing where something should be, options out of range. */
#include "support/items.h"

#include <pthread.h>

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

#define UNUSABLE(message) \
    "opening a session: the option " message "\n" \
    "exec 0\n" \
    "query 0\n" \
    "commit: rolled back\n" \
    "commit: rolled back\n" \
    "failed 1, misuse\n" \
    "close: rolled back\n"

int main(void) {
    const scenario scenarios[] = {
        {"another thread is refused and changes nothing", story_of_another_thread,
         "there: exec 0\n"
         "there: query 0\n"
         "there: savepoint 0\n"
         "there: release error\n"
         "there: the session belongs to another thread or task\n"
         "there: commit error\n"
         "there: close error\n"
         "there: failed 1, the session belongs to another thread or task\n"
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
    };
    return scenarios_run("session_refusal", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
