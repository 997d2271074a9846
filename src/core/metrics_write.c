/* Prometheus' text of metrics, under the names that OpenTelemetry's conventions for database clients have, and lido's
 * own for what those lack. Numbers are written without printf's %g, which has a comma in some languages. */
#include "core/metrics_write.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/convert.h"
#include "core/engine.h"

enum {
    TEXT_SIZE = 4096,
    LINE_MOST = 1024,
    LABEL_MOST = 400,
    SERIES_MOST = 4,
    FIRST_BOUND_BIT = 10,
    LAST_BOUND_BIT = 36
};

/* ---- Which metrics there are ---- */

typedef enum origin { FROM_COUNT, FROM_EVENT, FROM_GAUGE, FROM_DURATION, FROM_LIMIT } origin;

typedef enum limit { LIMIT_SIZE, LIMIT_LEAST, LIMIT_MOST } limit;

typedef struct metric_series {
    const char *value; /* of the metric's label; NULL: no more series */
    unsigned index;
} metric_series;

/* A metric without a label has one series, whose value is "". */
typedef struct metric_form {
    const char *name;
    const char *help;
    const char *label;
    origin from;
    metric_series series[SERIES_MOST];
} metric_form;

static const metric_form forms[] = {
    {"db_client_connection_count",
     "Connections that are open now.",
     "db_client_connection_state",
     FROM_GAUGE,
     {{"idle", LIDO__GAUGE_IDLE}, {"used", LIDO__GAUGE_USED}}},
    {"db_client_connection_idle_max", "The most idle connections that are kept.", NULL, FROM_LIMIT, {{"", LIMIT_SIZE}}},
    {"db_client_connection_idle_min", "Connections that are opened ahead.", NULL, FROM_LIMIT, {{"", LIMIT_LEAST}}},
    {"db_client_connection_max", "The most connections that may be open.", NULL, FROM_LIMIT, {{"", LIMIT_MOST}}},
    {"db_client_connection_pending_requests",
     "Threads and tasks that wait for a connection now.",
     NULL,
     FROM_GAUGE,
     {{"", LIDO__GAUGE_WAITING}}},
    {"db_client_connection_timeouts_total",
     "How often a connection was waited for in vain.",
     NULL,
     FROM_EVENT,
     {{"", LIDO__COUNT_TIMEOUTS}}},
    {"db_client_connection_create_time_seconds",
     "How long opening a connection took.",
     NULL,
     FROM_DURATION,
     {{"", LIDO__DURATION_CONNECT}}},
    {"db_client_connection_wait_time_seconds",
     "How long those waited for a connection who had to.",
     NULL,
     FROM_DURATION,
     {{"", LIDO__DURATION_WAIT}}},
    {"db_client_connection_use_time_seconds",
     "How long connections were held.",
     NULL,
     FROM_DURATION,
     {{"", LIDO__DURATION_USE}}},
    {"db_client_operation_duration_seconds",
     "How long statements and commits took.",
     "db_operation_name",
     FROM_DURATION,
     {{"read", LIDO__DURATION_READ},
      {"write", LIDO__DURATION_WRITE},
      {"other", LIDO__DURATION_OTHER},
      {"commit", LIDO__DURATION_COMMIT}}},
    {"lido_write_turn_wait_seconds",
     "How long those waited for the turn to write who had to, on SQLite.",
     NULL,
     FROM_DURATION,
     {{"", LIDO__DURATION_TURN}}},
    {"lido_busy_wait_seconds",
     "How long those waited for a lock on a SQLite file, or for other workers' turn to write, who had to.",
     NULL,
     FROM_DURATION,
     {{"", LIDO__DURATION_BUSY}}},
    {"lido_statements_total",
     "Statements that were run.",
     "kind",
     FROM_COUNT,
     {{"read", LIDO__COUNT_READS}, {"write", LIDO__COUNT_WRITES}, {"other", LIDO__COUNT_OTHERS}}},
    {"lido_statements_failed_total",
     "How often a statement, or one of several that travelled together, failed.",
     NULL,
     FROM_COUNT,
     {{"", LIDO__COUNT_FAILED}}},
    {"lido_lane_statements_total",
     "Statements that went by a lane.",
     NULL,
     FROM_EVENT,
     {{"", LIDO__COUNT_LANE_STATEMENTS}}},
    {"lido_lane_batches_total",
     "In how many companies, each with one sync, these were sent.",
     NULL,
     FROM_EVENT,
     {{"", LIDO__COUNT_LANE_BATCHES}}},
    {"lido_lane_reruns_total",
     "How often one of them was run again for what happened to others.",
     NULL,
     FROM_EVENT,
     {{"", LIDO__COUNT_LANE_RERUNS}}},
    {"lido_transactions_total",
     "Transactions that ended, by how.",
     "outcome",
     FROM_COUNT,
     {{"committed", LIDO__COUNT_COMMITTED},
      {"rolled_back", LIDO__COUNT_ROLLED_BACK},
      {"unknown", LIDO__COUNT_UNKNOWN}}},
    {"lido_transaction_retries_total",
     "How often a function was run once more by lido_transact.",
     NULL,
     FROM_EVENT,
     {{"", LIDO__COUNT_RETRIED}}},
    {"lido_connections_had_at_once_total",
     "How often a connection was had without waiting for another's.",
     NULL,
     FROM_COUNT,
     {{"", LIDO__COUNT_AT_ONCE}}},
    {"lido_connection_failures_total",
     "How often no connection could be opened.",
     NULL,
     FROM_EVENT,
     {{"", LIDO__COUNT_FAILED_CONNECTS}}},
    {"lido_connections_recycled_total",
     "Connections that were closed for their age.",
     NULL,
     FROM_EVENT,
     {{"", LIDO__COUNT_RECYCLED}}},
    {"lido_connections_invalidated_total",
     "Connections that were found dead, or given up because another was lost.",
     NULL,
     FROM_EVENT,
     {{"", LIDO__COUNT_INVALIDATED}}},
    {"lido_pool_down",
     "Whether the server could not be reached at the last attempt.",
     NULL,
     FROM_GAUGE,
     {{"", LIDO__GAUGE_DOWN}}},
};

