/* loop-stall: how late a timer of the loop is at worst, in a tenth of a second in which 8 tasks run slow queries on
 * SQLite without a pause. What is shown is that time and not an operation's. Raw: the same timer with nothing beside
 * it. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "measures.h"
#include "sqlite_fixture.h"

enum { QUERIES = 8, TICKS = 100 };

typedef struct job {
    lido_engine *engine;
    lido_loop *loop;
    bool stop;
    bool failed;
    double worst_ns;
    double worst_own_ns; /* what the loop's thread itself worked, at most, between two ticks; over all slices */
    bench_folder folder;
} job;

static double now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void *run_slow_queries(void *opened) {
    job *my = opened;
    lido_session *db = lido_session_open(my->engine, &(lido_session_options){.autocommit = true});
    while (!my->stop && !my->failed)
        my->failed = lido_query_value(db, "SELECT count(*) FROM items AS a JOIN items AS b ON a.id % 50 = b.id").kind !=
                     LIDO_KIND_INT64;
    lido_session_close(db);
    return NULL;
}

/* Sleeps a millisecond each time, and takes down by how much it woke too late. */
static void *tick(void *opened) {
    job *my = opened;
    my->worst_ns = 1;
    for (int i = 0; i < TICKS; i++) {
        double due = now(CLOCK_MONOTONIC) + 1e6;
        double worked = now(CLOCK_THREAD_CPUTIME_ID);
        lido_sleep(1);
        double late = now(CLOCK_MONOTONIC) - due;
        worked = now(CLOCK_THREAD_CPUTIME_ID) - worked;
        if (late > my->worst_ns)
            my->worst_ns = late;
        if (worked > my->worst_own_ns)
            my->worst_own_ns = worked;
    }
    my->stop = true;
    return NULL;
}

static bool measure(job *my, int queries, bench_context *context) {
    my->stop = false;
    for (int i = 0; i <= queries; i++) {
        lido_task *task = lido_spawn(my->loop, i < queries ? run_slow_queries : tick, my);
        if (task == NULL)
            return bench_fail(context, "out of memory");
        lido_task_detach(task);
    }
    lido_loop_run(my->loop);
    context->figure_ns = my->worst_ns;
    return !my->failed || bench_fail(context, "a query failed");
}

static bool with_queries(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    (void)operations;
    bool measured = measure(my, QUERIES, context);
    snprintf(context->note, sizeof context->note, "of processor time the loop took %.1f ms at most between two ticks",
             my->worst_own_ns / 1e6);
    return measured;
}

static bool without_queries(void *opened, size_t operations, bench_context *context) {
    (void)operations;
    return measure(opened, 0, context);
}

static void close_job(void *opened) {
    job *my = opened;
    lido_loop_close(my->loop);
    lido_engine_close(my->engine);
    bench_folder_remove(&my->folder);
    free(my);
}

static bool open_on(job *my, const char *url, bench_context *context) {
    lido_error error;
    my->engine = lido_engine_open(url, NULL, &error);
    if (my->engine != NULL)
        my->loop = lido_loop_new(NULL, &error);
    return my->loop != NULL || bench_fail_lido(context, &error);
}

static bool open_file(job *my, bench_context *context) {
    char path[256];
    char url[300];
    if (!bench_folder_make(&my->folder, context))
        return false;
    bench_folder_file(&my->folder, "items.db", path);
    snprintf(url, sizeof url, "sqlite:///%s", path);
    return bench_sqlite_make_items(path, context) && open_on(my, url, context);
}

static bool open_memory(job *my, bench_context *context) {
    if (!open_on(my, "sqlite://", context))
        return false;
    lido_session *db = lido_session_open(my->engine, &(lido_session_options){.autocommit = true});
    lido_script(db, BENCH_SQLITE_ITEMS_SQL);
    bool made = !lido_failed(db) || bench_fail_lido(context, lido_error_of(db));
    lido_session_close(db);
    return made;
}

static void *open_job(bool (*open)(job *my, bench_context *context), bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    if (open(my, context))
        return my;
    close_job(my);
    return NULL;
}

static void *open_with_file(bench_context *context) {
    return open_job(open_file, context);
}

static void *open_with_memory(bench_context *context) {
    return open_job(open_memory, context);
}

#define CASE(called, opened) \
    { \
        .name = "loop-stall", .case_name = called, .most = 5000, .open = opened, .close = close_job, \
        .lido = with_queries, .raw = without_queries \
    }

const bench_measure bench_loop_stall[] = {
    CASE("file", open_with_file), CASE("memory", open_with_memory), {.name = NULL}};
