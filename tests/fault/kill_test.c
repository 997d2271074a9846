/* A process that writes to a SQLite file is killed, with SIGKILL, at random moments, again and again. It acknowledges
 * what it has committed through a pipe: after each kill, every acknowledged row is there, of every transaction all or
 * nothing, and the file is whole.
 *
 * LIDO_TEST_KILLS says how often, 200 if it does not; LIDO_TEST_SEED when. */
#include "child.h"
#include "soak.h"

#include <poll.h>
#include <signal.h>

#include "support/chance.h"

enum { KILLS = 200, CHECK_EVERY = 20, ROWS_OF_A_TRANSACTION = 3, LIFE_MOST_US = 30000, SPEAKS_WITHIN_MS = 20000 };

/* ---- The writer ---- */

/* Every third transaction is one statement in autocommit mode; the others write their rows one by one. */
static bool write_one(lido_engine *engine, int64_t number) {
    bool alone = number % 3 == 0;
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = alone});
    if (alone)
        lido_exec(db, "INSERT INTO killed (number, part) VALUES (:n, 1), (:n, 2), (:n, 3)", LIDO_AS("n", number));
    for (int part = 1; !alone && part <= ROWS_OF_A_TRANSACTION; part++)
        lido_exec(db, "INSERT INTO killed (number, part) VALUES (?, ?)", number, part);
    lido_exec(db, "UPDATE last SET number = ? WHERE number < ?", number, number);
    bool done = !lido_failed(db);
    done = lido_commit(db) == LIDO_OK && done;
    lido_session_close(db);
    return done;
}

/* Never returns: it is killed, or ends with a status that tells that something failed. */
static void write_until_killed(const char *url, const lido_options *options, int64_t first, int says) {
    lido_engine *engine = lido_engine_open(url, options, NULL);
    for (int64_t number = first; engine != NULL; number++) {
        if (!write_one(engine, number) || write(says, &number, sizeof number) != sizeof number)
            break;
    }
    _exit(1);
}

/* ---- Who kills ---- */

static uint64_t chance;

static long number_from(const char *variable, long otherwise) {
    const char *text = getenv(variable);
    return text != NULL ? strtol(text, NULL, 10) : otherwise;
}

/* Reads what was said, until the end, and counts it. */
static int64_t listen_until_end(int listens, int64_t first) {
    int64_t heard;
    int64_t count = 0;
    while (read(listens, &heard, sizeof heard) == sizeof heard)
        assert_int_equal(heard, first + count++);
    return count;
}

/* One life of the writer; returns how many transactions it has acknowledged. */
static int64_t live_and_die(const char *url, const lido_options *options, int64_t first) {
    int status;
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t writer = fork_surely();
    if (writer == 0) {
        close(pipes[0]);
        write_until_killed(url, options, first, pipes[1]);
    }
    close(pipes[1]);
    struct pollfd speaks = {.fd = pipes[0], .events = POLLIN};
    if (draw_below(&chance, 4) > 0) /* else it may be killed before it has begun */
        assert_int_equal(poll(&speaks, 1, SPEAKS_WITHIN_MS), 1);
    usleep((useconds_t)draw_below(&chance, LIFE_MOST_US));
    kill(writer, SIGKILL);
    int64_t count = listen_until_end(pipes[0], first);
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_true(WIFSIGNALED(status)); /* it did not fail before */
    close(pipes[0]);
    return count;
}

/* The acknowledged transactions of a life are consecutive: so many from its first. Others may be there, but whole. */
static void expect_rows(lido_engine *engine, int64_t life_began_at, int64_t count) {
    lido_session *db = open_autocommit(engine);
    lido_value there = lido_query_value(db, "SELECT count(DISTINCT number) FROM killed WHERE number BETWEEN ? AND ?",
                                        life_began_at, life_began_at + count - 1);
    expect_no_error(db);
    if (there.as.integer != count)
        fail_msg("of %lld acknowledged transactions %lld are there", (long long)count, (long long)there.as.integer);
    if (count > 0)
        assert_true(lido_query_value(db, "SELECT number FROM last").as.integer >= life_began_at + count - 1);
    lido_value torn = lido_query_value(db,
                                       "SELECT count(*) FROM (SELECT 1 FROM killed WHERE number >= ? GROUP BY number "
                                       "HAVING count(*) <> ?)",
                                       life_began_at, ROWS_OF_A_TRANSACTION);
    expect_no_error(db);
    assert_int_equal(torn.as.integer, 0);
    lido_session_close(db);
}

static void expect_whole(lido_engine *engine) {
    lido_session *db = open_autocommit(engine);
    lido_value verdict = lido_query_value(db, "PRAGMA integrity_check");
    expect_no_error(db);
    assert_int_equal(verdict.kind, LIDO_KIND_TEXT);
    assert_string_equal(verdict.as.text, "ok");
    lido_session_close(db);
}

/* The engine is opened anew each time, as a program that is started again would: it finds the file as the killed one
 * left it. */
static int64_t kill_often(const lido_options *options, long kills) {
    const char *url = file_url("killed.db");
    int64_t last = 0;
    int64_t in_all = 0;
    lido_engine *engine = open_surely(url, options);
    run_surely(engine, "CREATE TABLE killed (number integer, part integer, PRIMARY KEY (number, part)); "
                       "CREATE TABLE last (number integer); INSERT INTO last VALUES (0)");
    lido_engine_close(engine);
    for (long i = 1; i <= kills; i++) {
        int64_t began_at = last + 1;
        int64_t count = live_and_die(url, options, began_at);
        engine = open_surely(url, options);
        expect_rows(engine, began_at, count);
        in_all += count;
        if (i % CHECK_EVERY == 0 || i == kills)
            expect_whole(engine);
        last = ask_surely(engine, "SELECT coalesce(max(number), 0) FROM killed");
        lido_engine_close(engine);
    }
    assert_true(ask_surely(engine = open_surely(url, options), "SELECT count(DISTINCT number) FROM killed") >= in_all);
    lido_engine_close(engine);
    return in_all;
}

static void kill_with(const char *journal_mode) {
    lido_options options = LIDO_OPTIONS_INIT;
    long kills = number_from("LIDO_TEST_KILLS", KILLS);
    chance = chance_of(seed_of_test(), 0);
    options.synchronous = "full";
    options.journal_mode = journal_mode;
    options.wal_autocheckpoint = 20; /* so that checkpoints are hit, too */
    make_folder(NULL);
    int64_t acknowledged = kill_often(&options, kills / 2 > 0 ? kills / 2 : 1);
    print_message("%lld transactions were acknowledged, and none was lost\n", (long long)acknowledged);
    assert_true(acknowledged > 0);
    remove_folder(NULL);
}

static void nothing_acknowledged_is_lost_with_a_wal(void **state) {
    (void)state;
    kill_with("wal");
}

static void nothing_acknowledged_is_lost_with_a_rollback_journal(void **state) {
    (void)state;
    kill_with("delete");
}

static int run_once(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost_with_a_wal),
        cmocka_unit_test(nothing_acknowledged_is_lost_with_a_rollback_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
    return soak_run(run_once);
}
