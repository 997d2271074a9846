/* A short transaction whose connection breaks at every byte that either side sends, or falls silent there: the outcome
 * that lido tells is what the database holds in the end, the call returns in time, and the engine goes on. */
#include "engines.h"
#include "in_task.h"
#include "soak.h"
#include "support/chance.h"
#include "support/proxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

enum {
    STEPS = 3, /* BEGIN and an insert, an insert, COMMIT */
    BREAK_NOTICED_MOST_MS = 5000,
    PATIENCE_MS = 200,      /* the statement timeout, where silence is what happens */
    SILENCE_MOST_MS = 20000 /* that, the time a cancel may take, the time its answer may take, and a slow machine */
};

/* How many bytes have passed each way when each step is done. */
typedef struct marks {
    size_t at[2][STEPS];
} marks;

/* One transaction through the proxy, and what became of it. */
typedef struct trial {
    proxy *between;
    lido_engine *engine;
    int64_t number; /* of its two rows */
    int64_t timeout_ms;
    proxy_fault fault;
    proxy_way way;
    size_t after;
    lido_status outcome;
    lido_error error;
    int64_t took_ms;
} trial;

static int64_t next_number = 100000; /* all with as many digits: each transaction has as many bytes */

static lido_engine *open_through(proxy *between) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.host = "127.0.0.1";
    options.port = proxy_port(between);
    options.sslmode = "disable";
    options.application_name = "lido proxy test";
    options.pool_size = 1;
    options.max_overflow = 0;
    options.pool_timeout_ms = 10000;
    return open_surely(postgres_url(), &options);
}

/* Before its proxy. */
static void close_engine(void) {
    lido_engine_close(engine);
    engine = NULL;
}

static proxy *open_proxy(void) {
    postgres_url();
    proxy *between = proxy_open();
    if (between == NULL) {
        print_message(POSTGRES_TEST_SKIPPED);
        skip();
    }
    return between;
}

static int begin(void **state) {
    (void)state;
    open_server("DROP TABLE IF EXISTS halves; CREATE TABLE halves (number bigint, half integer)");
    return 0;
}

/* ---- A trial ---- */

static void insert_halves(trial *self, marks *told) {
    lido_session *db =
        lido_session_open(self->engine, &(lido_session_options){.statement_timeout_ms = self->timeout_ms});
    for (int step = 0; step < STEPS; step++) {
        if (step < STEPS - 1)
            lido_exec(db, "INSERT INTO halves VALUES (?, ?)", self->number, step);
        else
            self->outcome = lido_commit(db);
        for (size_t way = 0; told != NULL && way < 2; way++)
            told->at[way][step] = proxy_passed(self->between, (proxy_way)way);
    }
    self->error = *lido_error_of(db);
    lido_session_close(db);
}

/* How a connection is found by the trial: made or found to work, with the statement prepared, or with the answer to the
 * last transaction's rollback still to come. */
typedef enum prior { PRIOR_WORKS, PRIOR_KNOWS, PRIOR_OWES } prior;

static void connect_first(const trial *self, prior before) {
    lido_session *db = lido_session_open(self->engine, NULL);
    if (before == PRIOR_WORKS)
        lido_query(db, "SELECT 1");
    else
        lido_exec(db, "INSERT INTO halves VALUES (?, ?)", 0, 0);
    if (before == PRIOR_OWES)
        lido_rollback(db);
    else
        lido_commit(db);
    if (lido_failed(db))
        lido_error_print(lido_error_of(db), stderr);
    assert_false(lido_failed(db));
    lido_session_close(db);
}

static void run_trial(trial *self) {
    proxy_arm(self->between, self->fault, self->way, self->after);
    int64_t began = lido__clock_now_us();
    insert_halves(self, NULL);
    self->took_ms = (lido__clock_now_us() - began) / 1000;
    proxy_arm(self->between, PROXY_PASSES, self->way, 0);
    if (self->outcome == LIDO_OK) /* a connection that was used a moment ago is not looked at: let it grow older */
        poll(NULL, 0, 20);
}

static marks measure(trial *on, prior before) {
    marks told;
    on->number = next_number++;
    connect_first(on, before);
    proxy_arm(on->between, PROXY_PASSES, PROXY_TO_SERVER, 0);
    insert_halves(on, &told);
    assert_int_equal(on->outcome, LIDO_OK);
    return told;
}

/* ---- Its judgement ---- */

