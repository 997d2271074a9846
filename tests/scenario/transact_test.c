/* Functions that are run until their transaction commits: what is tried again, how often, and what never is. */
#include "support/scenario.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

static bool on(const char *database) {
    return strcmp(scenario_database(), database) == 0;
}

static void make_items(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_exec(db, "CREATE TABLE items (id integer PRIMARY KEY, count integer)");
    assert_int_equal(lido_session_close(db), LIDO_OK);
}

static int count_items(lido_session *db) {
    return (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer;
}

static void saw_items(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    saw("items %d", count_items(db));
    lido_session_close(db);
}

/* An engine that does not wait long for SQLite's locks. */
static lido_engine *impatient_engine(void) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.busy_timeout_ms = 5;
    lido_engine *engine = scenario_engine(&options);
    make_items(engine);
    return engine;
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- Simple endings ---- */

static bool insert_two(lido_session *db, void *wanted) {
    lido_exec(db, "INSERT INTO items VALUES (?, 0)", 1);
    lido_exec(db, "INSERT INTO items VALUES (?, 0)", 2);
    return *(bool *)wanted;
}

static void story_of_true_and_false(lido_engine *engine) {
    lido_error error;
    lido_transact_options options = {.error = &error};
    make_items(engine);
    saw("%s", lido_status_name(lido_transact(engine, &options, insert_two, &(bool){false})));
    saw("%s, %s: %s", lido_status_name(error.status), lido_category_name(error.category), error.message);
    saw_items(engine);
    saw("%s", lido_status_name(lido_transact(engine, &options, insert_two, &(bool){true})));
    saw("%s, %s: %s", lido_status_name(error.status), lido_category_name(error.category), error.message);
    saw_items(engine);
}

static bool insert_the_same_twice(lido_session *db, void *calls) {
    ++*(int *)calls;
    lido_exec(db, "INSERT INTO items VALUES (1, 0)");
    lido_exec(db, "INSERT INTO items VALUES (1, 0)");
    return true;
}

static bool fail_by_itself(lido_session *db, void *calls) {
    ++*(int *)calls;
    lido_fail(db, "no more lamps");
    return false;
}

static bool say_no(lido_session *db, void *calls) {
    ++*(int *)calls;
    lido_exec(db, "INSERT INTO items VALUES (1, 0)");
    return false;
}

static void story_of_what_is_not_tried_again(lido_engine *engine) {
    static lido_transact_function *const functions[] = {insert_the_same_twice, fail_by_itself, say_no};
    make_items(engine);
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        int calls = 0;
        lido_error error;
        lido_status status = lido_transact(engine, &(lido_transact_options){.error = &error}, functions[i], &calls);
        saw("%s after %d, %s", lido_status_name(status), calls, lido_category_name(error.category));
    }
    saw_items(engine);
}

static bool send_and_say_yes(lido_session *db, void *unused) {
    (void)unused;
    lido_send(db, "INSERT INTO items VALUES (1, 0)");
    return true;
}

static void story_of_what_was_only_sent(lido_engine *engine) {
    make_items(engine);
    saw("%s", lido_status_name(lido_transact(engine, NULL, send_and_say_yes, NULL)));
    saw("%s", lido_status_name(lido_transact(engine, NULL, send_and_say_yes, NULL)));
    saw_items(engine);
}

static bool read_and_write(lido_session *db, void *unused) {
    (void)unused;
    saw("reads %d", count_items(db));
    lido_exec(db, "INSERT INTO items VALUES (1, 0)");
    return true;
}

static void story_of_session_options(lido_engine *engine) {
    lido_error error;
    lido_transact_options options = {.session = {.read_only = true}, .error = &error};
    make_items(engine);
    saw("%s", lido_status_name(lido_transact(engine, &options, read_and_write, NULL)));
    saw("%s", lido_category_name(error.category));
    options.session = (lido_session_options){.at_end = LIDO_AT_END_ROLLBACK}; /* is not looked at */
    saw("%s", lido_status_name(lido_transact(engine, &options, read_and_write, NULL)));
    saw_items(engine);
}

/* ---- A function that ends its transaction by itself ---- */

static bool commit_in_vain(lido_session *db, void *calls) {
    insert_the_same_twice(db, calls);
    saw("in the function: %s", lido_status_name(lido_commit(db)));
    return true;
}

