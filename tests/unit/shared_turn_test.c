/* Turns among processes: real ones, that die with the turn and while they wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/shared_turn.h"
#include "base/clock.h"

enum { PROCESSES = 4, ROUNDS = 500, LONG_MS = 20 * 1000 };

/* Between the processes. */
typedef struct board {
    atomic_int inside;
    atomic_int done[PROCESSES];
    atomic_int order[PROCESSES];
    atomic_int served;
    atomic_bool holds;
} board;

static board *on;
static lido__shared_turn *turn;

static bool never(void *argument) {
    (void)argument;
    return false;
}

static bool always(void *argument) {
    (void)argument;
    return true;
}

static lido__turn_outcome take(void) {
    return lido__shared_turn_take(turn, lido__deadline_in_ms(LONG_MS), never, NULL);
}

static void pause_ms(int ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

static int set_up(void **state) {
    lido_error error = LIDO_ERROR_INIT;
    (void)state;
    on = mmap(NULL, sizeof *on, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    turn = lido__shared_turn_new(PROCESSES, &error);
    return on != MAP_FAILED && turn != NULL ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    lido__shared_turn_free(turn);
    return munmap(on, sizeof *on);
}

static pid_t fork_to(void (*work)(int number), int number) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(60);
        work(number);
        _exit(0);
    }
    return child;
}

