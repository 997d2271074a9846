/* The clock, which tests may replace, and the random numbers that jitter is made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/random.h"

static int64_t pretended_now;

static int64_t pretended_clock(void) {
    return pretended_now;
}

static int restore_clock(void **state) {
    (void)state;
    lido__clock_replace(NULL);
    return 0;
}

static void the_clock_never_goes_back(void **state) {
    (void)state;
    int64_t before = lido__clock_now_us();
    for (int i = 0; i < 1000; i++) {
        int64_t now = lido__clock_now_us();
        assert_true(now >= before);
        before = now;
    }
}

static void a_replaced_clock_is_asked_instead(void **state) {
    (void)state;
    pretended_now = -5;
    lido__clock_replace(pretended_clock);
    assert_int_equal(lido__clock_now_us(), -5);
    lido__clock_replace(NULL);
    assert_true(lido__clock_now_us() > 0);
}

static void a_deadline_lies_that_far_ahead(void **state) {
    (void)state;
    pretended_now = 7000;
    lido__clock_replace(pretended_clock);
    assert_int_equal(lido__deadline_in_ms(0), 7000);
    assert_int_equal(lido__deadline_in_ms(30000), 30007000);
}

static void no_deadline_never_comes(void **state) {
    (void)state;
    pretended_now = 7000;
    lido__clock_replace(pretended_clock);
    assert_true(lido__deadline_in_ms(-1) == LIDO__NO_DEADLINE);
    assert_true(lido__deadline_in_ms(INT64_MIN) == LIDO__NO_DEADLINE);
    assert_true(lido__deadline_in_ms(INT64_MAX) == LIDO__NO_DEADLINE);
    int64_t most = (INT64_MAX - 7000) / 1000;
    assert_true(lido__deadline_in_ms(most) == 7000 + most * 1000);
    assert_true(lido__deadline_in_ms(most + 1) == LIDO__NO_DEADLINE);
}

static void random_numbers_stay_below_their_limit(void **state) {
    (void)state;
    int seen[10] = {0};
    for (int i = 0; i < 1000; i++) {
        int64_t number = lido__random_below(10);
        assert_in_range(number, 0, 9);
        seen[number]++;
    }
    for (int i = 0; i < 10; i++)
        assert_true(seen[i] > 0); /* by chance one is missing in 1 of 10^44 runs */
    assert_int_equal(lido__random_below(1), 0);
    assert_int_equal(lido__random_below(0), 0);
    assert_int_equal(lido__random_below(-3), 0);
    assert_true(lido__random_below(INT64_MAX) >= 0);
}

static void random_numbers_differ(void **state) {
    (void)state;
    assert_true(lido__random() != lido__random()); /* by chance they do not in 1 of 2^64 runs */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_never_goes_back),
        cmocka_unit_test_teardown(a_replaced_clock_is_asked_instead, restore_clock),
        cmocka_unit_test_teardown(a_deadline_lies_that_far_ahead, restore_clock),
        cmocka_unit_test_teardown(no_deadline_never_comes, restore_clock),
        cmocka_unit_test(random_numbers_stay_below_their_limit),
        cmocka_unit_test(random_numbers_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
