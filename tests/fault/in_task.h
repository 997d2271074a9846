/* Stories told twice: in a thread, and in a task that has a loop for itself. What goes wrong must end alike. */
#ifndef TESTS_FAULT_IN_TASK_H
#define TESTS_FAULT_IN_TASK_H

#include "databases.h"

enum { TOLD_MOST = 64 };

typedef struct story_told {
    struct CMUnitTest test;
    void *state; /* the test's own */
    char title[120];
} story_told;

static inline int set_story_up(void **state) {
    story_told *story = *state;
    story->state = story->test.initial_state;
    return story->test.setup_func != NULL ? story->test.setup_func(&story->state) : 0;
}

static inline int tear_story_down(void **state) {
    story_told *story = *state;
    return story->test.teardown_func != NULL ? story->test.teardown_func(&story->state) : 0;
}

static inline void *tell_to_its_end(void *argument) {
    story_told *story = argument;
    story->test.test_func(&story->state);
    return NULL;
}

static inline void tell_in_task(void **state) {
    if (getenv("LIDO_TEST_POSTGRES_URL") == NULL || getenv("LIDO_TEST_POSTGRES_DIRECTORY") == NULL)
        skip(); /* as most would by themselves, which they cannot from a task's stack */
    lido_loop *loop = lido_loop_new(NULL, NULL);
    assert_non_null(loop);
    lido_task *task = lido_spawn(loop, tell_to_its_end, *state);
    assert_non_null(task);
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    assert_int_equal(lido_task_join(task, NULL), LIDO_OK);
    lido_loop_close(loop);
}

/* As cmocka_run_group_tests. */
static inline int tell_in_thread_and_task(const char *group, const struct CMUnitTest *tests, size_t count) {
    static story_told stories[TOLD_MOST];
    struct CMUnitTest in_task[TOLD_MOST];
    if (count > TOLD_MOST)
        abort();
    for (size_t i = 0; i < count; i++) {
        stories[i].test = tests[i];
        snprintf(stories[i].title, sizeof stories[i].title, "%s, in a task", tests[i].name);
        in_task[i] = (struct CMUnitTest){stories[i].title, tell_in_task, set_story_up, tear_story_down, &stories[i]};
    }
    int failed = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
    return failed + _cmocka_run_group_tests(group, in_task, count, NULL, NULL);
}

#endif
