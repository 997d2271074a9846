/* The engine's inside: configuration, backend, pool and scanned SQL. */
#ifndef LIDO_CORE_ENGINE_H
#define LIDO_CORE_ENGINE_H

#include <stdatomic.h>

#include "core/lane.h"
#include "core/pool.h"
#include "core/sql_cache.h"
#include "core/writer.h"

struct lido_engine {
    lido__config config;
    const lido__backend *backend;
    lido__pool pool;
    lido__writer writer; /* where the backend has one writer */
    lido__lanes lanes;
    lido__sql_cache sql;
    lido__metrics *own_metrics; /* to be freed; NULL: there are none, or the parent has them */
    lido_engine *next;          /* in fork.c's list; under its lock, as is the next */
    lido_engine *previous;
    lido_engine *put_off;          /* the next that its last holder lets go later; under that one's lock */
    atomic_size_t references;      /* one for the opener, one for each session; the last frees */
    _Atomic(lido_session *) spare; /* a closed one, to be opened again; or NULL */
    atomic_bool closed;            /* no new sessions */
};

/* Opens an engine with a configuration that was read before, which is the engine's from here on, or freed. NULL with
 * *error set. Connects to nothing. */
lido_engine *lido__engine_open_with(lido__config *config, lido_error *error);

/* ---- drain.c ---- */

/* Opens pool_min_size connections, at least `least`, and leaves them idle; false with *error set. */
bool lido__engine_warm(lido_engine *engine, int least, lido_error *error);

/* What became of those who were still at it when an engine was drained. */
typedef struct lido__drained {
    int late;          /* they ended after the deadline, cancelled or by themselves: a cancel does not hear which */
    int left;          /* they still hold a connection, theirs to give back, or have a statement on a lane */
    char holders[256]; /* who did not end in time, as far as there is room */
} lido__drained;

/* The engine having been closed: waits until nobody holds a connection or has a statement on a lane, to the deadline;
 * then cancels what runs, and waits for that, a second at most. */
void lido__engine_drain(lido_engine *engine, int64_t deadline, lido__drained *drained);

void lido__engine_hold(lido_engine *engine);
void lido__engine_let_go(lido_engine *engine);
/* The same under a lock; false: it is the last who holds it, and still does. */
bool lido__engine_let_go_unless_last(lido_engine *engine);

#endif
