/* Counting and measuring, as metrics.h says. */
#include "core/metrics.h"

#include <string.h>

#include "core/pool.h"

void lido__metrics_seat(lido__metrics *metrics, lido__connection *connection, bool beside) {
    if (metrics == NULL)
        return;
    connection->shares_counts = beside || connection->place + 1 >= LIDO__COUNTS_PLACES;
    connection->counts = &metrics->counts[connection->shares_counts ? 0 : connection->place + 1];
    connection->dice = (uint32_t)connection->number * 2654435761U;
}

void lido__metrics_read(const lido__metrics *metrics, lido__metrics_reading *reading) {
    for (size_t place = 0; place < LIDO__COUNTS_PLACES; place++)
        for (size_t i = 0; i < LIDO__COUNTS; i++)
            reading->counts[i] += atomic_load_explicit(&metrics->counts[place].of[i], memory_order_relaxed);
    for (size_t i = 0; i < LIDO__EVENT_COUNTS; i++)
        reading->events[i] += atomic_load_explicit(&metrics->events[i], memory_order_relaxed);
    for (size_t i = 0; i < LIDO__GAUGES; i++)
        reading->gauges[i] += atomic_load_explicit(&metrics->gauges[i], memory_order_relaxed);
    for (size_t i = 0; i < LIDO__DURATIONS; i++)
        lido__histogram_read(&metrics->durations[i], &reading->durations[i]);
}

void lido__metrics_publish(lido__pool *head) {
    lido_pool_stats stats;
    lido_pool_stats beside = {.open = 0};
    if (head->metrics == NULL)
        return;
    lido__pool_read_stats(head, &stats);
    if (head->beside != NULL)
        lido__pool_read_stats(head->beside, &beside);
    const int now[LIDO__GAUGES] = {[LIDO__GAUGE_IDLE] = stats.idle + beside.idle,
                                   [LIDO__GAUGE_USED] = stats.in_use + beside.in_use,
                                   [LIDO__GAUGE_WAITING] = stats.waiting + beside.waiting,
                                   [LIDO__GAUGE_DOWN] = stats.down || beside.down};
    for (size_t i = 0; i < LIDO__GAUGES; i++)
        atomic_store_explicit(&head->metrics->gauges[i], now[i], memory_order_relaxed);
}

void lido__metrics_forget_now(lido__metrics *metrics) {
    for (size_t i = 0; metrics != NULL && i < LIDO__GAUGES; i++)
        atomic_store_explicit(&metrics->gauges[i], 0, memory_order_relaxed);
}

void lido__metrics_after_fork(lido__pool *pool) {
    if (pool->config->shared_metrics != NULL)
        pool->metrics = NULL;
    else if (pool->metrics != NULL && pool == pool->head)
        memset(pool->metrics, 0, sizeof *pool->metrics);
}

void lido__metrics_use_measured(lido__metrics *metrics, const lido__connection *connection, int64_t held_us) {
    bool is_long = held_us >= LIDO__MEASURED_LONG_US;
    unsigned weight = connection->use_weight;
    int64_t took = weight > 0 ? lido__clock_now_ns() - connection->used_from : held_us * 1000;
    lido__histogram_record(&metrics->durations[LIDO__DURATION_USE], took, is_long ? 1 : weight);
}
