/* The metrics of workers: of all of them wherever they are asked for, and of those who were killed. */
#include "service.h"

#include "support/prometheus.h"

static lido_engine *witness;
static char file_url_text[URL_MOST];
static prometheus_text text;

static const char *sqlite_url(void) {
    snprintf(file_url_text, sizeof file_url_text, "sqlite:///%s/metrics.db", folder);
    return file_url_text;
}

static void begin(service *of, const char *url) {
    witness = open_requests(url);
    start_service(of, url);
}

static void end(const service *of) {
    stop_service(of);
    lido_engine_close(witness);
    witness = NULL;
}

/* From whichever worker answers. */
static void read_metrics(const service *of) {
    ssize_t size = 0;
    int client = ask_service(of, 'm');
    assert_true(client >= 0);
    for (text.used = 0; (size = read(client, text.text + text.used, sizeof text.text - 1 - text.used)) > 0;)
        text.used += (size_t)size;
    assert_int_equal(size, 0);
    text.text[text.used] = '\0';
    close(client);
    prometheus_check(&text);
}

/* Of all workers; those of the first are all measured. */
static int inserts_known(void) {
    return (int)prometheus_sum(&text, "lido_statement_duration_seconds_count",
                               "db_query_text=\"INSERT INTO requests(process) VALUES (?)\"");
}

static int committed(const service *of) {
    read_metrics(of);
    return (int)prometheus_sum(&text, "lido_transactions_total", "outcome=\"committed\"");
}

/* Connections that are in use, when the workers' keepers have told so. */
static void expect_used(const service *of, int wanted) {
    double used = -1;
    for (int tries = 0; tries < 200 && used != wanted; tries++) {
        pause_ms(50);
        read_metrics(of);
        used = prometheus_sum(&text, "db_client_connection_count", "state=\"used\"");
    }
    assert_true(used == wanted);
}

static void insert(const service *of, int count) {
    for (int i = 0; i < count; i++)
        request_surely(of, 'i');
}

static void killed_workers_keep_their_counts(const char *url) {
    service of = {.workers = {.count = 2}};
    begin(&of, url);
    insert(&of, 20);
    assert_int_equal(committed(&of), 20);
    assert_non_null(strstr(text.text, "worker=\"0\""));
    assert_non_null(strstr(text.text, "worker=\"1\""));
    assert_null(strstr(text.text, "worker=\"2\""));
    assert_non_null(strstr(text.text, "db_client_connection_pool_name=\"default\""));
    for (int round = 1; round <= 5; round++) {
        assert_true(request(&of, 'x') <= 0);
        request_surely(&of, 'p');
        assert_int_equal(committed(&of), 10 + 10 * round);
        insert(&of, 10);
        assert_int_equal(committed(&of), 20 + 10 * round);
        assert_int_equal((int)prometheus_sum(&text, "lido_statements_total", "kind=\"write\""), 20 + 10 * round);
        assert_int_equal(inserts_known(), 20 + 10 * round);
    }
    end(&of);
}

static void test_killed_on_sqlite(void **state) {
    (void)state;
    killed_workers_keep_their_counts(sqlite_url());
}

static void test_killed_on_postgres(void **state) {
    (void)state;
    killed_workers_keep_their_counts(postgres_url());
}

static void test_the_dead_hold_nothing(void **state) {
    (void)state;
    service of = {.workers = {.count = 2}};
    begin(&of, sqlite_url());
    insert(&of, 1);
    expect_used(&of, 0);
    int holder = request_surely(&of, 'l');
    expect_used(&of, 1);
    kill(holder, SIGKILL);
    expect_gone(holder);
    expect_used(&of, 0);
    end(&of);
}

/* The rows tell what was committed. A worker and its successor count at the same time. */
static void test_replaced_workers_keep_their_counts(void **state) {
    (void)state;
    service of = {.workers = {.count = 2, .max_requests = 7}};
    int before = 0;
    begin(&of, sqlite_url());
    for (int round = 1; round <= 20; round++) {
        insert(&of, 5);
        int now = committed(&of);
        assert_true(now >= before);
        assert_int_equal(now, ask_surely(witness, "SELECT count(*) FROM requests"));
        assert_int_equal(inserts_known(), now);
        assert_int_equal(request_surely(&of, 's'), now);
        before = now;
    }
    end(&of);
}

/* While one worker holds the turn to write, the other takes the next request, and waits. */
static void test_workers_wait_for_each_other(void **state) {
    (void)state;
    service of = {.workers = {.count = 2}};
    double waits = 0;
    begin(&of, sqlite_url());
    insert(&of, 2);
    for (int tries = 0; tries < 50 && waits == 0; tries++) {
        char answer[32];
        int clients[2] = {ask_service(&of, 'h'), ask_service(&of, 'h')};
        for (int i = 0; i < 2; i++) {
            assert_true(clients[i] >= 0 && read(clients[i], answer, sizeof answer) > 0);
            close(clients[i]);
        }
        read_metrics(&of);
        waits = prometheus_sum(&text, "lido_busy_wait_seconds_count", "");
    }
    assert_true(waits > 0);
    assert_true(prometheus_sum(&text, "lido_busy_wait_seconds_sum", "") > waits * HELD_MS / 1000 / 10);
    end(&of);
}

