/* The metrics of workers, in memory that they share with their parent: written by who works, read by all of them, and
 * there even when who wrote them is dead.
 *
 * Each seat has two slots for each database, for a worker and its successor work at the same time, and counting is for
 * one process alone. A worker that takes a slot goes on with the counters that it finds, so the sum of both never goes
 * back. */
#ifndef LIDO_PROCESS_SHARED_METRICS_H
#define LIDO_PROCESS_SHARED_METRICS_H

#include "core/metrics_write.h"
#include "process/manager.h"

struct lido__shared_metrics {
    int seats;
    lido__metrics *slots[LIDO_DATABASES_MOST]; /* two for each seat; NULL: that database has none */
};

/* For the databases whose setting `metrics` is on. NULL with *error set. By the parent, before it forks. */
lido__shared_metrics *lido__shared_metrics_new(const lido_manager *manager, int seats, lido_error *error);
/* When no reader can come any more. */
void lido__shared_metrics_free(lido__shared_metrics *shared);

/* In a worker, that has the manager to itself yet: its engines write there. */
void lido__shared_metrics_take(const lido__shared_metrics *shared, lido_manager *manager, int seat, bool second);
/* By the parent: who wrote there is dead, and holds nothing. */
void lido__shared_metrics_forget(const lido__shared_metrics *shared, int seat, bool second);

/* Adds what all who had the seat have counted with a database that has slots. Under the manager's lock. */
void lido__shared_metrics_read(const lido__shared_metrics *shared, size_t database, int seat,
                               lido__metrics_source *source);

#endif
