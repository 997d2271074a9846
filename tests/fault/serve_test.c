/* A metrics address of one process: scrapers, and those that only look like them. */
#include "databases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "support/descriptors.h"
#include "support/free_port.h"
#include "support/prometheus.h"
#include "support/scrape.h"

enum { WHERE_MOST = 200, ROUNDS = 40, CROWD = 100, QUICK_MS = 4000 };

static scrape_answer answer;
static prometheus_text text;
static lido_engine *engine;
static char socket_path[150];
static char where_unix[WHERE_MOST];
static char where_port[WHERE_MOST];

static int begin(void **state) {
    make_folder(state);
    snprintf(socket_path, sizeof socket_path, "%s/metrics", folder);
    snprintf(where_unix, sizeof where_unix, "unix:%s", socket_path);
    snprintf(where_port, sizeof where_port, "127.0.0.1:%d", free_port());
    engine = open_surely("sqlite://", NULL);
    run_surely(engine, "CREATE TABLE items (id integer PRIMARY KEY, name text)");
    return 0;
}

static int end(void **state) {
    lido_engine_close(engine);
    return remove_folder(state);
}

static lido_metrics_server *serve_surely(const char *where) {
    lido_error error = LIDO_ERROR_INIT;
    lido_metrics_server *server = lido_metrics_serve(engine, where, &error);
    if (server == NULL) {
        lido_error_print(&error, stderr);
        fail_msg("nothing is served on %s", where);
    }
    return server;
}

/* As a scraper does, without being kept waiting. */
static void expect_metrics(const char *where) {
    int64_t began = scrape_now_ms();
    scrape(where, "/metrics", &answer);
    assert_true(scrape_now_ms() - began < QUICK_MS);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.text, "Content-Type: text/plain; version=0.0.4"));
    text.used = 0;
    prometheus_write(answer.body, strlen(answer.body), &text);
    prometheus_check(&text);
}

/* ---- Scrapers ---- */

static void test_a_scraper_reads_what_was_run(void **state) {
    (void)state;
    const char *addresses[] = {where_unix, where_port};
    for (int i = 0; i < 2; i++) {
        lido_metrics_server *server = serve_surely(addresses[i]);
        run_surely(engine, "INSERT INTO items (name) VALUES ('lamp'), ('chair')");
        expect_metrics(addresses[i]);
        assert_true(prometheus_sum(&text, "lido_statements_total", "kind=\"write\"") == i + 2);
        lido_metrics_server_close(server);
    }
}

static void test_the_state_names_who_holds_a_connection(void **state) {
    (void)state;
    lido_metrics_server *server = serve_surely(where_unix);
    lido_session *db = lido_session_open(engine, NULL);
    int line = __LINE__ + 1;
    lido_query_value(db, "SELECT  count(*)\n FROM items WHERE name <> ? AND name <> 'a literal'", "a secret value");
    scrape(where_unix, "/state", &answer);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.text, "Content-Type: application/json"));
    assert_int_equal(scrape_number(answer.body, "lido_state"), 1);
    assert_int_equal(scrape_number(answer.body, "used"), 1);
    const char *holders = strstr(answer.body, "\"holders\":[{");
    assert_non_null(holders);
    assert_non_null(strstr(holders, "serve_test.c\""));
    assert_int_equal(scrape_number(holders, "line"), line);
    assert_non_null(strstr(holders, "SELECT count(*) FROM items WHERE name <> ? AND name <> ?"));
    assert_null(strstr(answer.body, "a secret value"));
    assert_null(strstr(answer.body, "a literal"));
    lido_session_close(db);
    scrape(where_unix, "/state", &answer);
    assert_non_null(strstr(answer.body, "\"holders\":[]"));
    lido_metrics_server_close(server);
}

static void test_other_pages_and_methods(void **state) {
    (void)state;
    lido_metrics_server *server = serve_surely(where_unix);
    const struct {
        const char *request;
        int status;
    } wrong[] = {{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404},
                 {"GET /metrics/ HTTP/1.1\r\nHost: x\r\n\r\n", 404},
                 {"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 405},
                 {"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nabc", 405},
                 {"DELETE /state HTTP/1.1\r\nHost: x\r\n\r\n", 405}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int client = scrape_connect_surely(where_unix);
        scrape_send(client, wrong[i].request);
        scrape_read(client, &answer);
        close(client);
        assert_int_equal(answer.status, wrong[i].status);
        assert_non_null(strstr(answer.body, "GET /metrics"));
    }
    int client = scrape_connect_surely(where_unix);
    scrape_send(client, "HEAD /metrics HTTP/1.0\r\n\r\n");
    scrape_read(client, &answer);
    close(client);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "");
    lido_metrics_server_close(server);
}

