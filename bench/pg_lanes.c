/* pg-lanes: one row by its primary key, by tasks that share two connections.
 *
 * `raw`: 32 tasks, against libpq by hand: two connections in pipeline mode with 16 statements each, a Sync for each 16,
 * one thread and epoll; prepared, with binary parameters and results. `32`, `256`: so many tasks, against what pgbench
 * gets done with 32 connections and two threads. */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "measures.h"
#include "pgbench.h"
#include "postgres_fixture.h"

enum { LANES = 2, COMPANY = 16 };

#define SELECT_SQL "SELECT id, name, price FROM lido_bench_items WHERE id = "

typedef struct raw_lane {
    PGconn *wire;
    int64_t wanted[COMPANY];
    size_t sent; /* of the company that is under way */
    size_t received;
} raw_lane;

typedef struct job {
    lido_engine *engine;
    lido_loop *loop;
    int tasks;
    uint64_t lido_sequence;
    uint64_t raw_sequence;
    size_t left; /* of the slice's operations, not begun */
    bool failed;
    lido_error error;
    int epoll;
    raw_lane raw[LANES];
} job;

/* ---- lido ---- */

static bool select_one(job *my, lido_session *db) {
    int64_t wanted = bench_pick(&my->lido_sequence, BENCH_POSTGRES_ITEMS);
    int64_t id = 0;
    const char *name = NULL;
    double price = 0;
    lido_rows *rows = lido_query(db, SELECT_SQL "?", wanted);
    bool right = lido_next(rows) && lido_scan(rows, &id, &name, &price) && id == wanted && name[0] == 'i' && price > 0;
    lido_rows_close(rows);
    return right;
}

static void *select_while_left(void *argument) {
    job *my = argument;
    lido_session *db = lido_session_open(my->engine, &(lido_session_options){.read_only = true, .autocommit = true});
    while (my->left > 0 && !my->failed) {
        my->left--;
        if (!select_one(my, db)) {
            my->failed = true;
            my->error = *lido_error_of(db);
        }
    }
    lido_session_close(db);
    return NULL;
}

static bool lido_selects(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    my->left = operations;
    for (int i = 0; i < my->tasks; i++) {
        lido_task *task = lido_spawn(my->loop, select_while_left, my);
        if (task == NULL)
            return bench_fail(context, "out of memory");
        lido_task_detach(task);
    }
    lido_loop_run(my->loop);
    return !my->failed || bench_fail_lido(context, &my->error);
}

/* ---- Raw ---- */

static bool send_company(job *my, raw_lane *lane, size_t count) {
    lane->sent = count;
    lane->received = 0;
    for (size_t i = 0; i < count; i++) {
        lane->wanted[i] = bench_pick(&my->raw_sequence, BENCH_POSTGRES_ITEMS);
        uint64_t bytes = bench_postgres_swap((uint64_t)lane->wanted[i]);
        const char *values[1] = {(const char *)&bytes};
        const int lengths[1] = {sizeof bytes};
        const int formats[1] = {1};
        if (!PQsendQueryPrepared(lane->wire, "select_item", 1, values, lengths, formats, 1))
            return false;
    }
    return PQpipelineSync(lane->wire) && PQflush(lane->wire) == 0;
}

static bool is_right(const PGresult *result, int64_t wanted) {
    uint64_t id;
    uint64_t bits;
    double price;
    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
        return false;
    memcpy(&id, PQgetvalue(result, 0, 0), sizeof id);
    memcpy(&bits, PQgetvalue(result, 0, 2), sizeof bits);
    bits = bench_postgres_swap(bits);
    memcpy(&price, &bits, sizeof price);
    return (int64_t)bench_postgres_swap(id) == wanted && PQgetvalue(result, 0, 1)[0] == 'i' && price > 0;
}

/* 1: the company is complete, and all was right; 0: more is to come; -1: something was wrong. */
static int receive(raw_lane *lane) {
    if (PQconsumeInput(lane->wire) == 0)
        return -1;
    while (!PQisBusy(lane->wire)) {
        PGresult *result = PQgetResult(lane->wire);
        if (result == NULL)
            continue; /* the end of one statement */
        bool synced = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        bool right = synced ? lane->received == lane->sent : is_right(result, lane->wanted[lane->received]);
        PQclear(result);
        if (!right)
            return -1;
        if (synced)
            return 1;
        lane->received++;
    }
    return 0;
}

