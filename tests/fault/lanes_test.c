/* Hundreds of tasks on two lanes: what each statement gives is what it gives alone, whatever its neighbours do: fail,
 * give much or nothing, are cancelled, run late, or take the connection with them. */
#include "databases.h"
#include "soak.h"
#include "sql/sql.h"
#include "support/chance.h"
#include "support/describe.h"
#include "support/proxy.h"

enum { TASKS = 300, STATEMENTS = 12, VARIANTS = 6, DIGEST_MOST = 600, ROUND_MS = 1500, PARAMETER_SIZE = 100000 };

/* What a statement is given: its variant's number, and nothing else. */
typedef struct line {
    const char *sql;
    bool takes_number;
    bool slow;
} line;

static const line lines[] = {
    {"SELECT id, name, price, made, data FROM lane_items WHERE id = ?", true, false},
    {"SELECT id, name, price, made, data FROM lane_items WHERE id % 7 = ? ORDER BY id", true, false},
    {"SELECT NULL::text, ?::bigint, NULL::bytea, NULL::timestamptz", true, false},
    {"SELECT i, repeat('x', 100) FROM generate_series(1, ?::integer * 400) AS i", true, false},
    {"SELECT 10 / (?::integer - 3)", true, false},
    {"SELECT 1 +", false, false},
    {"SELECT * FROM lane_items_that_are_not WHERE id = ?", true, false},
    {"SELECT ('number ' || ?::text)::integer", true, false},
    {"SELECT id FROM lane_items WHERE id < 0 AND id = ?", true, false},
    {"SELECT lane_write(?)", true, false},
    {"SELECT nextval('lane_numbers')", false, false},
    {"INSERT INTO lane_items (id, name) VALUES (-1, 'never')", false, false},
    {"SELECT lane_fails_late(?)", true, false},
    {"SELECT count(*) FROM generate_series(1, 1500000 + ?::integer)", true, true},
    {"SHOW datestyle", false, false},
};

enum { LINES = sizeof lines / sizeof lines[0] };

static char expected[LINES][VARIANTS][DIGEST_MOST];

/* ---- One statement, and what it gave ---- */

static void digest_error(const lido_session *db, char *digest) {
    const lido_error *error = lido_error_of(db);
    snprintf(digest, DIGEST_MOST, "%s %s: %.300s", lido_category_name(error->category), error->sqlstate,
             error->message);
}

static void digest_rows(lido_rows *rows, char *digest) {
    uint64_t mixed = 0;
    int64_t count = 0;
    char text[DESCRIBED_MOST];
    for (; lido_next(rows); count++) {
        for (size_t i = 0; i < lido_column_count(rows); i++) {
            size_t size;
            describe(lido_get(rows, i), text);
            mixed = mixed * 31 + lido__sql_hash(text, &size);
        }
    }
    snprintf(digest, DIGEST_MOST, "%lld rows: %llx", (long long)count, (unsigned long long)mixed);
}

static void ask(lido_session *db, size_t which, int64_t variant, char *digest) {
    const line *asked = &lines[which];
    lido_rows *rows = asked->takes_number ? lido_query(db, asked->sql, variant) : lido_query(db, asked->sql);
    if (lido_failed(db))
        digest_error(db, digest);
    else
        digest_rows(rows, digest);
    lido_rows_close(rows);
}

static const lido_session_options reads = {.read_only = true, .autocommit = true};

/* Each alone, in this thread, on a connection of its own. */
static void learn_what_is_right(lido_engine *plain) {
    lido_session *db = lido_session_open(plain, &reads);
    for (size_t which = 0; which < LINES; which++)
        for (int64_t variant = 0; variant < VARIANTS; variant++)
            ask(db, which, variant, expected[which][variant]);
    lido_session_close(db);
    assert_non_null(strstr(expected[9][0], "read-only"));
    assert_non_null(strstr(expected[11][0], "read-only"));
}

/* ---- The crowd ---- */

typedef enum fate { SERENE, CANCELLED, CANCELLED_BY_NAME, HURRIED } fate;

typedef struct rider {
    struct crowd *crowd;
    uint64_t chance;
    fate fate;
    lido_task *task;
    lido_session *session; /* NULL: none is open */
    bool over;
} rider;