static void test_without_metrics(void **state) {
    (void)state;
    lido_error error;
    lido_engine *quiet = open_surely("sqlite://?metrics=off", NULL);
    lido_metrics_server *server = lido_metrics_serve(quiet, where_unix, &error);
    assert_non_null(server);
    scrape(where_unix, "/metrics", &answer);
    assert_int_equal(answer.status, 503);
    assert_non_null(strstr(answer.body, "the setting metrics is off"));
    scrape(where_unix, "/state", &answer);
    assert_int_equal(answer.status, 200);
    assert_non_null(strstr(answer.body, "\"pools\":[]"));
    lido_engine_close(quiet); /* in any order */
    scrape(where_unix, "/state", &answer);
    assert_int_equal(answer.status, 200);
    lido_metrics_server_close(server);
}

static void test_a_manager(void **state) {
    (void)state;
    lido_error error;
    lido_manager *manager = lido_manager_get();
    char url[2 * WHERE_MOST];
    snprintf(url, sizeof url, "sqlite://?metrics_address=%s", where_unix);
    assert_int_equal(lido_manager_configure_database(manager, "one", url, NULL, &error), LIDO_OK);
    lido_metrics_server *server = lido_manager_metrics_serve(manager, NULL, &error);
    assert_non_null(server);
    scrape(where_unix, "/metrics", &answer);
    assert_int_equal(answer.status, 503);
    assert_int_equal(lido_manager_init_worker(manager, NULL, &error), LIDO_OK);
    expect_metrics(where_unix);
    assert_non_null(strstr(text.text, "db_client_connection_pool_name=\"one\""));
    assert_int_equal(lido_manager_close_worker(manager, 1000, &error), LIDO_OK);
    scrape(where_unix, "/metrics", &answer);
    assert_int_equal(answer.status, 503);
    lido_metrics_server_close(server);
}

static void test_the_state_has_the_statements(void **state) {
    (void)state;
    lido_metrics_server *server = serve_surely(where_unix);
    for (int i = 0; i < 3; i++)
        run_surely(engine, "INSERT INTO items (name) VALUES ('lamp')");
    scrape(where_unix, "/state", &answer);
    const char *statements = strstr(answer.body, "\"statements\":[{\"pool\":\"sqlite://\"");
    assert_non_null(statements);
    const char *text_member = strstr(statements, "\"text\":\"INSERT INTO items(name) VALUES (?)\"");
    assert_non_null(text_member);
    const char *entry = text_member;
    while (*entry != '{')
        entry--;
    assert_int_equal(scrape_number(entry, "count"), 3);
    assert_int_equal(scrape_number(entry, "failed"), 0);
    assert_null(strstr(answer.body, "lamp"));
    lido_metrics_server_close(server);
}

/* ---- Addresses ---- */

static void expect_refusal(const char *where, lido_category category, const char *words) {
    lido_error error;
    assert_null(lido_metrics_serve(engine, where, &error));
    assert_int_equal(error.category, category);
    if (strstr(error.message, words) == NULL)
        fail_msg("%s: %s", where != NULL ? where : "no address", error.message);
}

static void test_only_this_machine_is_answered(void **state) {
    (void)state;
    char where[WHERE_MOST];
    const char *beyond[] = {"0.0.0.0:0", "*:0", "[::]:0", "192.0.2.1:0"};
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++)
        expect_refusal(beyond[i], LIDO_ERROR_CONFIGURATION, "others than this machine could reach it");
    snprintf(where, sizeof where, "public:0.0.0.0:%d", free_port());
    lido_metrics_server *server = serve_surely(where);
    expect_metrics(where);
    lido_metrics_server_close(server);
}

