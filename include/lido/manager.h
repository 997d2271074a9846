/* The manager: what a process knows of its databases, for programs of several processes.
 *
 *     lido_manager *manager = lido_manager_get();
 *     lido_manager_configure(manager, NULL, &error);          the parent: reads, checks, connects to nothing
 *     … fork …
 *     lido_manager_init_worker(manager, NULL, &error);        each worker: its own pools
 *     lido_transaction (db, lido_manager_engine(manager, NULL, &error), &error) { … }
 *     lido_manager_close_worker(manager, 5000, &error);
 *
 * lido_workers_run (workers.h) does the forking, and calls the two in each worker. Where something else forks, a
 * server with workers of its own, it is called in the same places; a process that does not fork is its own worker.
 *
 * All functions are for any thread; those that wait say so. In the child after a fork the manager is as it was after
 * lido_manager_configure. */
#ifndef LIDO_MANAGER_H
#define LIDO_MANAGER_H

#include <lido/engine.h>
#include <lido/session.h>

LIDO_BEGIN_C

typedef struct lido_manager lido_manager;

enum { LIDO_DATABASES_MOST = 16, LIDO_DATABASE_NAME_MOST = 63 /* bytes */ };

/* The process's manager, made when it is first asked for; never NULL, never freed. Never waits. */
LIDO_API lido_manager *lido_manager_get(void);

/* Configures the database "default": from the environment, and `options` (or NULL), which beat it. Reads and checks all
 * of it, and connects to nothing. What was configured before by that name is replaced. LIDO_ERROR, with *error (or
 * NULL) set and all as it was: something in it is wrong (configuration), memory ran out, or it is the wrong time
 * (misuse): this process's worker is initialised, close it first; or lido_workers_run is running, or this process was
 * forked while it was, as its workers are. Never waits. */
LIDO_API lido_status lido_manager_configure(lido_manager *manager, const lido_options *options, lido_error *error);

/* The same for a database of any name ("default", "reports", …) and from a URL; `url` NULL: from the environment.
 * Misuse also: the name is empty, too long or not UTF-8, or there are LIDO_DATABASES_MOST others. */
LIDO_API lido_status lido_manager_configure_database(lido_manager *manager, const char *name, const char *url,
                                                     const lido_options *options, lido_error *error);

/* All zero is the default. */
typedef struct lido_init_options {
    bool verify; /* connect to each database, so that what is wrong is known now */
} lido_init_options;

/* Makes this process a worker: opens an engine for each database, and pool_min_size connections of each. `options`:
 * NULL for the defaults. If this process is one already, LIDO_OK, and nothing is done. It may be repeated after
 * lido_manager_close_worker.
 * LIDO_ERROR, with *error (or NULL) set and nothing open: nothing was configured (misuse), a database cannot be
 * reached, memory ran out. Waits for connections, each up to connect_timeout. */
LIDO_API lido_status lido_manager_init_worker(lido_manager *manager, const lido_init_options *options,
                                              lido_error *error);

/* Ends being a worker: new transactions are refused from now on, those that are open go on to their end, for
 * `deadline_ms` all together; then, for a second at most, what still runs is cancelled, as by lido_cancel: a statement
 * that is hit fails (cancelled), and its transaction cannot commit any more, unless its owner rolls back to a savepoint
 * from before. One that runs nothing at that time is not touched: its connection stays with its session, it may go on,
 * commit or roll back, until that is closed or the process ends, when the database rolls it back. Connections that
 * nobody has are closed.
 * LIDO_OK: all had ended by the deadline, or there was nothing to close. LIDO_ERROR: *error (or NULL) says (timeout)
 * who had not, how many ended late, in that second, cancelled or by themselves, and how many were left to their owners.
 * Waits, not more than a second longer than the deadline; LIDO_ERROR, too, with category misuse, where nothing can
 * wait. */
LIDO_API lido_status lido_manager_close_worker(lido_manager *manager, int64_t deadline_ms, lido_error *error);

/* The engine of a database; `name` NULL: of "default". It belongs to the manager, and is good until
 * lido_manager_close_worker. NULL, with *error (or NULL) set (misuse): there is no such database, or this process is no
 * worker. Never waits. */
LIDO_API lido_engine *lido_manager_engine(lido_manager *manager, const char *name, lido_error *error);

/* Opens a session on "default", as lido_session_open does: never NULL, to be closed with lido_session_close. Where
 * there is no engine it is a failed one, which says what to call. Never waits. */
LIDO_API lido_session *lido_manager_session(lido_manager *manager);

/* The same on any database, with options; NULL, both of them, for the defaults. */
LIDO_API lido_session *lido_manager_session_with(lido_manager *manager, const char *name,
                                                 const lido_session_options *options);

/* ---- Scoped sessions ---- */

/* The session on "default" that belongs to this thread, or to this task where one runs: opened when it is first asked
 * for, and then always the same. It is closed when the thread or task ends; what is open then is rolled back. After
 * lido_manager_close_worker, and in a child after fork, the next call opens a new one. It is not for
 * lido_session_close. Never NULL: a failed session instead, as above. Never waits, unless there is one of an earlier
 * worker to be closed. */
LIDO_API lido_session *lido_manager_scoped(lido_manager *manager);

/* The same on any database; NULL: "default". */
LIDO_API lido_session *lido_manager_scoped_on(lido_manager *manager, const char *name);

/* Closes this thread's or task's scoped sessions, on all databases, as lido_session_close does: at the end of a
 * request, say, on a thread that lives on. Waits for the database if a transaction was open. */
LIDO_API void lido_scoped_remove(lido_manager *manager);

LIDO_END_C

#endif
