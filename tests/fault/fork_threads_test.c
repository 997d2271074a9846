/* Forks in a process that has other threads, and many forks: nobody in the parent notices, nobody in a child waits for
 * a thread that only the parent has, and nothing is left behind. */
#include "forked.h"
#include "soak.h"

#include <pthread.h>

#include "core/engine.h"

/* ---- With other threads ---- */

extern void __asan_init(void) __attribute__((weak)); /* there under AddressSanitizer */

/* AddressSanitizer's allocator leaves its locks in a child as they were in the fork: threads that allocate all the
 * time are more than it can do. libc's makes its own anew. */
static void skip_if_malloc_is_not_for_forks(void) {
    if (&__asan_init != NULL)
        skip();
}

typedef struct helper {
    pthread_t thread;
    const char *sql;
    int64_t found;
    lido_category category;
} helper;

static void *run_one(void *argument) {
    helper *self = argument;
    lido_session *db = open_autocommit(engine);
    self->found = lido_query_value(db, self->sql).as.integer;
    self->category = lido_error_of(db)->category;
    lido_session_close(db);
    return NULL;
}

static void start(helper *self, const char *sql) {
    *self = (helper){.sql = sql};
    assert_int_equal(pthread_create(&self->thread, NULL, run_one, self), 0);
}

static void expect_found(helper *self, int64_t expected) {
    pthread_join(self->thread, NULL);
    assert_int_equal(self->category, LIDO_ERROR_NONE);
    assert_int_equal(self->found, expected);
}

static lido_pool_stats stats_now(void) {
    lido_pool_stats stats;
    lido_engine_stats(engine, &stats);
    return stats;
}

static const char *slow_statement(place where) {
    return is_postgres(where) ? "SELECT 7 FROM pg_sleep(0.5)"
                              : "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
                                "WHERE n < 2000000) SELECT 7 FROM (SELECT sum(n) FROM numbers)";
}

static void a_thread_in_a_statement_does_not_notice(void **state) {
    const place *where = *state;
    if (is_postgres(*where))
        postgres_url();
    else
        skip_if_malloc_is_not_for_forks(); /* SQLite's statements are run by the thread itself */
    begin_at(*where);
    helper other;
    start(&other, slow_statement(*where));
    while (stats_now().in_use == 0)
        poll(NULL, 0, 1);
    for (conduct how = 0; how < CONDUCTS; how++) {
        lido_session *db = lido_session_open(engine, NULL);
        pid_t child = fork_surely();
        if (child == 0)
            be_a_child(*where, NOTHING_BEGUN, how, db, NULL);
        expect_good_end(child);
        lido_session_close(db);
    }
    expect_found(&other, 7);
    end_at(*where);
}

static void a_thread_that_waits_in_the_pool_gets_its_turn(void **state) {
    const place *where = *state;
    if (is_postgres(*where))
        postgres_url();
    begin_at(*where);
    lido_session *held[2] = {lido_session_open(engine, NULL), lido_session_open(engine, NULL)};
    for (size_t i = 0; i < 2; i++)
        lido_query_value(held[i], "SELECT 1");
    helper other;
    start(&other, "SELECT 7");
    while (stats_now().waiting == 0)
        poll(NULL, 0, 1);
    pid_t child = fork_surely();
    if (child == 0) {
        CHILD_EXPECT(stats_now().waiting == 0 && stats_now().open == 0);
        be_a_child(*where, NOTHING_BEGUN, WORKS_AND_CLOSES, held[0], NULL);
    }
    expect_good_end(child);
    assert_int_equal(stats_now().waiting, 1);
    for (size_t i = 0; i < 2; i++) {
        expect_no_error(held[i]);
        assert_int_equal(lido_commit(held[i]), LIDO_OK);
    }
    expect_found(&other, 7);
    for (size_t i = 0; i < 2; i++)
        lido_session_close(held[i]);
    end_at(*where);
}

/* In the child of a thread, that thread is the only one, and the main one's sessions are refused to it. */
typedef struct forker {
    pthread_t thread;
    place where;
    lido_session *of_main;
    pid_t child;
} forker;

static void *fork_here(void *argument) {
    forker *self = argument;
    lido_session *own = lido_session_open(engine, NULL);
    lido_query_value(own, "SELECT 1");
    self->child = fork();
    if (self->child == 0) {
        become_child();
        expect_refused(self->of_main, NULL);
        be_a_child(self->where, INSERTED, WORKS_AND_CLOSES, own, NULL);
    }
    lido_commit(own);
    lido_session_close(own);
    return NULL;
}

static void any_thread_may_fork(void **state) {
    const place *where = *state;
    if (is_postgres(*where))
        postgres_url();
    begin_at(*where);
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows = go_to(INSERTED, *where, db);
    forker forks = {.where = *where, .of_main = db};
    assert_int_equal(pthread_create(&forks.thread, NULL, fork_here, &forks), 0);
    pthread_join(forks.thread, NULL);
    expect_good_end(forks.child);
    go_on_from(INSERTED, db, rows);
    lido_session_close(db);
    end_at(*where);
}

/* Two threads that never rest, opening connections, running statements and closing: whatever lock they hold at the
 * moment of the fork, in SQLite, libpq or what is under it, nobody in the child waits for it. */
typedef struct busy_thread {
    pthread_t thread;
    atomic_bool *stops;
    int64_t done;
} busy_thread;

