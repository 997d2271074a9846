/* Moments as text, in the Gregorian calendar carried on backwards before its invention, as ISO 8601 and PostgreSQL
 * have it. Years are counted with a year 0, which is 1 BC. */
#include <string.h>
#include <time.h>

#include "base/calendar.h"
#include "base/convert.h"

#define MICROSECONDS INT64_C(1000000) /* in a second */

enum { DAY_SECONDS = 86400 };

lido_time lido_time_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (lido_time){(int64_t)now.tv_sec * MICROSECONDS + now.tv_nsec / 1000};
}

static bool is_leap(int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static bool date_exists(lido__date date) {
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (date.month < 1 || date.month > 12 || date.day < 1)
        return false;
    return date.day <= month_days[date.month - 1] + (date.month == 2 && is_leap(date.year));
}

/* Writes `digits` digits of `number`, and `after` behind them. */
static char *put_digits(char *text, int64_t number, int digits, char after) {
    for (int i = digits - 1; i >= 0; i--) {
        text[i] = (char)('0' + number % 10);
        number /= 10;
    }
    text[digits] = after;
    return text + digits + 1;
}

void lido_time_format(lido_time time, char text[40]) {
    int64_t fraction;
    int64_t second_of_day;
    int64_t seconds = lido__divide_down(time.microseconds, MICROSECONDS, &fraction);
    lido__date date = lido__date_of_days(lido__divide_down(seconds, DAY_SECONDS, &second_of_day));
    if (date.year < 0) {
        *text++ = '-';
        date.year = -date.year;
    }
    int year_digits = date.year < 10000 ? 4 : date.year < 100000 ? 5 : 6;
    text = put_digits(text, date.year, year_digits, '-');
    text = put_digits(text, date.month, 2, '-');
    text = put_digits(text, date.day, 2, ' ');
    text = put_digits(text, second_of_day / 3600, 2, ':');
    text = put_digits(text, second_of_day / 60 % 60, 2, ':');
    text = put_digits(text, second_of_day % 60, 2, '.');
    put_digits(text, fraction, 6, '\0');
}

/* Text being read. Its functions step over what they read, and over nothing if they return false. */
typedef struct reader {
    const char *next;
    const char *end;
} reader;

static bool read_char(reader *in, char wanted) {
    if (in->next == in->end || *in->next != wanted)
        return false;
    in->next++;
    return true;
}

static size_t count_digits(const reader *in) {
    size_t count = 0;
    while (in->next + count < in->end && in->next[count] >= '0' && in->next[count] <= '9')
        count++;
    return count;
}

static bool read_digits(reader *in, size_t count, int *number) {
    if (count_digits(in) < count)
        return false;
    *number = 0;
    while (count-- > 0)
        *number = *number * 10 + (*in->next++ - '0');
    return true;
}

static bool read_date(reader *in, lido__date *date) {
    bool before_zero = read_char(in, '-');
    size_t year_digits = count_digits(in);
    int year;
    if (year_digits < 4 || year_digits > 6 || !read_digits(in, year_digits, &year))
        return false;
    if (before_zero && year == 0)
        return false;
    date->year = before_zero ? -year : year;
    return read_char(in, '-') && read_digits(in, 2, &date->month) && read_char(in, '-') &&
           read_digits(in, 2, &date->day);
}

/* What stands before a time of day: "T", or a space that is not that of " BC". */
static bool read_separator(reader *in) {
    if (read_char(in, 'T'))
        return true;
    bool era_follows = in->end - in->next >= 2 && in->next[1] == 'B';
    return !era_follows && read_char(in, ' ');
}

/* Up to 9 digits after the point, of which microseconds are kept. */
static bool read_fraction(reader *in, int *microseconds) {
    size_t digits = count_digits(in);
    if (digits < 1 || digits > 9)
        return false;
    size_t kept = digits < 6 ? digits : 6;
    read_digits(in, kept, microseconds);
    for (size_t i = kept; i < 6; i++)
        *microseconds *= 10;
    in->next += digits - kept;
    return true;
}

/* HH:MM, HH:MM:SS or HH:MM:SS.f. As in PostgreSQL, second 60 is the next minute's first, and 24:00:00 the next
 * day's. */
static bool read_time_of_day(reader *in, int64_t *seconds, int *microseconds) {
    int hour;
    int minute;
    int second = 0;
    if (!read_digits(in, 2, &hour) || !read_char(in, ':') || !read_digits(in, 2, &minute))
        return false;
    if (read_char(in, ':')) {
        if (!read_digits(in, 2, &second))
            return false;
        if (read_char(in, '.') && !read_fraction(in, microseconds))
            return false;
    }
    *seconds = hour * 3600 + minute * 60 + second;
    if (hour == 24)
        return minute == 0 && second == 0 && *microseconds == 0;
    return hour < 24 && minute < 60 && second <= 60;
}

/* Z, +HH, +HHMM, +HH:MM, +HHMMSS or +HH:MM:SS, or "-" for "+"; or nothing, which is UTC. 15 hours and the rest of the
 * 16th are PostgreSQL's limit. */
static bool read_offset(reader *in, int64_t *seconds) {
    *seconds = 0;
    if (read_char(in, 'Z'))
        return true;
    bool west = read_char(in, '-');
    if (!west && !read_char(in, '+'))
        return true;
    int hours;
    int rest[2] = {0, 0};
    if (!read_digits(in, 2, &hours))
        return false;
    bool colons = in->next < in->end && *in->next == ':';
    for (int i = 0; i < 2 && (colons ? read_char(in, ':') : count_digits(in) > 0); i++)
        if (!read_digits(in, 2, &rest[i]))
            return false;
    *seconds = hours * 3600 + rest[0] * 60 + rest[1];
    if (west)
        *seconds = -*seconds;
    return hours <= 15 && rest[0] < 60 && rest[1] < 60;
}

/* " BC", as PostgreSQL writes it behind all the rest. */
static bool read_era(reader *in, lido__date *date) {
    if (!read_char(in, ' '))
        return true;
    bool before_christ = read_char(in, 'B') && read_char(in, 'C') && date->year > 0;
    date->year = 1 - date->year;
    return before_christ;
}

/* False if it is beyond what 64 bits hold. */
static bool make_time(int64_t seconds, int64_t microseconds, lido_time *time) {
    /* Before 1970 both parts count backwards, for the first of all moments is within a second whose start is out of
     * range. */
    if (seconds < 0) {
        seconds++;
        microseconds -= MICROSECONDS;
    }
    int64_t whole;
    if (__builtin_mul_overflow(seconds, MICROSECONDS, &whole) || __builtin_add_overflow(whole, microseconds, &whole))
        return false;
    time->microseconds = whole;
    return true;
}

bool lido__time_parse(const char *text, size_t size, lido_time *time) {
    reader in = {text, text + size};
    lido__date date;
    int64_t seconds = 0;
    int64_t offset = 0;
    int microseconds = 0;
    if (!read_date(&in, &date))
        return false;
    if (read_separator(&in) && (!read_time_of_day(&in, &seconds, &microseconds) || !read_offset(&in, &offset)))
        return false;
    if (!read_era(&in, &date) || in.next != in.end || !date_exists(date))
        return false;
    return make_time(lido__days_of_date(date) * DAY_SECONDS + seconds - offset, microseconds, time);
}

bool lido_time_parse(const char *text, lido_time *time) {
    return text != NULL && lido__time_parse(text, strlen(text), time);
}
