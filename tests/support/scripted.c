/* The database, the clock and the customers that the tests of the pool are told with. */
#include "support/scripted.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fault.h"

scripted_database database;
lido__config config;
lido__pool pool;
lido_error told;
atomic_int served;

/* ---- The database ---- */

scripted_connection *of(lido__connection *connection) {
    return (scripted_connection *)connection;
}

int number_of(lido__connection *connection) {
    return of(connection)->number;
}

/* Under the database's lock: waits while *stopped, being counted in *count. */
static void stand_by(const bool *stopped, int *count) {
    ++*count;
    pthread_cond_broadcast(&database.changed);
    while (*stopped)
        pthread_cond_wait(&database.changed, &database.lock);
    --*count;
}

static lido__connection *scripted_open(const lido__config *settings, void *argument, lido_error *error) {
    (void)settings;
    (void)argument;
    scripted_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        abort();
    pthread_mutex_lock(&database.lock);
    int attempt = ++database.attempts;
    database.open++;
    if (database.open > database.most)
        database.most = database.open;
    database.opening++;
    pthread_cond_broadcast(&database.changed);
    while (database.shut && database.let_through != attempt)
        pthread_cond_wait(&database.changed, &database.lock);
    database.opening--;
    bool succeeds = database.failures == 0;
    if (succeeds) {
        connection->number = ++database.next_number;
    } else {
        database.failures--;
        database.open--;
    }
    lido_category failure = database.failure != LIDO_ERROR_NONE ? database.failure : LIDO_ERROR_DISCONNECTED;
    pthread_mutex_unlock(&database.lock);
    if (succeeds)
        return &connection->base;
    free(connection);
    lido__fault(error, failure, "nobody opened");
    return NULL;
}

static void scripted_close(lido__connection *connection) {
    pthread_mutex_lock(&database.lock);
    if (of(connection)->cancelled_by > 0 || of(connection)->disarmed)
        database.misused++;
    database.open--;
    database.closed++;
    pthread_mutex_unlock(&database.lock);
    free(connection);
}

static bool scripted_alive(lido__connection *connection) {
    pthread_mutex_lock(&database.lock);
    database.looks++;
    pthread_mutex_unlock(&database.lock);
    connection->server_gone = of(connection)->gone;
    return !of(connection)->dead && !of(connection)->gone;
}

static bool scripted_ping(lido__connection *connection, int64_t deadline) {
    int64_t left = deadline - lido__clock_now_us();
    pthread_mutex_lock(&database.lock);
    database.pings++;
    if (left / 1000 > database.most_ms_for_a_ping)
        database.most_ms_for_a_ping = (int)(left / 1000);
    stand_by(&database.pings_wait, &database.pinging);
    bool answers = !database.deaf;
    bool refuses = connection->doubted && database.demoted;
    pthread_mutex_unlock(&database.lock);
    connection->broken = !answers;
    connection->doubted = false;
    connection->server_gone = refuses;
    return answers && !refuses;
}

static void scripted_cancel(lido__connection *connection, bool give_up) {
    pthread_mutex_lock(&database.lock);
    database.cancels++;
    database.given_up += give_up;
    of(connection)->cancelled_by++;
    stand_by(&database.cancels_wait, &database.cancelling);
    of(connection)->cancelled_by--;
    pthread_mutex_unlock(&database.lock);
}

static void *scripted_attach(const lido__config *settings, lido_error *error) {
    (void)settings;
    if (database.not_attachable) {
        lido__fault_memory(error, "attaching");
        return NULL;
    }
    database.attached++;
    return &database;
}

static void scripted_disarm(lido__connection *connection) {
    if (of(connection)->disarmed)
        database.misused++;
    of(connection)->disarmed = true;
    database.disarmed++;
}

static void scripted_abandon(lido__connection *connection) {
    if (!of(connection)->disarmed)
        database.misused++;
    database.abandoned++;
    database.open--;
    free(connection);
}

