/* The write-ahead log of a SQLite file is kept short, whoever reads meanwhile, and nobody waits long for that. */
#include "kept_log.h"

#include <sqlite3.h>

static void expect_short_log_beside_readers(int stays_ms) {
    reader readers[READERS];
    atomic_bool stops = false;
    start_readers(readers, engine, &stops, stays_ms);
    commits met = commit_many(COMMITS_BESIDE_READERS);
    assert_int_equal(stop_readers(readers, &stops), 0);
    expect_short_log(&met);
}

static void readers_who_never_pause(void **state) {
    (void)state;
    expect_short_log_beside_readers(0);
}

static void readers_who_stay_and_never_pause(void **state) {
    (void)state;
    expect_short_log_beside_readers(10);
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

/* ---- Many who commit together ---- */

enum { LONG_PAGES = LIMIT * 5, PATIENCE_MS = 30000 };

/* The log is far too long, its file too large, all of it is copied, and only the one who reads keeps it from starting
 * over: the next commit waits for him, for PATIENCE_MS. */
static lido_session *make_long_log_beside_reader(void) {
    sqlite3 *raw;
    char path[PATH_MOST * 2];
    snprintf(path, sizeof path, "%s/kept.db", folder);
    lido_options options = LIDO_OPTIONS_INIT;
    options.wal_autocheckpoint = LIMIT;
    options.journal_size_limit = PAGE;
    options.busy_timeout_ms = 2 * PATIENCE_MS;
    lido_engine_close(engine);
    engine = open_surely(file_url("kept.db"), &options);
    lido_session *reads = lido_session_open(engine, &(lido_session_options){.read_only = true});
    assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
    assert_int_equal(sqlite3_exec(raw, "PRAGMA wal_autocheckpoint = 0", NULL, NULL, NULL), SQLITE_OK);
    for (int i = 0; i < LONG_PAGES; i++)
        assert_int_equal(sqlite3_exec(raw, "UPDATE kept SET touched = 1 - touched WHERE id = 1", NULL, NULL, NULL),
                         SQLITE_OK);
    assert_int_equal(lido_query_value(reads, "SELECT sum(touched) FROM kept").as.integer, 0);
    assert_int_equal(sqlite3_wal_checkpoint_v2(raw, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(raw), SQLITE_OK);
    return reads;
}

static atomic_bool has_begun;
static atomic_bool may_commit;
static atomic_bool has_returned;

static void *commit_for_many(void *unused) {
    (void)unused;
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "UPDATE kept SET touched = 1 WHERE id = 2");
    atomic_store(&has_begun, true);
    while (!atomic_load(&may_commit))
        usleep(1000);
    bool committed = lido_commit(db) == LIDO_OK;
    if (!committed)
        lido_error_print(lido_error_of(db), stderr);
    atomic_store(&has_returned, true);
    lido_session_close(db);
    return committed ? db : NULL;
}

static void *commit_beside(void *unused) {
    (void)unused;
    lido_session *db = open_autocommit(engine);
    bool written = lido_exec(db, "UPDATE kept SET touched = 1 WHERE id = 3") == 1;
    if (!written)
        lido_error_print(lido_error_of(db), stderr);
    lido_session_close(db);
    return written ? db : NULL;
}

static int count_waiting(void) {
    lido_pool_stats stats;
    lido_engine_stats(engine, &stats);
    return (int)stats.waiting;
}

/* Who ends the group waits for the reader, and nobody else. */
static void those_who_share_a_commit_do_not_wait_for_readers(void **state) {
    (void)state;
    pthread_t ends;
    pthread_t joins;
    void *committed;
    void *written;
    lido_session *reads = make_long_log_beside_reader();
    assert_int_equal(pthread_create(&ends, NULL, commit_for_many, NULL), 0);
    while (!atomic_load(&has_begun))
        usleep(1000);
    assert_int_equal(pthread_create(&joins, NULL, commit_beside, NULL), 0);
    while (count_waiting() == 0)
        usleep(1000);
    int64_t began = lido__clock_now_us();
    atomic_store(&may_commit, true);
    pthread_join(joins, &written);
    bool waits = !atomic_load(&has_returned);
    assert_in_range(lido__clock_now_us() - began, 0, PATIENCE_MS * 1000 / 2);
    assert_int_equal(lido_commit(reads), LIDO_OK);
    pthread_join(ends, &committed);
    assert_in_range(lido__clock_now_us() - began, 0, PATIENCE_MS * 1000 / 2);
    lido_session_close(reads);
    assert_non_null(written);
    assert_non_null(committed);
    assert_true(waits); /* he is not acknowledged yet who ends the group */
}

/* ---- The end ---- */

typedef struct ending {
    bool closes; /* the engine, on a disk that is slow */
    bool is_over;
    int turns; /* that others had meanwhile */
} ending;

static void *take_turns(void *argument) {
    ending *of = argument;
    while (!of->is_over) {
        lido_sleep(1);
        of->turns += of->closes;
    }
    return NULL;
}

/* With a session for each commit, so that none holds a connection when the engine is closed. */
static void *close_while_log_is_copied(void *argument) {
    ending *of = argument;
    int written = power_count_writes();
    power_slow_down(5000);
    for (int i = 0; i < 100 * ROWS && power_count_writes() == written; i++)
        run_surely(engine, "UPDATE kept SET touched = touched + 1 WHERE id = 1 + abs(random()) % 199");
    of->closes = true;
    lido_engine_close(engine);
    of->is_over = true;
    engine = NULL;
    power_slow_down(0);
    return NULL;
}

static int count_turns_while_closing(void) {
    ending of = {.closes = false};
    lido_loop *loop = lido_loop_new(NULL, NULL);
    assert_non_null(loop);
    lido_task_detach(lido_spawn(loop, take_turns, &of));
    lido_task_detach(lido_spawn(loop, close_while_log_is_copied, &of));
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    lido_loop_close(loop);
    print_message("           another task had %d turns meanwhile\n", of.turns);
    assert_true(of.is_over);
    return of.turns;
}

/* Closing the engine waits for the copying, which takes a second here; the loop does not. On a loaded machine the
 * copying may be over before the engine is closed: then it is begun anew. */
static void closing_in_a_task_lets_others_go_on(void **state) {
    (void)state;
    int turns = count_turns_while_closing();
    for (int tries = 0; tries < 5 && turns <= 10; tries++) {
        open_with(LIMIT, "full");
        turns = count_turns_while_closing();
    }
    assert_true(turns > 10);
}

int main(void) {
#define ON_A_FILE(test) cmocka_unit_test_setup_teardown(test, open_file, close_engine)
#define ON_A_SLOW_DISK(test) cmocka_unit_test_setup_teardown(test, open_slow_file, close_slow_file)
    const struct CMUnitTest tests[] = {
        ON_A_FILE(readers_who_never_pause),
        ON_A_FILE(readers_who_stay_and_never_pause),
        ON_A_FILE(a_reader_that_stays_holds_nobody_up),
        ON_A_SLOW_DISK(a_commit_copies_no_more_than_a_little),
        ON_A_SLOW_DISK(a_disk_that_is_full_costs_no_commit),
        ON_A_SLOW_DISK(a_log_that_nobody_shall_copy),
        ON_A_FILE(those_who_share_a_commit_do_not_wait_for_readers),
        ON_A_SLOW_DISK(closing_in_a_task_lets_others_go_on),
    };
    return cmocka_run_group_tests_name("checkpoints", tests, NULL, NULL);
}
