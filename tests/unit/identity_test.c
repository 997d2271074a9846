/* The identity map beside a plain list, over random additions and removals, and with what could go wrong. */
#include "support/chance.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "model/identity.h"

typedef struct thing {
    lido__identity identity; /* first: the map hands it back */
    bool is_in;
    unsigned char bytes[40];
} thing;

static void name_thing(thing *made, const void *key, size_t size) {
    memcpy(made->bytes, key, size);
    made->identity.key = made->bytes;
    made->identity.size = size;
}

static void an_empty_map_finds_nothing(void **state) {
    (void)state;
    lido__identity_map map = LIDO__IDENTITY_MAP_INIT;
    assert_null(lido__identity_find(&map, "key", 3));
    lido__identity_clear(&map);
    lido__identity_map_done(&map);
}

static void keys_differ_by_their_size(void **state) {
    (void)state;
    static const char zeros[40];
    thing things[41] = {{.is_in = false}};
    lido__identity_map map = LIDO__IDENTITY_MAP_INIT;
    for (size_t size = 0; size <= sizeof zeros; size++) {
        name_thing(&things[size], zeros, size);
        assert_true(lido__identity_add(&map, &things[size].identity));
    }
    for (size_t size = 0; size <= sizeof zeros; size++)
        assert_ptr_equal(lido__identity_find(&map, zeros, size), &things[size]);
    assert_null(lido__identity_find(&map, "\1", 1));
    lido__identity_map_done(&map);
}

/* Numbers in a row, as identity columns give them, must not crowd. */
static void a_hundred_thousand_are_found_again(void **state) {
    (void)state;
    enum { COUNT = 100000 };
    thing *things = calloc(COUNT, sizeof *things);
    assert_non_null(things);
    lido__identity_map map = LIDO__IDENTITY_MAP_INIT;
    assert_true(lido__identity_reserve(&map, COUNT));
    const lido__identity_slot *slots = map.slots;
    for (int64_t i = 0; i < COUNT; i++) {
        name_thing(&things[i], &i, sizeof i);
        assert_true(lido__identity_add(&map, &things[i].identity));
    }
    assert_ptr_equal(map.slots, slots);
    size_t longest = 0;
    for (size_t at = 0, run = 0; at < map.capacity; at++) {
        run = map.slots[at].entry != NULL ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    assert_in_range(longest, 1, 1000);
    for (int64_t i = 0; i < COUNT; i++)
        assert_ptr_equal(lido__identity_find(&map, &i, sizeof i), &things[i]);
    for (int64_t i = COUNT; i < 2 * COUNT; i++)
        assert_null(lido__identity_find(&map, &i, sizeof i));
    lido__identity_map_done(&map);
    free(things);
}

static void check_all(const lido__identity_map *map, thing *things, size_t count) {
    size_t there = 0;
    for (size_t i = 0; i < count; i++) {
        const lido__identity *found = lido__identity_find(map, things[i].bytes, things[i].identity.size);
        assert_ptr_equal(found, things[i].is_in ? &things[i].identity : NULL);
        there += things[i].is_in;
    }
    assert_int_equal(map->count, there);
}

static void what_is_removed_is_gone_and_nothing_else(void **state) {
    (void)state;
    enum { THINGS = 300, STEPS = 20000 };
    uint64_t chance = chance_of(seed_of_test(), 0);
    thing things[THINGS] = {{.is_in = false}};
    lido__identity_map map = LIDO__IDENTITY_MAP_INIT;
    for (uint64_t i = 0; i < THINGS; i++)
        name_thing(&things[i], &i, sizeof i);
    for (int step = 0; step < STEPS; step++) {
        thing *one = &things[draw_below(&chance, THINGS)];
        if (one->is_in)
            lido__identity_remove(&map, &one->identity);
        else
            assert_true(lido__identity_add(&map, &one->identity));
        one->is_in = !one->is_in;
        if (step % 100 == 0)
            check_all(&map, things, THINGS);
    }
    check_all(&map, things, THINGS);
    lido__identity_clear(&map);
    for (size_t i = 0; i < THINGS; i++)
        things[i].is_in = false;
    check_all(&map, things, THINGS);
    lido__identity_map_done(&map);
}

/* The key within the entry, and none at all. */
static void entries_may_hold_their_keys(void **state) {
    (void)state;
    enum { COUNT = 1000 };
    static struct entry {
        char before[8];
        int64_t key;
    } entries[COUNT];
    lido__identity_map within = {.key_at = offsetof(struct entry, key), .key_size = sizeof(int64_t)};
    lido__identity_map bare = {.by_address = true};
    for (int64_t i = 0; i < COUNT; i++) {
        void *found;
        entries[i].key = i * 7;
        assert_true(lido__identity_reserve(&within, 1));
        uint32_t hash = lido__identity_look_up(&within, &entries[i], &found);
        assert_null(found);
        lido__identity_put(&within, &entries[i], hash);
        assert_true(lido__identity_add(&bare, &entries[i]));
    }
    for (int64_t i = 0; i < COUNT; i += 2) {
        lido__identity_remove(&within, &entries[i]);
        lido__identity_remove(&bare, &entries[i]);
    }
    for (int64_t i = 0; i < COUNT; i++) {
        const void *expected = i % 2 == 0 ? NULL : &entries[i];
        const void *address = &entries[i];
        assert_ptr_equal(lido__identity_find(&within, &entries[i].key, sizeof entries[i].key), expected);
        assert_ptr_equal(lido__identity_find(&bare, &address, sizeof address), expected);
    }
    lido__identity_map_done(&within);
    lido__identity_map_done(&bare);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_finds_nothing),
        cmocka_unit_test(entries_may_hold_their_keys),
        cmocka_unit_test(keys_differ_by_their_size),
        cmocka_unit_test(a_hundred_thousand_are_found_again),
        cmocka_unit_test(what_is_removed_is_gone_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
