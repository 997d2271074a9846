/* The table of a pool's connections, and the stack of the idle ones that many threads share without a lock. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/places.h"

enum { MANY = 1000, PLAYERS = 4, FEW = 3, ROUNDS = 20000 };

typedef struct guest {
    lido__connection base;
    atomic_bool held;
} guest;

static lido__places places;
static guest guests[MANY];

static int begin(void **state) {
    (void)state;
    memset(&places, 0, sizeof places);
    memset(guests, 0, sizeof guests);
    return 0;
}

static int end(void **state) {
    (void)state;
    lido__places_done(&places);
    return 0;
}

static void let_in(int count) {
    for (int i = 0; i < count; i++)
        assert_true(lido__places_add(&places, &guests[i].base));
}

static int count_all(void) {
    int count = 0;
    unsigned at = 0;
    while (lido__places_next(&places, &at) != NULL)
        count++;
    return count;
}

static void the_newest_idle_one_is_taken_first(void **state) {
    (void)state;
    let_in(3);
    assert_null(lido__places_pop(&places));
    for (int i = 0; i < 3; i++)
        lido__places_push(&places, &guests[i].base);
    for (int i = 2; i >= 0; i--)
        assert_ptr_equal(lido__places_pop(&places), &guests[i].base);
    assert_false(lido__places_has_idle(&places));
}

static void all_are_taken_at_once_in_their_order(void **state) {
    (void)state;
    let_in(3);
    for (int i = 0; i < 3; i++)
        lido__places_push(&places, &guests[i].base);
    const lido__connection *at = lido__places_take_all(&places);
    for (int i = 2; i >= 0; i--, at = at->next)
        assert_ptr_equal(at, &guests[i].base);
    assert_null(at);
    assert_null(lido__places_take_all(&places));
}

/* Past the first chunk of the table and the second. */
static void there_is_room_for_many_and_places_are_used_again(void **state) {
    (void)state;
    let_in(MANY);
    assert_int_equal(count_all(), MANY);
    unsigned made = places.made;
    for (int i = 0; i < MANY; i += 2)
        lido__places_remove(&places, &guests[i].base);
    assert_int_equal(count_all(), MANY / 2);
    for (int i = 0; i < MANY; i += 2)
        assert_true(lido__places_add(&places, &guests[i].base));
    assert_int_equal(count_all(), MANY);
    assert_int_equal(places.made, made);
    for (int i = 0; i < MANY; i++)
        lido__places_push(&places, &guests[i].base);
    for (int i = MANY - 1; i >= 0; i--)
        assert_ptr_equal(lido__places_pop(&places), &guests[i].base);
}

static void a_child_begins_with_none(void **state) {
    (void)state;
    let_in(2);
    lido__places_push(&places, &guests[0].base);
    lido__places_forget(&places);
    assert_int_equal(count_all(), 0);
    assert_null(lido__places_pop(&places));
    let_in(1);
    assert_int_equal(count_all(), 1);
}

static void *play(void *argument) {
    int *shared = argument;
    for (int i = 0; i < ROUNDS; i++) {
        lido__connection *connection = lido__places_pop(&places);
        if (connection == NULL)
            continue;
        guest *mine = (guest *)connection;
        *shared += atomic_exchange(&mine->held, true);
        connection->number++; /* not atomic: two who have it would lose some, or ThreadSanitizer would say so */
        atomic_store(&mine->held, false);
        lido__places_push(&places, connection);
    }
    return NULL;
}

static void nobody_shares_one_with_another(void **state) {
    (void)state;
    pthread_t threads[PLAYERS];
    int shared[PLAYERS] = {0};
    let_in(FEW);
    for (int i = 0; i < FEW; i++)
        lido__places_push(&places, &guests[i].base);
    for (int i = 0; i < PLAYERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, play, &shared[i]), 0);
    for (int i = 0; i < PLAYERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(shared[i], 0);
    }
    uint64_t used = 0;
    for (int i = 0; i < FEW; i++) {
        lido__connection *back = lido__places_pop(&places);
        assert_non_null(back);
        used += back->number;
    }
    assert_null(lido__places_pop(&places));
    assert_true(used > 0 && used <= (uint64_t)PLAYERS * ROUNDS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_newest_idle_one_is_taken_first),
        TEST(all_are_taken_at_once_in_their_order),
        TEST(there_is_room_for_many_and_places_are_used_again),
        TEST(a_child_begins_with_none),
        TEST(nobody_shares_one_with_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