static bool roll_back_and_say_yes(lido_session *db, void *calls) {
    ++*(int *)calls;
    lido_exec(db, "INSERT INTO items VALUES (1, 0)");
    lido_rollback(db);
    return true;
}

static bool commit_and_say_no(lido_session *db, void *calls) {
    ++*(int *)calls;
    lido_exec(db, "INSERT INTO items VALUES (1, 0)");
    saw("in the function: %s", lido_status_name(lido_commit(db)));
    return false;
}

static void story_of_ending_it_by_hand(lido_engine *engine) {
    static lido_transact_function *const functions[] = {commit_in_vain, roll_back_and_say_yes, commit_and_say_no};
    make_items(engine);
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        int calls = 0;
        lido_error error;
        lido_status status = lido_transact(engine, &(lido_transact_options){.error = &error}, functions[i], &calls);
        bool failed = error.category != LIDO_ERROR_NONE;
        saw("%s after %d: %s", lido_status_name(status), calls,
            failed ? lido_category_name(error.category) : error.message);
    }
    saw_items(engine);
}

/* ---- A rival that gets in between ---- */

typedef struct rivalry {
    lido_session *rival;
    int calls;
    int held_until; /* the attempt that lets the rival end its transaction */
    bool answer;
    lido_error first; /* what the first attempt ran into */
    double began;
    double last;
} rivalry;

/* "At most one item", as two who do not see each other would keep to it. */
static void insert_if_none(lido_session *db, int id) {
    if (count_items(db) == 0)
        lido_exec(db, "INSERT INTO items VALUES (?, 0)", id);
}

static bool collide(lido_session *db, void *argument) {
    rivalry *between = argument;
    int seen = count_items(db);
    saw("attempt %d sees %d", ++between->calls, seen);
    if (between->calls == 1) {
        insert_if_none(between->rival, 1);
        assert_int_equal(lido_commit(between->rival), LIDO_OK);
    }
    if (seen == 0)
        lido_exec(db, "INSERT INTO items VALUES (2, 0)");
    return true;
}

static void story_of_write_skew(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = impatient_engine();
    const lido_session_options serialisable = {.isolation = LIDO_SERIALISABLE};
    rivalry between = {.rival = lido_session_open(engine, &serialisable)};
    lido_error error;
    lido_transact_options options = {.session = serialisable, .error = &error};
    saw("%s", lido_status_name(lido_transact(engine, &options, collide, &between)));
    saw("%s", lido_category_name(error.category));
    saw_items(engine);
    lido_session_close(between.rival);
    lido_engine_close(engine);
}

static void story_of_one_attempt(lido_engine *unused) {
    (void)unused;
    lido_engine *engine = impatient_engine();
    const lido_session_options serialisable = {.isolation = LIDO_SERIALISABLE};
    rivalry between = {.rival = lido_session_open(engine, &serialisable)};
    lido_error error;
    lido_transact_options options = {.attempts = 1, .session = serialisable, .error = &error};
    saw("%s", lido_status_name(lido_transact(engine, &options, collide, &between)));
    saw("%s, retryable %d", lido_status_name(error.status), error.retryable);
    assert_int_equal(error.category, LIDO_ERROR_SERIALISATION);
    assert_string_equal(error.sqlstate, "40001");
    lido_session_close(between.rival);
    lido_engine_close(engine);
}

/* Wants what the rival holds, and does not wait for it. */
static bool want_the_lock(lido_session *db, void *argument) {
    rivalry *between = argument;
    between->last = seconds_now();
    if (between->calls++ == 0)
        between->began = between->last;
    if (between->calls == between->held_until)
        assert_int_equal(lido_commit(between->rival), LIDO_OK);
    if (on("postgres"))
        lido_exec(db, "LOCK TABLE items IN ACCESS EXCLUSIVE MODE NOWAIT");
    lido_exec(db, "INSERT INTO items VALUES (2, 0)");
    if (between->calls == 1)
        between->first = *lido_error_of(db);
    return between->answer;
}

