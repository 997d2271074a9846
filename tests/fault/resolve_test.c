/* What the server says became of a transaction, and when that proves nothing: the cases that a lost answer to COMMIT
 * can meet, made by hand. */
#include "databases.h"
#include "in_task.h"

#include <string.h>

#include "await/await.h"
#include "base/clock.h"
#include "core/engine.h"

static lido_engine *engine;
static lido__connection *asker; /* asks on its own */

static int begin(void **state) {
    lido_error error = LIDO_ERROR_INIT;
    (void)state;
    if (getenv("LIDO_TEST_POSTGRES_URL") == NULL)
        return 0; /* the test will skip itself */
    engine = open_surely(postgres_url(), NULL);
    run_surely(engine, "DROP TABLE IF EXISTS resolved; CREATE TABLE resolved (id integer)");
    asker = lido__backend_postgres.open(&engine->config, NULL, &error);
    return asker != NULL ? 0 : -1;
}

static int end(void **state) {
    (void)state;
    if (engine == NULL)
        return 0;
    lido__backend_postgres.close(asker);
    lido_engine_close(engine);
    engine = NULL;
    return 0;
}

/* A mark of the transaction that `db` has open and has written in. */
static lido__mark mark_of(lido_session *db) {
    lido_error error = LIDO_ERROR_INIT;
    lido__mark mark = {.known = false};
    lido_exec(db, "INSERT INTO resolved VALUES (1)");
    lido_value id = lido_query_value(db, "SELECT pg_current_xact_id()::text");
    expect_no_error(db);
    assert_true(lido__backend_postgres.mark(asker, &mark, &error));
    assert_true(mark.known);
    assert_string_equal(mark.transaction, ""); /* the asker itself has written nothing */
    snprintf(mark.transaction, sizeof mark.transaction, "%s", id.as.text);
    return mark;
}

static void expect(lido__resolution expected, const lido__mark *mark) {
    assert_int_equal(lido__backend_postgres.resolve(asker, mark), expected);
    assert_false(asker->broken);
}

/* The rollback was sent and not waited for. */
static void expect_soon_rolled_back(const lido__mark *mark) {
    int64_t deadline = lido__clock_now_us() + 10 * INT64_C(1000000);
    while (lido__backend_postgres.resolve(asker, mark) == LIDO__RESOLVED_NOT_YET && lido__clock_now_us() < deadline)
        lido__await_moment(lido__clock_now_us() + 1000);
    expect(LIDO__RESOLVED_ROLLED_BACK, mark);
}

static void a_transaction_that_is_open_is_to_be_asked_for_again(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    lido__mark mark = mark_of(db);
    expect(LIDO__RESOLVED_NOT_YET, &mark);
    assert_int_equal(lido_commit(db), LIDO_OK);
    expect(LIDO__RESOLVED_COMMITTED, &mark);
    lido_session_close(db);
}

static void a_transaction_that_was_rolled_back_is_known_to_be(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    lido__mark mark = mark_of(db);
    lido_rollback(db);
    expect_soon_rolled_back(&mark);
    lido_session_close(db);
}

static void what_wrote_nothing_did_nothing(void **state) {
    (void)state;
    lido_error error = LIDO_ERROR_INIT;
    lido__mark mark = {.known = false};
    postgres_url();
    assert_true(lido__backend_postgres.mark(asker, &mark, &error));
    expect(LIDO__RESOLVED_ROLLED_BACK, &mark);
}

/* Another server, or the same one started anew: the id means another transaction there, whatever its status. */
static void another_server_proves_nothing(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    lido__mark mark = mark_of(db);
    assert_int_equal(lido_commit(db), LIDO_OK);
    mark.server[strlen(mark.server) - 1] ^= 1;
    expect(LIDO__RESOLVED_NEVER, &mark);
    lido_session_close(db);
}

/* An id that was given out and is yet to come now was lost in a crash: nobody will ever know. The connection goes
 * on. */
static void a_transaction_to_come_is_no_answer(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    lido__mark mark = mark_of(db);
    lido_rollback(db);
    lido__mark future = mark;
    strcpy(future.transaction, "999999999999");
    expect(LIDO__RESOLVED_NEVER, &future);
    expect_soon_rolled_back(&mark);
    lido_session_close(db);
}

#define RESOLVE_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        RESOLVE_TEST(a_transaction_that_is_open_is_to_be_asked_for_again),
        RESOLVE_TEST(a_transaction_that_was_rolled_back_is_known_to_be),
        RESOLVE_TEST(what_wrote_nothing_did_nothing),
        RESOLVE_TEST(another_server_proves_nothing),
        RESOLVE_TEST(a_transaction_to_come_is_no_answer),
    };
    return tell_in_thread_and_task("resolve", tests, sizeof tests / sizeof tests[0]);
}
