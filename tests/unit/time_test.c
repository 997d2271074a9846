/* Moments as text: the whole range there and back, checked against the system's own calendar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <lido/value.h>

#include "base/convert.h"
#include "support/chance.h"

static int64_t parsed(const char *text) {
    lido_time time = {-1};
    if (!lido_time_parse(text, &time))
        fail_msg("\"%s\" was not read", text);
    return time.microseconds;
}

/* Microseconds of a moment in UTC by the system's calendar. */
static int64_t moment(int year, int month, int day, int hour, int minute, int second) {
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    return (int64_t)timegm(&tm) * 1000000;
}

static void assert_moment(const char *text, int64_t expected) {
    int64_t read = parsed(text);
    if (read != expected)
        fail_msg("\"%s\" is %lld, not %lld", text, (long long)read, (long long)expected);
}

static void assert_format(int64_t microseconds, const char *expected) {
    char text[40];
    lido_time_format((lido_time){microseconds}, text);
    assert_string_equal(text, expected);
    assert_moment(text, microseconds);
}

static void moments_are_written_in_utc(void **state) {
    (void)state;
    assert_format(0, "1970-01-01 00:00:00.000000");
    assert_format(-1, "1969-12-31 23:59:59.999999");
    assert_format(moment(2024, 2, 29, 12, 34, 56) + 7, "2024-02-29 12:34:56.000007");
    assert_format(moment(2000, 1, 1, 0, 0, 0), "2000-01-01 00:00:00.000000");
    assert_format(moment(9999, 12, 31, 23, 59, 59) + 999999, "9999-12-31 23:59:59.999999");
}

static void far_years_are_written_in_full(void **state) {
    (void)state;
    assert_format(moment(10000, 1, 1, 0, 0, 0), "10000-01-01 00:00:00.000000");
    assert_format(moment(0, 3, 1, 0, 0, 0), "0000-03-01 00:00:00.000000");
    assert_format(moment(-1, 12, 31, 0, 0, 0), "-0001-12-31 00:00:00.000000");
    assert_format(moment(-43, 3, 15, 0, 0, 0), "-0043-03-15 00:00:00.000000");
    assert_format(INT64_MAX, "294247-01-10 04:00:54.775807");
    assert_format(INT64_MIN, "-290308-12-21 19:59:05.224192");
}

/* As lido_time_format should, but by gmtime_r. */
static void format_by_system(int64_t microseconds, char *text, size_t size) {
    int64_t seconds = microseconds / 1000000 - (microseconds % 1000000 < 0);
    time_t clock = (time_t)seconds;
    struct tm tm;
    assert_non_null(gmtime_r(&clock, &tm));
    int year = tm.tm_year + 1900;
    snprintf(text, size, "%s%04d-%02d-%02d %02d:%02d:%02d.%06d", year < 0 ? "-" : "", year < 0 ? -year : year,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(microseconds - seconds * 1000000));
}

static void any_moment_agrees_with_the_system(void **state) {
    (void)state;
    uint64_t seed = 3;
    for (int i = 0; i < 50000; i++) {
        /* All of the range, and more often what is near. */
        int64_t microseconds = (int64_t)draw_bits(&seed) / ((int64_t)1 << (i % 24));
        if (microseconds < INT64_MIN + 1000000)
            continue; /* format_by_system would overflow; the limits are tested above */
        char expected[64];
        format_by_system(microseconds, expected, sizeof expected);
        assert_format(microseconds, expected);
    }
}

/* A prime number of hours' step passes every day of the 2400 years before 1970 and of the 400 after. */
static void every_day_of_seven_eras_agrees_with_the_system(void **state) {
    (void)state;
    const int64_t era = 146097 * INT64_C(86400000000);
    for (int64_t microseconds = -6 * era; microseconds < era; microseconds += 23 * INT64_C(3600000000)) {
        char expected[64];
        format_by_system(microseconds, expected, sizeof expected);
        assert_format(microseconds, expected);
    }
}

static void a_date_and_every_time_of_day_are_read(void **state) {
    (void)state;
    int64_t day = moment(2024, 2, 29, 0, 0, 0);
    int64_t noon = moment(2024, 2, 29, 12, 30, 0);
    assert_moment("2024-02-29", day);
    assert_moment("2024-02-29 12:30", noon);
    assert_moment("2024-02-29T12:30", noon);
    assert_moment("2024-02-29T12:30:00", noon);
    assert_moment("2024-02-29 12:30:00.5", noon + 500000);
    assert_moment("2024-02-29 12:30:00.000001", noon + 1);
    assert_moment("2024-02-29 12:30:00.000001999", noon + 1);
    assert_moment("1969-12-31 23:59:59.9999999", -1);
}

static void every_offset_is_read(void **state) {
    (void)state;
    int64_t noon = moment(2024, 2, 29, 12, 30, 0);
    assert_moment("2024-02-29T12:30:00Z", noon);
    assert_moment("2024-02-29 12:30:00+00", noon);
    assert_moment("2024-02-29 12:30:00-00:00", noon);
    assert_moment("2024-02-29 14:30:00+02", noon);
    assert_moment("2024-02-29 18:00:00+05:30", noon);
    assert_moment("2024-02-29 18:00:00.25+0530", noon + 250000);
    assert_moment("2024-02-29 09:00-03:30", noon);
    assert_moment("2024-02-29 13:23:28+00:53:28", noon);
    assert_moment("2024-02-29 13:23:28+005328", noon);
    assert_moment("2024-02-28 20:30:01-15:59:59", noon);
}

