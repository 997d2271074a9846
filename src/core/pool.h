/* The pool: connections kept between their uses, and the queue of those who wait for one.
 *
 * The newest idle connection is used first, so that the others can grow old and go. Waiters are served in the order
 * they came: a connection given back goes straight to the oldest, and so does the right to open one. Nobody is
 * overtaken: while somebody waits, who comes goes to the end of the queue.
 *
 * When the server cannot be reached the pool is *down*: after a pause that grows with each failure, one waiter probes
 * it; the others wait for what that gives, and fail with it or go on with it. When the server was lost under a
 * connection, the whole *generation* of connections is not used again.
 *
 * Taking an idle connection and giving it back need no lock (places.h); all else is under the pool's. It is a leaf:
 * connections are opened, looked at, pinged and closed outside it, and nobody is told anything under it.
 *
 * pool.c lends; pool_open.c opens, and knows whether the server can be reached; pool_wait.c waits, and pool_queue.c is
 * the queue; pool_cancel.c cancels; pool_fork.c is for the child; pool_report.c looks; pool_events.c tells; keeper.c
 * tidies. */
#ifndef LIDO_CORE_POOL_H
#define LIDO_CORE_POOL_H

#include <pthread.h>

#include <lido/engine.h>

#include "await/await.h"
#include "backend/backend.h"
#include "core/events.h"
#include "core/hold.h"
#include "core/metrics.h"
#include "core/places.h"

/* On the stack of who waits. In the queue while nothing has been decided; out of it before it is woken. */
typedef struct lido__pool_waiter {
    lido__waker waker;
    lido__lease lease;
    lido__connection *given; /* decided: this connection, */
    bool may_open;           /* or the right to open one, */
    lido_error *error;       /* or neither, for the reason that was put here */
    struct lido__pool_waiter *next;
} lido__pool_waiter;

typedef struct lido__pool {
    const lido__config *config; /* the engine's, as is the next */
    const lido__backend *backend;
    atomic_bool forked;        /* this is a child that has not used the pool yet */
    struct lido__pool *head;   /* the engine's first pool, this one or another: what the engine has once is there */
    bool lends_ticket;         /* its one connection is the ticket of writer.h */
    lido__events events;       /* head: the engine's listeners */
    lido__metrics *metrics;    /* the engine's; NULL: there are none */
    lido__functions functions; /* head: the program's own; the lock keeps two from being added at once */

    lido__places places; /* its stack of idle connections is open to all, its table is under the lock */

    pthread_mutex_t lock; /* for writing all below; what is atomic may be read without it */
    void *database;       /* head: what the backend attached; changes in the child after a fork alone */
    atomic_bool closed;
    lido__connection *inherited; /* a parent process's: disarmed, to be abandoned */
    atomic_int open;             /* idle, used, and being opened */
    atomic_uint_fast64_t generation;
    lido__pool_waiter *oldest;
    lido__pool_waiter *newest;
    atomic_int waiting;

    bool down;
    bool probing;       /* one is at it */
    int failures;       /* in a row */
    int64_t down_until; /* when the next may probe */
    lido_error reason;  /* why the last attempt failed */

    atomic_int looks_pay; /* whether looking again before queueing has been worth it; see pool.c. Away from what is read
                           * by all: those who find nothing idle write it all the time */

    lido_pool_stats stats; /* its counters; lido__pool_read_stats adds those of the connections */

    struct lido__pool *beside; /* head: the pool that its keeper tidies, too; or NULL */
    pthread_t keeper;
    bool keeper_runs;
    lido__waker keeper_waker; /* woken to make it stop */
} lido__pool;

bool lido__pool_init(lido__pool *pool, const lido__config *config, const lido__backend *backend, void *database);
/* A pool beside `head`, whose keeper tidies it, too; there is at most one. `lends_ticket`: it lends one connection, the
 * ticket. */
bool lido__pool_init_beside(lido__pool *pool, const lido__config *config, lido__pool *head, bool lends_ticket);
/* core/function.c: when nobody can call them any more. */
void lido__functions_done(lido__functions *functions);
/* When nothing is taken any more. */
void lido__pool_done(lido__pool *pool);

/* Takes a connection, waiting for one up to pool_timeout and for a new one up to connect_timeout.
 * NULL with *error set: pool exhausted, closed, cancelled, or what opening one ran into; or the lease's errand was
 * done, with or without an error of its own. */
lido__connection *lido__pool_acquire(lido__pool *pool, const lido__lease *lease, lido_error *error);

/* What connections are opened on; in a child, its own. False with *error set. For looking around the pool. */
bool lido__pool_database(lido__pool *pool, void **database, lido_error *error);

/* Gives a connection back. One that is broken, in a transaction, too old, or of an earlier generation is closed instead
 * of being used again. */
void lido__pool_release(lido__pool *pool, lido__connection *connection);

/* Cancels what `holder` is doing: its statement, or its waiting for a connection. From any thread. False if it is doing
 * neither. */
bool lido__pool_cancel(lido__pool *pool, const void *holder);

/* The same to all who hold a connection or wait for one. */
void lido__pool_cancel_all(lido__pool *pool);
/* Who holds the connections, the oldest first: "items.c:42 for 1500 ms (UPDATE …), …"; cut where it does not fit. */
void lido__pool_name_holders(lido__pool *pool, char *text, size_t size);
/* The same, not put into words; how many. What they refer to lives as long as the engine, and the program. */
size_t lido__pool_read_holders(lido__pool *pool, lido__holding *held, size_t most);

