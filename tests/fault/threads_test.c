/* Many threads, few connections: transfers keep a bank's total, nobody sees what is not committed, and sessions and
 * engines are opened and closed by whoever wants to. */
#include "databases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

enum { THREADS = 16, POOL_SIZE = 4 };

static lido_options few_connections(void) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = POOL_SIZE;
    options.max_overflow = 0;
    options.synchronous = "off";
    options.busy_timeout_ms = 20000;
    return options;
}

typedef struct worker {
    pthread_t thread;
    lido_engine *engine;
    int number;
    int done;           /* how many transactions were committed */
    int failed;         /* how many failed for a reason that is none */
    lido_error failure; /* the last of those */
} worker;

/* Runs `work` in as many threads as there are workers, and expects that nothing failed. Returns what was done. */
static int run_workers(worker *workers, lido_engine *engine, void *(*work)(void *worker)) {
    int done = 0;
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.engine = engine, .number = i, .failure = LIDO_ERROR_INIT};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < THREADS; i++) {
        if (workers[i].failed > 0)
            lido_error_print(&workers[i].failure, stderr);
        assert_int_equal(workers[i].failed, 0);
        done += workers[i].done;
    }
    return done;
}

static void note_failure(worker *self, const lido_error *error) {
    self->failed++;
    self->failure = *error;
}

static void expect_nothing_held(lido_engine *engine) {
    lido_pool_stats stats;
    lido_engine_stats(engine, &stats);
    assert_int_equal(stats.in_use, 0);
    assert_int_equal(stats.waiting, 0);
    assert_in_range(stats.open, 0, POOL_SIZE + 1); /* and SQLite's writer */
}

/* ---- A bank ---- */

enum { ACCOUNTS = 8, BALANCE = 100, TRANSFERS = 40 };

typedef struct transfer {
    int64_t number;
    int from;
    int to;
} transfer;

static bool move_money(lido_session *db, void *argument) {
    const transfer *wanted = argument;
    int64_t has = lido_query_value(db, "SELECT balance FROM accounts WHERE id = ?", wanted->from).as.integer;
    int64_t amount = has > 10 ? 10 : has;
    lido_exec(db,
              "UPDATE accounts SET balance = balance + CASE WHEN id = ? THEN CAST(? AS bigint) ELSE CAST(? AS bigint) "
              "END WHERE id IN (?, ?)",
              wanted->from, -amount, amount, wanted->from, wanted->to);
    lido_exec(db, "INSERT INTO transfers VALUES (?)", wanted->number);
    return true;
}

static void *transfer_money(void *argument) {
    worker *self = argument;
    lido_error error;
    const lido_transact_options options = {
        .attempts = 1000, .session = {.isolation = LIDO_SERIALISABLE}, .error = &error};
    for (int i = 0; i < TRANSFERS; i++) {
        transfer wanted = {.number = self->number * 1000 + i};
        wanted.from = (self->number + i) % ACCOUNTS;
        wanted.to = (wanted.from + 1 + i % (ACCOUNTS - 1)) % ACCOUNTS;
        if (lido_transact(self->engine, &options, move_money, &wanted) == LIDO_OK)
            self->done++;
        else
            note_failure(self, &error);
    }
    return NULL;
}

static void keep_the_total(const char *url) {
    worker workers[THREADS];
    lido_options options = few_connections();
    lido_engine *engine = open_surely(url, &options);
    run_surely(engine, "DROP TABLE IF EXISTS accounts; CREATE TABLE accounts (id integer PRIMARY KEY, balance bigint);"
                       "DROP TABLE IF EXISTS transfers; CREATE TABLE transfers (number bigint PRIMARY KEY)");
    lido_session *db = lido_session_open(engine, NULL);
    for (int id = 0; id < ACCOUNTS; id++)
        lido_exec(db, "INSERT INTO accounts VALUES (?, ?)", id, BALANCE);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    int done = run_workers(workers, engine, transfer_money);
    assert_int_equal(done, THREADS * TRANSFERS);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM transfers"), done);
    assert_int_equal(ask_surely(engine, "SELECT CAST(sum(balance) AS bigint) FROM accounts"), ACCOUNTS * BALANCE);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM accounts WHERE balance < 0"), 0);
    expect_nothing_held(engine);
    lido_engine_close(engine);
}

static void a_bank_in_a_sqlite_file_keeps_its_total(void **state) {
    (void)state;
    keep_the_total(file_url("bank.db"));
}

static void a_bank_in_sqlite_s_memory_keeps_its_total(void **state) {
    (void)state;
    keep_the_total("sqlite://");
}

static void a_bank_on_postgresql_keeps_its_total(void **state) {
    (void)state;
    keep_the_total(postgres_url());
}

/* ---- In memory: what is seen ---- */

enum { ROUNDS = 100 };

/* Writers set both to the same, one after the other; readers must not see them differ, nor what is rolled back. */
static void write_pair(worker *self, int round) {
    lido_session *db = lido_session_open(self->engine, NULL);
    bool keeps = round % 3 != 0;
    int value = keeps ? self->number * 1000 + round : -1;
    lido_exec(db, "UPDATE pairs SET value = ? WHERE id = 1", value);
    lido_exec(db, "UPDATE pairs SET value = ? WHERE id = 2", value);
    if (lido_failed(db))
        note_failure(self, lido_error_of(db));
    else if (keeps && lido_commit(db) != LIDO_OK)
        note_failure(self, lido_error_of(db));
    lido_session_close(db);
    self->done++;
}

