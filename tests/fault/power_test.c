/* The power fails at each sync of a short workload on a SQLite file, a moment before it and a moment after it. Of what
 * was not synced, a part is left by chance (support/power.h). Each time the file is whole, of every transaction all or
 * nothing is there, and nothing behind what is lost; and if commits are synced, nothing acknowledged is lost.
 *
 * LIDO_TEST_SEED says how chance falls. */
#include "databases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "support/chance.h"
#include "support/power.h"

enum { THREADS = 8, PARTS = 3, MOMENTS_MOST = 4000, LIMIT = 12 };

/* What had been promised when the power failed. */
typedef struct moment {
    power_image *image;
    int acknowledged[THREADS]; /* so many transactions of each thread */
    int begun[THREADS];
    bool has_table;
} moment;

static moment moments[MOMENTS_MOST];
static int count;
static uint64_t chance;

static atomic_int acknowledged[THREADS];
static atomic_int begun[THREADS];
static atomic_bool has_table;

/* What was acknowledged is read first: it must be there whatever comes. What may be there has begun. */
static void cut_power(void *argument) {
    moment *now = &moments[count];
    (void)argument;
    if (count == MOMENTS_MOST)
        return;
    now->has_table = has_table;
    for (int i = 0; i < THREADS; i++)
        now->acknowledged[i] = acknowledged[i];
    now->image = power_cut(&chance);
    for (int i = 0; i < THREADS; i++)
        now->begun[i] = begun[i];
    count++;
}

/* ---- The workload ---- */

typedef struct writer {
    lido_engine *engine;
    int thread;
    int transactions;
    pthread_t id;
    lido_error failure;
} writer;

/* Every other transaction is one statement in autocommit mode, and may be run by another thread. Some change what was
 * there, so that pages are written again. */
static bool write_one(const writer *self, int number, lido_error *failure) {
    bool alone = number % 2 == 0;
    lido_session *db = lido_session_open(self->engine, &(lido_session_options){.autocommit = alone});
    if (alone)
        lido_exec(db, "INSERT INTO written (thread, number, part) VALUES (:t, :n, 1), (:t, :n, 2), (:t, :n, 3)",
                  LIDO_AS("t", self->thread), LIDO_AS("n", number));
    for (int part = 1; !alone && part <= PARTS; part++)
        lido_exec(db, "INSERT INTO written (thread, number, part) VALUES (?, ?, ?)", self->thread, number, part);
    bool done = !lido_failed(db);
    done = lido_commit(db) == LIDO_OK && done;
    *failure = *lido_error_of(db);
    lido_session_close(db);
    return done;
}

static void *write_all(void *argument) {
    writer *self = argument;
    for (int number = 1; number <= self->transactions; number++) {
        begun[self->thread] = number;
        if (!write_one(self, number, &self->failure))
            return self;
        acknowledged[self->thread] = number;
    }
    return NULL;
}

static void write_with(lido_engine *engine, int threads, int transactions) {
    writer writers[THREADS];
    for (int i = 0; i < threads; i++) {
        writers[i] = (writer){.engine = engine, .thread = i, .transactions = transactions};
        assert_int_equal(pthread_create(&writers[i].id, NULL, write_all, &writers[i]), 0);
    }
    for (int i = 0; i < threads; i++) {
        void *failed;
        assert_int_equal(pthread_join(writers[i].id, &failed), 0);
        if (failed != NULL)
            lido_error_print(&writers[i].failure, stderr);
        assert_null(failed);
    }
}

static void work(const lido_options *options, int threads, int transactions) {
    for (int i = 0; i < THREADS; i++)
        acknowledged[i] = begun[i] = 0;
    has_table = false;
    count = 0;
    power_begin(folder);
    power_watch(cut_power, NULL);
    lido_engine *engine = open_surely(file_url("power.db"), options);
    run_surely(engine, "CREATE TABLE written (id integer PRIMARY KEY AUTOINCREMENT, thread integer, number integer, "
                       "part integer, filler text DEFAULT (hex(zeroblob(100))), UNIQUE (number, thread, part))");
    has_table = true;
    write_with(engine, threads, transactions);
    lido_engine_close(engine);
    power_end();
    assert_true(count < MOMENTS_MOST);
}

/* ---- What is left of it ---- */

static bool commits_are_synced; /* of the workload that is looked at */

static void expect_text(lido_session *db, const char *query, const char *expected) {
    lido_value value = lido_query_value(db, query);
    expect_no_error(db);
    assert_int_equal(value.kind, LIDO_KIND_TEXT);
    assert_string_equal(value.as.text, expected);
}

