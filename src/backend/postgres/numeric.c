/* PostgreSQL's binary numeric (src/backend/utils/adt/numeric.c, numeric_send) as decimal text, and back.
 *
 * Four 16-bit numbers: how many digits follow, the weight of the first, the sign, and how many decimals to show; then
 * the digits, each 0 to 9999, the first standing for digit * 10000^weight. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "backend/postgres/postgres.h"

enum {
    HEADER = 8,
    DIGIT_MOST = 9999,
    POSITIVE = 0,
    NEGATIVE = 0x4000,
    NOT_A_NUMBER = 0xC000,
    INFINITE = 0xD000,
    NEGATIVE_INFINITE = 0xF000
};

static unsigned read_16(const unsigned char *bytes) {
    return (unsigned)bytes[0] << 8 | bytes[1];
}

typedef struct numeric {
    int digits;
    int weight;
    unsigned sign;
    int scale;
    const unsigned char *at;
} numeric;

/* The digit that stands for 10000^power. */
static unsigned digit_at(const numeric *number, int power) {
    int index = number->weight - power;
    return index >= 0 && index < number->digits ? read_16(number->at + 2 * index) : 0;
}

/* Whether it is as a server writes it. A digit above 9999 would not have the room that it is given. */
static bool is_well_formed(const numeric *number, size_t size) {
    if ((number->sign != POSITIVE && number->sign != NEGATIVE) || size < HEADER + 2 * (size_t)number->digits)
        return false;
    for (int i = 0; i < number->digits; i++)
        if (read_16(number->at + 2 * i) > DIGIT_MOST)
            return false;
    return true;
}

static const char *special(unsigned sign) {
    switch (sign) {
    case NOT_A_NUMBER:
        return "NaN";
    case INFINITE:
        return "Infinity";
    case NEGATIVE_INFINITE:
        return "-Infinity";
    default:
        return NULL;
    }
}

static size_t write_number(const numeric *number, char *text) {
    char *end = text;
    if (number->sign == NEGATIVE)
        *end++ = '-';
    int power = number->weight > 0 ? number->weight : 0;
    end += sprintf(end, "%u", digit_at(number, power));
    while (power-- > 0)
        end += sprintf(end, "%04u", digit_at(number, power));
    if (number->scale > 0) {
        *end++ = '.';
        char *decimals = end;
        for (power = -1; end - decimals < number->scale; power--)
            end += sprintf(end, "%04u", digit_at(number, power));
        end = decimals + number->scale;
    }
    *end = '\0';
    return (size_t)(end - text);
}

const char *lido__postgres_read_numeric(const unsigned char *bytes, size_t size, lido__arena *arena,
                                        size_t *text_size) {
    if (size < HEADER)
        return NULL;
    numeric number = {(int)read_16(bytes), (int16_t)read_16(bytes + 2), read_16(bytes + 4), (int)read_16(bytes + 6),
                      bytes + HEADER};
    const char *word = special(number.sign);
    if (word != NULL) {
        *text_size = strlen(word);
        return word;
    }
    if (!is_well_formed(&number, size))
        return NULL;
    /* sign, 4 digits for each power above 0 and one for 0, point, decimals rounded up to 4, NUL */
    size_t most = 1 + 4 * (size_t)((number.weight > 0 ? number.weight : 0) + 1) + 5 + 1 + (size_t)number.scale + 4 + 1;
    char *text = lido__arena_allocate(arena, most);
    if (text != NULL)
        *text_size = write_number(&number, text);
    return text;
}

/* ---- Writing ---- */

static char *write_16(char *at, int number) {
    *at++ = (char)(number >> 8);
    *at++ = (char)number;
    return at;
}

static size_t count_digits(const char *text, size_t size) {
    size_t count = 0;
    while (count < size && text[count] >= '0' && text[count] <= '9')
        count++;
    return count;
}

/* Digits in groups of four, the first group's padded on the left by `missing` zeros, the last one's on the right. */
static char *write_groups(char *at, const char *digits, size_t count, size_t missing) {
    for (size_t i = 0; i < count;) {
        int group = 0;
        for (size_t place = missing; place < 4; place++, i++)
            group = group * 10 + (i < count ? digits[i] - '0' : 0);
        at = write_16(at, group);
        missing = 0;
    }
    return at;
}

/* Zeros at either end need not be taken off: the server does that. */
char *lido__postgres_write_numeric(char *at, const char *text, size_t size) {
    const char *end = text + size;
    bool negative = size > 0 && *text == '-';
    text += size > 0 && (*text == '-' || *text == '+');
    size_t whole = count_digits(text, (size_t)(end - text));
    const char *decimals = text + whole;
    decimals += decimals < end && *decimals == '.';
    size_t scale = count_digits(decimals, (size_t)(end - decimals));
    if (decimals + scale != end || whole + scale == 0 || size > LIDO__POSTGRES_NUMERIC_MOST)
        return NULL;
    int groups_before = (int)(whole + 3) / 4;
    at = write_16(at, groups_before + (int)(scale + 3) / 4);
    at = write_16(at, groups_before - 1);
    at = write_16(at, negative ? NEGATIVE : 0);
    at = write_16(at, (int)scale);
    at = write_groups(at, text, whole, (4 - whole % 4) % 4);
    return write_groups(at, decimals, scale, 0);
}