static void test_a_unix_socket_is_its_owners_alone(void **state) {
    (void)state;
    struct stat about;
    mode_t mask = umask(0);
    lido_metrics_server *server = serve_surely(where_unix);
    umask(mask);
    assert_int_equal(stat(socket_path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    expect_refusal(where_unix, LIDO_ERROR_CONFIGURATION, "in use");
    lido_metrics_server_close(server);
    assert_int_equal(stat(socket_path, &about), -1);
}

static void test_addresses_that_are_none(void **state) {
    (void)state;
    expect_refusal(NULL, LIDO_ERROR_CONFIGURATION, "no address");
    expect_refusal("9090", LIDO_ERROR_CONFIGURATION, "it is no address");
    expect_refusal("unix:", LIDO_ERROR_CONFIGURATION, "it is no address");
    expect_refusal("unix:/no/such/folder/metrics", LIDO_ERROR_CONFIGURATION, "No such file");
    expect_refusal("public:", LIDO_ERROR_CONFIGURATION, "it is no address");
    expect_refusal("fd:999", LIDO_ERROR_CONFIGURATION, "Bad file descriptor");
    assert_null(lido_metrics_serve(NULL, where_unix, NULL));
    assert_null(lido_manager_metrics_serve(NULL, where_unix, NULL));
    lido_metrics_server_close(NULL);
}

/* As systemd hands them over. */
static void test_a_socket_that_listens_already(void **state) {
    (void)state;
    char where[WHERE_MOST];
    struct sockaddr_in address = {.sin_family = AF_INET};
    for (int i = 0; i < 2; i++) {
        socklen_t size = sizeof address;
        int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        address.sin_addr.s_addr = htonl(i == 0 ? INADDR_LOOPBACK : INADDR_ANY);
        address.sin_port = 0;
        assert_int_equal(bind(made, (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(listen(made, 10), 0);
        snprintf(where, sizeof where, "fd:%d", made);
        if (i == 1) {
            expect_refusal(where, LIDO_ERROR_CONFIGURATION, "others than this machine could reach it");
            close(made);
            continue;
        }
        lido_metrics_server *server = serve_surely(where);
        assert_int_equal(getsockname(made, (struct sockaddr *)&address, &size), 0);
        snprintf(where, sizeof where, "127.0.0.1:%d", ntohs(address.sin_port));
        expect_metrics(where);
        lido_metrics_server_close(server);
        close(made);
    }
}

/* ---- The rude ---- */

static void send_as_much_as_it_takes(int client, size_t size) {
    char part[4096];
    memset(part, 'x', sizeof part);
    for (size_t sent = 0; sent < size; sent += sizeof part)
        if (send(client, part, sizeof part, MSG_NOSIGNAL) < 0)
            return;
}

static void test_who_is_rude_delays_nobody(void **state) {
    (void)state;
    lido_metrics_server *server = serve_surely(where_port);
    int before = count_descriptors();
    int silent = scrape_connect_surely(where_port);
    expect_metrics(where_port);
    int half = scrape_connect_surely(where_port);
    scrape_send(half, "GET /metr");
    expect_metrics(where_port);
    int greedy = scrape_connect_surely(where_port);
    scrape_send(greedy, "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Long: ");
    send_as_much_as_it_takes(greedy, 1024 * 1024);
    expect_metrics(where_port);
    int deaf = scrape_connect_surely(where_port);
    scrape_send(deaf, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_metrics(where_port);
    for (int i = 0; i < ROUNDS; i++)
        close(scrape_connect_surely(where_port));
    expect_metrics(where_port);
    assert_true(scrape_is_closed(greedy));
    assert_true(scrape_is_closed(silent));
    assert_true(scrape_is_closed(half));
    assert_true(scrape_is_closed(deaf));
    close(silent);
    close(half);
    close(greedy);
    close(deaf);
    for (int tries = 0; tries < 500 && count_descriptors() > before; tries++)
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000000}, NULL);
    assert_int_equal(count_descriptors(), before);
    lido_metrics_server_close(server);
}

static void test_a_crowd_that_says_nothing(void **state) {
    (void)state;
    int crowd[CROWD];
    lido_metrics_server *server = serve_surely(where_unix);
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = scrape_connect_surely(where_unix);
        if (i % 10 == 9)
            expect_metrics(where_unix);
    }
    expect_metrics(where_unix);
    lido_metrics_server_close(server); /* though they are there yet */
    for (int i = 0; i < CROWD; i++) {
        assert_true(scrape_is_closed(crowd[i]));
        close(crowd[i]);
    }
}

/* ---- Again and again ---- */

static void test_forty_times(void **state) {
    (void)state;
    int before = 0;
    for (int i = 0; i < ROUNDS; i++) {
        lido_metrics_server *server = serve_surely(i % 2 == 0 ? where_unix : where_port);
        int client = scrape_connect_surely(i % 2 == 0 ? where_unix : where_port);
        expect_metrics(i % 2 == 0 ? where_unix : where_port);
        lido_metrics_server_close(server);
        assert_true(scrape_is_closed(client));
        close(client);
        if (i == 0)
            before = count_descriptors();
    }
    assert_int_equal(count_descriptors(), before);
}

/* ---- While all work ---- */

static atomic_bool over;

static void *work(void *argument) {
    (void)argument;
    while (!atomic_load(&over)) {
        lido_session *db = lido_session_open(engine, NULL);
        lido_query_value(db, "SELECT count(*) FROM items WHERE id > ?", 3);
        lido_session_close(db);
    }
    return NULL;
}

static void test_read_while_all_work(void **state) {
    (void)state;
    pthread_t threads[4];
    lido_metrics_server *servers[] = {serve_surely(where_unix), serve_surely(where_port)};
    atomic_store(&over, false);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        scrape(i % 2 == 0 ? where_unix : where_port, "/state", &answer);
        assert_int_equal(answer.status, 200);
    }
    atomic_store(&over, true);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    lido_metrics_server_close(servers[1]);
    lido_metrics_server_close(servers[0]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_scraper_reads_what_was_run),
        TEST(test_the_state_names_who_holds_a_connection),
        TEST(test_the_state_has_the_statements),
        TEST(test_other_pages_and_methods),
        TEST(test_without_metrics),
        TEST(test_a_manager),
        TEST(test_only_this_machine_is_answered),
        TEST(test_a_unix_socket_is_its_owners_alone),
        TEST(test_addresses_that_are_none),
        TEST(test_a_socket_that_listens_already),
        TEST(test_who_is_rude_delays_nobody),
        TEST(test_a_crowd_that_says_nothing),
        TEST(test_forty_times),
        TEST(test_read_while_all_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
