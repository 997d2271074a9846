/* Reading values as C types: exactly, or not at all and with a reason. */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lido/arguments.h>

#include "base/convert.h"

static const lido_uuid example = {
    {0xa0, 0xee, 0xbc, 0x99, 0x9c, 0x0b, 0x4e, 0xf8, 0xbb, 0x6d, 0x6b, 0xb9, 0xbd, 0x38, 0x0a, 0x11}};
static const char example_text[] = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";

static lido_value numeric(const char *text) {
    return lido_value_numeric((lido_numeric){text});
}

/* Checks that `why` is `expected`, NULL for success. */
static void assert_reason(const char *why, const char *expected) {
    if (expected == NULL && why != NULL)
        fail_msg("refused: %s", why);
    if (expected != NULL && why == NULL)
        fail_msg("accepted, though it %s", expected);
    if (expected != NULL)
        assert_string_equal(why, expected);
}

/* Each of these reads `value` and checks the outcome and what was put in place: `expected`, or zero. */
static void assert_bool(lido_value value, const char *why, bool expected) {
    bool out = true;
    assert_reason(lido__convert_bool(&value, &out), why);
    assert_int_equal(out, expected);
}

static void assert_int64(lido_value value, const char *why, int64_t expected) {
    int64_t out = 42;
    assert_reason(lido__convert_int64(&value, &out), why);
    assert_true(out == expected);
}

static void assert_uint64(lido_value value, const char *why, uint64_t expected) {
    uint64_t out = 42;
    assert_reason(lido__convert_uint64(&value, &out), why);
    assert_true(out == expected);
}

static void assert_double(lido_value value, const char *why, double expected) {
    double out = 42;
    assert_reason(lido__convert_double(&value, &out), why);
    assert_memory_equal(&out, &expected, sizeof out);
}

static void assert_text(lido_value value, const char *why, const char *expected) {
    lido__arena arena = LIDO__ARENA_INIT;
    const char *out = "untouched";
    assert_reason(lido__convert_text(&value, &arena, &out), why);
    if (expected == NULL)
        assert_null(out);
    else
        assert_string_equal(out, expected);
    lido__arena_done(&arena);
}

/* Reads into a variable by its own type, as lido_scan does. */
#define assert_target(value, why, variable) \
    do { \
        lido_target target = LIDO_TARGET(&(variable)); \
        lido_value from = (value); \
        assert_reason(lido__convert_target(&from, &arena, &target), why); \
    } while (0)

static lido__arena arena = LIDO__ARENA_INIT;

static int empty_arena(void **state) {
    (void)state;
    lido__arena_done(&arena);
    return 0;
}

static void bools_are_read(void **state) {
    (void)state;
    assert_bool(lido_value_bool(true), NULL, true);
    assert_bool(lido_value_bool(false), NULL, false);
    assert_bool(lido_value_int64(1), NULL, true);
    assert_bool(lido_value_int64(0), NULL, false);
    static const char *const words[] = {"false", "true", "f", "t", "0", "1"};
    for (size_t i = 0; i < 6; i++)
        assert_bool(lido_value_text(words[i]), NULL, i % 2 == 1);
    assert_bool(lido_value_int64(2), "is neither 0 nor 1", false);
    assert_bool(lido_value_int64(-1), "is neither 0 nor 1", false);
    assert_bool(lido_value_text("yes"), "is neither true nor false", false);
    assert_bool(lido_value_text(""), "is neither true nor false", false);
    assert_bool(lido_value_text("true "), "is neither true nor false", false);
    assert_bool(lido_value_double(1), "is not a boolean", false);
    assert_bool(lido_value_null(), "is NULL", false);
}

static void integers_are_read_from_whatever_is_whole(void **state) {
    (void)state;
    assert_int64(lido_value_int64(INT64_MIN), NULL, INT64_MIN);
    assert_int64(lido_value_bool(true), NULL, 1);
    assert_int64(lido_value_double(-3), NULL, -3);
    assert_int64(lido_value_double(-0.0), NULL, 0);
    assert_int64(lido_value_double(-0x1p63), NULL, INT64_MIN);
    assert_int64(lido_value_double(0x1p63 - 1024), NULL, INT64_MAX - 1023);
    assert_int64(lido_value_text("9223372036854775807"), NULL, INT64_MAX);
    assert_int64(lido_value_text("-9223372036854775808"), NULL, INT64_MIN);
    assert_int64(numeric("12.00"), NULL, 12);
    assert_int64(numeric("-1e3"), NULL, -1000);
    assert_int64(numeric("-0"), NULL, 0);
}

