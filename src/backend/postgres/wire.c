/* Waiting for PostgreSQL's answers, with a deadline; cancelling what takes too long. */
#include <stdlib.h>

#include "await/await.h"
#include "backend/postgres/postgres.h"
#include "base/clock.h"
#include "base/fault.h"

enum {
    CANCEL_ANSWER_MOST_MS = 5000, /* how long a cancelled statement may take to say so */
    COPY_ANSWER_SIZE = 1024,      /* more than libpq needs for one */
    WATCHED_FROM_US = 10 * 1000 * 1000
};

static void send_cancel(void *argument) {
    char message[256];
    PQcancel(argument, message, sizeof message);
}

static void free_cancel(void *argument) {
    PQfreeCancel(argument);
}

void lido__postgres_send_cancel(PGcancel *cancel) {
    /* libpq 15 can only block here, and has no deadline of its own. */
    lido__wait sending = {
        .kind = LIDO__WAIT_WORK, .work = send_cancel, .dispose = free_cancel, .argument = cancel, .firm = true};
    if (cancel != NULL && lido__await(&sending, lido__deadline_in_ms(CANCEL_ANSWER_MOST_MS)) == LIDO__AWAIT_READY)
        PQfreeCancel(cancel);
}

void lido__postgres_cancel(postgres_connection *connection) {
    lido__postgres_send_cancel(PQgetCancel(connection->wire));
    connection->deadline = lido__deadline_in_ms(CANCEL_ANSWER_MOST_MS);
}

/* A whole result; or an error, which reading once more tells; or libpq had no memory for what came, forgets it, and
 * would wait for it for ever. */
static bool has_come(void *argument) {
    postgres_connection *connection = argument;
    connection->has_read = PQconsumeInput(connection->wire) != 0;
    return !connection->has_read || !PQisBusy(connection->wire) || lido__postgres_ran_out_of_memory(connection);
}

/* Waiting with a deadline makes the kernel set and unset a timer each time, a thirtieth of a point select. So a
 * deadline that is far away is left to the pool's keeper, which looks every second: when it has passed, the keeper
 * cancels at the server, and the server's answer ends the wait. */
static lido__await_outcome wait_for_server(postgres_connection *connection, bool write) {
    int64_t deadline = connection->deadline;
    connection->has_read = false;
    /* Once the server was told to cancel, its answer has to be read, whoever was cancelled here. */
    lido__wait answer = {.kind = LIDO__WAIT_DESCRIPTOR,
                         .descriptor = PQsocket(connection->wire),
                         .read = true,
                         .write = write,
                         .firm = connection->timed_out,
                         .watch = &connection->watch,
                         .spin = &connection->spin,
                         .look = has_come,
                         .argument = connection};
    if (deadline != connection->judged_deadline) { /* many statements of one tick share theirs: judged once */
        connection->judged_deadline = deadline;
        connection->far = deadline - lido__clock_recent_us() >= WATCHED_FROM_US;
    }
    if (!connection->base.watched || !connection->far || deadline == LIDO__NO_DEADLINE)
        return lido__await(&answer, deadline);
    atomic_store_explicit(&connection->base.wait_until, deadline, memory_order_release);
    lido__await_outcome outcome = lido__await(&answer, LIDO__NO_DEADLINE);
    atomic_store_explicit(&connection->base.wait_until, LIDO__NO_DEADLINE, memory_order_release);
    return outcome;
}

static bool is_late(const postgres_connection *connection) {
    return lido__clock_now_us() >= connection->deadline;
}

static void fault_no_answer(postgres_connection *connection, lido_error *error) {
    connection->base.broken = connection->base.server_gone = true;
    if (error->status != LIDO_OK)
        return;
    lido__fault(error, LIDO_ERROR_TIMEOUT, "the server did not answer in time, nor when told to cancel");
    lido__fault_hint(error, "the connection is given up; check the network and the server");
}

/* The deadline has passed, or the task was cancelled: once, the server is told; the second time, the connection is
 * given up. */
static bool give_up(postgres_connection *connection, lido_error *error) {
    if (!connection->timed_out) {
        connection->timed_out = true;
        lido__postgres_cancel(connection);
        return false;
    }
    fault_no_answer(connection, error);
    return true;
}

bool lido__postgres_flush(postgres_connection *connection, lido_error *error) {
    while (PQflush(connection->wire) > 0) {
        lido__await_outcome outcome = wait_for_server(connection, true);
        bool in_vain = outcome == LIDO__AWAIT_TIMED_OUT || outcome == LIDO__AWAIT_CANCELLED;
        if (in_vain && give_up(connection, error))
            return false;
        if (outcome == LIDO__AWAIT_REFUSED && !lido__await_may_wait(error))
            return false;
        /* The server may wait for us to read before it reads more. */
        if (!in_vain && PQconsumeInput(connection->wire) == 0)
            break;
    }
    return true;
}

/* libpq takes the beginning of a COPY that it has no memory for as one that has not all come yet, and would wait for
 * the rest for ever. Asked again, it finds memory if there is some again. */
static bool has_memory_for_copy(const postgres_connection *connection) {
    if (!connection->opens_copy || !PQisBusy(connection->wire))
        return true;
    void *volatile probe = malloc(COPY_ANSWER_SIZE);
    free(probe);
    return probe != NULL;
}

PGresult *lido__postgres_next_result(postgres_connection *connection, bool *lost, lido_error *error) {
    *lost = true;
    int unsent = PQflush(connection->wire);
    while (unsent >= 0 && (unsent > 0 || PQisBusy(connection->wire))) {
        if (lido__postgres_ran_out_of_memory(connection)) /* see has_come */
            break;
        lido__await_outcome outcome = wait_for_server(connection, unsent > 0);
        bool in_vain = outcome == LIDO__AWAIT_TIMED_OUT || outcome == LIDO__AWAIT_CANCELLED;
        if (in_vain && give_up(connection, error))
            return NULL;
        if (outcome == LIDO__AWAIT_REFUSED && !lido__await_may_wait(error))
            break;
        /* Reading first: the server may wait for us to read before it reads more. */
        if (!in_vain && !connection->has_read && PQconsumeInput(connection->wire) == 0) {
            if (is_late(connection)) /* who has broken it is the keeper, to whom a far deadline was left */
                fault_no_answer(connection, error);
            break;
        }
        if (!has_memory_for_copy(connection)) {
            lido__fault_memory(error, "reading the server's answer");
            break;
        }
        unsent = unsent > 0 ? PQflush(connection->wire) : 0;
    }
    /* On a broken connection libpq still hands out what had come, the server's last words among it. */
    if (PQisBusy(connection->wire)) {
        if (connection->timed_out || is_late(connection))
            fault_no_answer(connection, error);
        lido__postgres_fault_lost(connection, error);
        return NULL;
    }
    *lost = false;
    return PQgetResult(connection->wire);
}

bool lido__postgres_command(postgres_connection *connection, const char *sql, lido_error *error) {
    bool done = true;
    bool lost = false;
    if (!lido__postgres_settle_owed(connection, error))
        return false;
    if (!PQsendQuery(connection->wire, sql))
        return lido__postgres_fault_lost(connection, error);
    for (PGresult *result; (result = lido__postgres_next_result(connection, &lost, error)) != NULL; PQclear(result)) {
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
            done = lido__postgres_fault_result(connection, result, error);
    }
    return done && !lost;
}
