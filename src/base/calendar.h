/* The Gregorian calendar, carried on backwards before its invention: dates as days since 1970-01-01. */
#ifndef LIDO_BASE_CALENDAR_H
#define LIDO_BASE_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lido/value.h>

typedef struct lido__date {
    int64_t year; /* 0 is 1 BC */
    int month;    /* from 1 */
    int day;      /* from 1 */
} lido__date;

int64_t lido__days_of_date(lido__date date);
lido__date lido__date_of_days(int64_t days);

/* Division that rounds down; `remainder` is never negative. */
int64_t lido__divide_down(int64_t number, int64_t by, int64_t *remainder);

typedef enum lido__time_unit {
    LIDO__MICROSECOND,
    LIDO__MILLISECOND,
    LIDO__SECOND,
    LIDO__MINUTE,
    LIDO__HOUR,
    LIDO__DAY,
    LIDO__WEEK, /* begins on Monday */
    LIDO__MONTH,
    LIDO__QUARTER,
    LIDO__YEAR,
    LIDO__DECADE,
    LIDO__CENTURY, /* the 21st began in 2001, as did the third millennium */
    LIDO__MILLENNIUM
} lido__time_unit;

/* The unit of that name, in any case of letters, by all the names that PostgreSQL has for it; false if there is none.
 * */
bool lido__time_unit_read(const char *name, size_t size, lido__time_unit *unit);

/* The moment at which the unit that `time` lies in began, in UTC; false if that is beyond what a lido_time holds. */
bool lido__time_truncate(lido_time *time, lido__time_unit unit);

#endif