static int64_t number_of(lido_session *db, const char *query, int thread) {
    lido_value value = lido_query_value(db, query, thread);
    expect_no_error(db);
    return value.kind == LIDO_KIND_INT64 ? value.as.integer : 0;
}

/* Each thread's transactions are numbered in the order in which they were committed, and all rows of all threads by
 * `id`: so nothing is there behind what is missing if neither has a gap. */
static void expect_no_gaps(lido_session *db, const moment *then) {
    int64_t rows = lido_query_value(db, "SELECT count(*) FROM written").as.integer;
    assert_int_equal(lido_query_value(db, "SELECT coalesce(max(id), 0) FROM written").as.integer, rows);
    for (int i = 0; i < THREADS; i++) {
        int64_t there = number_of(db, "SELECT count(DISTINCT number) FROM written WHERE thread = ?", i);
        assert_int_equal(number_of(db, "SELECT coalesce(max(number), 0) FROM written WHERE thread = ?", i), there);
        assert_int_equal(number_of(db, "SELECT count(*) FROM written WHERE thread = ?", i), there * PARTS);
        assert_true(there <= then->begun[i]);
        if (commits_are_synced && there < then->acknowledged[i])
            fail_msg("of %d acknowledged transactions %lld are there", then->acknowledged[i], (long long)there);
    }
}

static void look_at(const moment *then) {
    char left[PATH_MOST + 8];
    char url[URL_MOST];
    lido_options options = LIDO_OPTIONS_INIT;
    snprintf(left, sizeof left, "%s/left", folder);
    snprintf(url, sizeof url, "sqlite:///%s/power.db", left);
    assert_int_equal(mkdir(left, 0777), 0);
    assert_true(power_restore(then->image, left));
    options.synchronous = "off"; /* the power stays */
    lido_engine *engine = open_surely(url, &options);
    lido_session *db = open_autocommit(engine);
    expect_text(db, "PRAGMA integrity_check", "ok");
    int64_t tables = lido_query_value(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'written'").as.integer;
    expect_no_error(db);
    if (commits_are_synced && then->has_table)
        assert_int_equal(tables, 1);
    if (tables > 0)
        expect_no_gaps(db, then);
    lido_session_close(db);
    lido_engine_close(engine);
    assert_int_equal(nftw(left, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

typedef struct workload {
    const char *journal_mode;
    const char *synchronous;
    int threads;
    int transactions;
    bool commits_are_synced;
} workload;

static void survive(const workload *how) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.journal_mode = how->journal_mode;
    options.synchronous = how->synchronous;
    options.wal_autocheckpoint = LIMIT;
    options.busy_timeout_ms = 20000;
    commits_are_synced = how->commits_are_synced;
    chance = chance_of(seed_of_test(), 0);
    assert_int_equal(make_folder(NULL), 0);
    work(&options, how->threads, how->transactions);
    assert_true(count > 0);
    for (int i = 0; i < count; i++)
        look_at(&moments[i]);
    for (int i = 0; i < count; i++)
        power_image_free(moments[i].image);
    print_message("           the power failed at %d moments\n", count);
    assert_int_equal(remove_folder(NULL), 0);
}

/* ---- Workloads ---- */

static void one_writer(void **state) {
    (void)state;
    survive(&(workload){"wal", "full", 1, 60, true});
}

static void eight_writers_that_share_commits(void **state) {
    (void)state;
    survive(&(workload){"wal", "full", THREADS, 15, true});
}

static void commits_that_are_not_synced(void **state) {
    (void)state;
    survive(&(workload){"wal", "normal", 1, 100, false});
    survive(&(workload){"wal", "normal", THREADS, 25, false});
}

/* With `full` the end of the journal may be lost with a commit that was acknowledged, but nothing more. */
static void a_journal_that_is_deleted(void **state) {
    (void)state;
    survive(&(workload){"delete", "extra", 2, 15, true});
    survive(&(workload){"delete", "full", 2, 15, false});
}

static void a_journal_that_stays(void **state) {
    (void)state;
    survive(&(workload){"truncate", "full", 2, 15, true});
    survive(&(workload){"persist", "full", 2, 15, true});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_writer),
        cmocka_unit_test(eight_writers_that_share_commits),
        cmocka_unit_test(commits_that_are_not_synced),
        cmocka_unit_test(a_journal_that_is_deleted),
        cmocka_unit_test(a_journal_that_stays),
    };
    return cmocka_run_group_tests_name("a power cut", tests, NULL, NULL);
}
