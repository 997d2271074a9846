/* How often a transaction goes to the server and back, counted by a relay between the two. */
#include "counting_relay.h"

static counting_relay between;
static lido_engine *engine;

static int open_engine(void **state) {
    (void)state;
    if (getenv("LIDO_TEST_POSTGRES_URL") == NULL)
        return 0;
    lido_options options = LIDO_OPTIONS_INIT;
    counting_relay_start(&between, getenv("LIDO_TEST_POSTGRES_PORT"));
    options.host = "127.0.0.1";
    options.port = between.port;
    options.password = getenv("LIDO_TEST_POSTGRES_PASSWORD");
    options.sslmode = "disable";
    options.pool_size = 1;
    options.max_overflow = 0;
    engine = open_surely(postgres_url(), &options);
    run_surely(engine, "DROP TABLE IF EXISTS trips; CREATE TABLE trips (id bigint PRIMARY KEY, count bigint)");
    run_surely(engine, "INSERT INTO trips SELECT i, 0 FROM generate_series(1, 5) AS i");
    return 0;
}

static int close_engine(void **state) {
    (void)state;
    if (engine == NULL)
        return 0;
    run_surely(engine, "DROP TABLE trips");
    lido_engine_close(engine);
    counting_relay_stop(&between);
    return 0;
}

/* Of all connections; the relay counts before it passes on, so what has been answered has been counted. */
static int trips(void) {
    int all = 0;
    for (int i = 0; i < atomic_load(&between.count); i++)
        all += atomic_load(&between.connections[i].trips);
    return all;
}

static void five_sends(lido_session *db) {
    for (int64_t id = 1; id <= 5; id++)
        lido_send(db, "UPDATE trips SET count = count + 1 WHERE id = ?", id);
}

static int trips_of_five_sends(void) {
    lido_error outcome;
    int before = trips();
    lido_transaction (db, engine, &outcome)
        five_sends(db);
    assert_int_equal(outcome.status, LIDO_OK);
    return trips() - before;
}

/* BEGIN, what is sent, and COMMIT travel together, whether the statement has been prepared before or not. */
static void five_writes_are_one_round_trip(void **state) {
    (void)state;
    postgres_url();
    for (int i = 0; i < 3; i++)
        assert_int_equal(trips_of_five_sends(), 1);
}

/* What looks at an answer waits for it: BEGIN with the read, the five with COMMIT. */
static void a_read_and_five_writes_are_two(void **state) {
    (void)state;
    postgres_url();
    lido_error outcome;
    int before = trips();
    lido_transaction (db, engine, &outcome) {
        assert_int_equal(lido_query_value(db, "SELECT count(*) FROM trips").as.integer, 5);
        five_sends(db);
    }
    assert_int_equal(outcome.status, LIDO_OK);
    assert_int_equal(trips() - before, 2);
}

/* Each that is waited for is one, BEGIN none of its own. */
static void five_waits_and_a_commit_are_six(void **state) {
    (void)state;
    postgres_url();
    lido_error outcome;
    int before = trips();
    lido_transaction (db, engine, &outcome)
        for (int64_t id = 1; id <= 5; id++)
            assert_int_equal(lido_exec(db, "UPDATE trips SET count = count + 1 WHERE id = ?", id), 1);
    assert_int_equal(outcome.status, LIDO_OK);
    assert_int_equal(trips() - before, 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_writes_are_one_round_trip),
        cmocka_unit_test(a_read_and_five_writes_are_two),
        cmocka_unit_test(five_waits_and_a_commit_are_six),
    };
    return cmocka_run_group_tests(tests, open_engine, close_engine);
}
