/* What takes too long is stopped in time, and nothing is the worse for it: statements, transactions, waiting for a lock
 * and waiting for a connection. */
#include "databases.h"
#include "in_task.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"

/* Counts for minutes, if nobody stops it; and for a good part of a second. */
#define COUNT_TO(most) \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " most ") SELECT count(*) FROM n"
#define ENDLESS COUNT_TO("2000000000")
#define SOME_TIME COUNT_TO("1500000")

enum { SHORT_MS = 150, SLACK_MS = 5000 };

/* ---- Each story on each database ---- */

static const char *url;
static bool on_sqlite;
static int64_t began;

static int begin(void **state) {
    on_sqlite = strcmp(*state, "SQLite") == 0;
    if (make_folder(state) != 0)
        return -1;
    url = on_sqlite ? file_url("deadlines.db") : getenv("LIDO_TEST_POSTGRES_URL");
    return 0;
}

static int end(void **state) {
    return remove_folder(state);
}

static lido_options short_of_time(void) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.statement_timeout_ms = SHORT_MS;
    return options;
}

static lido_engine *open_engine(const lido_options *options) {
    return open_surely(on_sqlite ? url : postgres_url(), options);
}

static lido_engine *open_with_table(const lido_options *options) {
    lido_engine *engine = open_engine(options);
    run_surely(engine, "DROP TABLE IF EXISTS hours; CREATE TABLE hours (id integer PRIMARY KEY, spent bigint)");
    return engine;
}

static void clock_starts(void) {
    began = lido__clock_now_us();
}

/* Not sooner than asked for, and not much later. */
static void expect_took_ms(int64_t least) {
    int64_t took = (lido__clock_now_us() - began) / 1000;
    if (took < least || took > least + SLACK_MS)
        fail_msg("it took %lld ms and should have taken %lld", (long long)took, (long long)least);
}

static void pause_ms(long ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ---- Statements ---- */

static void a_statement_is_stopped_in_time(void **state) {
    (void)state;
    lido_options options = short_of_time();
    lido_engine *engine = open_with_table(&options);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO hours VALUES (1, 1)");
    clock_starts();
    assert_null(lido_query(db, ENDLESS));
    expect_took_ms(SHORT_MS);
    expect_error(db, LIDO_ERROR_TIMEOUT);
    const lido_error *error = lido_error_of(db);
    assert_string_equal(error->doing, "running a statement");
    assert_string_equal(error->sqlstate, "57014");
    assert_non_null(strstr(error->hint, "statement_timeout"));
    assert_false(error->retryable);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    assert_int_equal(lido_query_value(db, "SELECT count(*) FROM hours").as.integer, 0);
    expect_no_error(db);
    lido_session_close(db);
    lido_engine_close(engine);
}

static void a_session_s_own_limit_counts(void **state) {
    (void)state;
    lido_engine *engine = open_engine(NULL);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.statement_timeout_ms = SHORT_MS});
    clock_starts();
    assert_null(lido_query(db, ENDLESS));
    expect_took_ms(SHORT_MS);
    expect_error(db, LIDO_ERROR_TIMEOUT);
    lido_session_close(db);
    lido_engine_close(engine);
}

static void a_session_may_do_without_a_limit(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    options.statement_timeout_ms = 20;
    lido_engine *engine = open_engine(&options);
    lido_session *limited = open_autocommit(engine);
    lido_query(limited, SOME_TIME);
    expect_error(limited, LIDO_ERROR_TIMEOUT);
    lido_session_close(limited);
    lido_session *free = lido_session_open(engine, &(lido_session_options){.statement_timeout_ms = -1});
    assert_int_equal(lido_query_value(free, SOME_TIME).as.integer, 1500000);
    expect_no_error(free);
    lido_session_close(free);
    lido_engine_close(engine);
}