static const lido__backend scripted_backend = {
    .name = "scripted",
    .attach = scripted_attach,
    .open = scripted_open,
    .close = scripted_close,
    .disarm = scripted_disarm,
    .abandon = scripted_abandon,
    .alive = scripted_alive,
    .ping = scripted_ping,
    .cancel = scripted_cancel,
};

static void set_stopped(bool *stopped, bool value) {
    pthread_mutex_lock(&database.lock);
    *stopped = value;
    pthread_cond_broadcast(&database.changed);
    pthread_mutex_unlock(&database.lock);
}

static void wait_until_standing_by(const int *standing, int count) {
    pthread_mutex_lock(&database.lock);
    while (*standing < count)
        pthread_cond_wait(&database.changed, &database.lock);
    pthread_mutex_unlock(&database.lock);
}

void let_open(bool may) {
    set_stopped(&database.shut, !may);
}

void let_through(int attempt) {
    pthread_mutex_lock(&database.lock);
    database.let_through = attempt;
    pthread_cond_broadcast(&database.changed);
    pthread_mutex_unlock(&database.lock);
}

void wait_until_opening(int count) {
    wait_until_standing_by(&database.opening, count);
}

void let_cancels_end(bool may) {
    set_stopped(&database.cancels_wait, !may);
}

void let_pings_end(bool may) {
    set_stopped(&database.pings_wait, !may);
}

void wait_until_cancelling(int count) {
    wait_until_standing_by(&database.cancelling, count);
}

void wait_until_pinging(int count) {
    wait_until_standing_by(&database.pinging, count);
}

void let_fail(int count) {
    pthread_mutex_lock(&database.lock);
    database.failures = count;
    pthread_mutex_unlock(&database.lock);
}

/* ---- The clock ---- */

static atomic_int_fast64_t time_passed_us;
static atomic_int_fast64_t time_stopped_at;  /* 0: it runs */
static _Thread_local int64_t stood_still_at; /* in a thread whose wait never ends by itself; 0: it does */

static int64_t system_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t moved_clock(void) {
    if (stood_still_at != 0)
        return stood_still_at;
    int64_t stopped = atomic_load(&time_stopped_at);
    return (stopped != 0 ? stopped : system_clock()) + atomic_load(&time_passed_us);
}

void time_stands_still(void) {
    atomic_store(&time_stopped_at, system_clock());
}

void time_passes_us(int64_t us) {
    atomic_fetch_add(&time_passed_us, us);
}

void time_passes_ms(int64_t ms) {
    time_passes_us(ms * 1000);
}

/* ---- The pool of a test ---- */

static bool keeper_is_denied;

int scripted_begin(void **state) {
    (void)state;
    memset(&database, 0, sizeof database);
    pthread_mutex_init(&database.lock, NULL);
    pthread_cond_init(&database.changed, NULL);
    memset(&config, 0, sizeof config);
    config.pool_timeout_ms = 20000;
    config.pool_recycle_ms = config.pool_max_idle_ms = config.pool_ping_after_ms = config.pool_leak_after_ms = -1;
    config.pool_max_waiting = -1;
    config.display = "scripted";
    config.pool_pre_ping = true;
    keeper_is_denied = false;
    lido__fault_clear(&told);
    atomic_store(&served, 0);
    atomic_store(&time_passed_us, 0);
    atomic_store(&time_stopped_at, 0);
    lido__clock_replace(moved_clock);
    return 0;
}

int scripted_end(void **state) {
    (void)state;
    if (keeper_is_denied)
        pool.keeper_runs = false;
    lido__pool_close(&pool);
    int left = pool.open;
    lido__pool_done(&pool);
    lido__clock_replace(NULL);
    pthread_cond_destroy(&database.changed);
    pthread_mutex_destroy(&database.lock);
    if (left == 0 && database.open == 0 && database.most <= database.limit && database.misused == 0)
        return 0;
    print_error("%d slots and %d connections are left; at most %d were open of %d; %d misuses\n", left, database.open,
                database.most, database.limit, database.misused);
    return -1;
}

void make_pool(int size, int overflow) {
    config.pool_size = size;
    config.max_overflow = overflow;
    database.limit = overflow < 0 ? INT32_MAX : size + overflow;
    assert_true(lido__pool_init(&pool, &config, &scripted_backend, &database));
}