static void bury(pid_t child, bool killed) {
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(killed ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
    lido__shared_turn_forget(turn, child);
}

/* ---- One at a time ---- */

static void work_in_turn(int number) {
    for (int i = 0; i < ROUNDS; i++) {
        if (take() != LIDO__TURN_TAKEN)
            _exit(1);
        if (atomic_fetch_add(&on->inside, 1) != 0)
            _exit(2);
        atomic_fetch_sub(&on->inside, 1);
        atomic_fetch_add(&on->done[number], 1);
        lido__shared_turn_give(turn, false);
    }
}

static void test_one_at_a_time(void **state) {
    pid_t children[PROCESSES];
    (void)state;
    for (int i = 0; i < PROCESSES; i++)
        children[i] = fork_to(work_in_turn, i);
    for (int i = 0; i < PROCESSES; i++)
        bury(children[i], false);
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(atomic_load(&on->done[i]), ROUNDS);
}

/* ---- In order ---- */

static void come_and_be_served(int number) {
    pause_ms(100 * number);
    if (take() != LIDO__TURN_TAKEN)
        _exit(1);
    atomic_store(&on->order[atomic_fetch_add(&on->served, 1)], number);
    lido__shared_turn_give(turn, false);
}

static void test_in_the_order_they_came(void **state) {
    pid_t children[PROCESSES - 1];
    (void)state;
    assert_int_equal(take(), LIDO__TURN_TAKEN);
    for (int i = 0; i < PROCESSES - 1; i++)
        children[i] = fork_to(come_and_be_served, i);
    pause_ms(100 * PROCESSES + 200);
    lido__shared_turn_give(turn, false);
    for (int i = 0; i < PROCESSES - 1; i++)
        bury(children[i], false);
    for (int i = 0; i < PROCESSES - 1; i++)
        assert_int_equal(atomic_load(&on->order[i]), i);
}

/* ---- Kept ---- */

/* Keeps it for more, as long as it is let. */
static void ask_for_more(int number) {
    if (take() != LIDO__TURN_TAKEN)
        _exit(1);
    atomic_store(&on->holds, true);
    while (atomic_load(&on->served) == 0) {
        lido__shared_turn_give(turn, true);
        if (take() != LIDO__TURN_TAKEN)
            _exit(1);
        atomic_fetch_add(&on->done[number], 1);
    }
    lido__shared_turn_give(turn, false);
}

static void test_kept_for_a_while(void **state) {
    (void)state;
    pid_t keeper = fork_to(ask_for_more, 3);
    while (!atomic_load(&on->holds))
        pause_ms(1);
    bury(fork_to(come_and_be_served, 0), false);
    bury(keeper, false);
    assert_in_range(atomic_load(&on->done[3]), 1, 1000 * 1000 * 1000);
}

static void keep_and_sleep(int number) {
    (void)number;
    if (take() != LIDO__TURN_TAKEN)
        _exit(1);
    lido__shared_turn_give(turn, true);
    atomic_store(&on->holds, true);
    for (;;)
        pause();
}

static void test_kept_in_vain(void **state) {
    (void)state;
    pid_t keeper = fork_to(keep_and_sleep, 0);
    while (!atomic_load(&on->holds))
        pause_ms(1);
    bury(fork_to(come_and_be_served, 1), false);
    kill(keeper, SIGKILL);
    bury(keeper, true);
}

/* ---- Dying ---- */

static void hold_for_ever(int number) {
    (void)number;
    if (take() == LIDO__TURN_TAKEN)
        atomic_store(&on->holds, true);
    for (;;)
        pause();
}

static void test_dies_with_the_turn(void **state) {
    (void)state;
    pid_t holder = fork_to(hold_for_ever, 0);
    while (!atomic_load(&on->holds))
        pause_ms(1);
    pid_t waiting = fork_to(hold_for_ever, 1); /* dies while it waits */
    pid_t served = fork_to(work_in_turn, 2);
    pause_ms(50);
    kill(waiting, SIGKILL);
    bury(waiting, true);
    assert_int_equal(atomic_load(&on->done[2]), 0);
    kill(holder, SIGKILL);
    bury(holder, true);
    bury(served, false);
    assert_int_equal(atomic_load(&on->done[2]), ROUNDS);
}

/* ---- Who does not wait ---- */

static void give_up(int number) {
    lido__turn_outcome outcome = lido__shared_turn_take(turn, lido__deadline_in_ms(30), never, NULL);
    lido__turn_outcome stopped = lido__shared_turn_take(turn, lido__deadline_in_ms(LONG_MS), always, NULL);
    atomic_store(&on->done[number], outcome == LIDO__TURN_LATE && stopped == LIDO__TURN_LATE ? 1 : 2);
}

static void test_gives_up(void **state) {
    (void)state;
    assert_int_equal(take(), LIDO__TURN_TAKEN);
    bury(fork_to(give_up, 0), false);
    assert_int_equal(atomic_load(&on->done[0]), 1);
    assert_int_equal(take(), LIDO__TURN_NONE); /* this process has it */
    lido__shared_turn_give(turn, false);
    lido__shared_turn_give(turn, false); /* it has it no more */
    assert_int_equal(take(), LIDO__TURN_TAKEN);
    lido__shared_turn_give(turn, false);
}

static void just_take(int number) {
    lido__turn_outcome outcome = take();
    atomic_store(&on->done[number % PROCESSES], outcome == LIDO__TURN_TAKEN ? 1 : outcome == LIDO__TURN_NONE ? 2 : 3);
    if (outcome == LIDO__TURN_TAKEN)
        lido__shared_turn_give(turn, false);
}

/* Those that were not told to have ended keep their places. */
static void test_too_many(void **state) {
    int status;
    (void)state;
    for (int i = 0; i < PROCESSES; i++) {
        assert_true(waitpid(fork_to(just_take, i), &status, 0) > 0);
        assert_int_equal(atomic_load(&on->done[i]), 1);
    }
    bury(fork_to(just_take, 0), false);
    assert_int_equal(atomic_load(&on->done[0]), 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_one_at_a_time),    TEST(test_in_the_order_they_came), TEST(test_dies_with_the_turn),
        TEST(test_kept_for_a_while), TEST(test_kept_in_vain),           TEST(test_gives_up),
        TEST(test_too_many),
    };
    return cmocka_run_group_tests_name("turns among processes", tests, NULL, NULL);
}
