/* The ticket, and the groups of writer.h. */
#include "core/writer.h"

#include <limits.h>

#include "base/clock.h"
#include "base/fault.h"

enum {
    GROUP_MOST = 64,
    GROUP_OPEN_MOST_US = 10 * 1000, /* from then on nobody else joins: who is done waits for the commit */
    QUICK_MOST_US = 8 * 1000        /* by the recent clock, which ticks every few milliseconds: mostly nothing */
};

bool lido__writer_init(lido__writer *writer, const lido__pool *head) {
    writer->config = *head->config;
    writer->config.pool_size = 1;
    writer->config.max_overflow = writer->config.pool_min_size = 0;
    writer->config.pool_max_waiting = -1;
    writer->config.pool_timeout_ms = head->config->busy_timeout_ms;
    lido__writer_forget(writer);
    return lido__pool_init_ticket(&writer->pool, &writer->config, (lido__pool *)(uintptr_t)head);
}

/* ---- One thing on the writer connection ---- */

static bool run_control(lido__connection *connection, lido__operation_kind kind, int64_t deadline, lido_error *error,
                        bool *in_doubt) {
    lido__operation operation = {.kind = kind, .writes = true};
    lido__batch batch = {.operations = &operation, .count = 1, .deadline = deadline, .error = error};
    bool done = connection->backend->run(connection, &batch);
    if (in_doubt != NULL)
        *in_doubt = operation.in_doubt;
    return done;
}

static void roll_back(lido__connection *connection) {
    lido_error ignored = LIDO_ERROR_INIT;
    if (connection->in_transaction)
        run_control(connection, LIDO__ROLLBACK, LIDO__NO_DEADLINE, &ignored, NULL);
}

static bool has_failed(const lido__errand *errand) {
    return errand->batch->failed < errand->batch->count;
}

static bool is_block(const lido__errand *errand) {
    return errand->batch->operations->kind == LIDO__COMMIT;
}

static void fail(const lido__errand *errand, const lido_error *why, bool in_doubt) {
    lido__operation *operation = errand->batch->operations;
    *errand->batch->error = *why;
    errand->batch->failed = 0;
    operation->done = false;
    operation->in_doubt = in_doubt;
}

/* Within the group's transaction a statement is no longer its own. If it was run before, its rows are forgotten. */
static void run_statement(lido__connection *connection, const lido__errand *errand) {
    lido__operation *operation = errand->batch->operations;
    int64_t began = lido__clock_recent_us();
    if (operation->result != NULL)
        lido__result_forget(operation->result);
    operation->alone = false;
    connection->backend->run(connection, errand->batch);
    operation->alone = true;
    lido__writer_note_pace(operation->sql, began);
}

void lido__writer_note_pace(const lido__sql *began_with, int64_t began) {
    bool quick = lido__clock_recent_us() - began < QUICK_MOST_US;
    if (began_with == NULL)
        return;
    if (atomic_load_explicit(&began_with->habits->is_quick, memory_order_relaxed) != quick)
        atomic_store_explicit(&began_with->habits->is_quick, quick, memory_order_relaxed);
    if (atomic_load_explicit(&began_with->habits->is_slow, memory_order_relaxed) == quick)
        atomic_store_explicit(&began_with->habits->is_slow, !quick, memory_order_relaxed);
}

/* ---- The group ---- */

static void append(lido__writer *writer, lido__errand *errand) {
    if (writer->first == NULL)
        writer->opened_at = lido__clock_recent_us();
    *(writer->last != NULL ? &writer->last->next : &writer->first) = errand;
    writer->last = errand;
    writer->count++;
}

void lido__writer_forget(lido__writer *writer) {
    writer->first = writer->last = NULL;
    writer->count = 0;
}

static lido__errand *take_all(lido__writer *writer) {
    lido__errand *first = writer->first;
    lido__writer_forget(writer);
    return first;
}

static void tell_all(lido__errand *first) {
    while (first != NULL) {
        lido__errand *next = first->next; /* once woken, it is gone */
        lido__waker *waker = first->waker;
        first->done = true;
        if (waker != NULL)
            lido__waker_wake(waker);
        first = next;
    }
}

/* What has happened to blocks whose transaction is lost cannot be done again without their threads. */
static void fail_blocks(const lido__writer *writer) {
    lido_error why = LIDO_ERROR_INIT;
    lido__fault(&why, LIDO_ERROR_SERIALISATION,
                "the database rolled back a transaction that was to be committed together with another one");
    lido__fault_hint(&why, "run it again: the other one was stopped within a statement, or the disk or memory ran out");
    for (const lido__errand *at = writer->first; at != NULL; at = at->next)
        if (is_block(at) && !has_failed(at))
            fail(at, &why, false);
}

/* Some errors make SQLite roll back all of the transaction, the others' parts, too: those whose statements are known are
 * run once more. Each round leaves out at least one that has failed. */
