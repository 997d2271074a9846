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

/* ---- Objects ---- */

typedef struct TripOwner {
    lido_uuid id;
    const char *name;
} TripOwner;

typedef struct TripThing {
    int64_t id;
    const char *name;
    lido_uuid owner_id;
    TripOwner *owner;
} TripThing;

LIDO_MODEL(TripOwner, "trip_owners", LIDO_KEY(TripOwner, id), LIDO_FIELD(TripOwner, name));
LIDO_MODEL(TripThing, "trip_things", LIDO_KEY(TripThing, id, .natural = true), LIDO_FIELD(TripThing, name),
           LIDO_REF(TripThing, owner_id, TripOwner, LIDO_OBJECT(TripThing, owner)));

enum { OWNERS = 6, THINGS = 12 };

static int make_tables(void **state) {
    (void)state;
    if (engine == NULL)
        return 0;
    run_surely(engine, "DROP TABLE IF EXISTS trip_things; DROP TABLE IF EXISTS trip_owners");
    lido_error outcome;
    lido_transaction (db, engine, &outcome)
        lido_create_all(db, LIDO_MODEL_LIST(&TripThing_model, &TripOwner_model));
    return outcome.status == LIDO_OK ? 0 : -1;
}

static int drop_tables(void **state) {
    (void)state;
    if (engine != NULL)
        run_surely(engine, "DROP TABLE trip_things; DROP TABLE trip_owners");
    return 0;
}

static void add_things(lido_session *db) {
    TripOwner *owners[OWNERS];
    for (int i = 0; i < OWNERS; i++)
        owners[i] = lido_add(db, TripOwner, &(TripOwner){.name = "owner"});
    for (int i = 0; i < THINGS; i++)
        lido_add(db, TripThing, &(TripThing){.id = i + 1, .name = "thing", .owner = owners[i % OWNERS]});
}

/* Keys that nobody waits for: all rows of both models go in one piece, BEGIN with them; and then COMMIT. */
static void a_flush_is_one_round_trip(void **state) {
    (void)state;
    postgres_url();
    lido_session *db = lido_session_open(engine, NULL);
    int before = trips();
    add_things(db);
    assert_int_equal(trips(), before);
    assert_true(lido_flush(db));
    assert_int_equal(trips() - before, 1);
    assert_int_equal(lido_commit(db), LIDO_OK);
    assert_int_equal(trips() - before, 2);
    size_t count;
    TripThing **things = lido_find(db, TripThing, &count, "ORDER BY id");
    assert_int_equal(count, THINGS);
    before = trips();
    for (int i = 0; i < THINGS; i += 2)
        things[i]->name = "another thing";
    lido_remove(db, TripThing, things[1]);
    assert_true(lido_flush(db));
    assert_int_equal(trips() - before, 1);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
}

/* However many owners there are. */
static void what_many_refer_to_is_one_round_trip(void **state) {
    (void)state;
    postgres_url();
    size_t count;
    lido_error outcome;
    lido_transaction (db, engine, &outcome)
        add_things(db);
    assert_int_equal(outcome.status, LIDO_OK);
    lido_session *db = lido_session_open(engine, NULL);
    TripThing **things = lido_find(db, TripThing, &count, "");
    int before = trips();
    assert_true(lido_load_related(db, TripThing, things, count, owner));
    assert_int_equal(trips() - before, 1);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(things[i]->owner->name, "owner");
    assert_true(lido_load_related(db, TripThing, things, count, owner));
    assert_int_equal(trips() - before, 1);
    lido_session_close(db);
}

#define OBJECT_TEST(test) cmocka_unit_test_setup_teardown(test, make_tables, drop_tables)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_writes_are_one_round_trip),  cmocka_unit_test(a_read_and_five_writes_are_two),
        cmocka_unit_test(five_waits_and_a_commit_are_six), OBJECT_TEST(a_flush_is_one_round_trip),
        OBJECT_TEST(what_many_refer_to_is_one_round_trip),
    };
    return cmocka_run_group_tests(tests, open_engine, close_engine);
}
