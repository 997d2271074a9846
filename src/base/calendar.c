/* Dates as days and back, and the beginnings of units of time. */
#include "base/calendar.h"

#include <string.h>
#include <strings.h>

enum { ERA_YEARS = 400, ERA_DAYS = 146097 };

int64_t lido__divide_down(int64_t number, int64_t by, int64_t *remainder) {
    int64_t quotient = number / by;
    *remainder = number % by;
    if (*remainder < 0) {
        *remainder += by;
        quotient--;
    }
    return quotient;
}

/* Both ways go through years that begin in March, so that the leap day is the last of its year, and through eras of
 * 400 years, which all have as many days. Day 0 is 1970-01-01, 719468 days after 0000-03-01. */
int64_t lido__days_of_date(lido__date date) {
    int64_t year_of_era;
    int64_t era = lido__divide_down(date.month > 2 ? date.year : date.year - 1, ERA_YEARS, &year_of_era);
    int month_from_march = (date.month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - 719468;
}

lido__date lido__date_of_days(int64_t days) {
    int64_t day_of_era;
    int64_t era = lido__divide_down(days + 719468, ERA_DAYS, &day_of_era);
    int64_t leap_days = day_of_era / 1460 - day_of_era / 36524 + day_of_era / 146096;
    int64_t year_of_era = (day_of_era - leap_days) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month_from_march = (int)((5 * day_of_year + 2) / 153);
    lido__date date;
    date.day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    date.month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    date.year = era * ERA_YEARS + year_of_era + (date.month <= 2);
    return date;
}

/* ---- Units ---- */

/* PostgreSQL looks at the first ten letters alone. */
enum { UNIT_NAME_MOST = 10 };

static const struct {
    lido__time_unit unit;
    const char *names; /* in words of at most that many letters */
} unit_names[] = {
    {LIDO__MICROSECOND, " microsecon us usec usecond useconds usecs "},
    {LIDO__MILLISECOND, " millisecon ms msec msecond mseconds msecs "},
    {LIDO__SECOND, " s sec second seconds secs "},
    {LIDO__MINUTE, " m min mins minute minutes "},
    {LIDO__HOUR, " h hour hours hr hrs "},
    {LIDO__DAY, " d day days "},
    {LIDO__WEEK, " w week weeks "},
    {LIDO__MONTH, " mon mons month months "},
    {LIDO__QUARTER, " qtr quarter "},
    {LIDO__YEAR, " y year years yr yrs "},
    {LIDO__DECADE, " dec decade decades decs "},
    {LIDO__CENTURY, " c cent centuries century "},
    {LIDO__MILLENNIUM, " mil millennia millennium mils "},
};

bool lido__time_unit_read(const char *name, size_t size, lido__time_unit *unit) {
    char word[UNIT_NAME_MOST + 3] = " ";
    size_t kept = size < UNIT_NAME_MOST ? size : UNIT_NAME_MOST;
    for (size_t i = 0; i < kept; i++) {
        word[i + 1] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
        if (word[i + 1] < 'a' || word[i + 1] > 'z')
            return false;
    }
    word[kept + 1] = ' ';
    for (size_t i = 0; kept > 0 && i < sizeof unit_names / sizeof *unit_names; i++)
        if (strstr(unit_names[i].names, word) != NULL) {
            *unit = unit_names[i].unit;
            return true;
        }
    return false;
}

/* The first of the `span` years that `year` lies in; there is no year 0 in this count, so that those of centuries end
 * in 1 and run the other way round before Christ. */
static int64_t first_of_years(int64_t year, int64_t span) {
    int64_t ignored;
    return lido__divide_down(year - 1, span, &ignored) * span + 1;
}

static int64_t truncate_date(int64_t days, lido__time_unit unit) {
    lido__date date = lido__date_of_days(days);
    int64_t ignored;
    date.day = 1;
    if (unit == LIDO__MONTH)
        return lido__days_of_date(date);
    date.month = unit == LIDO__QUARTER ? (date.month - 1) / 3 * 3 + 1 : 1;
    if (unit == LIDO__DECADE)
        date.year = lido__divide_down(date.year, 10, &ignored) * 10;
    else if (unit == LIDO__CENTURY)
        date.year = first_of_years(date.year, 100);
    else if (unit == LIDO__MILLENNIUM)
        date.year = first_of_years(date.year, 1000);
    return lido__days_of_date(date);
}

bool lido__time_truncate(lido_time *time, lido__time_unit unit) {
    static const int64_t sizes[] = {[LIDO__MICROSECOND] = 1,
                                    [LIDO__MILLISECOND] = 1000,
                                    [LIDO__SECOND] = 1000000,
                                    [LIDO__MINUTE] = 60 * INT64_C(1000000),
                                    [LIDO__HOUR] = 3600 * INT64_C(1000000),
                                    [LIDO__DAY] = 86400 * INT64_C(1000000)};
    int64_t rest;
    int64_t day = lido__divide_down(time->microseconds, sizes[LIDO__DAY], &rest);
    int64_t start;
    if (unit <= LIDO__DAY) {
        lido__divide_down(time->microseconds, sizes[unit], &rest);
        return !__builtin_sub_overflow(time->microseconds, rest, &time->microseconds);
    }
    if (unit == LIDO__WEEK) {
        lido__divide_down(day + 3, 7, &rest); /* day 0 was a Thursday */
        day -= rest;
    } else {
        day = truncate_date(day, unit);
    }
    if (__builtin_mul_overflow(day, sizes[LIDO__DAY], &start))
        return false;
    time->microseconds = start;
    return true;
}
