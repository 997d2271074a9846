/* The log: who gets which lines, and what a line looks like. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"

typedef struct heard {
    char lines[8][LIDO__LOG_LINE_SIZE];
    lido_log_level levels[8];
    int count;
} heard;

static void hear(lido_log_level level, const char *line, void *user) {
    heard *all = user;
    assert_true(all->count < 8);
    all->levels[all->count] = level;
    snprintf(all->lines[all->count++], LIDO__LOG_LINE_SIZE, "%s", line);
}

static int stop_listening(void **state) {
    (void)state;
    return lido_log_listen(LIDO_LOG_ERROR, NULL, NULL) == LIDO_OK ? 0 : -1;
}

static void say_one_of_each(void) {
    lido__log(LIDO_LOG_ERROR, "an error");
    lido__log(LIDO_LOG_WARNING, "a warning");
    lido__log(LIDO_LOG_INFO, "some information");
    lido__log(LIDO_LOG_DEBUG, "a detail");
}

static void nobody_listens_at_first(void **state) {
    (void)state;
    assert_false(lido__log_wanted(LIDO_LOG_ERROR));
    say_one_of_each();
}

static void a_level_brings_the_graver_ones_with_it(void **state) {
    heard all = {.count = 0};
    (void)state;
    lido_log_listen(LIDO_LOG_WARNING, hear, &all);
    assert_true(lido__log_wanted(LIDO_LOG_WARNING));
    assert_false(lido__log_wanted(LIDO_LOG_INFO));
    say_one_of_each();
    assert_int_equal(all.count, 2);
    assert_string_equal(all.lines[0], "an error");
    assert_int_equal(all.levels[0], LIDO_LOG_ERROR);
    assert_string_equal(all.lines[1], "a warning");
    assert_int_equal(all.levels[1], LIDO_LOG_WARNING);
}

static void the_next_callback_replaces_the_one_before(void **state) {
    heard first = {.count = 0};
    heard second = {.count = 0};
    (void)state;
    lido_log_listen(LIDO_LOG_DEBUG, hear, &first);
    say_one_of_each();
    lido_log_listen(LIDO_LOG_ERROR, hear, &second);
    say_one_of_each();
    lido_log_listen(LIDO_LOG_DEBUG, NULL, &second);
    say_one_of_each();
    assert_int_equal(first.count, 4);
    assert_int_equal(second.count, 1);
}

static void whatever_it_says_is_one_line(void **state) {
    heard all = {.count = 0};
    (void)state;
    lido_log_listen(LIDO_LOG_DEBUG, hear, &all);
    lido__log(LIDO_LOG_INFO, "SELECT %d\r\n\tFROM\x1b[31m items -- größer\x7f", 1);
    assert_string_equal(all.lines[0], "SELECT 1   FROM [31m items -- größer ");
}

static void what_is_too_long_is_cut_between_characters(void **state) {
    heard all = {.count = 0};
    char text[4000];
    (void)state;
    lido_log_listen(LIDO_LOG_DEBUG, hear, &all);
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "ä", 2);
    text[sizeof text - 2] = '\0';
    lido__log(LIDO_LOG_INFO, "%s", text);
    lido__log(LIDO_LOG_INFO, "-%s", text);
    for (int i = 0; i < 2; i++) {
        size_t size = strlen(all.lines[i]);
        assert_true(size < LIDO__LOG_LINE_SIZE && size > LIDO__LOG_LINE_SIZE - 8);
        assert_string_equal(all.lines[i] + size - strlen("…"), "…");
        assert_memory_equal(all.lines[i] + size - strlen("ä…"), "ä", 2);
    }
}

static void levels_have_names(void **state) {
    (void)state;
    assert_string_equal(lido_log_level_name(LIDO_LOG_ERROR), "error");
    assert_string_equal(lido_log_level_name(LIDO_LOG_WARNING), "warning");
    assert_string_equal(lido_log_level_name(LIDO_LOG_INFO), "info");
    assert_string_equal(lido_log_level_name(LIDO_LOG_DEBUG), "debug");
    assert_string_equal(lido_log_level_name((lido_log_level)0), "not a level");
    assert_string_equal(lido_log_level_name((lido_log_level)77), "not a level");
}

/* ---- Several threads ---- */

enum { SPEAKERS = 3, LINES = 2000 };

static atomic_int lines_heard[2];

static void count_line(lido_log_level level, const char *line, void *user) {
    (void)level;
    if (strcmp(line, "here is one") == 0)
        atomic_fetch_add((atomic_int *)user, 1);
}

static void *speak(void *argument) {
    for (int i = 0; i < LINES; i++)
        lido__log(LIDO_LOG_INFO, "%s is one", (const char *)argument);
    return NULL;
}

static void listeners_may_change_while_others_speak(void **state) {
    pthread_t speakers[SPEAKERS];
    (void)state;
    lido_log_listen(LIDO_LOG_INFO, count_line, &lines_heard[0]);
    for (int i = 0; i < SPEAKERS; i++)
        assert_int_equal(pthread_create(&speakers[i], NULL, speak, "here"), 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(lido_log_listen(LIDO_LOG_INFO, count_line, &lines_heard[i % 2]), LIDO_OK);
    for (int i = 0; i < SPEAKERS; i++)
        pthread_join(speakers[i], NULL);
    assert_int_equal(atomic_load(&lines_heard[0]) + atomic_load(&lines_heard[1]), SPEAKERS * LINES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_listens_at_first),
        cmocka_unit_test_teardown(a_level_brings_the_graver_ones_with_it, stop_listening),
        cmocka_unit_test_teardown(the_next_callback_replaces_the_one_before, stop_listening),
        cmocka_unit_test_teardown(whatever_it_says_is_one_line, stop_listening),
        cmocka_unit_test_teardown(what_is_too_long_is_cut_between_characters, stop_listening),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test_teardown(listeners_may_change_while_others_speak, stop_listening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
