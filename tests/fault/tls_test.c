/* TLS to PostgreSQL: that it is used where it is asked for, and that a server which is not who it should be is not
 * spoken to: a certificate of nobody's, for another name, out of date; a server without TLS. All in bounded time, with
 * an error that says what is wrong, and without the password having been sent. */
#include "databases.h"

#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "false_server.h"

/* The first connection loads a whole library, which takes a slow machine seconds. */
enum { CONNECT_MOST_MS = 10000, BOUND_MS = 15000, SILENCE_MS = 1000, RELOAD_MOST_MS = 5000 };

static lido_engine *administrator; /* on the unix socket, where there is no TLS */

static char certificates[PATH_MOST * 2]; /* the folder of the server's */

static int begin(void **state) {
    (void)state;
    const char *certificate = getenv("LIDO_TEST_POSTGRES_CERTIFICATE");
    if (certificate == NULL || getenv("LIDO_TEST_POSTGRES_URL") == NULL)
        return 0; /* the test will skip itself */
    snprintf(certificates, sizeof certificates, "%.*s", (int)(strrchr(certificate, '/') - certificate), certificate);
    administrator = open_surely(postgres_url(), NULL);
    return 0;
}

static int end(void **state) {
    (void)state;
    lido_engine_close(administrator);
    administrator = NULL;
    return 0;
}

static void skip_without_certificate(void) {
    postgres_url();
    if (administrator == NULL) {
        print_message("the server's certificate is not known\n");
        skip();
    }
}

/* ---- The server's certificate, as a client sees it ---- */

static void run_alone(const char *sql) {
    lido_session *db = open_autocommit(administrator);
    lido_exec(db, sql);
    expect_no_error(db);
    lido_session_close(db);
}

/* The server reads its configuration a moment later, and uses it for connections made after that. */
static void show_certificate(const char *name) {
    char sql[128];
    int64_t deadline = lido__deadline_in_ms(RELOAD_MOST_MS);
    snprintf(sql, sizeof sql, "ALTER SYSTEM SET ssl_cert_file = '%s'", name);
    run_alone(sql);
    run_alone("SELECT pg_reload_conf()");
    for (bool shown = false; !shown;) {
        lido_session *db = open_autocommit(administrator);
        lido_value now = lido_query_value(db, "SELECT current_setting('ssl_cert_file')");
        expect_no_error(db);
        shown = strcmp(now.as.text, name) == 0;
        lido_session_close(db);
        assert_true(lido__clock_now_us() < deadline);
    }
    poll(NULL, 0, 100); /* one of its processes has read it; the one that takes connections soon will have */
}

static int show_its_own(void **state) {
    (void)state;
    if (administrator != NULL)
        show_certificate("server.crt");
    return 0;
}

/* ---- Engines ---- */

static lido_engine *open_within(int64_t connect_most_ms, const char *host, const char *port, const char *sslmode,
                                const char *root) {
    char url[URL_MOST * 2 + 64];
    lido_options options = LIDO_OPTIONS_INIT;
    if (root != NULL)
        snprintf(url, sizeof url, "postgresql://lido@%s:%s/postgres?sslrootcert=%s/%s", host, port, certificates, root);
    else
        snprintf(url, sizeof url, "postgresql://lido@%s:%s/postgres", host, port);
    options.password = getenv("LIDO_TEST_POSTGRES_PASSWORD");
    options.sslmode = sslmode;
    options.connect_timeout_ms = connect_most_ms;
    return open_surely(url, &options);
}

static lido_engine *open_with(const char *host, const char *port, const char *sslmode, const char *root) {
    return open_within(CONNECT_MOST_MS, host, port, sslmode, root);
}

static lido_engine *open_tls(const char *host, const char *sslmode, const char *root) {
    return open_with(host, getenv("LIDO_TEST_POSTGRES_PORT"), sslmode, root);
}