static void *never_rest(void *argument) {
    busy_thread *self = argument;
    while (!atomic_load(self->stops)) {
        lido_session *db = lido_session_open(engine, NULL);
        self->done += lido_query_value(db, "SELECT count(*) FROM forked WHERE who < 'z'").kind == LIDO_KIND_INT64;
        lido_session_close(db);
    }
    return NULL;
}

static void forks_among_busy_threads_hang_nowhere(void **state) {
    enum { FORKS = 30 };
    const place *where = *state;
    skip_if_malloc_is_not_for_forks();
    if (is_postgres(*where))
        postgres_url();
    reconnects = true;
    begin_at(*where);
    reconnects = false;
    atomic_bool stops = false;
    busy_thread threads[2] = {{.stops = &stops}, {.stops = &stops}};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i].thread, NULL, never_rest, &threads[i]), 0);
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork_surely();
        if (child == 0) {
            work_on_own(*where, NOTHING_BEGUN, 2000 + i);
            _exit(0);
        }
        expect_good_end(child);
    }
    atomic_store(&stops, true);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i].thread, NULL);
        assert_true(threads[i].done > 0);
    }
    end_at(*where);
}

/* ---- Inspecting ---- */

/* The parent's database in memory has locks that nobody in the child will release. */
static void an_inspection_in_the_child_is_on_its_own(void **state) {
    const place *where = *state;
    if (is_postgres(*where))
        postgres_url();
    begin_at(*where);
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows = go_to(INSERTED, *where, db);
    pid_t child = fork_surely();
    if (child == 0) {
        lido_server server;
        void *parents = engine->pool.database;
        CHILD_EXPECT(lido_engine_inspect(engine, &server, NULL) == LIDO_OK);
        CHILD_EXPECT(server.version[0] != '\0');
        CHILD_EXPECT(*where != MEMORY || engine->pool.database != parents);
        be_a_child(*where, INSERTED, WORKS_AND_CLOSES, db, rows);
    }
    expect_good_end(child);
    go_on_from(INSERTED, db, rows);
    lido_session_close(db);
    end_at(*where);
}

/* ---- What is left behind ---- */

/* libpq's result is memory like any other; on SQLite the row is in the statement, which the child does not touch. */
static void a_stream_s_row_is_freed_in_the_child(void **state) {
    enum { ROW_BYTES = 1 << 20 };
    const place *where = *state;
    if (is_postgres(*where))
        postgres_url();
    begin_at(*where);
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows = lido_stream(db, is_postgres(*where) ? "SELECT repeat('x', 1048576) FROM generate_series(1, 3)"
                                                          : "SELECT hex(zeroblob(524288)) FROM (VALUES (1), (2), (3))");
    assert_true(lido_next(rows));
    assert_int_equal(lido_get(rows, 0).size, ROW_BYTES);
    pid_t child = fork_surely();
    if (child == 0) {
        size_t before = count_allocated();
        CHILD_EXPECT(lido_session_close(db) == LIDO_ERROR);
        CHILD_EXPECT(!is_postgres(*where) || count_allocated() + ROW_BYTES <= before);
        exit(0);
    }
    expect_good_end(child);
    for (int i = 0; i < 2; i++)
        assert_true(lido_next(rows));
    assert_false(lido_next(rows));
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    end_at(*where);
}

static void many_forks_leave_nothing_behind(void **state) {
    enum { FORKS = 50 };
    const place *where = *state;
    if (is_postgres(*where))
        postgres_url();
    begin_at(*where);
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows = go_to(INSERTED, *where, db);
    int before = count_descriptors();
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork_surely();
        if (child == 0)
            be_a_child(*where, INSERTED, i % 10 == 0 ? WORKS_AND_CLOSES : CLOSES, db, rows);
        expect_good_end(child);
    }
    /* The relay closes its ends of the children's connections a moment after them. */
    for (int i = 0; i < 500 && count_descriptors() != before; i++)
        poll(NULL, 0, 10);
    assert_int_equal(count_descriptors(), before);
    go_on_from(INSERTED, db, rows);
    lido_session_close(db);
    end_at(*where);
}

/* ---- All together ---- */

int main(void) {
    static const struct {
        const char *title;
        CMUnitTestFunction test;
    } stories[] = {
        {"a thread in a statement does not notice", a_thread_in_a_statement_does_not_notice},
        {"a thread that waits in the pool gets its turn", a_thread_that_waits_in_the_pool_gets_its_turn},
        {"any thread may fork", any_thread_may_fork},
        {"forks among busy threads hang nowhere", forks_among_busy_threads_hang_nowhere},
        {"an inspection in the child is on its own", an_inspection_in_the_child_is_on_its_own},
        {"a stream's row is freed in the child", a_stream_s_row_is_freed_in_the_child},
        {"many forks leave nothing behind", many_forks_leave_nothing_behind},
    };
    enum { STORIES = sizeof stories / sizeof stories[0] };
    static place places[PLACES];
    static char names[PLACES * STORIES][128];
    static struct CMUnitTest tests[PLACES * STORIES];
    size_t used = 0;
    for (place where = 0; where < PLACES; where++) {
        places[where] = where;
        for (size_t i = 0; i < STORIES; i++, used++) {
            snprintf(names[used], sizeof names[used], "%s: %s", place_names[where], stories[i].title);
            tests[used] =
                (struct CMUnitTest){.name = names[used], .test_func = stories[i].test, .initial_state = &places[where]};
        }
    }
    return _cmocka_run_group_tests("fork_threads", tests, used, NULL, NULL);
}
