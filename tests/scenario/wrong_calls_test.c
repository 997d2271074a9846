/* Calls that cannot mean anything, and blocks that are left where few leave them: the answer is a word, not a crash. */
#include "support/scenario.h"

#include <string.h>

static bool never_run(lido_session *db, void *argument) {
    (void)db;
    (void)argument;
    fail_msg("the function was run");
    return true;
}

static bool hears_nothing(const lido_event *event, void *user) {
    (void)event;
    (void)user;
    return true;
}

static void saw_told(lido_status status, const lido_error *told) {
    saw("%s, %s: %s", lido_status_name(status), lido_category_name(told->category), told->message);
}

static void story_of_nothing_to_transact(lido_engine *engine) {
    lido_error told = LIDO_ERROR_INIT;
    lido_transact_options options = {.error = &told};
    saw_told(lido_transact(engine, &options, NULL, NULL), &told);
    options.session.autocommit = true;
    saw_told(lido_transact(engine, &options, never_run, NULL), &told);
    saw("%s", lido_status_name(lido_transact(engine, NULL, NULL, NULL)));
}

static void story_of_nobody_to_listen_to(lido_engine *engine) {
    const lido_listening all = {.kinds = LIDO_EVENT_ALL};
    const lido_listening none = {.kinds = 0};
    saw("%s", lido_status_name(lido_engine_listen(NULL, &all, hears_nothing, NULL)));
    saw("%s", lido_status_name(lido_engine_listen(engine, NULL, hears_nothing, NULL)));
    saw("%s", lido_status_name(lido_engine_listen(engine, &none, hears_nothing, NULL)));
    saw("%s", lido_event_name((lido_event_kind)0));
}

static bool refuse_at_length(const lido_event *event, void *user) {
    return lido_event_refuse(event, "%s", (const char *)user);
}

/* A reason of two-byte characters that is longer than a message: cut between two of them, and marked. */
static void story_of_a_long_refusal(lido_engine *engine) {
    char why[1201];
    lido_error told;
    for (size_t i = 0; i < 1200; i += 2)
        memcpy(why + i, "é", 2);
    why[1200] = '\0';
    lido_engine_listen(engine, &(lido_listening){.kinds = LIDO_EVENT_CHECKOUT}, refuse_at_length, why);
    lido_transaction (db, engine, &told)
        lido_exec(db, "SELECT 1");
    saw("%s", lido_category_name(told.category));
    size_t size = strlen(told.message);
    assert_string_equal(told.message + size - strlen("éé…"), "éé…");
}

static void leave_early(lido_engine *engine, const char *sql, lido_status *outcome) {
    const lido_session_options autocommit = {.autocommit = true};
    lido_transaction_with (db, engine, &autocommit, outcome) {
        lido_exec(db, sql);
        return;
    }
}

/* There is nothing to roll back: the outcome is that of the last statement, wherever the block was left. */
static void story_of_an_autocommit_block_left_early(lido_engine *engine) {
    lido_status outcome;
    leave_early(engine, "SELECT 1", &outcome);
    saw("%s", lido_status_name(outcome));
    leave_early(engine, "SELECT nothing FROM nowhere", &outcome);
    saw("%s", lido_status_name(outcome));
}

/* A savepoint's block that is left before its end, after something failed in it, says what. */
static void story_of_a_failed_savepoint_left_early(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_error told;
    for (int turn = 0; turn < 1; turn++)
        lido_savepoint_outcome (db, &told) {
            lido_exec(db, "SELECT nothing FROM nowhere");
            break;
        }
    saw("%s, %s", lido_status_name(told.status), lido_category_name(told.category));
    saw("failed: %d", lido_failed(db));
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

/* A byte order mark, as some editors put it before a text, and nothing behind it: to SQLite alone it is a blank. */
static void story_of_a_lone_byte_order_mark(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "\xEF\xBB\xBF");
    saw_error(db);
    lido_session_close(db);
}

int main(void) {
    const scenario scenarios[] = {
        {"nothing to transact", story_of_nothing_to_transact,
         "error, misuse: the function for lido_transact to run is NULL\n"
         "error, misuse: lido_transact runs a function in a transaction, and autocommit has none\n"
         "error\n"},
        {"nobody to listen to", story_of_nobody_to_listen_to,
         "error\n"
         "error\n"
         "error\n"
         "not an event\n"},
        {"a long refusal", story_of_a_long_refusal, "other error\n"},
        {"an autocommit block left early", story_of_an_autocommit_block_left_early,
         "ok\n"
         "error\n"},
        {"a lone byte order mark", story_of_a_lone_byte_order_mark, "syntax error or unknown name\n"},
        {"a failed savepoint left early", story_of_a_failed_savepoint_left_early,
         "rolled back, syntax error or unknown name\n"
         "failed: 0\n"
         "ok\n"},
    };
    return scenarios_run("wrong calls", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
