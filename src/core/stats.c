/* Metrics as a struct. */
#include <lido/metrics.h>

#include "core/engine.h"

static lido_durations durations_of(const lido__durations *read) {
    lido_durations durations = {.count = read->count};
    if (read->count == 0)
        return durations;
    durations.mean_us = (double)read->sum_ns / (double)read->count / 1000;
    durations.p50_us = lido__durations_quantile_ns(read, 0.5) / 1000;
    durations.p90_us = lido__durations_quantile_ns(read, 0.9) / 1000;
    durations.p99_us = lido__durations_quantile_ns(read, 0.99) / 1000;
    durations.longest_us = (double)read->longest_ns / 1000;
    return durations;
}

static void fill_in(const lido__metrics_reading *read, lido_metrics *metrics) {
    metrics->reads = read->counts[LIDO__COUNT_READS];
    metrics->writes = read->counts[LIDO__COUNT_WRITES];
    metrics->others = read->counts[LIDO__COUNT_OTHERS];
    metrics->failed = read->counts[LIDO__COUNT_FAILED];
    metrics->committed = read->counts[LIDO__COUNT_COMMITTED];
    metrics->rolled_back = read->counts[LIDO__COUNT_ROLLED_BACK];
    metrics->unknown = read->counts[LIDO__COUNT_UNKNOWN];
    metrics->retried = read->events[LIDO__COUNT_RETRIED];
    metrics->read = durations_of(&read->durations[LIDO__DURATION_READ]);
    metrics->write = durations_of(&read->durations[LIDO__DURATION_WRITE]);
    metrics->other = durations_of(&read->durations[LIDO__DURATION_OTHER]);
    metrics->commit = durations_of(&read->durations[LIDO__DURATION_COMMIT]);
    metrics->wait = durations_of(&read->durations[LIDO__DURATION_WAIT]);
    metrics->turn = durations_of(&read->durations[LIDO__DURATION_TURN]);
    metrics->use = durations_of(&read->durations[LIDO__DURATION_USE]);
    metrics->connect = durations_of(&read->durations[LIDO__DURATION_CONNECT]);
}

lido_status lido_stats(lido_engine *engine, lido_metrics *metrics) {
    lido__metrics_reading reading = {.counts = {0}};
    if (metrics == NULL)
        return LIDO_ERROR;
    *metrics = (lido_metrics){.reads = 0};
    lido_engine_stats(engine, &metrics->pool);
    if (engine == NULL || engine->pool.metrics == NULL)
        return LIDO_ERROR;
    lido__metrics_read(engine->pool.metrics, &reading);
    fill_in(&reading, metrics);
    return LIDO_OK;
}
