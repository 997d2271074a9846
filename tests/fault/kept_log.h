/* A SQLite file whose log is to be kept short, and those who read it without a pause; for the tests of checkpoints. */
#ifndef TESTS_FAULT_KEPT_LOG_H
#define TESTS_FAULT_KEPT_LOG_H

#include "databases.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/power.h"

enum {
    ROWS = 200, /* each is on a page of its own */
    LIMIT = 100,
    PAGE = 4096 + 24,
    STALL_MOST_US = 3 * 1000 * 1000 /* some hundred milliseconds, on a machine that does much else */
};

static lido_engine *engine;

static inline void open_with(int limit, const char *synchronous) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.wal_autocheckpoint = limit;
    options.synchronous = synchronous;
    options.busy_timeout_ms = 20000;
    engine = open_surely(file_url("kept.db"), &options);
}

/* ROWS long rows. */
static inline void make_rows(void) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "CREATE TABLE kept (id integer PRIMARY KEY, touched integer, filler text)");
    for (int id = 0; id < ROWS; id++)
        lido_exec(db, "INSERT INTO kept VALUES (?, 0, hex(zeroblob(1800)))", id);
    expect_no_error(db);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
}

static inline int64_t log_size(void) {
    char path[PATH_MOST * 2];
    struct stat status;
    snprintf(path, sizeof path, "%s/kept.db-wal", folder);
    return stat(path, &status) == 0 ? status.st_size : 0;
}

static inline lido_server inspect(void) {
    lido_server server;
    lido_error error;
    assert_int_equal(lido_engine_inspect(engine, &server, &error), LIDO_OK);
    return server;
}

static inline int close_engine(void **state) {
    lido_engine_close(engine);
    engine = NULL;
    return remove_folder(state);
}

static inline int open_file(void **state) {
    if (make_folder(state) != 0)
        return -1;
    open_with(LIMIT, "full");
    make_rows();
    return 0;
}

/* What a row of commits met with. */
typedef struct commits {
    int64_t longest_us;
    int64_t largest_log;
    int restarts; /* of the log, at least */
} commits;

static inline commits commit_many(int count) {
    enum { LOOK_EVERY = 50 };
    commits met = {.longest_us = 0};
    int64_t pages = 0;
    lido_session *db = open_autocommit(engine);
    for (int i = 0; i < count; i++) {
        int64_t began = lido__clock_now_us();
        lido_exec(db, "UPDATE kept SET touched = ? WHERE id = ?", i, i % ROWS);
        int64_t took = lido__clock_now_us() - began;
        int64_t size = log_size();
        met.longest_us = took > met.longest_us ? took : met.longest_us;
        met.largest_log = size > met.largest_log ? size : met.largest_log;
        int64_t length = i % LOOK_EVERY == 0 ? inspect().log_pages : pages;
        met.restarts += length < pages;
        pages = length;
    }
    expect_no_error(db);
    lido_session_close(db);
    print_message(
        "           the log was at most %lld KiB long and began anew %d times, a commit took at most %lld ms\n",
        (long long)met.largest_log / 1024, met.restarts, (long long)met.longest_us / 1000);
    return met;
}

/* ---- Readers who never pause ---- */

typedef struct reader {
    pthread_t thread;
    lido_engine *engine;
    atomic_bool *stops;
    int stays_ms; /* within its transaction */
    int failures;
} reader;

static inline void *read_on(void *argument) {
    reader *self = argument;
    while (!atomic_load_explicit(self->stops, memory_order_relaxed)) {
        lido_session *db = lido_session_open(self->engine, &(lido_session_options){.read_only = true});
        int64_t first = lido_query_value(db, "SELECT sum(touched) FROM kept").as.integer;
        if (self->stays_ms > 0)
            poll(NULL, 0, self->stays_ms);
        int64_t second = lido_query_value(db, "SELECT sum(touched) FROM kept WHERE length(filler) > 0").as.integer;
        self->failures += lido_failed(db) || first != second;
        lido_session_close(db);
    }
    return NULL;
}

enum { READERS = 4 };

/* Each stays for a moment of its own, so that there is no time when nobody reads. */
static inline void start_readers(reader *readers, lido_engine *on, atomic_bool *stops, int stays_ms) {
    for (int i = 0; i < READERS; i++) {
        readers[i] = (reader){.engine = on, .stops = stops, .stays_ms = stays_ms > 0 ? stays_ms + 3 * i : 0};
        if (pthread_create(&readers[i].thread, NULL, read_on, &readers[i]) != 0)
            abort();
    }
}

static inline int stop_readers(reader *readers, atomic_bool *stops) {
    int failures = 0;
    atomic_store(stops, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        failures += readers[i].failures;
    }
    return failures;
}

/* Each commit makes the log a page longer, and SQLite alone would keep nearly all of them. How long it becomes depends
 * on how much is written while one reader reads, which is much where the machine does much else. */
enum { COMMITS_BESIDE_READERS = 5000, RESTARTS_LEAST = 1 };

static inline void expect_short_log(const commits *met) {
    assert_in_range(met->restarts, RESTARTS_LEAST, COMMITS_BESIDE_READERS);
    assert_in_range(met->largest_log, LIMIT * PAGE, COMMITS_BESIDE_READERS * (PAGE * 9 / 10));
    assert_in_range(met->longest_us, 0, STALL_MOST_US);
}

/* ---- A disk that does as it is told ---- */

static inline int open_slow_file(void **state) {
    if (make_folder(state) != 0)
        return -1;
    power_begin(folder);
    open_with(ROWS, "full");
    make_rows();
    return 0;
}

static inline int close_slow_file(void **state) {
    lido_engine_close(engine);
    engine = NULL;
    power_end();
    return remove_folder(state);
}

#endif
