/* A process that forks while its tasks have statements under way on lanes: the child leaves them alone and has
 * connections of its own, and the parent's go on. */
#include "child.h"

enum { ASKERS = 20, TIMES = 6 };

typedef struct asker {
    lido_engine *engine;
    int right;
    int asked;
} asker;

static int ask(lido_engine *engine) {
    int right = 0;
    lido_session *db = lido_session_open(engine, &(lido_session_options){.read_only = true, .autocommit = true});
    for (int64_t i = 0; i < TIMES; i++)
        right += lido_query_value(db, "SELECT ?::bigint * 3", i).as.integer == i * 3 && !lido_failed(db);
    lido_session_close(db);
    return right;
}

static void *ask_in_task(void *argument) {
    asker *self = argument;
    self->right += ask(self->engine);
    return NULL;
}

/* The one in the middle forks, when it has been answered, and others have not. */
static void *ask_and_fork(void *argument) {
    asker *self = argument;
    ask_in_task(self);
    if (++self->asked != ASKERS / 2)
        return NULL;
    pid_t child = fork_surely();
    if (child == 0) {
        CHILD_EXPECT(ask(self->engine) == TIMES);
        lido_engine_close(self->engine);
        _exit(0);
    }
    expect_good_end(child);
    return NULL;
}

static void ask_with_all(asker *self, lido_loop *loop, lido_task_function *function) {
    self->right = self->asked = 0;
    for (int i = 0; i < ASKERS; i++)
        lido_task_detach(lido_spawn(loop, function, self));
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    assert_int_equal(self->right, ASKERS * TIMES);
}

static void a_child_leaves_its_parents_lanes_alone(void **state) {
    (void)state;
    lido_options options = LIDO_OPTIONS_INIT;
    lido_pool_stats stats;
    options.lanes = 2;
    asker self = {.engine = open_surely(postgres_url(), &options)};
    lido_loop *loop = lido_loop_new(NULL, NULL);
    ask_with_all(&self, loop, ask_and_fork);
    ask_with_all(&self, loop, ask_in_task);
    lido_engine_stats(self.engine, &stats);
    assert_int_equal(stats.connects, 2);
    lido_loop_close(loop);
    lido_engine_close(self.engine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_leaves_its_parents_lanes_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
