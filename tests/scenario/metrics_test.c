/* What an engine tells of itself by lido_stats. */
#include "support/scenario.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "support/prometheus.h"

static prometheus_text text;

static lido_metrics read_stats(lido_engine *engine) {
    lido_metrics metrics;
    assert_int_equal(lido_stats(engine, &metrics), LIDO_OK);
    return metrics;
}

static void saw_counts(lido_engine *engine) {
    lido_metrics now = read_stats(engine);
    saw("%d reads, %d writes, %d others, %d failed; %d committed, %d rolled back, %d unknown, %d retried",
        (int)now.reads, (int)now.writes, (int)now.others, (int)now.failed, (int)now.committed, (int)now.rolled_back,
        (int)now.unknown, (int)now.retried);
}

static void make_items(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_exec(db, "CREATE TABLE items (id integer PRIMARY KEY)");
    assert_false(lido_failed(db));
    lido_session_close(db);
}

static void story_of_counts(lido_engine *engine) {
    lido_status outcome;
    saw_counts(engine);
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "INSERT INTO items VALUES (1)");
        lido_send(db, "INSERT INTO items VALUES (2)");
        lido_query_value(db, "SELECT count(*) FROM items");
    }
    saw_counts(engine);
    lido_transaction (db, engine, &outcome) {
        lido_exec(db, "INSERT INTO items VALUES (3)");
        lido_exec(db, "INSERT INTO items VALUES (3)");
        lido_exec(db, "INSERT INTO items VALUES (4)"); /* is not run any more */
    }
    saw_counts(engine);
    lido_transaction (db, engine, &outcome) {
        lido_query_value(db, "SELECT count(*) FROM items");
        break;
    }
    lido_transaction (db, engine, &outcome) { /* the database hears nothing of that */
    }
    saw_counts(engine);
}

static void story_of_durations(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    for (int i = 0; i < 30; i++)
        lido_transaction (db, engine, &outcome)
            lido_exec(db, "INSERT INTO items VALUES (?)", i);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    for (int i = 0; i < 30; i++)
        lido_query_value(db, "SELECT id FROM items WHERE id = ?", i);
    lido_session_close(db);
    lido_metrics now = read_stats(engine);
    const lido_durations *all[] = {&now.read, &now.write, &now.commit, &now.use, &now.connect};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        assert_true(all[i]->count > 0 && all[i]->mean_us > 0);
        assert_true(all[i]->p50_us <= all[i]->p90_us && all[i]->p90_us <= all[i]->p99_us);
        assert_true(all[i]->p99_us <= all[i]->longest_us && all[i]->mean_us <= all[i]->longest_us);
        assert_true(all[i]->longest_us < 60e6);
    }
    saw("%d reads, %d writes and %d commits measured", (int)now.read.count, (int)now.write.count,
        (int)now.commit.count);
    saw("%d waited", (int)now.wait.count);
}

/* After the first, a sample is measured; the counts stay exact. */
static void story_of_a_sample(lido_engine *engine) {
    enum { RUNS = 5000 };
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    for (int i = 0; i < RUNS; i++)
        lido_query_value(db, "SELECT 1");
    lido_session_close(db);
    lido_metrics now = read_stats(engine);
    saw("%d reads", (int)now.reads);
    assert_in_range(now.read.count, RUNS / 2, RUNS * 2);
    assert_in_range(now.use.count, RUNS / 2, RUNS * 2);
}

/* On a connection that is shared by a loop's sessions, where there are such. */
static void story_of_a_lane(lido_engine *engine) {
    lido_options options = LIDO_OPTIONS_INIT;
    (void)engine;
    if (scenario_is_postgres())
        options.lanes = 2;
    lido_engine *shared = scenario_engine(&options);
    lido_session *db = lido_session_open(shared, &(lido_session_options){.autocommit = true, .read_only = true});
    for (int i = 0; i < 10; i++)
        lido_query_value(db, "SELECT 1");
    lido_query_value(db, "SELECT nothing FROM nowhere");
    lido_session_close(db);
    saw_counts(shared);
    lido_metrics now = read_stats(shared);
    saw("%d measured", (int)now.read.count);
    bool flew = scenario_is_postgres() && scenario_in_task();
    assert_int_equal(now.lane_statements, flew ? 11 : 0);
    assert_int_equal(now.lane_batches, flew ? 11 : 0); /* one session alone: each is a company of its own */
    assert_int_equal(now.lane_reruns, 0);
    lido_engine_close(shared);
}

