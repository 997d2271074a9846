/* Many threads in one database in memory, which is checkpointed all the time: what they read is of one moment, and the
 * log's memory stays bounded, whoever reads. */
#include "databases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "backend/sqlite/memory_vfs.h"

enum { WRITERS = 2, READERS = 4, THREADS = WRITERS + READERS, ROWS = 200, TOTAL = ROWS * 100 };

/* The engine's, found among SQLite's file systems: the newest of ours. */
static lido__memory_database *database_in_memory(void) {
    sqlite3_vfs *newest = NULL;
    for (sqlite3_vfs *vfs = sqlite3_vfs_find(NULL); vfs != NULL && newest == NULL; vfs = vfs->pNext)
        if (strncmp(vfs->zName, "lido-memory-", 12) == 0)
            newest = vfs;
    assert_non_null(newest);
    return newest->pAppData;
}

/* Long rows, so that each is on a page of its own. */
static lido_engine *open_with_rows(int log_limit) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.wal_autocheckpoint = log_limit;
    options.busy_timeout_ms = 20000;
    lido_engine *engine = open_surely("sqlite://", &options);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "CREATE TABLE balances (id integer PRIMARY KEY, balance integer, touched integer, filler text)");
    for (int id = 0; id < ROWS; id++)
        lido_exec(db, "INSERT INTO balances VALUES (?, ?, 0, hex(zeroblob(1800)))", id, TOTAL / ROWS);
    expect_no_error(db);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    return engine;
}

typedef struct worker {
    pthread_t thread;
    lido_engine *engine;
    int number;
    int rounds;
    atomic_bool *stops;
    int wrong;
    lido_error failure;
} worker;

static void check(worker *self, lido_session *db, bool right) {
    if (right && !lido_failed(db))
        return;
    self->wrong++;
    self->failure = *lido_error_of(db);
}

/* Moves one from a row to another, in two statements; sometimes makes the database longer, and shorter again. */
static void *write_on(void *argument) {
    worker *self = argument;
    for (int round = 0; round < self->rounds; round++) {
        lido_session *db = lido_session_open(self->engine, NULL);
        lido_exec(db, "UPDATE balances SET balance = balance - 1 WHERE id = ?", (round * 7 + self->number) % ROWS);
        lido_exec(db, "UPDATE balances SET balance = balance + 1 WHERE id = ?", (round * 11 + self->number) % ROWS);
        if (round % 50 == 10)
            lido_exec(db, "INSERT INTO balances VALUES (?, 0, 0, zeroblob(200000))", 1000 + self->number);
        if (round % 50 == 40)
            lido_exec(db, "DELETE FROM balances WHERE id = ?", 1000 + self->number);
        check(self, db, round % 10 == 0 || lido_commit(db) == LIDO_OK);
        lido_session_close(db);
        if (round % 100 == 99 && self->number == 0) {
            db = open_autocommit(self->engine);
            lido_exec(db, "VACUUM");
            check(self, db, true);
            lido_session_close(db);
        }
    }
    return NULL;
}

/* One of them opens and closes a connection each time. */
static void *read_on(void *argument) {
    worker *self = argument;
    lido_server server;
    while (!atomic_load_explicit(self->stops, memory_order_relaxed)) {
        if (self->number == WRITERS && lido_engine_inspect(self->engine, &server, &self->failure) != LIDO_OK)
            self->wrong++;
        lido_session *db = lido_session_open(self->engine, &(lido_session_options){.read_only = true});
        int64_t first = lido_query_value(db, "SELECT sum(balance) FROM balances").as.integer;
        int64_t second = lido_query_value(db, "SELECT sum(balance) FROM balances WHERE length(filler) > 0").as.integer;
        check(self, db, first == TOTAL && second == TOTAL);
        lido_session_close(db);
    }
    return NULL;
}

static void start(worker *workers, lido_engine *engine, int rounds, atomic_bool *stops) {
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.engine = engine, .number = i, .rounds = rounds, .stops = stops};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, i < WRITERS ? write_on : read_on, &workers[i]), 0);
    }
}

static void join(worker *workers, atomic_bool *stops) {
    for (int i = 0; i < THREADS; i++) {
        if (i == WRITERS)
            atomic_store(stops, true);
        pthread_join(workers[i].thread, NULL);
        if (workers[i].wrong > 0)
            lido_error_print(&workers[i].failure, stderr);
        assert_int_equal(workers[i].wrong, 0);
    }
}

