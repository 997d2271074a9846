/* What a session tells its engine's listeners, put into events. */
#include "core/watch.h"

#include "base/clock.h"
#include "base/fault.h"

static lido_event event_of(const lido_session *session, lido_event_kind kind) {
    return (lido_event){.kind = kind,
                        .database = session->engine->config.display,
                        .session = session,
                        .connection = session->connection != NULL ? session->number : 0,
                        .file = session->file,
                        .line = session->line};
}

static void tell(const lido_session *session, const lido_event *event) {
    if (lido__watched(session, event->kind))
        lido__events_tell(&session->engine->pool.events, event, NULL);
}

/* ---- The connection ---- */

static bool ask_about_checkout(lido_session *session) {
    lido_error refusal = LIDO_ERROR_INIT;
    lido_event event = event_of(session, LIDO_EVENT_CHECKOUT);
    return lido__events_tell(&session->engine->pool.events, &event, &refusal) ||
           lido__fault(&session->error, refusal.category, "%s", refusal.message);
}

bool lido__watch_checkout(lido_session *session) {
    LIDO__PROBE_4(checkout, session, session->number, session->file, session->line);
    return !lido__watched(session, LIDO_EVENT_CHECKOUT) || ask_about_checkout(session);
}

void lido__watch_checkin(lido_session *session, int64_t since) {
    LIDO__PROBE_3(checkin, session, session->number, lido__clock_recent_us() - since);
    lido_event event = event_of(session, LIDO_EVENT_CHECKIN);
    event.duration_us = lido__clock_recent_us() - since;
    tell(session, &event);
}

void lido__watch_reset(lido_session *session, const lido_error *error) {
    lido_event event = event_of(session, LIDO_EVENT_RESET);
    event.status = error->status;
    event.error = error->status != LIDO_OK ? error : NULL;
    tell(session, &event);
}

/* ---- The batch ---- */

static lido_event event_of_operation(const lido_session *session, lido_event_kind kind,
                                     const lido__operation *operation) {
    lido_event event = event_of(session, kind);
    event.file = operation->file;
    event.line = operation->line;
    if (operation->kind != LIDO__STATEMENT) {
        event.savepoint = operation->savepoint;
        return event;
    }
    event.statement = operation->sql->text;
    event.value_count = operation->count;
    event.values = operation->values;
    return event;
}

/* What is told of an operation that sets out; 0: nothing. */
static unsigned kind_of(const lido__operation *operation) {
    switch (operation->kind) {
    case LIDO__STATEMENT:
        return LIDO_EVENT_BEFORE;
    case LIDO__BEGIN:
        return LIDO_EVENT_BEGIN;
    case LIDO__SAVEPOINT:
        return LIDO_EVENT_SAVEPOINT;
    case LIDO__RELEASE:
        return LIDO_EVENT_SAVEPOINT_RELEASE;
    case LIDO__ROLLBACK_TO:
        return LIDO_EVENT_SAVEPOINT_ROLLBACK;
    default:
        return 0;
    }
}

static void probe_begins(const lido_session *session, const lido__batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        const lido__operation *operation = &batch->operations[i];
        if (operation->kind == LIDO__STATEMENT)
            LIDO__PROBE_4(statement__start, session, operation->sql->text, operation->sql->fingerprint,
                          lido__statement_kind_of(operation->sql));
        else if (operation->kind == LIDO__BEGIN)
            LIDO__PROBE_2(begin, session, session->number);
    }
}

int64_t lido__watch_batch_begins(const lido_session *session, const lido__batch *batch) {
    if (LIDO__PROBED(statement__start) || LIDO__PROBED(begin))
        probe_begins(session, batch);
    bool told = lido__watched(session, LIDO__WATCH_BATCH & ~(LIDO_EVENT_AFTER | LIDO_EVENT_SLOW));
    for (size_t i = 0; i < batch->count && told; i++) {
        unsigned kind = kind_of(&batch->operations[i]);
        lido_event event = event_of_operation(session, (lido_event_kind)kind, &batch->operations[i]);
        tell(session, &event);
    }
    return lido__clock_now_us();
}

