/* What the pool tells its listeners and the log, and that none of it is under its lock: every listener here asks the
 * pool for its statistics, which would wait for ever then. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "support/scripted.h"

enum { TOLD_MOST = 4000 };

static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static char told_so_far[TOLD_MOST];
static int refusals; /* how many of the next connects are refused */

static void write_down(const char *text) {
    pthread_mutex_lock(&told_lock);
    size_t used = strlen(told_so_far);
    snprintf(told_so_far + used, sizeof told_so_far - used, "%s\n", text);
    pthread_mutex_unlock(&told_lock);
}

static bool was_told(const char *text) {
    pthread_mutex_lock(&told_lock);
    bool found = strstr(told_so_far, text) != NULL;
    pthread_mutex_unlock(&told_lock);
    return found;
}

/* All that was told since it was asked the last time. */
static void assert_told(const char *expected) {
    char copy[TOLD_MOST];
    pthread_mutex_lock(&told_lock);
    memcpy(copy, told_so_far, sizeof copy);
    told_so_far[0] = '\0';
    pthread_mutex_unlock(&told_lock);
    assert_string_equal(copy, expected); /* outside, for a failed assertion does not come back to unlock */
}

static bool hear(const lido_event *event, void *user) {
    char line[200];
    lido_pool_stats stats;
    (void)user;
    lido__pool_read_stats(&pool, &stats);
    if (event->kind == LIDO_EVENT_LEAK)
        snprintf(line, sizeof line, "leak %d at %s:%d", (int)event->connection, event->file, event->line);
    else
        snprintf(line, sizeof line, "%s %d", lido_event_name(event->kind), (int)event->connection);
    write_down(line);
    bool refuses = event->kind == LIDO_EVENT_CONNECT && refusals > 0;
    refusals -= refuses;
    return !refuses;
}

static void hear_line(lido_log_level level, const char *line, void *user) {
    char text[LIDO__LOG_LINE_SIZE + 20];
    lido_pool_stats stats;
    (void)user;
    lido__pool_read_stats(&pool, &stats);
    snprintf(text, sizeof text, "%s: %s", lido_log_level_name(level), line);
    write_down(text);
}

static int begin(void **state) {
    told_so_far[0] = '\0';
    refusals = 0;
    int begun = scripted_begin(state);
    config.display = "scripted://";
    return begun;
}

