/* Events and the log: what listeners are told, in which order, what they may refuse, and what they must never see. */
#include "support/scenario.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const lido_session_options autocommit = {.autocommit = true};

static void make_items(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &autocommit);
    lido_exec(db, "CREATE TABLE items (id integer PRIMARY KEY, name text)");
    assert_int_equal(lido_session_close(db), LIDO_OK);
}

/* ---- Listeners. What they write to outlives the story's engine, which closes after the story. ---- */

/* "after statement 1: LIDO_ERROR, unique violation: INSERT …" */
static bool saw_event(const lido_event *event, void *user) {
    char line[400];
    int used =
        snprintf(line, sizeof line, "%s%s", user != NULL ? (const char *)user : "", lido_event_name(event->kind));
    if (event->connection > 0)
        used += snprintf(line + used, sizeof line - (size_t)used, " %d", (int)event->connection);
    if (event->savepoint > 0)
        used += snprintf(line + used, sizeof line - (size_t)used, " (%d)", event->savepoint);
    if (event->kind == LIDO_EVENT_AFTER || event->kind == LIDO_EVENT_RESET || event->kind == LIDO_EVENT_COMMIT)
        used += snprintf(line + used, sizeof line - (size_t)used, ", %s", lido_status_name(event->status));
    if (event->affected > 0)
        used += snprintf(line + used, sizeof line - (size_t)used, ", %d changed", (int)event->affected);
    if (event->error != NULL)
        used += snprintf(line + used, sizeof line - (size_t)used, ", %s", lido_category_name(event->error->category));
    if (event->statement != NULL)
        snprintf(line + used, sizeof line - (size_t)used, ": %s", event->statement);
    saw("%s", line);
    return true;
}

static void listen_to(lido_engine *engine, unsigned kinds) {
    assert_int_equal(lido_engine_listen(engine, &(lido_listening){.kinds = kinds}, saw_event, NULL), LIDO_OK);
}

/* All but SLOW, of which the order of magnitude is somebody else's matter. */
enum { ALL_BUT_SLOW = LIDO_EVENT_ALL & ~LIDO_EVENT_SLOW };

/* ---- The order of events ---- */

static void story_of_a_transaction(lido_engine *engine) {
    lido_status outcome;
    listen_to(engine, ALL_BUT_SLOW);
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "CREATE TABLE items (id integer)");
        lido_send(db, "INSERT INTO items VALUES (?)", 1);
        lido_exec(db, "INSERT INTO items VALUES (?), (?)", 2, 3);
    }
    saw("%s", lido_status_name(outcome));
    lido_transaction (db, engine, &outcome)
        lido_query_value(db, "SELECT count(*) FROM items");
}

static void story_of_autocommit(lido_engine *engine) {
    make_items(engine);
    listen_to(engine, ALL_BUT_SLOW);
    lido_session *db = lido_session_open(engine, &autocommit);
    lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
    lido_exec(db, "INSERT INTO items VALUES (1, 'chair')");
    lido_query_value(db, "SELECT 2");
    lido_session_close(db);
}

static void story_of_savepoints(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    listen_to(engine, ALL_BUT_SLOW & ~(LIDO_EVENT_CHECKOUT | LIDO_EVENT_CHECKIN | LIDO_EVENT_AFTER));
    lido_transaction (db, engine, &outcome) {
        lido_savepoint (db)
            saw("nothing is done in this one");
        lido_savepoint (db) {
            lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
            lido_savepoint (db)
                lido_exec(db, "INSERT INTO items VALUES (1, 'chair')");
        }
    }
    saw("%s", lido_status_name(outcome));
}

static void story_of_a_failure(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    listen_to(engine, ALL_BUT_SLOW);
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
        lido_send(db, "INSERT INTO items VALUES (1, 'chair')");
        lido_exec(db, "INSERT INTO items VALUES (2, 'table')");
        lido_exec(db, "INSERT INTO items VALUES (3, 'is not sent')");
    }
    saw("%s", lido_status_name(outcome));
}