static void a_savepoint_saves_the_transaction(void **state) {
    (void)state;
    lido_error inner;
    lido_options options = short_of_time();
    lido_engine *engine = open_with_table(&options);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO hours VALUES (1, 1)");
    lido_savepoint_outcome (db, &inner)
        lido_query(db, ENDLESS);
    assert_int_equal(inner.status, LIDO_ROLLED_BACK);
    assert_int_equal(inner.category, LIDO_ERROR_TIMEOUT);
    lido_exec(db, "INSERT INTO hours VALUES (3, 3)");
    expect_no_error(db);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    assert_int_equal(ask_surely(engine, "SELECT sum(id) FROM hours"), 4);
    lido_engine_close(engine);
}

/* SQLite rolls back the whole transaction of a writing statement that is interrupted; PostgreSQL does not. */
static void a_savepoint_around_a_stopped_write_tells_whether_it_could_save(void **state) {
    (void)state;
    lido_status inner;
    lido_options options = short_of_time();
    lido_engine *engine = open_with_table(&options);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO hours VALUES (1, 1)");
    lido_savepoint_outcome (db, &inner)
        lido_exec(db, "INSERT INTO hours SELECT 2, (" ENDLESS ")");
    assert_int_equal(inner, LIDO_ROLLED_BACK);
    assert_int_equal(lido_failed(db), on_sqlite);
    lido_exec(db, "INSERT INTO hours VALUES (3, 3)");
    assert_int_equal(lido_commit(db), on_sqlite ? LIDO_ROLLED_BACK : LIDO_OK);
    lido_session_close(db);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM hours"), on_sqlite ? 0 : 2);
    lido_engine_close(engine);
}

static void in_autocommit_the_next_statement_is_not_touched(void **state) {
    (void)state;
    lido_options options = short_of_time();
    options.pool_size = 1;
    options.max_overflow = 0;
    lido_engine *engine = open_with_table(&options);
    lido_session *db = open_autocommit(engine);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(lido_exec(db, "INSERT INTO hours SELECT 0, (" ENDLESS ")"), 0);
        expect_error(db, LIDO_ERROR_TIMEOUT);
        assert_int_equal(lido_exec(db, "INSERT INTO hours VALUES (?, 1)", i), 1);
        expect_no_error(db);
    }
    lido_session_close(db);
    lido_engine_close(engine);
}

static void a_sent_statement_is_stopped_where_it_is_waited_for(void **state) {
    (void)state;
    lido_options options = short_of_time();
    lido_engine *engine = open_with_table(&options);
    lido_session *db = lido_session_open(engine, NULL);
    lido_send(db, "INSERT INTO hours VALUES (1, 1)");
    lido_send(db, "INSERT INTO hours SELECT 2, (" ENDLESS ")");
    lido_send(db, "INSERT INTO hours VALUES (3, 3)");
    expect_no_error(db);
    clock_starts();
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    expect_took_ms(SHORT_MS);
    expect_error(db, LIDO_ERROR_TIMEOUT);
    assert_non_null(strstr(lido_error_of(db)->statement, "SELECT 2"));
    lido_session_close(db);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM hours"), 0);
    lido_engine_close(engine);
}

static void a_stream_is_stopped_at_the_step_that_takes_too_long(void **state) {
    (void)state;
    lido_options options = short_of_time();
    lido_engine *engine = open_engine(&options);
    lido_session *db = lido_session_open(engine, NULL);
    clock_starts();
    lido_rows *rows =
        lido_stream(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) "
                        "SELECT i FROM n WHERE i = 1 OR i = 2000000000");
    while (lido_next(rows))
        assert_int_equal(lido_get_int64(rows, 0), 1);
    expect_took_ms(SHORT_MS);
    expect_error(db, LIDO_ERROR_TIMEOUT);
    lido_rows_close(rows);
    lido_rollback(db);
    assert_int_equal(lido_query_value(db, "SELECT 7").as.integer, 7);
    expect_no_error(db);
    lido_session_close(db);
    lido_engine_close(engine);
}

