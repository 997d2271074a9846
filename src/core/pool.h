/* The pool: connections kept between their uses, and the queue of those who wait for one.
 *
 * The newest idle connection is used first, so that the others can grow old and go. Waiters are served in the order
 * they came: a connection given back goes straight to the oldest, and so does the right to open one.
 * The lock is a leaf: connections are opened, looked at and closed outside it. */
#ifndef LIDO_CORE_POOL_H
#define LIDO_CORE_POOL_H

#include <pthread.h>

#include "backend/backend.h"

typedef struct lido__pool_waiter lido__pool_waiter;

typedef struct lido__pool {
    const lido__config *config; /* the engine's, as are the next two */
    const lido__backend *backend;
    void *database;

    pthread_mutex_t lock; /* guards all below */
    bool closed;
    lido__connection *idle; /* newest first */
    lido__connection *used; /* taken by somebody, newest first */
    int open;               /* idle, used, and being opened */
    lido__pool_waiter *oldest;
    lido__pool_waiter *newest;
} lido__pool;

bool lido__pool_init(lido__pool *pool, const lido__config *config, const lido__backend *backend, void *database);
/* When nothing is taken any more. */
void lido__pool_done(lido__pool *pool);

/* Takes a connection, waiting for one up to pool_timeout and for a new one up to connect_timeout. `file` and
 * `line`: who takes it. NULL with *error set: pool exhausted, closed, or what opening one ran into. */
lido__connection *lido__pool_acquire(lido__pool *pool, const char *file, int line, lido_error *error);

/* Gives a connection back. One that is broken or in a transaction is closed instead of being used again. */
void lido__pool_release(lido__pool *pool, lido__connection *connection);

/* Closes the idle connections; those given back later are closed then, and nobody gets one any more. */
void lido__pool_close(lido__pool *pool);

#endif
