/* How a statement's values look in the log, for who asked to see them there: one line, whatever is in them. */
#include "support/scenario.h"

#include <string.h>

enum { LINE_MOST = 2048 };

static char last_statement[LINE_MOST];

/* Keeps the line of the last statement that set out, from its SQL on. */
static void keep_statement(lido_log_level level, const char *line, void *user) {
    const char *sql = strstr(line, "SELECT ");
    (void)level;
    (void)user;
    if (sql != NULL && strstr(line, "before statement") != NULL)
        snprintf(last_statement, sizeof last_statement, "%s", sql);
}

static void saw_logged(lido_session *db, lido_value value) {
    last_statement[0] = '\0';
    lido_query_value(db, "SELECT ?", value);
    saw("%s", last_statement);
    lido_rollback(db);
}

static lido_session *open_logged(lido_engine *engine) {
    lido_engine_listen(engine, &(lido_listening){.kinds = LIDO_EVENT_BEFORE, .values = true}, NULL, NULL);
    assert_int_equal(lido_log_listen(LIDO_LOG_DEBUG, keep_statement, NULL), LIDO_OK);
    return lido_session_open(engine, NULL);
}

static void close_logged(lido_session *db) {
    lido_session_close(db);
    lido_log_listen(LIDO_LOG_ERROR, NULL, NULL);
}

static void story_of_each_kind(lido_engine *engine) {
    lido_session *db = open_logged(engine);
    lido_uuid uuid;
    lido_time time;
    assert_true(lido_uuid_parse("01890a5d-ac96-774b-bcce-b302099a8057", &uuid));
    assert_true(lido_time_parse("2024-02-29 12:34:56.5", &time));
    saw_logged(db, lido_value_null());
    saw_logged(db, lido_value_bool(true));
    saw_logged(db, lido_value_bool(false));
    saw_logged(db, lido_value_int64(INT64_MIN));
    saw_logged(db, lido_value_double(0.1));
    saw_logged(db, lido_value_bytes(lido_blob("\0\1\2", 3)));
    saw_logged(db, lido_value_uuid(uuid));
    saw_logged(db, lido_value_time(time));
    saw_logged(db, lido_value_json((lido_json){"[1]"}));
    saw_logged(db, lido_value_numeric((lido_numeric){"-12.50"}));
    lido_query_value(db, "SELECT CAST(? AS text), CAST(? AS text)", "one", 2);
    saw("%s", last_statement);
    close_logged(db);
}

static void story_of_texts(lido_engine *engine) {
    lido_session *db = open_logged(engine);
    char text[162] = "x";
    for (int i = 0; i < 40; i++)
        strcat(text, "a€"); /* byte 100 is within a character */
    saw_logged(db, lido_value_text("two\nlines\tand \x1b[31m"));
    saw_logged(db, lido_value_text(""));
    saw_logged(db, lido_value_text_sized(text, 9));
    saw_logged(db, lido_value_text(text));
    close_logged(db);
}

int main(void) {
    const scenario scenarios[] = {
        {"each kind", story_of_each_kind,
         "SELECT ? (NULL)\n"
         "SELECT ? (true)\n"
         "SELECT ? (false)\n"
         "SELECT ? (-9223372036854775808)\n"
         "SELECT ? (0.1)\n"
         "SELECT ? (3 bytes)\n"
         "SELECT ? (01890a5d-ac96-774b-bcce-b302099a8057)\n"
         "SELECT ? (2024-02-29 12:34:56.500000)\n"
         "SELECT ? ('[1]')\n"
         "SELECT ? ('-12.50')\n"
         "SELECT CAST(? AS text), CAST(? AS text) ('one', 2)\n"},
        {"texts", story_of_texts,
         "SELECT ? ('two lines and  [31m')\n"
         "SELECT ? ('')\n"
         "SELECT ? ('xa€a€')\n"
         "SELECT ? ('xa€a€a€a€a€a€a€a€a€a€a€a€a€a€a€a€a€a€a€a€a€a€a€a€a…')\n"},
    };
    return scenarios_run("event log", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