static void story_of_nothing(lido_engine *engine) {
    lido_status outcome;
    listen_to(engine, ALL_BUT_SLOW);
    lido_transaction (db, engine, &outcome)
        lido_savepoint (db)
            saw("nothing");
    lido_session *db = lido_session_open(engine, NULL);
    lido_rollback(db);
    lido_exec(db, NULL);
    lido_session_close(db);
}

static void story_of_a_session_closed_early(lido_engine *engine) {
    listen_to(engine, ALL_BUT_SLOW);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "SELECT 1");
    lido_session_close(db);
    lido_engine *small = scenario_engine(NULL);
    listen_to(small, LIDO_EVENT_FIRST_CONNECT | LIDO_EVENT_CONNECT | LIDO_EVENT_CLOSE);
    db = lido_session_open(small, &autocommit);
    lido_exec(db, "SELECT 1");
    lido_session_close(db);
    saw("closing an engine");
    lido_engine_close(small);
    saw("closed");
}

/* ---- Where, how long, how many ---- */

typedef struct place {
    const lido_session *session;
    const char *file;
    int line;
    size_t travelled;
    int64_t duration_us;
    char database[160];
    int told;
} place;

static bool remember_place(const lido_event *event, void *user) {
    place *remembered = user;
    remembered->session = event->session;
    remembered->file = event->file;
    remembered->line = event->line;
    remembered->travelled = event->travelled;
    remembered->duration_us = event->duration_us;
    snprintf(remembered->database, sizeof remembered->database, "%s", event->database);
    remembered->told++;
    return true;
}

static void story_of_the_place(lido_engine *engine) {
    static place after;
    after = (place){.told = 0};
    lido_engine_listen(engine, &(lido_listening){.kinds = LIDO_EVENT_AFTER}, remember_place, &after);
    lido_session *db = lido_session_open(engine, NULL);
    lido_send(db, "SELECT 1");
    lido_exec(db, "SELECT 2");
    int line = __LINE__ - 1;
    assert_ptr_equal(after.session, db);
    assert_string_equal(after.file, __FILE__);
    assert_int_equal(after.line, line);
    assert_int_equal(after.travelled, 3); /* with BEGIN */
    assert_int_equal(after.told, 2);
    assert_true(after.duration_us > 0);
    lido_fail(db, "to see the database's name");
    assert_string_equal(after.database, lido_error_of(db)->database);
    lido_session_close(db);
}

static void story_of_slow_statements(lido_engine *engine) {
    static place none;
    static place all;
    none = all = (place){.told = 0};
    lido_status outcome;
    lido_listening patient = {.kinds = LIDO_EVENT_SLOW, .slow_ms = 60000};
    lido_listening impatient = {.kinds = LIDO_EVENT_SLOW, .slow_ms = 0};
    lido_engine_listen(engine, &patient, remember_place, &none);
    lido_engine_listen(engine, &impatient, remember_place, &all);
    lido_engine_listen(engine, &impatient, saw_event, NULL);
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        lido_send(db, "INSERT INTO items VALUES (1, 'travels along')");
        lido_exec(db, "INSERT INTO items VALUES (2, 'waits')");
    }
    saw("%d patient, %d impatient", none.told, all.told);
}

