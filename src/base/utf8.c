/* UTF-8 (RFC 3629): whether bytes are it, and where it may be cut. */
#include <string.h>

#include "base/convert.h"

/* How many bytes a character has that begins with `lead`; 0 if none begins so. */
static size_t character_size(unsigned char lead) {
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2) /* continuation bytes, and C0 and C1, which would begin overlong forms */
        return 0;
    if (lead < 0xE0)
        return 2;
    if (lead < 0xF0)
        return 3;
    return lead < 0xF5 ? 4 : 0;
}

static bool is_continuation(unsigned char byte) {
    return (byte & 0xC0) == 0x80;
}

/* Some leads allow only a part of the continuation bytes after them: no overlong forms, no surrogates, nothing above
 * U+10FFFF. */
static bool second_fits(unsigned char lead, unsigned char second) {
    switch (lead) {
    case 0xE0:
        return second >= 0xA0;
    case 0xED:
        return second < 0xA0;
    case 0xF0:
        return second >= 0x90;
    case 0xF4:
        return second < 0x90;
    default:
        return true;
    }
}

/* The size of the character at `bytes`, of which `left` are there; 0 if it is none. */
static size_t valid_character(const unsigned char *bytes, size_t left) {
    size_t size = character_size(bytes[0]);
    if (size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if (!is_continuation(bytes[i]))
            return 0;
    return size < 2 || second_fits(bytes[0], bytes[1]) ? size : 0;
}

bool lido__utf8_valid(const char *text, size_t size) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t at = 0;
    while (at < size) {
        uint64_t eight;
        if (size - at >= sizeof eight) {
            memcpy(&eight, bytes + at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        size_t character = valid_character(bytes + at, size - at);
        if (character == 0)
            return false;
        at += character;
    }
    return true;
}

size_t lido__utf8_cut(const char *text, size_t size) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t lead = size;
    while (lead > 0 && size - lead < 4) {
        lead--;
        if (!is_continuation(bytes[lead]))
            return character_size(bytes[lead]) > size - lead ? lead : size;
    }
    return size;
}
