/* The pool, over a database of the test's own that opens, fails and blocks as it is told. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "await/await.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/random.h"
#include "core/pool.h"

/* ---- A database that does as it is told ---- */

typedef struct scripted_database {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int limit;    /* of connections at a time, those being opened counted; more fail the test */
    int failures; /* how many of the next openings fail */
    bool shut;    /* openings wait until it is not */
    int opening;  /* of these, how many wait now */
    int attempts; /* openings, failed ones among them */
    int open;     /* opened, or being opened, and not closed */
    int most;     /* the most that were open at a time */
    int looks;    /* how often a connection was looked at */
    int next_number;
} scripted_database;

typedef struct scripted_connection {
    lido__connection base;
    scripted_database *database;
    int number; /* in the order of opening, from 1 */
    bool dead;
    atomic_bool held;
} scripted_connection;

static scripted_connection *of(lido__connection *connection) {
    return (scripted_connection *)connection;
}

static int number_of(lido__connection *connection) {
    return of(connection)->number;
}

/* Waits while it is shut, and says whether this opening is to succeed. */
static bool let_in(scripted_database *database) {
    pthread_mutex_lock(&database->lock);
    database->attempts++;
    database->open++;
    if (database->open > database->most)
        database->most = database->open;
    database->opening++;
    pthread_cond_broadcast(&database->changed);
    while (database->shut)
        pthread_cond_wait(&database->changed, &database->lock);
    database->opening--;
    bool succeeds = database->failures == 0;
    if (!succeeds) {
        database->failures--;
        database->open--;
    }
    pthread_mutex_unlock(&database->lock);
    return succeeds;
}

static lido__connection *scripted_open(const lido__config *config, void *argument, lido_error *error) {
    (void)config;
    scripted_database *database = argument;
    if (!let_in(database)) {
        lido__fault(error, LIDO_ERROR_DISCONNECTED, "nobody opened");
        return NULL;
    }
    scripted_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        abort();
    connection->database = database;
    pthread_mutex_lock(&database->lock);
    connection->number = ++database->next_number;
    pthread_mutex_unlock(&database->lock);
    return &connection->base;
}

static void scripted_close(lido__connection *connection) {
    scripted_database *database = of(connection)->database;
    free(connection);
    pthread_mutex_lock(&database->lock);
    database->open--;
    pthread_mutex_unlock(&database->lock);
}

static bool scripted_alive(lido__connection *connection) {
    scripted_database *database = of(connection)->database;
    pthread_mutex_lock(&database->lock);
    database->looks++;
    pthread_mutex_unlock(&database->lock);
    return !of(connection)->dead;
}

static const lido__backend scripted_backend = {
    .name = "scripted", .open = scripted_open, .close = scripted_close, .alive = scripted_alive};

/* ---- A pool for each test ---- */

static scripted_database database;
static lido__config config;
static lido__pool pool;
static lido_error error;

/* The tests move the clock; and it stands still in a thread that asks for it, whose wait then never ends by itself. */
static atomic_int_fast64_t time_passed_us;
static _Thread_local int64_t stood_still_at; /* 0: it does not */

static int64_t running_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + atomic_load(&time_passed_us);
}

static int64_t moved_clock(void) {
    return stood_still_at != 0 ? stood_still_at : running_clock();
}

static void time_passes_ms(int64_t ms) {
    atomic_fetch_add(&time_passed_us, ms * 1000);
}

static void make_pool(int size, int overflow) {
    config.pool_size = size;
    config.max_overflow = overflow;
    database.limit = overflow < 0 ? INT32_MAX : size + overflow;
    assert_true(lido__pool_init(&pool, &config, &scripted_backend, &database));
}

static int begin(void **state) {
    (void)state;
    memset(&database, 0, sizeof database);
    pthread_mutex_init(&database.lock, NULL);
    pthread_cond_init(&database.changed, NULL);
    memset(&config, 0, sizeof config);
    config.pool_timeout_ms = 20000;
    config.pool_recycle_ms = config.pool_max_idle_ms = config.pool_ping_after_ms = config.pool_leak_after_ms = -1;
    config.pool_max_waiting = -1;
    config.pool_pre_ping = true;
    lido__fault_clear(&error);
    atomic_store(&time_passed_us, 0);
    lido__clock_replace(moved_clock);
    return 0;
}