static void what_is_no_integer_says_why(void **state) {
    (void)state;
    static const char out_of_range[] = "is out of the range of a 64-bit integer";
    assert_int64(lido_value_null(), "is NULL", 0);
    assert_int64(lido_value_double(0.5), "is not a whole number", 0);
    assert_int64(lido_value_double(5e-324), "is not a whole number", 0);
    assert_int64(lido_value_double(NAN), "is not a number", 0);
    assert_int64(lido_value_double(0x1p63), out_of_range, 0);
    assert_int64(lido_value_double(-0x1p63 - 2048), out_of_range, 0);
    assert_int64(lido_value_double(DBL_MAX), out_of_range, 0);
    assert_int64(lido_value_double(-INFINITY), out_of_range, 0);
    assert_int64(lido_value_text("9223372036854775808"), out_of_range, 0);
    assert_int64(lido_value_text("-9223372036854775809"), out_of_range, 0);
    assert_int64(numeric("1e400"), out_of_range, 0);
    assert_int64(numeric("12.50"), "is not a whole number", 0);
    assert_int64(lido_value_text("lamp"), "is not a number", 0);
    assert_int64(lido_value_text(" 1"), "is not a number", 0);
    assert_int64(lido_value_text("1 "), "is not a number", 0);
    assert_int64(lido_value_text("0x10"), "is not a number", 0);
    assert_int64(lido_value_text(""), "is not a number", 0);
    assert_int64(lido_value_bytes(lido_blob("1", 1)), "is not a number", 0);
    assert_int64(lido_value_uuid(example), "is not a number", 0);
}

static void unsigned_integers_have_no_sign_and_one_bit_more(void **state) {
    (void)state;
    static const char out_of_range[] = "is out of the range of an unsigned 64-bit integer";
    assert_uint64(lido_value_int64(INT64_MAX), NULL, INT64_MAX);
    assert_uint64(numeric("18446744073709551615"), NULL, UINT64_MAX);
    assert_uint64(lido_value_double(0x1p64 - 2048), NULL, UINT64_MAX - 2047);
    assert_uint64(lido_value_double(-0.0), NULL, 0);
    assert_uint64(lido_value_int64(-1), "is negative", 0);
    assert_uint64(lido_value_int64(INT64_MIN), "is negative", 0);
    assert_uint64(lido_value_text("-1"), "is negative", 0);
    assert_uint64(lido_value_double(0x1p64), out_of_range, 0);
    assert_uint64(numeric("18446744073709551616"), out_of_range, 0);
    assert_uint64(lido_value_double(1.5), "is not a whole number", 0);
    assert_uint64(lido_value_null(), "is NULL", 0);
}

static void integers_become_doubles_only_if_exact(void **state) {
    (void)state;
    static const char rounding[] = "cannot be a double without rounding";
    const int64_t limit = INT64_C(1) << 53;
    assert_double(lido_value_int64(limit - 1), NULL, 9007199254740991.0);
    assert_double(lido_value_int64(limit), NULL, 9007199254740992.0);
    assert_double(lido_value_int64(limit + 1), rounding, 0);
    assert_double(lido_value_int64(limit + 2), NULL, 9007199254740994.0);
    assert_double(lido_value_int64(-limit), NULL, -9007199254740992.0);
    assert_double(lido_value_int64(-limit - 1), rounding, 0);
    assert_double(lido_value_int64(INT64_MAX), rounding, 0);
    assert_double(lido_value_int64(INT64_MIN), NULL, -0x1p63);
}

static void doubles_are_read_from_decimal_text(void **state) {
    (void)state;
    static const char none[] = "is not a number that a double can hold";
    assert_double(lido_value_double(-0.0), NULL, -0.0);
    assert_double(numeric("12.10"), NULL, 12.1);
    assert_double(lido_value_text("1.7976931348623157e+308"), NULL, DBL_MAX);
    assert_double(lido_value_text("5e-324"), NULL, 5e-324);
    assert_double(lido_value_text("-Infinity"), NULL, -INFINITY);
    assert_double(numeric("1e400"), none, 0);
    assert_double(lido_value_text(" 1"), none, 0);
    assert_double(lido_value_text(""), none, 0);
    assert_double(lido_value_bool(true), "is not a number", 0);
    assert_double(lido_value_null(), "is NULL", 0);
}

