/* A connection as a lane: it stays in pipeline mode, and statements of many are sent on it without waiting for the
 * answers of those before.
 *
 * For each answer that is to come there is a note, in a ring; they come in that order. A statement is prepared with its
 * first flight, and those behind it rely on that; where it fails, they are skipped, or find the statement missing, and
 * fly again unprepared, relying on nobody. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "await/await.h"
#include "backend/postgres/exchange.h"
#include "base/clock.h"
#include "base/fault.h"

/* DEALLOCATE, PREPARE, run and Sync for each. A power of two. */
enum { NOTES_MOST = 4 * LIDO__FLIGHTS_MOST };

typedef struct lane_note {
    postgres_answer_kind kind;
    postgres_statement *statement;
    lido__flight *flight; /* of a Sync: none */
} lane_note;

struct postgres_lane {
    unsigned first; /* these two run on, and are cut to the ring's size */
    unsigned end;
    uint64_t sent; /* flights, counted */
    uint64_t landed;
    lane_note notes[NOTES_MOST];
};

static postgres_connection *of(lido__connection *connection) {
    return (postgres_connection *)connection;
}

/* A service file may hold `options`, which ours would take the place of. */
static const char *obstacle(const lido__config *config) {
    bool service = getenv("PGSERVICE") != NULL;
    for (size_t i = 0; i < config->keyword_count; i++)
        service = service || strcmp(config->keywords[i].name, "service") == 0;
    if (service)
        return "a service file may hold options, which those of a lane would take the place of";
    return config->prepare ? NULL : "prepare is off";
}

/* At any other level the transaction that neighbours share could be noticed; a server that lets it write did not
 * get, or did not take, what the connection was opened with. */
static bool is_fit(const postgres_connection *connection, lido_error *error) {
    if (!connection->reads_committed)
        return lido__fault(error, LIDO_ERROR_CONFIGURATION,
                           "the server's default_transaction_isolation is not read committed");
    return connection->writes_nothing ||
           lido__fault(error, LIDO_ERROR_CONFIGURATION,
                       "the server, or a pooler before it, has ignored the option default_transaction_read_only");
}

static bool begin(lido__connection *base, lido_error *error) {
    postgres_connection *connection = of(base);
    if (!is_fit(connection, error) || !lido__postgres_settle_owed(connection, error))
        return false;
    connection->lane = calloc(1, sizeof *connection->lane);
    if (connection->lane == NULL || !PQenterPipelineMode(connection->wire)) {
        free(connection->lane);
        connection->lane = NULL;
        return lido__fault_memory(error, "opening a lane");
    }
    connection->read_only = true;
    connection->timed_out = false;
    return true;
}

/* ---- Statements that have left the cache ---- */

/* Those that nothing under way refers to any more. */
static void free_retired(postgres_connection *connection) {
    postgres_statement *retired = connection->retired;
    connection->retired = NULL;
    while (retired != NULL) {
        postgres_statement *next = retired->next_retired;
        bool flies = retired->last_flight > connection->lane->landed;
        postgres_statement **list = flies ? &connection->retired : &connection->owed;
        if (flies || retired->prepared) {
            retired->next_retired = *list;
            *list = retired;
        } else {
            lido__cached_statement_free(&retired->cached);
        }
        retired = next;
    }
}

static void end(lido__connection *base) {
    postgres_connection *connection = of(base);
    postgres_lane *lane = connection->lane;
    bool idle = lane->first == lane->end && !base->broken;
    lane->landed = lane->sent;
    free_retired(connection);
    base->broken = !idle || !PQexitPipelineMode(connection->wire);
    base->in_transaction = connection->read_only = false;
    connection->lane = NULL;
    free(lane);
}

static int descriptor(const lido__connection *base) {
    return PQsocket(((const postgres_connection *)base)->wire);
}

/* ---- Sending ---- */

static void take_note(postgres_lane *lane, const postgres_answer *answer, lido__flight *flight) {
    lane->notes[lane->end++ % NOTES_MOST] = (lane_note){answer->kind, answer->statement, flight};
    if (answer->statement != NULL)
        answer->statement->last_flight = lane->sent;
}

static void send_flight(lido__connection *base, lido__flight *flight) {
    postgres_connection *connection = of(base);
    postgres_answer answers[ANSWERS_FOR_ONE_MOST];
    postgres_exchange exchange = {
        .connection = connection, .batch = flight->batch, .end = 1, .pipelined = true, .answers = answers};
    flight->sent_in = connection->transaction;
    flight->skipped = false;
    bool sent =
        flight->again ? lido__postgres_send_run(&exchange, 0, NULL) : lido__postgres_send_statement(&exchange, 0);
    connection->lane->sent++;
    for (size_t i = 0; i < exchange.answer_count; i++)
        take_note(connection->lane, &answers[i], flight);
    base->broken = base->broken || !sent; /* half of it may be in libpq's buffer */
}

static void sync(lido__connection *base) {
    postgres_connection *connection = of(base);
    const postgres_answer answer = {.kind = ANSWER_SYNC};
    take_note(connection->lane, &answer, NULL);
    connection->transaction++;
    lido__arena_reset(&connection->scratch);
    if (!PQpipelineSync(connection->wire))
        base->broken = true;
}

static bool flush(lido__connection *base) {
    int left = PQflush(of(base)->wire);
    if (left < 0)
        base->broken = true;
    return left > 0;
}

/* ---- Receiving ---- */

