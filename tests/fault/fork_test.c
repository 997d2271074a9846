/* Forks with an engine open, at each step of a transaction: the child is refused what it inherited, opens its own, ends
 * as it likes, and its parent's transaction commits afterwards as if nothing had been.
 *
 * On PostgreSQL lido speaks through a relay that counts, with TLS and without: not a byte comes from the child on the
 * parent's connection, no connection is made to cancel anything, nobody hangs up, and the server sees the same
 * statement as before. On a SQLite file a third process, started anew, looks whether the parent's locks still hold. */
#include "databases.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/engine.h"
#include "counting_relay.h"

enum { CHILD_MOST_S = 60, BUSY_MS = 20, BYTES_COME_MS = 20, WITNESS_WROTE = 10, WITNESS_WAS_REFUSED = 11 };

typedef enum place { PLAIN, TLS, FILE_WAL, FILE_DELETE, MEMORY, PLACES } place;

static const char *const place_names[PLACES] = {"PostgreSQL", "PostgreSQL over TLS", "a SQLite file",
                                                "a SQLite file with a rollback journal", "SQLite in memory"};

static bool is_postgres(place where) {
    return where == PLAIN || where == TLS;
}

/* What the parent is in the middle of. */
typedef enum step { NOTHING_BEGUN, INSERTED, QUEUED, ROWS_OPEN, STREAMING, IN_A_SAVEPOINT, STEPS } step;

static const char *const step_names[STEPS] = {"before the first statement",
                                              "after an INSERT",
                                              "with statements queued",
                                              "with rows open",
                                              "in a stream",
                                              "in a savepoint"};

/* What the child does with it. */
typedef enum conduct { LEAVES, CLOSES, WORKS, WORKS_AND_CLOSES, HAS_A_CHILD, CONDUCTS } conduct;

/* ---- The parent's side ---- */

static counting_relay between;
static lido_engine *witness_engine; /* who asks the server, around the relay */
static lido_engine *engine;

static bool reconnects; /* no connection is used for long: they are opened and closed all the time */

static lido_engine *open_engine(place where) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 2;
    options.max_overflow = 0;
    options.busy_timeout_ms = BUSY_MS;
    options.pool_recycle_ms = reconnects ? 1 : -1;
    if (where == FILE_DELETE)
        options.journal_mode = "delete";
    if (!is_postgres(where))
        return open_surely(where == MEMORY ? "sqlite://" : file_url("forked.db"), &options);
    options.host = "127.0.0.1";
    options.port = between.port;
    options.password = getenv("LIDO_TEST_POSTGRES_PASSWORD");
    options.sslmode = where == TLS ? "require" : "disable";
    return open_surely(postgres_url(), &options);
}

static const char create[] = "CREATE TABLE forked (id integer PRIMARY KEY, who text)";

static void begin_at(place where) {
    make_folder(NULL);
    if (is_postgres(where)) {
        witness_engine = open_surely(postgres_url(), NULL);
        run_surely(witness_engine, "DROP TABLE IF EXISTS forked");
        counting_relay_start(&between, getenv("LIDO_TEST_POSTGRES_PORT"));
    }
    engine = open_engine(where);
    run_surely(engine, create);
}

static void end_at(place where) {
    lido_engine_close(engine);
    if (is_postgres(where)) {
        counting_relay_stop(&between);
        lido_engine_close(witness_engine);
    }
    remove_folder(NULL);
}

/* ---- The child's side: no cmocka there ---- */

#define CHILD_EXPECT(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: in the child: %s\n", __FILE__, __LINE__, #condition); \
            _exit(1); \
        } \
    } while (0)

extern void __asan_init(void) __attribute__((weak)); /* there under AddressSanitizer */

static bool is_child;

/* The leak checker asks. In a child it stops and scans threads that only the parent has, for seconds, and then sees
 * leaks that are none. */
int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void) {
    return is_child;
}

