/* Forks with an engine open, at each step of a transaction: the child is refused what it inherited, opens its own, ends
 * as it likes, and its parent's transaction commits afterwards as if nothing had been.
 *
 * On PostgreSQL lido speaks through a relay that counts, with TLS and without: not a byte comes from the child on the
 * parent's connection, no connection is made to cancel anything, nobody hangs up, and the server sees the same
 * statement as before. On a SQLite file a third process, started anew, looks whether the parent's locks still hold. */
#include "forked.h"

#include <fcntl.h>

enum { BYTES_COME_MS = 20, WITNESS_WROTE = 10, WITNESS_WAS_REFUSED = 11 };

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

/* ---- All together ---- */

static place places[PLACES];
static story stories[PLACES * STEPS];
static char names[PLACES * (STEPS + 1)][128];
static struct CMUnitTest tests[PLACES * (STEPS + 1)];

static void add(size_t *count, place where, const char *title, CMUnitTestFunction test, void *state) {
    snprintf(names[*count], sizeof names[*count], "%s: %s", place_names[where], title);
    tests[*count] = (struct CMUnitTest){.name = names[*count], .test_func = test, .initial_state = state};
    ++*count;
}

int main(int count, char **arguments) {
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
    }
    return _cmocka_run_group_tests("fork", tests, used, NULL, NULL);
}