static size_t first_failed(const lido__batch *batch) {
    return batch->failed < batch->count ? batch->failed : batch->count - 1;
}

static lido_status status_of(const lido__batch *batch, size_t index) {
    const lido__operation *operation = &batch->operations[index];
    if (operation->done)
        return LIDO_OK;
    return index == first_failed(batch) || operation->alone ? LIDO_ERROR : LIDO_ROLLED_BACK;
}

static void tell_after(const lido_session *session, const lido__batch *batch, size_t index, int64_t took) {
    lido_event event = event_of_operation(session, LIDO_EVENT_AFTER, &batch->operations[index]);
    event.duration_us = took;
    event.travelled = batch->count;
    event.affected = batch->operations[index].affected;
    event.status = status_of(batch, index);
    if (event.status == LIDO_ERROR && index == first_failed(batch)) /* of the others' errors nothing is known */
        event.error = &session->error;
    tell(session, &event);
}

static void tell_slow(const lido_session *session, const lido__batch *batch, int64_t took) {
    const lido__operation *last = &batch->operations[batch->count - 1];
    lido_event event = event_of_operation(session, LIDO_EVENT_SLOW, last);
    event.duration_us = took;
    event.travelled = batch->count;
    if (last->kind == LIDO__COMMIT)
        event.statement = "COMMIT";
    else if (last->kind == LIDO__ROLLBACK_TO)
        event.statement = "ROLLBACK TO SAVEPOINT";
    else if (last->kind == LIDO__RELEASE)
        event.statement = "RELEASE SAVEPOINT";
    tell(session, &event);
}

static void probe_ends(const lido_session *session, const lido__batch *batch, int64_t took) {
    for (size_t i = 0; i < batch->count; i++) {
        const lido__operation *operation = &batch->operations[i];
        if (operation->kind == LIDO__STATEMENT)
            LIDO__PROBE_5(statement__end, session, operation->sql->text, operation->sql->fingerprint,
                          (int)status_of(batch, i), took);
    }
}

void lido__watch_batch_ran(lido_session *session, const lido__batch *batch, int64_t began) {
    int64_t took = lido__clock_now_us() - began;
    for (size_t i = 0; i < batch->count && lido__watched(session, LIDO_EVENT_AFTER); i++)
        if (batch->operations[i].kind == LIDO__STATEMENT)
            tell_after(session, batch, i, took);
    if (LIDO__PROBED(statement__end))
        probe_ends(session, batch, took);
    if (lido__events_slow(&session->engine->pool.events, took))
        tell_slow(session, batch, took);
}

/* ---- Outcomes ---- */

static void probe_outcome(const lido_session *session, uint64_t connection, lido_status outcome) {
    if (outcome == LIDO_ROLLED_BACK)
        LIDO__PROBE_2(rollback, session, connection);
    else
        LIDO__PROBE_3(commit, session, connection, (int)outcome);
}

void lido__watch_outcome(lido_session *session, uint64_t connection, lido_status outcome) {
    if (connection != 0 && (LIDO__PROBED(commit) || LIDO__PROBED(rollback)))
        probe_outcome(session, connection, outcome);
    if (connection == 0 || !lido__watched(session, LIDO_EVENT_COMMIT | LIDO_EVENT_ROLLBACK))
        return;
    lido_event event = event_of(session, outcome == LIDO_ROLLED_BACK ? LIDO_EVENT_ROLLBACK : LIDO_EVENT_COMMIT);
    event.connection = connection;
    event.status = outcome;
    event.error = outcome != LIDO_OK && session->failed ? &session->error : NULL;
    tell(session, &event);
}

void lido__watch_error(lido_session *session) {
    lido_event event = event_of(session, LIDO_EVENT_ERROR);
    event.error = &session->error;
    event.file = session->error.file;
    event.line = session->error.line;
    event.statement = session->error.statement[0] != '\0' ? session->error.statement : NULL;
    tell(session, &event);
}