typedef struct crowd {
    lido_engine *engine;
    lido_engine *witness; /* kills; NULL: nobody does */
    proxy *between;       /* NULL: nothing is cut */
    lido_loop *loop;
    rider riders[TASKS];
    int right;
    int interrupted;
    int lost;
    bool wrong;
} crowd;

static bool is_interruption(const char *digest) {
    return strncmp(digest, "cancelled", 9) == 0 || strncmp(digest, "timeout", 7) == 0;
}

/* What does not go by a lane, or cannot any more, is on a connection of its own, which may be lost, too: then it is
 * told so. */
static bool is_loss(const crowd *among, const char *digest) {
    static const char *const signs[] = {"disconnected", "unknown outcome", "57P01", "did not let us in"};
    bool lost = false;
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        lost = lost || strstr(digest, signs[i]) != NULL;
    return lost && (among->witness != NULL || among->between != NULL);
}

static void judge(rider *self, size_t which, int64_t variant, const char *digest) {
    crowd *among = self->crowd;
    if (strcmp(digest, expected[which][variant]) == 0) {
        among->right++;
    } else if (self->fate != SERENE && is_interruption(digest)) {
        among->interrupted++;
    } else if (is_loss(among, digest)) {
        among->lost++;
    } else {
        among->wrong = true;
        print_error("%s with %lld gave \"%s\", alone \"%s\"\n", lines[which].sql, (long long)variant, digest,
                    expected[which][variant]);
    }
}

static void *ride(void *argument) {
    rider *self = argument;
    char digest[DIGEST_MOST];
    lido_session_options options = reads;
    options.statement_timeout_ms = self->fate == HURRIED ? 5 + draw_below(&self->chance, 30) : 0;
    lido_session *db = self->session = lido_session_open(self->crowd->engine, &options);
    for (int i = 0; i < STATEMENTS; i++) {
        size_t which = draw_below(&self->chance, LINES);
        int64_t variant = draw_below(&self->chance, VARIANTS);
        if (lines[which].slow && draw_below(&self->chance, 10) != 0)
            which = 0;
        ask(db, which, variant, digest);
        judge(self, which, variant, digest);
        if (draw_below(&self->chance, 8) == 0)
            lido_sleep(draw_below(&self->chance, 20));
    }
    self->session = NULL;
    lido_session_close(db);
    self->over = true;
    return NULL;
}

static void hit_one(crowd *among, uint64_t *chance) {
    rider *victim = &among->riders[draw_below(chance, TASKS)];
    if (victim->over)
        return;
    if (victim->fate == CANCELLED)
        lido_task_cancel(victim->task);
    else if (victim->fate == CANCELLED_BY_NAME && victim->session != NULL)
        lido_cancel(victim->session);
}

static void kill_one(const crowd *among, uint64_t *chance) {
    static const proxy_fault faults[] = {PROXY_CUTS, PROXY_RESETS};
    if (among->witness != NULL && draw_below(chance, 4) == 0) {
        lido_session *db = open_autocommit(among->witness);
        lido_query_value(db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lanes' "
                             "ORDER BY random() LIMIT 1");
        lido_session_close(db);
    }
    if (among->between != NULL)
        proxy_arm(among->between, faults[draw_below(chance, 2)], (proxy_way)draw_below(chance, 2),
                  draw_below(chance, 20000));
}

static bool all_are_over(const crowd *among) {
    int over = 0;
    while (over < TASKS && among->riders[over].over)
        over++;
    return over == TASKS;
}

static void *make_trouble(void *argument) {
    crowd *among = argument;
    uint64_t chance = among->riders[0].chance + 1;
    int64_t end = lido__clock_now_us() + ROUND_MS * 1000;
    while (lido__clock_now_us() < end && !all_are_over(among)) {
        for (int i = 0; i < 6; i++)
            hit_one(among, &chance);
        kill_one(among, &chance);
        lido_sleep(5 + draw_below(&chance, 20));
    }
    if (among->between != NULL)
        proxy_arm(among->between, PROXY_PASSES, PROXY_TO_SERVER, 0);
    return NULL;
}

