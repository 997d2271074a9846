/* Writers on one SQLite file whose process forks or is killed, or runs out of memory. A file of its own: its malloc
 * takes the place of libc's, and it forks while threads run, neither of which ThreadSanitizer can follow. */
#include "child.h"
#include "short_memory.h"
#include "writers.h"

#include <signal.h>

/* ---- Processes ---- */

/* The child is forked while its parent is inside a group: it has no part in that. */
static void a_child_of_a_group(void **state) {
    (void)state;
    waiting inside;
    waiting holder;
    wait_in_block(&inside, "INSERT INTO written (who, what) VALUES (2, 2)", -1, false);
    expect_done(&inside);
    start_holder(&holder);
    wait_in_block(&inside, "INSERT INTO written (who, what) VALUES (2, 2)", 0, true);
    holder.may_commit = true;
    expect_waiting(0);
    pid_t child = fork_surely();
    if (child == 0) {
        lido_session *db = open_autocommit(engine);
        CHILD_EXPECT(lido_exec(db, "INSERT INTO written (who, what) VALUES (3, 3)") == 1);
        CHILD_EXPECT(lido_session_close(db) == LIDO_OK);
        _exit(0);
    }
    inside.may_commit = true;
    expect_done(&holder);
    assert_int_equal(pthread_join(inside.thread, NULL), 0); /* it may have lost its turn */
    expect_good_end(child);
    assert_int_equal(ask("SELECT count(*) FROM written WHERE who = 3"), 1);
}

typedef struct sayer {
    int number;
    int says;
} sayer;

static void *write_and_say(void *argument) {
    const sayer *self = argument;
    for (int64_t i = 0;; i++) {
        int64_t key = i * 8 + self->number;
        lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = self->number % 2 == 0});
        lido_exec(db, "INSERT INTO written (id, who) VALUES (?, -1)", key);
        if (lido_commit(db) != LIDO_OK || write(self->says, &key, sizeof key) != sizeof key)
            _exit(1);
        lido_session_close(db);
    }
    return NULL;
}

static void write_until_killed(int says) {
    pthread_t threads[8];
    sayer sayers[8];
    for (int i = 0; i < 8; i++) {
        sayers[i] = (sayer){.number = i, .says = says};
        pthread_create(&threads[i], NULL, write_and_say, &sayers[i]);
    }
    pthread_join(threads[0], NULL);
}

static void what_was_acknowledged_outlives_a_kill(void **state) {
    (void)state;
    enum { KILLS = 10 };
    for (int i = 0; i < KILLS; i++) {
        int pipes[2];
        int64_t key = 0;
        int64_t heard = 0;
        int64_t sum = 0;
        run("DELETE FROM written");
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork_surely();
        if (child == 0)
            write_until_killed(pipes[1]);
        close(pipes[1]);
        for (; heard < 50 + i && read(pipes[0], &key, sizeof key) == sizeof key; heard++)
            sum += key;
        kill(child, SIGKILL);
        for (; read(pipes[0], &key, sizeof key) == sizeof key; heard++)
            sum += key;
        close(pipes[0]);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_true(heard >= 50);
        assert_true(ask("SELECT count(*) FROM written") >= heard);
        assert_true(ask("SELECT sum(id) FROM written") >= sum);
        assert_int_equal(ask("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    }
}

/* ---- Memory ---- */

enum { LIBC_KEEPS = 64 }; /* for threads that were */

/* Who commits for others runs out of memory at its first allocation, its second, and so on. Whoever is told that it is
 * there is right, and whoever is told that it is not is, too. */
static void memory_runs_out_in_a_group(void **state) {
    (void)state;
    bool short_of_it = true;
    lido_engine_close(engine);
    long before = count_living();
    engine = open_surely(file_url("written.db"), NULL);
    for (long n = 1; short_of_it && n < 1000; n++) {
        waiting many[3];
        run("DELETE FROM written");
        lido_session *holder = hold_the_turn();
        for (int i = 0; i < 3; i++)
            wait_with(&many[i], "INSERT INTO written (who, what) VALUES (1, 1)", i);
        run_out_at(n, false);
        lido_status outcome = lido_commit(holder);
        short_of_it = memory_is_back();
        lido_session_close(holder);
        int64_t stand = 0;
        for (int i = 0; i < 3; i++) {
            assert_int_equal(pthread_join(many[i].thread, NULL), 0);
            stand += many[i].outcome == LIDO_OK;
        }
        assert_int_equal(ask("SELECT count(*) FROM written WHERE who = 1"), stand);
        assert_int_equal(ask("SELECT count(*) FROM written WHERE who = 0"), outcome == LIDO_OK);
    }
    lido_engine_close(engine);
    engine = NULL;
    assert_true(count_living() <= before + LIBC_KEEPS);
}

int main(void) {
#define ON_A_FILE(test) cmocka_unit_test_setup_teardown(test, open_file, close_file)
    const struct CMUnitTest tests[] = {
        ON_A_FILE(a_child_of_a_group),
        ON_A_FILE(what_was_acknowledged_outlives_a_kill),
        ON_A_FILE(memory_runs_out_in_a_group),
    };
    return cmocka_run_group_tests_name("writers that come to harm", tests, NULL, NULL);
}