static void receive(lido__connection *base) {
    if (PQconsumeInput(of(base)->wire) == 0)
        base->broken = true;
}

/* A statement that the server has forgotten, or whose table has changed: it is run again, and prepared anew for the
 * next. */
static void renew(postgres_connection *connection, lane_note *note) {
    lido__batch *batch = note->flight->batch;
    if (!note->statement->leaving)
        lido__postgres_retire_statement(connection, note->statement);
    if (strcmp(batch->error->sqlstate, "26000") == 0)
        note->statement->prepared = false;
    lido__fault_clear(batch->error);
    batch->failed = batch->count;
    note->flight->skipped = true;
}

static void sort_into(postgres_connection *connection, lane_note *note, lido__batch *batch, PGresult *result) {
    postgres_exchange exchange = {.connection = connection, .batch = batch, .end = 1, .stale = SIZE_MAX};
    const postgres_answer expected = {note->kind, 0, note->statement};
    uint64_t transaction = connection->transaction;
    if (batch->error->status == LIDO_OK && PQresultStatus(result) == PGRES_PIPELINE_ABORTED)
        note->flight->skipped = true;
    connection->transaction = note->flight->sent_in;
    connection->deadline = batch->deadline;
    lido__postgres_sort_result(&exchange, &expected, result);
    connection->transaction = transaction;
    if (exchange.stale != SIZE_MAX && note->flight->batch != NULL)
        renew(connection, note);
}

/* What nobody wants may yet tell that a statement is prepared. */
static void drop(postgres_connection *connection, lane_note *note, PGresult *result) {
    lido__operation operation = {.kind = LIDO__STATEMENT};
    lido_error ignored = LIDO_ERROR_INIT;
    lido__batch batch = {
        .operations = &operation, .count = 1, .failed = 1, .deadline = LIDO__NO_DEADLINE, .error = &ignored};
    sort_into(connection, note, &batch, result);
}

static void sort(postgres_connection *connection, lane_note *note, PGresult *result) {
    if (note->flight->batch != NULL)
        sort_into(connection, note, note->flight->batch, result);
    else
        drop(connection, note, result);
}

/* All that belongs to the note has come. Returns the flight that has landed by it, or NULL. */
static lido__flight *settle(postgres_connection *connection, const lane_note *note) {
    postgres_statement *statement = note->statement;
    connection->lane->first++;
    if (note->kind == ANSWER_PREPARE && !statement->prepared && !statement->leaving)
        lido__postgres_retire_statement(connection, statement);
    if (note->kind != ANSWER_RUN)
        return NULL;
    connection->lane->landed++;
    if (connection->retired != NULL)
        free_retired(connection);
    return note->flight;
}

/* libpq hands out what had come before the connection broke, and then an error of its own, or the server's farewell, in
 * place of an answer: that is nobody's. */
static bool is_lost(postgres_connection *connection) {
    if (PQstatus(connection->wire) == CONNECTION_BAD)
        connection->base.broken = true;
    return connection->base.broken;
}

static lido__flight *landed(lido__connection *base) {
    postgres_connection *connection = of(base);
    postgres_lane *lane = connection->lane;
    while (lane->first != lane->end && !is_lost(connection)) {
        lane_note *note = &lane->notes[lane->first % NOTES_MOST];
        if (PQisBusy(connection->wire)) {
            base->broken = lido__postgres_ran_out_of_memory(connection); /* then it may have lost count */
            return NULL;
        }
        PGresult *result = PQgetResult(connection->wire);
        bool is_sync = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        if (result != NULL && !is_sync && note->flight != NULL) {
            sort(connection, note, result);
            continue;
        }
        PQclear(result);
        /* A result was dropped for which there was no memory; or an error at a Sync, of which nobody knows whose it
         * is. */
        if (is_sync != (note->kind == ANSWER_SYNC)) {
            base->broken = true;
            return NULL;
        }
        lido__flight *flight = settle(connection, note);
        if (flight != NULL)
            return flight;
    }
    return NULL;
}

/* Reads past libpq what comes until then, for it is nobody's. False: nothing more will come. */
static bool drop_what_comes(int socket, int64_t until) {
    char nothing[4096];
    while (lido__clock_now_us() < until && lido__await_descriptor(socket, true, false, until) == LIDO__AWAIT_READY) {
        ssize_t size = recv(socket, nothing, sizeof nothing, MSG_DONTWAIT);
        if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR))
            return false;
    }
    return true;
}

/* The server is told that nothing more comes, and leaves when it has read all that was sent. Until then it is cancelled
 * again and again, whether it is silent or not: one that arrives between two messages hits nothing, and there may be
 * many statements. */
static void see_off(lido__connection *base, int64_t deadline) {
    enum { CANCEL_EACH_MS = 100 };
    PGconn *wire = of(base)->wire;
    int socket = PQsocket(wire);
    if (socket < 0 || shutdown(socket, SHUT_WR) != 0)
        return;
    do
        lido__postgres_send_cancel(PQgetCancel(wire));
    while (drop_what_comes(socket, lido__deadline_in_ms(CANCEL_EACH_MS)) && lido__clock_now_us() < deadline);
}

const lido__lane_operations lido__postgres_lane_operations = {
    .obstacle = obstacle,
    .begin = begin,
    .end = end,
    .descriptor = descriptor,
    .send = send_flight,
    .sync = sync,
    .flush = flush,
    .receive = receive,
    .landed = landed,
    .see_off = see_off,
};