static void story_of_a_really_slow_statement(lido_engine *engine) {
    static place slow;
    slow = (place){.told = 0};
    lido_listening half = {.kinds = LIDO_EVENT_SLOW, .slow_ms = 30};
    lido_engine_listen(engine, &half, remember_place, &slow);
    lido_session_options options = {.autocommit = true, .statement_timeout_ms = 60};
    lido_session *db = lido_session_open(engine, &options);
    lido_exec(db, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
    saw_error(db);
    saw("%d slow", slow.told);
    assert_true(slow.duration_us >= 30000);
    lido_session_close(db);
}

/* ---- Values ---- */

static bool saw_values(const lido_event *event, void *user) {
    if (event->value_count == 0) {
        saw("%s sees no values, %s", (const char *)user,
            event->values == NULL ? "not even a pointer" : "but a pointer");
        return true;
    }
    saw("%s sees %zu: %" PRId64 " and %.*s", (const char *)user, event->value_count, event->values[0].as.integer,
        (int)event->values[1].size, event->values[1].as.text);
    return true;
}

static void story_of_values(lido_engine *engine) {
    unsigned kinds = LIDO_EVENT_BEFORE | LIDO_EVENT_AFTER;
    make_items(engine);
    lido_engine_listen(engine, &(lido_listening){.kinds = kinds}, saw_values, "the first");
    lido_engine_listen(engine, &(lido_listening){.kinds = kinds, .values = true}, saw_values, "the second");
    lido_session *db = lido_session_open(engine, &autocommit);
    lido_exec(db, "INSERT INTO items VALUES (:id, :name)", LIDO_AS("name", "lamp"), LIDO_AS("id", 7));
    lido_session_close(db);
}

/* ---- Refusing ---- */

typedef struct doorkeeper {
    bool shut;
    const char *why; /* NULL: nothing is said */
    int asked;
} doorkeeper;

static bool keep_door(const lido_event *event, void *user) {
    doorkeeper *keeper = user;
    keeper->asked++;
    if (keeper->shut && keeper->why != NULL)
        return lido_event_refuse(event, "%s", keeper->why);
    return !keeper->shut;
}

static void try_a_statement(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "SELECT 1");
    const lido_error *error = lido_error_of(db);
    if (lido_failed(db))
        saw("%s: %s", lido_category_name(error->category), error->message);
    else
        saw("let in");
    lido_session_close(db);
}

/* A pool of one connection, so that a slot that is lost shows. */
static lido_engine *engine_with_one(void) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 1;
    options.max_overflow = 0;
    options.pool_timeout_ms = 100;
    return scenario_engine(&options);
}

static void refuse_at(unsigned kind) {
    doorkeeper keeper = {.shut = true};
    lido_pool_stats stats;
    lido_engine *engine = engine_with_one();
    lido_engine_listen(engine, &(lido_listening){.kinds = kind}, keep_door, &keeper);
    listen_to(engine, LIDO_EVENT_CHECKIN | LIDO_EVENT_CLOSE | LIDO_EVENT_BEGIN | LIDO_EVENT_ROLLBACK);
    try_a_statement(engine);
    keeper.why = "closed on Sundays";
    try_a_statement(engine);
    lido_engine_stats(engine, &stats);
    saw("%d open, %d in use, %d down", stats.open, stats.in_use, stats.down);
    keeper.shut = false;
    try_a_statement(engine);
    saw("asked %d times", keeper.asked);
    lido_engine_close(engine);
}

static void story_of_a_refused_connect(lido_engine *engine) {
    (void)engine;
    refuse_at(LIDO_EVENT_CONNECT);
}

static void story_of_a_refused_first_connect(lido_engine *engine) {
    (void)engine;
    refuse_at(LIDO_EVENT_FIRST_CONNECT);
}

static void story_of_a_refused_checkout(lido_engine *engine) {
    (void)engine;
    refuse_at(LIDO_EVENT_CHECKOUT);
}

/* Every event but the three that may be refused. */
static void story_of_a_refusal_in_vain(lido_engine *engine) {
    static doorkeeper keeper;
    keeper = (doorkeeper){.shut = true, .why = "no, no, no"};
    unsigned kinds = LIDO_EVENT_ALL & ~(LIDO_EVENT_FIRST_CONNECT | LIDO_EVENT_CONNECT | LIDO_EVENT_CHECKOUT);
    lido_status outcome;
    lido_engine_listen(engine, &(lido_listening){.kinds = kinds}, keep_door, &keeper);
    lido_transaction (db, engine, &outcome)
        lido_exec(db, "SELECT 1");
    saw("%s", lido_status_name(outcome));
    assert_true(keeper.asked >= 5);
}

/* ---- Several listeners ---- */