/* Closes the idle connections; those given back later are closed then, and nobody gets one any more. */
void lido__pool_close(lido__pool *pool);

void lido__pool_read_stats(lido__pool *pool, lido_pool_stats *stats);

/* Around a fork: the lock is held across it, and the child starts with an empty pool. */
void lido__pool_before_fork(lido__pool *pool);
void lido__pool_after_fork_in_parent(lido__pool *pool);
void lido__pool_after_fork_in_child(lido__pool *pool);

/* ---- Shared by the pool's files ---- */

/* pool.c, under the lock */
/* Takes all idle connections out of the pool, to be closed outside the lock; the slots are still theirs. */
lido__connection *lido__pool_clear_idle(lido__pool *pool);
/* Takes out one that the caller has to himself, and adds its counts to the pool's. */
void lido__pool_take_out(lido__pool *pool, lido__connection *connection);
/* Counts one that is too old; `one` false: none. */
void lido__pool_count_recycled(lido__pool *pool, bool one);
/* pool.c, outside the lock: closes one that was taken out, or a list of such, and frees the slots. Of those in a list,
 * the ones of an earlier generation were lost. */
void lido__pool_close_in_slot(lido__pool *pool, lido__connection *connection, bool dead);
void lido__pool_close_all_in_slots(lido__pool *pool, lido__connection *first);
/* Gives idle connections to those who wait, and closes those of a generation that is over. Outside the lock; needed
 * after connections were pushed without it. */
void lido__pool_settle(lido__pool *pool);

/* pool_open.c, under the lock */
bool lido__pool_has_room(const lido__pool *pool);
/* Whether there is reason to hope; if the pool is down, the caller is the prober then. */
bool lido__pool_may_try(lido__pool *pool);
/* Whether the caller may open a connection now; if so, it has the slot. */
bool lido__pool_take_slot(lido__pool *pool);
/* pool_open.c, outside the lock */
/* Opens a connection in a slot that the caller has; it is held by `lease` then. NULL with *error set. */
lido__connection *lido__pool_open_in_slot(lido__pool *pool, const lido__lease *lease, lido_error *error);
/* A slot has come free, and the oldest waiter gets it. */
void lido__pool_slot_free(lido__pool *pool);

/* pool_wait.c: called with the lock, which it lets go. A connection; or NULL, and the right to open one in *may_open or
 * *error set. */
lido__connection *lido__pool_wait(lido__pool *pool, const lido__lease *lease, bool *may_open, lido_error *error);

/* pool_queue.c, under the lock */
void lido__pool_queue_add(lido__pool *pool, lido__pool_waiter *waiter);
lido__pool_waiter *lido__pool_queue_take(lido__pool *pool); /* the oldest; NULL: nobody waits */
/* False if it is not in the queue any more: it was served, failed, or the pool was closed. */
bool lido__pool_queue_remove(lido__pool *pool, lido__pool_waiter *waiter);
/* Takes all waiters out, `why` being copied to each; wake them outside the lock with lido__pool_wake_all. */
lido__pool_waiter *lido__pool_queue_fail(lido__pool *pool, const lido_error *why);
/* Outside the lock. */
void lido__pool_wake_all(lido__pool_waiter *first);
/* By the holder of the ticket, outside the lock. Whether the oldest waiter has an errand; */
bool lido__pool_errand_waits(lido__pool *pool);
/* takes him out of the queue, to be woken by his errand's waker when it is done; NULL: he has none, or nobody waits.
 * What runs on the connection from here on can be cancelled by his name, and still counts as the holder's thread's.
 * */
lido__errand *lido__pool_take_errand(lido__pool *pool, lido__connection *connection, uint64_t owner);
/* Hands the connection to the oldest waiter as it is, if he joins; else false. */
bool lido__pool_hand_on(lido__pool *pool, lido__connection *connection);

/* pool_cancel.c, outside the lock: cancels what runs on a connection for which the caller is counted as cancelling. */
void lido__pool_send_cancel(lido__pool *pool, lido__connection *connection, bool give_up);
/* The same by who has sent it himself. */
void lido__pool_cancel_sent(lido__pool *pool, lido__connection *connection);

/* pool_fork.c: whether the pool can be used; the first use in a child makes it so. */
bool lido__pool_is_started(lido__pool *pool, lido_error *error);
void lido__pool_abandon_inherited(lido__pool *pool);

/* pool_report.c, under the lock */
void lido__pool_tell_exhausted(lido__pool *pool, const lido__lease *lease, lido_error *error);
/* True, with *error set, if every connection is held by a thread that itself waits for one, `owner` among them. */
bool lido__pool_would_deadlock(const lido__pool *pool, uint64_t owner, lido_error *error);

/* pool_events.c, outside the lock */
/* Asks the listeners about a connection whose opening began then. False, with *error set: it is not wanted. */
bool lido__pool_let_in(lido__pool *pool, const lido__connection *connection, const lido__lease *lease, int64_t began,
                       lido_error *error);
void lido__pool_log_failure(const lido__pool *pool, const lido_error *why, bool went_down);
void lido__pool_log_recovery(const lido__pool *pool);
void lido__pool_log_gone(const lido__pool *pool);
/* Closes one and tells so. `dead`: it was lost, or its server was. */
void lido__pool_close_connection(lido__pool *pool, lido__connection *connection, bool dead);
void lido__pool_tell_leaks(lido__pool *pool);

/* keeper.c */
/* Of the head; unless it runs. Whether it does. */
bool lido__pool_keeper_start(lido__pool *pool);
void lido__pool_keeper_stop(lido__pool *pool);

#endif
