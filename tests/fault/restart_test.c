/* The server is stopped at once, in the middle of everything, under 16 threads, and comes back: nobody hangs, every
 * error says what it is, what was acknowledged stands once, and the pool recovers by itself.
 * tests/support/with-postgres starts the server again. */
#include "engines.h"
#include "server_process.h"
#include "soak.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum {
    WORKERS = 16,
    STOPS = 2,
    RECORDS_MOST = 200000,  /* of one worker */
    BUSY_MS = 500,          /* between the stops */
    NOTICED_MOST_MS = 6500, /* until all workers work again: the pool's longest pause, and some */
    CALL_MOST_MS = 15000
};

typedef struct worker {
    pthread_t thread;
    int number;
    atomic_int done; /* records acknowledged */
    int count;       /* records tried */
    unsigned char outcomes[RECORDS_MOST];
    int64_t longest_us; /* that one transaction took */
    bool surprised;
    lido_error surprise; /* an error that a stopped server does not explain */
} worker;

static worker workers[WORKERS];
static atomic_bool stopping;

/* ---- The workers ---- */

typedef struct record {
    int worker;
    int number;
} record;

static bool write_record(lido_session *db, void *argument) {
    const record *written = argument;
    lido_exec(db, "INSERT INTO records VALUES (?, ?, 1)", written->worker, written->number);
    lido_exec(db, "INSERT INTO records VALUES (?, ?, 2)", written->worker, written->number);
    return true;
}

/* No connection, a broken one, a commit in doubt; a server that is starting or stopping refuses with 57P03. */
static bool is_explained(const lido_error *error) {
    return error->category == LIDO_ERROR_DISCONNECTED || error->category == LIDO_ERROR_UNKNOWN_OUTCOME;
}

static void note(worker *self, lido_status outcome, const lido_error *error) {
    self->outcomes[self->count++] = (unsigned char)outcome;
    if (outcome == LIDO_OK) {
        atomic_fetch_add(&self->done, 1);
    } else if (!self->surprised && !is_explained(error)) {
        self->surprised = true;
        self->surprise = *error;
    }
}

/* A record that failed is not tried again: the next one has its own key. */
static void *work(void *argument) {
    worker *self = argument;
    while (!atomic_load(&stopping) && self->count < RECORDS_MOST) {
        lido_error error = LIDO_ERROR_INIT;
        record next = {self->number, self->count};
        int64_t began = lido__clock_now_us();
        lido_status outcome = lido_transact(engine, &(lido_transact_options){.error = &error}, write_record, &next);
        int64_t took = lido__clock_now_us() - began;
        self->longest_us = took > self->longest_us ? took : self->longest_us;
        note(self, outcome, &error);
        if (outcome != LIDO_OK)
            poll(NULL, 0, 1);
    }
    return NULL;
}

/* Every worker has a record acknowledged that it had not when this was called. */
static void wait_until_all_work(int most_ms) {
    int before[WORKERS];
    int64_t deadline = lido__clock_now_us() + most_ms * INT64_C(1000);
    for (int i = 0; i < WORKERS; i++)
        before[i] = atomic_load(&workers[i].done);
    for (int i = 0; i < WORKERS; i++)
        while (atomic_load(&workers[i].done) == before[i]) {
            if (lido__clock_now_us() > deadline)
                fail_msg("worker %d does not work again", i);
            poll(NULL, 0, 5);
        }
}

/* ---- What stands ---- */

static void read_records(lido_session *db, int number, unsigned char *halves) {
    int index;
    int64_t half;
    lido_rows *rows = lido_stream(db, "SELECT number, half FROM records WHERE worker = ?", number);
    while (lido_next(rows) && lido_scan(rows, &index, &half)) {
        assert_in_range(index, 0, RECORDS_MOST - 1);
        assert_in_range(half, 1, 2);
        halves[index] = (unsigned char)(halves[index] + half * 4 + 1); /* 5 for one, 9 for the other */
    }
    expect_no_error(db);
    lido_rows_close(rows);
}

