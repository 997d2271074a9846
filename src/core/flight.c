/* The task that waits for a statement on a lane. */
#include <sched.h>

#include "base/clock.h"
#include "base/fault.h"
#include "core/session.h"

/* The session's `flies`. */
enum {
    STAYS,
    FLIES,
    IS_BEING_TOLD, /* somebody who cancels it is looking at its wait, which must stay there */
    WAS_TOLD
};

enum {
    SLOW_US = 50 * 1000, /* what takes longer runs on a connection of its own, */
    SLOW_FOR = 100       /* as many times */
};

/* ---- What flies ---- */

/* What only reads, alone, and leaves nothing on the connection; one that was slow before is not let in, for others wait
 * behind it. */
static bool is_fit(const lido_session *session, const lido__batch *batch) {
    const lido_session_options *options = &session->options;
    const lido__operation *only = batch->operations;
    if (!options->autocommit || batch->count != 1 || only->kind != LIDO__STATEMENT || only->stream ||
        only->bulk != NULL)
        return false;
    return only->sql->kind == LIDO__SQL_READS && !only->sql->personal && !only->sql->many &&
           (options->isolation == LIDO_ISOLATION_DEFAULT || options->isolation == LIDO_READ_COMMITTED);
}

/* For how many more runs it is kept off the lanes. */
static int slow_for(const lido__sql *sql) {
    return atomic_load_explicit(&sql->habits->slow_for, memory_order_relaxed);
}

static void count_slow_run(const lido__sql *sql) {
    atomic_store_explicit(&sql->habits->slow_for, slow_for(sql) - 1, memory_order_relaxed);
}

void lido__lanes_learn(const lido__sql *sql, int64_t began) {
    if (lido__clock_recent_us() - began >= SLOW_US)
        atomic_store_explicit(&sql->habits->slow_for, SLOW_FOR, memory_order_relaxed);
}

/* ---- Being cancelled by name ---- */

bool lido__lanes_cancel_session(lido_session *session) {
    unsigned flies = FLIES;
    if (!atomic_compare_exchange_strong(&session->flies, &flies, IS_BEING_TOLD))
        return flies == WAS_TOLD;
    lido__near_interrupt(session->near);
    atomic_store(&session->flies, WAS_TOLD);
    return true;
}

static void take_off(lido_session *session, lido__lane_wait *wait) {
    session->near = &wait->near;
    atomic_store_explicit(&session->flies, FLIES, memory_order_release);
}

/* Who tells it is about to be through. Returns whether it was told. */
static bool touch_down(lido_session *session) {
    unsigned flies = FLIES;
    while (!atomic_compare_exchange_strong(&session->flies, &flies, STAYS)) {
        if (flies == IS_BEING_TOLD)
            sched_yield();
        else if (flies == WAS_TOLD && atomic_compare_exchange_strong(&session->flies, &flies, STAYS))
            return true;
        flies = FLIES;
    }
    return false;
}

static bool was_told(lido_session *session) {
    return atomic_load_explicit(&session->flies, memory_order_relaxed) == WAS_TOLD;
}

/* ---- Waiting ---- */

static void fail(lido__batch *batch, lido_category category, const char *message, const char *hint) {
    batch->failed = 0;
    lido__fault_clear(batch->error);
    lido__fault(batch->error, category, "%s", message);
    lido__fault_hint(batch->error, "%s", hint);
    lido__fault_field(batch->error->sqlstate, sizeof batch->error->sqlstate, "57014");
}

/* Who was told to stop, and was sent elsewhere at the same time, does stop. */
static lido__await_outcome wait_for_end(lido_session *session, lido__lane_wait *wait) {
    lido__await_outcome outcome = LIDO__AWAIT_READY;
    const lido__wait until = {.kind = LIDO__WAIT_NEAR, .near = &wait->near};
    take_off(session, wait);
    while (wait->fate == LIDO__LANE_WAITS && outcome == LIDO__AWAIT_READY && !was_told(session))
        outcome = lido__await(&until, LIDO__NO_DEADLINE);
    if (touch_down(session) && wait->fate == LIDO__LANE_ELSEWHERE)
        wait->fate = LIDO__LANE_CANCELLED;
    return outcome;
}

/* False: it is to be run elsewhere. */
static bool fly(lido_session *session, lido__batch *batch, lido__lane_group *group) {
    lido__lane_wait wait = {.fate = LIDO__LANE_WAITS};
    lido__near_init(&wait.near);
    int64_t now = lido__clock_recent_us();
    batch->deadline = lido__await_deadline(lido__deadline_after_ms(now, session->options.statement_timeout_ms));
    if (!lido__lane_group_add(group, batch, &wait, now))
        return false;
    lido__await_outcome outcome = wait_for_end(session, &wait);
    if (wait.fate == LIDO__LANE_WAITS)
        lido__lane_group_leave_alone(group, &wait);
    if (wait.fate == LIDO__LANE_CANCELLED || (wait.fate == LIDO__LANE_WAITS && outcome != LIDO__AWAIT_TIMED_OUT))
        fail(batch, LIDO_ERROR_CANCELLED, "the statement was cancelled", "");
    else if (wait.fate == LIDO__LANE_WAITS || wait.fate == LIDO__LANE_LATE)
        fail(batch, LIDO_ERROR_TIMEOUT, "the statement ran longer than statement_timeout",
             "make it do less, or raise statement_timeout");
    batch->spent_us = lido__clock_recent_us() - now;
    return wait.fate != LIDO__LANE_ELSEWHERE;
}

/* Opening them, the task may have been cancelled, or its deadline have passed: what comes next says so. */
static bool open_and_fly(lido_session *session, lido__batch *batch, lido__lane_group *group) {
    const lido__lease lease = {
        .holder = session, .owner = session->owner, .file = session->file, .line = session->line};
    if (!lido__lane_group_lacks(group))
        return fly(session, batch, group);
    if (lido__lane_group_open(group, &lease))
        return lido__await_may_wait(NULL) && fly(session, batch, group);
    fail(batch, LIDO_ERROR_CANCELLED, "the statement was cancelled", "");
    return true;
}

bool lido__lanes_take(lido_session *session, const lido__batch *batch) {
    const lido_engine *engine = session->engine;
    const lido__sql *sql = batch->operations->sql;
    if (!session->options.read_only || !engine->lanes.used || !is_fit(session, batch) ||
        atomic_load_explicit(&engine->closed, memory_order_relaxed))
        return false;
    if (slow_for(sql) <= 0)
        return true;
    count_slow_run(sql);
    return false;
}

/* Only the loop's thread writes it. */
static void count_aboard(lido__lane_group *group, unsigned more) {
    unsigned aboard = atomic_load_explicit(&group->aboard, memory_order_relaxed);
    atomic_store_explicit(&group->aboard, aboard + more, memory_order_relaxed);
}

bool lido__lanes_run(lido_session *session, lido__batch *batch) {
    lido_engine *engine = session->engine;
    lido__lane_group *group = lido__lane_group_get(engine);
    if (group == NULL)
        return false;
    group->passengers++;
    count_aboard(group, 1);
    bool ran = open_and_fly(session, batch, group);
    count_aboard(group, (unsigned)-1);
    group->passengers--;
    batch->left_lane = !ran;
    if (atomic_load_explicit(&engine->closed, memory_order_relaxed))
        group->attendant.due = true; /* it may leave now */
    return ran;
}
