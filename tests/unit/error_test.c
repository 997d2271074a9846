/* Errors: the first sticks, texts are cut with care, SQLSTATEs become categories, and a person can read the whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lido/error.h>
#include <lido/version.h>

#include "base/convert.h"
#include "base/fault.h"

static lido_error full_error(void) {
    lido_error error = LIDO_ERROR_INIT;
    lido__fault(&error, LIDO_ERROR_UNIQUE, "duplicate key value violates unique constraint \"%s\"", "items_name_key");
    lido__fault_doing(&error, "running a statement");
    lido__fault_hint(&error, "choose another name");
    lido__fault_field(error.sqlstate, sizeof error.sqlstate, "23505");
    lido__fault_field(error.database, sizeof error.database, "postgresql://me@localhost/items");
    lido__fault_field(error.statement, sizeof error.statement, "INSERT INTO items (name) VALUES ($1)");
    lido__fault_field(error.constraint, sizeof error.constraint, "items_name_key");
    lido__fault_field(error.table, sizeof error.table, "items");
    lido__fault_field(error.column, sizeof error.column, "name");
    error.file = "items.c";
    error.line = 42;
    return error;
}

static void assert_shown(const lido_error *error, const char *text) {
    char shown[4096];
    size_t length = lido_error_format(error, shown, sizeof shown);
    assert_string_equal(shown, text);
    assert_int_equal(length, strlen(text));
}

static void the_first_error_sticks(void **state) {
    (void)state;
    lido_error error = LIDO_ERROR_INIT;
    assert_false(lido__fault(&error, LIDO_ERROR_BUSY, "locked for %d ms", 50));
    assert_false(lido__fault(&error, LIDO_ERROR_OTHER, "a consequence"));
    assert_int_equal(error.status, LIDO_ERROR);
    assert_int_equal(error.category, LIDO_ERROR_BUSY);
    assert_true(error.retryable);
    assert_string_equal(error.message, "locked for 50 ms");
}

static void what_was_said_before_the_error_stays(void **state) {
    (void)state;
    lido_error error = LIDO_ERROR_INIT;
    lido__fault_doing(&error, "opening a connection");
    lido__fault_doing(&error, "cleaning up");
    lido__fault_memory(&error, "reading the URL");
    lido__fault_hint(&error, "free some %s", "memory");
    lido__fault_hint(&error, "something else");
    assert_int_equal(error.category, LIDO_ERROR_OUT_OF_MEMORY);
    assert_false(error.retryable);
    assert_string_equal(error.message, "memory ran out while reading the URL");
    assert_string_equal(error.doing, "opening a connection");
    assert_string_equal(error.hint, "free some memory");
}

static void a_cleared_error_takes_the_next_one(void **state) {
    (void)state;
    lido_error error = full_error();
    lido__fault_clear(&error);
    assert_shown(&error, "no error\n");
    lido__fault(&error, LIDO_ERROR_TIMEOUT, "too late");
    assert_shown(&error, "timeout\n  too late\n");
}

static void nobody_has_to_want_the_error(void **state) {
    (void)state;
    assert_false(lido__fault(NULL, LIDO_ERROR_OTHER, "unheard"));
    assert_false(lido__fault_memory(NULL, "listening"));
    lido__fault_hint(NULL, "unheard");
    lido__fault_doing(NULL, "unheard");
    lido__fault_clear(NULL);
}

static void a_long_text_is_cut_on_a_character_and_marked(void **state) {
    (void)state;
    char field[16];
    lido__fault_field(field, sizeof field, "fits in 15 byte");
    assert_string_equal(field, "fits in 15 byte");
    lido__fault_field(field, sizeof field, "does not fit in it");
    assert_string_equal(field, "does not fit…");
    lido__fault_field(field, sizeof field, "elevenbytesé, and more"); /* the é would be cut in two */
    assert_string_equal(field, "elevenbytes…");
    lido__fault_field(field, 3, "aé");
    assert_string_equal(field, "a");
    lido__fault_field(field, 0, "no room at all");
    assert_string_equal(field, "a");
    lido__fault_field(field, sizeof field, NULL);
    assert_string_equal(field, "");
}