static int end(void **state) {
    lido_log_listen(LIDO_LOG_ERROR, NULL, NULL);
    return scripted_end(state);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

static void listen_to(unsigned kinds) {
    assert_true(lido__events_listen(&pool.events, &(lido_listening){.kinds = kinds}, hear, NULL));
}

/* ---- Coming ---- */

static void only_the_first_connection_is_the_first(void **state) {
    (void)state;
    make_pool(2, 0);
    listen_to(LIDO_EVENT_ALL);
    lido__connection *first = acquire_surely();
    lido__connection *second = acquire_surely();
    assert_told("first connect 1\nconnect 1\nconnect 2\n");
    release(second);
    release(first);
    assert_told("");
}

static void whoever_listens_later_has_missed_the_first(void **state) {
    (void)state;
    make_pool(2, 0);
    lido__connection *first = acquire_surely();
    listen_to(LIDO_EVENT_ALL);
    lido__connection *second = acquire_surely();
    assert_told("connect 2\n");
    release(second);
    release(first);
}

static void a_refused_connection_leaves_its_slot_to_the_next(void **state) {
    (void)state;
    make_pool(1, 0);
    listen_to(LIDO_EVENT_ALL);
    refusals = 2;
    assert_refused(LIDO_ERROR_OTHER);
    assert_null(acquire());
    assert_string_equal(told.message, "a listener refused the connection at connect");
    assert_int_equal(stats_now().open, 0);
    assert_int_equal(stats_now().failed_connects, 2);
    assert_int_equal(database.closed, 2);
    release(acquire_surely());
    assert_told(
        "first connect 1\nconnect 1\nclose 1\nfirst connect 2\nconnect 2\nclose 2\nfirst connect 3\nconnect 3\n");
}

static void a_refusal_gives_the_slot_to_who_waits(void **state) {
    customer next;
    (void)state;
    make_pool(1, 0);
    listen_to(LIDO_EVENT_CONNECT);
    refusals = 1;
    let_open(false);
    customer refused;
    let_come(&refused, true);
    wait_until_opening(1);
    let_queue(&next, true);
    let_open(true);
    wait_for(&refused);
    wait_for(&next);
    assert_int_equal(refused.error.category, LIDO_ERROR_OTHER);
    assert_int_equal(next.error.status, LIDO_OK);
    assert_told("connect 1\nconnect 2\n");
}

/* Idle, and not only on its way. */
static bool kept_two(void) {
    time_passes_ms(10);
    return stats_now().idle == 2;
}

static void the_keeper_asks_too(void **state) {
    (void)state;
    config.pool_min_size = 2;
    config.pool_leak_after_ms = 40;
    time_stands_still();
    make_pool(3, 0);
    listen_to(LIDO_EVENT_CONNECT);
    lido__connection *first = acquire_surely();
    release(first);
    assert_true(soon(kept_two));
    assert_told("connect 1\nconnect 2\n");
}

/* ---- Going ---- */

static void a_dead_one_is_told_of_before_it_is_closed(void **state) {
    (void)state;
    make_pool(1, 0);
    without_keeper();
    listen_to(LIDO_EVENT_ALL);
    lido__connection *connection = acquire_surely();
    release(connection);
    of(connection)->dead = true;
    time_passes_ms(100);
    release(acquire_surely());
    assert_told("first connect 1\nconnect 1\ninvalidate 1\nclose 1\nconnect 2\n");
}

static void an_old_one_is_closed_and_no_more(void **state) {
    (void)state;
    config.pool_recycle_ms = 1000;
    make_pool(1, 0);
    without_keeper();
    listen_to(LIDO_EVENT_ALL);
    release(acquire_surely());
    time_passes_ms(2000);
    release(acquire_surely());
    assert_told("first connect 1\nconnect 1\nclose 1\nconnect 2\n");
}

static void a_broken_one_is_lost_alone(void **state) {
    (void)state;
    make_pool(2, 0);
    without_keeper();
    listen_to(LIDO_EVENT_INVALIDATE | LIDO_EVENT_CLOSE);
    lido_log_listen(LIDO_LOG_DEBUG, hear_line, NULL);
    lido__connection *broken = acquire_surely();
    lido__connection *whole = acquire_surely();
    broken->broken = true;
    release(broken);
    release(whole);
    assert_told("warning: scripted://: connection 1 is lost\ninvalidate 1\nclose 1\n");
}

static void a_server_that_went_takes_all_with_it(void **state) {
    (void)state;
    make_pool(3, 0);
    without_keeper();
    listen_to(LIDO_EVENT_INVALIDATE | LIDO_EVENT_CLOSE);
    lido_log_listen(LIDO_LOG_DEBUG, hear_line, NULL);
    lido__connection *first = acquire_surely();
    lido__connection *second = acquire_surely();
    lido__connection *third = acquire_surely();
    release(third);
    first->server_gone = true;
    release(first);
    assert_told("warning: scripted://: the server has gone, or refuses writes now: all connections are replaced\n"
                "warning: scripted://: connection 1 is lost\ninvalidate 1\nclose 1\n"
                "warning: scripted://: connection 3 is lost\ninvalidate 3\nclose 3\n");
    release(second);
    assert_told("warning: scripted://: connection 2 is lost\ninvalidate 2\nclose 2\n");
}

static void one_with_work_left_open_is_closed_but_not_lost(void **state) {
    (void)state;
    make_pool(1, 0);
    without_keeper();
    listen_to(LIDO_EVENT_INVALIDATE | LIDO_EVENT_CLOSE);
    lido__connection *connection = acquire_surely();
    connection->in_transaction = true;
    release(connection);
    assert_told("close 1\n");
}

static void closing_the_pool_closes_the_idle(void **state) {
    (void)state;
    make_pool(2, 0);
    listen_to(LIDO_EVENT_INVALIDATE | LIDO_EVENT_CLOSE);
    lido__connection *kept = acquire_surely();
    release(acquire_surely());
    lido__pool_close(&pool);
    assert_told("close 2\n");
    release(kept);
    assert_told("close 1\n");
}

/* ---- Down and up again ---- */

static void the_log_tells_when_the_server_goes_and_comes(void **state) {
    (void)state;
    time_stands_still();
    make_pool(1, 0);
    without_keeper();
    lido_log_listen(LIDO_LOG_DEBUG, hear_line, NULL);
    let_fail(2);
    assert_refused(LIDO_ERROR_DISCONNECTED);
    assert_true(was_told("error: scripted://: no connection, until further notice: "));
    told_so_far[0] = '\0';
    time_passes_ms(10000);
    assert_refused(LIDO_ERROR_DISCONNECTED);
    assert_true(was_told("warning: scripted://: no connection: "));
    told_so_far[0] = '\0';
    time_passes_ms(10000);
    release(acquire_surely());
    assert_told("info: scripted://: can be reached again\n");
}

/* ---- Held too long ---- */

static void one_held_too_long_is_told_once_each_time_it_is_taken(void **state) {
    (void)state;
    time_stands_still();
    config.pool_leak_after_ms = 1000;
    make_pool(2, 0);
    without_keeper();
    listen_to(LIDO_EVENT_LEAK);
    lido__connection *early = acquire_at("early.c", 1, &told);
    time_passes_ms(600);
    lido__connection *late = acquire_at("late.c", 2, &told);
    lido__pool_tell_leaks(&pool);
    assert_told("");
    time_passes_ms(600);
    lido__pool_tell_leaks(&pool);
    lido__pool_tell_leaks(&pool);
    assert_told("leak 1 at early.c:1\n");
    time_passes_ms(600);
    lido__pool_tell_leaks(&pool);
    assert_told("leak 2 at late.c:2\n");
    release(early);
    early = acquire_at("again.c", 3, &told);
    time_passes_ms(1100);
    lido__pool_tell_leaks(&pool);
    assert_told("leak 1 at again.c:3\n");
    release(early);
    release(late);
}

static void the_log_tells_of_it_unasked(void **state) {
    (void)state;
    time_stands_still();
    config.pool_leak_after_ms = 1000;
    make_pool(1, 0);
    without_keeper();
    lido_log_listen(LIDO_LOG_DEBUG, hear_line, NULL);
    lido__connection *held = acquire_at("forgotten.c", 42, &told);
    time_passes_ms(1500);
    lido__pool_tell_leaks(&pool);
    assert_told("warning: scripted://: connection 1 is held for 1500 ms, taken at forgotten.c:42\n");
    release(held);
}

static void where_nothing_is_too_long_nothing_is_told(void **state) {
    (void)state;
    time_stands_still();
    config.pool_leak_after_ms = -1;
    make_pool(1, 0);
    without_keeper();
    listen_to(LIDO_EVENT_LEAK);
    lido__connection *held = acquire_surely();
    time_passes_ms(1000 * 1000 * 1000);
    lido__pool_tell_leaks(&pool);
    assert_told("");
    release(held);
}

/* ---- Many at once ---- */

enum { COMERS = 4, ROUNDS = 200 };

static bool count_event(const lido_event *event, void *user) {
    (void)event;
    atomic_fetch_add((atomic_int *)user, 1);
    return true;
}

static void *come_and_go(void *argument) {
    lido_error error = LIDO_ERROR_INIT;
    (void)argument;
    for (int i = 0; i < ROUNDS; i++) {
        lido__connection *connection = acquire_at("many.c", 1, &error);
        if (connection == NULL)
            return "refused";
        connection->broken = i % 2 == 0;
        release(connection);
    }
    return NULL;
}

static void listeners_may_come_while_others_are_told(void **state) {
    static atomic_int counts[LIDO_LISTENERS_MOST + 1];
    pthread_t comers[COMERS];
    const lido_listening closings = {.kinds = LIDO_EVENT_CLOSE};
    (void)state;
    make_pool(2, 0);
    without_keeper();
    assert_true(lido__events_listen(&pool.events, &closings, count_event, &counts[0]));
    for (int i = 0; i < COMERS; i++)
        assert_int_equal(pthread_create(&comers[i], NULL, come_and_go, NULL), 0);
    for (int i = 1; i < LIDO_LISTENERS_MOST; i++)
        assert_true(lido__events_listen(&pool.events, &closings, count_event, &counts[i]));
    assert_false(lido__events_listen(&pool.events, &closings, count_event, &counts[LIDO_LISTENERS_MOST]));
    for (int i = 0; i < COMERS; i++) {
        void *failed;
        pthread_join(comers[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(atomic_load(&counts[0]), database.closed);
    for (int i = 1; i < LIDO_LISTENERS_MOST; i++) /* of an event that came with them, one may hear and its elder not */
        assert_true(atomic_load(&counts[i]) <= atomic_load(&counts[0]));
    assert_int_equal(atomic_load(&counts[LIDO_LISTENERS_MOST]), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(only_the_first_connection_is_the_first),
        TEST(whoever_listens_later_has_missed_the_first),
        TEST(a_refused_connection_leaves_its_slot_to_the_next),
        TEST(a_refusal_gives_the_slot_to_who_waits),
        TEST(the_keeper_asks_too),
        TEST(a_dead_one_is_told_of_before_it_is_closed),
        TEST(an_old_one_is_closed_and_no_more),
        TEST(a_broken_one_is_lost_alone),
        TEST(a_server_that_went_takes_all_with_it),
        TEST(one_with_work_left_open_is_closed_but_not_lost),
        TEST(closing_the_pool_closes_the_idle),
        TEST(the_log_tells_when_the_server_goes_and_comes),
        TEST(one_held_too_long_is_told_once_each_time_it_is_taken),
        TEST(the_log_tells_of_it_unasked),
        TEST(where_nothing_is_too_long_nothing_is_told),
        TEST(listeners_may_come_while_others_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