static int64_t halves_that_stand(int64_t number) {
    lido_session *db = open_autocommit(server);
    lido_value value = lido_query_value(db, "SELECT count(*) FROM halves WHERE number = ?", number);
    expect_no_error(db);
    lido_session_close(db);
    return value.as.integer;
}

/* The last byte of what the server answered before COMMIT, or of what it was sent: from there on, the commit is under
 * way. */
static bool commit_was_sent(const trial *self, const marks *when) {
    const size_t *at = when->at[self->way];
    return self->way == PROXY_TO_SERVER ? self->after > at[STEPS - 2] : self->after >= at[STEPS - 2];
}

/* Behind COMMIT comes a Sync, which it does not need to be done. */
enum { SYNC_SIZE = 5 };

/* What the database must hold: 2 rows, 0, or, if all of COMMIT passed and no answer to it, either (-1). */
static int64_t halves_expected(const trial *self, const marks *when) {
    const size_t *at = when->at[self->way];
    if (self->way == PROXY_TO_SERVER)
        return self->after < at[STEPS - 1] - SYNC_SIZE ? 0 : -1;
    return self->after > at[STEPS - 2] ? 2 : 0;
}

#define ASSERT_OF(self, when, condition) \
    do { \
        if (!(condition)) \
            describe_trial(self, when); \
        assert_true(condition); \
    } while (0)

static void describe_trial(const trial *self, const marks *when) {
    static const char *const faults[] = {"nothing", "a cut", "a reset", "a stall", "a freeze"};
    const size_t *at = when->at[self->way];
    fprintf(stderr, "%s after %zu bytes to the %s (steps end at %zu, %zu, %zu): %s after %lld ms; %lld rows\n",
            faults[self->fault], self->after, self->way == PROXY_TO_SERVER ? "server" : "client", at[0], at[1], at[2],
            lido_status_name(self->outcome), (long long)self->took_ms, (long long)halves_that_stand(self->number));
    lido_error_print(&self->error, stderr);
}

/* Whatever the moment was. */
static void judge_truth(const trial *self, const marks *when, lido_category broken, int64_t most_ms) {
    int64_t stand = halves_that_stand(self->number);
    ASSERT_OF(self, when, stand == 0 || stand == 2);
    ASSERT_OF(self, when, self->outcome != LIDO_OK || stand == 2);
    ASSERT_OF(self, when, self->outcome != LIDO_ROLLED_BACK || stand == 0);
    ASSERT_OF(self, when, self->outcome != LIDO_ERROR);
    ASSERT_OF(self, when, self->outcome != LIDO_ROLLED_BACK || self->error.category == broken);
    ASSERT_OF(self, when, self->outcome != LIDO_UNKNOWN || self->error.category == LIDO_ERROR_UNKNOWN_OUTCOME);
    ASSERT_OF(self, when, !self->error.retryable);
    ASSERT_OF(self, when, self->took_ms <= most_ms);
}

static void judge(const trial *self, const marks *when, lido_category broken, int64_t most_ms) {
    int64_t expected = halves_expected(self, when);
    judge_truth(self, when, broken, most_ms);
    ASSERT_OF(self, when, expected < 0 || halves_that_stand(self->number) == expected);
    ASSERT_OF(self, when, self->outcome != LIDO_UNKNOWN || commit_was_sent(self, when));
}

