/* What an engine tells of each statement by lido_stats_statements. */
#include "support/scenario.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support/prometheus.h"

enum { STATEMENTS = 100 };

static prometheus_text text;
static lido_statement_stats statements[STATEMENTS];

static int compare_texts(const void *left, const void *right) {
    const lido_statement_stats *one = left;
    const lido_statement_stats *other = right;
    return strcmp(one->text, other->text);
}

/* Those of an engine by their text. How many there are. */
static size_t read_statements(lido_engine *engine) {
    size_t count = lido_stats_statements(engine, statements, STATEMENTS);
    assert_true(count < STATEMENTS);
    qsort(statements, count, sizeof *statements, compare_texts);
    return count;
}

static const lido_statement_stats *find(lido_engine *engine, const char *wanted) {
    size_t count = read_statements(engine);
    for (size_t i = 0; i < count; i++)
        if (strcmp(statements[i].text, wanted) == 0)
            return &statements[i];
    fail_msg("nothing is known of %s", wanted);
    return NULL;
}

static void saw_statements(lido_engine *engine) {
    size_t count = read_statements(engine);
    for (size_t i = 0; i < count; i++) {
        const lido_statement_stats *one = &statements[i];
        saw("%s: %s, %d run, %d failed", one->text, lido_statement_kind_name(one->kind), (int)one->count,
            (int)one->failed);
        assert_true(one->fingerprint != 0);
        assert_int_equal(one->took.count, one->count);
        assert_true(one->total_us > 0 && one->took.p50_us <= one->took.p99_us);
        assert_true(one->took.p99_us <= one->took.longest_us && one->took.longest_us <= one->total_us * 1.001);
    }
}

static lido_session *open_alone(lido_engine *engine) {
    return lido_session_open(engine, &(lido_session_options){.autocommit = true});
}

static void make_items(lido_engine *engine) {
    lido_session *db = open_alone(engine);
    lido_exec(db, "CREATE TABLE items (id integer PRIMARY KEY)");
    assert_false(lido_failed(db));
    lido_session_close(db);
}

static void story_of_alike(lido_engine *engine) {
    make_items(engine);
    lido_session *db = open_alone(engine);
    lido_exec(db, "INSERT INTO items VALUES (1)");
    lido_exec(db, "INSERT INTO items (id) VALUES (2), (3)");
    lido_exec(db, "insert into items(id) values (?) -- another one", 4);
    for (int i = 0; i < 5; i++)
        lido_query_value(db, "SELECT id FROM items WHERE id = ?", i);
    lido_query_value(db, "SELECT id FROM items WHERE id=17 /* where did it go? */");
    lido_query_value(db, "SELECT count(*) FROM items WHERE id IN (1, 2, 3)");
    lido_query_value(db, "SELECT count(*) FROM items WHERE id IN (?, ?)", 1, 2);
    saw_statements(engine);
    lido_session_close(db);
}

static void story_of_failures(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    for (int i = 0; i < 3; i++)
        lido_transaction (db, engine, &outcome) {
            lido_exec(db, "INSERT INTO items VALUES (?)", i);
            lido_exec(db, "INSERT INTO items VALUES (?)", i);
            lido_exec(db, "DELETE FROM items"); /* is not run any more */
        }
    lido_session *db = open_alone(engine);
    lido_query_value(db, "SELECT secret FROM nowhere WHERE password = 'x'");
    saw_statements(engine);
    lido_session_close(db);
}

static void story_of_companions(lido_engine *engine) {
    lido_status outcome;
    make_items(engine);
    lido_transaction (db, engine, &outcome) {
        for (int i = 0; i < 5; i++)
            lido_send(db, "INSERT INTO items VALUES (?)", i);
        lido_exec(db, "UPDATE items SET id = id + 100");
        lido_query_value(db, "SELECT count(*) FROM items");
    }
    saw_statements(engine);
}

