/* A bank under 16 threads, while others cancel at random and, on PostgreSQL, kill connections: money is neither made
 * nor lost, every transfer that was acknowledged is in the ledger once, none that was rolled back is there, and at the
 * end the program holds what it held before. */
#include "soak.h"
#include "support/chance.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum {
    CLERKS = 16,
    FUNCTION_CLERKS = 4, /* of those, how many leave the trying again to lido_transact */
    ACCOUNTS = 100,
    BALANCE = 1000,
    POOL_SIZE = 8, /* fewer than there are clerks, so that they wait for each other */
    POOL_OVERFLOW = 2,
    ROUND_MS = 4000,
    WARM_UP_MS = 300,
    CANCEL_EVERY_MOST_MS = 6,
    KILL_EVERY_MOST_MS = 150,
    AUDIT_EVERY_MS = 20,
    SHIFT = 32 /* a transfer's number is its clerk's, shifted by this, plus its count */
};

/* What one clerk has been told of each of its transfers, by number. */
typedef struct clerk {
    struct bank *bank;
    int number;
    pthread_t thread;
    uint64_t random;
    lido_session *session;
    unsigned char *outcomes; /* of lido_status */
    int64_t count;
    int64_t capacity;
    uint64_t attempts;
    bool surprised;
    lido_error surprise; /* an error that no cancelling, killing or locking explains */
} clerk;

typedef struct bank {
    const char *url;
    lido_engine *engine;
    bool kills;
    atomic_bool closing;
    pthread_barrier_t opened; /* by the clerks and the canceller: all have their sessions */
    pthread_barrier_t closed; /* nobody is cancelled any more */
    atomic_int wrong_audits;
    uint64_t audits;
    uint64_t cancels;
    uint64_t kills_done;
    clerk clerks[CLERKS];
} bank;

static void pause_ms(uint64_t milliseconds) {
    const struct timespec pause = {.tv_nsec = (long)milliseconds * 1000000};
    nanosleep(&pause, NULL);
}

/* ---- Transfers ---- */

/* One in three is sent ahead and answered with its commit. */
static bool transfer(lido_session *db, void *argument) {
    clerk *self = argument;
    int64_t number = ((int64_t)self->number << SHIFT) + self->count;
    int64_t from = (int64_t)draw_below(&self->random, ACCOUNTS);
    int64_t to = (from + 1 + (int64_t)draw_below(&self->random, ACCOUNTS - 1)) % ACCOUNTS;
    int64_t amount = 1 + (int64_t)draw_below(&self->random, 10);
    self->attempts++;
    if (number % 3 == 0) {
        lido_send(db, "UPDATE bank_accounts SET balance = balance - ? WHERE id = ?", amount, from);
        lido_send(db, "UPDATE bank_accounts SET balance = balance + ? WHERE id = ?", amount, to);
        lido_send(db, "INSERT INTO bank_ledger VALUES (?, ?, ?, ?)", number, from, to, amount);
    } else {
        lido_exec(db, "UPDATE bank_accounts SET balance = balance - ? WHERE id = ?", amount, from);
        lido_exec(db, "UPDATE bank_accounts SET balance = balance + ? WHERE id = ?", amount, to);
        lido_exec(db, "INSERT INTO bank_ledger VALUES (?, ?, ?, ?)", number, from, to, amount);
    }
    return true;
}

static bool is_explained(const lido_error *error) {
    switch (error->category) {
    case LIDO_ERROR_CANCELLED:
    case LIDO_ERROR_DISCONNECTED:
    case LIDO_ERROR_UNKNOWN_OUTCOME:
    case LIDO_ERROR_DEADLOCK:
    case LIDO_ERROR_SERIALISATION:
    case LIDO_ERROR_BUSY:
        return true;
    default:
        return false;
    }
}

static void note(clerk *self, lido_status outcome, const lido_error *error) {
    if (self->count == self->capacity) {
        self->capacity = self->capacity * 2 + 256;
        self->outcomes = realloc(self->outcomes, (size_t)self->capacity);
        if (self->outcomes == NULL)
            abort();
    }
    self->outcomes[self->count++] = (unsigned char)outcome;
    if (outcome == LIDO_OK || self->surprised || is_explained(error))
        return;
    self->surprised = true;
    self->surprise = *error;
}

static void *work_by_function(void *argument) {
    clerk *self = argument;
    while (!atomic_load(&self->bank->closing)) {
        lido_error error = LIDO_ERROR_INIT;
        note(self, lido_transact(self->bank->engine, &(lido_transact_options){.error = &error}, transfer, self),
             &error);
    }
    return NULL;
}

/* On one session all the time: it may be cancelled at any moment. */
static void *work_by_hand(void *argument) {
    clerk *self = argument;
    self->session = lido_session_open(self->bank->engine, NULL);
    pthread_barrier_wait(&self->bank->opened);
    while (!atomic_load(&self->bank->closing)) {
        transfer(self->session, self);
        lido_status outcome = lido_commit(self->session);
        note(self, outcome, lido_error_of(self->session));
    }
    pthread_barrier_wait(&self->bank->closed);
    lido_session_close(self->session);
    return NULL;
}