static fate draw_fate(uint64_t *chance) {
    unsigned drawn = draw_below(chance, 10);
    return drawn < 7 ? SERENE : (fate)(CANCELLED + (drawn - 7));
}

static void run_crowd(crowd *among, uint64_t seed) {
    among->loop = lido_loop_new(NULL, NULL);
    assert_non_null(among->loop);
    for (int i = 0; i < TASKS; i++) {
        rider *one = &among->riders[i];
        *one = (rider){.crowd = among, .chance = chance_of(seed, (uint64_t)i)};
        one->fate = draw_fate(&one->chance);
        one->task = lido_spawn(among->loop, ride, one);
        assert_non_null(one->task);
    }
    lido_task_detach(lido_spawn(among->loop, make_trouble, among));
    assert_int_equal(lido_loop_run(among->loop), LIDO_OK);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(lido_task_join(among->riders[i].task, NULL), LIDO_OK);
    lido_loop_close(among->loop);
    print_message("%d right, %d interrupted, %d lost\n", among->right, among->interrupted, among->lost);
    assert_false(among->wrong);
    assert_int_equal(among->right + among->interrupted + among->lost, TASKS * STATEMENTS);
    /* Where connections are cut, the pool may find the server out of reach for a while. */
    assert_true(among->right > TASKS * STATEMENTS / (among->between != NULL ? 10 : 2));
}

/* ---- The stories ---- */

static lido_engine *witness;

static int make_items(void **state) {
    (void)state;
    if (getenv("LIDO_TEST_POSTGRES_URL") == NULL)
        return 0;
    witness = open_surely(postgres_url(), NULL);
    run_surely(witness, "DROP TABLE IF EXISTS lane_items");
    run_surely(witness, "DROP SEQUENCE IF EXISTS lane_numbers");
    run_surely(witness, "CREATE TABLE lane_items (id bigint PRIMARY KEY, name text, price double precision, "
                        "made timestamptz DEFAULT '2024-05-06 07:08:09+00', data bytea)");
    run_surely(witness, "INSERT INTO lane_items SELECT i, 'item ' || i, i / 4.0, '2024-01-01'::timestamptz + i * "
                        "interval '1 hour', decode(repeat('ab', i), 'hex') FROM generate_series(0, 200) AS i");
    run_surely(witness, "CREATE SEQUENCE lane_numbers");
    run_surely(witness, "CREATE OR REPLACE FUNCTION lane_write(bigint) RETURNS bigint LANGUAGE sql VOLATILE AS "
                        "'INSERT INTO lane_items (id) VALUES ($1 + 1000) RETURNING id'");
    run_surely(witness,
               "CREATE OR REPLACE FUNCTION lane_fails_late(bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE "
               "AS 'BEGIN PERFORM count(*) FROM generate_series(1, 20000); RAISE EXCEPTION ''no %'', $1; END'");
    learn_what_is_right(witness);
    return 0;
}

static int drop_items(void **state) {
    (void)state;
    if (witness == NULL)
        return 0;
    run_surely(witness, "DROP FUNCTION lane_write(bigint)");
    run_surely(witness, "DROP FUNCTION lane_fails_late(bigint)");
    run_surely(witness, "DROP TABLE lane_items");
    run_surely(witness, "DROP SEQUENCE lane_numbers");
    lido_engine_close(witness);
    witness = NULL;
    return 0;
}

/* They keep fewer statements prepared than there are. */
static lido_engine *open_lanes(const proxy *between) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.lanes = 2;
    options.statement_cache = LINES / 2;
    options.application_name = "lanes";
    options.host = between != NULL ? "127.0.0.1" : NULL;
    options.port = between != NULL ? proxy_port(between) : NULL;
    options.sslmode = between != NULL ? "disable" : NULL;
    return open_surely(postgres_url(), &options);
}

/* A cancel that was begun by a lane may yet be under way in another thread, and its connection with it. */
static void read_stats_at_rest(lido_engine *engine, lido_pool_stats *stats) {
    lido_engine_stats(engine, stats);
    for (int i = 0; i < 1000 && stats->open != stats->idle; i++) {
        lido_sleep(5);
        lido_engine_stats(engine, stats);
    }
}

