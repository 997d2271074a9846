/* Running a batch on a PostgreSQL connection: everything is sent, then every answer is read.
 *
 * A single prepared statement goes out by itself; more than one thing goes out as a pipeline, one round trip for all.
 * Each thing sent leaves a note of which answer is expected; the answers come in that order. A Sync
 * ends what stands or falls together: the batch, or each operation that stands alone. */
#include <string.h>

#include "backend/postgres/exchange.h"
#include "base/fault.h"

/* One statement that is prepared, or is not to be, needs no pipeline. */
static bool fits_without_pipeline(const postgres_exchange *exchange) {
    postgres_connection *connection = exchange->connection;
    const lido__operation *operation = &exchange->batch->operations[exchange->first];
    if (connection->owes || exchange->end - exchange->first != 1 || operation->kind == LIDO__ROLLBACK_TO ||
        lido__postgres_needs_transaction(operation))
        return false;
    if (!lido__postgres_keeps_statements(connection))
        return true;
    if (operation->kind == LIDO__COMMIT || operation->kind == LIDO__ROLLBACK)
        return lido__postgres_control_is_prepared(connection, operation);
    return operation->kind != LIDO__STATEMENT ||
           lido__statement_cache_find(&connection->statements, operation->sql) != NULL;
}

static bool send_all(postgres_exchange *exchange) {
    bool synced = false;
    for (size_t i = exchange->first; i < exchange->end; i++) {
        const lido__operation *operation = &exchange->batch->operations[i];
        if (!lido__postgres_send_operation(exchange, i))
            return false;
        synced = operation->alone;
        if (exchange->pipelined && synced && !lido__postgres_send_sync(exchange, i))
            return false;
    }
    return !exchange->pipelined || synced || lido__postgres_send_sync(exchange, exchange->end - 1);
}

/* ---- The exchange ---- */

static bool exchange_could_not_send(postgres_exchange *exchange) {
    lido__batch *batch = exchange->batch;
    if (batch->failed > exchange->first)
        batch->failed = exchange->first;
    if (PQstatus(exchange->connection->wire) == CONNECTION_OK)
        lido__fault_memory(batch->error, "sending a batch");
    lido__postgres_fault_lost(exchange->connection, batch->error);
    /* Half a batch is in libpq's buffer and cannot be taken back. */
    exchange->connection->base.broken = true;
    return false;
}

static bool exchange_begin(postgres_exchange *exchange, bool pipelined) {
    postgres_connection *connection = exchange->connection;
    lido__batch *batch = exchange->batch;
    size_t count = exchange->end - exchange->first;
    exchange->stale = SIZE_MAX;
    exchange->forgets = false;
    exchange->answer_count = 0;
    exchange->answers =
        lido__arena_allocate(&connection->scratch, (count * ANSWERS_FOR_ONE_MOST + 1) * sizeof(postgres_answer));
    if (exchange->answers == NULL) {
        batch->failed = exchange->first;
        return lido__fault_memory(batch->error, "sending a batch");
    }
    connection->timed_out = false;
    connection->deadline = batch->deadline;
    exchange->pipelined = pipelined;
    return !pipelined || PQenterPipelineMode(connection->wire) || exchange_could_not_send(exchange);
}

static void exchange_end(postgres_exchange *exchange) {
    postgres_connection *connection = exchange->connection;
    if (exchange->pipelined && !connection->base.broken && !PQexitPipelineMode(connection->wire))
        lido__postgres_fault_lost(connection, exchange->batch->error);
}

/* The connection broke over what was owed. What was sent after it may have been done, but it does not stand; see
 * stands_by_itself. */
static bool owed_was_lost(lido__batch *batch) {
    batch->failed = 0;
    batch->untouched = true;
    for (size_t i = 0; i < batch->count; i++)
        batch->operations[i].done = batch->operations[i].in_doubt = false;
    return false;
}

static void read_answers(postgres_exchange *exchange) {
    if (!exchange->connection->owes || lido__postgres_read_owed(exchange->connection, exchange->batch->error))
        lido__postgres_read_answers(exchange);
    else
        owed_was_lost(exchange->batch);
}

