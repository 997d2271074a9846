/* Histograms of durations, with logarithmic buckets: four between a duration and its double, so that what is read from
 * one is known to a fifth. Any thread, and any process that shares the memory, may write while others read. */
#ifndef LIDO_BASE_HISTOGRAM_H
#define LIDO_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LIDO__HISTOGRAM_FIRST_BIT = 8, /* up to 256 ns is one bucket; */
    LIDO__HISTOGRAM_LAST_BIT = 37, /* so is what is over 137 s */
    LIDO__HISTOGRAM_BUCKETS = (LIDO__HISTOGRAM_LAST_BIT - LIDO__HISTOGRAM_FIRST_BIT) * 4 + 2
};

/* All zero at the start. Holds no pointer, so that it may lie in shared memory. */
typedef struct lido__histogram {
    atomic_uint_fast64_t buckets[LIDO__HISTOGRAM_BUCKETS];
    atomic_uint_fast64_t sum_ns;
    atomic_uint_fast64_t longest_ns;
} lido__histogram;

/* What was read from one, or from several together. */
typedef struct lido__durations {
    uint64_t buckets[LIDO__HISTOGRAM_BUCKETS];
    uint64_t count; /* of all buckets */
    uint64_t sum_ns;
    uint64_t longest_ns;
} lido__durations;

/* One that was measured and stands for `weight`. */
void lido__histogram_record(lido__histogram *histogram, int64_t ns, unsigned weight);
/* Adds what is there now. */
void lido__histogram_read(const lido__histogram *histogram, lido__durations *durations);

/* The longest duration that belongs to the bucket, in nanoseconds; UINT64_MAX for the last. */
uint64_t lido__histogram_bound(size_t bucket);
/* Which bucket a duration belongs to. */
size_t lido__histogram_bucket(uint64_t ns);
/* The duration that `share` of them (0 to 1) do not exceed, between the bounds of its bucket as if that were evenly
 * filled; 0 if there are none. */
double lido__durations_quantile_ns(const lido__durations *durations, double share);

#endif