/* ---- Those who disturb ---- */

static void *cancel_at_random(void *argument) {
    bank *self = argument;
    uint64_t random = 7;
    pthread_barrier_wait(&self->opened);
    while (!atomic_load(&self->closing)) {
        clerk *victim = &self->clerks[FUNCTION_CLERKS + draw_below(&random, CLERKS - FUNCTION_CLERKS)];
        self->cancels += lido_cancel(victim->session) == LIDO_OK;
        pause_ms(draw_below(&random, CANCEL_EVERY_MOST_MS));
    }
    pthread_barrier_wait(&self->closed);
    return NULL;
}

static void *kill_at_random(void *argument) {
    bank *self = argument;
    uint64_t random = 11;
    lido_engine *engine = lido_engine_open(self->url, NULL, NULL);
    lido_session *db = open_autocommit(engine);
    while (!atomic_load(&self->closing)) {
        lido_value killed = lido_query_value(db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                                 "WHERE application_name = 'lido bank' ORDER BY random() LIMIT 1");
        self->kills_done += killed.kind == LIDO_KIND_BOOL && killed.as.boolean;
        pause_ms(draw_below(&random, KILL_EVERY_MOST_MS));
    }
    lido_session_close(db);
    lido_engine_close(engine);
    return NULL;
}

static void *audit(void *argument) {
    bank *self = argument;
    const lido_session_options options = {.autocommit = true, .read_only = true};
    lido_session *db = lido_session_open(self->engine, &options);
    while (!atomic_load(&self->closing)) {
        lido_value total = lido_query_value(db, "SELECT CAST(sum(balance) AS bigint) FROM bank_accounts");
        if (!lido_failed(db) && total.as.integer != ACCOUNTS * BALANCE)
            atomic_fetch_add(&self->wrong_audits, 1);
        self->audits++;
        pause_ms(AUDIT_EVERY_MS);
    }
    lido_session_close(db);
    return NULL;
}

/* ---- A day at the bank ---- */

static void found(const bank *self) {
    lido_engine *engine = open_surely(self->url, NULL);
    run_surely(engine, "DROP TABLE IF EXISTS bank_accounts; DROP TABLE IF EXISTS bank_ledger;"
                       "CREATE TABLE bank_accounts (id bigint PRIMARY KEY, balance bigint);"
                       "CREATE TABLE bank_ledger (number bigint, payer bigint, payee bigint, amount bigint)");
    lido_session *db = lido_session_open(engine, NULL);
    for (int i = 0; i < ACCOUNTS; i++)
        lido_exec(db, "INSERT INTO bank_accounts VALUES (?, ?)", i, BALANCE);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
    lido_engine_close(engine);
}

static void start(pthread_t *thread, void *(*function)(void *), void *argument) {
    assert_int_equal(pthread_create(thread, NULL, function, argument), 0);
}

static void be_busy(bank *self, uint64_t milliseconds) {
    pthread_t canceller;
    pthread_t killer;
    pthread_t auditor;
    pthread_barrier_init(&self->opened, NULL, CLERKS - FUNCTION_CLERKS + 1);
    pthread_barrier_init(&self->closed, NULL, CLERKS - FUNCTION_CLERKS + 1);
    for (int i = 0; i < CLERKS; i++) {
        self->clerks[i] = (clerk){.bank = self, .number = i, .random = (uint64_t)i * 977 + 1};
        start(&self->clerks[i].thread, i < FUNCTION_CLERKS ? work_by_function : work_by_hand, &self->clerks[i]);
    }
    start(&canceller, cancel_at_random, self);
    start(&auditor, audit, self);
    if (self->kills)
        start(&killer, kill_at_random, self);
    for (uint64_t waited = 0; waited < milliseconds; waited += 100)
        pause_ms(100);
    atomic_store(&self->closing, true);
    for (int i = 0; i < CLERKS; i++)
        pthread_join(self->clerks[i].thread, NULL);
    pthread_join(canceller, NULL);
    pthread_join(auditor, NULL);
    if (self->kills)
        pthread_join(killer, NULL);
    pthread_barrier_destroy(&self->opened);
    pthread_barrier_destroy(&self->closed);
}

/* ---- The books ---- */

/* How often each of a clerk's transfers is in the ledger. */
static unsigned char *read_ledger(lido_session *db, const clerk *of) {
    unsigned char *times = calloc((size_t)of->count + 1, 1);
    int64_t first = (int64_t)of->number << SHIFT;
    int64_t number;
    assert_non_null(times);
    lido_rows *rows = lido_stream(db, "SELECT number FROM bank_ledger WHERE number >= ? AND number < ?", first,
                                  first + (INT64_C(1) << SHIFT));
    while (lido_next(rows) && lido_scan(rows, &number)) {
        assert_in_range(number, first, first + of->count - 1);
        times[number - first]++;
    }
    expect_no_error(db);
    lido_rows_close(rows);
    return times;
}