static void check_worker(lido_session *db, const worker *checked, int64_t counts[4]) {
    static unsigned char halves[RECORDS_MOST];
    memset(halves, 0, sizeof halves);
    if (checked->surprised) {
        lido_error_print(&checked->surprise, stderr);
        fail_msg("worker %d met an error that nothing explains", checked->number);
    }
    read_records(db, checked->number, halves);
    for (int i = 0; i < checked->count; i++) {
        lido_status outcome = (lido_status)checked->outcomes[i];
        bool stands = halves[i] == 5 + 9; /* both, once */
        bool told = outcome == LIDO_OK ? stands : halves[i] == 0 || (stands && outcome == LIDO_UNKNOWN);
        if (!told)
            fail_msg("worker %d, record %d: %s, and it %s", checked->number, i, lido_status_name(outcome),
                     stands           ? "stands"
                     : halves[i] == 0 ? "does not stand"
                                      : "stands in part, or twice");
        counts[outcome]++;
    }
    assert_in_range(checked->longest_us / 1000, 0, CALL_MOST_MS);
}

static void check_records(void) {
    int64_t counts[4] = {0};
    lido_session *db = lido_session_open(engine, NULL);
    for (int i = 0; i < WORKERS; i++)
        check_worker(db, &workers[i], counts);
    lido_session_close(db);
    print_message("%" PRId64 " committed, %" PRId64 " rolled back, %" PRId64 " unknown\n", counts[LIDO_OK],
                  counts[LIDO_ROLLED_BACK], counts[LIDO_UNKNOWN]);
    assert_int_equal(counts[LIDO_ERROR], 0);
    assert_true(counts[LIDO_ROLLED_BACK] + counts[LIDO_UNKNOWN] > 0);
}

static void check_pool(void) {
    lido_pool_stats stats;
    lido_engine_stats(engine, &stats);
    assert_false(stats.down);
    assert_int_equal(stats.in_use, 0);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.open, stats.idle);
    assert_true(stats.open > 0);
    assert_true(stats.failed_connects > 0);
    assert_int_equal(stats.timeouts, 0);
}

/* ---- The tests ---- */

static int begin(void **state) {
    (void)state;
    if (getenv("LIDO_TEST_POSTGRES_DIRECTORY") == NULL ||
        !open_server(
            "DROP TABLE IF EXISTS records; CREATE TABLE records (worker integer, number integer, half integer)"))
        return 0; /* the test will skip itself */
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 8;
    options.max_overflow = 4;
    engine = open_surely(postgres_url(), &options);
    return 0;
}

static void a_server_that_is_stopped_under_many_is_survived(void **state) {
    (void)state;
    need_a_server_of_ours();
    atomic_store(&stopping, false);
    memset(workers, 0, sizeof workers);
    for (int i = 0; i < WORKERS; i++) {
        workers[i].number = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int stop = 0; stop < STOPS; stop++) {
        wait_until_all_work(NOTICED_MOST_MS);
        poll(NULL, 0, BUSY_MS);
        assert_true(stop_at_once());
        wait_until_it_is_back();
    }
    wait_until_all_work(NOTICED_MOST_MS);
    atomic_store(&stopping, true);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(workers[i].thread, NULL);
    check_records();
    check_pool();
}

/* Nothing had gone wrong in this pool before: its idle connections are all looked at, or given up together. */
static void connections_that_idled_meanwhile_are_not_noticed(void **state) {
    (void)state;
    enum { IDLE = 5 };
    lido_session *sessions[IDLE];
    lido_pool_stats stats;
    need_a_server_of_ours();
    for (int i = 0; i < IDLE; i++) {
        sessions[i] = lido_session_open(engine, NULL);
        lido_query(sessions[i], "SELECT 1");
        expect_no_error(sessions[i]);
    }
    for (int i = 0; i < IDLE; i++)
        lido_session_close(sessions[i]);
    assert_true(stop_at_once());
    wait_until_it_is_back();
    for (int i = 0; i < 2 * IDLE; i++)
        assert_int_equal(ask_surely(engine, "SELECT 1"), 1);
    lido_engine_stats(engine, &stats);
    assert_in_range(stats.invalidated, 1, IDLE);
    assert_int_equal(stats.failed_connects, 0);
}

#define RESTART_TEST(test) cmocka_unit_test_setup_teardown(test, begin, close_engines)

static int run_once(void) {
    const struct CMUnitTest tests[] = {
        RESTART_TEST(a_server_that_is_stopped_under_many_is_survived),
        RESTART_TEST(connections_that_idled_meanwhile_are_not_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
    return soak_run(run_once);
}