static rivalry rivalry_begin(lido_engine *engine, int held_until) {
    rivalry between = {.rival = lido_session_open(engine, NULL), .held_until = held_until, .answer = true};
    lido_exec(between.rival, "INSERT INTO items VALUES (1, 0)");
    assert_false(lido_failed(between.rival));
    return between;
}

static void story_of_a_busy_database(lido_engine *unused) {
    (void)unused;
    lido_error error;
    lido_engine *engine = impatient_engine();
    rivalry between = rivalry_begin(engine, 3);
    lido_transact_options options = {.error = &error, .backoff_ms = 1};
    lido_status status = lido_transact(engine, &options, want_the_lock, &between);
    saw("%s after %d", lido_status_name(status), between.calls);
    saw("%s", lido_category_name(error.category));
    saw("first: %s %s, retryable %d", lido_category_name(between.first.category), between.first.sqlstate,
        between.first.retryable);
    lido_session_close(between.rival);
    saw_items(engine);
    lido_engine_close(engine);
}

static void story_of_attempts(lido_engine *unused) {
    (void)unused;
    lido_error error;
    lido_engine *engine = impatient_engine();
    rivalry between = rivalry_begin(engine, 0);
    lido_transact_options options = {.attempts = 3, .backoff_ms = 1, .error = &error};
    lido_status status = lido_transact(engine, &options, want_the_lock, &between);
    saw("%s after %d", lido_status_name(status), between.calls);
    saw("%s, %s", lido_status_name(error.status), lido_category_name(error.category));
    between.calls = 0;
    status = lido_transact(engine, NULL, want_the_lock, &between);
    saw("%s after %d", lido_status_name(status), between.calls);
    between.calls = 0;
    between.answer = false; /* it failed all the same */
    status = lido_transact(engine, &options, want_the_lock, &between);
    saw("%s after %d", lido_status_name(status), between.calls);
    lido_session_close(between.rival);
    saw_items(engine);
    lido_engine_close(engine);
}

static void story_of_a_deadline(lido_engine *unused) {
    (void)unused;
    enum { NEVER = 100000, DEADLINE_MS = 150, SLACK_MS = 1000 };
    lido_error error;
    lido_engine *engine = impatient_engine();
    rivalry between = rivalry_begin(engine, 0);
    lido_transact_options options = {.attempts = NEVER, .deadline_ms = DEADLINE_MS, .backoff_ms = 1, .error = &error};
    saw("%s", lido_status_name(lido_transact(engine, &options, want_the_lock, &between)));
    saw("%s", lido_category_name(error.category));
    saw("tried again %d", between.calls > 1);
    saw("gave up in time %d", (between.last - between.began) * 1000 < DEADLINE_MS + SLACK_MS);
    lido_session_close(between.rival);
    lido_engine_close(engine);
}

/* Five pauses, each anything up to 50, 100, 200, 400 and 800 ms. That they are less than 50 ms all together happens
 * once in a hundred thousand times; that two series are as long to the microsecond, hardly ever. */
static void story_of_pauses(lido_engine *unused) {
    (void)unused;
    enum { SUM_LEAST_MS = 50, SUM_MOST_MS = 1550, SLACK_MS = 3000 };
    double took[2];
    lido_engine *engine = impatient_engine();
    rivalry between = rivalry_begin(engine, 0);
    lido_transact_options options = {.attempts = 6, .backoff_ms = 50};
    for (int i = 0; i < 2; i++) {
        between.calls = 0;
        lido_transact(engine, &options, want_the_lock, &between);
        took[i] = (between.last - between.began) * 1000;
        saw("%d calls, with pauses %d", between.calls, took[i] > SUM_LEAST_MS && took[i] < SUM_MOST_MS + SLACK_MS);
    }
    saw("differently long %d", took[0] != took[1]);
    lido_session_close(between.rival);
    lido_engine_close(engine);
}

/* ---- Two threads that want each other's rows ---- */

typedef struct crossing {
    lido_engine *engine;
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    int holding; /* how many hold their first row */
    int calls;
} crossing;

typedef struct walker {
    crossing *at;
    int first;
    int second;
    lido_status status;
} walker;

/* Until both hold a row; but not for long, for SQLite lets only one write. */
static void meet(crossing *at) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&at->lock);
    at->holding++;
    pthread_cond_broadcast(&at->arrived);
    while (at->holding < 2 && pthread_cond_timedwait(&at->arrived, &at->lock, &until) == 0)
        continue;
    pthread_mutex_unlock(&at->lock);
}