/* Every test ends with all connections given back; whatever was opened must then be closed. */
static int end(void **state) {
    (void)state;
    lido__pool_close(&pool);
    int left = pool.open;
    lido__pool_done(&pool);
    lido__clock_replace(NULL);
    pthread_cond_destroy(&database.changed);
    pthread_mutex_destroy(&database.lock);
    if (left == 0 && database.open == 0 && database.most <= database.limit)
        return 0;
    print_error("%d slots and %d connections are left; at most %d were open of %d\n", left, database.open,
                database.most, database.limit);
    return -1;
}

/* As if each time somebody else took it: what one thread can do to itself has tests of its own. */
static lido__connection *acquire_at(const char *file, int line, lido_error *told) {
    static atomic_uint_fast64_t owners;
    const lido__lease lease = {.owner = atomic_fetch_add(&owners, 1) + 1000000, .file = file, .line = line};
    return lido__pool_acquire(&pool, &lease, told);
}

static lido__connection *acquire(void) {
    return acquire_at("program.c", 7, &error);
}

static lido__connection *acquire_surely(void) {
    lido__connection *connection = acquire();
    if (connection == NULL)
        lido_error_print(&error, stderr);
    assert_non_null(connection);
    return connection;
}

static void release(lido__connection *connection) {
    lido__pool_release(&pool, connection);
}

/* ---- Somebody else who wants a connection ---- */

typedef struct customer {
    pthread_t thread;
    bool patient; /* waits however long it takes */
    lido_error error;
    lido__connection *got;
    int number;    /* of the connection it got; 0: none */
    int served_as; /* the how-manyth it was, from 1 */
} customer;

static atomic_int served;

/* Takes a connection and gives it back at once. */
static void *come_and_go(void *argument) {
    customer *self = argument;
    if (self->patient)
        stood_still_at = running_clock();
    self->got = acquire_at("customer.c", 1, &self->error);
    if (self->got != NULL) {
        self->number = number_of(self->got);
        self->served_as = atomic_fetch_add(&served, 1) + 1;
        lido__pool_release(&pool, self->got);
    }
    return NULL;
}

static lido__pool_waiter *last_in_queue(void) {
    pthread_mutex_lock(&pool.lock);
    lido__pool_waiter *newest = pool.newest;
    pthread_mutex_unlock(&pool.lock);
    return newest;
}

static void let_come(customer *who, bool patient) {
    *who = (customer){.patient = patient, .error = LIDO_ERROR_INIT};
    assert_int_equal(pthread_create(&who->thread, NULL, come_and_go, who), 0);
}

/* Returns when the customer stands in the queue, behind all who stood there before. */
static void let_queue(customer *who, bool patient) {
    const lido__pool_waiter *before = last_in_queue();
    let_come(who, patient);
    while (last_in_queue() == before)
        sched_yield();
}

static void wait_for(customer *who) {
    pthread_join(who->thread, NULL);
}

static void wait_until_opening(int count) {
    pthread_mutex_lock(&database.lock);
    while (database.opening < count)
        pthread_cond_wait(&database.changed, &database.lock);
    pthread_mutex_unlock(&database.lock);
}

static void let_open(bool may) {
    pthread_mutex_lock(&database.lock);
    database.shut = !may;
    pthread_cond_broadcast(&database.changed);
    pthread_mutex_unlock(&database.lock);
}

/* ---- Taking and giving back ---- */

static void nothing_is_opened_before_it_is_needed(void **state) {
    (void)state;
    make_pool(5, 5);
    assert_int_equal(database.attempts, 0);
    release(acquire_surely());
    assert_int_equal(database.attempts, 1);
}

static void a_connection_is_used_again(void **state) {
    (void)state;
    make_pool(5, 5);
    for (int i = 0; i < 10; i++) {
        lido__connection *connection = acquire_surely();
        assert_int_equal(number_of(connection), 1);
        release(connection);
    }
    assert_int_equal(database.attempts, 1);
}

