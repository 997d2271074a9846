/* The lanes of one loop: the queue of what is to be sent, and which lane takes it. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "core/engine.h"

enum {
    LOOK_EVERY_US = 50 * 1000,
    QUEUED_MOST_US = 200 * 1000,       /* then it is run on a connection of its own */
    OPENING_MOST_US = 2 * 1000 * 1000, /* how long somebody waits for a lane to be opened, */
    NOT_BEFORE_US = 30 * 1000 * 1000   /* and how long nobody tries again if that came to nothing */
};

/* ---- Lists ---- */

void lido__flight_list_init(lido__flight_list *list) {
    list->first = NULL;
    list->last = &list->first;
}

void lido__flight_list_add(lido__flight_list *list, lido__lane_flight *flight) {
    flight->next = NULL;
    *list->last = flight;
    list->last = &flight->next;
}

lido__lane_flight *lido__flight_list_take(lido__flight_list *list) {
    lido__lane_flight *first = list->first;
    if (first == NULL)
        return NULL;
    list->first = first->next;
    if (list->first == NULL)
        list->last = &list->first;
    return first;
}

/* ---- Flights ---- */

static void give_back(lido__lane_group *group, lido__lane_flight *flight) {
    flight->next = group->spare;
    group->spare = flight;
}

void lido__lane_flight_tell(lido__lane_flight *flight, lido__lane_fate fate) {
    lido__lane_wait *wait = flight->wait;
    if (wait == NULL)
        return;
    flight->wait = NULL;
    flight->flight.batch = NULL;
    if (fate != LIDO__LANE_RAN) /* then it is over */
        flight->left = lido__clock_recent_us();
    wait->flight = NULL;
    wait->fate = fate;
    lido__near_wake(&wait->near);
}

void lido__lane_flight_end(lido__lane_group *group, lido__lane_flight *flight, lido__lane_fate fate) {
    lido__lane_flight_tell(flight, fate);
    give_back(group, flight);
}

void lido__lane_group_look_at(lido__lane_group *group, int64_t moment) {
    if (moment < group->attendant.moment)
        group->attendant.moment = moment;
}

void lido__lane_group_queue(lido__lane_group *group, lido__lane_flight *flight, int64_t now) {
    flight->since = now;
    lido__flight_list_add(&group->queue, flight);
    group->waiting++;
    group->attendant.due = true;
    lido__lane_group_look_at(group, flight->since + LOOK_EVERY_US);
}

bool lido__lane_group_add(lido__lane_group *group, lido__batch *batch, lido__lane_wait *wait, int64_t now) {
    lido__lane_flight *flight = group->spare;
    if (flight != NULL)
        group->spare = flight->next;
    else if ((flight = malloc(sizeof *flight)) == NULL)
        return false;
    *flight = (lido__lane_flight){.flight = {.batch = batch}, .wait = wait};
    wait->flight = flight;
    lido__lane_group_queue(group, flight, now);
    lido__lane_group_look_at(group, batch->deadline);
    return true;
}

/* One that has not been sent is not sent: see send_queued. */
void lido__lane_group_leave_alone(lido__lane_group *group, lido__lane_wait *wait) {
    lido__lane_flight *flight = wait->flight;
    wait->flight = NULL;
    flight->wait = NULL;
    flight->flight.batch = NULL;
    flight->left = lido__clock_recent_us();
    lido__lane_group_look_at(group, flight->left);
}

/* ---- Sending ---- */

/* The one with the least under way, so that one whose answers have just come takes what follows from them. */
static lido__lane *choose(lido__lane_group *group, int64_t now) {
    lido__lane *chosen = NULL;
    for (unsigned i = 0; i < group->count; i++) {
        lido__lane *lane = &group->lanes[i];
        if (lido__lane_takes(lane, now) && (chosen == NULL || lane->count < chosen->count))
            chosen = lane;
    }
    return chosen;
}

static lido__lane_flight *take_queued(lido__lane_group *group) {
    lido__lane_flight *flight = lido__flight_list_take(&group->queue);
    group->waiting -= flight != NULL;
    return flight;
}

