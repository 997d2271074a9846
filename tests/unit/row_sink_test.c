/* Row sinks: texts of every length, with a NUL anywhere; rows that are skipped after their key, and rows that are
 * refused. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <setjmp.h>

#include <cmocka.h>

#include "base/row_sink.h"

typedef struct thing {
    int64_t id;
    const char *name;
    int size;
} thing;

static const lido__row_member members[] = {
    {.kind = LIDO_TARGET_LONG_LONG, .offset = offsetof(thing, id)},
    {.kind = LIDO_TARGET_TEXT, .may_be_null = true, .offset = offsetof(thing, name)},
    {.kind = LIDO_TARGET_INT, .offset = offsetof(thing, size)}};

typedef struct things {
    lido__row_sink sink; /* first: it is handed back */
    thing thing;
    lido__arena memory;
    int completed;
} things;

/* Nobody wants odd ones, and 100 is too many. */
static lido__row_wish keyed(lido__row_sink *sink) {
    int64_t id = ((things *)sink)->thing.id;
    if (id == 100)
        return LIDO__ROW_REFUSED;
    return id % 2 == 0 ? LIDO__ROW_WANTED : LIDO__ROW_SKIPPED;
}

static bool complete(lido__row_sink *sink) {
    ((things *)sink)->completed++;
    return true;
}

static void begin(things *made) {
    *made = (things){.completed = 0};
    made->sink = (lido__row_sink){.count = 3,
                                  .members = members,
                                  .key_count = 1,
                                  .object = &made->thing,
                                  .memory = &made->memory,
                                  .keyed = keyed,
                                  .complete = complete};
}

static void texts_of_every_length(void **state) {
    (void)state;
    char text[100];
    memset(text, 'x', sizeof text);
    for (size_t size = 0; size < sizeof text; size++) {
        things made;
        begin(&made);
        text[size] = '\0';
        assert_true(lido__row_sink_put_text(&made.sink, 1, text, size));
        assert_string_equal(made.thing.name, text);
        text[size] = 'x';
        lido__arena_done(&made.memory);
    }
}

static void a_nul_anywhere_is_refused(void **state) {
    (void)state;
    for (size_t size = 1; size < 80; size++)
        for (size_t at = 0; at < size; at++) {
            char text[80];
            things made;
            begin(&made);
            memset(text, at % 2 == 0 ? 1 : 0x80, size); /* what one that adds and masks might take for a NUL */
            text[at] = '\0';
            assert_false(lido__row_sink_put_text(&made.sink, 1, text, size));
            assert_true(made.sink.refused);
            assert_ptr_equal(made.sink.why, lido__row_sink_has_nul);
            assert_int_equal(made.sink.column, 1);
            lido__arena_done(&made.memory);
        }
}

static void no_other_byte_is_a_nul(void **state) {
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        char text[24];
        things made;
        begin(&made);
        memset(text, byte, sizeof text);
        assert_true(lido__row_sink_put_text(&made.sink, 1, text, sizeof text));
        lido__arena_done(&made.memory);
    }
}

static void the_key_tells_whether_the_rest_is_read(void **state) {
    (void)state;
    things made;
    begin(&made);
    const lido_value wanted[] = {lido_value_int64(2), lido_value_text("two"), lido_value_int64(22)};
    const lido_value skipped[] = {lido_value_int64(3), lido_value_text("three"), lido_value_text("no number")};
    const lido_value wrong[] = {lido_value_int64(4), lido_value_null(), lido_value_text("no number")};
    const lido_value none[] = {lido_value_int64(6), lido_value_null(), lido_value_null()};
    const lido_value refused[] = {lido_value_int64(100), lido_value_null(), lido_value_int64(1)};
    assert_true(lido__row_sink_take_row(&made.sink, wanted));
    assert_int_equal(made.thing.size, 22);
    assert_true(lido__row_sink_take_row(&made.sink, skipped));
    assert_string_equal(made.thing.name, "two");
    assert_int_equal(made.completed, 1);
    assert_false(lido__row_sink_take_row(&made.sink, wrong));
    assert_int_equal(made.sink.column, 2);
    assert_string_equal(made.sink.why, "is not a number");
    assert_false(lido__row_sink_take_row(&made.sink, none));
    assert_string_equal(made.sink.why, "is NULL, which the model does not allow");
    made.sink.why = NULL;
    assert_false(lido__row_sink_take_row(&made.sink, refused));
    assert_true(made.sink.refused);
    assert_null(made.sink.why);
    assert_int_equal(made.completed, 1);
    lido__arena_done(&made.memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_every_length), cmocka_unit_test(a_nul_anywhere_is_refused),
        cmocka_unit_test(no_other_byte_is_a_nul), cmocka_unit_test(the_key_tells_whether_the_rest_is_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