/* A child that hangs is a failure, and not a test that never ends. */
static void become_child(void) {
    is_child = true;
    alarm(CHILD_MOST_S);
}

static pid_t fork_surely(void) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        become_child();
    return child;
}

static void expect_good_end(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with %s %d", WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void expect_refused(lido_session *inherited, lido_rows *rows) {
    CHILD_EXPECT(lido_failed(inherited));
    CHILD_EXPECT(lido_exec(inherited, "INSERT INTO forked VALUES (666, 'child')") == 0);
    CHILD_EXPECT(lido_query(inherited, "SELECT 1") == NULL);
    CHILD_EXPECT(lido_stream(inherited, "SELECT 1") == NULL);
    lido_send(inherited, "INSERT INTO forked VALUES (667, 'child')");
    CHILD_EXPECT(lido_savepoint_begin(inherited) == 0);
    CHILD_EXPECT(lido_savepoint_release(inherited, 1, NULL) == LIDO_ERROR);
    lido_savepoint_rollback(inherited, 1);
    lido_rollback(inherited);
    CHILD_EXPECT(lido_commit(inherited) == LIDO_ERROR);
    CHILD_EXPECT(lido_cancel(inherited) == LIDO_ERROR);
    CHILD_EXPECT(!lido_next(rows));
    lido_rows_close(rows);
    const lido_error *why = lido_error_of(inherited);
    CHILD_EXPECT(why->category == LIDO_ERROR_MISUSE);
    CHILD_EXPECT(strstr(why->message, "forked") != NULL);
    CHILD_EXPECT(strstr(why->hint, "open a session in the child") != NULL);
}

/* A SQLite file that the parent writes to can be read but not written, as from any other process. What the child does
 * it undoes, for the parent counts. */
static void work_on_own(place where, step when, int id) {
    lido_session *own = lido_session_open(engine, NULL);
    bool locked = (where == FILE_WAL || where == FILE_DELETE) && when != NOTHING_BEGUN && when != ROWS_OPEN;
    if (where == MEMORY && lido_query_value(own, "SELECT count(*) FROM sqlite_schema").as.integer == 0)
        lido_script(own, create);
    CHILD_EXPECT(lido_commit(own) == LIDO_OK);
    lido_value seen = lido_query_value(own, "SELECT count(*) FROM forked WHERE who = 'parent'");
    CHILD_EXPECT(!lido_failed(own) && seen.as.integer == 0);
    lido_rollback(own);
    lido_exec(own, "INSERT INTO forked VALUES (?, 'child')", id);
    if (locked)
        CHILD_EXPECT(lido_error_of(own)->category == LIDO_ERROR_BUSY);
    else
        CHILD_EXPECT(!lido_failed(own));
    lido_rollback(own);
    CHILD_EXPECT(lido_session_close(own) == LIDO_OK);
}

static void have_a_child(place where, step when) {
    lido_session *own = lido_session_open(engine, NULL);
    lido_query_value(own, "SELECT 1");
    CHILD_EXPECT(!lido_failed(own));
    pid_t child = fork();
    if (child == 0) {
        become_child(); /* its parent's alarm is not its own */
        expect_refused(own, NULL);
        work_on_own(where, when, 3000);
        CHILD_EXPECT(lido_session_close(own) == LIDO_ERROR);
        lido_engine_close(engine);
        exit(0);
    }
    int status = 1;
    CHILD_EXPECT(waitpid(child, &status, 0) == child && status == 0);
    CHILD_EXPECT(lido_commit(own) == LIDO_OK);
    lido_session_close(own);
}

static void be_a_child(place where, step when, conduct how, lido_session *inherited, lido_rows *rows) {
    if (how != LEAVES && how != CLOSES) {
        expect_refused(inherited, rows);
        work_on_own(where, when, 2000);
    }
    if (how == HAS_A_CHILD)
        have_a_child(where, when);
    if (how == CLOSES || how == WORKS_AND_CLOSES || how == HAS_A_CHILD) {
        CHILD_EXPECT(lido_session_close(inherited) == LIDO_ERROR);
        lido_engine_close(engine);
    }
    exit(0);
}