static void run_again(const lido__writer *writer, lido__connection *connection, int64_t deadline) {
    fail_blocks(writer);
    while (!connection->in_transaction) {
        lido_error why = LIDO_ERROR_INIT;
        bool begun = run_control(connection, LIDO__BEGIN, deadline, &why, NULL);
        for (const lido__errand *at = writer->first; at != NULL; at = at->next) {
            if (has_failed(at))
                continue;
            if (!begun)
                fail(at, &why, false);
            else
                run_statement(connection, at);
            if (begun && !connection->in_transaction)
                break;
        }
        if (!begun)
            return;
    }
}

static void join(lido__writer *writer, lido__connection *connection, lido__errand *errand) {
    append(writer, errand);
    run_statement(connection, errand);
    if (!connection->in_transaction)
        run_again(writer, connection, errand->batch->deadline);
}

static void run_errands(lido__writer *writer, lido__connection *connection) {
    const lido__pool_waiter *waiter;
    while (writer->count < GROUP_MOST && (waiter = lido__pool_take_errand(&writer->pool)) != NULL)
        join(writer, connection, waiter->lease.errand);
}

static bool anybody_is_to_stand(const lido__writer *writer) {
    for (const lido__errand *at = writer->first; at != NULL; at = at->next)
        if (!has_failed(at))
            return true;
    return false;
}

void lido__writer_settle(lido__writer *writer, lido__connection *connection) {
    lido_error why = LIDO_ERROR_INIT;
    bool in_doubt = false;
    if (writer->first == NULL)
        return;
    bool stands =
        anybody_is_to_stand(writer) && run_control(connection, LIDO__COMMIT, LIDO__NO_DEADLINE, &why, &in_doubt);
    roll_back(connection);
    for (const lido__errand *at = writer->first; at != NULL; at = at->next) {
        if (has_failed(at))
            continue;
        at->batch->operations->done = stands;
        at->batch->operations->in_doubt = false;
        if (!stands)
            fail(at, &why, in_doubt);
    }
    tell_all(take_all(writer));
}

/* Whether the ticket was handed on, inside the group's transaction. `mine` waits for the group from here on. */
static bool hand_on(lido__writer *writer, lido__connection *connection) {
    return writer->count < GROUP_MOST && lido__clock_recent_us() - writer->opened_at < GROUP_OPEN_MOST_US &&
           lido__pool_hand_on(&writer->pool, connection);
}

/* Brings the group to its end, or leaves that to the next; *connection is NULL then. */
static void go_on(lido__writer *writer, lido__connection **connection) {
    lido__hold_rest(*connection); /* a cancel was meant for the holder's own part, which is over */
    run_errands(writer, *connection);
    if (hand_on(writer, *connection))
        *connection = NULL;
    else
        lido__writer_settle(writer, *connection);
}

/* ---- By the holder of the ticket ---- */

bool lido__writer_lead(lido__writer *writer, lido__connection *connection, lido__batch *own) {
    lido__errand mine = {.batch = own};
    if (writer->first == NULL && !lido__pool_errand_waits(&writer->pool)) {
        int64_t began = lido__clock_recent_us();
        bool done = connection->backend->run(connection, own);
        lido__writer_note_pace(own->operations->sql, began);
        return done;
    }
    if (writer->first == NULL && !run_control(connection, LIDO__BEGIN, own->deadline, own->error, NULL)) {
        own->failed = 0;
        return false;
    }
    join(writer, connection, &mine);
    lido__hold_rest(connection);
    run_errands(writer, connection);
    lido__writer_settle(writer, connection);
    return !has_failed(&mine);
}

/* The ticket is somebody else's: waits until the group has been committed. */
static bool wait_for_group(lido__errand *mine) {
    lido__await_waker(mine->waker, LIDO__NO_DEADLINE);
    return !has_failed(mine);
}

bool lido__writer_commit(lido__writer *writer, lido__connection **connection, lido__batch *own) {
    lido__waker waker;
    lido__errand mine = {.batch = own, .waker = &waker};
    lido__operation *commit = own->operations;
    if (writer->first == NULL && atomic_load(&writer->pool.waiting) == 0)
        return (*connection)->backend->run(*connection, own);
    if (!lido__waker_init(&waker)) {
        own->failed = 0;
        return lido__fault_memory(own->error, "committing");
    }
    commit->inside = true;
    bool done = (*connection)->backend->run(*connection, own);
    commit->done = false; /* what was settled is its own part; it stands when the group does */
    if (done) {
        append(writer, &mine);
        go_on(writer, connection);
        done = *connection != NULL ? !has_failed(&mine) : wait_for_group(&mine);
    }
    lido__waker_done(&waker);
    return done;
}

void lido__writer_leave(lido__writer *writer, lido__connection **connection) {
    if (writer->first == NULL)
        return;
    if (!(*connection)->in_transaction)
        run_again(writer, *connection, LIDO__NO_DEADLINE);
    go_on(writer, connection);
}
