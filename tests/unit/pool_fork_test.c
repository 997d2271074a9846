/* The pool around a fork: what a child inherits. Both sides are played in one process, by the hooks that fork() calls;
 * the real thing is tried on real databases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fault.h"
#include "support/scripted.h"

/* From here on this is the child. */
static void fork_here(void) {
    lido__pool_before_fork(&pool);
    lido__pool_after_fork_in_child(&pool);
}

/* The same, and the child is to have no keeper either. */
static void become_the_child(void) {
    fork_here();
    without_keeper();
}

static void make_inherited_pool(int size) {
    time_stands_still();
    make_pool(size, 0);
    without_keeper();
}

static void the_parent_goes_on_as_if_nothing_had_been(void **state) {
    (void)state;
    make_inherited_pool(2);
    lido__connection *used = acquire_surely();
    release(acquire_surely());
    lido__pool_before_fork(&pool);
    lido__pool_after_fork_in_parent(&pool);
    assert_int_equal(stats_now().open, 2);
    assert_int_equal(database.disarmed, 0);
    lido__connection *other = acquire_surely();
    assert_int_equal(number_of(other), 2);
    release(other);
    release(used);
    assert_int_equal(database.attempts, 2);
}

static void nobody_changes_the_pool_while_it_is_forked(void **state) {
    (void)state;
    make_inherited_pool(1);
    lido__pool_before_fork(&pool);
    assert_int_not_equal(pthread_mutex_trylock(&pool.lock), 0);
    lido__pool_after_fork_in_parent(&pool);
    release(acquire_surely());
}

static void a_child_begins_with_nothing_open(void **state) {
    (void)state;
    make_inherited_pool(3);
    lido__connection *used = acquire_surely();
    release(acquire_surely());
    become_the_child();
    lido_pool_stats stats = stats_now();
    assert_int_equal(stats.open + stats.idle + stats.in_use + stats.waiting, 0);
    assert_true(of(used)->disarmed);
    assert_int_equal(database.disarmed, 2);
    assert_int_equal(database.abandoned, 0); /* inside the fork itself, that is not allowed */
}

static void the_first_use_abandons_what_was_inherited_once(void **state) {
    (void)state;
    make_inherited_pool(3);
    acquire_surely();
    release(acquire_surely());
    become_the_child();
    lido__connection *own = acquire_surely();
    assert_int_equal(number_of(own), 3);
    assert_int_equal(database.abandoned, 2);
    assert_int_equal(database.closed, 0); /* not a byte was said */
    release(own);
    release(acquire_surely());
    assert_int_equal(database.abandoned, 2);
    assert_int_equal(database.attempts, 3);
}

static void what_is_never_used_is_abandoned_at_the_end(void **state) {
    (void)state;
    make_inherited_pool(2);
    release(acquire_surely());
    fork_here();
    lido__pool_close(&pool);
    assert_int_equal(database.closed, 0);
    assert_int_equal(database.abandoned, 0); /* scripted_end finds that lido__pool_done does it */
}

static void a_child_s_child_inherits_all_that_was_not_abandoned(void **state) {
    (void)state;
    make_inherited_pool(3);
    acquire_surely();
    become_the_child();
    become_the_child();
    assert_int_equal(database.disarmed, 1);
    lido__connection *own = acquire_surely();
    assert_int_equal(database.abandoned, 1);
    become_the_child();
    assert_int_equal(database.disarmed, 2);
    assert_true(of(own)->disarmed);
    release(acquire_surely());
    assert_int_equal(database.abandoned, 2);
}

static void the_child_s_slots_are_all_free(void **state) {
    (void)state;
    enum { SIZE = 3 };
    lido__connection *own[SIZE];
    config.pool_timeout_ms = 0;
    make_inherited_pool(SIZE);
    for (int i = 0; i < SIZE; i++)
        acquire_surely();
    become_the_child();
    for (int i = 0; i < SIZE; i++)
        own[i] = acquire_surely();
    assert_refused(LIDO_ERROR_POOL_EXHAUSTED);
    for (int i = 0; i < SIZE; i++)
        release(own[i]);
    assert_int_equal(stats_now().idle, SIZE);
}

static void who_waited_in_the_parent_does_not_wait_in_the_child(void **state) {
    (void)state;
    customer waiting;
    make_inherited_pool(1);
    lido__connection *held = acquire_surely();
    let_queue(&waiting, true);
    lido__pool parent = pool;
    become_the_child();
    assert_int_equal(stats_now().waiting, 0);
    assert_null(last_in_queue());
    lido__connection *own = acquire_surely();
    release(own); /* to nobody */
    assert_int_equal(stats_now().idle, 1);
    /* The parent's side of the story ends here, for its thread is in truth this process's. */
    assert_ptr_equal(parent.oldest, parent.newest);
    lido__fault(parent.oldest->error, LIDO_ERROR_CANCELLED, "the story is over");
    lido__waker_wake(&parent.oldest->waker);
    wait_for(&waiting);
    (void)held; /* abandoned */
}

static void a_probe_of_the_parent_is_not_the_child_s(void **state) {
    (void)state;
    make_inherited_pool(1);
    let_fail(1);
    assert_refused(LIDO_ERROR_DISCONNECTED);
    time_passes_ms(10000);
    pool.probing = true; /* as while another thread of the parent is at it */
    become_the_child();
    config.pool_timeout_ms = 0;
    release(acquire_surely());
    assert_false(stats_now().down);
}

static void the_child_attaches_a_database_of_its_own(void **state) {
    (void)state;
    make_inherited_pool(1);
    become_the_child();
    assert_int_equal(database.attached, 0);
    release(acquire_surely());
    release(acquire_surely());
    assert_int_equal(database.attached, 1);
}

static void a_child_that_cannot_attach_says_so_and_tries_again(void **state) {
    (void)state;
    make_inherited_pool(1);
    release(acquire_surely());
    become_the_child();
    database.not_attachable = true;
    assert_refused(LIDO_ERROR_OUT_OF_MEMORY);
    assert_refused(LIDO_ERROR_OUT_OF_MEMORY);
    assert_int_equal(database.attempts, 1);
    assert_int_equal(database.abandoned, 1);
    database.not_attachable = false;
    release(acquire_surely());
    assert_int_equal(database.attached, 1);
}

static void the_child_has_a_keeper_of_its_own(void **state) {
    (void)state;
    make_pool(1, 0);
    without_keeper();
    release(acquire_surely());
    fork_here();
    assert_false(pool.keeper_runs);
    release(acquire_surely());
    assert_true(pool.keeper_runs);
    lido__pool_close(&pool); /* joins it, which would not end if it did not run */
    assert_false(pool.keeper_runs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        POOL_TEST(the_parent_goes_on_as_if_nothing_had_been),
        POOL_TEST(nobody_changes_the_pool_while_it_is_forked),
        POOL_TEST(a_child_begins_with_nothing_open),
        POOL_TEST(the_first_use_abandons_what_was_inherited_once),
        POOL_TEST(what_is_never_used_is_abandoned_at_the_end),
        POOL_TEST(a_child_s_child_inherits_all_that_was_not_abandoned),
        POOL_TEST(the_child_s_slots_are_all_free),
        POOL_TEST(who_waited_in_the_parent_does_not_wait_in_the_child),
        POOL_TEST(a_probe_of_the_parent_is_not_the_child_s),
        POOL_TEST(the_child_attaches_a_database_of_its_own),
        POOL_TEST(a_child_that_cannot_attach_says_so_and_tries_again),
        POOL_TEST(the_child_has_a_keeper_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
