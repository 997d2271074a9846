/* Bytes in memory that grow like a file: compared with an array that is large enough from the start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/sqlite/memory_file.h"

enum { CHUNK = LIDO__MEMORY_CHUNK, MOST = 40 * CHUNK };

static lido__memory_file file;
static unsigned char *expected; /* zeros behind `expected_size` */
static size_t expected_size;

static int set_up(void **state) {
    (void)state;
    expected = calloc(1, MOST);
    expected_size = 0;
    return expected == NULL;
}

static int tear_down(void **state) {
    (void)state;
    free(expected);
    lido__memory_file_done(&file);
    return 0;
}

static void write_both(size_t offset, size_t amount, unsigned seed) {
    unsigned char *data = malloc(amount);
    assert_non_null(data);
    for (size_t i = 0; i < amount; i++)
        data[i] = (unsigned char)(seed + i * 7 + i / 251);
    assert_int_equal(lido__memory_file_write(&file, data, amount, (sqlite3_int64)offset), SQLITE_OK);
    memcpy(expected + offset, data, amount);
    expected_size = offset + amount > expected_size ? offset + amount : expected_size;
    free(data);
}

static void truncate_both(size_t size) {
    lido__memory_file_truncate(&file, (sqlite3_int64)size);
    if (size < expected_size) {
        memset(expected + size, 0, expected_size - size);
        expected_size = size;
    }
}

static void compare(size_t offset, size_t amount) {
    unsigned char *found = malloc(amount + 1);
    assert_non_null(found);
    memset(found, 0xaa, amount + 1);
    int code = lido__memory_file_read(&file, found, amount, (sqlite3_int64)offset);
    assert_int_equal(code, offset + amount <= expected_size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ);
    assert_memory_equal(found, expected + offset, amount);
    assert_int_equal(found[amount], 0xaa);
    free(found);
}

static void compare_all(void) {
    assert_int_equal(lido__memory_file_size(&file), expected_size);
    compare(0, expected_size);
    compare(0, MOST);
}

static void a_new_file_is_empty(void **state) {
    (void)state;
    compare_all();
    compare(5, 10);
    truncate_both(0);
    truncate_both(100); /* cutting does not lengthen */
    compare_all();
}

static void what_is_written_is_read_across_chunks(void **state) {
    (void)state;
    write_both(0, 10, 1);
    write_both(CHUNK - 3, 6, 2);
    write_both(2 * CHUNK - 1, CHUNK + 2, 3);
    write_both(7, 20 * CHUNK, 4); /* into the second table of chunks */
    compare_all();
    compare(CHUNK - 1, 2);
    compare(3 * CHUNK, CHUNK);
}

static void a_gap_reads_as_zeros(void **state) {
    (void)state;
    write_both(5 * CHUNK + 5, 5, 1);
    compare_all();
}

static void what_was_cut_off_does_not_come_back(void **state) {
    (void)state;
    write_both(0, 3 * CHUNK, 1);
    truncate_both(CHUNK + 10);
    compare_all();
    write_both(CHUNK + 100, 10, 2);
    write_both(3 * CHUNK, 10, 3);
    compare_all();
    truncate_both(CHUNK);
    compare_all();
    assert_int_equal(file.chunks, 1);
    truncate_both(0);
    assert_int_equal(file.chunks, 0);
}

/* Readers hold no lock: a chunk stays where it is, however the file grows. */
static void growing_moves_nothing(void **state) {
    (void)state;
    write_both(0, 1, 1);
    const char *first = file.tables[0][0];
    write_both(1, 39 * CHUNK, 2);
    assert_ptr_equal(file.tables[0][0], first);
}

static void too_long_a_file_is_refused_and_nothing_is_written(void **state) {
    (void)state;
    write_both(0, 10, 1);
    assert_int_equal(lido__memory_file_write(&file, "x", 1, INT64_MAX - CHUNK), SQLITE_FULL);
    compare_all();
    assert_int_equal(file.chunks, 1);
}

static void any_order_of_writing_and_cutting(void **state) {
    (void)state;
    unsigned random = 1;
    for (int i = 0; i < 300; i++) {
        random = random * 1103515245 + 12345;
        size_t offset = (random >> 4) % (MOST / 2);
        size_t amount = 1 + (random >> 8) % (2 * CHUNK);
        if (random / 65536 % 4 == 0)
            truncate_both(offset);
        else
            write_both(offset, amount, random);
        compare(offset, amount);
    }
    compare_all();
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_is_empty),
        TEST(what_is_written_is_read_across_chunks),
        TEST(a_gap_reads_as_zeros),
        TEST(what_was_cut_off_does_not_come_back),
        TEST(growing_moves_nothing),
        TEST(too_long_a_file_is_refused_and_nothing_is_written),
        TEST(any_order_of_writing_and_cutting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
