/* The log: what the library says by itself, at which level, and what is never in it. */
#include "support/items.h"
#include "support/log_lines.h"

static bool logged(const char *text) {
    return strstr(log_text, text) != NULL;
}

static void log_a_failure(bool values) {
    lido_engine *engine = scenario_engine(NULL);
    lido_engine_listen(engine, &(lido_listening){.kinds = LIDO_EVENT_ALL, .values = values}, NULL, NULL);
    log_begins(LIDO_LOG_DEBUG);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "CREATE TABLE notes (id integer PRIMARY KEY, words text)");
    lido_exec(db, "INSERT INTO notes VALUES (?, ?)", 4711, "a secret");
    lido_exec(db, "INSERT INTO notes VALUES (?, ?)", 4711, "a secret");
    saw("the session %s", lido_category_name(lido_error_of(db)->category));
    lido_session_close(db);
    lido_engine_close(engine);
    log_ends();
    saw("statement %d, category %d, numbers %d, texts %d", logged("INSERT INTO notes"),
        logged("unique violation 23505"), logged("4711"), logged("a secret"));
    saw("checkout %d, close %d", logged("debug: "), logged("info: "));
}

static void story_of_the_log_without_values(lido_engine *engine) {
    (void)engine;
    log_a_failure(false);
}

static void story_of_the_log_with_values(lido_engine *engine) {
    (void)engine;
    log_a_failure(true);
}

static bool keep_whole_event(const lido_event *event, void *user) {
    char text[2000] = "";
    (void)user;
    if (event->error != NULL)
        lido_error_format(event->error, text, sizeof text);
    keep_line(LIDO_LOG_DEBUG, event->database, NULL);
    keep_line(LIDO_LOG_DEBUG, text, NULL);
    return true;
}

/* Nobody listens on port 1, whatever the story's database is. */
static void story_of_a_password(lido_engine *engine) {
    lido_error error;
    lido_engine *unreachable =
        lido_engine_open("postgresql://anne:geheim@127.0.0.1:1/shop?connect_timeout=5", NULL, &error);
    assert_non_null(unreachable);
    lido_listening everything = {.kinds = LIDO_EVENT_ALL, .values = true};
    lido_engine_listen(unreachable, &everything, keep_whole_event, NULL);
    lido_engine_listen(unreachable, &everything, NULL, NULL);
    log_begins(LIDO_LOG_DEBUG);
    lido_session *db = lido_session_open(unreachable, NULL);
    lido_exec(db, "SELECT 1");
    saw_error(db);
    lido_session_close(db);
    lido_engine_close(unreachable);
    log_ends();
    saw("user %d, password %d", logged("anne@127.0.0.1:1/shop"), logged("geheim"));
    saw("error %d", logged("error: postgresql://anne@127.0.0.1:1/shop: no connection, until further notice: "));
    (void)engine;
}

static void story_of_what_was_left_open(lido_engine *engine) {
    (void)engine;
    lido_engine *left = scenario_engine(NULL);
    log_begins(LIDO_LOG_INFO);
    lido_session *db = lido_session_open(left, NULL);
    lido_exec(db, "SELECT 1");
    lido_engine_close(left);
    saw("engine %d", logged("the engine is closed while 1 of its sessions are open"));
    lido_session_close(db);
    saw("session %d", logged("info: ") && logged("a session was closed within a transaction, which is rolled back"));
    log_text[0] = '\0';
    log_ends();
    lido_session *unheard = lido_session_open(engine, NULL);
    lido_exec(unheard, "SELECT 1");
    lido_session_close(unheard);
    saw("after its end %d", log_text[0] != '\0');
}

/* SQLite has no notices, so the lines are looked for where they can be. */
static void story_of_notices(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    log_begins(LIDO_LOG_INFO);
    lido_exec(db, "DROP TABLE IF EXISTS no_such_table");
    bool noticed = logged("info: ") && logged("the server says: table \"no_such_table\" does not exist, skipping");
    log_begins(LIDO_LOG_WARNING);
    lido_exec(db, "DROP TABLE IF EXISTS no_such_table");
    saw("failed %d, at the level above %d", lido_failed(db), log_text[0] != '\0');
    bool warned = !scenario_is_postgres();
    if (scenario_is_postgres()) {
        lido_exec(db, "DO $$ BEGIN RAISE WARNING 'take\ncare'; END $$");
        warned = logged("warning: ") && logged("the server says: take care\n");
    }
    saw("as it should be: %d %d", noticed == scenario_is_postgres(), warned);
    log_ends();
    lido_session_close(db);
}

int main(void) {
    const scenario scenarios[] = {
        {"the log shows statements, and no values", story_of_the_log_without_values,
         "the session unique violation\nstatement 1, category 1, numbers 0, texts 0\ncheckout 1, close 1\n"},
        {"the log shows values to those who asked for them", story_of_the_log_with_values,
         "the session unique violation\nstatement 1, category 1, numbers 1, texts 1\ncheckout 1, close 1\n"},
        {"no event and no line has a password", story_of_a_password, "disconnected\nuser 1, password 0\nerror 1\n"},
        {"the log tells of engines and sessions that were left open", story_of_what_was_left_open,
         "engine 1\nsession 1\nafter its end 0\n"},
        {"the server's notices go to the log", story_of_notices,
         "failed 0, at the level above 0\nas it should be: 1 1\n"},
    };
    return scenarios_run("logging", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
