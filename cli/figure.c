/* Putting figures into words. */
#include "figure.h"

#include <inttypes.h>
#include <stdio.h>

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS };

const char *figure_rate(double rate, char text[FIGURE_SIZE]) {
    if (rate < 0)
        snprintf(text, FIGURE_SIZE, "-");
    else if (rate == 0)
        snprintf(text, FIGURE_SIZE, "0");
    else if (rate < 9.95)
        snprintf(text, FIGURE_SIZE, "%.1f", rate);
    else if (rate < 99999.5)
        snprintf(text, FIGURE_SIZE, "%.0f", rate);
    else if (rate < 999.5e3)
        snprintf(text, FIGURE_SIZE, "%.0fk", rate / 1e3);
    else
        snprintf(text, FIGURE_SIZE, "%.1fM", rate / 1e6);
    return text;
}

/* Three digits that count. */
static void three_digits(double number, const char *unit, char text[FIGURE_SIZE]) {
    int behind = number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
    snprintf(text, FIGURE_SIZE, "%.*f %s", behind, number, unit);
}

const char *figure_duration_ns(double ns, char text[FIGURE_SIZE]) {
    if (ns < 999.5)
        snprintf(text, FIGURE_SIZE, "%.0f ns", ns);
    else if (ns < 999.5e3)
        three_digits(ns / 1e3, "µs", text);
    else if (ns < 999.5e6)
        three_digits(ns / 1e6, "ms", text);
    else if (ns < 59.95e9)
        three_digits(ns / 1e9, "s", text);
    else
        figure_age_ms((int64_t)(ns / 1e6), text);
    return text;
}

static void two_units(int64_t large, const char *large_unit, int64_t small, const char *small_unit,
                      char text[FIGURE_SIZE]) {
    if (small > 0)
        snprintf(text, FIGURE_SIZE, "%" PRId64 " %s %" PRId64 " %s", large, large_unit, small, small_unit);
    else
        snprintf(text, FIGURE_SIZE, "%" PRId64 " %s", large, large_unit);
}

const char *figure_age_ms(int64_t ms, char text[FIGURE_SIZE]) {
    if (ms < SECOND_MS)
        snprintf(text, FIGURE_SIZE, "%" PRId64 " ms", ms > 0 ? ms : 0);
    else if (ms < MINUTE_MS)
        snprintf(text, FIGURE_SIZE, "%" PRId64 ".%" PRId64 " s", ms / SECOND_MS, ms % SECOND_MS / 100);
    else if (ms < HOUR_MS)
        two_units(ms / MINUTE_MS, "min", ms % MINUTE_MS / SECOND_MS, "s", text);
    else if (ms < DAY_MS)
        two_units(ms / HOUR_MS, "h", ms % HOUR_MS / MINUTE_MS, "min", text);
    else
        two_units(ms / DAY_MS, "d", ms % DAY_MS / HOUR_MS, "h", text);
    return text;
}

const char *figure_number(int64_t number, char text[FIGURE_SIZE]) {
    if (number < 0)
        snprintf(text, FIGURE_SIZE, "-");
    else
        snprintf(text, FIGURE_SIZE, "%" PRId64, number);
    return text;
}
