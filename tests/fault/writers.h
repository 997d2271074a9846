/* Those who write to one SQLite file, each on a thread of its own, and wait for their turn; for the tests of
 * core/writer.h. */
#ifndef TESTS_FAULT_WRITERS_H
#define TESTS_FAULT_WRITERS_H

#include "databases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

static lido_engine *engine;

#define ENDLESS "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n)"

static inline int open_file(void **state) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.busy_timeout_ms = 20000;
    if (make_folder(state) != 0)
        return -1;
    engine = open_surely(file_url("written.db"), &options);
    run_surely(engine,
               "CREATE TABLE written (id integer PRIMARY KEY, who integer, what integer CHECK (what >= 0 OR who < 0));"
               "CREATE TABLE children (parent integer REFERENCES written (id) DEFERRABLE INITIALLY DEFERRED);"
               "CREATE TRIGGER no_tens BEFORE INSERT ON written WHEN NEW.who = 10 "
               "BEGIN SELECT RAISE(ROLLBACK, 'no tens'); END");
    return 0;
}

static inline int close_file(void **state) {
    lido_engine_close(engine);
    return remove_folder(state);
}

static inline int64_t ask(const char *query) {
    return ask_surely(engine, query);
}

static inline void run(const char *script) {
    run_surely(engine, script);
}

static inline void pause_ms(long ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static inline int count_waiting(void) {
    lido_pool_stats stats;
    lido_engine_stats(engine, &stats);
    return (int)stats.waiting;
}

static inline void expect_waiting(int count) {
    for (int i = 0; i < 20000 && count_waiting() != count; i++)
        pause_ms(1);
    assert_int_equal(count_waiting(), count);
}

/* A transaction that writes and is not over. */
static inline lido_session *hold_the_turn(void) {
    lido_session *db = lido_session_open(engine, NULL);
    assert_int_equal(lido_exec(db, "INSERT INTO written (who, what) VALUES (0, 0)"), 1);
    return db;
}

/* One who has a statement, and what became of it. */
typedef struct waiting {
    const char *sql;
    bool block;
    atomic_bool may_commit; /* a block's: it dawdles until then */
    pthread_t thread;
    _Atomic(lido_session *) session;
    lido_status outcome;
    lido_error error;
    int64_t returned;
} waiting;

static inline void *write_in_block(void *argument) {
    waiting *self = argument;
    lido_session *db = lido_session_open(engine, NULL);
    self->session = db;
    lido_value value = lido_query_value(db, self->sql);
    self->returned = value.kind == LIDO_KIND_INT64 ? value.as.integer : -1;
    for (int i = 0; i < 20000 && !self->may_commit; i++)
        pause_ms(1);
    self->outcome = lido_commit(db);
    self->error = *lido_error_of(db);
    lido_session_close(db);
    return NULL;
}

static inline void *write_alone(void *argument) {
    waiting *self = argument;
    lido_session *db = open_autocommit(engine);
    self->session = db;
    lido_value value = lido_query_value(db, self->sql);
    self->returned = value.kind == LIDO_KIND_INT64 ? value.as.integer : -1;
    self->outcome = lido_failed(db) || lido_error_of(db)->category != LIDO_ERROR_NONE ? LIDO_ERROR : LIDO_OK;
    self->error = *lido_error_of(db);
    lido_session_close(db);
    return NULL;
}

/* Behind so many who wait already. */
static inline void wait_with(waiting *self, const char *sql, int behind) {
    *self = (waiting){.sql = sql, .may_commit = true};
    assert_int_equal(pthread_create(&self->thread, NULL, write_alone, self), 0);
    expect_waiting(behind + 1);
}

static inline void wait_in_block(waiting *self, const char *sql, int behind, bool dawdles) {
    *self = (waiting){.sql = sql, .block = true, .may_commit = !dawdles};
    assert_int_equal(pthread_create(&self->thread, NULL, write_in_block, self), 0);
    if (behind >= 0)
        expect_waiting(behind + 1);
}

static inline void expect_done(waiting *self) {
    assert_int_equal(pthread_join(self->thread, NULL), 0);
    if (self->outcome != LIDO_OK)
        lido_error_print(&self->error, stderr);
    assert_int_equal(self->outcome, LIDO_OK);
}

static inline void expect_failed(waiting *self, lido_category category) {
    assert_int_equal(pthread_join(self->thread, NULL), 0);
    if (self->error.category != category)
        lido_error_print(&self->error, stderr);
    assert_int_equal(self->error.category, category);
}

/* Commits on another thread what this one's session cannot. */
static inline void *take_turn_and_commit(void *argument) {
    waiting *self = argument;
    lido_session *db = hold_the_turn();
    atomic_store(&self->session, db);
    while (!self->may_commit)
        pause_ms(1);
    self->outcome = lido_commit(db);
    self->error = *lido_error_of(db);
    lido_session_close(db);
    return NULL;
}

static inline void start_holder(waiting *self) {
    *self = (waiting){.block = true};
    assert_int_equal(pthread_create(&self->thread, NULL, take_turn_and_commit, self), 0);
    while (atomic_load(&self->session) == NULL)
        pause_ms(1);
}

#endif
