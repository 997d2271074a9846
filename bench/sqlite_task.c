/* sqlite-task: a point select on SQLite from a task, beside the same from a thread (where "raw" is said): with SQLite
 * on other threads, as a file has it, and in place, as a database in memory has it. */
#include <stdio.h>
#include <stdlib.h>

#include "measures.h"
#include "sqlite_fixture.h"

typedef struct job {
    lido_engine *engine;
    lido_session *session; /* the thread's */
    lido_loop *loop;
    size_t operations; /* the task's */
    bool failed;
    lido_error error;
    uint64_t lido_sequence;
    uint64_t raw_sequence;
    bench_folder folder;
} job;

static bool select_items(lido_session *db, size_t operations, uint64_t *sequence) {
    for (size_t i = 0; i < operations; i++) {
        int64_t wanted = bench_pick(sequence, BENCH_SQLITE_ITEMS);
        lido_value price = lido_query_value(db, "SELECT price FROM items WHERE id = ?", wanted);
        if (price.kind != LIDO_KIND_DOUBLE || price.as.real <= 0)
            return false;
    }
    return true;
}

static void *select_in_task(void *opened) {
    job *my = opened;
    lido_session *db = lido_session_open(my->engine, &(lido_session_options){.autocommit = true});
    my->failed = !select_items(db, my->operations, &my->lido_sequence);
    my->error = *lido_error_of(db);
    lido_session_close(db);
    return NULL;
}

static bool task_selects(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    my->operations = operations;
    lido_task *task = lido_spawn(my->loop, select_in_task, my);
    if (task == NULL)
        return bench_fail(context, "out of memory");
    lido_task_detach(task);
    lido_loop_run(my->loop);
    return !my->failed || bench_fail_lido(context, &my->error);
}

static bool thread_selects(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    return select_items(my->session, operations, &my->raw_sequence) ||
           bench_fail_lido(context, lido_error_of(my->session));
}

static void close_job(void *opened) {
    job *my = opened;
    lido_loop_close(my->loop);
    lido_session_close(my->session);
    lido_engine_close(my->engine);
    bench_folder_remove(&my->folder);
    free(my);
}

static bool open_on(job *my, const char *url, const char *offload, bench_context *context) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.offload = offload;
    my->engine = lido_engine_open(url, &options, &my->error);
    if (my->engine != NULL)
        my->loop = lido_loop_new(NULL, &my->error);
    if (my->loop == NULL)
        return bench_fail_lido(context, &my->error);
    my->session = lido_session_open(my->engine, &(lido_session_options){.autocommit = true});
    return true;
}

static bool open_file(job *my, const char *offload, bench_context *context) {
    char path[256];
    char url[300];
    if (!bench_folder_make(&my->folder, context))
        return false;
    bench_folder_file(&my->folder, "items.db", path);
    snprintf(url, sizeof url, "sqlite:///%s", path);
    return bench_sqlite_make_items(path, context) && open_on(my, url, offload, context);
}

static bool open_memory(job *my, const char *offload, bench_context *context) {
    if (!open_on(my, "sqlite://", offload, context))
        return false;
    lido_script(my->session, BENCH_SQLITE_ITEMS_SQL);
    return !lido_failed(my->session) || bench_fail_lido(context, lido_error_of(my->session));
}

static void *open_job(bool (*open)(job *my, const char *offload, bench_context *context), const char *offload,
                      bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    my->lido_sequence = my->raw_sequence = 88172645463325252U;
    if (open(my, offload, context))
        return my;
    close_job(my);
    return NULL;
}

static void *open_file_elsewhere(bench_context *context) {
    return open_job(open_file, "always", context);
}

static void *open_file_in_place(bench_context *context) {
    return open_job(open_file, "never", context);
}

static void *open_memory_elsewhere(bench_context *context) {
    return open_job(open_memory, "always", context);
}

static void *open_memory_in_place(bench_context *context) {
    return open_job(open_memory, "never", context);
}

#define CASE(called, opened) \
    { \
        .name = "sqlite-task", .case_name = called, .open = opened, .close = close_job, .lido = task_selects, \
        .raw = thread_selects \
    }

const bench_measure bench_sqlite_task[] = {CASE("file", open_file_elsewhere),
                                           CASE("file-here", open_file_in_place),
                                           CASE("memory", open_memory_in_place),
                                           CASE("memory-there", open_memory_elsewhere),
                                           {.name = NULL}};