static bool raw_selects(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    struct epoll_event events[LANES];
    size_t begun = 0;
    size_t done = 0;
    for (int i = 0; i < LANES && begun < operations; i++) {
        size_t count = operations - begun < COMPANY ? operations - begun : COMPANY;
        if (!send_company(my, &my->raw[i], count))
            return bench_fail(context, "sending with libpq: %s", PQerrorMessage(my->raw[i].wire));
        begun += count;
    }
    while (done < operations) {
        int ready = epoll_wait(my->epoll, events, LANES, -1);
        for (int i = 0; i < ready; i++) {
            raw_lane *lane = events[i].data.ptr;
            int received = receive(lane);
            if (received == 0)
                continue;
            done += lane->sent;
            size_t count = operations - begun < COMPANY ? operations - begun : COMPANY;
            if (received < 0 || (count > 0 && !send_company(my, lane, count)))
                return bench_fail(context, "selecting with libpq: %s", PQerrorMessage(lane->wire));
            begun += count;
        }
    }
    return true;
}

static bool pgbench_selects(void *opened, size_t operations, bench_context *context) {
    (void)opened;
    return bench_pgbench_run("\\set id random(1, 10000)\n" SELECT_SQL ":id;\n", operations, context);
}

/* ---- Making and ending the job ---- */

static bool open_raw_lane(job *my, raw_lane *lane, bench_context *context) {
    const Oid bigint = 20;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = lane};
    lane->wire = bench_postgres_connect(context);
    if (lane->wire == NULL || !bench_postgres_prepare(lane->wire, "select_item", SELECT_SQL "$1", 1, &bigint, context))
        return false;
    return (PQsetnonblocking(lane->wire, 1) == 0 && PQenterPipelineMode(lane->wire) &&
            epoll_ctl(my->epoll, EPOLL_CTL_ADD, PQsocket(lane->wire), &event) == 0) ||
           bench_fail(context, "opening with libpq: %s", PQerrorMessage(lane->wire));
}

static bool open_raw(job *my, bench_context *context) {
    PGconn *first = bench_postgres_connect(context);
    bool ready = first != NULL && bench_postgres_make_items(first, context);
    PQfinish(first);
    my->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < LANES && ready; i++)
        ready = open_raw_lane(my, &my->raw[i], context);
    return ready;
}

static bool open_lido(job *my, bench_context *context) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.lanes = LANES;
    my->engine = bench_engine_open(context->postgres_url, &options, context);
    if (my->engine == NULL)
        return false;
    my->loop = lido_loop_new(NULL, &my->error);
    return my->loop != NULL || bench_fail_lido(context, &my->error);
}

static bool close_with_word(void *opened, bench_context *context) {
    const job *my = opened;
    lido_pool_stats stats;
    lido_engine_stats(my->engine, &stats);
    bench_postgres_close_tables(bench_postgres_connect(context), "lido_bench_items");
    bench_figure_add(context, "connections", (double)stats.connects, BENCH_AT_MOST, LANES);
    return true;
}

static void close_job(void *opened) {
    job *my = opened;
    lido_loop_close(my->loop);
    lido_engine_close(my->engine);
    for (int i = 0; i < LANES; i++)
        PQfinish(my->raw[i].wire);
    close(my->epoll);
    free(my);
}

static void *open_job(int tasks, bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    my->tasks = tasks;
    my->lido_sequence = my->raw_sequence = 88172645463325252U;
    my->epoll = -1;
    /* Once unmeasured: the lanes are opened by that. */
    if (open_raw(my, context) && open_lido(my, context) && lido_selects(my, (size_t)tasks * 10, context))
        return my;
    close_job(my);
    return NULL;
}

static void *open_32(bench_context *context) {
    return open_job(LANES * COMPANY, context);
}

static void *open_32_for_pgbench(bench_context *context) {
    return bench_pgbench_is_there(context) ? open_32(context) : NULL;
}

static void *open_256_for_pgbench(bench_context *context) {
    return bench_pgbench_is_there(context) ? open_job(256, context) : NULL;
}

const bench_measure bench_pg_lanes[] = {
    {.name = "pg-lanes",
     .case_name = "raw",
     .needs_postgres = true,
     .target = 0.85,
     .open = open_32,
     .close = close_job,
     .lido = lido_selects,
     .raw = raw_selects,
     .conclude = close_with_word},
    {.name = "pg-lanes",
     .case_name = "32",
     .needs_postgres = true,
     .effort = {.pairs = 7, .slice_ms = 1000},
     .target = 3,
     .open = open_32_for_pgbench,
     .close = close_job,
     .lido = lido_selects,
     .raw = pgbench_selects,
     .conclude = close_with_word},
    {.name = "pg-lanes",
     .case_name = "256",
     .needs_postgres = true,
     .effort = {.pairs = 7, .slice_ms = 1000},
     .target = 3,
     .open = open_256_for_pgbench,
     .close = close_job,
     .lido = lido_selects,
     .raw = pgbench_selects,
     .conclude = close_with_word},
    {.name = NULL},
};