void without_keeper(void) {
    keeper_is_denied = true;
    pool.keeper_runs = true; /* as far as the pool knows, so that it starts none */
}

static lido__connection *acquire_by(const void *holder, uint64_t owner, const char *file, int line, lido_error *error) {
    static atomic_uint_fast64_t owners;
    const lido__lease lease = {
        .holder = holder,
        .owner = owner != 0 ? owner : atomic_fetch_add(&owners, 1) + 1000000,
        .file = file,
        .line = line,
    };
    return lido__pool_acquire(&pool, &lease, error);
}

lido__connection *acquire_at(const char *file, int line, lido_error *error) {
    return acquire_by(NULL, 0, file, line, error);
}

lido__connection *acquire_for(const void *holder, uint64_t owner, lido_error *error) {
    return acquire_by(holder, owner, "session.c", 1, error);
}

lido__connection *acquire(void) {
    return acquire_at("program.c", 7, &told);
}

lido__connection *acquire_surely(void) {
    lido__connection *connection = acquire();
    if (connection == NULL)
        lido_error_print(&told, stderr);
    assert_non_null(connection);
    return connection;
}

void release(lido__connection *connection) {
    lido__pool_release(&pool, connection);
}

void assert_refused(lido_category category) {
    lido__fault_clear(&told);
    assert_null(acquire());
    assert_int_equal(told.category, category);
    lido__fault_clear(&told);
}

int idle_now(lido__connection **idle, int most) {
    int count = 0;
    pthread_mutex_lock(&pool.lock);
    for (lido__connection *at = lido__places_take_all(&pool.places); at != NULL; at = at->next) {
        assert_true(count < most);
        idle[count++] = at;
    }
    for (int i = count - 1; i >= 0; i--)
        lido__places_push(&pool.places, idle[i]);
    pthread_mutex_unlock(&pool.lock);
    return count;
}

lido_pool_stats stats_now(void) {
    lido_pool_stats stats;
    lido__pool_read_stats(&pool, &stats);
    return stats;
}

/* ---- Somebody else ---- */

static void *come(void *argument) {
    customer *self = argument;
    if (self->patient)
        stood_still_at = moved_clock();
    self->got = acquire_by(self, self->owner, "customer.c", 1, &self->error);
    if (self->got != NULL) {
        self->number = number_of(self->got);
        self->served_as = atomic_fetch_add(&served, 1) + 1;
        if (!self->keeps)
            lido__pool_release(&pool, self->got);
    }
    return NULL;
}

lido__pool_waiter *last_in_queue(void) {
    pthread_mutex_lock(&pool.lock);
    lido__pool_waiter *newest = pool.newest;
    pthread_mutex_unlock(&pool.lock);
    return newest;
}

static void start(customer *who) {
    assert_int_equal(pthread_create(&who->thread, NULL, come, who), 0);
}

static void start_in_queue(customer *who) {
    const lido__pool_waiter *before = last_in_queue();
    start(who);
    while (last_in_queue() == before)
        sched_yield();
}

void let_come(customer *who, bool patient) {
    *who = (customer){.patient = patient, .error = LIDO_ERROR_INIT};
    start(who);
}

void let_queue(customer *who, bool patient) {
    *who = (customer){.patient = patient, .error = LIDO_ERROR_INIT};
    start_in_queue(who);
}

void let_come_as(customer *who, uint64_t owner) {
    *who = (customer){.owner = owner, .patient = true, .keeps = true, .error = LIDO_ERROR_INIT};
    start(who);
}

void let_queue_as(customer *who, uint64_t owner) {
    *who = (customer){.owner = owner, .patient = true, .keeps = true, .error = LIDO_ERROR_INIT};
    start_in_queue(who);
}

void wait_for(customer *who) {
    pthread_join(who->thread, NULL);
}

bool soon(bool (*so)(void)) {
    enum { MOST_MS = 20000 };
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < MOST_MS; i++) {
        if (so())
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}