static void the_newest_idle_connection_is_used_first(void **state) {
    (void)state;
    make_pool(3, 0);
    lido__connection *first = acquire_surely();
    lido__connection *second = acquire_surely();
    lido__connection *third = acquire_surely();
    release(second);
    release(third);
    release(first);
    assert_ptr_equal(acquire_surely(), first);
    assert_ptr_equal(acquire_surely(), third);
    assert_ptr_equal(acquire_surely(), second);
    release(first);
    release(second);
    release(third);
}

static void connections_beyond_the_pool_s_size_are_closed_on_return(void **state) {
    (void)state;
    make_pool(2, 2);
    lido__connection *taken[4];
    for (int i = 0; i < 4; i++)
        taken[i] = acquire_surely();
    assert_int_equal(database.open, 4);
    release(taken[0]);
    release(taken[1]);
    assert_int_equal(database.open, 2);
    release(taken[2]);
    release(taken[3]);
    assert_int_equal(database.open, 2);
    assert_int_equal(pool.open, 2);
    assert_ptr_equal(acquire_surely(), taken[3]);
    assert_ptr_equal(acquire_surely(), taken[2]);
    assert_int_equal(database.attempts, 4);
    release(taken[2]);
    release(taken[3]);
}

static void an_overflow_without_limit_never_waits(void **state) {
    (void)state;
    enum { MANY = 100 };
    config.pool_timeout_ms = 0;
    make_pool(2, -1);
    lido__connection *taken[MANY];
    for (int i = 0; i < MANY; i++)
        taken[i] = acquire_surely();
    for (int i = 0; i < MANY; i++)
        release(taken[i]);
    assert_int_equal(database.most, MANY);
    assert_int_equal(database.open, 2);
}

static void a_broken_connection_is_not_used_again(void **state) {
    (void)state;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    connection->broken = true;
    release(connection);
    assert_int_equal(database.open, 0);
    connection = acquire_surely();
    assert_int_equal(number_of(connection), 2);
    release(connection);
}

static void a_connection_in_a_transaction_is_not_used_again(void **state) {
    (void)state;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    connection->in_transaction = true;
    release(connection);
    connection = acquire_surely();
    assert_int_equal(number_of(connection), 2);
    assert_false(connection->in_transaction);
    release(connection);
}

/* ---- Looking before using ---- */

static void a_connection_that_died_while_idle_is_replaced(void **state) {
    (void)state;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    of(connection)->dead = true;
    release(connection);
    time_passes_ms(20);
    connection = acquire_surely();
    assert_int_equal(number_of(connection), 2);
    assert_int_equal(database.open, 1);
    release(connection);
}

static void a_connection_used_just_now_is_not_looked_at(void **state) {
    (void)state;
    make_pool(1, 0);
    stood_still_at = running_clock();
    release(acquire_surely());
    release(acquire_surely());
    stood_still_at = 0;
    assert_int_equal(database.looks, 0);
    time_passes_ms(20);
    release(acquire_surely());
    assert_int_equal(database.looks, 1);
}

static void without_pre_ping_nothing_is_looked_at(void **state) {
    (void)state;
    config.pool_pre_ping = false;
    make_pool(1, 0);
    release(acquire_surely());
    time_passes_ms(3600 * 1000);
    release(acquire_surely());
    assert_int_equal(database.looks, 0);
    assert_int_equal(database.attempts, 1);
}

static void an_old_connection_is_replaced(void **state) {
    (void)state;
    config.pool_recycle_ms = 60000;
    make_pool(2, 0);
    release(acquire_surely());
    time_passes_ms(53000); /* up to a tenth earlier than its time, by chance */
    lido__connection *connection = acquire_surely();
    assert_int_equal(number_of(connection), 1);
    release(connection);
    time_passes_ms(8000);
    connection = acquire_surely();
    assert_int_equal(number_of(connection), 2);
    assert_int_equal(database.open, 1);
    release(connection);
}

static void a_replacement_that_cannot_be_opened_leaves_its_slot(void **state) {
    (void)state;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    of(connection)->dead = true;
    release(connection);
    time_passes_ms(20);
    database.failures = 1;
    assert_null(acquire());
    assert_int_equal(error.category, LIDO_ERROR_DISCONNECTED);
    assert_int_equal(pool.open, 0);
    lido__fault_clear(&error);
    release(acquire_surely());
}

