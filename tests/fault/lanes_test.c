/* Hundreds of tasks on two lanes: what each statement gives is what it gives alone, whatever its neighbours do: fail,
 * give much or nothing, are cancelled, run late, or take the connection with them. */
#include "lane_lines.h"
#include "soak.h"
#include "support/chance.h"

enum { TASKS = 300, STATEMENTS = 12, ROUND_MS = 1500 };

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

static int run_once(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_do_what_they_like),
        cmocka_unit_test(lanes_are_killed),
        cmocka_unit_test(lanes_are_cut),
    };
    return cmocka_run_group_tests(tests, make_items, drop_items);
}

int main(void) {
    lido_loop_close(lido_loop_new(NULL, NULL)); /* libuv keeps two descriptors from its first loop on */
    return soak_run(run_once);
}
