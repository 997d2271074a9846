/* Prometheus' text of several sources, with labels that need care. */
#include "base/convert.h"
#include "core/metrics_write.h"
#include "support/prometheus.h"

static lido__metrics_source sources[3];
static lido__config config;
static prometheus_text text;

static int begin(void **state) {
    (void)state;
    config = (lido__config){.type = LIDO__SQLITE, .pool_size = 5, .max_overflow = 2, .pool_min_size = 1};
    memset(sources, 0, sizeof sources);
    memset(&text, 0, sizeof text);
    for (int i = 0; i < 3; i++) {
        sources[i].pool = "sqlite:///items.db";
        lido__metrics_describe(&sources[i], &config);
        sources[i].worker = i;
    }
    return 0;
}

static void record(int source, int64_t ns) {
    static lido__histogram histogram;
    memset(&histogram, 0, sizeof histogram);
    lido__histogram_record(&histogram, ns, 1);
    lido__histogram_read(&histogram, &sources[source].reading.durations[LIDO__DURATION_READ]);
}

static void the_format_is_kept(void **state) {
    (void)state;
    for (int64_t ns = 1; ns < INT64_C(1) << 40; ns *= 3)
        record(1, ns);
    assert_true(lido__metrics_write(sources, 3, prometheus_write, &text));
    assert_true(prometheus_check(&text) > 3 * 100);
    assert_true(prometheus_sum(&text, "db_client_operation_duration_seconds_count", "\"read\"") == 26);
    assert_true(prometheus_sum(&text, "db_client_connection_max", "worker=\"2\"") == 7);
}

static void a_duration_is_below_the_bounds_it_does_not_exceed(void **state) {
    (void)state;
    record(0, 1024);
    record(0, 1025);
    record(0, INT64_C(100) * 1000 * 1000 * 1000);
    assert_true(lido__metrics_write(sources, 1, prometheus_write, &text));
    assert_true(prometheus_sum(&text, "db_client_operation_duration_seconds_bucket", "le=\"0.000001024\"") == 1);
    assert_true(prometheus_sum(&text, "db_client_operation_duration_seconds_bucket", "le=\"0.000002048\"") == 2);
    assert_true(prometheus_sum(&text, "db_client_operation_duration_seconds_bucket", "le=\"68.719476736\"") == 2);
    assert_true(prometheus_sum(&text, "db_client_operation_duration_seconds_bucket", "le=\"+Inf\"") == 3);
    assert_non_null(strstr(text.text, "_sum{db_client_connection_pool_name=\"sqlite:///items.db\","
                                      "db_system_name=\"sqlite\",worker=\"0\",db_operation_name=\"read\"} "
                                      "100.000002049\n"));
}

static void labels_are_escaped(void **state) {
    (void)state;
    sources[0].pool = "a\"b\\c\nd";
    sources[0].worker = LIDO__NO_WORKER;
    assert_true(lido__metrics_write(sources, 1, prometheus_write, &text));
    prometheus_check(&text);
    assert_non_null(strstr(text.text, "{db_client_connection_pool_name=\"a\\\"b\\\\c\\nd\",db_system_name"));
    assert_null(strstr(text.text, "worker="));
}

static void a_long_label_is_cut(void **state) {
    (void)state;
    static char name[5000];
    memset(name, '"', sizeof name - 1);
    sources[0].pool = name;
    assert_true(lido__metrics_write(sources, 3, prometheus_write, &text));
    prometheus_check(&text);
}

static void a_long_label_is_cut_between_characters(void **state) {
    (void)state;
    static char name[2000];
    for (int before = 0; before < 4; before++) { /* so that the cut meets each byte of a character */
        char *end = name + before;
        memset(name, 'x', (size_t)before);
        for (int i = 0; i < 300; i++)
            end = stpcpy(end, i % 2 == 0 ? "\xc3\xa9" : "\xe2\x82\xac");
        memset(&text, 0, sizeof text);
        sources[0].pool = name;
        assert_true(lido__metrics_write(sources, 1, prometheus_write, &text));
        prometheus_check(&text);
        assert_true(lido__utf8_valid(text.text, strlen(text.text)));
        assert_null(strstr(text.text, name)); /* it was cut */
    }
}

static void what_has_no_limit_has_no_series_for_it(void **state) {
    (void)state;
    config.max_overflow = -1;
    lido__metrics_describe(&sources[0], &config);
    assert_true(lido__metrics_write(sources, 1, prometheus_write, &text));
    prometheus_check(&text);
    assert_null(strstr(text.text, "\ndb_client_connection_max{"));
    assert_non_null(strstr(text.text, "\ndb_client_connection_idle_max{"));
}

static bool refuse_second(const char *piece, size_t size, void *user) {
    int *calls = user;
    (void)piece;
    return size > 0 && ++*calls < 2;
}

static void a_writer_that_wants_no_more_is_left_alone(void **state) {
    (void)state;
    int calls = 0;
    assert_false(lido__metrics_write(sources, 3, refuse_second, &calls));
    assert_int_equal(calls, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_format_is_kept, begin),
        cmocka_unit_test_setup(a_duration_is_below_the_bounds_it_does_not_exceed, begin),
        cmocka_unit_test_setup(labels_are_escaped, begin),
        cmocka_unit_test_setup(a_long_label_is_cut, begin),
        cmocka_unit_test_setup(a_long_label_is_cut_between_characters, begin),
        cmocka_unit_test_setup(what_has_no_limit_has_no_series_for_it, begin),
        cmocka_unit_test_setup(a_writer_that_wants_no_more_is_left_alone, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