static void check_clerk(lido_session *db, const clerk *checked, int64_t counts[4]) {
    if (checked->surprised) {
        lido_error_print(&checked->surprise, stderr);
        fail_msg("clerk %d met an error that nothing explains", checked->number);
    }
    unsigned char *times = read_ledger(db, checked);
    for (int64_t i = 0; i < checked->count; i++) {
        unsigned char outcome = checked->outcomes[i];
        counts[outcome]++;
        if (outcome == LIDO_UNKNOWN ? times[i] > 1 : times[i] != (outcome == LIDO_OK))
            fail_msg("clerk %d, transfer %" PRId64 ": %s, and %d times in the ledger", checked->number, i,
                     lido_status_name((lido_status)outcome), times[i]);
    }
    free(times);
}

/* Each account holds what the ledger says. */
static const char wrong_balances[] = "SELECT count(*) FROM bank_accounts AS a WHERE balance <> 1000 - "
                                     "(SELECT coalesce(sum(amount), 0) FROM bank_ledger WHERE payer = a.id) + "
                                     "(SELECT coalesce(sum(amount), 0) FROM bank_ledger WHERE payee = a.id)";

static void check_books(bank *self) {
    int64_t counts[4] = {0};
    lido_engine *engine = open_surely(self->url, NULL);
    lido_session *db = lido_session_open(engine, NULL);
    for (int i = 0; i < CLERKS; i++)
        check_clerk(db, &self->clerks[i], counts);
    lido_session_close(db);
    assert_int_equal(ask_surely(engine, wrong_balances), 0);
    assert_int_equal(ask_surely(engine, "SELECT CAST(sum(balance) AS bigint) FROM bank_accounts"), ACCOUNTS * BALANCE);
    lido_engine_close(engine);
    assert_int_equal(atomic_load(&self->wrong_audits), 0);
    print_message("%" PRId64 " committed, %" PRId64 " rolled back, %" PRId64 " unknown; %" PRIu64 " cancels, %" PRIu64
                  " kills, %" PRIu64 " audits\n",
                  counts[LIDO_OK], counts[LIDO_ROLLED_BACK], counts[LIDO_UNKNOWN], self->cancels, self->kills_done,
                  self->audits);
    assert_true(counts[LIDO_OK] > 0);
    assert_int_equal(counts[LIDO_ERROR], 0);
}

static void check_pool(bank *self) {
    lido_pool_stats stats;
    uint64_t leases = self->audits + 1;
    assert_int_equal(ask_surely(self->engine, "SELECT 1"), 1); /* it may be pausing after a kill */
    lido_engine_stats(self->engine, &stats);
    for (int i = 0; i < CLERKS; i++)
        leases += self->clerks[i].attempts;
    /* A connection that turns out to be broken by what its last holder left on it is exchanged for another. */
    assert_in_range(stats.acquires, leases, leases + (self->kills ? self->kills_done + self->cancels : 0));
    assert_int_equal(stats.in_use, 0);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.open, stats.idle);
    assert_in_range(stats.open, 0, POOL_SIZE);
    assert_in_range(stats.failed_connects, 0, self->kills_done); /* who is killed may have just come */
    assert_int_equal(stats.timeouts, 0);
    assert_int_equal(stats.recycled, 0);
    assert_false(stats.down);
    assert_true(stats.waits > 0 && stats.wait_us > 0 && stats.use_us > 0);
    assert_true(stats.connects >= (uint64_t)stats.open + stats.invalidated);
    assert_true(self->kills_done == 0 || stats.connects > (uint64_t)stats.open);
}

static void spend_a_day(const char *url, bool kills, uint64_t milliseconds) {
    static bank self;
    lido_options options = LIDO_OPTIONS_INIT;
    self = (bank){.url = url, .kills = kills};
    options.pool_size = POOL_SIZE;
    options.max_overflow = POOL_OVERFLOW;
    options.application_name = "lido bank";
    options.synchronous = "normal";
    found(&self);
    self.engine = open_surely(url, &options);
    be_busy(&self, milliseconds);
    check_pool(&self);
    lido_engine_close(self.engine);
    check_books(&self);
    for (int i = 0; i < CLERKS; i++)
        free(self.clerks[i].outcomes);
}

/* The first day is there for what libraries keep from their first use on. */
static void spend_days(const char *url, bool kills) {
    spend_a_day(url, kills, WARM_UP_MS);
    int descriptors = count_descriptors();
    size_t allocated = count_allocated();
    spend_a_day(url, kills, ROUND_MS);
    assert_int_equal(count_descriptors(), descriptors);
    assert_in_range(count_allocated(), 0, allocated + GROWTH_MOST);
}

static void a_bank_on_postgres_balances(void **state) {
    (void)state;
    spend_days(postgres_url(), true);
}

static void a_bank_on_sqlite_balances(void **state) {
    (void)state;
    spend_days(file_url("bank.db"), false);
}

static int run_once(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bank_on_postgres_balances),
        cmocka_unit_test_setup_teardown(a_bank_on_sqlite_balances, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void) {
    return soak_run(run_once);
}
