/* Names of constraints: PostgreSQL's own as long as they fit, and else cut, never the same for two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <lido.h>
#include <cmocka.h>

#include "model/naming.h"

#define LONG_WORD "a_column_whose_name_leaves_hardly_any_room"

static const lido__column name_column = {.name = "name"};
static const lido__column long_column = {.name = LONG_WORD};
static const lido__column accented_column = {.name = "ééééééééééééééééééééé"};

static void is_called(const char *table, size_t count, const lido__column *const *columns, const char *what,
                      const char *expected) {
    const lido__plan plan = {.table_name = table};
    lido__buffer name = LIDO__BUFFER_INIT;
    lido__name_constraint(&name, &plan, count, columns, what);
    assert_string_equal(lido__buffer_string(&name), expected);
    assert_true(name.size <= LIDO__NAME_BYTES_MOST);
    lido__buffer_done(&name);
}

static void short_names_are_whole(void **state) {
    (void)state;
    const lido__column *columns[] = {&name_column, &name_column};
    is_called("items", 0, NULL, "pkey", "items_pkey");
    is_called("items", 1, columns, "key", "items_name_key");
    is_called("items", 2, columns, "idx", "items_name_name_idx");
    is_called("Item tags", 1, columns, "fkey", "Item tags_name_fkey");
}

static void names_up_to_the_last_byte_are_whole(void **state) {
    (void)state;
    const lido__column *columns[] = {&long_column};
    is_called("a_table_5678901", 1, columns, "fkey", "a_table_5678901_" LONG_WORD "_fkey"); /* 63 bytes */
    is_called("a_table_56789012", 1, columns, "fkey",
              "a_table_56789012_a_column_whose_name_leaves_hardl_dad6a3c9_fkey");
}

static void long_names_differ_by_what_was_cut(void **state) {
    (void)state;
    const lido__column *one[] = {&long_column, &name_column};
    const lido__column *other[] = {&long_column, &long_column};
    is_called("a_table_that", 2, one, "key", "a_table_that_a_column_whose_name_leaves_hardly_any_832b5652_key");
    is_called("a_table_that", 2, other, "key", "a_table_that_a_column_whose_name_leaves_hardly_any_3820db13_key");
}

static void characters_are_not_cut_in_two(void **state) {
    (void)state;
    const lido__column *columns[] = {&accented_column, &name_column};
    is_called("a_table_name_19_byt", 2, columns, "key", "a_table_name_19_byt_ééééééééééééééé_6b661297_key");
    is_called("a_table_name_of_20_b", 2, columns, "key", "a_table_name_of_20_b_éééééééééééééé_86ca25bc_key");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_names_are_whole),
        cmocka_unit_test(names_up_to_the_last_byte_are_whole),
        cmocka_unit_test(long_names_differ_by_what_was_cut),
        cmocka_unit_test(characters_are_not_cut_in_two),
    };
    return cmocka_run_group_tests_name("naming", tests, NULL, NULL);
}
