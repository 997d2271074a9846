/* What there is to tell of an engine, or of all databases of a manager, as it was read at one moment: for Prometheus'
 * text and for the state that `lido top` shows. */
#ifndef LIDO_PROCESS_COLLECT_H
#define LIDO_PROCESS_COLLECT_H

#include "core/metrics_write.h"
#include "process/manager.h"

enum { LIDO__STATEMENTS_COLLECTED = 100 };

/* Of one database: those statements that took the most time, of all workers together. */
typedef struct lido__collected_statements {
    const char *pool; /* as in lido__metrics_source */
    size_t count;
    lido_statement_stats of[LIDO__STATEMENTS_COLLECTED];
} lido__collected_statements;

typedef struct lido__collection {
    lido__metrics_source *sources; /* one for each worker and database */
    size_t count;
    lido__collected_statements *statements; /* one for each database; NULL: they were not collected */
    size_t statement_count;
    bool out_of_memory;
} lido__collection;

/* Of all workers, where there are any, else of this process's engines. False: there is nothing, or memory ran out,
 * which it tells, too. To be freed by lido__collection_free; the names are the manager's, and stay. Ends no engine, so
 * it may be called under a lock of the caller's; once that is given back, lido__collect_let_go is to follow. */
bool lido__collect_manager(lido_manager *manager, lido__collection *collection);
/* Ends those engines that were closed while they were read. Waits for their threads; under no lock. */
void lido__collect_let_go(lido_manager *manager);
/* Collects, and writes for Prometheus; false: there is nothing, or it could not be written. As for
 * lido__collect_manager, lido__collect_let_go is to follow. */
bool lido__collect_and_write(lido_manager *manager, lido_metrics_writer *writer, void *user);
/* Of one engine, which must be there as long. */
bool lido__collect_engine(lido_engine *engine, lido__collection *collection);
/* The statements besides, of what was collected. */
void lido__collect_manager_statements(lido_manager *manager, lido__collection *collection);
void lido__collect_engine_statements(lido_engine *engine, lido__collection *collection);
void lido__collection_free(lido__collection *collection);

#endif
