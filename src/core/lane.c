/* One lane: what is under way on its connection, and what is done where that takes too long. */
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "core/engine.h"

enum {
    COMPANY_MOST = 64,            /* flights that stand or fall together; also what may be unheard of at once */
    LOOK_EVERY_US = 50 * 1000,    /* while anything is under way */
    LOOK_SOON_US = 10 * 1000,     /* while something is under way for nobody */
    SILENT_US = 50 * 1000,        /* how long the server may say nothing before nobody queues behind it, */
    PATIENCE_US = 200 * 1000,     /* and before those who do go elsewhere */
    GRACE_US = 5 * 1000,          /* how long what nobody wants may go on */
    CANCEL_AGAIN_US = 500 * 1000, /* then it is cancelled once more: another may have been hit */
    CANCEL_HEARD_MOST_US = 5 * 1000 * 1000,
    IDLE_MOST_US = 1000 * 1000 /* then the pool looks after it */
};

static const lido__lane_operations *operations(const lido__lane *lane) {
    return lane->connection->backend->lanes;
}

static void ready(lido__lookout *lookout);

/* ---- Opening and closing ---- */

static bool look_out(lido__lane *lane, bool write) {
    lane->writing = write;
    return lido__lookout_set(&lane->group->attendant, &lane->lookout, operations(lane)->descriptor(lane->connection),
                             write);
}

bool lido__lane_open(lido__lane *lane, lido__connection *connection, lido_error *error) {
    lido__pool *pool = &lane->group->engine->lanes.pool;
    if (!connection->backend->lanes->begin(connection, error)) {
        lido__pool_release(pool, connection);
        return false;
    }
    lane->connection = connection;
    lane->group->open++;
    lane->lookout.ready = ready;
    lane->unsynced = 0;
    lane->cancelled = 0;
    lane->heard = lido__clock_recent_us();
    lido__lane_group_look_at(lane->group, lane->heard + IDLE_MOST_US);
    if (look_out(lane, false))
        return true;
    lido__lane_close(lane);
    return lido__fault_memory(error, "opening a lane");
}

static void count(const lido__lane *lane, lido__event_count which) {
    lido__metrics_event(lane->group->engine->pool.metrics, which, 1);
}

/* What it had begun to be given may stand in its result. */
static void begin_anew(const lido__lane *lane, lido__batch *batch) {
    lido__operation *operation = batch->operations;
    lido_error ignored = LIDO_ERROR_INIT;
    count(lane, LIDO__COUNT_LANE_RERUNS);
    if (operation->result != NULL && operation->result->operations != NULL)
        operation->result->operations->release(operation->result, &ignored);
    if (operation->result != NULL)
        lido__result_forget(operation->result);
    lido__fault_clear(batch->error);
    batch->failed = batch->count;
    operation->done = operation->in_doubt = false;
}

static void send_elsewhere(lido__lane *lane, lido__lane_flight *flight) {
    if (flight->wait != NULL)
        begin_anew(lane, flight->flight.batch);
    lido__lane_flight_end(lane->group, flight, LIDO__LANE_ELSEWHERE);
}

/* The server is told before the tasks are: so when the last of them has heard of it, the cancel is counted. */
static void close_lane(lido__lane *lane, lido__lane_fate fate) {
    lido__lane_group *group = lane->group;
    lido__connection *connection = lane->connection;
    bool left_at_work = lane->count > 0 && !connection->broken;
    lido__lookout_unset(&group->attendant, operations(lane)->descriptor(connection));
    operations(lane)->end(connection);
    if (left_at_work)
        lido__lanes_see_off(group, connection);
    lane->connection = NULL;
    group->open--;
    lane->count = 0;
    if (lane->cancel != NULL)
        lido__lanes_cancel_forget(&group->engine->lanes, lane->cancel);
    lane->cancel = NULL;
    for (lido__lane_flight *flight; (flight = lido__flight_list_take(&lane->under_way)) != NULL;)
        if (fate == LIDO__LANE_ELSEWHERE)
            send_elsewhere(lane, flight);
        else
            lido__lane_flight_end(group, flight, fate);
    lido__pool_release(&group->engine->lanes.pool, connection);
    group->attendant.due = true;
}

void lido__lane_close(lido__lane *lane) {
    close_lane(lane, LIDO__LANE_ELSEWHERE);
}

/* A server that is lost under a lane need not be lost under others: they find out for themselves. */
static void lose(lido__lane *lane) {
    lane->connection->broken = true;
    lido__lane_close(lane);
}

/* ---- Sending ---- */

static bool is_old(const lido__lane *lane) {
    return lane->heard >= lane->connection->retire_at ||
           lane->connection->generation !=
               atomic_load_explicit(&lane->group->engine->lanes.pool.generation, memory_order_relaxed);
}

/* Behind one that has been silent for some time nobody is let; one that has had its time runs empty. */
bool lido__lane_takes(const lido__lane *lane, int64_t now) {
    return lane->connection != NULL && lane->cancel == NULL && lane->cancelled == 0 &&
           lane->count < LIDO__FLIGHTS_MOST && (lane->count == 0 || now - lane->heard < SILENT_US) &&
           !lane->connection->broken && !is_old(lane);
}

static void end_company(lido__lane *lane) {
    operations(lane)->sync(lane->connection);
    lane->companies++;
    count(lane, LIDO__COUNT_LANE_BATCHES);
    lane->unsynced = 0;
}