static void long_messages_and_hints_are_cut_at_every_shift(void **state) {
    (void)state;
    char text[2000] = "";
    for (int shift = 0; shift < 4; shift++) {
        lido_error error = LIDO_ERROR_INIT;
        memset(text, 'x', (size_t)shift);
        for (size_t at = (size_t)shift; at + 4 < sizeof text; at += 4)
            memcpy(text + at, "😀", 5);
        lido__fault(&error, LIDO_ERROR_OTHER, "%s", text);
        lido__fault_hint(&error, "%s", text);
        assert_true(lido__utf8_valid(error.message, strlen(error.message)));
        assert_true(lido__utf8_valid(error.hint, strlen(error.hint)));
        assert_in_range(strlen(error.message), sizeof error.message - 4, sizeof error.message - 1);
        assert_string_equal(error.hint + strlen(error.hint) - 3, "…");
    }
}

static void a_message_that_cannot_be_written_is_empty(void **state) {
    (void)state;
    lido_error error = LIDO_ERROR_INIT;
    lido__fault(&error, LIDO_ERROR_OTHER, "before %ls", L"\u00e9"); /* a character that the C locale does not have */
    assert_int_equal(error.status, LIDO_ERROR);
    assert_string_equal(error.message, "");
}

static void a_full_error_reads_as_lines(void **state) {
    (void)state;
    lido_error error = full_error();
    assert_shown(&error, "items.c:42: unique violation (23505) while running a statement on "
                         "postgresql://me@localhost/items\n"
                         "  duplicate key value violates unique constraint \"items_name_key\"\n"
                         "  constraint items_name_key, table items, column name\n"
                         "  statement: INSERT INTO items (name) VALUES ($1)\n"
                         "  next: choose another name\n");
}

static void lines_without_content_are_left_out(void **state) {
    (void)state;
    lido_error error = LIDO_ERROR_INIT;
    lido__fault(&error, LIDO_ERROR_NOT_NULL, "NOT NULL constraint failed");
    lido__fault_field(error.column, sizeof error.column, "name");
    error.native_code = 1299;
    assert_shown(&error, "not-null violation (SQLite 1299)\n  NOT NULL constraint failed\n  column name\n");
    lido__fault_field(error.sqlstate, sizeof error.sqlstate, "23502");
    assert_shown(&error, "not-null violation (23502, SQLite 1299)\n  NOT NULL constraint failed\n  column name\n");
}

static void the_outcome_and_a_retry_are_told(void **state) {
    (void)state;
    lido_error error = LIDO_ERROR_INIT;
    lido__fault(&error, LIDO_ERROR_DEADLOCK, "deadlock detected");
    assert_shown(&error, "deadlock\n  deadlock detected\n  worth a retry\n");
    error.status = LIDO_ROLLED_BACK;
    assert_shown(&error, "deadlock\n  deadlock detected\n  rolled back, worth a retry\n");
    error.retryable = false;
    assert_shown(&error, "deadlock\n  deadlock detected\n  rolled back\n");
    lido_error left_early = LIDO_ERROR_INIT;
    left_early.status = LIDO_ROLLED_BACK;
    assert_shown(&left_early, "rolled back\n");
}

static void lines_of_a_text_are_indented_alike(void **state) {
    (void)state;
    lido_error error = LIDO_ERROR_INIT;
    lido__fault(&error, LIDO_ERROR_SYNTAX, "no such table\nDETAIL: none\n\n");
    lido__fault_field(error.statement, sizeof error.statement, "SELECT *\nFROM nowhere");
    assert_shown(&error, "syntax error or unknown name\n"
                         "  no such table\n"
                         "  DETAIL: none\n"
                         "  statement: SELECT *\n"
                         "  FROM nowhere\n");
}