/* After the first, a sample stands for all. */
static void story_of_a_sample(lido_engine *engine) {
    enum { RUNS = 5000 };
    lido_session *db = open_alone(engine);
    for (int i = 0; i < RUNS; i++)
        lido_query_value(db, i % 2 == 0 ? "SELECT 1" : "SELECT 'one'");
    lido_session_close(db);
    const lido_statement_stats *found = find(engine, "SELECT ?");
    assert_in_range(found->count, RUNS / 2, RUNS * 2);
    assert_int_equal(found->count, found->took.count);
    lido_metrics all;
    assert_int_equal(lido_stats(engine, &all), LIDO_OK);
    assert_int_equal(all.read.count, found->count);
}

static void story_of_the_slowest(lido_engine *engine) {
    static const char slow[] =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT count(*) FROM n";
    lido_session *db = open_alone(engine);
    lido_query_value(db, "SELECT 1");
    lido_query_value(db, slow);
    for (int i = 0; i < 10; i++)
        lido_query_value(db, "SELECT 1, 2");
    saw("%d", (int)lido_stats_statements(engine, statements, 1));
    saw("%s", statements[0].text);
    assert_true(statements[0].took.longest_us > 1000);
    saw("%d", (int)lido_stats_statements(engine, statements, 0));
    saw("%d", (int)lido_stats_statements(engine, NULL, 1));
    saw("%d", (int)lido_stats_statements(NULL, statements, 1));
    lido_session_close(db);
}

static void story_without(lido_engine *engine) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.metrics = 0;
    lido_engine *silent = scenario_engine(&options);
    (void)engine;
    lido_session *db = lido_session_open(silent, NULL);
    lido_query_value(db, "SELECT 1");
    lido_session_close(db);
    saw("%d", (int)lido_stats_statements(silent, statements, STATEMENTS));
    lido_engine_close(silent);
}

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
    saw_statements(shared);
    lido_engine_close(shared);
}

/* A program that writes values into its SQL, more different texts than are kept, still has one entry for them. */
static void story_of_many_texts(lido_engine *engine) {
    enum { TEXTS = 6000 };
    lido_session *db = open_alone(engine);
    for (int i = 0; i < TEXTS; i++) {
        char sql[60];
        snprintf(sql, sizeof sql, "SELECT %d, 'name%d'", i, i);
        lido_query_value(db, sql);
    }
    lido_session_close(db);
    saw_statements(engine);
}

/* More than have room: the rest is told together, and nothing is lost. */
static void story_of_too_many(lido_engine *engine) {
    enum { TEXTS = 800 };
    static lido_statement_stats all[TEXTS];
    size_t runs = 0;
    size_t others = 0;
    lido_session *db = open_alone(engine);
    for (int i = 0; i < TEXTS; i++) {
        char sql[60];
        snprintf(sql, sizeof sql, "SELECT 1 AS name%d", i);
        lido_query_value(db, sql);
    }
    lido_session_close(db);
    size_t count = lido_stats_statements(engine, all, TEXTS);
    for (size_t i = 0; i < count; i++) {
        runs += all[i].count;
        if (all[i].fingerprint == 0) {
            others += all[i].count;
            saw("%s: %s", all[i].text, lido_statement_kind_name(all[i].kind));
        }
    }
    saw("%d runs", (int)runs);
    assert_in_range(count, 400, 513);
    assert_int_equal(others, TEXTS - (count - 1));
}

enum { THREADS = 4, EACH = 100 };

static void *write_often(void *argument) {
    for (int i = 0; i < EACH; i++) {
        lido_session *db = open_alone(argument);
        lido_exec(db, "UPDATE items SET id = id + 1");
        if (lido_failed(db))
            lido_error_print(lido_error_of(db), stderr);
        lido_session_close(db);
    }
    return NULL;
}

