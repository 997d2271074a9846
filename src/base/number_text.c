/* Integers and doubles as text and back, the same in every locale. */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/convert.h"
#include "base/decimal.h"

/* "00" to "99": half as many divisions as one digit at a time. */
static const char digit_pairs[] = "00010203040506070809"
                                  "10111213141516171819"
                                  "20212223242526272829"
                                  "30313233343536373839"
                                  "40414243444546474849"
                                  "50515253545556575859"
                                  "60616263646566676869"
                                  "70717273747576777879"
                                  "80818283848586878889"
                                  "90919293949596979899";

size_t lido__int64_format(int64_t integer, char text[21]) {
    char digits[20];
    char *first = digits + sizeof digits;
    uint64_t rest = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    while (rest >= 100) {
        first -= 2;
        memcpy(first, digit_pairs + rest % 100 * 2, 2);
        rest /= 100;
    }
    if (rest >= 10) {
        first -= 2;
        memcpy(first, digit_pairs + rest * 2, 2);
    } else {
        *--first = (char)('0' + rest);
    }
    if (integer < 0)
        *--first = '-';
    size_t size = (size_t)(digits + sizeof digits - first);
    memcpy(text, first, size);
    text[size] = '\0';
    return size;
}

bool lido__int64_parse(const char *text, size_t size, int64_t *integer) {
    bool negative = size > 0 && text[0] == '-';
    size_t at = negative;
    if (at == size)
        return false;
    /* Counted downwards, as there is one more negative integer than positive ones. */
    int64_t total = 0;
    for (; at < size; at++) {
        unsigned digit = (unsigned char)text[at] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(total, 10, &total) || __builtin_sub_overflow(total, digit, &total))
            return false;
    }
    if (!negative && total == INT64_MIN)
        return false;
    *integer = negative ? total : -total;
    return true;
}

/* The locale's decimal point, whatever its length, becomes "."; the rest of a number printed by %g is the same in
 * every locale. */
static size_t mend_point(char *text) {
    char *from = text;
    char *to = text;
    while (*from != '\0') {
        if (strchr("0123456789+-e", *from) != NULL) {
            *to++ = *from++;
        } else {
            *to++ = '.';
            while (strchr("0123456789+-e", *from) == NULL)
                from++;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}

/* NaN and the infinities; 0 if `real` is neither. */
static size_t format_special(double real, char *text) {
    if (isfinite(real))
        return 0;
    const char *name = isnan(real) ? "NaN" : real > 0 ? "Infinity" : "-Infinity";
    size_t size = strlen(name);
    memcpy(text, name, size + 1);
    return size;
}

size_t lido__double_format(double real, char *text) {
    size_t size = format_special(real, text);
    if (size > 0)
        return size;
    /* Fifteen digits are always exact, and %g drops their zeros; only the smallest doubles may need fewer than they
     * are shown with. Seventeen always read back the same. */
    double back;
    int digits = fabs(real) < DBL_MIN ? 1 : DBL_DIG;
    do {
        snprintf(text, LIDO__DOUBLE_TEXT_SIZE, "%.*g", digits, real);
        size = mend_point(text);
    } while (digits++ < DBL_DECIMAL_DIG && !(lido__double_parse(text, size, &back) && back == real));
    return size;
}

/* The names that lido__double_format gives to what is no number or not finite. */
static bool parse_special(const char *text, size_t size, double *real) {
    if (size == 3 && memcmp(text, "NaN", 3) == 0)
        *real = NAN;
    else if (size == 8 && memcmp(text, "Infinity", 8) == 0)
        *real = INFINITY;
    else if (size == 9 && memcmp(text, "-Infinity", 9) == 0)
        *real = -INFINITY;
    else
        return false;
    return true;
}

bool lido__double_parse(const char *text, size_t size, double *real) {
    lido__decimal decimal;
    double read;
    if (!lido__decimal_read(&decimal, text, size))
        return parse_special(text, size, real);
    if (!lido__decimal_double(&decimal, &read))
        return false;
    *real = read;
    return true;
}