/* What a server still does for a client that is gone must be done before it can be judged. */
static void wait_for_last_backend(void) {
    int64_t deadline = lido__clock_now_us() + 10 * INT64_C(1000000);
    while (ask_surely(server, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lido proxy test'") > 0)
        assert_true(lido__clock_now_us() < deadline);
}

/* ---- Breaks ---- */

enum { TRIALS_MOST = 4000 };

/* At every byte of either way. What is owed comes at some moment, so no byte has its place then. */
static void break_everywhere(proxy_fault fault, prior before) {
    static trial trials[TRIALS_MOST];
    size_t count = 0;
    trial pattern = {.between = open_proxy(), .fault = fault};
    pattern.engine = open_through(pattern.between);
    marks when = measure(&pattern, before);
    lido_engine_close(pattern.engine); /* its connection knows the statement now */
    pattern.engine = open_through(pattern.between);
    for (pattern.way = PROXY_TO_SERVER; pattern.way <= PROXY_TO_CLIENT; pattern.way++)
        for (pattern.after = 0; pattern.after <= when.at[pattern.way][STEPS - 1]; pattern.after++) {
            assert_in_range(count, 0, TRIALS_MOST - 1);
            trial *at = &trials[count++];
            *at = pattern;
            at->number = next_number++;
            connect_first(at, before);
            run_trial(at);
        }
    connect_first(&pattern, before);
    lido_engine_close(pattern.engine);
    wait_for_last_backend();
    for (size_t i = 0; i < count; i++)
        (before == PRIOR_OWES ? judge_truth : judge)(&trials[i], &when, LIDO_ERROR_DISCONNECTED, BREAK_NOTICED_MOST_MS);
    proxy_close(pattern.between);
}

static void a_cut_at_any_byte_is_told_truthfully(void **state) {
    (void)state;
    break_everywhere(PROXY_CUTS, PRIOR_WORKS);
}

static void so_it_is_where_the_statement_was_prepared(void **state) {
    (void)state;
    break_everywhere(PROXY_CUTS, PRIOR_KNOWS);
}

static void so_it_is_behind_a_rollback_that_nobody_waited_for(void **state) {
    (void)state;
    break_everywhere(PROXY_CUTS, PRIOR_OWES);
}

static void a_reset_is_told_as_truthfully(void **state) {
    (void)state;
    break_everywhere(PROXY_RESETS, PRIOR_WORKS);
}

/* While connecting there is no outcome to tell, only an error; and the next attempt succeeds. */
static void a_cut_while_connecting_is_no_connection(void **state) {
    (void)state;
    proxy *between = open_proxy();
    for (proxy_way way = PROXY_TO_SERVER; way <= PROXY_TO_CLIENT; way++)
        for (size_t after = 0; after < 50; after += 7) {
            trial on = {.between = between, .engine = open_through(between)};
            proxy_arm(between, PROXY_CUTS, way, after);
            lido_session *db = lido_session_open(on.engine, NULL);
            lido_query(db, "SELECT 1");
            expect_error(db, LIDO_ERROR_DISCONNECTED);
            assert_int_equal(lido_commit(db), LIDO_ROLLED_BACK);
            lido_session_close(db);
            connect_first(&on, PRIOR_WORKS);
            lido_engine_close(on.engine);
        }
    proxy_close(between);
}

/* ---- Silence ---- */

enum { SILENCES = 16 };

typedef struct silence {
    trial trial;
    pthread_t thread;
} silence;

static void *fall_silent(void *argument) {
    silence *self = argument;
    run_trial(&self->trial);
    return NULL;
}

static uint64_t chance;

/* Spread over all, at any byte of its part, but for two: one within COMMIT or its answer, and one at its last byte. */
static size_t silent_after(const marks *when, proxy_way way, size_t which) {
    enum { PARTS = SILENCES / 2 - 2 };
    const size_t *at = when->at[way];
    if (which == PARTS + 1)
        return at[STEPS - 1] - (way == PROXY_TO_CLIENT); /* after the last answer nobody would notice */
    if (which == PARTS)
        return (at[STEPS - 2] + at[STEPS - 1]) / 2;
    size_t part = at[STEPS - 1] / PARTS;
    return part * which + draw_below(&chance, (unsigned)part);
}

/* Each with a proxy of its own, side by side, for each takes seconds. The last of them is a cable that is pulled: the
 * request to cancel does not get through either. */
static void a_silence_is_given_up_in_time(void **state) {
    (void)state;
    static silence silences[SILENCES];
    marks when = {0};
    chance = chance_of(seed_of_test(), 0);
    for (size_t i = 0; i < SILENCES; i++) {
        trial *on = &silences[i].trial;
        *on = (trial){.between = open_proxy(), .timeout_ms = PATIENCE_MS};
        on->fault = i < SILENCES - 1 ? PROXY_STALLS : PROXY_FREEZES;
        on->way = (proxy_way)(i % 2);
        on->engine = open_through(on->between);
        when = measure(on, PRIOR_WORKS);
        lido_engine_close(on->engine);
        on->engine = open_through(on->between);
        connect_first(on, PRIOR_WORKS);
        on->number = next_number++;
        on->after = silent_after(&when, on->way, i / 2);
    }
    for (size_t i = 0; i < SILENCES; i++)
        assert_int_equal(pthread_create(&silences[i].thread, NULL, fall_silent, &silences[i]), 0);
    for (size_t i = 0; i < SILENCES; i++)
        pthread_join(silences[i].thread, NULL);
    for (size_t i = 0; i < SILENCES; i++) {
        trial *on = &silences[i].trial;
        connect_first(on, PRIOR_WORKS);
        lido_engine_close(on->engine);
        proxy_close(on->between);
    }
    wait_for_last_backend();
    for (size_t i = 0; i < SILENCES; i++)
        judge(&silences[i].trial, &when, LIDO_ERROR_TIMEOUT, SILENCE_MOST_MS);
}

/* ---- Half-open connections ---- */

static void a_connection_that_died_silently_in_the_pool_is_not_noticed(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    proxy *between = open_proxy();
    options.host = "127.0.0.1";
    options.port = proxy_port(between);
    options.sslmode = "disable";
    options.pool_size = 1;
    options.pool_ping_after_ms = 10;
    engine = open_surely(postgres_url(), &options);
    assert_int_equal(ask_surely(engine, "SELECT 1"), 1);
    proxy_arm(between, PROXY_STALLS, PROXY_TO_SERVER, 0); /* at the next byte, which is the ping's */
    poll(NULL, 0, 50);
    int64_t began = lido__clock_now_us();
    assert_int_equal(ask_surely(engine, "SELECT 2"), 2);
    assert_in_range((lido__clock_now_us() - began) / 1000, 0, 10000);
    assert_int_equal(proxy_connections(between), 2);
    close_engine();
    proxy_close(between);
}

/* It is seen without a word to the server: the session's first statement is the first thing that is said. */
static void a_connection_that_was_reset_in_the_pool_is_not_noticed(void **state) {
    (void)state;
    lido_pool_stats stats;
    proxy *between = open_proxy();
    engine = open_through(between);
    assert_int_equal(ask_surely(engine, "SELECT 1"), 1);
    proxy_reset_all(between);
    poll(NULL, 0, 100);
    assert_int_equal(ask_surely(engine, "SELECT 2"), 2);
    lido_engine_stats(engine, &stats);
    assert_int_equal(stats.invalidated, 1);
    assert_int_equal(proxy_connections(between), 2);
    close_engine();
    proxy_close(between);
}

/* The descriptor that is connected to a port of 127.0.0.1; -1: none. */
static int descriptor_to(const char *port) {
    for (int descriptor = 3; descriptor < 1024; descriptor++) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        if (getpeername(descriptor, (struct sockaddr *)&peer, &size) == 0 && peer.sin_family == AF_INET &&
            ntohs(peer.sin_port) == strtoul(port, NULL, 10))
            return descriptor;
    }
    return -1;
}

static int option_of(int descriptor, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(descriptor, level, name, &value, &size), 0);
    return value;
}