/* ---- Waiting ---- */

static void a_full_pool_says_who_holds_its_connections(void **state) {
    (void)state;
    config.pool_timeout_ms = 30;
    make_pool(1, 1);
    lido__connection *first = acquire_at("orders.c", 12, &error);
    lido__connection *second = acquire_at("reports.c", 345, &error);
    int64_t began = lido__clock_now_us();
    assert_null(acquire());
    assert_true(lido__clock_now_us() - began >= 30000);
    assert_int_equal(error.category, LIDO_ERROR_POOL_EXHAUSTED);
    assert_non_null(strstr(error.message, "30 ms"));
    assert_non_null(strstr(error.hint, "orders.c:12"));
    assert_non_null(strstr(error.hint, "reports.c:345"));
    assert_null(last_in_queue());
    release(first);
    release(second);
}

static void a_pool_timeout_of_zero_does_not_wait(void **state) {
    (void)state;
    config.pool_timeout_ms = 0;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    assert_null(acquire());
    assert_int_equal(error.category, LIDO_ERROR_POOL_EXHAUSTED);
    release(connection);
}

static void a_freed_connection_goes_to_who_has_waited_longest(void **state) {
    (void)state;
    enum { CUSTOMERS = 6 };
    customer customers[CUSTOMERS];
    make_pool(1, 0);
    atomic_store(&served, 0);
    lido__connection *connection = acquire_surely();
    for (int i = 0; i < CUSTOMERS; i++)
        let_queue(&customers[i], true);
    release(connection);
    for (int i = 0; i < CUSTOMERS; i++) {
        wait_for(&customers[i]);
        assert_int_equal(customers[i].served_as, i + 1);
        assert_int_equal(customers[i].number, 1);
    }
    assert_int_equal(database.attempts, 1);
}

/* Of three in the queue, the one at `position` runs out of patience; the others are served, and in their order. */
static void leave_the_queue_at(int position) {
    customer customers[3];
    customer late;
    lido__connection *connection = acquire_surely();
    atomic_store(&served, 0);
    for (int i = 0; i < 3; i++)
        let_queue(&customers[i], i != position);
    wait_for(&customers[position]);
    assert_null(customers[position].got);
    assert_int_equal(customers[position].error.category, LIDO_ERROR_POOL_EXHAUSTED);
    let_queue(&late, true);
    release(connection);
    int expected = 1;
    for (int i = 0; i < 3; i++)
        if (i != position) {
            wait_for(&customers[i]);
            assert_int_equal(customers[i].served_as, expected++);
        }
    wait_for(&late);
    assert_int_equal(late.served_as, 3);
    assert_null(last_in_queue());
}

static void who_stops_waiting_leaves_the_queue_as_it_was(void **state) {
    (void)state;
    config.pool_timeout_ms = 40;
    make_pool(1, 0);
    leave_the_queue_at(0);
    leave_the_queue_at(1);
    leave_the_queue_at(2);
    assert_int_equal(database.attempts, 1);
}

static void in_place_of_a_broken_connection_the_waiter_opens_one(void **state) {
    (void)state;
    customer waiting;
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    let_queue(&waiting, true);
    connection->broken = true;
    release(connection);
    wait_for(&waiting);
    assert_int_equal(waiting.number, 2);
    assert_int_equal(pool.open, 1);
}

/* ---- Openings that fail or take long ---- */

static void a_failed_opening_is_reported_and_its_slot_is_free_again(void **state) {
    (void)state;
    make_pool(1, 1);
    database.failures = 3;
    for (int i = 0; i < 3; i++) {
        assert_null(acquire());
        assert_int_equal(error.category, LIDO_ERROR_DISCONNECTED);
        assert_string_equal(error.message, "nobody opened");
        lido__fault_clear(&error);
        assert_int_equal(pool.open, 0);
    }
    lido__connection *first = acquire_surely();
    lido__connection *second = acquire_surely();
    release(first);
    release(second);
}