static void uuids_are_read_from_text_and_blobs(void **state) {
    (void)state;
    const lido_uuid zero = {{0}};
    const struct {
        lido_value value;
        const char *why;
    } expected[] = {
        {lido_value_uuid(example), NULL},
        {lido_value_text(example_text), NULL},
        {lido_value_bytes(lido_blob(&example, 16)), NULL},
        {lido_value_bytes(lido_blob(&example, 15)), "is not a uuid"},
        {lido_value_text_sized(example_text, 35), "is not a uuid"},
        {lido_value_int64(1), "is not a uuid"},
        {lido_value_null(), "is NULL"},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        lido_uuid out = {{1, 2, 3}};
        assert_reason(lido__convert_uuid(&expected[i].value, &out), expected[i].why);
        assert_memory_equal(&out, expected[i].why == NULL ? &example : &zero, sizeof out);
    }
}

static void times_are_read_from_text(void **state) {
    (void)state;
    const struct {
        lido_value value;
        const char *why;
        int64_t microseconds;
    } expected[] = {
        {lido_value_time((lido_time){-7}), NULL, -7},
        {lido_value_text("1970-01-01 00:00:01.5"), NULL, 1500000},
        {lido_value_text("yesterday"), "is not a time", 0},
        {lido_value_int64(1500000), "is not a time", 0},
        {lido_value_null(), "is NULL", 0},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        lido_time out = {42};
        assert_reason(lido__convert_time(&expected[i].value, &out), expected[i].why);
        assert_true(out.microseconds == expected[i].microseconds);
    }
}

static void any_value_but_a_blob_is_a_text(void **state) {
    (void)state;
    assert_text(lido_value_text("lamp"), NULL, "lamp");
    assert_text(lido_value_json((lido_json){"{}"}), NULL, "{}");
    assert_text(numeric("12.50"), NULL, "12.50");
    assert_text(lido_value_bool(true), NULL, "true");
    assert_text(lido_value_bool(false), NULL, "false");
    assert_text(lido_value_int64(INT64_MIN), NULL, "-9223372036854775808");
    assert_text(lido_value_double(0.1), NULL, "0.1");
    assert_text(lido_value_uuid(example), NULL, example_text);
    assert_text(lido_value_time((lido_time){0}), NULL, "1970-01-01 00:00:00.000000");
    assert_text(lido_value_time((lido_time){INT64_MIN}), NULL, "-290308-12-21 19:59:05.224192");
    assert_text(lido_value_null(), NULL, NULL);
    assert_text(lido_value_bytes(lido_blob("lamp", 4)), "is a blob, not a text", NULL);
    assert_text(lido_value_pointer("something"), "is not a text", NULL);
}

static void a_text_goes_out_where_it_is_and_whole(void **state) {
    (void)state;
    const char *out;
    lido_value value = lido_value_text(example_text);
    assert_null(lido__convert_text(&value, &arena, &out));
    assert_ptr_equal(out, example_text);
    assert_null(arena.blocks);
    assert_text(lido_value_text_sized("la\0mp", 5), "is a text with a NUL inside, to be read as bytes only", NULL);
}

static void blobs_and_texts_are_bytes(void **state) {
    (void)state;
    static const char bytes[] = {0, 1, 2, 0};
    lido_bytes out;
    lido_value blob = lido_value_bytes(lido_blob(bytes, 4));
    assert_null(lido__convert_bytes(&blob, &out));
    assert_ptr_equal(out.data, bytes);
    assert_int_equal(out.size, 4);
    lido_value text = lido_value_text_sized("la\0mp", 5);
    assert_null(lido__convert_bytes(&text, &out));
    assert_int_equal(out.size, 5);
    assert_memory_equal(out.data, "la\0mp", 5);
    lido_value null = lido_value_null();
    assert_null(lido__convert_bytes(&null, &out));
    assert_null(out.data);
    assert_int_equal(out.size, 0);
    lido_value integer = lido_value_int64(1);
    assert_string_equal(lido__convert_bytes(&integer, &out), "is not a blob");
}

