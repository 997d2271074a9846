/* The macros that turn arguments into arrays: each value by its own type, one to sixty-four of them, and in their
 * order. What can be known at compile time is checked there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <lido.h>
#include <cmocka.h>

/* ---- What the compiler decides ---- */

#define IS_MADE_BY(maker_argument, value) \
    _Static_assert(_Generic(LIDO_VALUE_MAKER(value), lido_value(*)(maker_argument) : 1, default : 0), \
                   #value " is made into a value by another function")

enum colour { RED, GREEN };

struct everything {
    bool a_bool;
    const int a_constant;
    volatile long a_volatile;
    char an_array[8];
    enum colour an_enumeration;
    const char *a_text;
    lido_value a_value;
};

static struct everything all = {.a_constant = 1, .an_array = "array", .an_enumeration = GREEN};

IS_MADE_BY(bool, all.a_bool);
IS_MADE_BY(bool, (bool)1);
IS_MADE_BY(int64_t, (signed char)1);
IS_MADE_BY(int64_t, (short)1);
IS_MADE_BY(int64_t, 1);
IS_MADE_BY(int64_t, 1L);
IS_MADE_BY(int64_t, 1LL);
IS_MADE_BY(int64_t, (int8_t)1);
IS_MADE_BY(int64_t, (int64_t)1);
IS_MADE_BY(int64_t, (ptrdiff_t)1);
IS_MADE_BY(int64_t, GREEN);
IS_MADE_BY(int64_t, 'x'); /* an int, in C */
IS_MADE_BY(int64_t, 1 == 1);
IS_MADE_BY(int64_t, all.a_constant);
IS_MADE_BY(int64_t, all.a_volatile);
IS_MADE_BY(uint64_t, (unsigned char)1);
IS_MADE_BY(uint64_t, (unsigned short)1);
IS_MADE_BY(uint64_t, 1U);
IS_MADE_BY(uint64_t, 1UL);
IS_MADE_BY(uint64_t, 1ULL);
IS_MADE_BY(uint64_t, sizeof(int));
IS_MADE_BY(uint64_t, (uint64_t)1);
IS_MADE_BY(double, 1.0F);
IS_MADE_BY(double, 1.0);
IS_MADE_BY(const char *, "a literal");
IS_MADE_BY(const char *, all.an_array);
IS_MADE_BY(const char *, all.a_text);
IS_MADE_BY(const void *, NULL);
IS_MADE_BY(const void *, (const void *)&all);
IS_MADE_BY(lido_uuid, (lido_uuid){{0}});
IS_MADE_BY(lido_time, (lido_time){0});
IS_MADE_BY(lido_bytes, lido_blob("", 0));
IS_MADE_BY(lido_json, (lido_json){"{}"});
IS_MADE_BY(lido_numeric, (lido_numeric){"1.5"});
IS_MADE_BY(lido_value, all.a_value);
IS_MADE_BY(lido_value, lido_null);
IS_MADE_BY(lido_value, LIDO_AS("name", 1));

#define EIGHT(x) x, x, x, x, x, x, x, x
#define SIXTY_FOUR(x) EIGHT(x), EIGHT(x), EIGHT(x), EIGHT(x), EIGHT(x), EIGHT(x), EIGHT(x), EIGHT(x)

_Static_assert(LIDO_COUNT(a) == 1, "one argument");
_Static_assert(LIDO_COUNT(a, b) == 2, "two arguments");
_Static_assert(LIDO_COUNT(EIGHT(a)) == 8, "eight arguments");
_Static_assert(LIDO_COUNT(SIXTY_FOUR(a)) == 64, "as many values as a statement takes");
_Static_assert(LIDO_COUNT(sql, SIXTY_FOUR(a)) == 65, "and the SQL in front of them");
_Static_assert(LIDO_COUNT((a, b), (lido_uuid){{1}}) == 2, "commas within parentheses do not count");

/* ---- What a function is given ---- */

static const char *taken_sql;
static size_t taken_count;
static lido_value taken[80];

static void take(const char *sql, size_t count, const lido_value *values) {
    taken_sql = sql;
    taken_count = count;
    assert_true(count > 0 ? values != NULL : values == NULL);
    for (size_t i = 0; i < count; i++)
        taken[i] = values[i];
}

#define TAKE(...) take(LIDO_ARGUMENTS(__VA_ARGS__))

static void sql_alone_has_no_values(void **state) {
    (void)state;
    TAKE("SELECT 1");
    assert_string_equal(taken_sql, "SELECT 1");
    assert_int_equal(taken_count, 0);
}

static void values_keep_their_order_and_kinds(void **state) {
    (void)state;
    TAKE("SELECT ?", (bool)1, 2, 3U, 4.5, "five", NULL, lido_null, lido_blob("\1\2", 2));
    static const lido_kind kinds[] = {LIDO_KIND_BOOL, LIDO_KIND_INT64, LIDO_KIND_INT64, LIDO_KIND_DOUBLE,
                                      LIDO_KIND_TEXT, LIDO_KIND_NULL,  LIDO_KIND_NULL,  LIDO_KIND_BLOB};
    assert_int_equal(taken_count, sizeof kinds / sizeof kinds[0]);
    for (size_t i = 0; i < taken_count; i++)
        assert_int_equal(taken[i].kind, kinds[i]);
    assert_true(taken[0].as.boolean);
    assert_int_equal(taken[1].as.integer, 2);
    assert_int_equal(taken[2].as.integer, 3);
    assert_true(taken[3].as.real == 4.5);
    assert_string_equal(taken[4].as.text, "five");
    assert_int_equal(taken[4].size, 4);
    assert_int_equal(taken[7].size, 2);
}

static int calls;

static int count_call(void) {
    return calls++;
}

static void sixty_four_values_all_arrive(void **state) {
    (void)state;
    calls = 0;
    TAKE("SELECT ?", SIXTY_FOUR(count_call()));
    assert_int_equal(taken_count, 64);
    /* An initialiser's elements may be evaluated in any order, but each of them once. */
    bool seen[64] = {false};
    for (size_t i = 0; i < taken_count; i++) {
        assert_in_range(taken[i].as.integer, 0, 63);
        assert_false(seen[taken[i].as.integer]);
        seen[taken[i].as.integer] = true;
    }
    assert_int_equal(calls, 64);
}

static void every_number_of_values_keeps_its_order(void **state) {
    (void)state;
    TAKE("", 1);
    assert_int_equal(taken[0].as.integer, 1);
    TAKE("", 1, 2);
    assert_int_equal(taken[1].as.integer, 2);
    TAKE("", EIGHT(0), 9);
    assert_int_equal(taken_count, 9);
    assert_int_equal(taken[8].as.integer, 9);
    TAKE("", 1, EIGHT(0), EIGHT(0), EIGHT(0), EIGHT(0), EIGHT(0), EIGHT(0), EIGHT(0), 2, 3, 4, 5, 6, 7, 8);
    assert_int_equal(taken_count, 64);
    assert_int_equal(taken[0].as.integer, 1);
    assert_int_equal(taken[57].as.integer, 2);
    assert_int_equal(taken[63].as.integer, 8);
}

static void an_argument_is_evaluated_once(void **state) {
    (void)state;
    int counter = 0;
    TAKE("SELECT ?", ++counter);
    assert_int_equal(counter, 1);
    assert_int_equal(taken[0].as.integer, 1);
}

static void the_borders_of_integers_arrive_whole(void **state) {
    (void)state;
    TAKE("", INT64_MIN, INT64_MAX, (signed char)-128, UINT32_MAX, (uint64_t)INT64_MAX, UINT64_MAX);
    assert_true(taken[0].as.integer == INT64_MIN);
    assert_true(taken[1].as.integer == INT64_MAX);
    assert_int_equal(taken[2].as.integer, -128);
    assert_true(taken[3].as.integer == UINT32_MAX);
    assert_int_equal(taken[4].kind, LIDO_KIND_INT64);
    assert_int_equal(taken[5].kind, LIDO_KIND_INVALID); /* no SQL integer holds it: refused rather than wrapped */
}

static void a_null_pointer_is_null_whatever_it_would_point_to(void **state) {
    (void)state;
    TAKE("", (char *)NULL, (const char *)NULL, (void *)NULL, (lido_json){NULL}, (lido_numeric){NULL});
    for (size_t i = 0; i < taken_count; i++)
        assert_int_equal(taken[i].kind, LIDO_KIND_NULL);
}

static void an_untyped_pointer_is_refused(void **state) {
    (void)state;
    TAKE("", (const void *)&all);
    assert_int_equal(taken[0].kind, LIDO_KIND_INVALID);
    assert_non_null(strstr(taken[0].as.text, "lido_bytes"));
}

static void an_empty_blob_is_not_null(void **state) {
    (void)state;
    TAKE("", lido_blob(NULL, 0), lido_blob("", 0));
    for (size_t i = 0; i < taken_count; i++) {
        assert_int_equal(taken[i].kind, LIDO_KIND_BLOB);
        assert_int_equal(taken[i].size, 0);
        assert_non_null(taken[i].as.blob);
    }
}

static void a_named_value_keeps_its_type(void **state) {
    (void)state;
    TAKE("SELECT :most", LIDO_AS("most", 20), LIDO_AS("name", "lamp"), 3);
    assert_string_equal(taken[0].name, "most");
    assert_int_equal(taken[0].as.integer, 20);
    assert_string_equal(taken[1].name, "name");
    assert_string_equal(taken[1].as.text, "lamp");
    assert_null(taken[2].name);
}

static void a_value_is_passed_as_it_is(void **state) {
    (void)state;
    lido_value value = lido_value_text_sized("lamps", 4);
    TAKE("", value, LIDO_VALUE(LIDO_VALUE(7)));
    assert_int_equal(taken[0].size, 4);
    assert_int_equal(taken[1].as.integer, 7);
}

/* ---- Targets ---- */

static size_t aimed_count;
static lido_target aimed[80];

static void aim(size_t count, const lido_target *targets) {
    aimed_count = count;
    for (size_t i = 0; i < count; i++)
        aimed[i] = targets[i];
}

#define AIM(...) aim(LIDO_COUNT(__VA_ARGS__), (const lido_target[]){LIDO_MAP(LIDO_TARGET, __VA_ARGS__)})

static void a_target_is_its_pointer_and_its_type(void **state) {
    (void)state;
    int number = 0;
    const char *text = NULL;
    AIM(&number, &text);
    assert_int_equal(aimed_count, 2);
    assert_int_equal(aimed[0].kind, LIDO_TARGET_INT);
    assert_ptr_equal(aimed[0].pointer, &number);
    assert_int_equal(aimed[1].kind, LIDO_TARGET_TEXT);
    assert_ptr_equal(aimed[1].pointer, &text);
}

static void every_type_of_target_has_its_kind(void **state) {
    (void)state;
    AIM((bool *)NULL, (signed char *)NULL, (unsigned char *)NULL, (short *)NULL, (unsigned short *)NULL, (int *)NULL,
        (unsigned *)NULL, (long *)NULL, (unsigned long *)NULL, (long long *)NULL, (unsigned long long *)NULL,
        (float *)NULL, (double *)NULL, (const char **)NULL, (lido_uuid *)NULL, (lido_time *)NULL, (lido_bytes *)NULL,
        (lido_json *)NULL, (lido_numeric *)NULL, (lido_value *)NULL);
    assert_int_equal(aimed_count, LIDO_TARGET_VALUE + 1);
    for (size_t i = 0; i < aimed_count; i++)
        assert_int_equal(aimed[i].kind, i); /* in the order in which lido_target_kind lists them */
}

static void types_of_a_certain_width_are_targets_too(void **state) {
    (void)state;
    AIM((int16_t *)NULL, (uint16_t *)NULL, (int32_t *)NULL, (uint32_t *)NULL, (int64_t *)NULL, (uint64_t *)NULL,
        (size_t *)NULL, (int8_t *)NULL, (uint8_t *)NULL);
    assert_int_equal(aimed[0].kind, LIDO_TARGET_SHORT);
    assert_int_equal(aimed[3].kind, LIDO_TARGET_UNSIGNED);
    assert_true(aimed[4].kind == LIDO_TARGET_LONG || aimed[4].kind == LIDO_TARGET_LONG_LONG);
    assert_true(aimed[6].kind == LIDO_TARGET_UNSIGNED || aimed[6].kind == LIDO_TARGET_UNSIGNED_LONG);
    assert_int_equal(aimed[7].kind, LIDO_TARGET_SIGNED_CHAR);
    assert_int_equal(aimed[8].kind, LIDO_TARGET_UNSIGNED_CHAR);
}

static void sixty_four_targets_all_arrive(void **state) {
    (void)state;
    int numbers[64];
    calls = 0;
    AIM(SIXTY_FOUR(&numbers[count_call()]));
    assert_int_equal(aimed_count, 64);
    assert_int_equal(calls, 64);
    for (size_t i = 0; i < aimed_count; i++)
        assert_in_range(aimed[i].pointer, &numbers[0], &numbers[63]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sql_alone_has_no_values),
        cmocka_unit_test(values_keep_their_order_and_kinds),
        cmocka_unit_test(sixty_four_values_all_arrive),
        cmocka_unit_test(every_number_of_values_keeps_its_order),
        cmocka_unit_test(an_argument_is_evaluated_once),
        cmocka_unit_test(the_borders_of_integers_arrive_whole),
        cmocka_unit_test(a_null_pointer_is_null_whatever_it_would_point_to),
        cmocka_unit_test(an_untyped_pointer_is_refused),
        cmocka_unit_test(an_empty_blob_is_not_null),
        cmocka_unit_test(a_named_value_keeps_its_type),
        cmocka_unit_test(a_value_is_passed_as_it_is),
        cmocka_unit_test(a_target_is_its_pointer_and_its_type),
        cmocka_unit_test(every_type_of_target_has_its_kind),
        cmocka_unit_test(types_of_a_certain_width_are_targets_too),
        cmocka_unit_test(sixty_four_targets_all_arrive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