static void when_an_opening_fails_who_waits_is_told(void **state) {
    (void)state;
    customer opening;
    customer waiting;
    make_pool(1, 0);
    let_open(false);
    database.failures = 1;
    let_come(&opening, true);
    wait_until_opening(1);
    let_queue(&waiting, true);
    let_open(true);
    wait_for(&opening);
    wait_for(&waiting);
    assert_null(opening.got);
    assert_null(waiting.got);
    assert_int_equal(opening.error.category, LIDO_ERROR_DISCONNECTED);
    assert_int_equal(waiting.error.category, LIDO_ERROR_DISCONNECTED);
    release(acquire_surely()); /* after a pause, the next one tries */
}

static void one_failed_opening_tells_all_who_wait(void **state) {
    (void)state;
    enum { CUSTOMERS = 5 };
    customer customers[CUSTOMERS];
    make_pool(1, 0);
    let_open(false);
    database.failures = 1;
    let_come(&customers[0], true);
    wait_until_opening(1);
    for (int i = 1; i < CUSTOMERS; i++)
        let_queue(&customers[i], true);
    let_open(true);
    for (int i = 0; i < CUSTOMERS; i++) {
        wait_for(&customers[i]);
        assert_int_equal(customers[i].error.category, LIDO_ERROR_DISCONNECTED);
    }
    assert_int_equal(pool.open, 0);
    assert_int_equal(database.attempts, 1);
}

static void a_slow_opening_holds_up_nobody_else(void **state) {
    (void)state;
    customer slow;
    make_pool(2, 0);
    lido__connection *connection = acquire_surely();
    let_open(false);
    let_come(&slow, true);
    wait_until_opening(1);
    release(connection); /* while the other one is being opened */
    assert_ptr_equal(acquire_surely(), connection);
    release(connection);
    let_open(true);
    wait_for(&slow);
    assert_int_equal(slow.number, 2);
}

/* ---- Closing ---- */

static void a_closed_pool_refuses(void **state) {
    (void)state;
    make_pool(2, 0);
    release(acquire_surely());
    lido__pool_close(&pool);
    assert_int_equal(database.open, 0);
    assert_null(acquire());
    assert_int_equal(error.category, LIDO_ERROR_MISUSE);
    assert_int_equal(database.attempts, 1);
}

static void a_connection_in_use_is_closed_when_it_comes_back(void **state) {
    (void)state;
    make_pool(2, 0);
    lido__connection *used = acquire_surely();
    release(acquire_surely());
    lido__pool_close(&pool);
    assert_int_equal(database.open, 1);
    release(used);
    assert_int_equal(database.open, 0);
}

static void closing_sends_the_queue_home(void **state) {
    (void)state;
    enum { CUSTOMERS = 4 };
    customer customers[CUSTOMERS];
    make_pool(1, 0);
    lido__connection *connection = acquire_surely();
    for (int i = 0; i < CUSTOMERS; i++)
        let_queue(&customers[i], true);
    lido__pool_close(&pool);
    for (int i = 0; i < CUSTOMERS; i++) {
        wait_for(&customers[i]);
        assert_null(customers[i].got);
        assert_int_equal(customers[i].error.category, LIDO_ERROR_MISUSE);
    }
    release(connection);
}

static void an_opening_that_ends_after_the_close_is_closed_on_return(void **state) {
    (void)state;
    customer opening;
    make_pool(1, 0);
    let_open(false);
    let_come(&opening, true);
    wait_until_opening(1);
    lido__pool_close(&pool);
    let_open(true);
    wait_for(&opening);
    assert_int_equal(database.open, 0);
}

/* ---- Everything at once ---- */

enum { PLAYERS = 8, ROUNDS = 250, PLAYED_SIZE = 2, PLAYED_OVERFLOW = 1 };

typedef struct player {
    pthread_t thread;
    uint64_t random;
    int served;
    int refused;   /* an opening failed */
    int exhausted; /* with so much patience: a wake-up was lost */
    int shared;    /* somebody else held the connection, too */
} player;

/* xorshift64* (Vigna 2016): the same seed plays the same game, as far as the scheduler lets it. */
static unsigned draw(player *self, unsigned below) {
    self->random ^= self->random >> 12;
    self->random ^= self->random << 25;
    self->random ^= self->random >> 27;
    return (unsigned)((self->random * 0x2545F4914F6CDD1DU) >> 40) % below;
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
    of(connection)->dead = draw(self, 16) == 0;
    atomic_store(&of(connection)->held, false);
    lido__pool_release(&pool, connection);
}