static void send_queued(lido__lane_group *group) {
    lido__lane *lane;
    int64_t now = lido__clock_recent_us();
    while (group->queue.first != NULL && (lane = choose(group, now)) != NULL) {
        lido__lane_flight *flight = take_queued(group);
        if (flight->wait != NULL)
            lido__lane_send(lane, flight);
        else
            give_back(group, flight);
    }
    for (unsigned i = 0; i < group->count; i++)
        if (group->lanes[i].unsent)
            lido__lane_flush(&group->lanes[i]);
    if (group->open + group->opening > 0)
        return;
    for (lido__lane_flight *flight; (flight = take_queued(group)) != NULL;)
        lido__lane_flight_end(group, flight, LIDO__LANE_ELSEWHERE);
}

/* ---- Opening ---- */

bool lido__lane_group_lacks(const lido__lane_group *group) {
    return group->open + group->opening < group->count &&
           (group->not_before == 0 || lido__clock_recent_us() >= group->not_before);
}

static lido__lane *find_closed(lido__lane_group *group) {
    for (unsigned i = 0; i < group->count; i++)
        if (group->lanes[i].connection == NULL)
            return &group->lanes[i];
    return NULL;
}

/* The connection was taken in the session's name, so that its waiting for that can be cancelled; from here on it is the
 * group's. False: it was cancelled at the last moment. */
static bool take_over(lido__lane_group *group, lido__connection *connection, const lido__lease *lease) {
    lido__lease own = *lease;
    bool cancelled = lido__hold_rest(connection);
    own.holder = group;
    lido__hold_begin(connection, &own);
    return !cancelled;
}

static lido__connection *take_connection(lido__lane_group *group, const lido__lease *lease, lido_error *error) {
    lido__pool *pool = &group->engine->lanes.pool;
    lido__lease bounded = *lease;
    bounded.until = lido__clock_now_us() + OPENING_MOST_US;
    lido__connection *connection = lido__pool_acquire(pool, &bounded, error);
    if (connection == NULL || take_over(group, connection, lease))
        return connection;
    lido__pool_release(pool, connection);
    lido__fault(error, LIDO_ERROR_CANCELLED, "cancelled while lanes were opened");
    return NULL;
}

/* There is a closed lane for each who opens one: see lido__lane_group_lacks. */
static bool open_one(lido__lane_group *group, const lido__lease *lease, lido_error *error) {
    group->opening++;
    lido__connection *connection = take_connection(group, lease, error);
    group->opening--;
    return connection != NULL && lido__lane_open(find_closed(group), connection, error);
}

/* Who is cancelled or late himself knows nothing of the server, and leaves the lanes to the next. */
bool lido__lane_group_open(lido__lane_group *group, const lido__lease *lease) {
    bool cancelled = false;
    while (lido__await_may_wait(NULL) && lido__lane_group_lacks(group)) {
        lido_error error = LIDO_ERROR_INIT;
        if (open_one(group, lease, &error) || !lido__await_may_wait(NULL))
            continue;
        cancelled = error.category == LIDO_ERROR_CANCELLED;
        if (cancelled)
            break;
        group->not_before = lido__clock_recent_us() + NOT_BEFORE_US;
        lido__lanes_tell_why_not(group->engine, error.message);
    }
    group->attendant.due = true; /* others may have queued meanwhile */
    return !cancelled;
}

/* ---- The loop's calls ---- */

static lido__lane_group *of(lido__attendant *attendant) {
    return (lido__lane_group *)attendant;
}

static void turn_ends(lido__attendant *attendant) {
    lido__lane_group *group = of(attendant);
    group->passengers++;
    send_queued(group);
    group->passengers--;
    if (atomic_load_explicit(&group->engine->closed, memory_order_relaxed))
        lido__lane_group_leave_if_done(group);
}

static lido__lane_fate fate_in_queue(const lido__lane_flight *flight, int64_t now) {
    if (flight->wait == NULL || now - flight->since >= QUEUED_MOST_US)
        return LIDO__LANE_ELSEWHERE;
    return now >= flight->flight.batch->deadline ? LIDO__LANE_LATE : LIDO__LANE_WAITS;
}

