/* worker-start: from the call that runs two workers until both are ready: forked, connected, verified. It is that time
 * that is shown, without the workers' end. Raw: two forks, each of which opens as many connections, one after another,
 * and asks on one of them. */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "measures.h"
#include "postgres_fixture.h"
#include "sqlite_fixture.h"

enum { WORKERS = 2, AHEAD = 5 };

/* Between the processes. */
typedef struct board {
    atomic_int ready;
    atomic_int failed;
    _Atomic double at_ns; /* when the last was */
} board;

typedef struct job {
    lido_manager *manager;
    board *board;
    const char *postgres_url; /* NULL: SQLite */
    bench_folder folder;
    char file[256];
} job;

static double now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void one_is_ready(board *on) {
    if (atomic_fetch_add(&on->ready, 1) == WORKERS - 1)
        atomic_store(&on->at_ns, now_ns());
}

/* ---- lido ---- */

static void serve(lido_worker *worker, void *user) {
    board *on = user;
    one_is_ready(on);
    while (atomic_load(&on->ready) < WORKERS)
        usleep(200);
    kill(getppid(), SIGTERM);
    while (!lido_worker_stopping(worker))
        usleep(200);
}

static bool start_workers(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    lido_error error;
    double took = 0;
    for (size_t i = 0; i < operations; i++) {
        const lido_workers workers = {.count = WORKERS, .serve = serve, .user = my->board, .verify = true};
        atomic_store(&my->board->ready, 0);
        double began = now_ns();
        if (lido_workers_run(my->manager, &workers, &error) != LIDO_OK)
            return bench_fail_lido(context, &error);
        took += atomic_load(&my->board->at_ns) - began;
    }
    context->figure_ns = took / (double)operations;
    return true;
}

/* ---- Raw ---- */

static bool connect_to_postgres(const char *url) {
    PGconn *connections[AHEAD];
    bool good = true;
    for (int i = 0; i < AHEAD; i++) {
        connections[i] = PQconnectdb(url);
        good &= PQstatus(connections[i]) == CONNECTION_OK;
    }
    PGresult *result = PQexec(connections[0], "SELECT 1");
    good &= PQresultStatus(result) == PGRES_TUPLES_OK;
    PQclear(result);
    return good;
}

static bool open_file(const char *file) {
    bench_context ignored = {.counts = false};
    sqlite3 *connection;
    return bench_sqlite_open(file, &connection, &ignored) &&
           bench_sqlite_run(connection, "SELECT count(*) FROM sqlite_schema", &ignored);
}

static void be_raw_worker(const job *my) {
    bool good = my->postgres_url != NULL ? connect_to_postgres(my->postgres_url) : open_file(my->file);
    atomic_fetch_add(&my->board->failed, !good);
    one_is_ready(my->board);
    _exit(0);
}

static bool fork_raw(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    double took = 0;
    for (size_t i = 0; i < operations; i++) {
        atomic_store(&my->board->ready, 0);
        double began = now_ns();
        for (int worker = 0; worker < WORKERS; worker++)
            if (fork() == 0)
                be_raw_worker(my);
        for (int worker = 0; worker < WORKERS; worker++)
            wait(NULL);
        took += atomic_load(&my->board->at_ns) - began;
    }
    context->figure_ns = took / (double)operations;
    return atomic_load(&my->board->failed) == 0 || bench_fail(context, "a raw worker did not connect");
}

/* ---- The job ---- */

static bool configure(job *my, bench_context *context) {
    char url[300];
    lido_error error;
    lido_options options = LIDO_OPTIONS_INIT;
    if (my->postgres_url != NULL)
        options.pool_min_size = AHEAD;
    snprintf(url, sizeof url, "sqlite:///%s", my->file);
    return lido_manager_configure_database(my->manager, NULL, my->postgres_url != NULL ? my->postgres_url : url,
                                           &options, &error) == LIDO_OK ||
           bench_fail_lido(context, &error);
}

static void close_job(void *opened) {
    job *my = opened;
    bench_folder_remove(&my->folder);
    if (my->board != MAP_FAILED)
        munmap(my->board, sizeof *my->board);
    free(my);
}

static void *open_job(bench_context *context, bool postgres) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL)
        return bench_fail(context, "out of memory"), NULL;
    my->manager = lido_manager_get();
    my->postgres_url = postgres ? context->postgres_url : NULL;
    my->board = mmap(NULL, sizeof *my->board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool made = my->board != MAP_FAILED && bench_folder_make(&my->folder, context);
    if (made) {
        bench_folder_file(&my->folder, "items.db", my->file);
        made = bench_sqlite_make_items(my->file, context) && configure(my, context);
    }
    if (made)
        return my;
    close_job(my);
    return NULL;
}

static void *open_sqlite(bench_context *context) {
    return open_job(context, false);
}

static void *open_postgres(bench_context *context) {
    return open_job(context, true);
}

#define EFFORT \
    { .pairs = 11, .slice_ms = 1 }

const bench_measure bench_worker_start[] = {
    {.name = "worker-start",
     .case_name = "sqlite",
     .effort = EFFORT,
     .most = 50 * 1000,
     .open = open_sqlite,
     .close = close_job,
     .lido = start_workers,
     .raw = fork_raw},
    {.name = "worker-start",
     .case_name = "postgres",
     .needs_postgres = true,
     .effort = EFFORT,
     .most = 150 * 1000,
     .open = open_postgres,
     .close = close_job,
     .lido = start_workers,
     .raw = fork_raw},
    {.name = NULL},
};