/* Sends operations first … end - 1 and reads their answers. */
static bool exchange_run(postgres_exchange *exchange) {
    if (!exchange_begin(exchange, !fits_without_pipeline(exchange)))
        return false;
    if (!send_all(exchange))
        return exchange_could_not_send(exchange);
    read_answers(exchange);
    exchange_end(exchange);
    return exchange->batch->failed >= exchange->end;
}

/* ---- Streams ---- */

static postgres_stream_end stream_end_of(const lido__operation *operation) {
    if (lido__postgres_needs_transaction(operation))
        return STREAM_ENDS_TRANSACTION;
    return operation->alone ? STREAM_ENDS_ALONE : STREAM_ENDS_SAVEPOINT;
}

/* The last stream's savepoint goes first, if it is still there: a transaction of many streams would pile them up. */
static bool send_savepoint(postgres_exchange *exchange, size_t stream) {
    postgres_connection *connection = exchange->connection;
    bool there = connection->stream_savepoint;
    connection->stream_savepoint = true;
    return (!there || lido__postgres_send_command(exchange, ANSWER_ASIDE, stream, "RELEASE lido_stream")) &&
           lido__postgres_send_command(exchange, ANSWER_ASIDE, stream, "SAVEPOINT lido_stream");
}

/* What goes before a stream, or many rows: what was queued, its statement's preparation, and its transaction or
 * savepoint. */
static bool send_prelude(postgres_exchange *exchange, size_t stream) {
    postgres_connection *connection = exchange->connection;
    const lido__operation *operation = &exchange->batch->operations[stream];
    for (size_t i = 0; i < stream; i++)
        if (!lido__postgres_send_operation(exchange, i) ||
            (exchange->batch->operations[i].alone && !lido__postgres_send_sync(exchange, i)))
            return false;
    if (operation->bulk != NULL)
        return lido__postgres_send_table_question(exchange, stream) && lido__postgres_send_sync(exchange, stream);
    /* BEGIN first: a preparation takes a snapshot, after which the transaction's kind is settled. */
    if (lido__postgres_needs_transaction(operation) && !lido__postgres_send_begin(exchange, ANSWER_ASIDE, stream))
        return false;
    if (lido__postgres_keeps_statements(connection) &&
        lido__statement_cache_find(&connection->statements, operation->sql) == NULL &&
        !lido__postgres_send_prepare(exchange, stream))
        return false;
    if (!operation->alone && !send_savepoint(exchange, stream))
        return false;
    return lido__postgres_send_sync(exchange, stream);
}

static bool run_prelude(postgres_exchange *exchange, size_t stream) {
    postgres_connection *connection = exchange->connection;
    if (!exchange_begin(exchange, true))
        return false;
    if (!send_prelude(exchange, stream))
        return exchange_could_not_send(exchange);
    read_answers(exchange);
    exchange_end(exchange);
    return exchange->batch->failed == exchange->batch->count && !connection->base.broken;
}

/* Reads what comes instead of rows: an error, or the answer of a statement that has none. */
static void read_instead_of_rows(postgres_exchange *exchange, size_t stream, PGresult *first) {
    postgres_connection *connection = exchange->connection;
    lido__batch *batch = exchange->batch;
    const postgres_answer *expected = &exchange->answers[exchange->answer_count - 1];
    bool lost;
    for (; first != NULL; first = lido__postgres_next_result(connection, &lost, batch->error)) {
        lido__postgres_sort_result(exchange, expected, first); /* an error may follow, a deferred constraint's */
        if (connection->base.broken)
            break;
    }
    bool commits = lido__postgres_needs_transaction(&batch->operations[stream]);
    if (commits && batch->error->status == LIDO_OK && !connection->base.broken)
        batch->operations[stream].done =
            lido__postgres_command(connection, "COMMIT", batch->error) || connection->base.broken;
    if (batch->error->status != LIDO_OK && batch->failed > stream)
        batch->failed = stream;
}

