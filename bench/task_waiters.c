/* task-waiters: 10 000 tasks that wait for 4 connections, each for a transaction of its own. Figures tell how
 * much memory each takes while it waits, and whether they got a connection in the order they came, in every slice (what
 * they then do may end in another: a statement that was slow once runs on another thread). Raw: the same transactions
 * one after another in a thread, with nobody waiting. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "measures.h"

enum { TASKS = 10000, CONNECTIONS = 4, KIB_MOST = 16 };

typedef struct job {
    lido_engine *engine;
    lido_loop *loop;
    lido_session *session;
    const lido_session *waiting[TASKS]; /* in the order they came */
    size_t begun;
    size_t served;
    bool in_order; /* in all slices */
    bool failed;
    double bytes_before;
    double most_bytes; /* by any slice: the later ones have their memory from the earlier */
} job;

static double resident_bytes(void) {
    long pages = 0;
    long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        if (fscanf(file, "%ld %ld", &pages, &resident) != 2)
            resident = 0;
        fclose(file);
    }
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static bool one_transaction(lido_session *db) {
    lido_value value = lido_query_value(db, "SELECT 1");
    return value.kind == LIDO_KIND_INT64 && lido_commit(db) == LIDO_OK;
}

static void *wait_and_run(void *opened) {
    job *my = opened;
    lido_session *db = lido_session_open(my->engine, NULL);
    my->waiting[my->begun++] = db;
    my->failed = my->failed || lido_query_value(db, "SELECT 1").kind != LIDO_KIND_INT64;
    lido_session_close(db);
    return NULL;
}

/* Hears of each connection that a session gets; those of who holds them all, and of raw's side, are not meant. */
static bool note_order(const lido_event *event, void *opened) {
    job *my = opened;
    if (my->begun < TASKS || my->served == TASKS)
        return true;
    my->in_order = my->in_order && event->session == my->waiting[my->served];
    my->served++;
    return true;
}

/* Holds all connections until everybody waits, and looks what that takes. */
static void *hold_all(void *opened) {
    job *my = opened;
    lido_session *held[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++) {
        held[i] = lido_session_open(my->engine, NULL);
        lido_exec(held[i], "SELECT 1");
    }
    while (my->begun < TASKS)
        lido_yield();
    double bytes = resident_bytes() - my->bytes_before;
    my->most_bytes = bytes > my->most_bytes ? bytes : my->most_bytes;
    for (int i = 0; i < CONNECTIONS; i++)
        lido_session_close(held[i]);
    return NULL;
}

static bool run_crowd(job *my, bench_context *context) {
    my->begun = my->served = 0;
    my->bytes_before = resident_bytes();
    lido_task_detach(lido_spawn(my->loop, hold_all, my));
    for (size_t i = 0; i < TASKS; i++) {
        lido_task *task = lido_spawn(my->loop, wait_and_run, my);
        if (task == NULL)
            return bench_fail(context, "out of memory");
        lido_task_detach(task);
    }
    lido_loop_run(my->loop);
    return !my->failed || bench_fail(context, "a statement failed");
}

static bool lido_waits(void *opened, size_t operations, bench_context *context) {
    for (size_t i = 0; i < operations; i++)
        if (!run_crowd(opened, context))
            return false;
    return true;
}

static bool raw_runs(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    for (size_t i = 0; i < TASKS * operations; i++)
        if (!one_transaction(my->session))
            return bench_fail_lido(context, lido_error_of(my->session));
    return true;
}

static bool conclude(void *opened, bench_context *context) {
    const job *my = opened;
    bench_figure_add(context, "KiB_per_task", my->most_bytes / 1024 / TASKS, BENCH_AT_MOST, KIB_MOST);
    bench_figure_add(context, "in_order", my->in_order, BENCH_AT_LEAST, 1);
    return true;
}

static void close_job(void *opened) {
    job *my = opened;
    lido_loop_close(my->loop);
    lido_session_close(my->session);
    lido_engine_close(my->engine);
    free(my);
}

static void *open_job(bench_context *context) {
    lido_error error;
    lido_options options = LIDO_OPTIONS_INIT;
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    my->in_order = true;
    options.pool_size = CONNECTIONS;
    options.max_overflow = 0;
    options.pool_max_waiting = -1;
    options.pool_timeout_ms = 600000;
    my->engine = lido_engine_open("sqlite://", &options, &error);
    if (my->engine != NULL &&
        lido_engine_listen(my->engine, &(lido_listening){.kinds = LIDO_EVENT_CHECKOUT}, note_order, my) == LIDO_OK)
        my->loop = lido_loop_new(NULL, &error);
    if (my->loop == NULL) {
        bench_fail_lido(context, &error);
        close_job(my);
        return NULL;
    }
    my->session = lido_session_open(my->engine, NULL);
    return my;
}

const bench_measure bench_task_waiters[] = {
    {.name = "task-waiters",
     .case_name = "10000-for-4",
     .open = open_job,
     .close = close_job,
     .lido = lido_waits,
     .raw = raw_runs,
     .conclude = conclude},
    {.name = NULL},
};
