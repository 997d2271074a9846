/* Identifiers: making them (RFC 9562), and their text. */
#include <string.h>
#include <time.h>

#include "base/convert.h"
#include "base/random.h"

enum { UUID_SIZE = 16 };

static void mark(lido_uuid *uuid, unsigned version) {
    uuid->bytes[6] = (uint8_t)((uuid->bytes[6] & 0x0F) | version << 4);
    uuid->bytes[8] = (uint8_t)((uuid->bytes[8] & 0x3F) | 0x80); /* the variant of RFC 9562 */
}

lido_uuid lido_uuid_random(void) {
    lido_uuid uuid;
    lido__random_bytes(uuid.bytes, sizeof uuid.bytes);
    mark(&uuid, 4);
    return uuid;
}

lido_uuid lido__uuid_from(const void *random) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    /* The 12 bits after the milliseconds count parts of one (RFC 9562, 6.2, method 3), so that keys of the same
     * millisecond are in order too. 62 random bits remain. */
    uint64_t part = (uint64_t)now.tv_nsec % 1000000 * 4096 / 1000000;
    lido_uuid uuid;
    memcpy(uuid.bytes, random, sizeof uuid.bytes);
    for (int i = 0; i < 6; i++)
        uuid.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    uuid.bytes[6] = (uint8_t)(part >> 8);
    uuid.bytes[7] = (uint8_t)part;
    mark(&uuid, 7);
    return uuid;
}

lido_uuid lido_uuid_new(void) {
    unsigned char random[UUID_SIZE];
    lido__random_bytes(random, sizeof random);
    return lido__uuid_from(random);
}

void lido_uuid_format(lido_uuid uuid, char text[37]) {
    static const char digits[] = "0123456789abcdef";
    char *next = text;
    for (int i = 0; i < UUID_SIZE; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *next++ = '-';
        *next++ = digits[uuid.bytes[i] >> 4];
        *next++ = digits[uuid.bytes[i] & 15];
    }
    *next = '\0';
}

/* The value of a hexadecimal digit, or -1. */
static int digit_value(char digit) {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

bool lido__uuid_parse(const char *text, size_t size, lido_uuid *uuid) {
    const char *end = text + size;
    if (size >= 2 && text[0] == '{' && end[-1] == '}') {
        text++;
        end--;
    }
    lido_uuid read;
    for (int i = 0; i < UUID_SIZE; i++) {
        if (end - text < 2)
            return false;
        int high = digit_value(text[0]);
        int low = digit_value(text[1]);
        if (high < 0 || low < 0)
            return false;
        read.bytes[i] = (uint8_t)(high << 4 | low);
        text += 2;
        /* Like PostgreSQL: a hyphen may stand after any four digits, but not at the end. */
        if (i % 2 == 1 && i < UUID_SIZE - 1 && text < end && *text == '-')
            text++;
    }
    if (text != end)
        return false;
    *uuid = read;
    return true;
}

bool lido_uuid_parse(const char *text, lido_uuid *uuid) {
    return text != NULL && lido__uuid_parse(text, strlen(text), uuid);
}
