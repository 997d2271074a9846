/* The log of a SQLite file and other processes: one that reads it, one that is killed while it copies it, one that was
 * forked meanwhile. A file of its own, for ThreadSanitizer cannot follow a fork while threads run. */
#include "child.h"
#include "kept_log.h"

#include <signal.h>

static void read_in_child(int says) {
    reader readers[READERS];
    atomic_bool stops = false;
    lido_engine *own = lido_engine_open(file_url("kept.db"), NULL, NULL);
    CHILD_EXPECT(own != NULL);
    start_readers(readers, own, &stops, 5);
    CHILD_EXPECT(write(says, "", 1) == 1);
    pthread_join(readers[0].thread, NULL); /* until it is killed */
}

static pid_t fork_reader(void) {
    int pipes[2];
    char ready;
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork_surely();
    if (child == 0)
        read_in_child(pipes[1]);
    close(pipes[1]);
    assert_int_equal(read(pipes[0], &ready, 1), 1);
    close(pipes[0]);
    return child;
}

static void end_reader(pid_t child) {
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void another_process_that_reads_and_never_pauses(void **state) {
    (void)state;
    pid_t child = fork_reader();
    commits met = commit_many(COMMITS_BESIDE_READERS);
    end_reader(child);
    expect_short_log(&met);
}

static void write_in_child(int says) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.wal_autocheckpoint = 20;
    lido_engine *own = lido_engine_open(file_url("kept.db"), &options, NULL);
    lido_session *db = open_autocommit(own);
    power_slow_down(2000);
    for (int64_t i = 1;; i++) {
        CHILD_EXPECT(lido_exec(db, "INSERT INTO kept VALUES (?, 1, hex(zeroblob(1000)))", ROWS + i) == 1);
        CHILD_EXPECT(write(says, &i, sizeof i) == sizeof i);
    }
}

/* Killed while the log is being copied, slowly: the acknowledged rows are there, and the file is whole. */
static void a_process_that_is_killed_while_it_copies(void **state) {
    (void)state;
    enum { KILLS = 10 };
    for (int kills = 0; kills < KILLS; kills++) {
        int pipes[2];
        int64_t heard = 0;
        int64_t last = 0;
        run_surely(engine, "DELETE FROM kept WHERE id >= 200");
        lido_engine_close(engine);
        assert_int_equal(pipe(pipes), 0);
        pid_t child = fork_surely();
        if (child == 0)
            write_in_child(pipes[1]);
        close(pipes[1]);
        while (heard < 30 + kills * 7 && read(pipes[0], &heard, sizeof heard) == sizeof heard)
            last = heard;
        kill(child, SIGKILL);
        while (read(pipes[0], &heard, sizeof heard) == sizeof heard)
            last = heard;
        close(pipes[0]);
        assert_int_equal(waitpid(child, NULL, 0), child);
        open_with(ROWS, "full");
        assert_true(last >= 30);
        assert_true(ask_surely(engine, "SELECT count(*) FROM kept WHERE id > 200") >= last);
        assert_int_equal(ask_surely(engine, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
                         1);
    }
}

/* The engine is closed, and the process forks, while another thread copies. */
static void who_closes_or_forks_while_it_is_copied(void **state) {
    (void)state;
    enum { TIMES = 10 };
    for (int i = 0; i < TIMES; i++) {
        power_slow_down(1000);
        for (int j = 0; j < 3; j++)
            run_surely(engine, "UPDATE kept SET touched = touched + 1");
        pid_t child = fork_surely();
        if (child == 0) {
            power_slow_down(0);
            lido_session *db = open_autocommit(engine);
            CHILD_EXPECT(lido_exec(db, "UPDATE kept SET touched = touched + 1 WHERE id = 1") == 1);
            CHILD_EXPECT(lido_session_close(db) == LIDO_OK);
            lido_engine_close(engine);
            _exit(0);
        }
        expect_good_end(child);
        lido_engine_close(engine);
        assert_int_equal(log_size(), 0);
        power_slow_down(0);
        open_with(ROWS, "full");
        assert_int_equal(ask_surely(engine, "SELECT touched FROM kept WHERE id = 1"), (i + 1) * 4);
    }
}

int main(void) {
#define ON_A_SLOW_DISK(test) cmocka_unit_test_setup_teardown(test, open_slow_file, close_slow_file)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(another_process_that_reads_and_never_pauses, open_file, close_engine),
        ON_A_SLOW_DISK(a_process_that_is_killed_while_it_copies),
        ON_A_SLOW_DISK(who_closes_or_forks_while_it_is_copied),
    };
    return cmocka_run_group_tests_name("checkpoints and processes", tests, NULL, NULL);
}