static void run_story(bool kills, proxy *between) {
    static crowd among;
    uint64_t seed = seed_of_test();
    among = (crowd){.engine = open_lanes(between), .between = between, .witness = kills ? witness : NULL};
    lido_pool_stats stats;
    run_crowd(&among, seed);
    read_stats_at_rest(among.engine, &stats);
    assert_int_equal(stats.in_use, 0);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.open, stats.idle);
    lido_engine_close(among.engine);
    if (!kills && between == NULL)
        assert_int_equal(among.lost, 0);
}

static void neighbours_do_what_they_like(void **state) {
    (void)state;
    postgres_url();
    run_story(false, NULL);
}

static void lanes_are_killed(void **state) {
    (void)state;
    postgres_url();
    run_story(true, NULL);
}

static void lanes_are_cut(void **state) {
    (void)state;
    postgres_url();
    proxy *between = proxy_open();
    assert_non_null(between);
    run_story(false, between);
    proxy_close(between);
}

/* ---- One lane among others ---- */

typedef struct asker {
    lido_engine *engine;
    proxy *between;
    int right;
} asker;

static void *ask_some(void *argument) {
    asker *self = argument;
    char digest[DIGEST_MOST];
    lido_session *db = lido_session_open(self->engine, &reads);
    for (int64_t variant = 0; variant < VARIANTS; variant++) {
        ask(db, 0, variant, digest);
        self->right += strcmp(digest, expected[0][variant]) == 0;
    }
    lido_session_close(db);
    return NULL;
}

enum { ASKERS = 20 };

static void ask_in_tasks(asker *self, lido_loop *loop, lido_task_function *function) {
    self->right = 0;
    for (int i = 0; i < ASKERS; i++)
        lido_task_detach(lido_spawn(loop, function, self));
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    assert_int_equal(self->right, ASKERS * VARIANTS);
}

static void *wait_until_it_is_given_up(void *argument) {
    lido_sleep(7000);
    return argument;
}

/* Who waits on it goes on elsewhere, and so do those who come; in the end another takes its place. */
static void a_lane_that_falls_silent_holds_nobody_up(void **state) {
    (void)state;
    postgres_url();
    proxy *between = proxy_open();
    assert_non_null(between);
    asker self = {.engine = open_lanes(between), .between = between};
    lido_loop *loop = lido_loop_new(NULL, NULL);
    lido_pool_stats before;
    lido_pool_stats after;
    ask_in_tasks(&self, loop, ask_some);
    proxy_arm(between, PROXY_STALLS, PROXY_TO_CLIENT, 0);
    ask_in_tasks(&self, loop, ask_some);
    lido_engine_stats(self.engine, &before);
    lido_task_detach(lido_spawn(loop, wait_until_it_is_given_up, NULL));
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    ask_in_tasks(&self, loop, ask_some);
    lido_engine_stats(self.engine, &after);
    assert_true(after.connects > before.connects);
    assert_int_equal(after.down, false);
    lido_loop_close(loop);
    lido_engine_close(self.engine);
    proxy_close(between);
}

typedef struct opener {
    lido_task *task;
    asker *asker;
    lido_category category;
} opener;

static void *ask_and_be_cancelled(void *argument) {
    opener *self = argument;
    char digest[DIGEST_MOST];
    lido_session *db = lido_session_open(self->asker->engine, &reads);
    ask(db, 0, 1, digest);
    self->category = lido_error_of(db)->category;
    lido_session_close(db);
    return NULL;
}

static void *cancel_who_opens(void *argument) {
    lido_task_cancel(((opener *)argument)->task);
    return NULL;
}