static void look_at_queue(lido__lane_group *group, int64_t now) {
    unsigned count = group->waiting;
    while (count-- > 0) { /* each once, and those that stay in their order */
        lido__lane_flight *flight = lido__flight_list_take(&group->queue);
        lido__lane_fate fate = fate_in_queue(flight, now);
        if (fate == LIDO__LANE_WAITS) {
            lido__flight_list_add(&group->queue, flight);
            lido__lane_group_look_at(group, flight->flight.batch->deadline);
            continue;
        }
        group->waiting--;
        lido__lane_flight_end(group, flight, fate);
    }
}

static void late(lido__attendant *attendant) {
    lido__lane_group *group = of(attendant);
    int64_t now = lido__clock_now_us();
    group->passengers++;
    look_at_queue(group, now);
    for (unsigned i = 0; i < group->count; i++)
        if (group->lanes[i].connection != NULL)
            lido__lane_group_look_at(group, lido__lane_look(&group->lanes[i], now));
    if (group->waiting > 0)
        lido__lane_group_look_at(group, now + LOOK_EVERY_US);
    group->passengers--;
    group->attendant.due = true; /* a lane may take more now */
}

static void cancel_all(lido__lane_group *group) {
    unsigned count = group->waiting; /* who is told may queue again */
    while (count-- > 0)
        lido__lane_flight_end(group, take_queued(group), LIDO__LANE_CANCELLED);
    for (unsigned i = 0; i < group->count; i++)
        lido__lane_cancel_all(&group->lanes[i]);
    lido__lane_group_look_at(group, lido__clock_recent_us());
}

static void called(lido__attendant *attendant) {
    lido__lane_group *group = of(attendant);
    group->passengers++;
    for (unsigned i = 0; i < group->count; i++)
        lido__lane_hear_of_cancel(&group->lanes[i]);
    if (atomic_exchange(&group->all_cancelled, false))
        cancel_all(group);
    group->passengers--;
    group->attendant.due = true;
}

/* ---- The group's beginning and end ---- */

static void free_flights(lido__lane_flight *first) {
    while (first != NULL) {
        lido__lane_flight *next = first->next;
        free(first);
        first = next;
    }
}

/* In a child, there may be some under way: the parent's. */
void lido__lane_group_free(lido__lane_group *group) {
    for (unsigned i = 0; i < group->count; i++) {
        free_flights(group->lanes[i].under_way.first);
        free(group->lanes[i].cancel);
    }
    free_flights(group->queue.first);
    free_flights(group->spare);
    free(group);
}

static void leave(lido__lane_group *group) {
    lido_engine *engine = group->engine;
    for (unsigned i = 0; i < group->count; i++)
        if (group->lanes[i].connection != NULL)
            lido__lane_close(&group->lanes[i]);
    bool last = lido__lanes_remove_group(&engine->lanes, group); /* if not, the engine may be gone */
    lido__attendant_leave(&group->attendant);
    lido__lane_group_free(group);
    if (last)
        lido__engine_let_go(engine);
}

static void loop_ends(lido__attendant *attendant) {
    leave(of(attendant));
}

/* What is under way for nobody does not count. */
void lido__lane_group_leave_if_done(lido__lane_group *group) {
    if (group->passengers == 0)
        leave(group);
}

static lido__lane_group *group_new(lido_engine *engine) {
    unsigned count = (unsigned)engine->config.lanes;
    lido__lane_group *group = calloc(1, sizeof *group + count * sizeof group->lanes[0]);
    if (group == NULL)
        return NULL;
    group->attendant = (lido__attendant){
        .key = &engine->lanes, .turn_ends = turn_ends, .late = late, .called = called, .loop_ends = loop_ends};
    group->engine = engine;
    group->count = count;
    lido__flight_list_init(&group->queue);
    for (unsigned i = 0; i < count; i++) {
        group->lanes[i].group = group;
        lido__flight_list_init(&group->lanes[i].under_way);
    }
    lido__attendant_join(&group->attendant);
    lido__lanes_add_group(&engine->lanes, group);
    return group;
}

lido__lane_group *lido__lane_group_get(lido_engine *engine) {
    bool in_task;
    lido__attendant *found = lido__attendant_find(&engine->lanes, &in_task);
    return found != NULL || !in_task ? of(found) : group_new(engine);
}
