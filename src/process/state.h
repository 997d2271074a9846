/* What a program does at this moment, as JSON: what GET /state answers, and `lido top` shows. docs/metrics.md describes
 * it. Where a member changes its meaning or goes, LIDO__STATE_VERSION grows; more members may come at any time. */
#ifndef LIDO_PROCESS_STATE_H
#define LIDO_PROCESS_STATE_H

#include <sys/types.h>

#include "base/memory.h"
#include "process/collect.h"

enum { LIDO__STATE_VERSION = 1 };

/* Of one worker. */
typedef struct lido__worker_state {
    int number;
    pid_t process;
    const char *state; /* "starting", "ready", "stopping" */
    int64_t age_ms;    /* in that state, but for "stopping": since it was ready */
    int restarts;      /* how often the one with this number was replaced, for whatever reason */
    int deaths;        /* and how often because it had died */
} lido__worker_state;

typedef struct lido__state {
    const lido__collection *collection;
    const lido__worker_state *workers;
    size_t worker_count;
} lido__state;

/* Appends it; false if memory ran out. */
bool lido__state_write(const lido__state *state, lido__buffer *out);

#endif
