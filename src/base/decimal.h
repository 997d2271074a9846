/* A decimal number taken apart: the one reader behind doubles and whole numbers written as text. */
#ifndef LIDO_BASE_DECIMAL_H
#define LIDO_BASE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /* No decimal number halfway between two doubles has more than 767 significant digits, so that of those beyond it
     * counts only whether all are zero. */
    LIDO__DECIMAL_DIGITS = 768
};

/* The digits, read as an integer, times 10 to the power of `exponent`. */
typedef struct lido__decimal {
    bool negative;
    size_t count; /* of digits, the first and the last of them not "0"; 0: the number is zero */
    int64_t exponent;
    char digits[LIDO__DECIMAL_DIGITS + 1];
} lido__decimal;

/* Reads all of `text`: "-12.50", ".5", "5.", "1e-3"; false if it is nothing of the kind. Digits beyond
 * LIDO__DECIMAL_DIGITS become a single 1 unless all are zero. */
bool lido__decimal_read(lido__decimal *decimal, const char *text, size_t size);

/* The nearest double. False if that is infinity, or is zero while the number is not. */
bool lido__decimal_double(const lido__decimal *decimal, double *real);

bool lido__decimal_is_whole(const lido__decimal *decimal);

/* The absolute value of a whole number; false if it has more than 64 bits. */
bool lido__decimal_magnitude(const lido__decimal *decimal, uint64_t *magnitude);

#endif
