/* UTF-8: what is valid, and where a text may be cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/convert.h"

/* In memory of exactly its size, so that the sanitizer sees a byte too many read; behind 0 to 8 letters, so that it
 * comes at every place of the eight bytes looked at together. */
static bool is_valid(const char *text, size_t size) {
    bool verdict = false;
    for (size_t before = 0; before <= 8; before++) {
        char *exact = malloc(before + size + 1);
        assert_non_null(exact);
        memset(exact, 'a', before + 1);
        memcpy(exact + 1 + before, text, size);
        bool valid = lido__utf8_valid(exact + 1, before + size);
        free(exact);
        if (before > 0)
            assert_int_equal(valid, verdict);
        verdict = valid;
    }
    return verdict;
}

#define assert_valid(literal) assert_true(is_valid(literal, sizeof(literal) - 1))
#define assert_invalid(literal) assert_false(is_valid(literal, sizeof(literal) - 1))

static void ordinary_text_is_valid(void **state) {
    (void)state;
    assert_true(lido__utf8_valid(NULL, 0));
    assert_valid("");
    assert_valid("plain ASCII, longer than eight bytes");
    assert_valid("Grüße, žluťoučký kůň, 日本語, 😀");
    assert_valid("with a \0 inside");
}

static void the_first_and_last_of_each_length_are_valid(void **state) {
    (void)state;
    assert_valid("\x7F");
    assert_valid("\xC2\x80 \xDF\xBF");
    assert_valid("\xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF");
    assert_valid("\xF0\x90\x80\x80 \xF4\x8F\xBF\xBF");
}

static void overlong_forms_are_refused(void **state) {
    (void)state;
    assert_invalid("\xC0\x80");
    assert_invalid("\xC1\xBF");
    assert_invalid("\xE0\x80\x80");
    assert_invalid("\xE0\x9F\xBF");
    assert_invalid("\xF0\x80\x80\x80");
    assert_invalid("\xF0\x8F\xBF\xBF");
}

static void surrogates_and_beyond_unicode_are_refused(void **state) {
    (void)state;
    assert_invalid("\xED\xA0\x80");
    assert_invalid("\xED\xBF\xBF");
    assert_invalid("\xF4\x90\x80\x80");
    assert_invalid("\xF5\x80\x80\x80");
    assert_invalid("\xFF");
}

static void truncated_and_stray_bytes_are_refused(void **state) {
    (void)state;
    assert_invalid("\x80");
    assert_invalid("\xC3");
    assert_invalid("\xE2\x82");
    assert_invalid("\xF0\x9F\x98");
    assert_invalid("\xC3(");
    assert_invalid("\xE2\x82(");
    assert_invalid("\xF0\x9F\x98(");
    assert_invalid("\xC3\xA9\xA9");
}

/* Each character, encoded by the rule of RFC 3629's table, is valid, and no encoding of a surrogate is. */
static void every_character_is_judged_right(void **state) {
    (void)state;
    for (uint32_t code = 0x80; code <= 0x10FFFF; code++) {
        unsigned char bytes[4];
        size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        static const unsigned char leads[] = {0xC0, 0xE0, 0xF0};
        uint32_t rest = code;
        for (size_t i = size - 1; i > 0; i--, rest >>= 6)
            bytes[i] = (unsigned char)(0x80 | (rest & 0x3F));
        bytes[0] = (unsigned char)(leads[size - 2] | rest);
        bool surrogate = code >= 0xD800 && code <= 0xDFFF;
        assert_int_equal(lido__utf8_valid((const char *)bytes, size), !surrogate);
    }
}

static void a_cut_falls_between_characters(void **state) {
    (void)state;
    const char *text = "aé€😀z"; /* 1, 2, 3, 4 and 1 bytes */
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
    for (size_t size = 0; size < sizeof expected / sizeof *expected; size++)
        assert_int_equal(lido__utf8_cut(text, size), expected[size]);
}

static void what_is_not_utf8_is_cut_anywhere(void **state) {
    (void)state;
    assert_int_equal(lido__utf8_cut("\x80\x80\x80\x80\x80\x80", 5), 5);
    assert_int_equal(lido__utf8_cut("\x80", 1), 1);
    assert_int_equal(lido__utf8_cut("a\xFF", 2), 2);
    assert_int_equal(lido__utf8_cut("a\xA9\xA9", 3), 3);
}

/* What is said of a text in memory of exactly its size, behind 0 to 8 letters. */
static void check_problem(const char *text, size_t size, const char *expected) {
    for (size_t before = 0; before <= 8; before++) {
        char *exact = malloc(before + size + 1);
        assert_non_null(exact);
        memset(exact, 'a', before + 1);
        memcpy(exact + 1 + before, text, size);
        lido_value value = lido_value_text_sized(exact + 1, before + size);
        const char *problem = lido__text_problem(&value, true);
        assert_true((problem == NULL) == (expected == NULL));
        if (problem != NULL)
            assert_string_equal(problem, expected);
        free(exact);
    }
}

static void texts_that_no_database_takes(void **state) {
    (void)state;
    check_problem("", 0, NULL);
    check_problem("plain", 5, NULL);
    check_problem("\x01\x7f and eight more", 17, NULL);
    check_problem("žluťoučký", strlen("žluťoučký"), NULL);
    check_problem("\0", 1, "a text with a NUL inside; pass it as a blob");
    check_problem("ž\0ž", 5, "a text with a NUL inside; pass it as a blob");
    check_problem("1234567\0", 8, "a text with a NUL inside; pass it as a blob");
    check_problem("\xff", 1, "a text that is not UTF-8; pass it as a blob");
    check_problem("žlu\xc5", 5, "a text that is not UTF-8; pass it as a blob");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_that_no_database_takes),
        cmocka_unit_test(ordinary_text_is_valid),
        cmocka_unit_test(the_first_and_last_of_each_length_are_valid),
        cmocka_unit_test(overlong_forms_are_refused),
        cmocka_unit_test(surrogates_and_beyond_unicode_are_refused),
        cmocka_unit_test(truncated_and_stray_bytes_are_refused),
        cmocka_unit_test(every_character_is_judged_right),
        cmocka_unit_test(a_cut_falls_between_characters),
        cmocka_unit_test(what_is_not_utf8_is_cut_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
