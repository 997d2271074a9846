/* Numbers as text and back: exact at the limits, the same in every locale. */
#include <float.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/convert.h"
#include "base/decimal.h"
#include "support/chance.h"

static uint64_t bits_of(double real) {
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    return bits;
}

static void assert_integer_text(int64_t integer, const char *expected) {
    char text[21];
    int64_t back = ~integer;
    assert_int_equal(lido__int64_format(integer, text), strlen(expected));
    assert_string_equal(text, expected);
    assert_true(lido__int64_parse(text, strlen(text), &back));
    assert_true(back == integer);
}

static void integers_are_written_and_read(void **state) {
    (void)state;
    assert_integer_text(0, "0");
    assert_integer_text(7, "7");
    assert_integer_text(-10, "-10");
    assert_integer_text(99, "99");
    assert_integer_text(100, "100");
    assert_integer_text(INT64_MAX, "9223372036854775807");
    assert_integer_text(INT64_MIN, "-9223372036854775808");
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        char expected[32];
        int64_t integer = (int64_t)(draw_bits(&seed) >> (i % 64));
        integer = i % 2 == 0 ? integer : -integer;
        snprintf(expected, sizeof expected, "%lld", (long long)integer);
        assert_integer_text(integer, expected);
    }
}

static void what_is_no_integer_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "-",
        "+1",
        " 1",
        "1 ",
        "1.0",
        "1e3",
        "0x10",
        "--1",
        "1-",
        "NaN",
        "９",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999",
        "18446744073709551617",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int64_t integer = 42;
        assert_false(lido__int64_parse(texts[i], strlen(texts[i]), &integer));
        assert_true(integer == 42);
    }
}

static void an_integer_is_read_no_further_than_its_size(void **state) {
    (void)state;
    int64_t integer;
    assert_true(lido__int64_parse("12345", 3, &integer));
    assert_true(integer == 123);
    assert_true(lido__int64_parse("0000000000000000000000000000007", 31, &integer));
    assert_true(integer == 7);
    assert_false(lido__int64_parse("1\0002", 3, &integer));
}

static void assert_double_text(double real, const char *expected) {
    char text[LIDO__DOUBLE_TEXT_SIZE];
    double back;
    assert_int_equal(lido__double_format(real, text), strlen(expected));
    assert_string_equal(text, expected);
    assert_true(lido__double_parse(text, strlen(text), &back));
    assert_true(bits_of(back) == bits_of(real) || (isnan(back) && isnan(real)));
}

static void doubles_are_written_with_the_fewest_digits(void **state) {
    (void)state;
    assert_double_text(0.0, "0");
    assert_double_text(-0.0, "-0");
    assert_double_text(0.1, "0.1");
    assert_double_text(12.5, "12.5");
    assert_double_text(-1e21, "-1e+21");
    assert_double_text(0.1 + 0.2, "0.30000000000000004");
    assert_double_text(1.0 / 3.0, "0.3333333333333333");
    assert_double_text(9007199254740992.0, "9007199254740992");
    assert_double_text(9007199254740991.0, "9007199254740991");
    assert_double_text(DBL_MAX, "1.7976931348623157e+308");
    assert_double_text(-DBL_MAX, "-1.7976931348623157e+308");
    assert_double_text(DBL_MIN, "2.2250738585072014e-308");
    assert_double_text(5e-324, "5e-324");
    assert_double_text(1e-310, "1e-310");
    assert_double_text(2.225073858507201e-308, "2.225073858507201e-308");
    assert_double_text(NAN, "NaN");
    assert_double_text(INFINITY, "Infinity");
    assert_double_text(-INFINITY, "-Infinity");
}

static void any_double_reads_back_the_same(void **state) {
    (void)state;
    uint64_t seed = 2;
    for (int i = 0; i < 20000; i++) {
        char text[LIDO__DOUBLE_TEXT_SIZE];
        double real;
        double back;
        uint64_t bits = draw_bits(&seed);
        memcpy(&real, &bits, sizeof real);
        size_t size = lido__double_format(real, text);
        assert_true(lido__double_parse(text, size, &back));
        assert_true(isnan(real) ? isnan(back) : bits_of(back) == bits);
    }
}

static void doubles_are_read_in_every_form(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double real;
    } expected[] = {
        {"1", 1},
        {"-1.50", -1.5},
        {".5", 0.5},
        {"5.", 5},
        {"1e3", 1000},
        {"1E+3", 1000},
        {"25e-1", 2.5},
        {"0.000", 0},
        {"0e999999999999999999999", 0},
        {"000012.5", 12.5},
        {"1e-320", 1e-320},
        {"9007199254740993", 9007199254740992.0},
        {"1.7976931348623157e308", DBL_MAX},
        {"1.7976931348623158079372e308", DBL_MAX},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        double real = -1;
        assert_true(lido__double_parse(expected[i].text, strlen(expected[i].text), &real));
        assert_true(bits_of(real) == bits_of(expected[i].real));
    }
}