/* Else all would get connections of the pool for half a minute. */
static void who_is_cancelled_over_opening_lanes_leaves_them_to_others(void **state) {
    (void)state;
    postgres_url();
    asker self = {.engine = open_lanes(NULL)};
    opener first = {.asker = &self};
    lido_pool_stats stats;
    lido_loop *loop = lido_loop_new(NULL, NULL);
    first.task = lido_spawn(loop, ask_and_be_cancelled, &first);
    lido_task_detach(lido_spawn(loop, cancel_who_opens, &first));
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    assert_int_equal(lido_task_join(first.task, NULL), LIDO_OK);
    assert_int_equal(first.category, LIDO_ERROR_CANCELLED);
    ask_in_tasks(&self, loop, ask_some);
    lido_engine_stats(self.engine, &stats);
    assert_true(stats.connects <= 3);
    lido_loop_close(loop);
    lido_engine_close(self.engine);
}

static void *ask_one(void *argument) {
    asker *self = argument;
    char digest[DIGEST_MOST];
    lido_session *db = lido_session_open(self->engine, &reads);
    ask(db, 0, 1, digest);
    if (strcmp(digest, expected[0][1]) == 0)
        self->right++;
    else
        print_message("%s\n", digest);
    lido_session_close(db);
    return NULL;
}

static void *close_soon(void *argument) {
    lido_sleep(50);
    lido_engine_close(((asker *)argument)->engine);
    return NULL;
}

/* They began before it was closed: they are sent from the silent lane to the pool, and let in. */
static void who_is_aboard_is_answered_though_the_engine_is_closed(void **state) {
    (void)state;
    postgres_url();
    proxy *between = proxy_open();
    assert_non_null(between);
    asker self = {.engine = open_lanes(between), .between = between};
    lido_loop *loop = lido_loop_new(NULL, NULL);
    ask_in_tasks(&self, loop, ask_some);
    proxy_arm(between, PROXY_STALLS, PROXY_TO_CLIENT, 0);
    self.right = 0;
    for (int i = 0; i < ASKERS; i++)
        lido_task_detach(lido_spawn(loop, ask_one, &self));
    lido_task_detach(lido_spawn(loop, close_soon, &self));
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    assert_int_equal(self.right, ASKERS);
    lido_loop_close(loop);
    proxy_close(between);
}

typedef struct heard {
    int times;
    char last[400];
} heard;

static void hear(lido_log_level level, const char *message, void *user) {
    heard *self = user;
    (void)level;
    if (strstr(message, "there are no lanes") == NULL)
        return;
    self->times++;
    snprintf(self->last, sizeof self->last, "%s", message);
}

static void ask_without_lanes(const char *reason, const lido_options *options) {
    heard log = {.times = 0};
    assert_int_equal(lido_log_listen(LIDO_LOG_WARNING, hear, &log), LIDO_OK);
    asker self = {.engine = open_surely(postgres_url(), options)};
    lido_loop *loop = lido_loop_new(NULL, NULL);
    ask_in_tasks(&self, loop, ask_some);
    lido_loop_close(loop);
    lido_engine_close(self.engine);
    assert_int_equal(lido_log_listen(LIDO_LOG_WARNING, NULL, NULL), LIDO_OK);
    assert_int_equal(log.times, 1);
    assert_non_null(strstr(log.last, reason));
}

static void the_log_says_once_why_there_are_none(void **state) {
    (void)state;
    postgres_url();
    lido_options options = LIDO_OPTIONS_INIT;
    options.lanes = 2;
    assert_int_equal(setenv("PGOPTIONS", "-c default_transaction_isolation=serializable", 1), 0);
    ask_without_lanes("default_transaction_isolation", &options);
    assert_int_equal(unsetenv("PGOPTIONS"), 0);
    options.prepare = 0;
    ask_without_lanes("prepare is off", &options);
}

static int run_once(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_do_what_they_like),
        cmocka_unit_test(lanes_are_killed),
        cmocka_unit_test(lanes_are_cut),
        cmocka_unit_test(a_lane_that_falls_silent_holds_nobody_up),
        cmocka_unit_test(the_log_says_once_why_there_are_none),
        cmocka_unit_test(who_is_cancelled_over_opening_lanes_leaves_them_to_others),
        cmocka_unit_test(who_is_aboard_is_answered_though_the_engine_is_closed),
    };
    return cmocka_run_group_tests(tests, make_items, drop_items);
}

int main(void) {
    lido_loop_close(lido_loop_new(NULL, NULL)); /* libuv keeps two descriptors from its first loop on */
    return soak_run(run_once);
}