static lido_status insert(lido_engine *engine, int id) {
    lido_status outcome;
    lido_transaction (db, engine, &outcome)
        lido_exec(db, "INSERT INTO items VALUES (?)", id);
    return outcome;
}

typedef struct holding {
    lido_engine *engine;
    atomic_bool holds;
} holding;

static void *hold_for_a_moment(void *argument) {
    holding *my = argument;
    lido_session *db = lido_session_open(my->engine, NULL);
    lido_exec(db, "INSERT INTO items VALUES (1)");
    atomic_store(&my->holds, true);
    usleep(100 * 1000);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    return NULL;
}

/* An engine cannot tell another one's locks from those of another process. */
static void story_of_busy_waits(lido_engine *engine) {
    lido_options options = LIDO_OPTIONS_INIT;
    pthread_t thread;
    holding other = {.engine = engine};
    if (strcmp(scenario_database(), "sqlite-file") != 0)
        return;
    make_items(engine);
    options.busy_timeout_ms = 5000;
    lido_engine *patient = scenario_engine(&options);
    options.busy_timeout_ms = 20;
    lido_engine *hasty = scenario_engine(&options);
    assert_int_equal(pthread_create(&thread, NULL, hold_for_a_moment, &other), 0);
    while (!atomic_load(&other.holds))
        usleep(100);
    assert_int_equal(insert(hasty, 2), LIDO_ROLLED_BACK);
    assert_int_equal(insert(patient, 3), LIDO_OK);
    pthread_join(thread, NULL);
    assert_int_equal(insert(patient, 4), LIDO_OK);
    lido_metrics now = read_stats(patient);
    assert_int_equal(now.busy.count, 1);
    assert_in_range(now.busy.longest_us, 1000, 5000 * 1000);
    now = read_stats(hasty);
    assert_int_equal(now.busy.count, 1);
    assert_true(now.busy.longest_us >= 10 * 1000);
    assert_int_equal(read_stats(engine).busy.count, 0);
    text.used = 0;
    assert_int_equal(lido_metrics_write(hasty, prometheus_write, &text), LIDO_OK);
    assert_true(prometheus_sum(&text, "lido_busy_wait_seconds_count", "") == 1);
    lido_engine_close(patient);
    lido_engine_close(hasty);
}

typedef struct rivalry {
    lido_session *rival; /* has what is wanted, up to the third call */
    int calls;
} rivalry;

static bool want_the_lock(lido_session *db, void *argument) {
    rivalry *between = argument;
    if (++between->calls == 3)
        assert_int_equal(lido_commit(between->rival), LIDO_OK);
    if (scenario_is_postgres())
        lido_exec(db, "LOCK TABLE items IN ACCESS EXCLUSIVE MODE NOWAIT");
    lido_exec(db, "INSERT INTO items VALUES (2)");
    return true;
}

static void story_of_retries(lido_engine *unused) {
    (void)unused;
    lido_options options = LIDO_OPTIONS_INIT;
    options.busy_timeout_ms = 1;
    lido_engine *engine = scenario_engine(&options);
    make_items(engine);
    rivalry between = {.rival = lido_session_open(engine, NULL)};
    lido_exec(between.rival, "INSERT INTO items VALUES (1)");
    lido_transact(engine, &(lido_transact_options){.backoff_ms = 1}, want_the_lock, &between);
    lido_session_close(between.rival);
    lido_metrics now = read_stats(engine);
    saw("called %d times, %d retried, %d committed", between.calls, (int)now.retried, (int)now.committed);
    lido_engine_close(engine);
}

