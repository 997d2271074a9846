/* The buffer and the arena: growing, remembering that memory ran out, and starting again. */
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static void a_new_buffer_is_an_empty_text(void **state) {
    (void)state;
    lido__buffer buffer = LIDO__BUFFER_INIT;
    assert_string_equal(lido__buffer_string(&buffer), "");
    lido__buffer_done(&buffer);
}

static void a_buffer_grows_with_what_is_appended(void **state) {
    (void)state;
    lido__buffer buffer = LIDO__BUFFER_INIT;
    lido__buffer_text(&buffer, "SELECT ");
    lido__buffer_format(&buffer, "%d", 42);
    lido__buffer_char(&buffer, ';');
    lido__buffer_append(&buffer, "", 0);
    assert_string_equal(lido__buffer_string(&buffer), "SELECT 42;");
    assert_int_equal(buffer.size, 10);
    lido__buffer_done(&buffer);
    assert_null(buffer.data);
}

static void a_buffer_is_terminated_at_every_size(void **state) {
    (void)state;
    lido__buffer appended = LIDO__BUFFER_INIT;
    lido__buffer formatted = LIDO__BUFFER_INIT;
    for (size_t size = 1; size <= 1000; size++) {
        lido__buffer_char(&appended, 'x');
        lido__buffer_format(&formatted, "%c", 'x');
        assert_int_equal(strlen(lido__buffer_string(&appended)), size);
        assert_string_equal(lido__buffer_string(&formatted), lido__buffer_string(&appended));
    }
    lido__buffer_done(&appended);
    lido__buffer_done(&formatted);
}

static void a_cleared_buffer_keeps_its_memory(void **state) {
    (void)state;
    lido__buffer buffer = LIDO__BUFFER_INIT;
    lido__buffer_format(&buffer, "%0500d", 7);
    size_t capacity = buffer.capacity;
    lido__buffer_clear(&buffer);
    assert_string_equal(lido__buffer_string(&buffer), "");
    assert_int_equal(buffer.capacity, capacity);
    lido__buffer_done(&buffer);
}

static void a_buffer_remembers_that_memory_ran_out(void **state) {
    (void)state;
    lido__buffer buffer = LIDO__BUFFER_INIT;
    lido__buffer_text(&buffer, "before");
    volatile size_t too_much = SIZE_MAX; /* volatile, as the compiler would refuse the call below otherwise */
    lido__buffer_append(&buffer, "x", too_much);
    assert_null(lido__buffer_string(&buffer));
    lido__buffer_text(&buffer, "after");
    lido__buffer_format(&buffer, "after");
    assert_null(lido__buffer_string(&buffer));
    lido__buffer_clear(&buffer);
    lido__buffer_text(&buffer, "again");
    assert_string_equal(lido__buffer_string(&buffer), "again");
    lido__buffer_done(&buffer);
}

static void arena_memory_is_aligned_and_apart(void **state) {
    (void)state;
    lido__arena arena = LIDO__ARENA_INIT;
    unsigned char *pieces[300];
    for (size_t i = 0; i < 300; i++) {
        pieces[i] = lido__arena_allocate(&arena, i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        memset(pieces[i], (int)(i % 256), i);
    }
    for (size_t i = 0; i < 300; i++)
        for (size_t at = 0; at < i; at++)
            assert_int_equal(pieces[i][at], i % 256);
    lido__arena_done(&arena);
}

static void an_arena_copies_and_formats_text(void **state) {
    (void)state;
    lido__arena arena = LIDO__ARENA_INIT;
    assert_string_equal(lido__arena_copy(&arena, "lamp, chair", 4), "lamp");
    assert_string_equal(lido__arena_copy(&arena, NULL, 0), "");
    assert_string_equal(lido__arena_format(&arena, "%s %d", "row", 7), "row 7");
    assert_int_equal(strlen(lido__arena_format(&arena, "%0100000d", 7)), 100000);
    lido__arena_done(&arena);
}

static void a_reset_arena_uses_one_block_again(void **state) {
    (void)state;
    lido__arena arena = LIDO__ARENA_INIT;
    void *first = lido__arena_allocate(&arena, 16);
    for (int i = 0; i < 100; i++)
        assert_non_null(lido__arena_allocate(&arena, 5000));
    lido__arena_reset(&arena);
    assert_ptr_equal(lido__arena_allocate(&arena, 16), first);
    lido__arena_done(&arena);
    assert_null(arena.blocks);
}

static void a_reset_arena_does_not_hoard_a_large_block(void **state) {
    (void)state;
    lido__arena arena = LIDO__ARENA_INIT;
    assert_non_null(lido__arena_allocate(&arena, 1 << 20));
    lido__arena_reset(&arena);
    assert_null(arena.blocks);
    assert_non_null(lido__arena_allocate(&arena, 16));
    lido__arena_done(&arena);
}

static void an_arena_refuses_what_no_memory_can_hold(void **state) {
    (void)state;
    lido__arena arena = LIDO__ARENA_INIT;
    assert_null(lido__arena_allocate(&arena, SIZE_MAX));
    assert_null(lido__arena_allocate(&arena, SIZE_MAX - 16));
    assert_null(lido__arena_copy(&arena, "x", SIZE_MAX));
    assert_non_null(lido__arena_allocate(&arena, 16));
    lido__arena_done(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_buffer_is_an_empty_text),
        cmocka_unit_test(a_buffer_grows_with_what_is_appended),
        cmocka_unit_test(a_buffer_is_terminated_at_every_size),
        cmocka_unit_test(a_cleared_buffer_keeps_its_memory),
        cmocka_unit_test(a_buffer_remembers_that_memory_ran_out),
        cmocka_unit_test(arena_memory_is_aligned_and_apart),
        cmocka_unit_test(an_arena_copies_and_formats_text),
        cmocka_unit_test(a_reset_arena_uses_one_block_again),
        cmocka_unit_test(a_reset_arena_does_not_hoard_a_large_block),
        cmocka_unit_test(an_arena_refuses_what_no_memory_can_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
