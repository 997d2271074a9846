/* Names of tables and columns on their way into SQL: as SQL reads them, and never more than names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sql/identifier.h"

static void check(const char *name, bool dotted, const char *quoted, const char *bare, const char *problem) {
    lido__buffer quoted_found = LIDO__BUFFER_INIT;
    lido__buffer bare_found = LIDO__BUFFER_INIT;
    const char *found = lido__identifier_quote(name, dotted, &quoted_found, &bare_found);
    if (problem != NULL) {
        assert_non_null(found);
        assert_string_equal(found, problem);
    } else {
        assert_null(found);
        assert_string_equal(lido__buffer_string(&quoted_found), quoted);
        assert_string_equal(lido__buffer_string(&bare_found), bare);
    }
    lido__buffer_done(&quoted_found);
    lido__buffer_done(&bare_found);
}

static void is_quoted(const char *name, const char *quoted, const char *bare) {
    check(name, true, quoted, bare, NULL);
}

static void is_refused(const char *name, const char *problem) {
    check(name, true, NULL, NULL, problem);
}

static void plain_names_fold(void **state) {
    (void)state;
    is_quoted("items", "\"items\"", "items");
    is_quoted("Items_2", "\"items_2\"", "items_2");
    is_quoted("order", "\"order\"", "order");
    is_quoted("ÄPFEL", "\"Äpfel\"", "Äpfel");
}

static void quoted_names_do_not(void **state) {
    (void)state;
    is_quoted("\"Items\"", "\"Items\"", "Items");
    is_quoted("\"say \"\"no\"\"\"", "\"say \"\"no\"\"\"", "say \"no\"");
    is_quoted("\"\"\"\"", "\"\"\"\"", "\"");
    is_quoted("\"a.b\"", "\"a.b\"", "a.b");
}

static void dots_divide_tables_names(void **state) {
    (void)state;
    is_quoted("Shop.Items", "\"shop\".\"items\"", "items");
    is_quoted("\"My Shop\".items", "\"My Shop\".\"items\"", "items");
    is_quoted("db.shop.\"Items\"", "\"db\".\"shop\".\"Items\"", "Items");
}

static void dots_in_columns_names_are_a_part_of_them(void **state) {
    (void)state;
    check("a.B", false, "\"a.b\"", "a.b", NULL);
    check("\"a\".b", false, NULL, NULL, "goes on behind its closing quote");
}

static void what_is_more_than_a_name_stays_one(void **state) {
    (void)state;
    is_quoted("items; DROP TABLE items; --", "\"items; drop table items; --\"", "items; drop table items; --");
    is_quoted("items (id) VALUES (1)", "\"items (id) values (1)\"", "items (id) values (1)");
    is_quoted("a'b$1?:c", "\"a'b$1?:c\"", "a'b$1?:c");
}

static void what_is_no_name_is_refused(void **state) {
    (void)state;
    is_refused("", "is empty");
    is_refused("\"\"", "is empty");
    is_refused(".", "is empty");
    is_refused("shop.", "is empty");
    is_refused(".items", "is empty");
    is_refused("shop..items", "is empty");
    is_refused("it\"ems", "has a double quote without its like");
    is_refused("\"items", "has a double quote without its like");
    is_refused("\"items\"\"", "has a double quote without its like");
    is_refused("\"items\" ", "goes on behind its closing quote");
    is_refused("\"items\"x.y", "goes on behind its closing quote");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_names_fold),
        cmocka_unit_test(quoted_names_do_not),
        cmocka_unit_test(dots_divide_tables_names),
        cmocka_unit_test(dots_in_columns_names_are_a_part_of_them),
        cmocka_unit_test(what_is_more_than_a_name_stays_one),
        cmocka_unit_test(what_is_no_name_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