static void on_postgresql_the_connection_stays(void **state) {
    (void)state;
    lido_options options = short_of_time();
    lido_engine *engine = open_engine(&options);
    lido_session *db = lido_session_open(engine, NULL);
    int64_t backend = lido_query_value(db, "SELECT pg_backend_pid()").as.integer;
    clock_starts();
    lido_query(db, "SELECT pg_sleep(60)");
    expect_took_ms(SHORT_MS);
    expect_error(db, LIDO_ERROR_TIMEOUT);
    lido_rollback(db);
    assert_int_equal(lido_query_value(db, "SELECT pg_backend_pid()").as.integer, backend);
    lido_session_close(db);
    lido_engine_close(engine);
}

/* ---- Transactions ---- */

static void a_transaction_has_its_time(void **state) {
    (void)state;
    lido_engine *engine = open_with_table(NULL);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.transaction_timeout_ms = SHORT_MS});
    lido_exec(db, "INSERT INTO hours VALUES (1, 1)");
    expect_no_error(db);
    clock_starts();
    lido_query(db, ENDLESS);
    expect_took_ms(SHORT_MS / 2); /* the insertion had its part */
    expect_error(db, LIDO_ERROR_TIMEOUT);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    lido_exec(db, "INSERT INTO hours VALUES (2, 2)"); /* the next one has a time of its own */
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    assert_int_equal(ask_surely(engine, "SELECT sum(id) FROM hours"), 2);
    lido_engine_close(engine);
}

static void a_transaction_that_idles_away_its_time_cannot_go_on(void **state) {
    (void)state;
    lido_engine *engine = open_with_table(NULL);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.transaction_timeout_ms = SHORT_MS});
    lido_exec(db, "INSERT INTO hours VALUES (1, 1)");
    int savepoint = lido_savepoint_begin(db);
    pause_ms(SHORT_MS + 50);
    assert_int_equal(lido_exec(db, "INSERT INTO hours VALUES (2, 2)"), 0);
    expect_error(db, LIDO_ERROR_TIMEOUT);
    assert_non_null(strstr(lido_error_of(db)->message, "transaction_timeout"));
    lido_savepoint_rollback(db, savepoint);
    assert_true(lido_failed(db));
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
    lido_exec(db, "INSERT INTO hours VALUES (3, 3)");
    pause_ms(SHORT_MS + 50);
    assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK); /* not even its end may come too late */
    expect_error(db, LIDO_ERROR_TIMEOUT);
    lido_session_close(db);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM hours"), 0);
    lido_engine_close(engine);
}

/* ---- Locks ---- */

/* The same row is written by another transaction, which does not end: an engine of its own has it, as another process
 * would, for this thread would be told at once that it waits for itself. */
static void a_lock_is_not_waited_for_beyond_the_deadline(void **state) {
    (void)state;
    lido_options options = short_of_time();
    lido_engine *engine = open_with_table(&options);
    run_surely(engine, "INSERT INTO hours VALUES (1, 1)");
    lido_engine *other = open_engine(NULL);
    lido_session *holder = lido_session_open(other, NULL);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(holder, "UPDATE hours SET spent = 2");
    clock_starts();
    lido_exec(db, "UPDATE hours SET spent = 3");
    expect_took_ms(SHORT_MS);
    expect_error(db, LIDO_ERROR_TIMEOUT);
    assert_int_equal(lido_commit(holder), LIDO_OK);
    lido_rollback(db);
    assert_int_equal(lido_exec(db, "UPDATE hours SET spent = 3"), 1);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    lido_session_close(holder);
    lido_engine_close(other);
    lido_engine_close(engine);
}