static void story_of_several_listeners(lido_engine *engine) {
    static doorkeeper keeper;
    keeper = (doorkeeper){.shut = true};
    lido_listening checkouts = {.kinds = LIDO_EVENT_CHECKOUT};
    lido_engine_listen(engine, &checkouts, saw_event, "first ");
    lido_engine_listen(engine, &checkouts, keep_door, &keeper);
    lido_engine_listen(engine, &checkouts, saw_event, "third ");
    try_a_statement(engine);
    for (int i = 3; i < LIDO_LISTENERS_MOST; i++)
        assert_int_equal(lido_engine_listen(engine, &checkouts, keep_door, &keeper), LIDO_OK);
    saw("%s", lido_status_name(lido_engine_listen(engine, &checkouts, saw_event, "one too many ")));
    try_a_statement(engine);
}

static void story_of_a_deaf_listener(lido_engine *engine) {
    saw("%s", lido_status_name(lido_engine_listen(engine, &(lido_listening){.kinds = 0}, saw_event, NULL)));
    saw("%s", lido_status_name(lido_engine_listen(engine, &(lido_listening){.kinds = 1U << 30}, saw_event, NULL)));
}

static bool write_down(const lido_event *event, void *user) {
    lido_session *db = lido_session_open(user, &autocommit);
    lido_exec(db, "INSERT INTO items VALUES (99, 'by the listener')");
    saw("%s, and wrote it down: %s", lido_event_name(event->kind), lido_failed(db) ? "failed" : "done");
    lido_session_close(db);
    return true;
}