static void the_end_of_a_day_and_leap_seconds_are_read_as_postgresql_does(void **state) {
    (void)state;
    assert_moment("2024-02-29 24:00:00", moment(2024, 3, 1, 0, 0, 0));
    assert_moment("2024-02-29 24:00", moment(2024, 3, 1, 0, 0, 0));
    assert_moment("2016-12-31 23:59:60", moment(2017, 1, 1, 0, 0, 0));
    assert_moment("2016-12-31 23:59:60.5Z", moment(2017, 1, 1, 0, 0, 0) + 500000);
}

static void years_before_christ_are_read(void **state) {
    (void)state;
    assert_moment("0044-03-15 BC", moment(-43, 3, 15, 0, 0, 0));
    assert_moment("0044-03-15 12:00:00 BC", moment(-43, 3, 15, 12, 0, 0));
    assert_moment("0044-03-15 12:00:00.5+01 BC", moment(-43, 3, 15, 11, 0, 0) + 500000);
    assert_moment("0001-02-29 BC", moment(0, 2, 29, 0, 0, 0));
}

static void what_is_no_moment_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "now",
        "infinity",
        "2024",
        "2024-02",
        "2024-2-9",
        "24-02-09",
        "20240229",
        "2024-02-29Z",
        "2024-02-29+02",
        /* no such day */
        "2023-02-29",
        "1900-02-29",
        "2024-02-30",
        "2024-04-31",
        "2024-00-01",
        "2024-13-01",
        "2024-01-00",
        "2024-01-32",
        /* no such time */
        "2024-01-01 25:00",
        "2024-01-01 24:00:01",
        "2024-01-01 24:01",
        "2024-01-01 24:00:00.1",
        "2024-01-01 24:00:60",
        "2024-01-01 12:60",
        "2024-01-01 12:00:61",
        "2024-01-01 12:00:00.",
        "2024-01-01 12:00:00.1234567890",
        "2024-01-01 12",
        "2024-01-01 1:00",
        "2024-01-01 12:0",
        "2024-01-01 -1:00",
        "2024-01-01 12:00:",
        "2024-01-01T",
        "2024-01-01 12:00:00,5",
        /* no such offset */
        "2024-01-01 12:00+",
        "2024-01-01 12:00+1",
        "2024-01-01 12:00+16",
        "2024-01-01 12:00+01:60",
        "2024-01-01 12:00+01:00:60",
        "2024-01-01 12:00+01:",
        "2024-01-01 12:00+01:3",
        "2024-01-01 12:00+01:3015",
        "2024-01-01 12:00+013",
        "2024-01-01 12:00ZZ",
        "2024-01-01 12:00z",
        "2024-01-01 12:00 +01",
        /* no such year */
        "0000-01-01 BC",
        "-0001-01-01 BC",
        "0001-01-01 AD",
        "0001-01-01BC",
        "0001-01-01 B",
        "0002-02-29 BC",
        "-0000-01-01",
        "+2024-01-01",
        "1000000-01-01",
        /* something around it */
        " 2024-01-01",
        "2024-01-01 ",
        "2024-01-01  12:00",
        "2024-01-01x",
        "2024-01-01 12:00x",
        "2024/01/01",
        /* beyond 64 bits */
        "294247-01-10 04:00:54.775808",
        "-290308-12-21 19:59:05.224191",
        "999999-12-31",
        "-999999-01-01",
        "294247-01-10 04:00:54.775807-00:00:01",
        "-290308-12-21 19:59:05.224192+00:00:01",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        lido_time time = {42};
        if (lido_time_parse(texts[i], &time))
            fail_msg("\"%s\" was read", texts[i]);
        assert_true(time.microseconds == 42);
    }
    assert_false(lido_time_parse(NULL, &(lido_time){0})); /* what lido_get_text gives for NULL */
}

static void a_moment_is_read_no_further_than_its_size(void **state) {
    (void)state;
    lido_time time;
    assert_true(lido__time_parse("2024-02-29 12:30:45", 10, &time));
    assert_true(time.microseconds == moment(2024, 2, 29, 0, 0, 0));
    assert_false(lido__time_parse("2024-02-29\0", 11, &time));
    assert_false(lido__time_parse("2024-02-29 12:30:45", 9, &time));
}

static void now_is_what_the_system_says(void **state) {
    (void)state;
    time_t before = time(NULL);
    int64_t now = lido_time_now().microseconds;
    time_t after = time(NULL);
    /* time() may lag the precise clock by a tick. */
    assert_true(now >= (int64_t)before * 1000000 && now < ((int64_t)after + 2) * 1000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_are_written_in_utc),
        cmocka_unit_test(far_years_are_written_in_full),
        cmocka_unit_test(any_moment_agrees_with_the_system),
        cmocka_unit_test(every_day_of_seven_eras_agrees_with_the_system),
        cmocka_unit_test(a_date_and_every_time_of_day_are_read),
        cmocka_unit_test(every_offset_is_read),
        cmocka_unit_test(the_end_of_a_day_and_leap_seconds_are_read_as_postgresql_does),
        cmocka_unit_test(years_before_christ_are_read),
        cmocka_unit_test(what_is_no_moment_is_refused),
        cmocka_unit_test(a_moment_is_read_no_further_than_its_size),
        cmocka_unit_test(now_is_what_the_system_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