static void test_without(void **state) {
    (void)state;
    char url[URL_MOST + 20];
    service of = {.workers = {.count = 1}};
    snprintf(url, sizeof url, "%s?metrics=off", sqlite_url());
    begin(&of, url);
    request_surely(&of, 'i');
    int client = ask_service(&of, 'm');
    assert_true(client >= 0);
    assert_int_equal(read(client, text.text, sizeof text.text), 0); /* nothing is written */
    close(client);
    end(&of);
}

/* In a child; what it exits with. */
static int count_own_statements(lido_engine *engine) {
    lido_statement_stats statements[3];
    lido_metrics metrics;
    if (lido_stats_statements(engine, statements, 3) != 0)
        return 1;
    ask_surely(engine, "SELECT 1 AS childs");
    if (lido_stats_statements(engine, statements, 3) != 1 || strcmp(statements[0].text, "SELECT ? AS childs") != 0 ||
        statements[0].count != 1)
        return 2;
    return lido_stats(engine, &metrics) == LIDO_OK && metrics.reads == 1 ? 0 : 3;
}

static void a_child_begins_anew(const char *url) {
    lido_statement_stats statements[3];
    int status;
    lido_engine *engine = open_surely(url, NULL);
    for (int i = 0; i < 100; i++)
        ask_surely(engine, "SELECT 1 AS parents");
    pid_t child = fork();
    if (child == 0)
        _exit(count_own_statements(engine));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(lido_stats_statements(engine, statements, 3), 1);
    assert_string_equal(statements[0].text, "SELECT ? AS parents");
    lido_engine_close(engine);
}

static void test_children(void **state) {
    (void)state;
    a_child_begins_anew(sqlite_url());
    a_child_begins_anew(postgres_url());
}

/* A program of one process is its own worker. */
static void test_one_process(void **state) {
    (void)state;
    lido_manager *manager = lido_manager_get();
    text.used = 0;
    assert_int_equal(lido_manager_metrics_write(NULL, prometheus_write, &text), LIDO_ERROR);
    assert_int_equal(lido_manager_metrics_write(manager, prometheus_write, &text), LIDO_ERROR);
    assert_int_equal(lido_manager_configure_database(manager, "one", "sqlite://", NULL, NULL), LIDO_OK);
    assert_int_equal(lido_manager_configure_database(manager, "two", "sqlite://", NULL, NULL), LIDO_OK);
    assert_int_equal(lido_manager_metrics_write(manager, prometheus_write, &text), LIDO_ERROR);
    assert_int_equal(lido_manager_init_worker(manager, NULL, NULL), LIDO_OK);
    lido_session *db = lido_manager_session_with(manager, "two", NULL);
    lido_query_value(db, "SELECT 1");
    lido_statement_stats statements[2];
    assert_int_equal(lido_manager_stats_statements(manager, NULL, statements, 2), 0);
    assert_int_equal(lido_manager_stats_statements(manager, "three", statements, 2), 0);
    assert_int_equal(lido_manager_stats_statements(manager, "one", statements, 2), 0);
    assert_int_equal(lido_manager_stats_statements(NULL, "two", statements, 2), 0);
    assert_int_equal(lido_manager_stats_statements(manager, "two", statements, 2), 1);
    assert_string_equal(statements[0].text, "SELECT ?");
    assert_int_equal(lido_manager_metrics_write(manager, prometheus_write, &text), LIDO_OK);
    prometheus_check(&text);
    assert_true(prometheus_sum(&text, "lido_statements_total", "\"one\"") == 0);
    assert_true(prometheus_sum(&text, "lido_statements_total", "\"two\"") == 1);
    assert_true(prometheus_sum(&text, "db_client_connection_count", "\"used\"") == 1);
    assert_null(strstr(text.text, "worker="));
    lido_session_close(db);
    assert_int_equal(lido_manager_close_worker(manager, 1000, NULL), LIDO_OK);
    assert_int_equal(lido_manager_metrics_write(manager, prometheus_write, &text), LIDO_ERROR);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_killed_on_sqlite),
        TEST(test_killed_on_postgres),
        TEST(test_the_dead_hold_nothing),
        TEST(test_replaced_workers_keep_their_counts),
        TEST(test_workers_wait_for_each_other),
        TEST(test_without),
        TEST(test_children),
        TEST(test_one_process),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
