/* Buckets of latencies: sixteen for each power of two. */
#include "latency.h"

static int64_t look(const _Atomic int64_t *number) {
    return atomic_load_explicit(number, memory_order_relaxed);
}

/* There is one writer, so this needs no locked instruction. */
static void put(_Atomic int64_t *number, int64_t value) {
    atomic_store_explicit(number, value, memory_order_relaxed);
}

static int bucket_of(int64_t ns) {
    if (ns < LATENCY_STEPS)
        return ns < 0 ? 0 : (int)ns;
    int power = 63 - __builtin_clzll((unsigned long long)ns); /* at least 4 */
    int bucket = (power - 3) * LATENCY_STEPS + (int)((ns >> (power - 4)) & (LATENCY_STEPS - 1));
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

/* The longest that falls into it. */
static int64_t end_of(int bucket) {
    if (bucket < LATENCY_STEPS)
        return bucket;
    int power = bucket / LATENCY_STEPS + 3;
    return ((int64_t)(LATENCY_STEPS + bucket % LATENCY_STEPS + 1) << (power - 4)) - 1;
}

void latency_add(latency *of, int64_t ns) {
    _Atomic int64_t *count = &of->counts[bucket_of(ns)];
    put(count, look(count) + 1);
    if (ns > look(&of->longest_ns))
        put(&of->longest_ns, ns);
}

void latency_merge(latency *into, const latency *from) {
    for (int i = 0; i < LATENCY_BUCKETS; i++)
        put(&into->counts[i], look(&into->counts[i]) + look(&from->counts[i]));
    if (look(&from->longest_ns) > look(&into->longest_ns))
        put(&into->longest_ns, look(&from->longest_ns));
}

int64_t latency_quantile_ns(const latency *of, double share) {
    int64_t total = 0;
    int64_t seen = 0;
    int64_t longest = look(&of->longest_ns);
    for (int i = 0; i < LATENCY_BUCKETS; i++)
        total += look(&of->counts[i]);
    if (total == 0)
        return 0;
    for (int i = 0; i < LATENCY_BUCKETS; i++) {
        seen += look(&of->counts[i]);
        if ((double)seen >= share * (double)total)
            return end_of(i) < longest ? end_of(i) : longest;
    }
    return longest;
}