static bool walk(lido_session *db, void *argument) {
    walker *who = argument;
    pthread_mutex_lock(&who->at->lock);
    who->at->calls++;
    pthread_mutex_unlock(&who->at->lock);
    lido_exec(db, "UPDATE items SET count = count + 1 WHERE id = ?", who->first);
    meet(who->at);
    lido_exec(db, "UPDATE items SET count = count + 1 WHERE id = ?", who->second);
    return true;
}

static void *walk_in_thread(void *argument) {
    walker *who = argument;
    who->status = lido_transact(who->at->engine, NULL, walk, who);
    return NULL;
}

static void story_of_a_deadlock(lido_engine *engine) {
    crossing at = {.engine = engine, .lock = PTHREAD_MUTEX_INITIALIZER, .arrived = PTHREAD_COND_INITIALIZER};
    walker one = {.at = &at, .first = 1, .second = 2};
    walker two = {.at = &at, .first = 2, .second = 1};
    pthread_t threads[2];
    make_items(engine);
    lido_transact(engine, NULL, insert_two, &(bool){true});
    assert_int_equal(pthread_create(&threads[0], NULL, walk_in_thread, &one), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, walk_in_thread, &two), 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    saw("%s, %s", lido_status_name(one.status), lido_status_name(two.status));
    /* PostgreSQL chooses a victim, who tries again; on SQLite the second waits from the start. */
    saw("attempts as expected: %d", at.calls == (on("postgres") ? 3 : 2));
    lido_session *db = lido_session_open(engine, NULL);
    saw("counts %d", (int)lido_query_value(db, "SELECT sum(count) FROM items").as.integer);
    lido_session_close(db);
}

int main(void) {
    const scenario scenarios[] = {
        {"true commits and false rolls back", story_of_true_and_false,
         "rolled back\n"
         "rolled back, no error: the function asked for it to be rolled back\n"
         "items 0\n"
         "ok\n"
         "ok, no error: \n"
         "items 2\n"},
        {"what is never tried again", story_of_what_is_not_tried_again,
         "rolled back after 1, unique violation\n"
         "rolled back after 1, other error\n"
         "rolled back after 1, no error\n"
         "items 0\n"},
        {"what was only sent", story_of_what_was_only_sent, "ok\nrolled back\nitems 1\n"},
        {"the session's options", story_of_session_options,
         "reads 0\n"
         "rolled back\n"
         "read-only\n"
         "reads 0\n"
         "ok\n"
         "items 1\n"},
        {"a function that ends its transaction by itself", story_of_ending_it_by_hand,
         "in the function: rolled back\n"
         "rolled back after 1: unique violation\n"
         "rolled back after 1: the function asked for it to be rolled back\n"
         "in the function: ok\n"
         "ok after 1: \n"
         "items 1\n"},
        {"a write skew is tried again", story_of_write_skew,
         "attempt 1 sees 0\n"
         "attempt 2 sees 1\n"
         "ok\n"
         "no error\n"
         "items 1\n"},
        {"a write skew, tried only once", story_of_one_attempt,
         "attempt 1 sees 0\n"
         "rolled back\n"
         "rolled back, retryable 1\n"},
        {"a busy database is tried again", story_of_a_busy_database,
         "ok after 3\n"
         "no error\n"
         "first: busy 55P03, retryable 1\n"
         "items 2\n"},
        {"as often as asked for, and five times by default", story_of_attempts,
         "rolled back after 3\n"
         "rolled back, busy\n"
         "rolled back after 5\n"
         "rolled back after 3\n"
         "items 0\n"},
        {"pauses between attempts", story_of_pauses,
         "6 calls, with pauses 1\n"
         "6 calls, with pauses 1\n"
         "differently long 1\n"},
        {"no longer than the deadline", story_of_a_deadline,
         "rolled back\n"
         "busy\n"
         "tried again 1\n"
         "gave up in time 1\n"},
        {"a deadlock's victim tries again", story_of_a_deadlock,
         "ok, ok\n"
         "attempts as expected: 1\n"
         "counts 4\n"},
    };
    return scenarios_run("transact", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