static void on_sqlite_busy_timeout_bounds_the_wait(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    options.busy_timeout_ms = SHORT_MS;
    lido_engine *engine = open_with_table(&options);
    lido_engine *other = open_engine(NULL);
    lido_session *holder = lido_session_open(other, NULL);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(holder, "INSERT INTO hours VALUES (1, 1)");
    clock_starts();
    lido_exec(db, "INSERT INTO hours VALUES (2, 2)");
    expect_took_ms(SHORT_MS);
    expect_error(db, LIDO_ERROR_BUSY);
    assert_string_equal(lido_error_of(db)->sqlstate, "55P03");
    assert_true(lido_error_of(db)->retryable);
    lido_session_close(db);
    lido_session_close(holder);
    lido_engine_close(other);
    lido_engine_close(engine);
}

/* Opening a file looks into it, for which another connection's lock may have to be waited for. */
static void on_sqlite_connect_timeout_bounds_the_opening(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    options.journal_mode = "delete";
    lido_engine *holders = open_with_table(&options);
    options.busy_timeout_ms = 60000;
    options.connect_timeout_ms = SHORT_MS;
    lido_engine *engine = open_engine(&options);
    lido_session *holder = lido_session_open(holders, NULL);
    lido_exec(holder, "INSERT INTO hours VALUES (1, 1)");
    lido_query_value(holder, "PRAGMA locking_mode = exclusive");
    assert_int_equal(lido_commit(holder), LIDO_OK);
    lido_session *db = open_autocommit(engine);
    clock_starts();
    lido_exec(db, "INSERT INTO hours VALUES (2, 2)");
    expect_took_ms(SHORT_MS);
    expect_error(db, LIDO_ERROR_TIMEOUT);
    assert_non_null(strstr(lido_error_of(db)->message, "within connect_timeout"));
    assert_null(strstr(lido_error_of(db)->hint, "statement_timeout"));
    lido_session_close(db);
    lido_session_close(holder);
    lido_engine_close(engine);
    lido_engine_close(holders);
}

/* ---- Connections ---- */

static lido_options narrow(int64_t pool_timeout_ms) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 1;
    options.max_overflow = 0;
    options.pool_timeout_ms = pool_timeout_ms;
    return options;
}

typedef struct customer {
    pthread_t thread;
    lido_engine *engine;
    lido_error error;
    int served_as;
} customer;

static atomic_int served;

static void *ask(void *argument) {
    customer *self = argument;
    lido_session *db = lido_session_open(self->engine, NULL);
    lido_query_value(db, "SELECT 1");
    self->error = *lido_error_of(db);
    self->served_as = atomic_fetch_add(&served, 1) + 1;
    lido_session_close(db);
    return NULL;
}

static int count_waiting(lido_engine *engine) {
    lido_pool_stats stats;
    lido_engine_stats(engine, &stats);
    return stats.waiting;
}

static void an_exhausted_pool_names_who_holds_its_connection(void **state) {
    (void)state;
    char place[80];
    lido_options options = narrow(50);
    customer other = {.engine = open_engine(&options)};
    lido_session *holder = lido_session_open(other.engine, NULL);
    snprintf(place, sizeof place, "deadline_test.c:%d", __LINE__ + 1);
    lido_query_value(holder, "SELECT 1");
    clock_starts();
    assert_int_equal(pthread_create(&other.thread, NULL, ask, &other), 0);
    pthread_join(other.thread, NULL);
    expect_took_ms(50);
    assert_int_equal(other.error.category, LIDO_ERROR_POOL_EXHAUSTED);
    assert_non_null(strstr(other.error.message, "50 ms"));
    assert_non_null(strstr(other.error.hint, place));
    assert_string_equal(other.error.statement, "SELECT 1");
    assert_int_equal(lido_commit(holder), LIDO_OK);
    lido_session_close(holder);
    assert_int_equal(ask_surely(other.engine, "SELECT 1"), 1);
    lido_engine_close(other.engine);
}

