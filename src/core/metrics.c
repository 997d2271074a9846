/* Counting and measuring, as metrics.h says. */
#include "core/metrics.h"

#include <string.h>
#include <sys/mman.h>

#include "core/pool.h"

lido__metrics *lido__metrics_new(void) {
    void *memory =
        mmap(NULL, sizeof(lido__metrics), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

void lido__metrics_free(lido__metrics *metrics) {
    if (metrics != NULL)
        munmap(metrics, sizeof *metrics);
}

void lido__metrics_seat(lido__metrics *metrics, lido__connection *connection, bool beside) {
    if (metrics == NULL)
        return;
    connection->shares_counts = beside || connection->place + 1 >= LIDO__COUNTS_PLACES;
    connection->counts = &metrics->counts[connection->shares_counts ? 0 : connection->place + 1];
    connection->busy = &metrics->durations[LIDO__DURATION_BUSY];
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
    lido__holder_board_read(&metrics->holders, &reading->holders);
}

/* Both pools' holders, the oldest first. */
static void publish_holders(lido__pool *head) {
    lido__holding held[LIDO__HOLDERS_MOST];
    lido__holders holders = {.count = 0};
    int64_t now = lido__clock_now_us();
    for (lido__pool *pool = head; pool != NULL; pool = pool == head ? head->beside : NULL) {
        size_t count = lido__pool_read_holders(pool, held, LIDO__HOLDERS_MOST);
        for (size_t i = 0; i < count; i++) {
            lido__holder_entry holder = {.held_us = now - held[i].since, .line = held[i].lease.line};
            lido__holder_describe(&holder, held[i].lease.file, held[i].last != NULL ? held[i].last->normal : "");
            lido__holders_add(&holders, &holder);
        }
    }
    lido__holder_board_write(&head->metrics->holders, &holders);
}

lido_durations lido__metrics_durations(const lido__durations *read) {
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
    publish_holders(head);
}

void lido__metrics_forget_now(lido__metrics *metrics) {
    if (metrics == NULL)
        return;
    for (size_t i = 0; i < LIDO__GAUGES; i++)
        atomic_store_explicit(&metrics->gauges[i], 0, memory_order_relaxed);
    lido__holder_board_clear(&metrics->holders);
}

static void clear(lido__metrics *metrics) {
    memset(metrics, 0, offsetof(lido__metrics, statements));
    lido__statement_table_clear(&metrics->statements);
}

void lido__metrics_after_fork(lido__pool *pool) {
    if (pool->config->shared_metrics != NULL)
        pool->metrics = NULL;
    else if (pool->metrics != NULL && pool == pool->head)
        clear(pool->metrics);
}

void lido__metrics_use_measured(lido__metrics *metrics, const lido__connection *connection, int64_t held_us) {
    bool is_long = held_us >= LIDO__MEASURED_LONG_US;
    unsigned weight = connection->use_weight;
    int64_t took = weight > 0 ? lido__clock_now_ns() - connection->used_from : held_us * 1000;
    lido__histogram_record(&metrics->durations[LIDO__DURATION_USE], took, is_long ? 1 : weight);
}
