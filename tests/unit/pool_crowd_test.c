/* The pool in a crowd: many threads take, break, cancel and give back at once. What is checked is what must hold
 * whoever comes first. Worth most under ThreadSanitizer. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "await/await.h"
#include "base/clock.h"
#include "base/fault.h"
#include "support/scripted.h"

/* ---- Everything at once ---- */

enum { PLAYERS = 8, ROUNDS = 250, PLAYED_SIZE = 2, PLAYED_OVERFLOW = 1 };

typedef struct player {
    pthread_t thread;
    uint64_t random;
    bool rough; /* loses servers, too, and is cancelled */
    int served;
    int refused;   /* an opening failed, or it was cancelled */
    int exhausted; /* with so much patience: a wake-up was lost */
    int shared;    /* somebody else held the connection, too */
} player;

static unsigned draw(player *self, unsigned below) {
    return draw_below(&self->random, below);
}

static void dawdle(player *self) {
    unsigned choice = draw(self, 4);
    if (choice == 0)
        sched_yield();
    else if (choice == 1)
        lido__await_moment(lido__clock_now_us() + draw(self, 200));
}

static void use(player *self, lido__connection *connection) {
    self->served++;
    if (atomic_exchange(&of(connection)->held, true))
        self->shared++;
    dawdle(self);
    connection->broken = draw(self, 16) == 0;
    connection->in_transaction = draw(self, 16) == 0;
    connection->server_gone = self->rough && draw(self, 32) == 0;
    of(connection)->dead = draw(self, 16) == 0;
    of(connection)->gone = self->rough && draw(self, 16) == 0;
    atomic_store(&of(connection)->held, false);
    lido__pool_release(&pool, connection);
}

static void *play(void *argument) {
    player *self = argument;
    for (int i = 0; i < ROUNDS; i++) {
        lido_error mine = LIDO_ERROR_INIT;
        if (draw(self, 16) == 0)
            let_fail(1);
        lido__connection *connection = acquire_for(self, 0, &mine);
        if (connection != NULL)
            use(self, connection);
        else if (mine.category == LIDO_ERROR_POOL_EXHAUSTED)
            self->exhausted++;
        else
            self->refused++;
        dawdle(self);
    }
    return NULL;
}

static void let_play(player *players, bool rough) {
    uint64_t seed = seed_of_test();
    for (size_t i = 0; i < PLAYERS; i++) {
        players[i] = (player){.rough = rough, .random = chance_of(seed, i)};
        assert_int_equal(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
    }
}

static void no_wake_up_is_lost_in_a_crowd(void **state) {
    (void)state;
    player players[PLAYERS];
    make_pool(PLAYED_SIZE, PLAYED_OVERFLOW);
    let_play(players, false);
    int total = 0;
    for (size_t i = 0; i < PLAYERS; i++) {
        pthread_join(players[i].thread, NULL);
        assert_int_equal(players[i].exhausted, 0);
        assert_int_equal(players[i].shared, 0);
        assert_int_equal(players[i].served + players[i].refused, ROUNDS);
        total += players[i].served;
    }
    assert_true(total > PLAYERS * ROUNDS / 2);
    assert_null(last_in_queue());
    assert_true(pool.open <= PLAYED_SIZE);
}

/* Impatient waiters come and go at the very moment when connections are handed to them. */
static void no_connection_is_lost_to_who_stopped_waiting(void **state) {
    (void)state;
    player players[PLAYERS];
    config.pool_timeout_ms = 1;
    make_pool(1, 0);
    let_play(players, false);
    for (size_t i = 0; i < PLAYERS; i++) {
        pthread_join(players[i].thread, NULL);
        assert_int_equal(players[i].shared, 0);
    }
    assert_null(last_in_queue());
    assert_int_equal(stats_now().in_use, 0);
    database.failures = 0;
    config.pool_timeout_ms = 20000;
    release(acquire_surely());
}

/* Cancels whoever it meets, as long as they play. */
typedef struct canceller {
    pthread_t thread;
    uint64_t random;
    player *players;
    atomic_bool over;
    int heard;
} canceller;

static void *annoy(void *argument) {
    canceller *self = argument;
    while (!atomic_load(&self->over)) {
        self->heard += lido__pool_cancel(&pool, &self->players[draw_below(&self->random, PLAYERS)]);
        lido__await_moment(lido__clock_now_us() + draw_below(&self->random, 100));
    }
    return NULL;
}

/* Cancels from two sides, servers that are lost, connections that age, and a keeper that opens and closes. */
static void nothing_is_lost_when_everything_happens(void **state) {
    (void)state;
    player players[PLAYERS];
    canceller cancellers[2];
    config.pool_min_size = 1;
    config.pool_max_idle_ms = 2;
    config.pool_recycle_ms = 10;
    config.pool_ping_after_ms = 1;
    make_pool(PLAYED_SIZE, PLAYED_OVERFLOW);
    let_play(players, true);
    for (size_t i = 0; i < 2; i++) {
        cancellers[i] = (canceller){.players = players, .random = i + 1};
        assert_int_equal(pthread_create(&cancellers[i].thread, NULL, annoy, &cancellers[i]), 0);
    }
    for (size_t i = 0; i < PLAYERS; i++) {
        pthread_join(players[i].thread, NULL);
        assert_int_equal(players[i].shared, 0);
        assert_int_equal(players[i].exhausted, 0);
        assert_int_equal(players[i].served + players[i].refused, ROUNDS);
    }
    for (size_t i = 0; i < 2; i++) {
        atomic_store(&cancellers[i].over, true);
        pthread_join(cancellers[i].thread, NULL);
        assert_true(cancellers[i].heard > 0);
    }
    assert_null(last_in_queue());
    lido_pool_stats stats = stats_now();
    assert_int_equal(stats.in_use + stats.idle, stats.open);
    let_fail(0);
    release(acquire_surely()); /* it can still be had */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        POOL_TEST(no_wake_up_is_lost_in_a_crowd),
        POOL_TEST(no_connection_is_lost_to_who_stopped_waiting),
        POOL_TEST(nothing_is_lost_when_everything_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