static bool read_first_row(postgres_exchange *exchange, size_t stream) {
    postgres_connection *connection = exchange->connection;
    lido__operation *operation = &exchange->batch->operations[stream];
    bool lost;
    PQsetSingleRowMode(connection->wire);
    PGresult *first = lido__postgres_next_result(connection, &lost, exchange->batch->error);
    ExecStatusType status = PQresultStatus(first);
    if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK) {
        read_instead_of_rows(exchange, stream, first);
        return exchange->batch->failed == exchange->batch->count;
    }
    operation->done = true;
    if (lido__postgres_open_stream(connection, operation, first, stream_end_of(operation), exchange->batch->error))
        return true;
    exchange->batch->failed = stream;
    return false;
}

/* Two round trips: the statement itself cannot be in a pipeline that is still open while its rows are read. */
static bool run_stream(postgres_exchange *exchange) {
    size_t stream = exchange->batch->count - 1;
    exchange->end = exchange->batch->count;
    if (!run_prelude(exchange, stream) || !exchange_begin(exchange, false))
        return false;
    exchange->batch->operations[stream].in_doubt = true;
    if (!lido__postgres_send_statement(exchange, stream))
        return exchange_could_not_send(exchange);
    return read_first_row(exchange, stream);
}

/* Rows in bulk: COPY cannot be in a pipeline. */
static bool run_bulk(postgres_exchange *exchange) {
    size_t bulk = exchange->batch->count - 1;
    exchange->end = exchange->batch->count;
    return run_prelude(exchange, bulk) && exchange_begin(exchange, false) && lido__postgres_copy_rows(exchange, bulk);
}

/* ---- The batch ---- */

static bool run_by_last(postgres_exchange *exchange) {
    const lido__batch *batch = exchange->batch;
    const lido__operation *last = batch->count > 0 ? &batch->operations[batch->count - 1] : NULL;
    if (last != NULL && last->bulk != NULL)
        return run_bulk(exchange);
    return last != NULL && last->stream ? run_stream(exchange) : exchange_run(exchange);
}

static bool leave_failed_transaction(postgres_connection *connection) {
    lido_error ignored = LIDO_ERROR_INIT;
    return !connection->base.broken && (PQtransactionStatus(connection->wire) == PQTRANS_IDLE ||
                                        lido__postgres_command(connection, "ROLLBACK", &ignored));
}

static void run_one_again(const postgres_exchange *exchange, size_t index) {
    lido__batch *batch = exchange->batch;
    lido__operation *operation = &batch->operations[index];
    lido__batch one = {
        .operations = operation, .count = 1, .deadline = batch->deadline, .failed = 1, .error = batch->error};
    postgres_exchange again = {.connection = exchange->connection, .batch = &one, .end = 1};
    bool done = operation->stream ? run_stream(&again) : exchange_run(&again);
    if (!done && batch->failed > index)
        batch->failed = index;
}

/* Of operations that stand alone, those after a stale one may have been done; what was not is each run again: another
 * statement may have been stale, too, and its error was not kept. A stream comes last, if all before it is done. */
static bool run_undone_again(const postgres_exchange *exchange) {
    lido__batch *batch = exchange->batch;
    for (size_t i = exchange->stale; i < batch->count; i++) {
        const lido__operation *operation = &batch->operations[i];
        if (operation->done || operation->in_doubt)
            continue;
        if ((operation->stream && batch->failed < batch->count) || !leave_failed_transaction(exchange->connection))
            break;
        run_one_again(exchange, i);
    }
    return batch->failed == batch->count;
}

/* A stale statement can be prepared anew and run again only if nothing else of its transaction is lost by that. */
static bool run_again(postgres_exchange *exchange, bool was_in_transaction) {
    postgres_connection *connection = exchange->connection;
    lido__batch *batch = exchange->batch;
    bool alone = batch->operations[exchange->stale].alone;
    if (strcmp(batch->error->sqlstate, "26000") == 0)
        lido__postgres_forget_statements(connection);
    else if (strcmp(batch->error->sqlstate, "0A000") == 0)
        lido__postgres_renew_statements(connection);
    if (was_in_transaction || (!alone && batch->operations[0].kind != LIDO__BEGIN) ||
        !leave_failed_transaction(connection))
        return false;
    lido__fault_clear(batch->error);
    batch->failed = batch->count;
    if (alone)
        return run_undone_again(exchange);
    return run_by_last(exchange);
}