static void each_integer_target_has_its_limits(void **state) {
    (void)state;
    signed char tiny = 1;
    short small = 1;
    int plain = 1;
    long large = 1;
    long long larger = 1;
    assert_target(lido_value_int64(SCHAR_MIN), NULL, tiny);
    assert_int_equal(tiny, SCHAR_MIN);
    assert_target(lido_value_int64(SCHAR_MAX + 1), "is out of the range of signed char", tiny);
    assert_int_equal(tiny, 0);
    assert_target(lido_value_int64(SHRT_MIN), NULL, small);
    assert_int_equal(small, SHRT_MIN);
    assert_target(lido_value_int64(SHRT_MAX + 1), "is out of the range of short", small);
    assert_int_equal(small, 0);
    assert_target(lido_value_int64(INT_MAX), NULL, plain);
    assert_int_equal(plain, INT_MAX);
    assert_target(lido_value_int64(INT_MIN - INT64_C(1)), "is out of the range of int", plain);
    assert_int_equal(plain, 0);
    assert_target(lido_value_int64(LONG_MAX), NULL, large);
    assert_true(large == LONG_MAX);
    assert_target(lido_value_int64(INT64_MIN), NULL, larger);
    assert_true(larger == INT64_MIN);
    assert_target(lido_value_null(), "is NULL", larger);
    assert_true(larger == 0);
}

static void each_unsigned_target_has_its_limits(void **state) {
    (void)state;
    unsigned char tiny = 1;
    unsigned short small = 1;
    unsigned plain = 1;
    unsigned long large = 1;
    unsigned long long larger = 1;
    assert_target(lido_value_int64(UCHAR_MAX), NULL, tiny);
    assert_int_equal(tiny, UCHAR_MAX);
    assert_target(lido_value_int64(-1), "is negative", tiny);
    assert_target(lido_value_int64(UCHAR_MAX + 1), "is out of the range of unsigned char", tiny);
    assert_int_equal(tiny, 0);
    assert_target(lido_value_int64(USHRT_MAX), NULL, small);
    assert_int_equal(small, USHRT_MAX);
    assert_target(lido_value_int64(USHRT_MAX + 1), "is out of the range of unsigned short", small);
    assert_int_equal(small, 0);
    assert_target(lido_value_int64(UINT_MAX), NULL, plain);
    assert_true(plain == UINT_MAX);
    assert_target(lido_value_int64(UINT_MAX + INT64_C(1)), "is out of the range of unsigned", plain);
    assert_true(plain == 0);
    assert_target(lido_value_int64(-1), "is negative", large);
    assert_true(large == 0);
    assert_target(numeric("18446744073709551615"), NULL, large);
    assert_true(large == ULONG_MAX);
    assert_target(numeric("18446744073709551615"), NULL, larger);
    assert_true(larger == UINT64_MAX);
}

static void a_float_holds_what_it_can_exactly(void **state) {
    (void)state;
    static const char rounding[] = "cannot be a float without rounding; read it as double";
    float real = 1;
    assert_target(lido_value_double(0.5), NULL, real);
    assert_true(real == 0.5F);
    assert_target(lido_value_double((double)FLT_MAX), NULL, real);
    assert_true(real == FLT_MAX);
    assert_target(lido_value_double(0.1), rounding, real);
    assert_true(real == 0);
    assert_target(lido_value_double(DBL_MAX), rounding, real);
    assert_target(lido_value_int64(16777217), rounding, real);
    assert_target(lido_value_double(-INFINITY), NULL, real);
    assert_true(real < -FLT_MAX);
    assert_target(lido_value_double(NAN), NULL, real);
    assert_true(isnan(real));
    assert_target(lido_value_null(), "is NULL", real);
    assert_true(real == 0);
}

static void a_numeric_is_any_decimal_number(void **state) {
    (void)state;
    lido_numeric out = {"untouched"};
    assert_target(numeric("12.50"), NULL, out);
    assert_string_equal(out.text, "12.50");
    assert_target(lido_value_text("1e400"), NULL, out);
    assert_string_equal(out.text, "1e400");
    assert_target(lido_value_text("NaN"), NULL, out);
    assert_string_equal(out.text, "NaN");
    assert_target(lido_value_int64(-12), NULL, out);
    assert_string_equal(out.text, "-12");
    assert_target(lido_value_double(12.1), NULL, out);
    assert_string_equal(out.text, "12.1");
    assert_target(lido_value_text("lamp"), "is not a number", out);
    assert_null(out.text);
    assert_target(lido_value_uuid(example), "is not a number", out);
    assert_target(lido_value_null(), NULL, out);
    assert_null(out.text);
}

