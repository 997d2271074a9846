/* Attendants: called at the end of a turn, when their moment comes, when another thread asks, when what they look at
 * can be read, and when the loop ends; and wake-ups among what runs on one loop. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those before it */
#include <setjmp.h>

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <lido.h>
#include <cmocka.h>

#include "await/await.h"
#include "base/clock.h"

/* What has happened, a letter for each. */
typedef struct diary {
    char written[32];
    size_t count;
} diary;

typedef struct service {
    lido__attendant attendant; /* first */
    lido__lookout lookout;
    diary *diary;
    lido__near *waits;        /* to be woken by the next thing that happens; NULL: nobody */
    lido__attendant *removes; /* by the next thing that happens, another or this one; it is freed. NULL: none */
    int descriptor;
} service;

static const char key;

static void write_down(diary *in, char what) {
    assert_true(in->count + 1 < sizeof in->written);
    in->written[in->count++] = what;
}

static void wake(service *self) {
    lido__near *waits = self->waits;
    lido__attendant *removes = self->removes;
    self->waits = NULL;
    self->removes = NULL;
    if (removes != NULL) {
        lido__attendant_leave(removes);
        free(removes);
    }
    if (waits != NULL)
        lido__near_wake(waits);
}

static void turn_ends(lido__attendant *of) {
    service *self = (service *)of;
    write_down(self->diary, 't');
    wake(self);
}

static void late(lido__attendant *of) {
    service *self = (service *)of;
    assert_true(of->moment == LIDO__NO_DEADLINE);
    write_down(self->diary, 'l');
    wake(self);
}

static void called(lido__attendant *of) {
    service *self = (service *)of;
    write_down(self->diary, 'c');
    wake(self);
}

static void loop_ends(lido__attendant *of) {
    write_down(((service *)of)->diary, 'e');
    lido__attendant_leave(of);
}

static void ready(lido__lookout *of) {
    service *self = (service *)((char *)of - offsetof(service, lookout));
    char byte;
    assert_int_equal(read(self->descriptor, &byte, 1), 1);
    write_down(self->diary, 'r');
    wake(self);
}

static lido__await_outcome wait_for(service *self) {
    lido__near near;
    lido__near_init(&near);
    self->waits = &near;
    lido__await_outcome outcome = lido__await(&(lido__wait){.kind = LIDO__WAIT_NEAR, .near = &near}, LIDO__NO_DEADLINE);
    self->waits = NULL;
    return near.woken || outcome != LIDO__AWAIT_READY ? outcome : LIDO__AWAIT_FAILED;
}

static void join(service *self) {
    bool in_task;
    assert_null(lido__attendant_find(&key, &in_task));
    assert_true(in_task);
    self->attendant =
        (lido__attendant){.key = &key, .turn_ends = turn_ends, .late = late, .called = called, .loop_ends = loop_ends};
    self->lookout.ready = ready;
    lido__attendant_join(&self->attendant);
    assert_ptr_equal(lido__attendant_find(&key, &in_task), &self->attendant);
    assert_true(lido__attendant_is_near(&self->attendant));
}

static void run(lido_task_function *function, void *argument) {
    lido_loop *loop = lido_loop_new(NULL, NULL);
    assert_non_null(loop);
    lido_task_detach(lido_spawn(loop, function, argument));
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    lido_loop_close(loop);
}

/* ---- The end of a turn ---- */

static void *write_as_neighbour(void *argument) {
    write_down(argument, 'n');
    return NULL;
}

static void *be_due(void *argument) {
    service *self = argument;
    join(self);
    self->attendant.due = true;
    assert_int_equal(wait_for(self), LIDO__AWAIT_READY);
    write_down(self->diary, '1');
    assert_int_equal(lido_sleep(1), LIDO_OK); /* it is not due again by itself */
    return NULL;
}

static void a_turn_ends_when_all_have_run(void **state) {
    (void)state;
    diary seen = {.count = 0};
    service one = {.diary = &seen};
    lido_loop *loop = lido_loop_new(NULL, NULL);
    lido_task_detach(lido_spawn(loop, be_due, &one));
    lido_task_detach(lido_spawn(loop, write_as_neighbour, &seen));
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    lido_loop_close(loop);
    assert_string_equal(seen.written, "nt1e");
}

/* ---- Moments ---- */

static void *be_late(void *argument) {
    service *self = argument;
    join(self);
    int64_t began = lido__clock_now_us();
    self->attendant.moment = began + 20 * 1000;
    assert_int_equal(wait_for(self), LIDO__AWAIT_READY);
    assert_true(lido__clock_now_us() - began >= 20 * 1000);
    return NULL;
}

static void a_moment_comes(void **state) {
    (void)state;
    diary seen = {.count = 0};
    service one = {.diary = &seen};
    run(be_late, &one);
    assert_string_equal(seen.written, "le");
}

/* ---- Other threads ---- */

static void *call_from_elsewhere(void *argument) {
    service *self = argument;
    assert_false(lido__attendant_is_near(&self->attendant));
    lido__attendant_call(&self->attendant);
    return NULL;
}