static void any_buffer_will_do(void **state) {
    (void)state;
    lido_error error = full_error();
    lido__fault_field(error.hint, sizeof error.hint, "prüfe den Namen");
    char whole[1024];
    size_t length = lido_error_format(&error, whole, sizeof whole);
    assert_int_equal(lido_error_format(&error, NULL, 0), length);
    for (size_t size = 1; size <= length + 1; size++) {
        char *part = malloc(size); /* so that the sanitizer sees a byte too many */
        assert_non_null(part);
        assert_int_equal(lido_error_format(&error, part, size), length);
        assert_in_range(strlen(part), size < 2 ? 0 : size - 2, size - 1);
        assert_memory_equal(part, whole, strlen(part));
        assert_true(lido__utf8_valid(part, strlen(part)));
        free(part);
    }
}

static void printing_writes_the_same_text(void **state) {
    (void)state;
    lido_error error = full_error();
    char formatted[1024];
    char printed[1024] = "";
    lido_error_format(&error, formatted, sizeof formatted);
    FILE *stream = fmemopen(printed, sizeof printed, "w");
    assert_non_null(stream);
    lido_error_print(&error, stream);
    fclose(stream);
    assert_string_equal(printed, formatted);
}

static void sqlstates_become_categories(void **state) {
    (void)state;
    static const struct {
        const char *sqlstate;
        lido_category category;
    } expected[] = {
        {"23505", LIDO_ERROR_UNIQUE},
        {"23503", LIDO_ERROR_FOREIGN_KEY},
        {"23001", LIDO_ERROR_FOREIGN_KEY},
        {"23502", LIDO_ERROR_NOT_NULL},
        {"23514", LIDO_ERROR_CHECK},
        {"23P01", LIDO_ERROR_CHECK},
        {"44000", LIDO_ERROR_CHECK},
        {"40001", LIDO_ERROR_SERIALISATION},
        {"40P01", LIDO_ERROR_DEADLOCK},
        {"40002", LIDO_ERROR_OTHER},
        {"40003", LIDO_ERROR_UNKNOWN_OUTCOME},
        {"08007", LIDO_ERROR_UNKNOWN_OUTCOME},
        {"08006", LIDO_ERROR_DISCONNECTED},
        {"57P01", LIDO_ERROR_DISCONNECTED},
        {"57P05", LIDO_ERROR_DISCONNECTED},
        {"25P03", LIDO_ERROR_DISCONNECTED},
        {"53300", LIDO_ERROR_DISCONNECTED},
        {"57014", LIDO_ERROR_CANCELLED},
        {"55P03", LIDO_ERROR_BUSY},
        {"55000", LIDO_ERROR_OTHER},
        {"25006", LIDO_ERROR_READ_ONLY},
        {"25P02", LIDO_ERROR_OTHER},
        {"28P01", LIDO_ERROR_PERMISSION},
        {"42501", LIDO_ERROR_PERMISSION},
        {"22P02", LIDO_ERROR_TYPE},
        {"42804", LIDO_ERROR_TYPE},
        {"42846", LIDO_ERROR_TYPE},
        {"42601", LIDO_ERROR_SYNTAX},
        {"42P01", LIDO_ERROR_SYNTAX},
        {"3F000", LIDO_ERROR_SYNTAX},
        {"3D000", LIDO_ERROR_CONFIGURATION},
        {"26000", LIDO_ERROR_OTHER},
        {"53100", LIDO_ERROR_STORAGE},
        {"53200", LIDO_ERROR_STORAGE},
        {"58030", LIDO_ERROR_STORAGE},
        {"XX001", LIDO_ERROR_STORAGE},
        {"XX002", LIDO_ERROR_STORAGE},
        {"XX000", LIDO_ERROR_OTHER},
        {"00000", LIDO_ERROR_NONE},
        {"", LIDO_ERROR_OTHER},
        {"23", LIDO_ERROR_OTHER},
        {"235055", LIDO_ERROR_OTHER},
        {NULL, LIDO_ERROR_OTHER},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_string_equal(lido_category_name(lido__category_of_sqlstate(expected[i].sqlstate)),
                            lido_category_name(expected[i].category));
}

static void three_categories_are_worth_a_retry(void **state) {
    (void)state;
    int worth = 0;
    for (int category = LIDO_ERROR_NONE; category <= LIDO_ERROR_OTHER; category++)
        worth += lido__category_retryable((lido_category)category);
    assert_int_equal(worth, 3);
    assert_true(lido__category_retryable(LIDO_ERROR_SERIALISATION));
    assert_true(lido__category_retryable(LIDO_ERROR_DEADLOCK));
    assert_true(lido__category_retryable(LIDO_ERROR_BUSY));
}

static void every_category_and_status_has_a_name_of_its_own(void **state) {
    (void)state;
    for (int one = LIDO_ERROR_NONE; one <= LIDO_ERROR_OTHER; one++) {
        assert_non_null(lido_category_name((lido_category)one));
        for (int other = LIDO_ERROR_NONE; other < one; other++)
            assert_string_not_equal(lido_category_name((lido_category)one), lido_category_name((lido_category)other));
    }
    assert_string_equal(lido_category_name((lido_category)(LIDO_ERROR_OTHER + 1)), "not a category");
    assert_string_equal(lido_status_name(LIDO_OK), "ok");
    assert_string_equal(lido_status_name(LIDO_ROLLED_BACK), "rolled back");
    assert_string_equal(lido_status_name(LIDO_UNKNOWN), "unknown outcome");
    assert_string_equal(lido_status_name(LIDO_ERROR), "error");
    assert_string_equal(lido_status_name((lido_status)7), "not a status");
}

static void the_library_tells_its_version(void **state) {
    (void)state;
    char expected[32];
    snprintf(expected, sizeof expected, "%d.%d.%d", LIDO_VERSION_MAJOR, LIDO_VERSION_MINOR, LIDO_VERSION_PATCH);
    assert_string_equal(lido_version(), expected);
}

static void a_row_is_told_once_and_only_of_what_it_holds(void **state) {
    (void)state;
    lido_error error = LIDO_ERROR_INIT;
    lido__fault(&error, LIDO_ERROR_UNIQUE, "it is there already");
    lido__fault_row(&error, 0);
    assert_string_equal(error.message, "it is there already");
    lido__fault_row(&error, 17);
    lido__fault_row(&error, 18);
    assert_int_equal(error.row, 17);
    assert_string_equal(error.message, "row 17: it is there already");
    lido__fault_clear(&error);
    assert_int_equal(error.row, 0);
    lido__fault(&error, LIDO_ERROR_DISCONNECTED, "nobody is there");
    lido__fault_row(&error, 17);
    assert_int_equal(error.row, 0);
    assert_string_equal(error.message, "nobody is there");
    lido__fault_clear(&error);
    lido__fault(&error, LIDO_ERROR_OTHER, "%0600d", 1);
    lido__fault_row(&error, INT64_MAX);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_told_once_and_only_of_what_it_holds),
        cmocka_unit_test(the_first_error_sticks),
        cmocka_unit_test(what_was_said_before_the_error_stays),
        cmocka_unit_test(a_cleared_error_takes_the_next_one),
        cmocka_unit_test(nobody_has_to_want_the_error),
        cmocka_unit_test(a_long_text_is_cut_on_a_character_and_marked),
        cmocka_unit_test(long_messages_and_hints_are_cut_at_every_shift),
        cmocka_unit_test(a_message_that_cannot_be_written_is_empty),
        cmocka_unit_test(a_full_error_reads_as_lines),
        cmocka_unit_test(lines_without_content_are_left_out),
        cmocka_unit_test(the_outcome_and_a_retry_are_told),
        cmocka_unit_test(lines_of_a_text_are_indented_alike),
        cmocka_unit_test(any_buffer_will_do),
        cmocka_unit_test(printing_writes_the_same_text),
        cmocka_unit_test(sqlstates_become_categories),
        cmocka_unit_test(three_categories_are_worth_a_retry),
        cmocka_unit_test(every_category_and_status_has_a_name_of_its_own),
        cmocka_unit_test(the_library_tells_its_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
