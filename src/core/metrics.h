/* What an engine counts and measures of itself, for lido_stats and lido_metrics_write.
 *
 * All of it lies in one piece of memory without a pointer, so that it may be shared: a worker's is its parent's, who
 * reads it even when the worker is dead. Counters never go back.
 *
 * What happens with each statement is counted beside the connection, in a cache line that is its own: a connection has
 * one holder at a time, so that a count is a load and a store. (An atomic addition to a common line took 5 ns in one
 * thread and ten times that in two.) The rest is rare, and added to what all share. */
#ifndef LIDO_CORE_METRICS_H
#define LIDO_CORE_METRICS_H

#include <stdbool.h>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/histogram.h"
#include "core/holders.h"
#include "core/statement_table.h"

/* Counted beside the connection. The first three are statements, as lido_statement_kind. */
typedef enum lido__count {
    LIDO__COUNT_READS,
    LIDO__COUNT_WRITES,
    LIDO__COUNT_OTHERS,
    LIDO__COUNT_FAILED,
    LIDO__COUNT_AT_ONCE, /* a connection was had without waiting for another's */
    LIDO__COUNT_COMMITTED,
    LIDO__COUNT_ROLLED_BACK,
    LIDO__COUNT_UNKNOWN,
    LIDO__COUNTS
} lido__count;

typedef enum lido__event_count {
    LIDO__COUNT_RETRIED,
    LIDO__COUNT_TIMEOUTS,
    LIDO__COUNT_FAILED_CONNECTS,
    LIDO__COUNT_RECYCLED,
    LIDO__COUNT_INVALIDATED,
    LIDO__COUNT_LANE_STATEMENTS,
    LIDO__COUNT_LANE_BATCHES, /* that stand or fall together */
    LIDO__COUNT_LANE_RERUNS,
    LIDO__EVENT_COUNTS
} lido__event_count;

/* The first three are as the first of lido__count. */
typedef enum lido__duration {
    LIDO__DURATION_READ,
    LIDO__DURATION_WRITE,
    LIDO__DURATION_OTHER,
    LIDO__DURATION_COMMIT,
    LIDO__DURATION_WAIT, /* for a connection, of those who had to; */
    LIDO__DURATION_TURN, /* for the turn to write */
    LIDO__DURATION_BUSY, /* for a lock of a SQLite file; by the backend */
    LIDO__DURATION_USE,
    LIDO__DURATION_CONNECT,
    LIDO__DURATIONS
} lido__duration;

typedef enum lido__gauge {
    LIDO__GAUGE_IDLE,
    LIDO__GAUGE_USED,
    LIDO__GAUGE_WAITING,
    LIDO__GAUGE_DOWN,
    LIDO__GAUGES
} lido__gauge;

typedef struct lido__counts {
    _Alignas(64) atomic_uint_fast64_t of[LIDO__COUNTS];
} lido__counts;

_Static_assert(sizeof(lido__counts) == 64, "one cache line");

/* More connections than that, and those of a pool beside the first, share one. */
enum { LIDO__COUNTS_PLACES = 128 };

/* All zero at the start. */
typedef struct lido__metrics {
    lido__counts counts[LIDO__COUNTS_PLACES];
    atomic_uint_fast64_t events[LIDO__EVENT_COUNTS];
    atomic_int gauges[LIDO__GAUGES];
    atomic_uint commits_begun;
    lido__histogram durations[LIDO__DURATIONS];
    lido__holder_board holders;
    lido__statement_table statements; /* the last, for most of it is never touched */
} lido__metrics;

/* What was read at one moment. */
typedef struct lido__metrics_reading {
    uint64_t counts[LIDO__COUNTS];
    uint64_t events[LIDO__EVENT_COUNTS];
    int gauges[LIDO__GAUGES];
    lido__durations durations[LIDO__DURATIONS];
    lido__holders holders;
} lido__metrics_reading;

struct lido__pool;

/* One that is a process's own; NULL if memory ran out. What is never written to takes no memory. */
lido__metrics *lido__metrics_new(void);
/* NULL is allowed. */
void lido__metrics_free(lido__metrics *metrics);