/* A session on it runs a statement, over TLS of a version that is not out of date. */
static void expect_tls(lido_engine *engine) {
    lido_server server;
    lido_error error = LIDO_ERROR_INIT;
    assert_int_equal(ask_surely(engine, "SELECT 7"), 7);
    lido_session *db = open_autocommit(engine);
    lido_value version = lido_query_value(db, "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl");
    expect_no_error(db);
    assert_int_equal(version.kind, LIDO_KIND_TEXT);
    assert_int_equal(strncmp(version.as.text, "TLSv1.", 6), 0);
    assert_int_equal(lido_engine_inspect(engine, &server, &error), LIDO_OK);
    assert_int_equal(strncmp(server.tls, version.as.text, strlen(version.as.text)), 0);
    assert_non_null(strchr(server.tls, ' ')); /* the cipher follows */
    assert_true(strlen(strchr(server.tls, ' ')) > 5);
    lido_session_close(db);
    lido_engine_close(engine);
}

/* Nobody gets in, the error tells why in one of these words, and it does not take long. */
static void expect_refused(lido_engine *engine, const char *why) {
    int64_t began = lido__clock_now_us();
    lido_session *db = lido_session_open(engine, NULL);
    assert_int_equal(lido_query_value(db, "SELECT 7").kind, LIDO_KIND_NULL);
    expect_error(db, LIDO_ERROR_DISCONNECTED);
    const lido_error *error = lido_error_of(db);
    if (strstr(error->message, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error->message, why);
    assert_non_null(strstr(error->hint, "sslmode"));
    assert_null(strstr(error->message, getenv("LIDO_TEST_POSTGRES_PASSWORD")));
    assert_string_equal(error->doing, "connecting");
    assert_true(lido__clock_now_us() - began < BOUND_MS * 1000);
    lido_session_close(db);
    lido_engine_close(engine);
}

/* ---- Stories ---- */

static void require_encrypts(void **state) {
    (void)state;
    skip_without_certificate();
    expect_tls(open_tls("127.0.0.1", "require", NULL));
}

static void verify_full_knows_the_server_by_name(void **state) {
    (void)state;
    skip_without_certificate();
    expect_tls(open_tls("localhost", "verify-full", "server.crt"));
}

static void verify_ca_does_not_ask_for_the_name(void **state) {
    (void)state;
    skip_without_certificate();
    expect_tls(open_tls("127.0.0.1", "verify-ca", "server.crt"));
}

static void disable_says_that_nothing_is_encrypted(void **state) {
    (void)state;
    lido_server server;
    lido_error error = LIDO_ERROR_INIT;
    skip_without_certificate();
    lido_engine *engine = open_tls("127.0.0.1", "disable", NULL);
    assert_int_equal(lido_engine_inspect(engine, &server, &error), LIDO_OK);
    assert_string_equal(server.tls, "off");
    lido_engine_close(engine);
    assert_int_equal(lido_engine_inspect(administrator, &server, &error), LIDO_OK);
    assert_string_equal(server.tls, "");
}

static void another_root_is_refused(void **state) {
    (void)state;
    skip_without_certificate();
    expect_refused(open_tls("localhost", "verify-full", "stranger.crt"), "certificate verify failed");
    expect_refused(open_tls("localhost", "verify-ca", "stranger.crt"), "certificate verify failed");
}

static void a_root_that_is_not_there_is_refused(void **state) {
    (void)state;
    skip_without_certificate();
    expect_refused(open_tls("localhost", "verify-full", "no-such-file.crt"), "no-such-file.crt");
}

static void another_name_is_refused(void **state) {
    (void)state;
    skip_without_certificate();
    expect_refused(open_tls("127.0.0.1", "verify-full", "server.crt"), "does not match host name");
    show_certificate("stranger.crt");
    expect_refused(open_tls("localhost", "verify-full", "stranger.crt"), "does not match host name");
    expect_tls(open_tls("localhost", "verify-ca", "stranger.crt"));
}

static void an_expired_certificate_is_refused(void **state) {
    (void)state;
    skip_without_certificate();
    show_certificate("expired.crt");
    expect_refused(open_tls("localhost", "verify-full", "expired.crt"), "certificate verify failed");
    expect_tls(open_tls("localhost", "require", NULL));
}

/* The one that was good a moment ago is not asked again: its connection stands. */
static void a_certificate_that_changes_meets_new_connections_only(void **state) {
    (void)state;
    skip_without_certificate();
    lido_engine *engine = open_tls("localhost", "verify-full", "server.crt");
    lido_session *first = lido_session_open(engine, NULL);
    lido_session *second = lido_session_open(engine, NULL);
    lido_query_value(first, "SELECT 1");
    show_certificate("stranger.crt");
    assert_int_equal(lido_query_value(first, "SELECT 7").as.integer, 7);
    lido_query_value(second, "SELECT 7");
    expect_error(second, LIDO_ERROR_DISCONNECTED);
    assert_int_equal(lido_commit(first), LIDO_OK);
    lido_session_close(second);
    lido_session_close(first);
    lido_engine_close(engine);
}

/* A server that answers to the wish for TLS with N; whatever is said after that was said in clear. */
typedef struct refuser {
    int listening;
    char port[8];
    pthread_t thread;
    size_t said_after; /* in bytes */
} refuser;

static void *refuse_tls(void *argument) {
    refuser *self = argument;
    char bytes[512];
    int customer;
    while ((customer = accept(self->listening, NULL, NULL)) >= 0) {
        ssize_t size = read(customer, bytes, 8); /* SSLRequest is as long as that */
        if (size == 8 && send(customer, "N", 1, MSG_NOSIGNAL) == 1)
            while ((size = read(customer, bytes, sizeof bytes)) > 0)
                self->said_after += (size_t)size;
        close(customer);
    }
    return NULL;
}

static void a_server_without_tls_is_told_nothing(void **state) {
    (void)state;
    skip_without_certificate();
    refuser server = {.listening = -1};
    server.listening = bind_loopback(server.port);
    assert_int_equal(listen(server.listening, 4), 0);
    assert_int_equal(pthread_create(&server.thread, NULL, refuse_tls, &server), 0);
    expect_refused(open_with("127.0.0.1", server.port, "require", NULL), "does not support SSL");
    expect_refused(open_with("localhost", server.port, "verify-full", "server.crt"), "does not support SSL");
    shutdown(server.listening, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.listening);
    assert_int_equal(server.said_after, 0);
}

static void a_server_that_falls_silent_in_the_handshake_is_left(void **state) {
    (void)state;
    skip_without_certificate();
    false_server server;
    false_server_start(&server, SAYS_NOTHING);
    int64_t began = lido__clock_now_us();
    lido_engine *engine = open_within(SILENCE_MS, "127.0.0.1", server.port, "require", NULL);
    lido_session *db = lido_session_open(engine, NULL);
    lido_query_value(db, "SELECT 7");
    expect_error(db, LIDO_ERROR_TIMEOUT);
    assert_in_range(lido__clock_now_us() - began, SILENCE_MS * 1000, CONNECT_MOST_MS * 1000);
    lido_session_close(db);
    lido_engine_close(engine);
    false_server_stop(&server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(require_encrypts),
        cmocka_unit_test(verify_full_knows_the_server_by_name),
        cmocka_unit_test(verify_ca_does_not_ask_for_the_name),
        cmocka_unit_test(disable_says_that_nothing_is_encrypted),
        cmocka_unit_test(another_root_is_refused),
        cmocka_unit_test(a_root_that_is_not_there_is_refused),
        cmocka_unit_test_teardown(another_name_is_refused, show_its_own),
        cmocka_unit_test_teardown(an_expired_certificate_is_refused, show_its_own),
        cmocka_unit_test_teardown(a_certificate_that_changes_meets_new_connections_only, show_its_own),
        cmocka_unit_test(a_server_without_tls_is_told_nothing),
        cmocka_unit_test(a_server_that_falls_silent_in_the_handshake_is_left),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
