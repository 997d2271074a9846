/* Settings of a PostgreSQL session that lido relies on: where the server's own are others, or a program changes them,
 * times are still times and backslashes backslashes. SQLite has no such settings, and tells the same stories. */
#include "support/scenario.h"

#include <stdio.h>
#include <string.h>

/* The server's own for this database, to which RESET ALL and DISCARD ALL go back. */
static void have_foreign_settings(lido_engine *engine) {
    static const char *const settings[] = {"DateStyle = 'German, DMY'", "standard_conforming_strings = off"};
    if (!scenario_is_postgres())
        return;
    lido_session *db = lido_session_open(engine, NULL);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        char sql[200];
        snprintf(sql, sizeof sql,
                 "DO $$ BEGIN EXECUTE format($sql$ALTER DATABASE %%I SET %s$sql$, current_database()); END $$",
                 settings[i]);
        lido_exec(db, sql);
    }
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
}

/* Another engine, whose connections find those settings. */
static lido_engine *open_after(lido_engine *engine, bool prepare) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 1;
    options.max_overflow = 0;
    options.prepare = prepare;
    have_foreign_settings(engine);
    return scenario_engine(&options);
}

static void change(lido_session *db, const char *sql) {
    if (!scenario_is_postgres())
        return;
    lido_exec(db, sql);
    if (lido_failed(db))
        fail_msg("%s: %s", sql, lido_error_of(db)->message);
}

/* Each statement has a text of its own, for it is the first answer to a text that PostgreSQL writes in the session's
 * style. */
static void expect_settled(lido_session *db, const char *after) {
    static int asked;
    char sql[200];
    char text[40];
    const char *type = scenario_is_postgres() ? "timestamptz" : "text";
    snprintf(sql, sizeof sql, "SELECT CAST('2024-05-03 12:00:00Z' AS %s) AS moment_%d", type, ++asked);
    lido_rows *rows = lido_query(db, sql);
    assert_true(lido_next(rows));
    if (scenario_is_postgres() && lido_get(rows, 0).kind != LIDO_KIND_TIME)
        fail_msg("after %s: %s", after, lido_get_text(rows, 0));
    lido_time_format(lido_get_time(rows, 0), text);
    assert_string_equal(text, "2024-05-03 12:00:00.000000");
    lido_rows_close(rows);
    snprintf(sql, sizeof sql, "SELECT 'a\\b' AS words_%d", asked);
    lido_value words = lido_query_value(db, sql);
    if (lido_failed(db) || strcmp(words.as.text, "a\\b") != 0)
        fail_msg("after %s: %s", after, lido_failed(db) ? lido_error_of(db)->message : words.as.text);
}

static const char *const changes[] = {"RESET ALL",
                                      "RESET datestyle",
                                      "SET datestyle = 'Postgres, DMY'",
                                      "SET LOCAL datestyle = 'SQL, DMY'",
                                      "SET standard_conforming_strings = off",
                                      "DISCARD ALL"};

enum { CHANGES = sizeof changes / sizeof changes[0] };

static void change_everything(lido_engine *engine, bool prepare) {
    lido_engine *foreign = open_after(engine, prepare);
    lido_session *db = lido_session_open(foreign, &(lido_session_options){.autocommit = true});
    expect_settled(db, "connecting");
    for (size_t i = 0; i < CHANGES; i++) {
        change(db, changes[i]);
        expect_settled(db, changes[i]);
    }
    saw("settled");
    lido_session_close(db);
    lido_engine_close(foreign);
}

static void story_of_changes(lido_engine *engine) {
    change_everything(engine, true);
}

static void story_of_changes_where_nothing_is_prepared(lido_engine *engine) {
    change_everything(engine, false);
}

/* What a transaction sets goes back with it, to what it was. */
static void story_of_changes_in_transactions(lido_engine *engine) {
    lido_engine *foreign = open_after(engine, true);
    lido_session *db = lido_session_open(foreign, NULL);
    for (size_t i = 0; i + 1 < CHANGES; i++) { /* DISCARD ALL cannot be run in one */
        int savepoint = lido_savepoint_begin(db);
        change(db, changes[i]);
        expect_settled(db, changes[i]);
        lido_savepoint_rollback(db, savepoint);
        expect_settled(db, "a savepoint that was rolled back");
        change(db, changes[i]);
        if (i % 2 == 0)
            lido_rollback(db);
        else
            assert_int_equal(lido_commit(db), LIDO_OK);
        expect_settled(db, "the transaction");
    }
    change(db, "RESET ALL");
    lido_exec(db, "SELECT * FROM nowhere"); /* in what has failed, nothing can be set */
    saw_error(db);
    lido_rollback(db);
    expect_settled(db, "a failure");
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
    lido_engine_close(foreign);
}

/* Which of two numbers is the day is not lido's to say. */
static void story_of_day_and_month(lido_engine *engine) {
    lido_engine *foreign = open_after(engine, true);
    lido_session *db = lido_session_open(foreign, NULL);
    lido_value day_first = lido_value_bool(true);
    for (int i = 0; i < 2; i++) {
        if (scenario_is_postgres())
            day_first = lido_query_value(db, "SELECT CAST('03/02/2001' AS date) = DATE '2001-02-03'");
        saw("%s", day_first.as.boolean ? "the day" : "the month");
        change(db, "RESET ALL");
        lido_query_value(db, "SELECT 1");
    }
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    lido_engine_close(foreign);
}

int main(void) {
    const scenario scenarios[] = {
        {"whatever is set, times are read as times and backslashes as they are", story_of_changes, "settled\n"},
        {"so they are where nothing is kept prepared", story_of_changes_where_nothing_is_prepared, "settled\n"},
        {"so they are within transactions and after them", story_of_changes_in_transactions,
         "syntax error or unknown name\nok\n"},
        {"the server's order of day and month stays", story_of_day_and_month, "the day\nthe day\n"},
    };
    return scenarios_run("settings", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
