/* A process that is in the middle of something on a database, and its child: for the tests that fork. On PostgreSQL the
 * parent speaks through a relay that counts. */
#ifndef TESTS_FAULT_FORKED_H
#define TESTS_FAULT_FORKED_H

#include "child.h"
#include "counting_relay.h"

enum { BUSY_MS = 20 };

typedef enum place { PLAIN, TLS, FILE_WAL, FILE_DELETE, MEMORY, PLACES } place;

static const char *const place_names[PLACES] = {"PostgreSQL", "PostgreSQL over TLS", "a SQLite file",
                                                "a SQLite file with a rollback journal", "SQLite in memory"};

static inline bool is_postgres(place where) {
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

static inline lido_engine *open_engine(place where) {
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

static inline void begin_at(place where) {
    make_folder(NULL);
    if (is_postgres(where)) {
        witness_engine = open_surely(postgres_url(), NULL);
        run_surely(witness_engine, "DROP TABLE IF EXISTS forked");
        counting_relay_start(&between, getenv("LIDO_TEST_POSTGRES_PORT"));
    }
    engine = open_engine(where);
    run_surely(engine, create);
}

static inline void end_at(place where) {
    lido_engine_close(engine);
    if (is_postgres(where)) {
        counting_relay_stop(&between);
        lido_engine_close(witness_engine);
    }
    remove_folder(NULL);
}

/* ---- What the parent is in the middle of ---- */

static inline const char *many_rows(place where) {
    return is_postgres(where) ? "SELECT n, repeat('x', 1000) FROM generate_series(1, 100000) AS n"
                              : "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers "
                                "WHERE n < 100000) SELECT n, hex(zeroblob(500)) FROM numbers";
}

/* Brings the session to the step. */
static inline lido_rows *go_to(step when, place where, lido_session *db) {
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
static inline void go_on_from(step when, lido_session *db, lido_rows *rows) {
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

/* ---- What the child does ---- */

static inline void expect_refused(lido_session *inherited, lido_rows *rows) {
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

/* A SQLite file that the parent writes to can be read but not written, as from any other process; the same may go for
 * one where it has only read, but has written after such a read before. What the child does it undoes, for the parent
 * counts. */
static inline void work_on_own(place where, step when, int id) {
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
        CHILD_EXPECT(!lido_failed(own) || when == ROWS_OPEN);
    lido_rollback(own);
    CHILD_EXPECT(lido_session_close(own) == LIDO_OK);
}

static inline void have_a_child(place where, step when) {
    lido_session *own = lido_session_open(engine, NULL);
    lido_query_value(own, "SELECT 1");
    CHILD_EXPECT(!lido_failed(own));
    /* The pool's keeper has just started. AddressSanitizer's allocator, unlike the C library's, does not survive a fork
     * while another thread is inside it. */
    usleep(50000);
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

static inline void be_a_child(place where, step when, conduct how, lido_session *inherited, lido_rows *rows) {
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

#endif