static void who_holds_the_last_connection_does_not_wait_for_it(void **state) {
    (void)state;
    lido_options options = narrow(60000);
    lido_engine *engine = open_engine(&options);
    lido_session *holder = lido_session_open(engine, NULL);
    lido_session *db = lido_session_open(engine, NULL);
    lido_query_value(holder, "SELECT 1");
    clock_starts();
    lido_query_value(db, "SELECT 1");
    expect_took_ms(0);
    expect_error(db, LIDO_ERROR_POOL_EXHAUSTED);
    assert_non_null(strstr(lido_error_of(db)->hint, "deadline_test.c"));
    lido_session_close(db);
    lido_session_close(holder);
    lido_engine_close(engine);
}

static void who_came_first_is_served_first(void **state) {
    (void)state;
    enum { CUSTOMERS = 4 };
    customer customers[CUSTOMERS];
    lido_options options = narrow(20000);
    lido_engine *engine = open_engine(&options);
    lido_session *holder = lido_session_open(engine, NULL);
    lido_query_value(holder, "SELECT 1");
    atomic_store(&served, 0);
    for (int i = 0; i < CUSTOMERS; i++) {
        customers[i] = (customer){.engine = engine};
        assert_int_equal(pthread_create(&customers[i].thread, NULL, ask, &customers[i]), 0);
        while (count_waiting(engine) <= i)
            pause_ms(1);
    }
    lido_session_close(holder);
    for (int i = 0; i < CUSTOMERS; i++) {
        pthread_join(customers[i].thread, NULL);
        assert_int_equal(customers[i].error.status, LIDO_OK);
        assert_int_equal(customers[i].served_as, i + 1);
    }
    lido_engine_close(engine);
}

static void a_connection_of_age_is_replaced(void **state) {
    (void)state;
    lido_options options = narrow(5000);
    lido_pool_stats stats;
    options.pool_recycle_ms = 50;
    lido_engine *engine = open_engine(&options);
    ask_surely(engine, "SELECT 1");
    pause_ms(100);
    ask_surely(engine, "SELECT 1");
    lido_engine_stats(engine, &stats);
    assert_true(stats.recycled >= 1);
    assert_true(stats.connects >= 2);
    lido_engine_close(engine);
}

#define ON(database, story) \
    { #story ", on " database, story, begin, end, (void *)(uintptr_t)(database) }
#define ON_BOTH(story) ON("SQLite", story), ON("PostgreSQL", story)

int main(void) {
    const struct CMUnitTest tests[] = {
        ON_BOTH(a_statement_is_stopped_in_time),
        ON_BOTH(a_session_s_own_limit_counts),
        ON_BOTH(a_session_may_do_without_a_limit),
        ON_BOTH(a_savepoint_saves_the_transaction),
        ON_BOTH(a_savepoint_around_a_stopped_write_tells_whether_it_could_save),
        ON_BOTH(in_autocommit_the_next_statement_is_not_touched),
        ON_BOTH(a_sent_statement_is_stopped_where_it_is_waited_for),
        ON_BOTH(a_stream_is_stopped_at_the_step_that_takes_too_long),
        ON("PostgreSQL", on_postgresql_the_connection_stays),
        ON_BOTH(a_transaction_has_its_time),
        ON_BOTH(a_transaction_that_idles_away_its_time_cannot_go_on),
        ON_BOTH(a_lock_is_not_waited_for_beyond_the_deadline),
        ON("SQLite", on_sqlite_busy_timeout_bounds_the_wait),
        ON("SQLite", on_sqlite_connect_timeout_bounds_the_opening),
        ON_BOTH(an_exhausted_pool_names_who_holds_its_connection),
        ON_BOTH(who_holds_the_last_connection_does_not_wait_for_it),
        ON_BOTH(who_came_first_is_served_first),
        ON_BOTH(a_connection_of_age_is_replaced),
    };
    return tell_in_thread_and_task("deadline", tests, sizeof tests / sizeof tests[0]);
}
