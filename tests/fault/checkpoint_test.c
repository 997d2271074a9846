/* The write-ahead log of a SQLite file is kept short, whoever reads meanwhile, and nobody waits long for that. */
#include "child.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "support/power.h"

enum {
    ROWS = 200, /* each is on a page of its own */
    LIMIT = 100,
    PAGE = 4096 + 24,
    STALL_MOST_US = 3 * 1000 * 1000 /* some hundred milliseconds, on a machine that does much else */
};

static lido_engine *engine;

static void open_with(int limit, const char *synchronous) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.wal_autocheckpoint = limit;
    options.synchronous = synchronous;
    options.busy_timeout_ms = 20000;
    engine = open_surely(file_url("kept.db"), &options);
}

/* ROWS long rows. */
static void make_rows(void) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "CREATE TABLE kept (id integer PRIMARY KEY, touched integer, filler text)");
    for (int id = 0; id < ROWS; id++)
        lido_exec(db, "INSERT INTO kept VALUES (?, 0, hex(zeroblob(1800)))", id);
    expect_no_error(db);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
}

static int64_t log_size(void) {
    char path[PATH_MOST * 2];
    struct stat status;
    snprintf(path, sizeof path, "%s/kept.db-wal", folder);
    return stat(path, &status) == 0 ? status.st_size : 0;
}

static lido_server inspect(void) {
    lido_server server;
    lido_error error;
    assert_int_equal(lido_engine_inspect(engine, &server, &error), LIDO_OK);
    return server;
}

static int close_engine(void **state) {
    lido_engine_close(engine);
    engine = NULL;
    return remove_folder(state);
}

static int open_file(void **state) {
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
} commits;

