/* Random bytes and numbers, straight from the system: nothing is kept between calls, so that the two sides of a fork
 * never draw the same. Wait only while a machine that has just started gathers its first randomness. */
#ifndef LIDO_BASE_RANDOM_H
#define LIDO_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* At most 256 bytes. */
void lido__random_bytes(void *bytes, size_t size);

uint64_t lido__random(void);

/* From 0 up to, but not including, `limit`; 0 if there is no such number. For jitter: even enough while `limit` is far
 * below 2^63. */
int64_t lido__random_below(int64_t limit);

#endif
