/* The pages of a metrics address, as far as they are the same for workers and for a program of one process. */
#ifndef LIDO_PROCESS_PAGES_H
#define LIDO_PROCESS_PAGES_H

#include "process/endpoint.h"
#include "process/state.h"

#define LIDO__METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define LIDO__STATE_TYPE "application/json"

/* Prometheus' text of a manager's databases, or of an engine. */
bool lido__page_metrics(lido_manager *manager, lido__buffer *body);
bool lido__page_engine_metrics(lido_engine *engine, lido__buffer *body);
/* The state of a manager (NULL: there is none) and its workers, or of an engine. */
bool lido__page_state(lido_manager *manager, const lido__worker_state *workers, size_t count, lido__buffer *body);
bool lido__page_engine_state(lido_engine *engine, lido__buffer *body);

#endif