/* On SQLite, one thread runs what others wait for. */
static void story_of_threads(lido_engine *engine) {
    pthread_t threads[THREADS];
    make_items(engine);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_often, engine), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    const lido_statement_stats *found = find(engine, "UPDATE items SET id = id + ?");
    assert_in_range(found->count, THREADS * EACH / 3, THREADS * EACH * 3);
    assert_int_equal(found->failed, 0);
    assert_true(found->took.count <= found->count);
}

static void story_of_the_text(lido_engine *engine) {
    lido_session *db = open_alone(engine);
    char sql[100];
    for (int i = 0; i < 30; i++) {
        snprintf(sql, sizeof sql, "SELECT 'secret' AS \"a\\b%d\nc\"", i);
        lido_query_value(db, sql);
    }
    lido_query_value(db, "SELECT secret FROM nowhere");
    lido_session_close(db);
    text.used = 0;
    assert_int_equal(lido_metrics_write(engine, prometheus_write, &text), LIDO_OK);
    prometheus_check(&text);
    assert_null(strstr(text.text, "'secret'"));
    assert_non_null(strstr(text.text, "db_query_text=\"SELECT ? AS \\\"a\\\\b"));
    saw("%d statements",
        (int)prometheus_sum(&text, "lido_statement_duration_seconds_count", "db_operation_name=\"read\""));
    assert_true(prometheus_sum(&text, "lido_statement_duration_seconds_sum", "") > 0);
    assert_true(prometheus_sum(&text, "lido_statement_duration_seconds", "quantile=\"0.99\"") > 0);
    assert_true(prometheus_sum(&text, "lido_statement_duration_seconds", "quantile=\"1\"") > 0);
    assert_true(prometheus_sum(&text, "lido_statement_failures_total", "") <= 1);
}

static const scenario scenarios[] = {
    {"what differs in values alone is one statement", story_of_alike,
     "CREATE TABLE items(id integer PRIMARY KEY): write, 1 run, 0 failed\n"
     "INSERT INTO items VALUES (?): write, 1 run, 0 failed\n"
     "INSERT INTO items(id) VALUES (?): write, 2 run, 0 failed\n"
     "SELECT count(*) FROM items WHERE id IN (?): read, 2 run, 0 failed\n"
     "SELECT id FROM items WHERE id = ?: read, 6 run, 0 failed\n"},
    {"what fails is told", story_of_failures,
     "CREATE TABLE items(id integer PRIMARY KEY): write, 1 run, 0 failed\n"
     "INSERT INTO items VALUES (?): write, 6 run, 3 failed\n"
     "SELECT secret FROM nowhere WHERE password = ?: read, 1 run, 1 failed\n"},
    {"what travels together is told apart", story_of_companions,
     "CREATE TABLE items(id integer PRIMARY KEY): write, 1 run, 0 failed\n"
     "INSERT INTO items VALUES (?): write, 5 run, 0 failed\n"
     "SELECT count(*) FROM items: read, 1 run, 0 failed\n"
     "UPDATE items SET id = id + ?: write, 1 run, 0 failed\n"},
    {"of what runs often a sample stands for all", story_of_a_sample, ""},
    {"the slowest come first", story_of_the_slowest,
     "1\n"
     "WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + ? FROM n WHERE i < ?) SELECT count(*) FROM n\n"
     "0\n"
     "0\n"
     "0\n"},
    {"without metrics nothing is known", story_without, "0\n"},
    {"what goes by a lane is told, too", story_of_a_lane,
     "SELECT ?: read, 10 run, 0 failed\n"
     "SELECT nothing FROM nowhere: read, 1 run, 1 failed\n"},
    {"values in the text make no entries", story_of_many_texts, "SELECT ?, ?: read, 6000 run, 0 failed\n"},
    {"more statements than there is room for", story_of_too_many,
     "(others): read\n"
     "800 runs\n"},
    {"threads write at once", story_of_threads, ""},
    {"a scraper reads the slowest", story_of_the_text, "20 statements\n"},
};

int main(void) {
    return scenarios_run("statement stats", scenarios, sizeof scenarios / sizeof *scenarios);
}
