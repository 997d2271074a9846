/* Five hundred tasks that are cancelled at random moments while their connections are cut: each transaction stands
 * whole or not at all, as its task was told, and nothing is lost: no connection, no descriptor, no wake-up. */
#include "soak.h"

#include <string.h>

#include "base/random.h"
#include "support/proxy.h"

enum { TASKS = 500, CONNECTIONS = 8, ROUND_MS = 1500 };

typedef struct worker {
    struct crowd *crowd;
    int64_t number;
    lido_task *task;
    lido_status outcome;
    bool over;
} worker;

typedef struct crowd {
    lido_engine *engine;
    lido_loop *loop;
    proxy *between; /* NULL: nothing is cut */
    worker workers[TASKS];
    int cancelled;
} crowd;

static void *insert_halves(void *argument) {
    worker *self = argument;
    lido_status outcome;
    lido_sleep(lido__random_below(ROUND_MS / 2));
    lido_transaction (db, self->crowd->engine, &outcome) {
        lido_exec(db, "INSERT INTO halves VALUES (?, 1)", self->number);
        if (self->number % 4 == 0) {
            lido_rows *rows = lido_stream(db, "SELECT number FROM halves");
            for (int i = 0; i < 10 && lido_next(rows); i++)
                lido_yield();
            lido_rows_close(rows);
        }
        lido_send(db, "INSERT INTO halves VALUES (?, 2)", self->number);
    }
    self->outcome = outcome;
    self->over = true;
    return NULL;
}

static void hit_one(crowd *among) {
    worker *victim = &among->workers[lido__random_below(TASKS)];
    if (victim->over)
        return;
    lido_task_cancel(victim->task);
    among->cancelled++;
}

static void cut_one(crowd *among) {
    static const proxy_fault faults[] = {PROXY_CUTS, PROXY_RESETS};
    if (among->between != NULL)
        proxy_arm(among->between, faults[lido__random_below(2)], (proxy_way)lido__random_below(2),
                  (size_t)lido__random_below(2000));
}

static void *make_trouble(void *argument) {
    crowd *among = argument;
    int64_t end = lido__clock_now_us() + ROUND_MS * 1000;
    while (lido__clock_now_us() < end) {
        for (int i = 0; i < 5; i++)
            hit_one(among);
        cut_one(among);
        lido_sleep(5 + lido__random_below(20));
    }
    if (among->between != NULL)
        proxy_arm(among->between, PROXY_PASSES, PROXY_TO_SERVER, 0);
    return NULL;
}

static void run_round(crowd *among, int64_t first_number) {
    lido_loop *loop = among->loop;
    for (int i = 0; i < TASKS; i++) {
        among->workers[i] = (worker){.crowd = among, .number = first_number + i};
        among->workers[i].task = lido_spawn(loop, insert_halves, &among->workers[i]);
        assert_non_null(among->workers[i].task);
    }
    lido_task_detach(lido_spawn(loop, make_trouble, among));
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(lido_task_join(among->workers[i].task, NULL), LIDO_OK);
}

/* What each task was told is what the database has. */
static void judge(const crowd *among, lido_engine *witness, int told[4]) {
    lido_session *db = lido_session_open(witness, NULL);
    for (int i = 0; i < TASKS; i++) {
        const worker *one = &among->workers[i];
        int64_t halves = lido_query_value(db, "SELECT count(*) FROM halves WHERE number = ?", one->number).as.integer;
        expect_no_error(db);
        assert_true(halves == 0 || halves == 2);
        if (one->outcome != LIDO_UNKNOWN)
            assert_int_equal(halves, one->outcome == LIDO_OK ? 2 : 0);
        told[one->outcome]++;
    }
    lido_session_close(db);
}

static void expect_whole_pool(lido_engine *engine) {
    lido_pool_stats stats;
    lido_engine_stats(engine, &stats);
    assert_int_equal(stats.in_use, 0);
    assert_int_equal(stats.waiting, 0);
    assert_in_range(stats.open, 0, CONNECTIONS);
    assert_int_equal(stats.open, stats.idle);
}

static void soak(const char *url, proxy *between, lido_engine *witness) {
    static crowd among;
    static int64_t rounds;
    int told[4] = {0};
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = CONNECTIONS;
    options.max_overflow = 0;
    options.synchronous = strncmp(url, "sqlite", 6) == 0 ? "off" : NULL;
    options.host = between != NULL ? "127.0.0.1" : NULL;
    options.port = between != NULL ? proxy_port(between) : NULL;
    options.sslmode = between != NULL ? "disable" : NULL;
    among = (crowd){.engine = open_surely(url, &options), .loop = lido_loop_new(NULL, NULL), .between = between};
    run_round(&among, ++rounds * TASKS);
    expect_whole_pool(among.engine);
    judge(&among, witness, told);
    lido_loop_close(among.loop);
    lido_engine_close(among.engine);
    print_message("%d committed, %d rolled back, %d unknown; %d cancelled\n", told[LIDO_OK], told[LIDO_ROLLED_BACK],
                  told[LIDO_UNKNOWN], among.cancelled);
    assert_true(told[LIDO_OK] > 0);
    if (between == NULL) /* a commit that is cancelled is answered all the same */
        assert_int_equal(told[LIDO_UNKNOWN], 0);
}

static void on_postgres(void **state) {
    (void)state;
    lido_engine *witness = open_surely(postgres_url(), NULL);
    run_surely(witness, "DROP TABLE IF EXISTS halves; CREATE TABLE halves (number bigint, half integer)");
    run_surely(witness, "CREATE INDEX halves_number ON halves (number)");
    soak(postgres_url(), NULL, witness);
    proxy *between = proxy_open();
    if (between != NULL) {
        soak(postgres_url(), between, witness);
        proxy_close(between);
    }
    run_surely(witness, "DROP TABLE halves");
    lido_engine_close(witness);
}

static void on_a_file(void **state) {
    (void)state;
    char url[URL_MOST];
    snprintf(url, sizeof url, "%s", file_url("halves.db"));
    lido_engine *witness = open_surely(url, NULL);
    run_surely(witness,
               "CREATE TABLE halves (number bigint, half integer); CREATE INDEX halves_number ON halves (number)");
    soak(url, NULL, witness);
    lido_engine_close(witness);
}

static int run_once(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_postgres),
        cmocka_unit_test_setup_teardown(on_a_file, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
    return soak_run(run_once);
}
