/* Regular expressions on SQLite: what is kept, what is refused, and that none of them takes for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lido.h>
#include <pthread.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct memory {
    lido_engine *engine;
    lido_session *session; /* autocommit */
} memory;

static memory open_memory(const char *url) {
    memory opened = {lido_engine_open(url, NULL, NULL), NULL};
    assert_non_null(opened.engine);
    opened.session = lido_session_open(opened.engine, &(lido_session_options){.autocommit = true});
    return opened;
}

static void close_memory(memory *opened) {
    lido_session_close(opened->session);
    lido_engine_close(opened->engine);
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static bool matches(lido_session *db, const char *text, const char *pattern) {
    lido_value found = lido_query_value(db, "SELECT ? REGEXP ?", text, pattern);
    if (lido_failed(db))
        lido_error_print(lido_error_of(db), stderr);
    assert_int_equal(found.kind, LIDO_KIND_INT64);
    return found.as.integer != 0;
}

/* ---- What matches ---- */

static void a_search_and_not_a_full_match(void **state) {
    memory of = open_memory("sqlite://");
    (void)state;
    assert_true(matches(of.session, "a lamp", "l.mp"));
    assert_true(matches(of.session, "Ärger", "^\\w{5}$"));
    assert_true(matches(of.session, "ärger", "(?i)^ÄRGER$"));
    assert_true(matches(of.session, "a\nb", "a.b"));
    assert_false(matches(of.session, "a\n", "a$"));
    assert_false(matches(of.session, "chair", "l.mp"));
    assert_true(matches(of.session, "", ""));
    close_memory(&of);
}

static void text_that_is_not_utf8_is_matched_by_nothing(void **state) {
    memory of = open_memory("sqlite://");
    (void)state;
    assert_int_equal(lido_query_value(of.session, "SELECT CAST(x'61ff62' AS text) REGEXP 'a'").as.integer, 0);
    assert_int_equal(lido_query_value(of.session, "SELECT 'a' REGEXP CAST(x'61ff' AS text)").as.integer, 0);
    lido_query_value(of.session, "SELECT regexp_replace(CAST(x'61ff62' AS text), 'a', 'b')");
    assert_int_equal(lido_error_of(of.session)->category, LIDO_ERROR_TYPE);
    assert_int_equal(lido_query_value(of.session, "SELECT x'' REGEXP '^$'").as.integer, 1);
    close_memory(&of);
}

static void an_invalid_pattern(void **state) {
    memory lax = open_memory("sqlite://");
    memory strict = open_memory("sqlite://?regexp_strict=on");
    (void)state;
    assert_false(matches(lax.session, "a(b", "("));
    assert_false(matches(lax.session, "a", "\\C"));
    lido_query_value(strict.session, "SELECT 'a(b' REGEXP ?", "x(");
    const lido_error *error = lido_error_of(strict.session);
    assert_int_equal(error->category, LIDO_ERROR_TYPE);
    assert_string_equal(error->sqlstate, "2201B");
    assert_string_equal(error->message,
                        "REGEXP: \"x(\" is no regular expression: missing closing parenthesis (byte 3)");
    assert_true(matches(strict.session, "lamp", "a"));
    lido_query_value(lax.session, "SELECT regexp_like('a', '[')");
    assert_int_equal(lido_error_of(lax.session)->category, LIDO_ERROR_TYPE);
    close_memory(&strict);
    close_memory(&lax);
}

/* More patterns than are kept, each used again and again, in one statement. */
static void patterns_that_change_from_row_to_row(void **state) {
    memory of = open_memory("sqlite://");
    (void)state;
    lido_script(of.session, "CREATE TABLE lines (id integer PRIMARY KEY, line text, pattern text);"
                            "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"
                            " INSERT INTO lines SELECT i, 'line ' || (i % 100), '^line ' || (i % 70) || '$' FROM n");
    int64_t found = lido_query_value(of.session, "SELECT count(*) FROM lines WHERE line REGEXP pattern").as.integer;
    int64_t same = lido_query_value(of.session, "SELECT count(*) FROM lines WHERE id % 100 = id % 70").as.integer;
    assert_true(found > 0);
    assert_int_equal(found, same);
    found = lido_query_value(of.session, "SELECT count(*) FROM lines WHERE line REGEXP '^line 7' OR line NOT REGEXP "
                                         "('[' || (id % 3) || ']')")
                .as.integer;
    assert_true(found > 0);
    close_memory(&of);
}

/* ---- No pattern hangs a query ---- */

static const char *const catastrophic[] = {
    "(a+)+$",
    "^(a|aa)+$",
    "(a|a?)+$",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "(.*)(.*)(.*)(.*)(.*)(.*)(.*)[xy]$",
    "(a*)*\\1*[yz]",
    "(?:a*a*a*a*a*)*[bc]",
    "\\G(a+)+$",
    "(*NO_START_OPT)(a+)+$",
};

static void catastrophic_patterns_are_bounded(void **state) {
    enum { SIZES = 4 };
    static const size_t sizes[SIZES] = {40, 3000, 100000, 1000000};
    memory of = open_memory("sqlite://");
    char *text = malloc(sizes[SIZES - 1] + 2);
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof catastrophic / sizeof *catastrophic; i++)
        for (size_t size = 0; size < SIZES; size++) {
            memset(text, 'a', sizes[size]);
            memcpy(text + sizes[size], "!", 2);
            int64_t began = now_ms();
            lido_query_value(of.session, "SELECT ? REGEXP ?", text, catastrophic[i]);
            int64_t took = now_ms() - began;
            const lido_error *error = lido_error_of(of.session);
            if (error->status != LIDO_OK) {
                assert_int_equal(error->category, LIDO_ERROR_OTHER);
                assert_string_equal(error->sqlstate, "54001");
                assert_non_null(strstr(error->message, "REGEXP: the pattern takes too m"));
            }
            if (took > 20000)
                fail_msg("%s on %zu letters took %lld ms", catastrophic[i], sizes[size], (long long)took);
        }
    free(text);
    close_memory(&of);
}

