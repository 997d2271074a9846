/* Making a database for each run of a scenario, running it, and comparing traces. */
#include "support/scenario.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRACE_MOST = 64 * 1024, DATABASES = 3, WAYS = DATABASES * 2 /* of running each: in a thread, in a task */ };

typedef struct run {
    const scenario *told;
    int database; /* 0 SQLite file, 1 SQLite in memory, 2 PostgreSQL */
    bool in_task;
    char url[400];
    char name[64]; /* of the PostgreSQL database, or the SQLite file */
} run;

static const char *const database_names[DATABASES] = {"sqlite-file", "sqlite-memory", "postgres"};

static run *running;
static lido_loop *loop; /* of the task it is in */
static char trace[TRACE_MOST];
static size_t trace_size;
static pthread_mutex_t trace_lock = PTHREAD_MUTEX_INITIALIZER;

void saw(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&trace_lock);
    size_t left = TRACE_MOST - trace_size;
    int size = vsnprintf(trace + trace_size, left, format, arguments);
    trace_size += size > 0 && (size_t)size < left ? (size_t)size : left - 1;
    if (trace_size + 1 < TRACE_MOST)
        trace[trace_size++] = '\n';
    trace[trace_size] = '\0';
    pthread_mutex_unlock(&trace_lock);
    va_end(arguments);
}

void saw_error(const lido_session *session) {
    saw("%s", lido_category_name(lido_error_of(session)->category));
}

const char *scenario_url(void) {
    return running->url;
}

const char *scenario_database(void) {
    return database_names[running->database];
}

bool scenario_in_task(void) {
    return running->in_task;
}

lido_loop *scenario_loop(void) {
    return loop;
}

bool scenario_is_postgres(void) {
    return running->database == 2;
}

/* Sanitizers bring their own allocator, which mallinfo2 knows nothing of. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

size_t scenario_allocated(void) {
    if (__sanitizer_get_current_allocated_bytes != NULL)
        return __sanitizer_get_current_allocated_bytes();
    struct mallinfo2 information = mallinfo2();
    return information.uordblks + information.hblkhd;
}

lido_engine *scenario_engine(const lido_options *options) {
    lido_error error = LIDO_ERROR_INIT;
    lido_engine *engine = lido_engine_open(running->url, options, &error);
    if (engine == NULL) {
        lido_error_print(&error, stderr);
        fail_msg("the engine did not open");
    }
    return engine;
}

/* CREATE DATABASE and DROP DATABASE, by lido itself, on the server's own database. */
static void on_server(const char *format, const char *name) {
    char sql[160];
    lido_error error = LIDO_ERROR_INIT;
    snprintf(sql, sizeof sql, format, name);
    lido_engine *engine = lido_engine_open(getenv("LIDO_TEST_POSTGRES_URL"), NULL, &error);
    assert_non_null(engine);
    lido_session *session = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_exec(session, sql);
    if (lido_failed(session)) {
        lido_error_print(lido_error_of(session), stderr);
        fail_msg("the test's database could not be made or dropped");
    }
    lido_session_close(session);
    lido_engine_close(engine);
}

/* The server's URL with another database: postgresql://user@/NAME?… */
static void postgres_url(run *of) {
    const char *server = getenv("LIDO_TEST_POSTGRES_URL");
    const char *path = strrchr(server, '/');
    const char *query = strchr(server, '?');
    if (query != NULL) {
        path = query;
        while (*path != '/')
            path--;
    }
    snprintf(of->url, sizeof of->url, "%.*s/%s%s", (int)(path - server), server, of->name, query != NULL ? query : "");
}

static int set_up(void **state) {
    static int made;
    run *of = *state;
    running = of;
    trace_size = 0;
    trace[0] = '\0';
    made++;
    if (of->database == 0) {
        snprintf(of->name, sizeof of->name, "/tmp/lido-scenario-%d-%d.db", (int)getpid(), made);
        snprintf(of->url, sizeof of->url, "sqlite:///%s", of->name);
    } else if (of->database == 1) {
        snprintf(of->url, sizeof of->url, "sqlite://");
    } else if (getenv("LIDO_TEST_POSTGRES_URL") != NULL) {
        snprintf(of->name, sizeof of->name, "lido_scenario_%d_%d", (int)getpid(), made);
        on_server("CREATE DATABASE %s", of->name);
        postgres_url(of);
    }
    return 0;
}

static int tear_down(void **state) {
    run *of = *state;
    char path[80];
    if (of->database == 0) {
        static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
        for (size_t i = 0; i < 4; i++) {
            snprintf(path, sizeof path, "%s%s", of->name, endings[i]);
            unlink(path);
        }
    } else if (of->database == 2 && of->name[0] != '\0') {
        on_server("DROP DATABASE %s WITH (FORCE)", of->name);
    }
    return 0;
}

static void *tell_in_task(void *engine) {
    running->told->story(engine);
    return NULL;
}

/* The same story as in a thread, in a task that has the loop for itself; its stack is of the ordinary size. */
static void tell_on_loop(lido_engine *engine) {
    lido_error error;
    loop = lido_loop_new(NULL, &error);
    assert_non_null(loop);
    lido_task *task = lido_spawn_with(loop, &(lido_task_options){.name = running->told->title}, tell_in_task, engine);
    assert_non_null(task);
    assert_int_equal(lido_loop_run(loop), LIDO_OK);
    assert_int_equal(lido_task_join(task, NULL), LIDO_OK);
    lido_loop_close(loop);
}

static void run_one(void **state) {
    run *of = *state;
    if (of->database == 2 && getenv("LIDO_TEST_POSTGRES_URL") == NULL) {
        print_message("no PostgreSQL: run it under tests/support/with-postgres\n");
        skip();
    }
    lido_engine *engine = scenario_engine(NULL);
    if (of->in_task)
        tell_on_loop(engine);
    else
        of->told->story(engine);
    lido_engine_close(engine);
    assert_string_equal(trace, of->told->expected);
}

/* Those of the ways, on each database, from `first` on. */
static int run_ways(const char *group, const scenario *scenarios, size_t count, size_t first) {
    size_t ways = WAYS - first;
    struct CMUnitTest *tests = calloc(count * ways, sizeof *tests);
    run *runs = calloc(count * ways, sizeof *runs);
    char(*titles)[160] = calloc(count * ways, sizeof *titles);
    if (tests == NULL || runs == NULL || titles == NULL)
        return 1;
    for (size_t i = 0; i < count * ways; i++) {
        size_t way = first + i % ways;
        runs[i] = (run){.told = &scenarios[i / ways], .database = (int)(way % DATABASES), .in_task = way >= DATABASES};
        snprintf(titles[i], sizeof titles[i], "%s, on %s%s", runs[i].told->title, database_names[runs[i].database],
                 runs[i].in_task ? ", in a task" : "");
        tests[i] = (struct CMUnitTest){titles[i], run_one, set_up, tear_down, &runs[i]};
    }
    int failed = _cmocka_run_group_tests(group, tests, count * ways, NULL, NULL);
    free(titles);
    free(runs);
    free(tests);
    return failed;
}

int scenarios_run(const char *group, const scenario *scenarios, size_t count) {
    return run_ways(group, scenarios, count, 0);
}

int task_scenarios_run(const char *group, const scenario *scenarios, size_t count) {
    return run_ways(group, scenarios, count, DATABASES);
}