static void story_without(lido_engine *engine) {
    lido_options options = LIDO_OPTIONS_INIT;
    lido_metrics metrics;
    options.metrics = 0;
    lido_engine *silent = scenario_engine(&options);
    lido_session *db = lido_session_open(silent, NULL);
    lido_query_value(db, "SELECT 1");
    saw("%s", lido_status_name(lido_stats(silent, &metrics)));
    saw("%d reads, %d connects", (int)metrics.reads, (int)metrics.pool.connects);
    lido_session_close(db);
    lido_engine_close(silent);
    saw("%s", lido_status_name(lido_stats(NULL, &metrics)));
    saw("%s", lido_status_name(lido_stats(engine, NULL)));
}

/* ---- Prometheus ---- */

static int written(const char *name, const char *label) {
    return (int)prometheus_sum(&text, name, label);
}

static void story_of_the_text(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    lido_session *holder = lido_session_open(engine, NULL);
    lido_query_value(holder, "SELECT count(*) FROM items");
    lido_transaction (db, engine, &outcome)
        lido_exec(db, "INSERT INTO items VALUES (1)");
    text.used = 0;
    assert_int_equal(lido_metrics_write(engine, prometheus_write, &text), LIDO_OK);
    prometheus_check(&text);
    saw("%d used, %d waiting, %d may be open", written("db_client_connection_count", "\"used\""),
        written("db_client_connection_pending_requests", ""), written("db_client_connection_max", ""));
    saw("%d read, %d written, %d committed", written("lido_statements_total", "\"read\""),
        written("lido_statements_total", "\"write\""), written("lido_transactions_total", "\"committed\""));
    saw("%d inserts and creates took their time",
        written("db_client_operation_duration_seconds_count", "db_operation_name=\"write\""));
    lido_session_close(holder);
}

static void story_of_a_file(lido_engine *engine) {
    FILE *file = tmpfile();
    lido_options options = LIDO_OPTIONS_INIT;
    options.metrics = 0;
    lido_engine *silent = scenario_engine(&options);
    assert_non_null(file);
    saw("%s", lido_status_name(lido_metrics_print(engine, file)));
    rewind(file);
    memset(&text, 0, sizeof text);
    text.used = fread(text.text, 1, sizeof text.text - 1, file);
    assert_true(prometheus_check(&text) > 100);
    fclose(file);
    saw("%s", lido_status_name(lido_metrics_print(engine, NULL)));
    saw("%s", lido_status_name(lido_metrics_write(NULL, prometheus_write, &text)));
    saw("%s", lido_status_name(lido_metrics_write(engine, NULL, &text)));
    saw("%s", lido_status_name(lido_metrics_write(silent, prometheus_write, &text)));
    lido_engine_close(silent);
    file = fopen("/dev/full", "w");
    assert_non_null(file);
    setvbuf(file, NULL, _IONBF, 0);
    saw("%s", lido_status_name(lido_metrics_print(engine, file)));
    fclose(file);
}

enum { THREADS = 4, EACH = 300 };

static void *read_often(void *argument) {
    for (int i = 0; i < EACH; i++) {
        lido_session *db = lido_session_open(argument, NULL);
        lido_query_value(db, "SELECT 1");
        if (lido_commit(db) != LIDO_OK)
            lido_error_print(lido_error_of(db), stderr);
        lido_session_close(db);
    }
    return NULL;
}

/* Two connections for four threads: some wait, and nothing is lost. */
static void story_of_threads(lido_engine *engine) {
    pthread_t threads[THREADS];
    lido_options options = LIDO_OPTIONS_INIT;
    (void)engine;
    options.pool_size = 2;
    options.max_overflow = 0;
    lido_engine *narrow = scenario_engine(&options);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, narrow), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    saw_counts(narrow);
    lido_metrics now = read_stats(narrow);
    assert_int_equal(now.wait.count, now.pool.waits);
    assert_int_equal(now.connect.count, now.pool.connects);
    lido_engine_close(narrow);
}

