/* A fast hash of bytes, for tables in memory. */
#ifndef LIDO_SQL_HASH_H
#define LIDO_SQL_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t lido__hash_word(const char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word); /* the bytes may lie anywhere */
    return word;
}

static inline uint64_t lido__hash_mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 32;
}

/* Two lanes, so that one multiplication does not wait for the other. The last words overlap what was read before
 * instead of reading beyond the end. Hashes differ between byte orders: not to be stored. */
static inline uint64_t lido__hash_bytes(const char *bytes, size_t size) {
    uint64_t left = lido__hash_mix(UINT64_C(0x2545F4914F6CDD1D), size);
    uint64_t right = UINT64_C(0xD6E8FEB86659FD93);
    if (size < 16) {
        char padded[16] = {0};
        for (size_t i = 0; i < size; i++)
            padded[i] = bytes[i];
        left = lido__hash_mix(left, lido__hash_word(padded));
        right = lido__hash_mix(right, lido__hash_word(padded + 8));
    } else {
        const char *end = bytes + size;
        for (; end - bytes > 16; bytes += 16) {
            left = lido__hash_mix(left, lido__hash_word(bytes));
            right = lido__hash_mix(right, lido__hash_word(bytes + 8));
        }
        left = lido__hash_mix(left, lido__hash_word(end - 16));
        right = lido__hash_mix(right, lido__hash_word(end - 8));
    }
    return lido__hash_mix(left, right);
}

#endif
