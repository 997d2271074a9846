/* Lanes that fall silent, are not opened, or whose engine is closed: who is aboard is answered all the same, and who
 * comes is, too. */
#include "lane_lines.h"
#include "soak.h"

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