static void every_reader_sees_one_moment(void **state) {
    (void)state;
    worker workers[THREADS];
    atomic_bool stops = false;
    lido_engine *engine = open_with_rows(10);
    start(workers, engine, 300, &stops);
    join(workers, &stops);
    assert_int_equal(ask_surely(engine, "SELECT sum(balance) FROM balances"), TOTAL);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    lido_engine_close(engine);
}

/* Written are some 80 MB; SQLite alone would keep nearly all of it, for there is always somebody reading. */
static void the_log_does_not_grow_with_readers_who_never_pause(void **state) {
    (void)state;
    enum { LIMIT = 100, COMMITS = 20000, MOST = 30 * 1024 * 1024 };
    worker workers[THREADS];
    atomic_bool stops = false;
    sqlite3_int64 longest = 0;
    lido_engine *engine = open_with_rows(LIMIT);
    const lido__memory_file *log = &database_in_memory()->log;
    start(workers, engine, 0, &stops);
    lido_session *db = open_autocommit(engine);
    for (int i = 0; i < COMMITS; i++) {
        lido_exec(db, "UPDATE balances SET touched = ? WHERE id = ?", i, i % ROWS);
        longest = lido__memory_file_size(log) > longest ? lido__memory_file_size(log) : longest;
    }
    expect_no_error(db);
    lido_session_close(db);
    join(workers, &stops);
    print_message("           the log was at most %lld KiB long\n", (long long)longest / 1024);
    if (longest > MOST)
        fail_msg("the log grew to %lld bytes", (long long)longest);
    lido_engine_close(engine);
}

/* Who reads for long is not waited for again and again: the log keeps what it may read, and writers go on. */
static void a_long_reader_keeps_its_snapshot_and_holds_nobody_up(void **state) {
    (void)state;
    enum { LIMIT = 10, COMMITS = 3000 };
    lido_engine *engine = open_with_rows(LIMIT);
    const lido__memory_file *log = &database_in_memory()->log;
    lido_session *reader = lido_session_open(engine, NULL);
    lido_session *writer = open_autocommit(engine);
    assert_int_equal(lido_query_value(reader, "SELECT sum(balance) FROM balances").as.integer, TOTAL);
    int64_t began = lido_time_now().microseconds;
    for (int i = 0; i < COMMITS; i++)
        lido_exec(writer, "UPDATE balances SET balance = ? WHERE id = ?", -i, i % ROWS);
    expect_no_error(writer);
    assert_true(lido_time_now().microseconds - began < 10 * 1000 * 1000);
    assert_int_equal(lido_query_value(reader, "SELECT sum(balance) FROM balances").as.integer, TOTAL);
    assert_true(lido__memory_file_size(log) > COMMITS * 4096);
    assert_int_equal(lido_commit(reader), LIDO_OK);
    lido_exec(writer, "UPDATE balances SET balance = 1");
    assert_int_equal(lido_query_value(reader, "SELECT sum(balance) FROM balances").as.integer, ROWS);
    lido_session_close(writer);
    lido_session_close(reader);
    lido_engine_close(engine);
}

/* ---- Its end ---- */

static atomic_int connects;

/* The second connection, which is opened ahead of use, is slow to come. */
static bool be_slow_to_connect(const lido_event *event, void *user) {
    enum { SLOW_US = 100 * 1000 };
    (void)event, (void)user;
    if (atomic_fetch_add(&connects, 1) > 0)
        usleep(SLOW_US);
    return true;
}

/* The last session keeps the engine, and ends while a connection is still being opened, which uses the database. */
static void the_database_outlives_an_opening_that_is_under_way(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_min_size = 3;
    lido_engine *engine = open_surely("sqlite://", &options);
    lido_listening listening = {.kinds = LIDO_EVENT_CONNECT};
    assert_int_equal(lido_engine_listen(engine, &listening, be_slow_to_connect, NULL), LIDO_OK);
    lido_session *db = lido_session_open(engine, NULL);
    assert_int_equal(lido_query_value(db, "SELECT 1").as.integer, 1);
    while (atomic_load(&connects) < 2)
        usleep(1000);
    lido_engine_close(engine);
    assert_int_equal(lido_query_value(db, "SELECT 2").as.integer, 2);
    assert_int_equal(lido_commit(db), LIDO_OK);
    assert_int_equal(lido_session_close(db), LIDO_OK);
    assert_int_equal(connects, 2); /* no more was begun */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_database_outlives_an_opening_that_is_under_way),
        cmocka_unit_test(every_reader_sees_one_moment),
        cmocka_unit_test(the_log_does_not_grow_with_readers_who_never_pause),
        cmocka_unit_test(a_long_reader_keeps_its_snapshot_and_holds_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