static void story_of_a_listener_that_uses_its_engine(lido_engine *engine) {
    lido_status outcome;
    lido_engine *one = engine_with_one();
    lido_session *maker = lido_session_open(one, &autocommit);
    lido_exec(maker, "CREATE TABLE items (id integer, name text)");
    lido_session_close(maker);
    lido_engine_listen(one, &(lido_listening){.kinds = LIDO_EVENT_COMMIT}, write_down, one);
    listen_to(one, LIDO_EVENT_BEFORE);
    lido_transaction (db, one, &outcome)
        lido_exec(db, "INSERT INTO items VALUES (1, 'lamp')");
    saw("%s", lido_status_name(outcome));
    lido_session *db = lido_session_open(one, NULL);
    saw("%d items", (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer);
    lido_session_close(db);
    lido_engine_close(one);
    (void)engine;
}

/* ---- Held too long ---- */

typedef struct leak_report {
    atomic_int told;
    int line;
    char statement[80];
} leak_report;

static bool remember_leak(const lido_event *event, void *user) {
    leak_report *report = user;
    report->line = event->line;
    snprintf(report->statement, sizeof report->statement, "%s", event->statement);
    atomic_fetch_add(&report->told, 1);
    return true;
}

static void wait_ms(long ms) {
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void story_of_a_leak(lido_engine *engine) {
    leak_report report = {.line = 0};
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_leak_after_ms = 50;
    lido_engine *watched = scenario_engine(&options);
    lido_engine_listen(watched, &(lido_listening){.kinds = LIDO_EVENT_LEAK}, remember_leak, &report);
    lido_session *db = lido_session_open(watched, NULL);
    lido_exec(db, "SELECT 1");
    int line = __LINE__ - 1;
    lido_exec(db, "SELECT 2");
    for (int i = 0; i < 500 && atomic_load(&report.told) == 0; i++)
        wait_ms(10);
    wait_ms(60);
    saw("told %d times: %s", atomic_load(&report.told), report.statement);
    assert_int_equal(report.line, line);
    lido_session_close(db);
    lido_engine_close(watched);
    (void)engine;
}

/* ---- The log ---- */

enum { LOG_MOST = 16 * 1024 };

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_text[LOG_MOST];

static void keep_line(lido_log_level level, const char *line, void *user) {
    (void)user;
    pthread_mutex_lock(&log_lock);
    size_t used = strlen(log_text);
    snprintf(log_text + used, sizeof log_text - used, "%s: %s\n", lido_log_level_name(level), line);
    pthread_mutex_unlock(&log_lock);
}

static void log_begins(lido_log_level level) {
    log_text[0] = '\0';
    assert_int_equal(lido_log_listen(level, keep_line, NULL), LIDO_OK);
}

static void log_ends(void) {
    lido_log_listen(LIDO_LOG_ERROR, NULL, NULL);
}

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
    lido_session *db = lido_session_open(engine, &autocommit);
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

static const scenario scenarios[] = {
    {"a transaction is told from its connection to its commit", story_of_a_transaction,
     "first connect 1\n"
     "connect 1\n"
     "checkout 1\n"
     "begin 1\n"
     "before statement 1: CREATE TABLE items (id integer)\n"
     "after statement 1, ok: CREATE TABLE items (id integer)\n"
     "before statement 1: INSERT INTO items VALUES (?)\n"
     "before statement 1: INSERT INTO items VALUES (?), (?)\n"
     "after statement 1, ok, 1 changed: INSERT INTO items VALUES (?)\n"
     "after statement 1, ok, 2 changed: INSERT INTO items VALUES (?), (?)\n"
     "checkin 1\n"
     "commit 1, ok\n"
     "ok\n"
     "checkout 1\n"
     "begin 1\n"
     "before statement 1: SELECT count(*) FROM items\n"
     "after statement 1, ok: SELECT count(*) FROM items\n"
     "checkin 1\n"
     "commit 1, ok\n"
     "close 1\n"},
    {"in autocommit mode there are statements alone", story_of_autocommit,
     "checkout 1\n"
     "before statement 1: INSERT INTO items VALUES (1, 'lamp')\n"
     "after statement 1, ok, 1 changed: INSERT INTO items VALUES (1, 'lamp')\n"
     "checkin 1\n"
     "checkout 1\n"
     "before statement 1: INSERT INTO items VALUES (1, 'chair')\n"
     "error 1, unique violation: INSERT INTO items VALUES (1, 'chair')\n"
     "after statement 1, error, unique violation: INSERT INTO items VALUES (1, 'chair')\n"
     "checkin 1\n"
     "checkout 1\n"
     "before statement 1: SELECT 2\n"
     "after statement 1, ok: SELECT 2\n"
     "checkin 1\n"
     "close 1\n"},
    {"savepoints are told by number, if the database hears of them", story_of_savepoints,
     "nothing is done in this one\n"
     "begin 1\n"
     "savepoint 1 (1)\n"
     "before statement 1: INSERT INTO items VALUES (1, 'lamp')\n"
     "savepoint 1 (2)\n"
     "before statement 1: INSERT INTO items VALUES (1, 'chair')\n"
     "error 1, unique violation: INSERT INTO items VALUES (1, 'chair')\n"
     "savepoint rollback 1 (2)\n"
     "savepoint release 1 (1)\n"
     "commit 1, ok\n"
     "ok\n"
     "close 1\n"},
    {"a failure is told once, with what was not run because of it", story_of_a_failure,
     "checkout 1\n"
     "begin 1\n"
     "before statement 1: INSERT INTO items VALUES (1, 'lamp')\n"
     "after statement 1, ok, 1 changed: INSERT INTO items VALUES (1, 'lamp')\n"
     "before statement 1: INSERT INTO items VALUES (1, 'chair')\n"
     "before statement 1: INSERT INTO items VALUES (2, 'table')\n"
     "error 1, unique violation: INSERT INTO items VALUES (1, 'chair')\n"
     "after statement 1, error, unique violation: INSERT INTO items VALUES (1, 'chair')\n"
     "after statement 1, rolled back: INSERT INTO items VALUES (2, 'table')\n"
     "reset 1, ok\n"
     "checkin 1\n"
     "rollback 1, unique violation\n"
     "rolled back\n"
     "close 1\n"},
    {"what does not reach the database is not told, but its errors are", story_of_nothing, "nothing\nerror, misuse\n"},
    {"a session closed early resets its connection, an engine closes its own", story_of_a_session_closed_early,
     "first connect 1\n"
     "connect 1\n"
     "checkout 1\n"
     "begin 1\n"
     "before statement 1: SELECT 1\n"
     "after statement 1, ok: SELECT 1\n"
     "reset 1, ok\n"
     "checkin 1\n"
     "rollback 1\n"
     "first connect 1\n"
     "connect 1\n"
     "closing an engine\n"
     "close 1\n"
     "closed\n"
     "close 1\n"},
    {"an event says where, how long, with how many others, and on which database", story_of_the_place, ""},
    {"a slow round trip is told of its last statement, or of COMMIT", story_of_slow_statements,
     "slow 1: CREATE TABLE items (id integer PRIMARY KEY, name text)\n"
     "slow 1: INSERT INTO items VALUES (2, 'waits')\n"
     "slow 1: COMMIT\n"
     "0 patient, 3 impatient\n"},
    {"a statement that takes longer than slow_ms is slow", story_of_a_really_slow_statement, "timeout\n1 slow\n"},
    {"values are shown to those who asked for them", story_of_values,
     "the first sees no values, not even a pointer\n"
     "the second sees 2: 7 and lamp\n"
     "the first sees no values, not even a pointer\n"
     "the second sees 2: 7 and lamp\n"},
    {"a refused connection is closed, and its slot is free again", story_of_a_refused_connect,
     "close 1\n"
     "other error: a listener refused the connection at connect\n"
     "close 2\n"
     "other error: closed on Sundays\n"
     "0 open, 0 in use, 0 down\n"
     "begin 3\n"
     "let in\n"
     "checkin 3\n"
     "rollback 3\n"
     "asked 3 times\n"
     "close 3\n"},
    {"the first connection is the first that is let in", story_of_a_refused_first_connect,
     "close 1\n"
     "other error: a listener refused the connection at first connect\n"
     "close 2\n"
     "other error: closed on Sundays\n"
     "0 open, 0 in use, 0 down\n"
     "begin 3\n"
     "let in\n"
     "checkin 3\n"
     "rollback 3\n"
     "asked 3 times\n"
     "close 3\n"},
    {"a connection refused at checkout goes back", story_of_a_refused_checkout,
     "checkin 1\n"
     "other error: a listener refused the connection at checkout\n"
     "checkin 1\n"
     "other error: closed on Sundays\n"
     "1 open, 0 in use, 0 down\n"
     "begin 1\n"
     "let in\n"
     "checkin 1\n"
     "rollback 1\n"
     "asked 3 times\n"
     "close 1\n"},
    {"what cannot be refused is not", story_of_a_refusal_in_vain, "ok\n"},
    {"all listeners are asked, in their order; there is room for sixteen", story_of_several_listeners,
     "first checkout 1\n"
     "third checkout 1\n"
     "other error: a listener refused the connection at checkout\n"
     "error\n"
     "first checkout 1\n"
     "third checkout 1\n"
     "other error: a listener refused the connection at checkout\n"},
    {"a listener that wants to hear nothing is not taken", story_of_a_deaf_listener, "error\nerror\n"},
    {"a listener may use its own engine, and is not told of that", story_of_a_listener_that_uses_its_engine,
     "before statement 1: INSERT INTO items VALUES (1, 'lamp')\n"
     "commit, and wrote it down: done\n"
     "ok\n"
     "before statement 1: SELECT count(*) FROM items\n"
     "2 items\n"},
    {"a connection held too long is told once, with its last statement", story_of_a_leak, "told 1 times: SELECT 2\n"},
    {"the log shows statements, and no values", story_of_the_log_without_values,
     "the session unique violation\nstatement 1, category 1, numbers 0, texts 0\ncheckout 1, close 1\n"},
    {"the log shows values to those who asked for them", story_of_the_log_with_values,
     "the session unique violation\nstatement 1, category 1, numbers 1, texts 1\ncheckout 1, close 1\n"},
    {"no event and no line has a password", story_of_a_password, "disconnected\nuser 1, password 0\nerror 1\n"},
    {"the log tells of engines and sessions that were left open", story_of_what_was_left_open,
     "engine 1\nsession 1\nafter its end 0\n"},
    {"the server's notices go to the log", story_of_notices, "failed 0, at the level above 0\nas it should be: 1 1\n"},
};

int main(void) {
    return scenarios_run("events", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
