/* Decimal numbers of any length. */
#include "base/decimal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/convert.h"

static bool is_digit(char character) {
    return character >= '0' && character <= '9';
}

/* Digits being collected. */
typedef struct collector {
    lido__decimal *decimal;
    bool fraction; /* the point has been passed */
    bool any;      /* a digit was seen */
    bool more;     /* a digit that is not zero found no room */
} collector;

static void add_digit(collector *to, char digit) {
    lido__decimal *decimal = to->decimal;
    bool leading_zero = decimal->count == 0 && digit == '0';
    bool fits = decimal->count < LIDO__DECIMAL_DIGITS;
    to->any = true;
    if (fits && !leading_zero)
        decimal->digits[decimal->count++] = digit;
    if (!fits && digit != '0')
        to->more = true;
    if (fits && to->fraction)
        decimal->exponent--;
    if (!fits && !to->fraction)
        decimal->exponent++;
}

static void finish_digits(collector *from) {
    lido__decimal *decimal = from->decimal;
    if (from->more) {
        decimal->digits[decimal->count++] = '1';
        decimal->exponent--;
    }
    while (decimal->count > 0 && decimal->digits[decimal->count - 1] == '0') {
        decimal->count--;
        decimal->exponent++;
    }
}

/* What follows the "e": the whole of it, or false. */
static bool read_exponent(const char *text, size_t size, int64_t *exponent) {
    const int64_t most = INT64_C(1000000000000000); /* far beyond all doubles, and too little to overflow a sum */
    size_t at = size > 0 && (text[0] == '-' || text[0] == '+');
    if (at == size)
        return false;
    *exponent = 0;
    for (size_t i = at; i < size; i++) {
        if (!is_digit(text[i]))
            return false;
        if (*exponent < most)
            *exponent = *exponent * 10 + (text[i] - '0');
    }
    if (text[0] == '-')
        *exponent = -*exponent;
    return true;
}

bool lido__decimal_read(lido__decimal *decimal, const char *text, size_t size) {
    size_t at = size > 0 && text[0] == '-';
    decimal->negative = at > 0;
    decimal->count = 0;
    decimal->exponent = 0;
    collector to = {decimal, false, false, false};
    int64_t exponent = 0;
    for (; at < size && text[at] != 'e' && text[at] != 'E'; at++) {
        if (is_digit(text[at]))
            add_digit(&to, text[at]);
        else if (text[at] == '.' && !to.fraction)
            to.fraction = true;
        else
            return false;
    }
    if (!to.any || (at < size && !read_exponent(text + at + 1, size - at - 1, &exponent)))
        return false;
    finish_digits(&to);
    decimal->exponent += exponent;
    return true;
}

bool lido__decimal_double(const lido__decimal *decimal, double *real) {
    *real = decimal->negative ? -0.0 : 0.0;
    if (decimal->count == 0)
        return true;
    /* Written without a point, which is all that strtod would take from the locale. */
    char text[1 + sizeof decimal->digits + 1 + 21];
    char *next = text;
    if (decimal->negative)
        *next++ = '-';
    memcpy(next, decimal->digits, decimal->count);
    next += decimal->count;
    *next++ = 'e';
    lido__int64_format(decimal->exponent, next);
    double read = strtod(text, NULL);
    if (read == 0 || !isfinite(read))
        return false;
    *real = read;
    return true;
}

bool lido__decimal_is_whole(const lido__decimal *decimal) {
    return decimal->count == 0 || decimal->exponent >= 0;
}

bool lido__decimal_magnitude(const lido__decimal *decimal, uint64_t *magnitude) {
    *magnitude = 0;
    for (size_t i = 0; i < decimal->count; i++)
        if (__builtin_mul_overflow(*magnitude, 10U, magnitude) ||
            __builtin_add_overflow(*magnitude, (uint64_t)(decimal->digits[i] - '0'), magnitude))
            return false;
    if (decimal->count == 0)
        return true;
    for (int64_t i = 0; i < decimal->exponent; i++)
        if (__builtin_mul_overflow(*magnitude, 10U, magnitude))
            return false;
    return true;
}
