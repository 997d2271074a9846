/* Events: what listeners are told, in which order, and what they must never see. What they may refuse is in
 * listeners_test.c. */
#include "support/saw_events.h"

#include <inttypes.h>

static const lido_session_options autocommit = {.autocommit = true};

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

int main(void) {
    saw_one_connection = true;
    const scenario scenarios[] = {
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
        {"what does not reach the database is not told, but its errors are", story_of_nothing,
         "nothing\nerror, misuse\n"},
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
    };
    return scenarios_run("events", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