/* ---- Text ---- */

typedef struct output {
    lido_metrics_writer *writer;
    void *user;
    bool refused;
    size_t used;
    char text[TEXT_SIZE];
} output;

static void flush(output *out) {
    if (out->used > 0 && !out->refused)
        out->refused = !out->writer(out->text, out->used, out->user);
    out->used = 0;
}

/* A line, or a part of one: at most LINE_MOST bytes. */
LIDO_FORMAT(2, 3) static void add(output *out, const char *format, ...) {
    va_list arguments;
    if (TEXT_SIZE - out->used < LINE_MOST)
        flush(out);
    va_start(arguments, format);
    int length = vsnprintf(out->text + out->used, LINE_MOST, format, arguments);
    va_end(arguments);
    if (length > 0)
        out->used += (size_t)length < LINE_MOST ? (size_t)length : LINE_MOST - 1;
}

static void add_head(output *out, const char *name, const char *help, const char *type) {
    add(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value as the format wants it; cut where there is no room, but within no character: a page with half of one
 * is not UTF-8, and Prometheus takes nothing of it. */
static void escape(const char *value, char *escaped, size_t size) {
    size_t used = 0;
    for (; *value != '\0' && used + 3 < size; value++) {
        bool special = *value == '\\' || *value == '"' || *value == '\n';
        if (special)
            escaped[used++] = '\\';
        escaped[used++] = *value == '\n' ? 'n' : *value;
    }
    escaped[lido__utf8_cut(escaped, used)] = '\0';
}

/* A name, and the labels that all have; the brace stays open. */
static void add_labels(output *out, const lido__metrics_source *source, const char *name, const char *suffix) {
    char pool[LABEL_MOST];
    escape(source->pool, pool, sizeof pool);
    add(out, "%s%s{db_client_connection_pool_name=\"%s\",db_system_name=\"%s\"", name, suffix, pool,
        source->type == LIDO__SQLITE ? "sqlite" : "postgresql");
    if (source->worker != LIDO__NO_WORKER)
        add(out, ",worker=\"%d\"", source->worker);
}

/* `name` and what follows it up to the value; `bound`: of a histogram's bucket, or NULL. */
static void add_series(output *out, const lido__metrics_source *source, const metric_form *metric, const char *suffix,
                       const char *value, const char *bound) {
    add_labels(out, source, metric->name, suffix);
    if (metric->label != NULL)
        add(out, ",%s=\"%s\"", metric->label, value);
    if (bound != NULL)
        add(out, ",le=\"%s\"", bound);
    add(out, "} ");
}

/* ---- Values ---- */

static void add_histogram(output *out, const lido__metrics_source *source, const metric_form *metric,
                          const metric_series *series) {
    const lido__durations *read = &source->reading.durations[series->index];
    uint64_t below = 0;
    size_t bucket = 0;
    for (unsigned bit = FIRST_BOUND_BIT; bit <= LAST_BOUND_BIT; bit++) {
        char bound[32];
        uint64_t ns = UINT64_C(1) << bit;
        snprintf(bound, sizeof bound, "%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);
        for (; lido__histogram_bound(bucket) <= ns; bucket++)
            below += read->buckets[bucket];
        add_series(out, source, metric, "_bucket", series->value, bound);
        add(out, "%" PRIu64 "\n", below);
    }
    add_series(out, source, metric, "_bucket", series->value, "+Inf");
    add(out, "%" PRIu64 "\n", read->count);
    add_series(out, source, metric, "_sum", series->value, NULL);
    add(out, "%" PRIu64 ".%09" PRIu64 "\n", read->sum_ns / 1000000000, read->sum_ns % 1000000000);
    add_series(out, source, metric, "_count", series->value, NULL);
    add(out, "%" PRIu64 "\n", read->count);
}

void lido__metrics_describe(lido__metrics_source *source, const lido__config *config) {
    source->type = config->type;
    source->size = config->pool_size;
    source->least = config->pool_min_size;
    source->most = config->max_overflow < 0 ? -1 : config->pool_size + config->max_overflow;
}

void lido__metrics_source_read(lido__metrics_source *source, const lido__metrics *const *metrics, size_t count) {
    const lido__statement_table *tables[2];
    for (size_t i = 0; i < count; i++) {
        lido__metrics_read(metrics[i], &source->reading);
        tables[i] = &metrics[i]->statements;
    }
    source->statement_count = lido__statement_tables_read(tables, count, source->statements, LIDO__STATEMENTS_WRITTEN);
}

/* -1: there is none. */
static int limit_of(const lido__metrics_source *source, unsigned which) {
    if (which == LIMIT_SIZE)
        return source->size;
    return which == LIMIT_LEAST ? source->least : source->most;
}

static int64_t number_of(const lido__metrics_source *source, origin from, unsigned index) {
    switch (from) {
    case FROM_COUNT:
        return (int64_t)source->reading.counts[index];
    case FROM_EVENT:
        return (int64_t)source->reading.events[index];
    case FROM_GAUGE:
        return source->reading.gauges[index];
    default:
        return limit_of(source, index);
    }
}

static void add_source(output *out, const lido__metrics_source *source, const metric_form *metric) {
    for (size_t i = 0; i < SERIES_MOST && metric->series[i].value != NULL; i++) {
        const metric_series *series = &metric->series[i];
        if (metric->from == FROM_DURATION) {
            add_histogram(out, source, metric, series);
            continue;
        }
        int64_t number = number_of(source, metric->from, series->index);
        if (number < 0)
            continue;
        add_series(out, source, metric, "", series->value, NULL);
        add(out, "%" PRId64 "\n", number);
    }
}

static const char *type_of(const metric_form *metric) {
    if (metric->from == FROM_DURATION)
        return "histogram";
    return metric->from == FROM_GAUGE || metric->from == FROM_LIMIT ? "gauge" : "counter";
}

/* ---- Statements ---- */

static const struct statement_metric {
    const char *name;
    const char *help;
    const char *type;
} statement_took = {"lido_statement_duration_seconds",
                    "How long the statements took that took the most time all together, since the start.", "summary"},
  statement_failures = {"lido_statement_failures_total", "How often these statements failed.", "counter"};

static void add_statement_series(output *out, const lido__metrics_source *source, const char *name, const char *suffix,
                                 const lido_statement_stats *statement, const char *quantile) {
    char text[LABEL_MOST + LIDO_STATEMENT_TEXT_SIZE];
    add_labels(out, source, name, suffix);
    escape(statement->text, text, sizeof text);
    add(out, ",db_operation_name=\"%s\",fingerprint=\"%016" PRIx64 "\",db_query_text=\"%s\"",
        lido_statement_kind_name(statement->kind), statement->fingerprint, text);
    if (quantile != NULL)
        add(out, ",quantile=\"%s\"", quantile);
    add(out, "} ");
}

static void add_seconds(output *out, double us) {
    uint64_t ns = (uint64_t)(us * 1000 + 0.5);
    add(out, "%" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000, ns % 1000000000);
}

static void add_duration(output *out, const lido__metrics_source *source, const lido_statement_stats *statement) {
    const struct {
        const char *quantile;
        double us;
    } quantiles[] = {{"0.5", statement->took.p50_us},
                     {"0.9", statement->took.p90_us},
                     {"0.99", statement->took.p99_us},
                     {"1", statement->took.longest_us}};
    const char *name = statement_took.name;
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles && statement->took.count > 0; i++) {
        add_statement_series(out, source, name, "", statement, quantiles[i].quantile);
        add_seconds(out, quantiles[i].us);
    }
    add_statement_series(out, source, name, "_sum", statement, NULL);
    add_seconds(out, statement->total_us);
    add_statement_series(out, source, name, "_count", statement, NULL);
    add(out, "%" PRIu64 "\n", statement->count);
}

static void add_failures(output *out, const lido__metrics_source *source, const lido_statement_stats *statement) {
    add_statement_series(out, source, statement_failures.name, "", statement, NULL);
    add(out, "%" PRIu64 "\n", statement->failed);
}

static void add_statements(output *out, const lido__metrics_source *sources, size_t count,
                           const struct statement_metric *metric,
                           void (*add_one)(output *, const lido__metrics_source *, const lido_statement_stats *)) {
    add_head(out, metric->name, metric->help, metric->type);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < sources[i].statement_count && !out->refused; j++)
            add_one(out, &sources[i], &sources[i].statements[j]);
}

/* ---- All of them ---- */

bool lido__metrics_write(const lido__metrics_source *sources, size_t count, lido_metrics_writer *writer, void *user) {
    output out = {.writer = writer, .user = user};
    for (size_t i = 0; i < sizeof forms / sizeof *forms && !out.refused; i++) {
        add_head(&out, forms[i].name, forms[i].help, type_of(&forms[i]));
        for (size_t j = 0; j < count && !out.refused; j++)
            add_source(&out, &sources[j], &forms[i]);
    }
    add_statements(&out, sources, count, &statement_took, add_duration);
    add_statements(&out, sources, count, &statement_failures, add_failures);
    flush(&out);
    return !out.refused;
}

/* ---- An engine's ---- */

lido_status lido_metrics_write(lido_engine *engine, lido_metrics_writer *writer, void *user) {
    if (engine == NULL || writer == NULL || engine->pool.metrics == NULL)
        return LIDO_ERROR;
    lido__metrics_source *source = calloc(1, sizeof *source);
    if (source == NULL)
        return LIDO_ERROR;
    source->pool = engine->config.display;
    lido__metrics_describe(source, &engine->config);
    source->worker = LIDO__NO_WORKER;
    lido__metrics_publish(&engine->pool);
    const lido__metrics *metrics = engine->pool.metrics;
    lido__metrics_source_read(source, &metrics, 1);
    bool written = lido__metrics_write(source, 1, writer, user);
    free(source);
    return written ? LIDO_OK : LIDO_ERROR;
}

bool lido__metrics_to_file(const char *text, size_t size, void *user) {
    return fwrite(text, 1, size, user) == size;
}

lido_status lido_metrics_print(lido_engine *engine, FILE *file) {
    return file != NULL ? lido_metrics_write(engine, lido__metrics_to_file, file) : LIDO_ERROR;
}