/* Whether a second session, which waits in vain for the only connection, is told that its holder ran `sql` last. */
static bool is_told(lido_engine *engine, const char *sql) {
    lido_session *waiting = lido_session_open(engine, NULL);
    lido_query_value(waiting, "SELECT 0");
    assert_int_equal(lido_error_of(waiting)->category, LIDO_ERROR_POOL_EXHAUSTED);
    bool told =
        strstr(lido_error_of(waiting)->hint, sql) != NULL || strstr(lido_error_of(waiting)->message, sql) != NULL;
    lido_session_close(waiting);
    return told;
}

/* A text that is larger than all that an engine keeps of them. */
static void story_of_a_last_statement_that_is_not_kept(lido_engine *unused) {
    (void)unused;
    enum { LARGE = 5 * 1024 * 1024 };
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 1;
    options.max_overflow = 0;
    options.pool_timeout_ms = 20;
    lido_engine *engine = scenario_engine(&options);
    lido_session *holder = lido_session_open(engine, &(lido_session_options){.read_only = true});
    char *large = malloc(LARGE);
    assert_non_null(large);
    memset(large, ' ', LARGE);
    memcpy(large, "SELECT 3", strlen("SELECT 3"));
    large[LARGE - 1] = '\0';
    lido_query_value(holder, "SELECT 2");
    saw("SELECT 2: %d", is_told(engine, "SELECT 2"));
    lido_query_value(holder, large);
    assert_false(lido_failed(holder));
    saw("afterwards: %d", is_told(engine, "SELECT"));
    lido_query_value(holder, "SELECT 4");
    saw("SELECT 4: %d", is_told(engine, "SELECT 4"));
    lido_session_close(holder);
    free(large);
    lido_engine_close(engine);
}

static const scenario scenarios[] = {
    {"a last statement that is not kept is not replaced by an older one", story_of_a_last_statement_that_is_not_kept,
     "SELECT 2: 1\n"
     "afterwards: 0\n"
     "SELECT 4: 1\n"},
    {"statements and transactions are counted", story_of_counts,
     "0 reads, 0 writes, 0 others, 0 failed; 0 committed, 0 rolled back, 0 unknown, 0 retried\n"
     "1 reads, 3 writes, 0 others, 0 failed; 1 committed, 0 rolled back, 0 unknown, 0 retried\n"
     "1 reads, 5 writes, 0 others, 1 failed; 1 committed, 1 rolled back, 0 unknown, 0 retried\n"
     "2 reads, 5 writes, 0 others, 1 failed; 1 committed, 2 rolled back, 0 unknown, 0 retried\n"},
    {"how long they take is measured", story_of_durations,
     "30 reads, 31 writes and 30 commits measured\n"
     "0 waited\n"},
    {"of what runs often a sample is measured", story_of_a_sample, "5000 reads\n"},
    {"what goes by a lane is counted, too", story_of_a_lane,
     "11 reads, 0 writes, 0 others, 1 failed; 0 committed, 0 rolled back, 0 unknown, 0 retried\n"
     "11 measured\n"},
    {"what another process has is waited for, and measured", story_of_busy_waits, ""},
    {"a function that is run once more is counted", story_of_retries, "called 3 times, 2 retried, 2 committed\n"},
    {"metrics may be off", story_without,
     "error\n"
     "0 reads, 1 connects\n"
     "error\n"
     "error\n"},
    {"the text is what a scraper reads", story_of_the_text,
     "1 used, 0 waiting, 30 may be open\n"
     "1 read, 2 written, 1 committed\n"
     "2 inserts and creates took their time\n"},
    {"the text may go into a file", story_of_a_file,
     "ok\n"
     "error\n"
     "error\n"
     "error\n"
     "error\n"
     "error\n"},
    {"threads that share a pool lose no count", story_of_threads,
     "1200 reads, 0 writes, 0 others, 0 failed; 1200 committed, 0 rolled back, 0 unknown, 0 retried\n"},
};

int main(void) {
    return scenarios_run("metrics", scenarios, sizeof scenarios / sizeof *scenarios);
}