static commits commit_many(int count) {
    commits met = {.longest_us = 0};
    lido_session *db = open_autocommit(engine);
    for (int i = 0; i < count; i++) {
        int64_t began = lido__clock_now_us();
        lido_exec(db, "UPDATE kept SET touched = ? WHERE id = ?", i, i % ROWS);
        int64_t took = lido__clock_now_us() - began;
        int64_t size = log_size();
        met.longest_us = took > met.longest_us ? took : met.longest_us;
        met.largest_log = size > met.largest_log ? size : met.largest_log;
    }
    expect_no_error(db);
    lido_session_close(db);
    print_message("           the log was at most %lld KiB long, a commit took at most %lld ms\n",
                  (long long)met.largest_log / 1024, (long long)met.longest_us / 1000);
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

static void *read_on(void *argument) {
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
static void start_readers(reader *readers, lido_engine *on, atomic_bool *stops, int stays_ms) {
    for (int i = 0; i < READERS; i++) {
        readers[i] = (reader){.engine = on, .stops = stops, .stays_ms = stays_ms > 0 ? stays_ms + 3 * i : 0};
        if (pthread_create(&readers[i].thread, NULL, read_on, &readers[i]) != 0)
            abort();
    }
}

static int stop_readers(reader *readers, atomic_bool *stops) {
    int failures = 0;
    atomic_store(stops, true);
    for (int i = 0; i < READERS; i++) {
        pthread_join(readers[i].thread, NULL);
        failures += readers[i].failures;
    }
    return failures;
}

/* Each commit makes the log a page longer, and SQLite alone would keep nearly all of them. How long it becomes depends
 * on how much is written while one reader reads. */
enum { COMMITS_BESIDE_READERS = 15000, LOG_MOST = COMMITS_BESIDE_READERS / 2 * PAGE };

static void expect_short_log_beside_readers(int stays_ms) {
    reader readers[READERS];
    atomic_bool stops = false;
    start_readers(readers, engine, &stops, stays_ms);
    commits met = commit_many(COMMITS_BESIDE_READERS);
    assert_int_equal(stop_readers(readers, &stops), 0);
    assert_in_range(met.largest_log, LIMIT * PAGE, LOG_MOST);
    assert_in_range(met.longest_us, 0, STALL_MOST_US);
}

static void readers_who_never_pause(void **state) {
    (void)state;
    expect_short_log_beside_readers(0);
}

static void readers_who_stay_and_never_pause(void **state) {
    (void)state;
    expect_short_log_beside_readers(10);
}

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
    assert_int_equal(read(pipes[0], &ready, 1), 1);
    close(pipes[0]);
    close(pipes[1]);
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
    assert_in_range(met.largest_log, LIMIT * PAGE, LOG_MOST);
    assert_in_range(met.longest_us, 0, STALL_MOST_US);
}

/* ---- One that stays ---- */

/* The log keeps all that it may read, and nobody waits for it; when it is gone, the log starts over. */
static void a_reader_that_stays_holds_nobody_up(void **state) {
    (void)state;
    enum { COMMITS = 4000, PATIENCE_MS = 20000 };
    lido_session *stays = lido_session_open(engine, NULL);
    assert_int_equal(lido_query_value(stays, "SELECT sum(touched) FROM kept").as.integer, 0);
    commits met = commit_many(COMMITS);
    assert_true(met.largest_log > COMMITS * (int64_t)PAGE);
    assert_in_range(met.longest_us, 0, STALL_MOST_US);
    assert_int_equal(lido_query_value(stays, "SELECT sum(touched) FROM kept").as.integer, 0);
    lido_server held = inspect();
    assert_true(held.log_pages > COMMITS);
    assert_true(held.log_copied < held.log_pages / 2);
    assert_int_equal(held.log_holder, 0); /* this process is not named */
    assert_int_equal(lido_commit(stays), LIDO_OK);
    lido_session_close(stays);
    int64_t deadline = lido__deadline_in_ms(PATIENCE_MS);
    while (inspect().log_pages > LIMIT && lido__clock_now_us() < deadline)
        run_surely(engine, "UPDATE kept SET touched = touched + 1 WHERE id = 1");
    assert_in_range(inspect().log_pages, 0, LIMIT);
}

/* ---- What a commit copies ---- */

static int open_slow_file(void **state) {
    if (make_folder(state) != 0)
        return -1;
    power_begin(folder);
    open_with(ROWS, "full");
    make_rows();
    return 0;
}

static int close_slow_file(void **state) {
    lido_engine_close(engine);
    engine = NULL;
    power_end();
    return remove_folder(state);
}

/* Those who write are slower than the copying, which is slow, too: so nearly all is copied beside them. */
static void a_commit_copies_no_more_than_a_little(void **state) {
    (void)state;
    enum { BIG_LIMIT = 500, MORE_ROWS = 2000, COMMITS = 3000, SLOWNESS_US = 200, PAUSE_US = 1000 };
    lido_engine_close(engine);
    open_with(BIG_LIMIT, "full");
    lido_session *db = open_autocommit(engine);
    lido_exec(db,
              "WITH RECURSIVE n (i) AS (SELECT 200 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) "
              "INSERT INTO kept SELECT i, 0, hex(zeroblob(1800)) FROM n",
              MORE_ROWS);
    power_slow_down(SLOWNESS_US);
    int most = 0;
    int64_t largest_log = 0;
    int all = -power_count_writes();
    int own = -power_count_own_writes();
    for (int i = 0; i < COMMITS; i++) {
        int written = -power_count_own_writes();
        lido_exec(db, "UPDATE kept SET touched = ? WHERE id = ?", i, i % MORE_ROWS);
        written += power_count_own_writes();
        most = written > most ? written : most;
        largest_log = log_size() > largest_log ? log_size() : largest_log;
        usleep(PAUSE_US);
    }
    expect_no_error(db);
    lido_session_close(db);
    all += power_count_writes();
    own += power_count_own_writes();
    print_message("           of %d pages those who commit copied %d, and never more than %d\n", all, own, most);
    assert_true(all > COMMITS / 2);
    assert_in_range(own, 1, all / 2);
    assert_in_range(most, 1, BIG_LIMIT / 2 + largest_log / PAGE / 4);
    power_slow_down(0);
}

/* ---- Bad days ---- */

static atomic_int warnings;

static void count_warning(lido_log_level level, const char *line, void *user) {
    (void)user;
    if (level == LIDO_LOG_WARNING && strstr(line, "the write-ahead log could not be copied") != NULL)
        atomic_fetch_add(&warnings, 1);
}

/* What was committed is in the log, and readers find it there. It is told once. */
static void a_disk_that_is_full_costs_no_commit(void **state) {
    (void)state;
    enum { COMMITS = 1000 };
    lido_log_listen(LIDO_LOG_WARNING, count_warning, NULL);
    warnings = 0;
    int refused = power_count_refused();
    lido_session *db = open_autocommit(engine);
    power_fill_disk(true);
    for (int i = 0; i < COMMITS; i++)
        assert_int_equal(lido_exec(db, "INSERT INTO kept VALUES (?, ?, hex(zeroblob(1000)))", ROWS + i, i), 1);
    expect_no_error(db);
    lido_server full = inspect();
    assert_true(power_count_refused() > refused);
    assert_true(full.log_pages > COMMITS / 2);
    assert_int_equal(warnings, 1);
    assert_int_equal(lido_query_value(db, "SELECT count(*) FROM kept").as.integer, ROWS + COMMITS);
    power_fill_disk(false);
    for (int i = 0; i < 10000 && inspect().log_pages > ROWS * 2; i++)
        lido_exec(db, "UPDATE kept SET touched = ? WHERE id = 1", i);
    expect_no_error(db);
    lido_session_close(db);
    assert_in_range(inspect().log_pages, 0, ROWS * 2);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM kept"), ROWS + COMMITS);
    assert_int_equal(ask_surely(engine, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
    lido_log_listen(LIDO_LOG_WARNING, NULL, NULL);
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

/* With a limit of 0 nobody copies. */
static void a_log_that_nobody_shall_copy(void **state) {
    (void)state;
    lido_engine_close(engine);
    open_with(0, "full");
    for (int i = 0; i < 3000; i++)
        run_surely(engine, "UPDATE kept SET touched = touched + 1 WHERE id < 2");
    assert_true(inspect().log_pages >= 3000);
    assert_int_equal(inspect().log_copied, 0);
}

int main(void) {
#define ON_A_FILE(test) cmocka_unit_test_setup_teardown(test, open_file, close_engine)
#define ON_A_SLOW_DISK(test) cmocka_unit_test_setup_teardown(test, open_slow_file, close_slow_file)
    const struct CMUnitTest tests[] = {
        ON_A_FILE(readers_who_never_pause),
        ON_A_FILE(readers_who_stay_and_never_pause),
        ON_A_FILE(another_process_that_reads_and_never_pauses),
        ON_A_FILE(a_reader_that_stays_holds_nobody_up),
        ON_A_SLOW_DISK(a_commit_copies_no_more_than_a_little),
        ON_A_SLOW_DISK(a_disk_that_is_full_costs_no_commit),
        ON_A_SLOW_DISK(a_process_that_is_killed_while_it_copies),
        ON_A_SLOW_DISK(who_closes_or_forks_while_it_is_copied),
        ON_A_SLOW_DISK(a_log_that_nobody_shall_copy),
    };
    return cmocka_run_group_tests_name("checkpoints", tests, NULL, NULL);
}
