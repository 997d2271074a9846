/* Identifiers: made unique, ordered by time or not at all, and read back from every form PostgreSQL reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <lido/value.h>

#include "base/convert.h"

static const lido_uuid example = {
    {0xa0, 0xee, 0xbc, 0x99, 0x9c, 0x0b, 0x4e, 0xf8, 0xbb, 0x6d, 0x6b, 0xb9, 0xbd, 0x38, 0x0a, 0x11}};

static int64_t milliseconds_of(lido_uuid uuid) {
    int64_t milliseconds = 0;
    for (int i = 0; i < 6; i++)
        milliseconds = milliseconds << 8 | uuid.bytes[i];
    return milliseconds;
}

static int compare(const void *one, const void *other) {
    return memcmp(one, other, sizeof(lido_uuid));
}

static void assert_all_differ(lido_uuid *uuids, size_t count) {
    qsort(uuids, count, sizeof *uuids, compare);
    for (size_t i = 1; i < count; i++)
        assert_memory_not_equal(&uuids[i - 1], &uuids[i], sizeof *uuids);
}

static void both_kinds_carry_version_and_variant(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        lido_uuid ordered = lido_uuid_new();
        lido_uuid random = lido_uuid_random();
        assert_int_equal(ordered.bytes[6] >> 4, 7);
        assert_int_equal(random.bytes[6] >> 4, 4);
        assert_int_equal(ordered.bytes[8] >> 6, 2);
        assert_int_equal(random.bytes[8] >> 6, 2);
    }
}

static void a_new_one_says_when_it_was_made(void **state) {
    (void)state;
    int64_t before = lido_time_now().microseconds / 1000;
    int64_t made = milliseconds_of(lido_uuid_new());
    int64_t after = lido_time_now().microseconds / 1000;
    assert_true(before <= made && made <= after);
}

static void one_made_later_sorts_later(void **state) {
    (void)state;
    lido_uuid earlier = lido_uuid_new();
    usleep(2000);
    lido_uuid later = lido_uuid_new();
    assert_true(compare(&earlier, &later) < 0);
}

static void none_is_made_twice(void **state) {
    (void)state;
    enum { COUNT = 2000 };
    static lido_uuid uuids[2 * COUNT];
    for (int i = 0; i < COUNT; i++) {
        uuids[i] = lido_uuid_new();
        uuids[COUNT + i] = lido_uuid_random();
    }
    assert_all_differ(uuids, 2 * COUNT);
}

/* In every bit that is not fixed there must be zeros and ones: 1 in 2^199 that chance alone makes this fail for one. */
static void every_free_bit_is_random(void **state) {
    (void)state;
    lido_uuid ones = {{0}};
    lido_uuid zeros = {{0}};
    for (int i = 0; i < 200; i++) {
        lido_uuid uuid = lido_uuid_random();
        for (int at = 0; at < 16; at++) {
            ones.bytes[at] = (uint8_t)(ones.bytes[at] | uuid.bytes[at]);
            zeros.bytes[at] = (uint8_t)(zeros.bytes[at] | (uint8_t)~uuid.bytes[at]);
        }
    }
    for (int at = 0; at < 16; at++) {
        uint8_t fixed = at == 6 ? 0xF0 : at == 8 ? 0xC0 : 0;
        assert_int_equal((ones.bytes[at] & zeros.bytes[at]) | fixed, 0xFF);
    }
}

static void a_forked_child_makes_others_than_its_parent(void **state) {
    (void)state;
    enum { COUNT = 50 };
    lido_uuid uuids[2 * COUNT];
    int ends[2];
    lido_uuid_random(); /* whatever a first call may prepare is there before the fork */
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    for (int i = 0; i < COUNT; i++)
        uuids[i] = lido_uuid_random();
    if (child == 0) {
        ssize_t written = write(ends[1], uuids, sizeof uuids / 2);
        _exit(written == (ssize_t)(sizeof uuids / 2) ? 0 : 1);
    }
    assert_int_equal(read(ends[0], uuids + COUNT, sizeof uuids / 2), sizeof uuids / 2);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(ends[0]);
    close(ends[1]);
    assert_all_differ(uuids, 2 * COUNT);
}

static void it_is_written_in_lower_case(void **state) {
    (void)state;
    char text[37];
    lido_uuid_format(example, text);
    assert_string_equal(text, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
}

static void every_form_of_postgresql_is_read(void **state) {
    (void)state;
    static const char *const texts[] = {
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",    "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
        "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",  "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11", "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        lido_uuid uuid = {{0}};
        assert_true(lido_uuid_parse(texts[i], &uuid));
        assert_memory_equal(&uuid, &example, sizeof uuid);
    }
}

static void every_other_form_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "{}",
        "{",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-",
        "-a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0-eebc999c0b4ef8bb6d6bb9bd380a11",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g",
        "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
        " a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 ",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        lido_uuid uuid = example;
        assert_false(lido_uuid_parse(texts[i], &uuid));
        assert_memory_equal(&uuid, &example, sizeof uuid);
    }
    assert_false(lido_uuid_parse(NULL, &(lido_uuid){{0}})); /* what lido_get_text gives for NULL */
}

static void what_is_written_reads_back_and_no_part_of_it(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        char text[37];
        lido_uuid uuid = lido_uuid_random();
        lido_uuid back;
        lido_uuid_format(uuid, text);
        for (size_t size = 0; size < 36; size++)
            assert_false(lido__uuid_parse(text, size, &back));
        assert_true(lido__uuid_parse(text, 36, &back));
        assert_memory_equal(&back, &uuid, sizeof uuid);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_kinds_carry_version_and_variant),
        cmocka_unit_test(a_new_one_says_when_it_was_made),
        cmocka_unit_test(one_made_later_sorts_later),
        cmocka_unit_test(none_is_made_twice),
        cmocka_unit_test(every_free_bit_is_random),
        cmocka_unit_test(a_forked_child_makes_others_than_its_parent),
        cmocka_unit_test(it_is_written_in_lower_case),
        cmocka_unit_test(every_form_of_postgresql_is_read),
        cmocka_unit_test(every_other_form_is_refused),
        cmocka_unit_test(what_is_written_reads_back_and_no_part_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
