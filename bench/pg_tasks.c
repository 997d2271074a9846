/* pg-tasks: one row by its primary key, by 32 tasks on 32 connections, on one thread.
 *
 * Raw: libpq on 32 connections and one thread that waits for all of them by epoll, with prepared statements, binary
 * parameters and binary results. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "measures.h"
#include "postgres_fixture.h"

enum { CONNECTIONS = 32 };

typedef struct job {
    lido_engine *engine;
    lido_loop *loop;
    uint64_t lido_sequence;
    uint64_t raw_sequence;
    size_t left; /* of the slice's operations, not begun */
    bool failed;
    lido_error error;
    int epoll;
    PGconn *raw[CONNECTIONS];
    int64_t wanted[CONNECTIONS];
} job;

/* ---- lido ---- */

static bool select_one(job *my, lido_session *db) {
    int64_t wanted = bench_pick(&my->lido_sequence, BENCH_POSTGRES_ITEMS);
    int64_t id = 0;
    const char *name = NULL;
    double price = 0;
    lido_rows *rows = lido_query(db, "SELECT id, name, price FROM lido_bench_items WHERE id = ?", wanted);
    bool right = lido_next(rows) && lido_scan(rows, &id, &name, &price) && id == wanted && name[0] == 'i' && price > 0;
    lido_rows_close(rows);
    return right;
}

static void *select_while_left(void *argument) {
    job *my = argument;
    lido_session *db = lido_session_open(my->engine, &(lido_session_options){.autocommit = true});
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
    for (int i = 0; i < CONNECTIONS; i++) {
        lido_task *task = lido_spawn(my->loop, select_while_left, my);
        if (task == NULL)
            return bench_fail(context, "out of memory");
        lido_task_detach(task);
    }
    lido_loop_run(my->loop);
    return !my->failed || bench_fail_lido(context, &my->error);
}

/* ---- Raw ---- */

static bool send_one(job *my, int index) {
    my->wanted[index] = bench_pick(&my->raw_sequence, BENCH_POSTGRES_ITEMS);
    uint64_t bytes = bench_postgres_swap((uint64_t)my->wanted[index]);
    const char *values[1] = {(const char *)&bytes};
    const int lengths[1] = {sizeof bytes};
    const int formats[1] = {1};
    return PQsendQueryPrepared(my->raw[index], "select_item", 1, values, lengths, formats, 1) &&
           PQflush(my->raw[index]) == 0;
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

/* 1: the answer is complete and right; 0: more is to come; -1: wrong. */
static int receive_one(job *my, int index) {
    PGresult *result;
    bool right = true;
    if (PQconsumeInput(my->raw[index]) == 0)
        return -1;
    while (!PQisBusy(my->raw[index])) {
        if ((result = PQgetResult(my->raw[index])) == NULL)
            return right ? 1 : -1;
        right = is_right(result, my->wanted[index]);
        PQclear(result);
    }
    return 0;
}

static bool raw_selects(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    struct epoll_event events[CONNECTIONS];
    size_t begun = 0;
    size_t done = 0;
    for (int i = 0; i < CONNECTIONS && begun < operations; i++, begun++)
        if (!send_one(my, i))
            return bench_fail(context, "sending with libpq: %s", PQerrorMessage(my->raw[i]));
    while (done < operations) {
        int count = epoll_wait(my->epoll, events, CONNECTIONS, -1);
        for (int i = 0; i < count; i++) {
            int index = events[i].data.fd;
            int received = receive_one(my, index);
            bool sends = received > 0 && begun < operations;
            if (received < 0 || (sends && !send_one(my, index)))
                return bench_fail(context, "selecting with libpq: %s", PQerrorMessage(my->raw[index]));
            done += (size_t)received;
            begun += sends;
        }
    }
    return true;
}

/* ---- Making and ending the job ---- */

static bool prepare_raw(job *my, int index, bench_context *context) {
    const Oid bigint = 20;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = index};
    PGconn *raw = my->raw[index] = bench_postgres_connect(context);
    if (raw == NULL)
        return false;
    PGresult *result =
        PQprepare(raw, "select_item", "SELECT id, name, price FROM lido_bench_items WHERE id = $1", 1, &bigint);
    bool prepared = PQresultStatus(result) == PGRES_COMMAND_OK && PQsetnonblocking(raw, 1) == 0 &&
                    epoll_ctl(my->epoll, EPOLL_CTL_ADD, PQsocket(raw), &event) == 0;
    PQclear(result);
    return prepared || bench_fail(context, "preparing with libpq: %s", PQerrorMessage(raw));
}

static bool open_raw(job *my, bench_context *context) {
    PGconn *first = bench_postgres_connect(context);
    bool ready = first != NULL && bench_postgres_make_items(first, context);
    PQfinish(first);
    my->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < CONNECTIONS && ready; i++)
        ready = prepare_raw(my, i, context);
    return ready;
}

static bool open_lido(job *my, bench_context *context) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = CONNECTIONS;
    options.max_overflow = 0;
    my->engine = lido_engine_open(context->postgres_url, &options, &my->error);
    if (my->engine != NULL)
        my->loop = lido_loop_new(NULL, &my->error);
    return my->loop != NULL || bench_fail_lido(context, &my->error);
}

static void close_job(void *opened) {
    job *my = opened;
    lido_loop_close(my->loop);
    lido_engine_close(my->engine);
    if (my->raw[0] != NULL)
        bench_postgres_drop_items(my->raw[0]);
    for (int i = 0; i < CONNECTIONS; i++)
        PQfinish(my->raw[i]);
    close(my->epoll);
    free(my);
}

static void *open_job(bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    my->lido_sequence = my->raw_sequence = 88172645463325252U;
    my->epoll = -1;
    /* Once unmeasured: all connections are opened by that. */
    if (open_raw(my, context) && open_lido(my, context) && lido_selects(my, CONNECTIONS * 10, context))
        return my;
    close_job(my);
    return NULL;
}

const bench_measure bench_pg_tasks[] = {
    {.name = "pg-tasks",
     .case_name = "32",
     .needs_postgres = true,
     .target = 0.9,
     .open = open_job,
     .close = close_job,
     .lido = lido_selects,
     .raw = raw_selects},
    {.name = NULL},
};
