/* Histograms of durations: which bucket a duration is in, and what is read from them. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/histogram.h"

static void every_duration_is_between_the_bounds_of_its_bucket(void **state) {
    (void)state;
    for (uint64_t ns = 1; ns < UINT64_C(1) << 62; ns += ns / 7 + 1) {
        size_t bucket = lido__histogram_bucket(ns);
        assert_true(ns <= lido__histogram_bound(bucket));
        assert_true(bucket == 0 || ns > lido__histogram_bound(bucket - 1));
    }
    assert_int_equal(lido__histogram_bucket(0), 0);
    assert_int_equal(lido__histogram_bucket(UINT64_MAX), LIDO__HISTOGRAM_BUCKETS - 1);
}

static void bounds_grow_by_a_quarter_of_a_power_of_two(void **state) {
    (void)state;
    assert_int_equal(lido__histogram_bound(0), 256);
    assert_int_equal(lido__histogram_bound(1), 320);
    assert_int_equal(lido__histogram_bound(4), 512);
    assert_int_equal(lido__histogram_bound(5), 640);
    assert_int_equal(lido__histogram_bucket(512), 4);
    assert_int_equal(lido__histogram_bucket(513), 5);
    for (size_t i = 1; i + 1 < LIDO__HISTOGRAM_BUCKETS; i++) {
        double ratio = (double)lido__histogram_bound(i) / (double)lido__histogram_bound(i - 1);
        assert_true(ratio > 1.1 && ratio <= 1.25);
    }
}

static void quantiles_are_known_to_a_fifth(void **state) {
    (void)state;
    static lido__histogram histogram;
    static lido__durations read;
    assert_true(lido__durations_quantile_ns(&read, 0.5) == 0);
    for (int us = 1; us <= 10000; us++)
        lido__histogram_record(&histogram, (int64_t)us * 1000, 1);
    lido__histogram_read(&histogram, &read);
    assert_int_equal(read.count, 10000);
    assert_int_equal(read.longest_ns, 10000 * 1000);
    assert_int_equal(read.sum_ns, UINT64_C(10000) * 10001 / 2 * 1000);
    const double shares[] = {0.01, 0.5, 0.9, 0.99, 1};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        double found = lido__durations_quantile_ns(&read, shares[i]) / 1000;
        assert_true(fabs(found - shares[i] * 10000) < shares[i] * 10000 / 5);
    }
}

static void one_that_is_measured_may_stand_for_several(void **state) {
    (void)state;
    static lido__histogram histogram;
    static lido__durations read;
    lido__histogram_record(&histogram, 1000, 16);
    lido__histogram_record(&histogram, -5, 1); /* clocks of two processors */
    lido__histogram_read(&histogram, &read);
    assert_int_equal(read.count, 17);
    assert_int_equal(read.sum_ns, 16000);
    assert_int_equal(read.buckets[0], 1);
    lido__histogram_read(&histogram, &read);
    assert_int_equal(read.count, 34);
}

enum { THREADS = 4, EACH = 20000 };

static void *record_many(void *argument) {
    for (int i = 0; i < EACH; i++)
        lido__histogram_record(argument, i, 1);
    return NULL;
}

static void threads_that_write_at_once_lose_nothing(void **state) {
    (void)state;
    static lido__histogram histogram;
    static lido__durations read;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, record_many, &histogram), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    lido__histogram_read(&histogram, &read);
    assert_int_equal(read.count, THREADS * EACH);
    assert_int_equal(read.longest_ns, EACH - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_duration_is_between_the_bounds_of_its_bucket),
        cmocka_unit_test(bounds_grow_by_a_quarter_of_a_power_of_two),
        cmocka_unit_test(quantiles_are_known_to_a_fifth),
        cmocka_unit_test(one_that_is_measured_may_stand_for_several),
        cmocka_unit_test(threads_that_write_at_once_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
