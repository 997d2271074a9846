/* The ticket, and the groups of writer.h. */
#include "core/writer.h"

#include <limits.h>

#include "base/clock.h"
#include "base/fault.h"

enum {
    GROUP_MOST = 64,
    GROUP_OPEN_MOST_US = 10 * 1000, /* from then on nobody else joins: who is done waits for the commit */
    TAKE_BACK_AFTER_MS = 100,       /* so long those who are done wait for one of their group that does nothing */
    LOOK_AGAIN_US = 200,
    SLOW_FOR = 32,           /* runs */
    QUICK_MOST_US = 8 * 1000 /* by the recent clock, which ticks every few milliseconds: mostly nothing */
};

/* The lowest bit of lido__writer.turn. */
enum { RUNS = 1, NEXT_TURN = 2 };

bool lido__writer_init(lido__writer *writer, const lido__pool *head) {
    writer->config = *head->config;
    writer->config.pool_size = 1;
    writer->config.max_overflow = writer->config.pool_min_size = 0;
    writer->config.pool_max_waiting = -1;
    writer->config.pool_timeout_ms = head->config->busy_timeout_ms;
    atomic_init(&writer->turn, RUNS);
    lido__writer_forget(writer);
    return lido__pool_init_beside(&writer->pool, &writer->config, (lido__pool *)(uintptr_t)head, true);
}

/* ---- One thing on the writer connection ---- */

static bool run_control(lido__connection *connection, lido__operation *operation, int64_t deadline, lido_error *error) {
    lido__batch batch = {.operations = operation, .count = 1, .deadline = deadline, .error = error};
    return connection->backend->run(connection, &batch);
}

/* Of a part of the transaction. */
static bool run_inside(lido__connection *connection, lido__operation_kind kind, lido_error *error) {
    lido__operation operation = {.kind = kind, .inside = true};
    return run_control(connection, &operation, LIDO__NO_DEADLINE, error);
}

static void roll_back(lido__connection *connection) {
    lido_error ignored = LIDO_ERROR_INIT;
    lido__operation rollback = {.kind = LIDO__ROLLBACK};
    if (connection->in_transaction)
        run_control(connection, &rollback, LIDO__NO_DEADLINE, &ignored);
}