/* Before the next batch what a program set is set back: RESET ALL and DISCARD ALL go back to the server's own, and SET
 * to anything. (As parameters of the connection's start they would outlast the former two; but poolers refuse those,
 * and a role's own order of day and month would be lost.) A rollback undoes it again, so within a transaction they are
 * looked at each time; in a failed one nothing can be set. */
static bool settle_again(postgres_connection *connection, lido__batch *batch) {
    PGTransactionStatusType transaction = PQtransactionStatus(connection->wire);
    connection->unsettled = transaction != PQTRANS_IDLE;
    if (transaction != PQTRANS_IDLE && transaction != PQTRANS_INTRANS)
        return true;
    if (lido__postgres_settle(connection, batch->error))
        return true;
    connection->unsettled = true;
    batch->failed = 0;
    return false;
}

static void note_effects(postgres_connection *connection, const lido__batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        const lido__operation *operation = &batch->operations[i];
        lido__sql_kind kind = operation->sql != NULL ? operation->sql->kind : LIDO__SQL_READS;
        if (operation->done && kind == LIDO__SQL_FORGETS)
            lido__postgres_forget_statements(connection);
        if (kind == LIDO__SQL_FORGETS || kind == LIDO__SQL_SETTING)
            connection->unsettled = true;
    }
}

static void batch_finish(postgres_connection *connection, const lido__batch *batch) {
    note_effects(connection, batch);
    lido__postgres_free_retired(connection);
    lido__arena_reset(&connection->scratch);
    if (PQstatus(connection->wire) == CONNECTION_BAD)
        connection->base.broken = true;
    connection->base.in_transaction = PQtransactionStatus(connection->wire) != PQTRANS_IDLE;
    if (!connection->base.in_transaction)
        connection->read_only = connection->stream_savepoint = false;
}

/* A transaction that was not committed can be begun again elsewhere, and so can one that the server keeps from writing.
 * What commits by being run must not travel behind an answer that is owed: if that did not come, nobody would know. A
 * SELECT by itself is such, too, for it may call a function that writes. */
static bool stands_by_itself(const lido__batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        const lido__operation *operation = &batch->operations[i];
        if (operation->kind == LIDO__COMMIT || (operation->alone && !operation->read_only))
            return true;
    }
    return false;
}

/* What has come of an owed answer by itself makes the way free without a pipeline. */
static bool clear_the_way(postgres_connection *connection, lido__batch *batch) {
    if (connection->owes && !lido__postgres_take_owed(connection))
        lido__postgres_fault_lost(connection, batch->error);
    else if (connection->owes && (connection->unsettled || stands_by_itself(batch)))
        lido__postgres_settle_owed(connection, batch->error);
    return !connection->base.broken || owed_was_lost(batch);
}

/* A transaction around an operation that stands alone is nobody else's to end. */
static void end_own_transaction(postgres_connection *connection) {
    lido_error ignored = LIDO_ERROR_INIT;
    if (!connection->base.broken)
        lido__postgres_command(connection, "ROLLBACK", &ignored);
    connection->base.in_transaction = PQtransactionStatus(connection->wire) != PQTRANS_IDLE;
}

bool lido__postgres_run(lido__connection *base, lido__batch *batch) {
    postgres_connection *connection = (postgres_connection *)base;
    bool was_in_transaction = base->in_transaction;
    postgres_exchange exchange = {.connection = connection, .batch = batch, .first = 0, .end = batch->count};
    batch->failed = batch->count;
    bool unawaited = batch->count == 1 && batch->operations[0].unawaited;
    connection->timed_out = false;
    connection->deadline = batch->deadline;
    if (connection->owes && !clear_the_way(connection, batch))
        return false;
    if (unawaited && lido__postgres_leave(connection, &batch->operations[0]))
        return true;
    if (connection->unsettled && !settle_again(connection, batch))
        return false;
    connection->transaction += !was_in_transaction;
    bool done = run_by_last(&exchange);
    if (!done && exchange.stale != SIZE_MAX)
        done = run_again(&exchange, was_in_transaction);
    batch_finish(connection, batch);
    if (!done && base->in_transaction && !was_in_transaction && batch->operations[0].alone)
        end_own_transaction(connection);
    return done;
}
