/* The monotonic clock that deadlines are measured by. Tests can replace it. */
#ifndef LIDO_BASE_CLOCK_H
#define LIDO_BASE_CLOCK_H

#include <stdint.h>

/* A deadline that never comes. */
#define LIDO__NO_DEADLINE INT64_MAX

/* Microseconds since some moment; never goes back. */
int64_t lido__clock_now_us(void);

/* The same moment in nanoseconds: for what takes less than a microsecond. */
int64_t lido__clock_now_ns(void);

/* The same clock as it was at the system's last tick, some milliseconds ago; reading it costs a fifteenth. For when
 * something was last used, not for how long it took. */
int64_t lido__clock_recent_us(void);

/* A deadline at least `ms` milliseconds from now, and at most a few more; as lido__deadline_in_ms, by the recent
 * clock. */
int64_t lido__deadline_about_ms(int64_t ms);

/* The same for a moment that the recent clock has told. */
int64_t lido__deadline_after_ms(int64_t moment, int64_t ms);

/* The moment `ms` milliseconds from now; LIDO__NO_DEADLINE if `ms` is negative or too large to count. */
int64_t lido__deadline_in_ms(int64_t ms);

typedef int64_t lido__clock_function(void);

/* Makes lido__clock_now_us call `function`, for every thread; NULL: the system's clock again. */
void lido__clock_replace(lido__clock_function *function);

#endif