/* Leaves nothing of the part that is open, if need be by rolling back all of the transaction. */
static void roll_back_part(lido__connection *connection) {
    lido_error ignored = LIDO_ERROR_INIT;
    lido__await_firm_begin();
    if (connection->in_transaction && !run_inside(connection, LIDO__ROLLBACK, &ignored))
        roll_back(connection);
    lido__await_firm_end();
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

void lido__writer_note_pace(const lido__sql *began_with, int64_t began) {
    bool quick = lido__clock_recent_us() - began < QUICK_MOST_US;
    if (began_with == NULL)
        return;
    lido__sql_habits *habits = began_with->habits;
    if (atomic_load_explicit(&habits->is_quick, memory_order_relaxed) != quick)
        atomic_store_explicit(&habits->is_quick, quick, memory_order_relaxed);
    if (!quick)
        atomic_store_explicit(&habits->slow_for, SLOW_FOR, memory_order_relaxed);
}

void lido__writer_note_alone(const lido__sql *slow) {
    int runs = atomic_load_explicit(&slow->habits->slow_for, memory_order_relaxed);
    if (runs > 0)
        atomic_store_explicit(&slow->habits->slow_for, runs - 1, memory_order_relaxed);
}

/* Behind a savepoint, so that what the transaction's COMMIT would say of it is said to it alone. Within the transaction
 * it is no longer its own. If it was run before, its rows are forgotten. */
static void run_part(lido__connection *connection, lido__errand *errand) {
    lido__operation *operation = errand->batch->operations;
    lido_error why = LIDO_ERROR_INIT;
    int64_t began = lido__clock_recent_us();
    if (errand->began == 0)
        errand->began = began;
    if (operation->result != NULL)
        lido__result_forget(operation->result);
    bool begun = run_inside(connection, LIDO__BEGIN, &why);
    operation->alone = false;
    bool done = begun && connection->backend->run(connection, errand->batch);
    operation->alone = true;
    if (begun)
        lido__writer_note_pace(operation->sql, began);
    if (done && run_inside(connection, LIDO__COMMIT, &why))
        return;
    if (why.status != LIDO_OK)
        fail(errand, &why, false);
    roll_back_part(connection);
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

/* The errands that have not failed, until one makes the database roll back all of the transaction. */
static void run_those_left(const lido__writer *writer, lido__connection *connection) {
    for (lido__errand *at = writer->first; at != NULL && connection->in_transaction; at = at->next)
        if (!has_failed(at))
            run_part(connection, at);
}

static void fail_all(const lido__writer *writer, const lido_error *why, bool in_doubt) {
    for (const lido__errand *at = writer->first; at != NULL; at = at->next)
        if (!has_failed(at))
            fail(at, why, in_doubt);
}

/* Some errors make SQLite roll back all of the transaction, the others' parts, too: those whose statements are known
 * are run once more. Each round leaves out at least one that has failed. */
static void run_again(const lido__writer *writer, lido__connection *connection) {
    fail_blocks(writer);
    while (!connection->in_transaction) {
        lido_error why = LIDO_ERROR_INIT;
        lido__operation begin = {.kind = LIDO__BEGIN, .writes = true};
        if (!run_control(connection, &begin, LIDO__NO_DEADLINE, &why)) {
            fail_all(writer, &why, false);
            return;
        }
        run_those_left(writer, connection);
    }
}

static void join(lido__writer *writer, lido__connection *connection, lido__errand *errand) {
    append(writer, errand);
    run_part(connection, errand);
    if (connection->in_transaction)
        return;
    lido__hold_rest(connection); /* a cancel was meant for that one */
    lido__await_firm_begin();
    run_again(writer, connection);
    lido__await_firm_end();
}

/* The holder has nothing running. */
static void run_errands(lido__writer *writer, lido__connection *connection) {
    lido__holding mine;
    lido__errand *errand;
    int count = writer->count;
    if (!lido__hold_read(connection, &mine))
        return;
    while (writer->count < GROUP_MOST &&
           (errand = lido__pool_take_errand(&writer->pool, connection, mine.lease.owner)) != NULL) {
        join(writer, connection, errand);
        lido__hold_rest(connection);
    }
    if (writer->count == count)
        return;
    lido__hold_begin(connection, &mine.lease);
    lido__hold_rest(connection); /* for who has begun to cancel between the two must still be counted at its end */
}

bool lido__writer_settle(lido__writer *writer, lido__connection *connection) {
    lido_error why = LIDO_ERROR_INIT;
    lido__operation commit = {.kind = LIDO__COMMIT, .for_many = true};
    lido__operation tidy = {.kind = LIDO__TIDY};
    if (writer->first == NULL)
        return false;
    lido__await_firm_begin();
    bool cancelled = lido__hold_rest(connection);
    if (!connection->in_transaction)
        run_again(writer, connection);
    bool stands = connection->in_transaction && run_control(connection, &commit, LIDO__NO_DEADLINE, &why);
    if (!stands) {
        roll_back(connection);
        fail_all(writer, &why, commit.in_doubt);
    }
    for (const lido__errand *at = writer->first; at != NULL; at = at->next)
        if (!has_failed(at))
            at->batch->operations->done = true;
    tell_all(take_all(writer));
    if (commit.untidy) /* it may take long, so only the holder of the ticket hears later for that */
        run_control(connection, &tidy, LIDO__NO_DEADLINE, &why);
    lido__await_firm_end();
    return cancelled;
}

/* Whether the ticket was handed on, inside the group's transaction. `mine` waits for the group from here on. */
static bool hand_on(lido__writer *writer, lido__connection *connection) {
    if (writer->count >= GROUP_MOST || lido__clock_recent_us() - writer->opened_at >= GROUP_OPEN_MOST_US)
        return false;
    /* Before it is: whoever gets it may have gone on before this thread does. */
    atomic_store(&writer->turn, atomic_load(&writer->turn) / NEXT_TURN * NEXT_TURN + NEXT_TURN + RUNS);
    writer->connection = connection;
    return lido__pool_hand_on(&writer->pool, connection);
}

/* Brings the group to its end, or leaves that to the next; *connection is NULL then. The holder's own part is over. */
static void go_on(lido__writer *writer, lido__connection **connection) {
    lido__hold_rest(*connection); /* a cancel was meant for that */
    if (!(*connection)->in_transaction)
        run_again(writer, *connection);
    run_errands(writer, *connection);
    if ((*connection)->in_transaction && hand_on(writer, *connection))
        *connection = NULL;
    else
        lido__writer_settle(writer, *connection);
}

/* ---- Turns inside a group ---- */

uint64_t lido__writer_turn(const lido__writer *writer) {
    return atomic_load(&writer->turn) / NEXT_TURN * NEXT_TURN;
}

void lido__writer_pause(lido__writer *writer, uint64_t turn) {
    uint64_t running = turn + RUNS;
    atomic_compare_exchange_strong(&writer->turn, &running, turn); /* unless it was handed on */
}

bool lido__writer_resume(lido__writer *writer, uint64_t turn) {
    uint64_t expected = turn;
    while (!atomic_compare_exchange_strong(&writer->turn, &expected, turn + RUNS)) {
        if (expected / NEXT_TURN * NEXT_TURN != turn)
            return false;
        /* Somebody looks whether to take it back, and it must be known before anything else is done. */
        lido__await(&(lido__wait){.kind = LIDO__WAIT_MOMENT, .firm = true}, lido__clock_now_us() + LOOK_AGAIN_US);
        expected = turn;
    }
    return true;
}

/* By one that waits for its group: takes the ticket back from who has it and does nothing, and commits the rest. False:
 * something runs, or the group is over and it was another one's turn. */
static bool take_back(lido__writer *writer, lido__errand *mine, const lido__lease *lease,
                      lido__connection **connection) {
    uint64_t turn = atomic_load(&writer->turn);
    uint64_t looked_at = turn + RUNS;
    if (turn % NEXT_TURN == RUNS || !atomic_compare_exchange_strong(&writer->turn, &turn, looked_at))
        return false;
    if (mine->done) {
        atomic_compare_exchange_strong(&writer->turn, &looked_at, turn);
        return false;
    }
    atomic_store(&writer->turn, turn + NEXT_TURN + RUNS);
    *connection = writer->connection;
    lido__hold_rest(*connection); /* one may still be cancelling what the other ran: its count must not be lost */
    lido__hold_begin(*connection, lease);
    lido__hold_pause(*connection);
    roll_back_part(*connection);
    mine->waker = NULL;
    lido__writer_settle(writer, *connection);
    return true;
}

/* The ticket is somebody else's: waits until the group has been committed. */
static bool wait_for_group(lido__writer *writer, lido__errand *mine, const lido__lease *lease,
                           lido__connection **connection) {
    while (lido__await_waker(mine->waker, lido__deadline_in_ms(TAKE_BACK_AFTER_MS)) != LIDO__AWAIT_READY)
        if (take_back(writer, mine, lease, connection))
            break;
    return !has_failed(mine);
}

/* ---- By the holder of the ticket ---- */

bool lido__writer_lead(lido__writer *writer, lido__connection *connection, lido__batch *own) {
    lido__errand mine = {.batch = own};
    lido__operation begin = {.kind = LIDO__BEGIN, .writes = true};
    if (writer->first == NULL && !lido__pool_errand_waits(&writer->pool))
        return connection->backend->run(connection, own); /* the database's own commit will do */
    if (writer->first == NULL && !run_control(connection, &begin, own->deadline, own->error)) {
        own->failed = 0;
        return false;
    }
    join(writer, connection, &mine);
    lido__hold_rest(connection);
    lido__await_firm_begin();
    run_errands(writer, connection);
    lido__writer_settle(writer, connection);
    lido__await_firm_end();
    return !has_failed(&mine);
}

bool lido__writer_commit(lido__writer *writer, lido__connection **connection, lido__batch *own,
                         const lido__lease *lease) {
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
    commit->inside = done;
    commit->done = false; /* what was settled is its own part; it stands when the group does */
    if (done) {
        append(writer, &mine);
        lido__await_firm_begin();
        go_on(writer, connection);
        done = *connection != NULL ? !has_failed(&mine) : wait_for_group(writer, &mine, lease, connection);
        lido__await_firm_end();
    }
    lido__waker_done(&waker);
    return done;
}

void lido__writer_leave(lido__writer *writer, lido__connection **connection, bool undone) {
    if (writer->first == NULL)
        return;
    if (!undone)
        roll_back(*connection);
    go_on(writer, connection);
}
