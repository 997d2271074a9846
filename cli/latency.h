/* How long things took, counted in buckets: cheap to add to, small, and good to 6 % at any size. In memory that
 * processes may share: one writes, others read meanwhile. */
#ifndef LIDO_CLI_LATENCY_H
#define LIDO_CLI_LATENCY_H

#include <stdatomic.h>
#include <stdint.h>

enum { LATENCY_STEPS = 16, LATENCY_BUCKETS = 40 * LATENCY_STEPS };

/* All zero at first. */
typedef struct latency {
    _Atomic int64_t counts[LATENCY_BUCKETS];
    _Atomic int64_t longest_ns;
} latency;

/* By the one who writes. */
void latency_add(latency *of, int64_t ns);
/* Adds what another has counted. */
void latency_merge(latency *into, const latency *from);
/* So many were at most so long, as a share from 0 to 1; 0 if nothing was counted. */
int64_t latency_quantile_ns(const latency *of, double share);

#endif
