/* What a session runs, counted and measured.
 *
 * Reading the exact clock took 44 ns where this was written, a tenth of a point select in memory. So each text's first
 * runs are measured, and then a sample, each of which stands for several; and what takes some ticks of the recent clock
 * is measured always, and stands for itself. The recent clock tells for each which of the two it is, so neither the
 * short nor the long are counted too often. */
#include "core/measure.h"

#include "base/clock.h"
#include "core/metrics.h"

/* How often it has run, up to where that matters: then nobody writes what all threads read. */
static unsigned note_run(atomic_uint *runs) {
    unsigned before = atomic_load_explicit(runs, memory_order_relaxed);
    if (before < LIDO__MEASURED_FIRST)
        atomic_store_explicit(runs, before + 1, memory_order_relaxed);
    return before;
}

static lido__count count_of(const lido__sql *sql) {
    return (lido__count)lido__statement_kind_of(sql);
}

static void count(const lido_session *session, lido__count which) {
    if (session->connection != NULL)
        lido__metrics_count(session->connection, which);
    else
        lido__metrics_count_apart(session->engine->pool.metrics, which);
}

/* An errand's waiting is measured as its pool's. */
static unsigned weight_of(const lido_session *session, const lido__operation *last) {
    lido__metrics *metrics = session->engine->pool.metrics;
    if (session->connection == NULL)
        return 0;
    if (last->kind == LIDO__STATEMENT)
        return lido__metrics_weight(session->connection, note_run(&last->sql->habits->runs), LIDO__STATEMENTS_MEASURED);
    return lido__metrics_weight(session->connection, note_run(&metrics->commits_begun), LIDO__STATEMENTS_MEASURED);
}

static unsigned count_statements(const lido_session *session, const lido__batch *batch) {
    unsigned statements = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->operations[i].kind != LIDO__STATEMENT)
            continue;
        count(session, count_of(batch->operations[i].sql));
        statements++;
    }
    return statements;
}

/* In autocommit mode the connection was taken for this alone, and the clock read then: a ping that was due is in it. */
static int64_t recent(const lido_session *session) {
    if (session->options.autocommit && session->connection != NULL)
        return atomic_load_explicit(&session->connection->holder.since, memory_order_relaxed);
    return lido__clock_recent_us();
}

void lido__measure_begins(lido_session *session, const lido__batch *batch, int64_t errand_began,
                          lido__measure *measure) {
    const lido__operation *last = &batch->operations[batch->count - 1];
    measure->statements = count_statements(session, batch);
    measure->is_errand = session->connection == NULL;
    measure->recent_us = errand_began != 0 ? errand_began : recent(session);
    measure->weight = weight_of(session, last);
    measure->began_ns = measure->weight > 0 ? lido__clock_now_ns() : 0;
}

/* Statements that travelled together share their time. */
static void record(lido__metrics *metrics, const lido__batch *batch, unsigned statements, int64_t took_ns,
                   unsigned weight) {
    const lido__operation *last = &batch->operations[batch->count - 1];
    if (statements == 0 && last->kind == LIDO__COMMIT)
        lido__histogram_record(&metrics->durations[LIDO__DURATION_COMMIT], took_ns, weight);
    for (size_t i = 0; i < batch->count && statements > 0; i++) {
        const lido__operation *operation = &batch->operations[i];
        if (operation->kind != LIDO__STATEMENT)
            continue;
        lido__histogram_record(&metrics->durations[count_of(operation->sql)], took_ns / statements, weight);
        lido__statement_table_record(&metrics->statements, operation->sql, took_ns / statements, weight);
    }
}

/* One of several that travelled together is to blame; or, if the connection was lost, nobody knows which. */
static void record_failure(const lido_session *session, const lido__batch *batch) {
    size_t failed = batch->failed < batch->count ? batch->failed : batch->count - 1;
    const lido__operation *operation = &batch->operations[failed];
    count(session, LIDO__COUNT_FAILED);
    if (operation->kind == LIDO__STATEMENT)
        lido__statement_table_failed(&session->engine->pool.metrics->statements, operation->sql);
}

static void record_errand(lido__metrics *metrics, const lido__batch *batch) {
    for (size_t i = 0; i < batch->count; i++)
        if (batch->operations[i].kind == LIDO__STATEMENT)
            lido__statement_table_count(&metrics->statements, batch->operations[i].sql);
}

void lido__measure_ends(const lido_session *session, const lido__batch *batch, const lido__measure *measure,
                        bool done) {
    lido__metrics *metrics = session->engine->pool.metrics;
    int64_t recent_us = lido__clock_recent_us() - measure->recent_us;
    bool is_long = recent_us >= LIDO__MEASURED_LONG_US;
    if (!done && measure->statements > 0)
        record_failure(session, batch);
    if (measure->weight == 0 && !is_long) {
        if (measure->is_errand)
            record_errand(metrics, batch);
        return;
    }
    int64_t took_ns = measure->weight > 0 ? lido__clock_now_ns() - measure->began_ns : recent_us * 1000;
    record(metrics, batch, measure->statements, took_ns, is_long ? 1 : measure->weight);
}

void lido__measure_apart(const lido_session *session, const lido__batch *batch, int64_t began_ns) {
    unsigned statements = count_statements(session, batch);
    lido__metrics_event(session->engine->pool.metrics, LIDO__COUNT_LANE_STATEMENTS, statements);
    if (batch->failed < batch->count)
        record_failure(session, batch);
    record(session->engine->pool.metrics, batch, statements, lido__clock_now_ns() - began_ns, 1);
}

void lido__measure_outcome(const lido_session *session, lido_status outcome) {
    if (session->engine->pool.metrics == NULL)
        return;
    if (outcome == LIDO_OK)
        count(session, LIDO__COUNT_COMMITTED);
    else
        count(session, outcome == LIDO_UNKNOWN ? LIDO__COUNT_UNKNOWN : LIDO__COUNT_ROLLED_BACK);
}