static void *be_called(void *argument) {
    service *self = argument;
    pthread_t caller;
    join(self);
    assert_int_equal(pthread_create(&caller, NULL, call_from_elsewhere, self), 0);
    assert_int_equal(wait_for(self), LIDO__AWAIT_READY);
    pthread_join(caller, NULL);
    return NULL;
}

static void another_thread_calls(void **state) {
    (void)state;
    diary seen = {.count = 0};
    service one = {.diary = &seen};
    run(be_called, &one);
    assert_string_equal(seen.written, "ce");
}

static void *interrupt(void *argument) {
    lido__near_interrupt(argument);
    return NULL;
}

static void *be_interrupted(void *argument) {
    pthread_t other;
    lido__near near;
    (void)argument;
    lido__near_init(&near);
    assert_int_equal(pthread_create(&other, NULL, interrupt, &near), 0);
    assert_int_equal(lido__await(&(lido__wait){.kind = LIDO__WAIT_NEAR, .near = &near}, LIDO__NO_DEADLINE),
                     LIDO__AWAIT_READY);
    assert_false(near.woken);
    pthread_join(other, NULL);
    return NULL;
}

static void a_wait_is_interrupted(void **state) {
    (void)state;
    run(be_interrupted, NULL);
}

/* ---- Descriptors ---- */

static void *look_out(void *argument) {
    service *self = argument;
    int ends[2];
    join(self);
    assert_int_equal(pipe(ends), 0);
    self->descriptor = ends[0];
    assert_true(lido__lookout_set(&self->attendant, &self->lookout, ends[0], false));
    assert_int_equal(write(ends[1], "ab", 2), 2);
    assert_int_equal(wait_for(self), LIDO__AWAIT_READY);
    if (self->diary->count < 2)
        assert_int_equal(wait_for(self), LIDO__AWAIT_READY); /* the second byte */
    lido__lookout_unset(&self->attendant, ends[0]);
    assert_int_equal(write(ends[1], "c", 1), 1);
    assert_int_equal(lido_sleep(5), LIDO_OK);
    /* A task may wait for it now. */
    assert_int_equal(lido__await_descriptor(ends[0], true, false, LIDO__NO_DEADLINE), LIDO__AWAIT_READY);
    close(ends[0]);
    close(ends[1]);
    return NULL;
}

static void a_descriptor_is_looked_at(void **state) {
    (void)state;
    diary seen = {.count = 0};
    service one = {.diary = &seen};
    run(look_out, &one);
    assert_string_equal(seen.written, "rre");
}

/* ---- Leaving while others are called ---- */

typedef struct company {
    diary seen;
    service *first; /* called before `second`: the newest is */
    service *second;
    bool itself; /* the first removes itself, and not the second */
} company;

static service *join_for_a_while(diary *seen) {
    service *self = calloc(1, sizeof *self);
    assert_non_null(self);
    self->diary = seen;
    self->attendant =
        (lido__attendant){.key = self, .turn_ends = turn_ends, .late = late, .called = called, .loop_ends = loop_ends};
    lido__attendant_join(&self->attendant);
    return self;
}

static void join_both(company *both) {
    both->second = join_for_a_while(&both->seen);
    both->first = join_for_a_while(&both->seen);
    both->first->removes = &(both->itself ? both->first : both->second)->attendant;
}

static void *end_a_turn(void *argument) {
    company *both = argument;
    join_both(both);
    both->first->attendant.due = both->second->attendant.due = true;
    return NULL;
}

static void *be_late_and_called(void *argument) {
    company *both = argument;
    join_both(both);
    both->first->attendant.moment = both->second->attendant.moment = 1;
    lido__attendant_call(&both->first->attendant);
    lido__attendant_call(&both->second->attendant);
    assert_int_equal(lido_sleep(1), LIDO_OK);
    return NULL;
}

/* The one that is left writes of the loop's end. */
static void run_company(lido_task_function *function, bool itself, const char *expected) {
    company both = {.itself = itself};
    run(function, &both);
    free(itself ? both.second : both.first);
    assert_string_equal(both.seen.written, expected);
}

static void one_removes_the_next(void **state) {
    (void)state;
    run_company(end_a_turn, false, "te");
    run_company(be_late_and_called, false, "lce");
}

static void one_removes_itself(void **state) {
    (void)state;
    run_company(end_a_turn, true, "tte");
    run_company(be_late_and_called, true, "llce");
}

/* ---- Threads ---- */

static void a_thread_has_none(void **state) {
    (void)state;
    bool in_task = true;
    assert_null(lido__attendant_find(&key, &in_task));
    assert_false(in_task);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_ends_when_all_have_run), cmocka_unit_test(a_moment_comes),
        cmocka_unit_test(another_thread_calls),          cmocka_unit_test(a_wait_is_interrupted),
        cmocka_unit_test(a_descriptor_is_looked_at),     cmocka_unit_test(a_thread_has_none),
        cmocka_unit_test(one_removes_the_next),          cmocka_unit_test(one_removes_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
