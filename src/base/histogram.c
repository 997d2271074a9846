/* The buckets of histogram.h. */
#include "base/histogram.h"

enum { PARTS_BITS = 2, PARTS = 1 << PARTS_BITS };

/* Bounds belong to the bucket below them, as in Prometheus' `le`. */
size_t lido__histogram_bucket(uint64_t ns) {
    uint64_t below = ns > 0 ? ns - 1 : 0;
    if (below < UINT64_C(1) << LIDO__HISTOGRAM_FIRST_BIT)
        return 0;
    if (below >= UINT64_C(1) << LIDO__HISTOGRAM_LAST_BIT)
        return LIDO__HISTOGRAM_BUCKETS - 1;
    unsigned bit = 63U - (unsigned)__builtin_clzll(below);
    return 1 + (bit - LIDO__HISTOGRAM_FIRST_BIT) * PARTS + (below >> (bit - PARTS_BITS)) % PARTS;
}

uint64_t lido__histogram_bound(size_t bucket) {
    if (bucket == 0)
        return UINT64_C(1) << LIDO__HISTOGRAM_FIRST_BIT;
    if (bucket >= LIDO__HISTOGRAM_BUCKETS - 1)
        return UINT64_MAX;
    size_t bit = LIDO__HISTOGRAM_FIRST_BIT + (bucket - 1) / PARTS;
    return (uint64_t)(PARTS + 1 + (bucket - 1) % PARTS) << (bit - PARTS_BITS);
}

void lido__histogram_record(lido__histogram *histogram, int64_t ns, unsigned weight) {
    uint64_t took = ns > 0 ? (uint64_t)ns : 0; /* two processors' clocks may differ by a little */
    atomic_fetch_add_explicit(&histogram->buckets[lido__histogram_bucket(took)], weight, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->sum_ns, took * weight, memory_order_relaxed);
    uint64_t longest = atomic_load_explicit(&histogram->longest_ns, memory_order_relaxed);
    while (took > longest && !atomic_compare_exchange_weak_explicit(&histogram->longest_ns, &longest, took,
                                                                    memory_order_relaxed, memory_order_relaxed))
        ;
}

void lido__histogram_read(const lido__histogram *histogram, lido__durations *durations) {
    for (size_t i = 0; i < LIDO__HISTOGRAM_BUCKETS; i++) {
        uint64_t count = atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        durations->buckets[i] += count;
        durations->count += count;
    }
    durations->sum_ns += atomic_load_explicit(&histogram->sum_ns, memory_order_relaxed);
    uint64_t longest = atomic_load_explicit(&histogram->longest_ns, memory_order_relaxed);
    if (longest > durations->longest_ns)
        durations->longest_ns = longest;
}

double lido__durations_quantile_ns(const lido__durations *durations, double share) {
    double wanted = share * (double)durations->count;
    double before = 0;
    for (size_t i = 0; i < LIDO__HISTOGRAM_BUCKETS; i++) {
        double here = (double)durations->buckets[i];
        if (here == 0 || before + here < wanted) {
            before += here;
            continue;
        }
        double low = i > 0 ? (double)lido__histogram_bound(i - 1) : 0;
        double high = (double)lido__histogram_bound(i);
        if (high > (double)durations->longest_ns)
            high = (double)durations->longest_ns;
        return high > low ? low + (high - low) * (wanted - before) / here : high;
    }
    return 0;
}