static void *play(void *argument) {
    player *self = argument;
    for (int i = 0; i < ROUNDS; i++) {
        lido_error told = LIDO_ERROR_INIT;
        if (draw(self, 16) == 0) {
            pthread_mutex_lock(&database.lock);
            database.failures = 1;
            pthread_mutex_unlock(&database.lock);
        }
        lido__connection *connection = acquire_at("player.c", i, &told);
        if (connection != NULL)
            use(self, connection);
        else if (told.category == LIDO_ERROR_POOL_EXHAUSTED)
            self->exhausted++;
        else
            self->refused++;
        dawdle(self);
    }
    return NULL;
}

static void no_wake_up_is_lost_in_a_crowd(void **state) {
    (void)state;
    player players[PLAYERS];
    const char *asked = getenv("LIDO_TEST_SEED");
    uint64_t seed = asked != NULL ? strtoull(asked, NULL, 10) : lido__random() % 1000000;
    print_message("           LIDO_TEST_SEED=%llu\n", (unsigned long long)seed);
    make_pool(PLAYED_SIZE, PLAYED_OVERFLOW);
    for (size_t i = 0; i < PLAYERS; i++) {
        players[i] = (player){.random = (seed + 1) * 0x9E3779B97F4A7C15U + i};
        assert_int_equal(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
    }
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
    for (size_t i = 0; i < PLAYERS; i++) {
        players[i] = (player){.random = i + 1};
        assert_int_equal(pthread_create(&players[i].thread, NULL, play, &players[i]), 0);
    }
    for (size_t i = 0; i < PLAYERS; i++) {
        pthread_join(players[i].thread, NULL);
        assert_int_equal(players[i].shared, 0);
    }
    assert_null(last_in_queue());
    assert_null(pool.used);
    lido__fault_clear(&error);
    database.failures = 0;
    config.pool_timeout_ms = 20000;
    release(acquire_surely());
}

#define POOL_TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        POOL_TEST(nothing_is_opened_before_it_is_needed),
        POOL_TEST(a_connection_is_used_again),
        POOL_TEST(the_newest_idle_connection_is_used_first),
        POOL_TEST(connections_beyond_the_pool_s_size_are_closed_on_return),
        POOL_TEST(an_overflow_without_limit_never_waits),
        POOL_TEST(a_broken_connection_is_not_used_again),
        POOL_TEST(a_connection_in_a_transaction_is_not_used_again),
        POOL_TEST(a_connection_that_died_while_idle_is_replaced),
        POOL_TEST(a_connection_used_just_now_is_not_looked_at),
        POOL_TEST(without_pre_ping_nothing_is_looked_at),
        POOL_TEST(an_old_connection_is_replaced),
        POOL_TEST(a_replacement_that_cannot_be_opened_leaves_its_slot),
        POOL_TEST(a_full_pool_says_who_holds_its_connections),
        POOL_TEST(a_pool_timeout_of_zero_does_not_wait),
        POOL_TEST(a_freed_connection_goes_to_who_has_waited_longest),
        POOL_TEST(who_stops_waiting_leaves_the_queue_as_it_was),
        POOL_TEST(in_place_of_a_broken_connection_the_waiter_opens_one),
        POOL_TEST(a_failed_opening_is_reported_and_its_slot_is_free_again),
        POOL_TEST(when_an_opening_fails_who_waits_is_told),
        POOL_TEST(one_failed_opening_tells_all_who_wait),
        POOL_TEST(a_slow_opening_holds_up_nobody_else),
        POOL_TEST(a_closed_pool_refuses),
        POOL_TEST(a_connection_in_use_is_closed_when_it_comes_back),
        POOL_TEST(closing_sends_the_queue_home),
        POOL_TEST(an_opening_that_ends_after_the_close_is_closed_on_return),
        POOL_TEST(no_wake_up_is_lost_in_a_crowd),
        POOL_TEST(no_connection_is_lost_to_who_stopped_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