void lido__lane_send(lido__lane *lane, lido__lane_flight *flight) {
    bool by_itself = flight->flight.again;
    if (by_itself && lane->unsynced > 0)
        end_company(lane);
    if (lane->count == 0) {
        lane->heard = lido__clock_recent_us();
        lido__lane_group_look_at(lane->group, lane->heard + LOOK_EVERY_US);
    }
    operations(lane)->send(lane->connection, &flight->flight);
    flight->number = ++lane->sent;
    flight->company = lane->companies;
    lido__flight_list_add(&lane->under_way, flight);
    lane->count++;
    lane->unsynced++;
    lane->unsent = true;
    if (by_itself || lane->unsynced == COMPANY_MOST)
        end_company(lane);
}

static void flush(lido__lane *lane) {
    lane->unsent = false;
    bool more = operations(lane)->flush(lane->connection);
    if (lane->connection->broken || (more != lane->writing && !look_out(lane, more)))
        lose(lane);
}

void lido__lane_flush(lido__lane *lane) {
    if (lane->unsynced > 0)
        end_company(lane);
    flush(lane);
}

/* ---- Receiving ---- */

/* A cancel that was meant for another, or for one that was done by then. */
static bool was_hit(const lido__lane *lane, const lido__lane_flight *flight) {
    const lido__batch *batch = flight->flight.batch;
    return flight->number <= lane->hit_through && batch->failed < batch->count &&
           strcmp(batch->error->sqlstate, "57014") == 0;
}

/* Once skipped, it flies by itself; twice, it runs on a connection of its own, where nothing can come between. */
static void land(lido__lane *lane, lido__lane_flight *flight) {
    lido__flight *inner = &flight->flight;
    if (flight->wait == NULL || (!inner->skipped && !was_hit(lane, flight))) {
        lido__lane_flight_end(lane->group, flight, LIDO__LANE_RAN);
    } else if (inner->again) {
        send_elsewhere(lane, flight);
    } else {
        begin_anew(lane, inner->batch);
        inner->again = true;
        lido__lane_group_queue(lane->group, flight, lane->heard);
    }
}

static void ready(lido__lookout *lookout) {
    lido__lane *lane = (lido__lane *)lookout;
    lido__lane_group *group = lane->group;
    lido__connection *connection = lane->connection;
    group->passengers++;
    lane->heard = lido__clock_recent_us();
    lane->cancelled = 0;
    operations(lane)->receive(connection);
    while (operations(lane)->landed(connection) != NULL) {
        lane->count--;
        land(lane, lido__flight_list_take(&lane->under_way));
    }
    group->attendant.due = true; /* there is room for what is queued; or the engine was closed meanwhile */
    if (connection->broken)
        lose(lane);
    else if (lane->writing)
        flush(lane);
    group->passengers--;
}

/* ---- Looking after the time ---- */

/* The oldest company is what the server is at. Whether one in it is wanted by nobody, and has been for some time. */
static bool works_for_nobody(const lido__lane *lane, int64_t now) {
    const lido__lane_flight *at = lane->under_way.first;
    uint64_t company = at->company;
    for (; at != NULL && at->company == company; at = at->next)
        if (at->wait == NULL && now - at->left >= GRACE_US)
            return true;
    return false;
}

/* Tells those whose deadline has passed; or, if the server has been silent for too long, all: somebody here takes his
 * time, and who it is cannot be known, for the server tells of none before the last of a company. Returns when to look
 * again. */
static int64_t look_at_flights(lido__lane *lane, int64_t now) {
    bool silent = now - lane->heard >= PATIENCE_US;
    int64_t again = now + LOOK_EVERY_US;
    for (lido__lane_flight *at = lane->under_way.first; at != NULL; at = at->next) {
        if (at->wait != NULL && now >= at->flight.batch->deadline) {
            lido__lane_flight_tell(at, LIDO__LANE_LATE);
        } else if (at->wait != NULL && silent) {
            begin_anew(lane, at->flight.batch);
            lido__lane_flight_tell(at, LIDO__LANE_ELSEWHERE);
        } else if (at->wait != NULL && at->flight.batch->deadline < again) {
            again = at->flight.batch->deadline;
        }
        if (at->wait == NULL && now + LOOK_SOON_US < again)
            again = now + LOOK_SOON_US;
    }
    return again;
}

static void cancel(lido__lane *lane, int64_t now) {
    lane->hit_through = lane->sent;
    if (lane->cancelled == 0)
        lane->cancelled = now;
    lane->cancel_again = now + CANCEL_AGAIN_US;
    lane->cancel = lido__lanes_cancel(lane->group, lane->connection);
}

static int64_t look_when_idle(lido__lane *lane, int64_t now) {
    if (!is_old(lane) && now - lane->heard < IDLE_MOST_US)
        return lane->heard + IDLE_MOST_US;
    lido__lane_close(lane);
    return LIDO__NO_DEADLINE;
}

int64_t lido__lane_look(lido__lane *lane, int64_t now) {
    if (lane->count == 0)
        return look_when_idle(lane, now);
    int64_t again = look_at_flights(lane, now);
    if (lane->cancelled != 0 && now - lane->cancelled >= CANCEL_HEARD_MOST_US) {
        lose(lane);
        return LIDO__NO_DEADLINE;
    }
    if (lane->cancel == NULL && (lane->cancelled == 0 || now >= lane->cancel_again) && works_for_nobody(lane, now))
        cancel(lane, now);
    return again;
}

void lido__lane_cancel_all(lido__lane *lane) {
    if (lane->connection != NULL && lane->count > 0)
        close_lane(lane, LIDO__LANE_CANCELLED);
}

void lido__lane_hear_of_cancel(lido__lane *lane) {
    if (lane->cancel == NULL || !atomic_load(&lane->cancel->sent))
        return;
    lido__lanes_cancel_forget(&lane->group->engine->lanes, lane->cancel);
    lane->cancel = NULL;
}
