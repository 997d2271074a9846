/* The engine's inside: configuration, backend, pool and scanned SQL. */
#ifndef LIDO_CORE_ENGINE_H
#define LIDO_CORE_ENGINE_H

#include <stdatomic.h>

#include "core/pool.h"
#include "core/sql_cache.h"
#include "core/writer.h"

struct lido_engine {
    lido__config config;
    const lido__backend *backend;
    lido__pool pool;
    lido__writer writer; /* where the backend has one writer */
    lido__sql_cache sql;
    lido_engine *next; /* in fork.c's list; under its lock, as is the next */
    lido_engine *previous;
    atomic_size_t references;      /* one for the opener, one for each session; the last frees */
    _Atomic(lido_session *) spare; /* a closed one, to be opened again; or NULL */
    atomic_bool closed;            /* no new sessions */
};

void lido__engine_hold(lido_engine *engine);
void lido__engine_let_go(lido_engine *engine);

#endif
