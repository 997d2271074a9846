/* Metrics as Prometheus' text. */
#ifndef LIDO_CORE_METRICS_WRITE_H
#define LIDO_CORE_METRICS_WRITE_H

#include <lido/metrics.h>

#include "config/config.h"
#include "core/metrics.h"

enum {
    LIDO__NO_WORKER = -1,
    LIDO__STATEMENTS_WRITTEN = 20 /* of each source, those that took the most time: labels shall not be too many */
};

/* One engine's, or that of all who had a worker's place. */
typedef struct lido__metrics_source {
    const char *pool; /* what it is called */
    int worker;       /* or LIDO__NO_WORKER */
    lido__database_type type;
    int size; /* the pool's limits; */
    int least;
    int most; /* -1: none */
    lido__metrics_reading reading;
    size_t statement_count;
    lido_statement_stats statements[LIDO__STATEMENTS_WRITTEN];
} lido__metrics_source;

/* What the configuration tells of it. */
void lido__metrics_describe(lido__metrics_source *source, const lido__config *config);

/* Reads all that one has, or two together. */
void lido__metrics_source_read(lido__metrics_source *source, const lido__metrics *const *metrics, size_t count);

/* Each metric once, with all sources below it. False: the writer wanted no more. */
bool lido__metrics_write(const lido__metrics_source *sources, size_t count, lido_metrics_writer *writer, void *user);

/* A writer whose `user` is a FILE. */
bool lido__metrics_to_file(const char *text, size_t size, void *user);

#endif
