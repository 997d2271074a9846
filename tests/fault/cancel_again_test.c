/* A cancel is sent to PostgreSQL again until it is heard. What that costs: no connection, no waiting for who reads a
 * stream slowly, and nobody is read to his end who was to be seen off. */
#include "loopback.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "backend/postgres/postgres.h"
#include "base/clock.h"

static lido_engine *open_pool_of_one(void) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 1;
    options.max_overflow = 0;
    return open_surely(postgres_url(), &options);
}

/* ---- The connection ---- */

enum { CANCELS = 50, RECONNECTS_MOST = 5 };

typedef struct sleeper {
    lido_engine *engine;
    _Atomic(lido_session *) session;
    atomic_int asleep; /* how often it has set out to sleep; */
    atomic_int woken;  /* and was woken by a cancel */
    atomic_int goes_on;
    bool serves_on;
} sleeper;

static void wait_for_count(const atomic_int *count, int least) {
    while (atomic_load(count) < least)
        poll(NULL, 0, 1);
}

static void *sleep_often(void *argument) {
    sleeper *self = argument;
    lido_session *db = open_autocommit(self->engine);
    atomic_store(&self->session, db);
    for (int i = 1; i <= CANCELS; i++) {
        wait_for_count(&self->goes_on, i);
        atomic_store(&self->asleep, i);
        lido_exec(db, "SELECT pg_sleep(60)");
        if (lido_error_of(db)->category == LIDO_ERROR_CANCELLED)
            atomic_fetch_add(&self->woken, 1);
    }
    wait_for_count(&self->goes_on, CANCELS + 1);
    self->serves_on = lido_query_value(db, "SELECT 7").as.integer == 7;
    lido_session_close(db);
    return NULL;
}

static void cancel_surely(lido_session *db) {
    int64_t deadline = lido__deadline_in_ms(20000);
    while (lido_cancel(db) != LIDO_OK) {
        assert_true(lido__clock_now_us() < deadline);
        poll(NULL, 0, 1);
    }
}

/* Who ran it may hear of the cancel before who has sent it is through. A slow machine may lose one now and then. */
static void who_is_cancelled_keeps_the_connection(void **state) {
    (void)state;
    pthread_t thread;
    lido_pool_stats before;
    lido_pool_stats after;
    sleeper self = {.engine = open_pool_of_one()};
    assert_int_equal(ask_surely(self.engine, "SELECT 7"), 7);
    lido_engine_stats(self.engine, &before);
    assert_int_equal(pthread_create(&thread, NULL, sleep_often, &self), 0);
    for (int i = 1; i <= CANCELS; i++) {
        atomic_store(&self.goes_on, i);
        wait_for_count(&self.asleep, i);
        poll(NULL, 0, i % 10);
        cancel_surely(atomic_load(&self.session));
    }
    atomic_store(&self.goes_on, CANCELS + 1);
    pthread_join(thread, NULL);
    lido_engine_stats(self.engine, &after);
    assert_true(self.serves_on);
    assert_int_equal(self.woken, CANCELS);
    assert_in_range(after.connects - before.connects, 0, RECONNECTS_MOST);
    lido_engine_close(self.engine);
}

/* ---- A stream ---- */

enum { NOT_WAITED_MS = 3000 }; /* less than a cancel is sent again for */

typedef struct reader {
    lido_engine *engine;
    bool autocommit;
    _Atomic(lido_session *) reads; /* whose first row has come */
    atomic_bool goes_on;
    lido_category category;
    bool serves_on;
} reader;

static void *read_slowly(void *argument) {
    reader *self = argument;
    lido_session *db = lido_session_open(self->engine, &(lido_session_options){.autocommit = self->autocommit});
    lido_rows *rows = lido_stream(db, "SELECT n FROM generate_series(1, 100000000) AS n");
    bool more = lido_next(rows);
    atomic_store(&self->reads, db);
    while (!atomic_load(&self->goes_on))
        poll(NULL, 0, 1);
    while (more)
        more = lido_next(rows);
    self->category = lido_error_of(db)->category;
    lido_rollback(db);
    self->serves_on = lido_query_value(db, "SELECT 7").as.integer == 7;
    lido_session_close(db);
    return NULL;
}

