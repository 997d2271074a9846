/* Metrics as a struct. */
#include <lido/metrics.h>

#include "core/engine.h"

static void fill_in(const lido__metrics_reading *read, lido_metrics *metrics) {
    metrics->reads = read->counts[LIDO__COUNT_READS];
    metrics->writes = read->counts[LIDO__COUNT_WRITES];
    metrics->others = read->counts[LIDO__COUNT_OTHERS];
    metrics->failed = read->counts[LIDO__COUNT_FAILED];
    metrics->committed = read->counts[LIDO__COUNT_COMMITTED];
    metrics->rolled_back = read->counts[LIDO__COUNT_ROLLED_BACK];
    metrics->unknown = read->counts[LIDO__COUNT_UNKNOWN];
    metrics->retried = read->events[LIDO__COUNT_RETRIED];
    metrics->lane_statements = read->events[LIDO__COUNT_LANE_STATEMENTS];
    metrics->lane_batches = read->events[LIDO__COUNT_LANE_BATCHES];
    metrics->lane_reruns = read->events[LIDO__COUNT_LANE_RERUNS];
    metrics->read = lido__metrics_durations(&read->durations[LIDO__DURATION_READ]);
    metrics->write = lido__metrics_durations(&read->durations[LIDO__DURATION_WRITE]);
    metrics->other = lido__metrics_durations(&read->durations[LIDO__DURATION_OTHER]);
    metrics->commit = lido__metrics_durations(&read->durations[LIDO__DURATION_COMMIT]);
    metrics->wait = lido__metrics_durations(&read->durations[LIDO__DURATION_WAIT]);
    metrics->turn = lido__metrics_durations(&read->durations[LIDO__DURATION_TURN]);
    metrics->busy = lido__metrics_durations(&read->durations[LIDO__DURATION_BUSY]);
    metrics->use = lido__metrics_durations(&read->durations[LIDO__DURATION_USE]);
    metrics->connect = lido__metrics_durations(&read->durations[LIDO__DURATION_CONNECT]);
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

size_t lido_stats_statements(lido_engine *engine, lido_statement_stats *statements, size_t capacity) {
    if (engine == NULL || statements == NULL || engine->pool.metrics == NULL)
        return 0;
    const lido__statement_table *table = &engine->pool.metrics->statements;
    return lido__statement_tables_read(&table, 1, statements, capacity);
}

const char *lido_statement_kind_name(lido_statement_kind kind) {
    static const char *const names[] = {"read", "write", "other"};
    size_t index = (size_t)kind;
    return index < sizeof names / sizeof *names ? names[index] : "not a kind";
}
