/* The board of those who hold connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
/* cmocka needs those before it */
#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>

#include "core/holders.h"

static lido__holder_entry entry_of(int64_t held_us, const char *statement) {
    lido__holder_entry entry = {.held_us = held_us, .line = held_us};
    lido__holder_describe(&entry, "items.c", statement);
    return entry;
}

static void test_long_texts_are_cut(void **state) {
    (void)state;
    char text[400];
    lido__holder_entry entry;
    for (size_t length = LIDO__HOLDER_STATEMENT - 4; length < LIDO__HOLDER_STATEMENT + 4; length++) {
        memset(text, 'x', sizeof text);
        memcpy(text + length, "\xc5\x91", 3); /* a letter of two bytes, and the end */
        lido__holder_describe(&entry, text, text);
        size_t left = strlen(entry.statement);
        assert_true(left < LIDO__HOLDER_STATEMENT);
        bool whole = length + 2 < LIDO__HOLDER_STATEMENT;
        assert_int_equal(left, whole                             ? length + 2
                               : length < LIDO__HOLDER_STATEMENT ? length
                                                                 : LIDO__HOLDER_STATEMENT - 1);
        assert_int_equal(strlen(entry.file), LIDO__HOLDER_FILE - 1);
        assert_string_equal(entry.file + LIDO__HOLDER_FILE - 1 - 2, "\xc5\x91"); /* its end is kept */
    }
}

static void test_those_who_held_longest_stay(void **state) {
    (void)state;
    lido__holders holders = {.count = 0};
    for (int64_t i = 0; i < 20; i++) {
        lido__holder_entry entry = entry_of(i * 7 % 20, "");
        lido__holders_add(&holders, &entry);
    }
    assert_int_equal(holders.count, LIDO__HOLDERS_MOST);
    for (size_t i = 0; i < holders.count; i++)
        assert_int_equal(holders.of[i].held_us, 19 - (int64_t)i);
}

static lido__holder_board board;

/* All entries of a writing say the same. */
static void *write_on(void *argument) {
    int64_t number = (int64_t)(intptr_t)argument;
    for (int round = 0; round < 5000; round++, number += 2) {
        char statement[32];
        lido__holders holders = {.count = 0};
        snprintf(statement, sizeof statement, "SELECT %lld", (long long)number);
        lido__holder_entry entry = entry_of(number, statement);
        for (int64_t i = 0; i < number % 5; i++)
            lido__holders_add(&holders, &entry);
        lido__holder_board_write(&board, &holders);
    }
    return NULL;
}

static void test_what_is_read_was_written_together(void **state) {
    (void)state;
    pthread_t writers[2];
    for (intptr_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_on, (void *)(i + 1)), 0);
    for (int round = 0; round < 5000; round++) {
        char statement[32];
        lido__holders holders = {.count = 0};
        lido__holder_board_read(&board, &holders);
        for (size_t i = 0; i < holders.count; i++) {
            assert_int_equal(holders.count, holders.of[i].held_us % 5);
            assert_int_equal(holders.of[i].line, holders.of[0].line);
            snprintf(statement, sizeof statement, "SELECT %lld", (long long)holders.of[0].line);
            assert_string_equal(holders.of[i].statement, statement);
        }
    }
    pthread_join(writers[0], NULL);
    pthread_join(writers[1], NULL);
}

/* Who was killed while it wrote has left a turn that is odd. */
static void test_a_board_that_was_left_half_written(void **state) {
    (void)state;
    lido__holders holders = {.count = 0};
    lido__holder_entry entry = entry_of(1, "SELECT 1");
    lido__holders_add(&holders, &entry);
    atomic_fetch_or(&board.turn, 1);
    lido__holder_board_write(&board, &holders); /* leaves it to the other */
    lido__holders read = {.count = 0};
    lido__holder_board_read(&board, &read);
    assert_int_equal(read.count, 0);
    lido__holder_board_clear(&board);
    lido__holder_board_read(&board, &read);
    assert_int_equal(read.count, 0);
    lido__holder_board_write(&board, &holders);
    lido__holder_board_read(&board, &read);
    assert_int_equal(read.count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_those_who_held_longest_stay),
        cmocka_unit_test(test_what_is_read_was_written_together),
        cmocka_unit_test(test_a_board_that_was_left_half_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