static void cancel_a_reader(bool autocommit) {
    pthread_t thread;
    reader self = {.engine = open_pool_of_one(), .autocommit = autocommit};
    assert_int_equal(pthread_create(&thread, NULL, read_slowly, &self), 0);
    while (atomic_load(&self.reads) == NULL)
        poll(NULL, 0, 1);
    int64_t began = lido__clock_now_us();
    lido_status told = lido_cancel(atomic_load(&self.reads));
    int64_t took_ms = (lido__clock_now_us() - began) / 1000;
    atomic_store(&self.goes_on, true);
    pthread_join(thread, NULL);
    assert_int_equal(told, LIDO_OK);
    assert_in_range(took_ms, 0, NOT_WAITED_MS);
    assert_int_equal(self.category, LIDO_ERROR_CANCELLED);
    assert_true(self.serves_on);
    lido_engine_close(self.engine);
}

/* He does not read while he is cancelled, and the server hears it when he does. */
static void who_reads_a_stream_slowly_is_not_waited_for(void **state) {
    (void)state;
    cancel_a_reader(true);
    cancel_a_reader(false);
}

/* ---- Seeing off ---- */

enum { CANCELS_HEARD = 3, SEEN_OFF_MOST_MS = 5000, TALKS_MOST_MS = 10000 };

/* A server that talks faster than anybody listens, which PostgreSQL does only now and then, and hears the third
 * cancel. */
typedef struct talker {
    int listening;
    char port[8];
    int heard;
} talker;

static void *talk_on(void *argument) {
    static const char talk[65536];
    talker *self = argument;
    int64_t deadline = lido__deadline_in_ms(TALKS_MOST_MS);
    struct pollfd knock = {.fd = self->listening, .events = POLLIN};
    int customer = accept(self->listening, NULL, NULL);
    while (self->heard < CANCELS_HEARD && lido__clock_now_us() < deadline) {
        send(customer, talk, sizeof talk, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (poll(&knock, 1, 0) > 0) {
            close(accept(self->listening, NULL, NULL));
            self->heard++;
        }
    }
    close(customer);
    return NULL;
}

static PGconn *listen_to(const talker *server) {
    char about[128];
    snprintf(about, sizeof about, "host=127.0.0.1 port=%s user=one sslmode=disable gssencmode=disable", server->port);
    PGconn *wire = PQconnectStart(about);
    while (PQstatus(wire) == CONNECTION_STARTED || PQstatus(wire) == CONNECTION_MADE) {
        struct pollfd ready = {.fd = PQsocket(wire), .events = POLLOUT};
        poll(&ready, 1, 1000);
        PQconnectPoll(wire);
    }
    assert_int_equal(PQstatus(wire), CONNECTION_AWAITING_RESPONSE);
    return wire;
}

/* As on a busy machine: who reads is slower than who talks, whatever the processors are. */
static int64_t clock_that_takes_its_time(void) {
    struct timespec now;
    nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* There is always something to read, and no silence after which the next one would be sent. */
static void who_talks_on_is_cancelled_again_all_the_same(void **state) {
    (void)state;
    pthread_t thread;
    talker server = {.heard = 0};
    server.listening = bind_loopback(server.port);
    assert_int_equal(listen(server.listening, 8), 0);
    assert_int_equal(pthread_create(&thread, NULL, talk_on, &server), 0);
    postgres_connection leaving = {.wire = listen_to(&server)};
    lido__clock_replace(clock_that_takes_its_time);
    int64_t began = lido__clock_now_us();
    lido__postgres_lane_operations.see_off(&leaving.base, lido__deadline_in_ms(SEEN_OFF_MOST_MS));
    int64_t took_ms = (lido__clock_now_us() - began) / 1000;
    pthread_join(thread, NULL);
    lido__clock_replace(NULL);
    PQfinish(leaving.wire);
    close(server.listening);
    assert_int_equal(server.heard, CANCELS_HEARD);
    assert_in_range(took_ms, 0, SEEN_OFF_MOST_MS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_cancelled_keeps_the_connection),
        cmocka_unit_test(who_reads_a_stream_slowly_is_not_waited_for),
        cmocka_unit_test(who_talks_on_is_cancelled_again_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
