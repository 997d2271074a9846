/* Listeners: what they may refuse, how many there may be, what they may do themselves, and what they hear of leaks. */
#include "support/saw_events.h"

#include <stdatomic.h>
#include <time.h>

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

static void refuse_at(unsigned kind) {
    doorkeeper keeper = {.shut = true};
    lido_pool_stats stats;
    lido_engine *engine = engine_with_one_connection();
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
    lido_session *db = lido_session_open(user, &(lido_session_options){.autocommit = true});
    lido_exec(db, "INSERT INTO items VALUES (99, 'by the listener')");
    saw("%s, and wrote it down: %s", lido_event_name(event->kind), lido_failed(db) ? "failed" : "done");
    lido_session_close(db);
    return true;
}

static void story_of_a_listener_that_uses_its_engine(lido_engine *engine) {
    lido_status outcome;
    lido_engine *one = engine_with_one_connection();
    saw_one_connection = true;
    lido_session *maker = lido_session_open(one, &(lido_session_options){.autocommit = true});
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
    saw_one_connection = false;
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

int main(void) {
    const scenario scenarios[] = {
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
        {"a connection held too long is told once, with its last statement", story_of_a_leak,
         "told 1 times: SELECT 2\n"},
    };
    return scenarios_run("listeners", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