/* Adds what is there to `reading`; not the statements. */
void lido__metrics_read(const lido__metrics *metrics, lido__metrics_reading *reading);

/* The same for people. */
lido_durations lido__metrics_durations(const lido__durations *read);

/* Under the pool's lock, when a connection has got its place: where it counts from here on. `beside`: it is none
 * of the engine's first pool. `metrics` NULL: nowhere. */
void lido__metrics_seat(lido__metrics *metrics, lido__connection *connection, bool beside);

/* What the pool and the one beside it are now. Takes their locks. */
void lido__metrics_publish(struct lido__pool *head);

/* Nothing is now: its pool is gone, or its process is. NULL is allowed. */
void lido__metrics_forget_now(lido__metrics *metrics);

/* In a child, that begins anew; what its parent shares with somebody is counted in by one process alone. */
void lido__metrics_after_fork(struct lido__pool *pool);

/* A statement, or a use, is measured if it is among the first of its kind, and else with this chance, each by itself:
 * measuring each sixteenth would always hit the same statement of a program that runs four in turn. Reading the exact
 * clock twice takes as long as all the rest of a connection's use. */
enum { LIDO__MEASURED_FIRST = 64, LIDO__STATEMENTS_MEASURED = 16, LIDO__USES_MEASURED = 64 };

/* How many it stands for; 0: it is not measured. */
static inline unsigned lido__metrics_weight(lido__connection *connection, uint64_t runs, unsigned of) {
    if (runs < LIDO__MEASURED_FIRST)
        return 1;
    connection->dice = connection->dice * 1664525U + 1013904223U;
    return connection->dice < UINT32_MAX / of + 1 ? of : 0;
}

/* By the connection's holder. */
static inline void lido__metrics_count(lido__connection *connection, lido__count which) {
    lido__counts *counts = connection->counts;
    if (counts == NULL)
        return;
    if (connection->shares_counts) {
        atomic_fetch_add_explicit(&counts->of[which], 1, memory_order_relaxed);
        return;
    }
    uint64_t before = atomic_load_explicit(&counts->of[which], memory_order_relaxed);
    atomic_store_explicit(&counts->of[which], before + 1, memory_order_relaxed);
}

/* By who holds no connection. */
static inline void lido__metrics_count_apart(lido__metrics *metrics, lido__count which) {
    if (metrics != NULL)
        atomic_fetch_add_explicit(&metrics->counts[0].of[which], 1, memory_order_relaxed);
}

static inline void lido__metrics_event(lido__metrics *metrics, lido__event_count which, uint64_t by) {
    if (metrics != NULL && by > 0)
        atomic_fetch_add_explicit(&metrics->events[which], by, memory_order_relaxed);
}

static inline void lido__metrics_duration(lido__metrics *metrics, lido__duration which, int64_t us) {
    if (metrics != NULL)
        lido__histogram_record(&metrics->durations[which], us * 1000, 1);
}

/* What is so long by the recent clock is measured in any case, and is never taken for a sample of others. */
enum { LIDO__MEASURED_LONG_US = 20 * 1000 };

void lido__metrics_use_measured(lido__metrics *metrics, const lido__connection *connection, int64_t held_us) LIDO__COLD;

/* A use begins, */
static inline void lido__metrics_use_begins(lido__connection *connection) {
    uint64_t uses = atomic_load_explicit(&connection->uses, memory_order_relaxed);
    connection->use_weight = lido__metrics_weight(connection, uses, LIDO__USES_MEASURED);
    if (connection->use_weight > 0)
        connection->used_from = lido__clock_now_ns();
}

/* and ends. `held_us`: by the recent clock. */
static inline void lido__metrics_use_ends(lido__metrics *metrics, const lido__connection *connection, int64_t held_us) {
    if (connection->use_weight > 0 || held_us >= LIDO__MEASURED_LONG_US)
        lido__metrics_use_measured(metrics, connection, held_us);
}

#endif
