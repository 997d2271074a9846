/* SQL types from C types, and different names of one type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/sql_type.h"

static void every_c_type_has_its_sql_type(void **state) {
    (void)state;
    static const char *const expected[] = {
        "boolean", "integer",     "integer", "integer", "integer", "integer",          "bigint",
        "bigint",  "bigint",      "bigint",  "bigint",  "real",    "double precision", "text",
        "uuid",    "timestamptz", "bytea",   "jsonb",   "numeric"};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_string_equal(lido__sql_type((lido_target_kind)i, LIDO__POSTGRESQL), expected[i]);
    assert_string_equal(lido__sql_type(LIDO_TARGET_BYTES, LIDO__SQLITE), "blob");
    assert_string_equal(lido__sql_type(LIDO_TARGET_JSON, LIDO__SQLITE), "json text");
    assert_string_equal(lido__sql_type(LIDO_TARGET_NULLABLE + LIDO_TARGET_INT, LIDO__SQLITE), "integer");
}

static void what_no_column_has_has_none(void **state) {
    (void)state;
    assert_null(lido__sql_type(LIDO_TARGET_VALUE, LIDO__SQLITE));
    assert_null(lido__sql_type(LIDO_TARGET_NULLABLE + LIDO_TARGET_TEXT, LIDO__SQLITE));
    assert_null(lido__sql_type((lido_target_kind)99, LIDO__POSTGRESQL));
}

static void a_part_may_say_its_own(void **state) {
    (void)state;
    const lido_part part = {.kind = LIDO_TARGET_TEXT, .type = "varchar(20)"};
    assert_string_equal(lido__part_sql_type(&part, LIDO__POSTGRESQL), "varchar(20)");
}

static void one_type_has_many_names(void **state) {
    (void)state;
    static const char *const same[][2] = {
        {"integer", "INTEGER"},
        {"int4", "integer"},
        {"int8", "bigint"},
        {"varchar(20)", "character varying(20)"},
        {"VARCHAR ( 20 )", "character  varying(20)"},
        {"timestamptz", "timestamp with time zone"},
        {"timestamptz(3)", "timestamp(3) with time zone"},
        {"timestamp", "timestamp without time zone"},
        {"numeric(10, 2)", "decimal(10,2)"},
        {"numeric(10)", "numeric(10,0)"},
        {"numeric(5)", "numeric(5,0)"},
        {"char", "character(1)"},
        {"int[]", "integer[]"},
        {"float", "double precision"},
        {" text ", "text"},
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        assert_true(lido__sql_type_is_same(same[i][0], same[i][1]));
        assert_true(lido__sql_type_is_same(same[i][1], same[i][0]));
    }
}

static void other_types_are_others(void **state) {
    (void)state;
    static const char *const different[][2] = {
        {"integer", "bigint"},          {"varchar(20)", "varchar(21)"},
        {"varchar", "varchar(20)"},     {"numeric", "numeric(10,0)"},
        {"timestamp", "timestamptz"},   {"int", "int[]"},
        {"double precision", "double"}, {"text", ""},
    };
    for (size_t i = 0; i < sizeof different / sizeof different[0]; i++)
        assert_false(lido__sql_type_is_same(different[i][0], different[i][1]));
}

static void a_name_of_any_length_is_compared(void **state) {
    (void)state;
    char one[1000];
    char other[1000];
    memset(one, 'x', sizeof one);
    memset(other, 'x', sizeof other);
    one[999] = other[999] = '\0';
    assert_true(lido__sql_type_is_same(one, other));
    other[998] = 'y';
    assert_false(lido__sql_type_is_same(one, other));
    memset(one, '(', 999);
    assert_false(lido__sql_type_is_same(one, other));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_c_type_has_its_sql_type), cmocka_unit_test(what_no_column_has_has_none),
        cmocka_unit_test(a_part_may_say_its_own),        cmocka_unit_test(one_type_has_many_names),
        cmocka_unit_test(other_types_are_others),        cmocka_unit_test(a_name_of_any_length_is_compared),
    };
    return cmocka_run_group_tests_name("sql_type", tests, NULL, NULL);
}