static void json_is_a_text_or_what_json_writes_the_same(void **state) {
    (void)state;
    lido_json out = {"untouched"};
    assert_target(lido_value_json((lido_json){"[1]"}), NULL, out);
    assert_string_equal(out.text, "[1]");
    assert_target(lido_value_text("{}"), NULL, out);
    assert_string_equal(out.text, "{}");
    assert_target(lido_value_bool(true), NULL, out);
    assert_string_equal(out.text, "true");
    assert_target(lido_value_double(1.5), NULL, out);
    assert_string_equal(out.text, "1.5");
    assert_target(lido_value_double(NAN), "is a number that JSON cannot write", out);
    assert_null(out.text);
    assert_target(lido_value_uuid(example), "is not JSON", out);
    assert_target(lido_value_null(), NULL, out);
    assert_null(out.text);
}

static void the_other_targets_are_filled(void **state) {
    (void)state;
    bool yes = false;
    double real = 0;
    const char *text = NULL;
    lido_uuid uuid = {{0}};
    lido_time time = {0};
    lido_bytes bytes = {NULL, 0};
    lido_value itself = lido_value_null();
    assert_target(lido_value_int64(1), NULL, yes);
    assert_true(yes);
    assert_target(numeric("0.25"), NULL, real);
    assert_true(real == 0.25);
    assert_target(lido_value_int64(42), NULL, text);
    assert_string_equal(text, "42");
    assert_target(lido_value_text(example_text), NULL, uuid);
    assert_memory_equal(&uuid, &example, sizeof uuid);
    assert_target(lido_value_text("1970-01-02"), NULL, time);
    assert_true(time.microseconds == INT64_C(86400000000));
    assert_target(lido_value_text("lamp"), NULL, bytes);
    assert_int_equal(bytes.size, 4);
    assert_target(lido_value_time((lido_time){9}), NULL, itself);
    assert_int_equal(itself.kind, LIDO_KIND_TIME);
    assert_int_equal(itself.as.time.microseconds, 9);
}

static void an_unknown_target_is_refused(void **state) {
    (void)state;
    lido_value value = lido_value_int64(1);
    lido_target target = {(lido_target_kind)(LIDO_TARGET_VALUE + 1), NULL};
    assert_string_equal(lido__convert_target(&value, &arena, &target), "has a target of an unknown kind");
}

static void every_kind_has_a_name_of_its_own(void **state) {
    (void)state;
    for (int one = LIDO_KIND_NULL; one <= LIDO_KIND_INVALID; one++) {
        assert_non_null(lido_kind_name((lido_kind)one));
        for (int other = LIDO_KIND_NULL; other < one; other++)
            assert_string_not_equal(lido_kind_name((lido_kind)one), lido_kind_name((lido_kind)other));
    }
    assert_string_equal(lido_kind_name(LIDO_KIND_TEXT), "text");
    assert_string_equal(lido_kind_name((lido_kind)(LIDO_KIND_INVALID + 1)), "not a kind");
}

#define test(name) cmocka_unit_test_teardown(name, empty_arena)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(bools_are_read),
        test(integers_are_read_from_whatever_is_whole),
        test(what_is_no_integer_says_why),
        test(unsigned_integers_have_no_sign_and_one_bit_more),
        test(integers_become_doubles_only_if_exact),
        test(doubles_are_read_from_decimal_text),
        test(uuids_are_read_from_text_and_blobs),
        test(times_are_read_from_text),
        test(any_value_but_a_blob_is_a_text),
        test(a_text_goes_out_where_it_is_and_whole),
        test(blobs_and_texts_are_bytes),
        test(each_integer_target_has_its_limits),
        test(each_unsigned_target_has_its_limits),
        test(a_float_holds_what_it_can_exactly),
        test(a_numeric_is_any_decimal_number),
        test(json_is_a_text_or_what_json_writes_the_same),
        test(the_other_targets_are_filled),
        test(an_unknown_target_is_refused),
        test(every_kind_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