static void what_is_no_double_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "-",
        ".",
        "-.",
        "e5",
        "1e",
        "1e+",
        "1e1.5",
        "+1",
        " 1",
        "1 ",
        "1,5",
        "1.2.3",
        "0x10",
        "0x1p4",
        "nan",
        "inf",
        "infinity",
        "NaN ",
        "-NaN",
        "1f",
        "1_0",
        "--1",
        "1e400",
        "-1e400",
        "1e-400",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "1.7976931348623159e308",
        "2e-324",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double real = 42;
        assert_false(lido__double_parse(texts[i], strlen(texts[i]), &real));
        assert_true(real == 42);
    }
    double real;
    assert_false(lido__double_parse("1\0", 2, &real));
    assert_true(lido__double_parse("1.5e99", 3, &real));
    assert_true(real == 1.5);
}

/* 1 + 2^-53 lies halfway between 1 and the next double and is rounded to 1, the even one; anything above it, however
 * far behind, is rounded up. */
static void digits_far_behind_the_point_decide_a_tie(void **state) {
    (void)state;
    char text[3000];
    double real;
    strcpy(text, "1.00000000000000011102230246251565404236316680908203125");
    assert_true(lido__double_parse(text, strlen(text), &real));
    assert_true(real == 1.0);
    size_t size = strlen(text);
    memset(text + size, '0', sizeof text - size);
    assert_true(lido__double_parse(text, sizeof text, &real));
    assert_true(real == 1.0);
    text[sizeof text - 1] = '1';
    assert_true(lido__double_parse(text, sizeof text, &real));
    assert_true(real == 1.0 + DBL_EPSILON);
}

static void zeros_without_end_are_counted_not_kept(void **state) {
    (void)state;
    static char text[100000];
    double real;
    memset(text, '0', sizeof text);
    text[0] = '1';
    memcpy(text + sizeof text - 7, "e-99992", 7); /* 1 and 99992 zeros */
    assert_true(lido__double_parse(text, sizeof text, &real));
    assert_true(real == 1.0);
    memset(text, '0', sizeof text);
    text[1] = '.';
    memcpy(text + sizeof text - 7, "1e99992", 7); /* 99991 zeros behind the point, then 1 */
    assert_true(lido__double_parse(text, sizeof text, &real));
    assert_true(real == 1.0);
}

static void whole_decimals_have_a_magnitude(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool whole;
        bool fits;
        uint64_t magnitude;
    } expected[] = {
        {"12.00", true, true, 12},
        {"-0.0", true, true, 0},
        {"1.5e1", true, true, 15},
        {"18446744073709551615", true, true, UINT64_MAX},
        {"1e19", true, true, UINT64_C(10000000000000000000)},
        {"18446744073709551616", true, false, 0},
        {"1e20", true, false, 0},
        {"1e999999999999", true, false, 0},
        {"12.5", false, false, 0},
        {"1e-1", false, false, 0},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        lido__decimal decimal;
        uint64_t magnitude = 0;
        assert_true(lido__decimal_read(&decimal, expected[i].text, strlen(expected[i].text)));
        assert_int_equal(lido__decimal_is_whole(&decimal), expected[i].whole);
        if (!expected[i].whole)
            continue;
        assert_int_equal(lido__decimal_magnitude(&decimal, &magnitude), expected[i].fits);
        if (expected[i].fits)
            assert_true(magnitude == expected[i].magnitude);
    }
}

/* German writes a comma, Pashto a sign of two bytes; systems have the one, the other or neither installed. */
static void no_locale_changes_a_number(void **state) {
    (void)state;
    static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "cs_CZ.UTF-8", "ps_AF.UTF-8"};
    int tried = 0;
    for (size_t i = 0; i < sizeof locales / sizeof *locales; i++) {
        if (setlocale(LC_ALL, locales[i]) == NULL || strcmp(localeconv()->decimal_point, ".") == 0)
            continue;
        tried++;
        doubles_are_written_with_the_fewest_digits(state);
        doubles_are_read_in_every_form(state);
        what_is_no_double_is_refused(state);
    }
    setlocale(LC_ALL, "C");
    if (tried == 0)
        skip();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_written_and_read),
        cmocka_unit_test(what_is_no_integer_is_refused),
        cmocka_unit_test(an_integer_is_read_no_further_than_its_size),
        cmocka_unit_test(doubles_are_written_with_the_fewest_digits),
        cmocka_unit_test(any_double_reads_back_the_same),
        cmocka_unit_test(doubles_are_read_in_every_form),
        cmocka_unit_test(what_is_no_double_is_refused),
        cmocka_unit_test(digits_far_behind_the_point_decide_a_tie),
        cmocka_unit_test(zeros_without_end_are_counted_not_kept),
        cmocka_unit_test(whole_decimals_have_a_magnitude),
        cmocka_unit_test(no_locale_changes_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
