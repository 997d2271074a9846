/* PostgreSQL's binary numeric as text, and back: what a server writes, and what only a broken or hostile one does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/postgres/postgres.h"

enum { DIGITS_MOST = 4096 };

/* The bytes of a numeric with these digits, in memory of exactly that size; to be freed. */
static unsigned char *numeric_of(unsigned count, unsigned weight, unsigned sign, unsigned scale,
                                 const unsigned *digits) {
    const unsigned header[] = {count, weight, sign, scale};
    unsigned char *bytes = malloc(8 + 2 * (size_t)count);
    assert_non_null(bytes);
    for (unsigned i = 0; i < 4 + count; i++) {
        unsigned number = i < 4 ? header[i] : digits[i - 4];
        bytes[2 * i] = (unsigned char)(number >> 8);
        bytes[2 * i + 1] = (unsigned char)number;
    }
    return bytes;
}

/* NULL: it must be refused. */
static void expect(const char *expected, unsigned count, unsigned weight, unsigned sign, unsigned scale,
                   const unsigned *digits) {
    lido__arena arena = LIDO__ARENA_INIT;
    size_t size = 0;
    unsigned char *bytes = numeric_of(count, weight, sign, scale, digits);
    const char *text = lido__postgres_read_numeric(bytes, 8 + 2 * (size_t)count, &arena, &size);
    if (expected == NULL) {
        assert_null(text);
    } else {
        assert_non_null(text);
        assert_string_equal(text, expected);
        assert_int_equal(size, strlen(expected));
    }
    assert_false(arena.out_of_memory);
    lido__arena_done(&arena);
    free(bytes);
}

static void test_what_a_server_writes(void **state) {
    (void)state;
    expect("0", 0, 0, 0, 0, NULL);
    expect("0.00", 0, 0, 0, 2, NULL);
    expect("-12.50", 2, 0, 0x4000, 2, (const unsigned[]){12, 5000});
    expect("10001", 2, 1, 0, 0, (const unsigned[]){1, 1});
    expect("120000", 1, 1, 0, 0, (const unsigned[]){12});
    expect("0.00001", 1, (unsigned)-2 & 0xFFFF, 0, 5, (const unsigned[]){1000});
    expect("99999999", 2, 1, 0, 0, (const unsigned[]){9999, 9999});
    expect("NaN", 0, 0, 0xC000, 0, NULL);
    expect("Infinity", 0, 0, 0xD000, 0, NULL);
    expect("-Infinity", 0, 0, 0xF000, 0, NULL);
}

/* Each such digit would be written in five characters where there is room for four. */
static void test_digits_that_are_none(void **state) {
    (void)state;
    unsigned digits[DIGITS_MOST];
    for (unsigned i = 0; i < DIGITS_MOST; i++)
        digits[i] = 0xFFFF;
    expect(NULL, DIGITS_MOST, DIGITS_MOST - 1, 0, 0, digits);
    expect(NULL, 1, 0, 0, 0, (const unsigned[]){10000});
}

static void test_a_sign_that_is_none(void **state) {
    (void)state;
    expect(NULL, 1, 0, 0x1234, 0, (const unsigned[]){1});
}

static void test_what_ends_too_early(void **state) {
    (void)state;
    lido__arena arena = LIDO__ARENA_INIT;
    size_t text_size;
    unsigned char *bytes = numeric_of(3, 0, 0, 0, (const unsigned[]){1, 2, 3});
    for (size_t size = 0; size < 8 + 2 * 3; size++) {
        unsigned char *part = malloc(size + 1);
        assert_non_null(part);
        memcpy(part + 1, bytes, size);
        assert_null(lido__postgres_read_numeric(part + 1, size, &arena, &text_size));
        free(part);
    }
    lido__arena_done(&arena);
    free(bytes);
}

/* The weight alone asks for much room; it is given, and filled with zeros. */
static void test_the_largest_weight(void **state) {
    (void)state;
    lido__arena arena = LIDO__ARENA_INIT;
    size_t size = 0;
    unsigned char *bytes = numeric_of(1, 0x7FFF, 0x4000, 0xFFFF, (const unsigned[]){9999});
    const char *text = lido__postgres_read_numeric(bytes, 10, &arena, &size);
    assert_non_null(text);
    assert_int_equal(size, 1 + 4 * (0x7FFF + 1) + 1 + 0xFFFF);
    assert_int_equal(strlen(text), size);
    assert_int_equal(strncmp(text, "-99990000", 9), 0);
    lido__arena_done(&arena);
    free(bytes);
}

/* ---- Writing ---- */

/* In as much room as is promised, and no more. NULL: it is written, and read again as it was. */
static void expect_written(const char *text, const char *read_again) {
    size_t size = strlen(text);
    size_t read_size = 0;
    lido__arena arena = LIDO__ARENA_INIT;
    char *bytes = malloc(size + 16);
    assert_non_null(bytes);
    char *end = lido__postgres_write_numeric(bytes, text, size);
    assert_non_null(end);
    assert_true(end <= bytes + size + 16);
    const char *again = lido__postgres_read_numeric((unsigned char *)bytes, (size_t)(end - bytes), &arena, &read_size);
    assert_string_equal(again, read_again != NULL ? read_again : text);
    lido__arena_done(&arena);
    free(bytes);
}

static void test_writing(void **state) {
    (void)state;
    static const char *const same[] = {"0",
                                       "7",
                                       "-12.50",
                                       "9999",
                                       "10000",
                                       "12345678",
                                       "123456789",
                                       "0.1",
                                       "0.0001",
                                       "0.00001",
                                       "1234.56789",
                                       "-0.000000000001",
                                       "99999999999999999999999999999999999999.9"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        expect_written(same[i], NULL);
    expect_written("+1.5", "1.5");
    expect_written(".5", "0.5");
    expect_written("-.25", "-0.25");
    expect_written("5.", "5");
}

static void test_what_is_not_written(void **state) {
    (void)state;
    static const char *const others[] = {"",         "-",     "+",  ".",  "-.",  "1e3", "NaN",
                                         "Infinity", "1.2.3", " 1", "1 ", "--1", "1-"};
    char room[64];
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_null(lido__postgres_write_numeric(room, others[i], strlen(others[i])));
    char longest[LIDO__POSTGRES_NUMERIC_MOST + 2];
    memset(longest, '9', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_null(lido__postgres_write_numeric(room, longest, LIDO__POSTGRES_NUMERIC_MOST + 1));
    expect_written(longest + 1, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writing),
        cmocka_unit_test(test_what_is_not_written),
        cmocka_unit_test(test_what_a_server_writes),
        cmocka_unit_test(test_digits_that_are_none),
        cmocka_unit_test(test_a_sign_that_is_none),
        cmocka_unit_test(test_what_ends_too_early),
        cmocka_unit_test(test_the_largest_weight),
    };
    return cmocka_run_group_tests_name("numeric", tests, NULL, NULL);
}