/* ---- A third process: this program, started anew ---- */

static int be_the_witness(const char *url, const char *journal_mode) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.busy_timeout_ms = 0;
    options.journal_mode = journal_mode;
    lido_engine *own = lido_engine_open(url, &options, NULL);
    lido_session *db = lido_session_open(own, NULL);
    lido_exec(db, "INSERT INTO forked VALUES (4000, 'witness')");
    lido_category category = lido_error_of(db)->category;
    lido_session_close(db);
    lido_engine_close(own);
    return category == LIDO_ERROR_NONE ? WITNESS_WROTE : category == LIDO_ERROR_BUSY ? WITNESS_WAS_REFUSED : 1;
}

static void expect_witness_says(place where, int expected) {
    int status = 0;
    pid_t witness = fork_surely();
    if (witness == 0) {
        execl("/proc/self/exe", "fork_test", "witness", file_url("forked.db"), where == FILE_DELETE ? "delete" : "wal",
              (char *)NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(witness, &status, 0), witness);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

/* The same question within the process, for a database that no other process can open. */
static void expect_others_wait(void) {
    lido_session *other = lido_session_open(engine, NULL);
    lido_exec(other, "INSERT INTO forked VALUES (5000, 'other')");
    expect_error(other, LIDO_ERROR_BUSY);
    lido_session_close(other);
}

static void expect_locked(place where) {
    if (where == MEMORY)
        expect_others_wait();
    else if (!is_postgres(where))
        expect_witness_says(where, WITNESS_WAS_REFUSED);
}

/* ---- What must not change ---- */

typedef struct view {
    long said; /* on the parent's connection, the first that was made */
    bool ended;
    int connections;    /* made by all processes */
    char activity[512]; /* the parent's backend, as the server sees it */
} view;

static void look(view *seen, place where, int64_t backend) {
    memset(seen, 0, sizeof *seen);
    if (!is_postgres(where))
        return;
    poll(NULL, 0, BYTES_COME_MS);
    seen->said = atomic_load(&between.connections[0].said);
    seen->ended = atomic_load(&between.connections[0].ended);
    seen->connections = atomic_load(&between.count);
    lido_session *db = open_autocommit(witness_engine);
    lido_value text = lido_query_value(
        db,
        "SELECT concat_ws(' ', state, query_start, state_change, xact_start, query) FROM pg_stat_activity "
        "WHERE pid = ?",
        backend);
    expect_no_error(db);
    assert_int_equal(text.kind, LIDO_KIND_TEXT);
    snprintf(seen->activity, sizeof seen->activity, "%s", text.as.text);
    lido_session_close(db);
}

/* A connection more than the child opened to work would be a request to cancel. */
static void expect_unchanged(const view *before, const view *after, place where, conduct how) {
    static const int opened[CONDUCTS] = {[WORKS] = 1, [WORKS_AND_CLOSES] = 1, [HAS_A_CHILD] = 2};
    assert_string_equal(before->activity, after->activity);
    assert_int_equal(before->said, after->said);
    assert_int_equal(before->ended, after->ended);
    assert_int_equal(after->connections - before->connections, is_postgres(where) ? opened[how] : 0);
}

/* ---- The stories ---- */

static int64_t backend_of(lido_session *db, place where) {
    return is_postgres(where) ? lido_query_value(db, "SELECT pg_backend_pid()").as.integer : 0;
}

static const char *many_rows(place where) {
    return is_postgres(where) ? "SELECT n, repeat('x', 1000) FROM generate_series(1, 100000) AS n"
                              : "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
                                "WHERE n < 100000) SELECT n, hex(zeroblob(500)) FROM numbers";
}

/* Brings the session to the step. */
static lido_rows *go_to(step when, place where, lido_session *db) {
    lido_rows *rows = NULL;
    if (when != NOTHING_BEGUN && when != ROWS_OPEN)
        lido_exec(db, "INSERT INTO forked VALUES (1, 'parent')");
    if (when == QUEUED)
        lido_send(db, "INSERT INTO forked VALUES (2, 'parent')");
    if (when == ROWS_OPEN)
        rows = lido_query(db, "SELECT 1 AS n UNION ALL SELECT 2 ORDER BY n");
    if (when == STREAMING)
        rows = lido_stream(db, many_rows(where));
    if (when == IN_A_SAVEPOINT) {
        assert_int_equal(lido_savepoint_begin(db), 1);
        lido_exec(db, "INSERT INTO forked VALUES (2, 'parent')");
    }
    if (rows != NULL)
        assert_true(lido_next(rows));
    expect_no_error(db);
    return rows;
}

/* Goes on from the step, and commits. */
static void go_on_from(step when, lido_session *db, lido_rows *rows) {
    if (rows != NULL)
        assert_true(lido_next(rows));
    if (rows != NULL)
        assert_int_equal(lido_get_int64(rows, 0), 2);
    lido_rows_close(rows);
    if (when == IN_A_SAVEPOINT)
        assert_int_equal(lido_savepoint_release(db, 1, NULL), LIDO_OK);
    lido_exec(db, "INSERT INTO forked VALUES (3, 'parent')");
    expect_no_error(db);
    assert_int_equal(lido_commit(db), LIDO_OK);
    int64_t expected = when == NOTHING_BEGUN || when == ROWS_OPEN ? 1
                       : when == QUEUED || when == IN_A_SAVEPOINT ? 3
                                                                  : 2;
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM forked"), expected);
    run_surely(engine, "DELETE FROM forked");
}

static void fork_once(place where, step when, conduct how) {
    view before;
    view after;
    bool writing = when != NOTHING_BEGUN && when != ROWS_OPEN;
    lido_session *db = lido_session_open(engine, NULL);
    int64_t backend = backend_of(db, where);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_rows *rows = go_to(when, where, db);
    if (writing)
        expect_locked(where);
    look(&before, where, backend);
    pid_t child = fork_surely();
    if (child == 0)
        be_a_child(where, when, how, db, rows);
    expect_good_end(child);
    look(&after, where, backend);
    expect_unchanged(&before, &after, where, how);
    if (writing)
        expect_locked(where);
    go_on_from(when, db, rows);
    lido_session_close(db);
}

typedef struct story {
    place where;
    step when;
} story;

static void a_child_leaves_the_transaction_alone(void **state) {
    const story *told = *state;
    if (is_postgres(told->where))
        postgres_url();
    begin_at(told->where);
    for (conduct how = 0; how < CONDUCTS; how++)
        fork_once(told->where, told->when, how);
    end_at(told->where);
}

/* ---- Locks on a file ---- */

/* SQLite keeps account of a process's locks by file. A child that inherited the account would never get the lock that
 * its parent had at the fork, or take it for its own. Who has it is told by turns. */
static void take_turns_in_the_child(int told, int tells) {
    char turn;
    lido_session *own = lido_session_open(engine, NULL);
    lido_exec(own, "INSERT INTO forked VALUES (2, 'child')");
    CHILD_EXPECT(lido_error_of(own)->category == LIDO_ERROR_BUSY);
    lido_rollback(own);
    CHILD_EXPECT(write(tells, "", 1) == 1);
    CHILD_EXPECT(read(told, &turn, 1) == 1); /* the parent has committed */
    lido_exec(own, "INSERT INTO forked VALUES (2, 'child')");
    CHILD_EXPECT(!lido_failed(own));
    CHILD_EXPECT(write(tells, "", 1) == 1);
    CHILD_EXPECT(read(told, &turn, 1) == 1); /* the parent was refused */
    CHILD_EXPECT(lido_commit(own) == LIDO_OK);
    lido_session_close(own);
    lido_engine_close(engine);
    exit(0);
}

static void a_lock_is_had_by_one_process_at_a_time(void **state) {
    const place *where = *state;
    int to_child[2];
    int to_parent[2];
    char turn;
    begin_at(*where);
    assert_int_equal(pipe2(to_child, O_CLOEXEC), 0);
    assert_int_equal(pipe2(to_parent, O_CLOEXEC), 0);
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO forked VALUES (1, 'parent')");
    expect_no_error(db);
    pid_t child = fork_surely();
    if (child == 0)
        take_turns_in_the_child(to_child[0], to_parent[1]);
    close(to_child[0]); /* so that a child that is gone is noticed */
    close(to_parent[1]);
    assert_int_equal(read(to_parent[0], &turn, 1), 1); /* the child was refused */
    assert_int_equal(lido_commit(db), LIDO_OK);
    assert_int_equal(write(to_child[1], "", 1), 1);
    assert_int_equal(read(to_parent[0], &turn, 1), 1); /* the child has the lock */
    lido_exec(db, "INSERT INTO forked VALUES (3, 'parent')");
    expect_error(db, LIDO_ERROR_BUSY);
    lido_rollback(db);
    expect_witness_says(*where, WITNESS_WAS_REFUSED);
    assert_int_equal(write(to_child[1], "", 1), 1);
    expect_good_end(child);
    expect_witness_says(*where, WITNESS_WROTE);
    assert_int_equal(ask_surely(engine, "SELECT sum(id) FROM forked"),
                     1 + 2); /* the witness takes back what it writes */
    lido_session_close(db);
    close(to_child[1]);
    close(to_parent[0]);
    end_at(*where);
}

/* ---- With other threads ---- */

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

static int count_descriptors(void) {
    int count = 0;
    for (int i = 0; i < 1024; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
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

static place places[PLACES];
static story stories[PLACES * STEPS];
static char names[PLACES * (STEPS + 7)][128];
static struct CMUnitTest tests[PLACES * (STEPS + 7)];

static void add(size_t *count, place where, const char *title, CMUnitTestFunction test, void *state) {
    snprintf(names[*count], sizeof names[*count], "%s: %s", place_names[where], title);
    tests[*count] = (struct CMUnitTest){.name = names[*count], .test_func = test, .initial_state = state};
    ++*count;
}

int main(int count, char **arguments) {
    static const struct {
        const char *title;
        CMUnitTestFunction test;
    } others[] = {
        {"a thread in a statement does not notice", a_thread_in_a_statement_does_not_notice},
        {"a thread that waits in the pool gets its turn", a_thread_that_waits_in_the_pool_gets_its_turn},
        {"any thread may fork", any_thread_may_fork},
        {"forks among busy threads hang nowhere", forks_among_busy_threads_hang_nowhere},
        {"an inspection in the child is on its own", an_inspection_in_the_child_is_on_its_own},
        {"many forks leave nothing behind", many_forks_leave_nothing_behind},
    };
    size_t used = 0;
    if (count == 4 && strcmp(arguments[1], "witness") == 0)
        return be_the_witness(arguments[2], arguments[3]);
    for (place where = 0; where < PLACES; where++) {
        places[where] = where;
        for (step when = 0; when < STEPS; when++) {
            story *told = &stories[where * STEPS + when];
            *told = (story){where, when};
            add(&used, where, step_names[when], a_child_leaves_the_transaction_alone, told);
        }
        if (where == FILE_WAL || where == FILE_DELETE)
            add(&used, where, "a lock is had by one process at a time", a_lock_is_had_by_one_process_at_a_time,
                &places[where]);
        for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
            add(&used, where, others[i].title, others[i].test, &places[where]);
    }
    return _cmocka_run_group_tests("fork", tests, used, NULL, NULL);
}