/* Many steps, and yet an answer: what the first gear gives up the second one finds. */
static void patient_searches_find(void **state) {
    memory of = open_memory("sqlite://");
    (void)state;
    assert_int_equal(lido_query_value(of.session, "SELECT (repeat('ab', 50000) || 'c') REGEXP '^(a|b)*c$'").as.integer,
                     1);
    assert_int_equal(
        lido_query_value(of.session, "SELECT (repeat('ab', 50000) || 'd') REGEXP '^(?:a|b)*c$'").as.integer, 0);
    assert_int_equal(lido_query_value(of.session, "SELECT (repeat('ä', 70000) || 'xy') REGEXP 'xy$'").as.integer, 1);
    assert_int_equal(lido_query_value(of.session, "SELECT (repeat('€', 1500) || 'xy') REGEXP '€xy'").as.integer, 1);
    assert_int_equal(lido_query_value(of.session, "SELECT repeat('€', 1500) REGEXP '(?<=€{1023})x?$'").as.integer, 1);
    assert_int_equal(lido_query_value(of.session, "SELECT regexp_count(repeat('äb', 40000), 'b')").as.integer, 40000);
    assert_int_equal(
        lido_query_value(of.session, "SELECT length(regexp_replace(repeat('äb', 40000), 'b', '', 'g'))").as.integer,
        40000);
    assert_false(lido_failed(of.session));
    close_memory(&of);
}

/* What a row costs stays below every limit, and there are very many rows. */
static const char slow_rows[] = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100000000)"
                                " SELECT count(*) FROM n WHERE (i || repeat('a', 19) || '!') REGEXP '(a+)+$'";

static void the_deadline_stops_a_search(void **state) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.statement_timeout_ms = 300;
    lido_engine *engine = lido_engine_open("sqlite://", &options, NULL);
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    (void)state;
    int64_t began = now_ms();
    lido_query_value(db, slow_rows);
    assert_int_equal(lido_error_of(db)->category, LIDO_ERROR_TIMEOUT);
    assert_in_range(now_ms() - began, 250, 10000);
    lido_session_close(db);
    lido_engine_close(engine);
}

static void *cancel_soon(void *session) {
    usleep(200 * 1000);
    lido_cancel(session);
    return NULL;
}

static void cancelling_stops_a_search(void **state) {
    memory of = open_memory("sqlite://");
    pthread_t canceller;
    (void)state;
    int64_t began = now_ms();
    assert_int_equal(pthread_create(&canceller, NULL, cancel_soon, of.session), 0);
    lido_query_value(of.session, slow_rows);
    assert_int_equal(lido_error_of(of.session)->category, LIDO_ERROR_CANCELLED);
    assert_in_range(now_ms() - began, 150, 10000);
    pthread_join(canceller, NULL);
    close_memory(&of);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_and_not_a_full_match),
        cmocka_unit_test(text_that_is_not_utf8_is_matched_by_nothing),
        cmocka_unit_test(an_invalid_pattern),
        cmocka_unit_test(patterns_that_change_from_row_to_row),
        cmocka_unit_test(catastrophic_patterns_are_bounded),
        cmocka_unit_test(patient_searches_find),
        cmocka_unit_test(the_deadline_stops_a_search),
        cmocka_unit_test(cancelling_stops_a_search),
    };
    return cmocka_run_group_tests_name("regexp", tests, NULL, NULL);
}