/* What tells the kernel to give up a peer that is gone, where there is no deadline that would. */
static void the_kernel_watches_connections_too(void **state) {
    (void)state;
    trial on = {.between = open_proxy()};
    on.engine = open_through(on.between);
    connect_first(&on, PRIOR_WORKS);
    int descriptor = descriptor_to(proxy_port(on.between));
    assert_true(descriptor >= 0);
    assert_int_equal(option_of(descriptor, SOL_SOCKET, SO_KEEPALIVE), 1);
    assert_in_range(option_of(descriptor, IPPROTO_TCP, TCP_KEEPIDLE), 1, 60);
    assert_in_range(option_of(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT), 1, 60000);
    lido_engine_close(on.engine);
    proxy_close(on.between);
}

#define PROXY_TEST(test) cmocka_unit_test_setup_teardown(test, begin, close_engines)

static int run_once(void) {
    const struct CMUnitTest tests[] = {
        PROXY_TEST(a_cut_at_any_byte_is_told_truthfully),
        PROXY_TEST(so_it_is_where_the_statement_was_prepared),
        PROXY_TEST(so_it_is_behind_a_rollback_that_nobody_waited_for),
        PROXY_TEST(a_reset_is_told_as_truthfully),
        PROXY_TEST(a_cut_while_connecting_is_no_connection),
        PROXY_TEST(a_silence_is_given_up_in_time),
        PROXY_TEST(a_connection_that_died_silently_in_the_pool_is_not_noticed),
        PROXY_TEST(a_connection_that_was_reset_in_the_pool_is_not_noticed),
        PROXY_TEST(the_kernel_watches_connections_too),
    };
    return tell_in_thread_and_task("proxy", tests, sizeof tests / sizeof tests[0]);
}

int main(void) {
    return soak_run(run_once);
}
