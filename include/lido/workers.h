/* Workers: a parent process that connects to nothing, and children that do the work.
 *
 *     static void serve(lido_worker *worker, void *user) {
 *         for (int client; (client = lido_worker_accept(worker)) >= 0; close(client))
 *             answer(client);
 *     }
 *     lido_workers_run(manager, &(lido_workers){.count = 2, .listen = "127.0.0.1:8080", .serve = serve}, &error);
 *
 * Each worker is a process with databases of its own (lido_manager_init_worker is called in it). One that dies is
 * replaced. SIGTERM and SIGINT end all of them: they finish what they are at, and who does not within stop_timeout_ms
 * is killed; a second such signal kills at once. SIGHUP replaces them one by one, each when its successor is
 * ready, so that there is always somebody to take a connection; if one cannot start, it is tried again after a pause,
 * and until then the worker of before goes on. Workers notice when their parent dies, and stop. Where
 * systemd started the parent (NOTIFY_SOCKET), it is told. */
#ifndef LIDO_WORKERS_H
#define LIDO_WORKERS_H

#include <lido/manager.h>

LIDO_BEGIN_C

/* A worker, in its own process. The functions that take one are for any of its threads and tasks, and do not wait
 * unless they say so. */
typedef struct lido_worker lido_worker;

/* All zero is the default, but for `serve`, which must be there. */
typedef struct lido_workers {
    int count; /* 0: one for each processor that this process may use; at most 1024 */

    /* Called in each worker, in this order, with `user`; a worker's process ends when `close` has returned, by _exit:
     * no function that the parent has given to atexit is called in it. */
    bool (*init)(lido_worker *worker, void *user);  /* NULL, or prepares; false: this worker cannot work */
    void (*serve)(lido_worker *worker, void *user); /* works until lido_worker_stopping says so, then returns */
    void (*close)(lido_worker *worker, void *user); /* NULL, or cleans up, before the databases are closed */
    void *user;

    const char *listen; /* NULL, or where: "127.0.0.1:8080", "[::1]:8080", "localhost:8080", "unix:/run/items.sock",
                           "fd:3" for a socket that listens already. Port 0: any that is free. */
    bool reuse_port;    /* each worker has a socket of its own on that port (SO_REUSEPORT), instead of one for all */
    int backlog;        /* connections that may wait to be taken; 0: as many as the system allows */

    const char *metrics; /* NULL, or where the parent answers for all workers, as lido_metrics_serve does for one
                            engine. NULL also: where the setting metrics_address says, if a database has it; "":
                            nowhere, whatever it says */

    bool verify; /* a worker is ready when it has connected to each database */

    int64_t start_timeout_ms; /* how long one may take to be ready; 0: 60 000 */
    int64_t stop_timeout_ms;  /* how long one may take to end when it was told to; 0: 30 000 */
    int64_t
        respawn_pause_ms; /* before one that died twice in a row is replaced; doubled each time, up to 10 s; 0: 100 */
    int crashes_most;     /* so many deaths within crash_window_ms, and all is ended; 0: 10 for each worker. Successors
                             that did not become ready do not count */
    int64_t crash_window_ms; /* 0: 60 000 */
    int64_t max_requests;    /* one that has done so many (lido_worker_request_done) is replaced; 0: no limit */
    int64_t max_age_ms;      /* one that has worked so long is replaced; 0: no limit. Of both, up to a tenth less */
} lido_workers;

/* Runs workers until they are told to stop. `manager`: configured, not initialised; NULL: the workers use no database
 * of a manager's. `workers` must live that long. While it runs, SIGTERM, SIGINT, SIGHUP and SIGCHLD of this process are
 * its own; afterwards they are as they were. One at a time in a process.
 *
 * Before the first worker is forked a child asks the server how many connections it allows, and the log is warned if
 * all workers together may want more.
 *
 * Returns LIDO_OK when all have ended because they were told to. LIDO_ERROR, with *error (or NULL) set: `workers` makes
 * no sense or this process is a worker itself (misuse), `listen` or `metrics` cannot be had (configuration), they die
 * again and again: then the error is the last one's, if it could tell. No worker is left in either case. In a worker it
 * does not return. Waits; not for a loop's thread. */
LIDO_API lido_status lido_workers_run(lido_manager *manager, const lido_workers *workers, lido_error *error);

/* Does what SIGTERM or SIGHUP does to the parent, from any of its threads. LIDO_ERROR: this process runs no workers.
 * Never waits. */
LIDO_API lido_status lido_workers_stop(void);
LIDO_API lido_status lido_workers_restart(void);

/* Which of the workers it is, from 0: its successor has the same number. */
LIDO_API int lido_worker_number(const lido_worker *worker);

/* The socket that listens, which does not block; -1: none. It is lido's. */
LIDO_API int lido_worker_listener(const lido_worker *worker);

/* Whether it has been told to stop. */
LIDO_API bool lido_worker_stopping(const lido_worker *worker);

/* A descriptor that can be read, and stays so, once it has: for a program's own poll or loop. It is lido's, and not to
 * be read from. */
LIDO_API int lido_worker_stop_descriptor(const lido_worker *worker);

/* Takes the next connection that comes: its descriptor, which blocks, is closed on exec, and is the caller's. -1: the
 * worker is to stop, there is no listener, or nothing can wait here. Waits. From any thread; of a loop's tasks, from
 * one at a time. */
LIDO_API int lido_worker_accept(lido_worker *worker);

/* Asks the parent to stop all workers, this one among them, as SIGTERM to it does; they go on until they are told.
 * Nothing happens if the parent is gone: then they are told to stop anyway. Waits no longer than the parent takes to
 * look. From any thread. */
LIDO_API void lido_worker_stop_all(lido_worker *worker);

/* A request is done: counts for max_requests. Waits no longer than the parent takes to look. From any thread. */
LIDO_API void lido_worker_request_done(lido_worker *worker);

LIDO_END_C

#endif
