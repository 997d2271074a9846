/* A metrics address where memory runs out: at the first allocation, at the second, and so on, until a story is told to
 * its end without noticing. libmicrohttpd's and jansson's allocations count like ours. */
#include "databases.h"
#include "short_memory.h"

#include <string.h>

#include "process/pages.h"
#include "support/scrape.h"

enum { WHERE_MOST = 200 };

static char where[WHERE_MOST];
static lido_engine *engine;
static lido_session *holder;
static scrape_answer answer;

static int begin(void **state) {
    make_folder(state);
    snprintf(where, sizeof where, "unix:%s/metrics", folder);
    engine = open_surely("sqlite://", NULL);
    run_surely(engine, "CREATE TABLE items (id integer PRIMARY KEY)");
    holder = lido_session_open(engine, NULL);
    lido_query_value(holder, "SELECT count(*) FROM items");
    return 0;
}

static int end(void **state) {
    lido_session_close(holder);
    lido_engine_close(engine);
    return remove_folder(state);
}

/* ---- Pages ---- */

/* A page is there as a whole, or not at all. */
static void expect_whole(bool (*write)(lido_engine *engine, lido__buffer *body), const char *last) {
    for (int ever_after = 0; ever_after < 2; ever_after++) {
        bool failed = true;
        long before = count_living();
        for (long allocation = 1; failed; allocation++) {
            lido__buffer body = LIDO__BUFFER_INIT;
            run_out_at(allocation, ever_after);
            bool written = write(engine, &body);
            failed = memory_is_back();
            assert_true(written || failed);
            if (written)
                assert_non_null(strstr(body.data, last));
            lido__buffer_done(&body);
            assert_int_equal(count_living(), before);
        }
    }
}

static bool write_state(lido_engine *of, lido__buffer *body) {
    if (!lido__page_engine_state(of, body))
        return false;
    const char *const members[] = {"\"lane_reruns\":", "\"busy\":", "\"retried\":", "serve_memory_test.c\""};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (strstr(body->data, members[i]) == NULL)
            fail_msg("%s is not in %s", members[i], body->data);
    return true;
}

static void test_the_state(void **state) {
    (void)state;
    expect_whole(write_state, "\"statements\":[");
}

static void test_the_metrics(void **state) {
    (void)state;
    expect_whole(lido__page_engine_metrics, "lido_pool_down{");
}

/* ---- The address ---- */

static void test_beginning_to_serve(void **state) {
    (void)state;
    lido_error error;
    lido_metrics_server *first = lido_metrics_serve(engine, where, NULL);
    scrape(where, "/metrics", &answer); /* what is made once is made */
    lido_metrics_server_close(first);
    long before = count_living();
    bool failed = true;
    for (long allocation = 1; failed; allocation++) {
        run_out_at(allocation, false);
        lido_metrics_server *server = lido_metrics_serve(engine, where, &error);
        failed = memory_is_back();
        assert_true(server != NULL || failed);
        assert_true(server != NULL || error.message[0] != '\0');
        if (server != NULL)
            scrape(where, "/metrics", &answer);
        lido_metrics_server_close(server);
        assert_int_equal(scrape_connect(where), -1);
        if (count_living() != before)
            fail_msg("allocation %ld: %ld live, and %ld did before", allocation, count_living(), before);
    }
}

/* ---- An answer ---- */

static bool write_page(lido__buffer *body, void *user) {
    return lido__page_engine_state(user, body);
}

static const lido__page pages[] = {{"/state", LIDO__STATE_TYPE, write_page}, {NULL, NULL, NULL}};

static void turn_often(lido__endpoint *endpoint) {
    for (int i = 0; i < 10; i++)
        lido__endpoint_turn(endpoint);
}

/* In this thread, by turns. Who asked hears something or nothing, and the next is answered. */
static void test_answering(void **state) {
    (void)state;
    lido__endpoint endpoint;
    lido_error error = LIDO_ERROR_INIT;
    bool failed = true;
    for (long allocation = 1; failed; allocation++) {
        assert_true(lido__endpoint_find(&endpoint, where, pages, engine, &error));
        assert_true(lido__endpoint_open(&endpoint, &error));
        int client = scrape_connect_surely(where);
        scrape_send(client, "GET /state HTTP/1.0\r\n\r\n");
        run_out_at(allocation, false);
        turn_often(&endpoint);
        failed = memory_is_back();
        close(client);
        turn_often(&endpoint);
        client = scrape_connect_surely(where);
        scrape_send(client, "GET /state HTTP/1.0\r\n\r\n");
        turn_often(&endpoint);
        scrape_read(client, &answer);
        assert_int_equal(answer.status, 200);
        close(client);
        lido__endpoint_close(&endpoint);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_the_state),
        TEST(test_the_metrics),
        TEST(test_beginning_to_serve),
        TEST(test_answering),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