static void read_pair(worker *self) {
    int first = 0;
    int second = 0;
    lido_session *db = lido_session_open(self->engine, &(lido_session_options){.read_only = true});
    lido_rows *rows =
        lido_query(db, "SELECT a.value, b.value FROM pairs AS a, pairs AS b WHERE a.id = ? AND b.id = ?", 1, 2);
    while (lido_next(rows))
        lido_scan(rows, &first, &second);
    if (!lido_failed(db) && (first != second || first < 0))
        lido_fail(db, "the pair is %d and %d", first, second);
    if (lido_failed(db))
        note_failure(self, lido_error_of(db));
    lido_session_close(db);
    self->done++;
}

static void *write_or_read(void *argument) {
    worker *self = argument;
    for (int round = 0; round < ROUNDS; round++)
        if (self->number % 4 == 0)
            write_pair(self, round);
        else
            read_pair(self);
    return NULL;
}

static void in_memory_only_what_is_committed_is_seen(void **state) {
    (void)state;
    worker workers[THREADS];
    lido_options options = few_connections();
    lido_engine *engine = open_surely("sqlite://", &options);
    run_surely(engine,
               "CREATE TABLE pairs (id integer PRIMARY KEY, value integer); INSERT INTO pairs VALUES (1, 0), (2, 0)");
    assert_int_equal(run_workers(workers, engine, write_or_read), THREADS * ROUNDS);
    assert_int_equal(ask_surely(engine, "SELECT count(DISTINCT value) FROM pairs"), 1);
    expect_nothing_held(engine);
    lido_engine_close(engine);
}

/* ---- Coming and going ---- */

static void *come_and_go(void *argument) {
    worker *self = argument;
    for (int round = 0; round < ROUNDS; round++) {
        lido_session *db = lido_session_open(self->engine, &(lido_session_options){.autocommit = round % 2 == 0});
        lido_query_value(db, "SELECT ?", round);
        if (round % 5 == 0)
            lido_stream(db, "SELECT 1 UNION ALL SELECT 2"); /* left open: closing the session ends it */
        if (lido_failed(db))
            note_failure(self, lido_error_of(db));
        lido_session_close(db);
        self->done++;
    }
    return NULL;
}

static void let_come_and_go(const char *url) {
    worker workers[THREADS];
    lido_options options = few_connections();
    lido_engine *engine = open_surely(url, &options);
    assert_int_equal(run_workers(workers, engine, come_and_go), THREADS * ROUNDS);
    expect_nothing_held(engine);
    lido_engine_close(engine);
}

static void sessions_come_and_go_on_a_sqlite_file(void **state) {
    (void)state;
    let_come_and_go(file_url("sessions.db"));
}

static void sessions_come_and_go_on_postgresql(void **state) {
    (void)state;
    let_come_and_go(postgres_url());
}

/* ---- An engine that is closed meanwhile ---- */

static pthread_barrier_t all_have_begun;
static pthread_barrier_t it_was_closed;

/* A transaction that was open goes on to its end, and no other begins. */
static void *outlive_the_engine(void *argument) {
    worker *self = argument;
    lido_session *db = lido_session_open(self->engine, NULL);
    lido_exec(db, "INSERT INTO lives VALUES (?)", self->number);
    pthread_barrier_wait(&all_have_begun);
    pthread_barrier_wait(&it_was_closed);
    lido_query_value(db, "SELECT count(*) FROM lives");
    if (lido_commit(db) != LIDO_OK)
        note_failure(self, lido_error_of(db));
    lido_query_value(db, "SELECT 1");
    if (lido_error_of(db)->category != LIDO_ERROR_MISUSE)
        note_failure(self, lido_error_of(db));
    lido_session_close(db);
    self->done++;
    return NULL;
}

static void an_engine_lives_as_long_as_its_sessions(void **state) {
    (void)state;
    worker workers[POOL_SIZE];
    lido_options options = few_connections();
    const char *url = postgres_url();
    lido_engine *engine = open_surely(url, &options);
    run_surely(engine, "DROP TABLE IF EXISTS lives; CREATE TABLE lives (id integer PRIMARY KEY)");
    pthread_barrier_init(&all_have_begun, NULL, POOL_SIZE + 1);
    pthread_barrier_init(&it_was_closed, NULL, POOL_SIZE + 1);
    for (int i = 0; i < POOL_SIZE; i++) {
        workers[i] = (worker){.engine = engine, .number = i, .failure = LIDO_ERROR_INIT};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, outlive_the_engine, &workers[i]), 0);
    }
    pthread_barrier_wait(&all_have_begun);
    lido_engine_close(engine);
    pthread_barrier_wait(&it_was_closed);
    for (int i = 0; i < POOL_SIZE; i++) {
        pthread_join(workers[i].thread, NULL);
        if (workers[i].failed > 0)
            lido_error_print(&workers[i].failure, stderr);
        assert_int_equal(workers[i].failed, 0);
    }
    pthread_barrier_destroy(&it_was_closed);
    pthread_barrier_destroy(&all_have_begun);
    engine = open_surely(url, NULL);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM lives"), POOL_SIZE);
    lido_engine_close(engine);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_bank_in_a_sqlite_file_keeps_its_total),
        cmocka_unit_test(a_bank_in_sqlite_s_memory_keeps_its_total),
        cmocka_unit_test(a_bank_on_postgresql_keeps_its_total),
        cmocka_unit_test(in_memory_only_what_is_committed_is_seen),
        IN_FOLDER(sessions_come_and_go_on_a_sqlite_file),
        cmocka_unit_test(sessions_come_and_go_on_postgresql),
        cmocka_unit_test(an_engine_lives_as_long_as_its_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
