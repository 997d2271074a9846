/* Reading: the answers of an exchange, sorted under the operations that asked. */
#include <stdlib.h>
#include <string.h>

#include "backend/postgres/exchange.h"
#include "base/fault.h"

/* The server no longer knows the statement, or the table changed under it so that its rows would look different. */
static bool is_stale(const PGresult *result) {
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
    return sqlstate != NULL && (strcmp(sqlstate, "26000") == 0 || (strcmp(sqlstate, "0A000") == 0 && function != NULL &&
                                                                   strcmp(function, "RevalidateCachedQuery") == 0));
}

/* The statement keeps the types that its parameters had when it was prepared, whatever became of the columns that they
 * are for: a value that fits today's may be refused by yesterday's. One that is wrong is refused the same way. So this
 * is believed once: of a statement that an earlier transaction prepared. Prepared anew, it speaks for itself. */
static bool may_have_old_types(const postgres_exchange *exchange, const postgres_answer *expected,
                               const PGresult *result) {
    static const char refusals[] = "22P02 22003 22007 22008 42804 42883 42846";
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return expected->kind == ANSWER_RUN && expected->statement != NULL && sqlstate != NULL &&
           expected->statement->prepared_in != exchange->connection->transaction &&
           exchange->batch->operations[expected->operation].count > 0 && strstr(refusals, sqlstate) != NULL;
}

/* The server has answered operation `index` with an error: it was not done, nor what came after it up to
 * the next Sync. A farewell tells that of what came after, and of a statement in whose place it came: the server may
 * have committed before. An error of libpq's own, which has no memory for the answer, tells nothing. */
static void settle_doubt(postgres_exchange *exchange, size_t index, bool from_server) {
    lido__operation *operations = exchange->batch->operations;
    bool farewell = exchange->connection->base.broken;
    bool tells = from_server && !(farewell && (operations[index].done || operations[index].kind != LIDO__STATEMENT));
    operations[index].in_doubt = !tells;
    if (!from_server)
        return;
    for (size_t i = index + 1; i < exchange->end && !operations[index].alone; i++)
        operations[i].in_doubt = false;
}

static void operation_failed(postgres_exchange *exchange, const postgres_answer *expected, const PGresult *result) {
    lido__batch *batch = exchange->batch;
    bool first = batch->error->status == LIDO_OK;
    bool old_types = may_have_old_types(exchange, expected, result);
    bool uses = expected->kind != ANSWER_PREPARE && expected->statement != NULL;
    bool stale = old_types || (uses && is_stale(result));
    if (old_types && !expected->statement->leaving)
        lido__postgres_retire_statement(exchange->connection, expected->statement);
    if (batch->failed > expected->operation)
        batch->failed = expected->operation;
    lido__postgres_fault_result(exchange->connection, result, batch->error);
    settle_doubt(exchange, expected->operation, PQresultErrorField(result, PG_DIAG_SQLSTATE) != NULL);
    batch->operations[expected->operation].done = false;
    if (!first || !stale)
        return;
    exchange->stale = expected->operation;
    batch->error->retryable = true;
    lido__fault_hint(batch->error, old_types
                                       ? "if a column's type was changed, run the transaction again: the statement is "
                                         "prepared anew for it; else check the values"
                                       : "a prepared statement was dropped, or a table changed under it; run the "
                                         "transaction again");
}

static bool commit_was_rollback(const lido__operation *operation, PGresult *result) {
    return operation->kind == LIDO__COMMIT && strcmp(PQcmdStatus(result), "ROLLBACK") == 0;
}

static void take_answer(postgres_exchange *exchange, const postgres_answer *expected, PGresult *result) {
    lido__batch *batch = exchange->batch;
    lido__operation *operation = &batch->operations[expected->operation];
    postgres_statement *statement = expected->statement;
    if (expected->kind == ANSWER_PREPARE || expected->kind == ANSWER_DEALLOCATE)
        statement->prepared = expected->kind == ANSWER_PREPARE;
    if (expected->kind == ANSWER_TABLE)
        lido__postgres_take_table_answer(exchange, result);
    if (expected->kind != ANSWER_RUN) {
        PQclear(result);
        return;
    }
    operation->done = true;
    operation->in_doubt = false;
    if (statement != NULL && statement->format == POSTGRES_TEXT_FOR_NOW)
        statement->format = lido__postgres_format_for(result);
    if (commit_was_rollback(operation, result)) {
        operation->done = false;
        batch->failed = expected->operation;
        lido__fault(batch->error, LIDO_ERROR_OTHER, "the server rolled the transaction back instead of committing it");
    } else if (operation->kind == LIDO__LAST_KEY) {
        bool whole = PQntuples(result) == 1 && PQnfields(result) == 1; /* else libpq has no field to give */
        operation->last_key = whole ? strtoll(PQgetvalue(result, 0, 0), NULL, 10) : 0;
    } else if (operation->kind == LIDO__STATEMENT) {
        if (!lido__postgres_keep_result(operation, result, batch->error) && batch->failed > expected->operation)
            batch->failed = expected->operation;
        return;
    }
    PQclear(result);
}

/* COPY … FROM STDIN or TO STDOUT would want data that no statement has: the connection cannot be used further. */
static void refuse_copy(postgres_exchange *exchange, const postgres_answer *expected) {
    exchange->batch->failed = expected->operation;
    exchange->batch->operations[expected->operation].in_doubt = false;
    exchange->connection->base.broken = true;
    lido__fault(exchange->batch->error, LIDO_ERROR_MISUSE, "COPY from or to the client cannot be run as a statement");
    lido__fault_hint(exchange->batch->error, "use INSERT, or COPY with a file on the server");
}

/* Sorts one result under what was expected; takes it over. */
void lido__postgres_sort_result(postgres_exchange *exchange, const postgres_answer *expected, PGresult *result) {
    switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        take_answer(exchange, expected, result);
        return;
    case PGRES_PIPELINE_ABORTED:
        exchange->batch->operations[expected->operation].done = false;
        exchange->batch->operations[expected->operation].in_doubt = false;
        break;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        refuse_copy(exchange, expected);
        break;
    default:
        operation_failed(exchange, expected, result);
    }
    PQclear(result);
}

static bool read_answer(postgres_exchange *exchange, const postgres_answer *expected) {
    postgres_connection *connection = exchange->connection;
    lido__batch *batch = exchange->batch;
    bool lost;
    PGresult *result;
    while ((result = lido__postgres_next_result(connection, &lost, batch->error)) != NULL) {
        if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            if (expected->kind == ANSWER_SYNC)
                return true; /* no NULL follows it */
            /* A Sync out of turn: libpq dropped a result that it had no memory for, and this took its place. */
            connection->base.broken = true;
            return lido__fault_memory(batch->error, "reading the server's answer");
        }
        lido__postgres_sort_result(exchange, expected, result);
        if (connection->base.broken)
            return false;
    }
    return !lost;
}

static void read_all(postgres_exchange *exchange) {
    for (size_t i = 0; i < exchange->answer_count; i++) {
        if (read_answer(exchange, &exchange->answers[i]))
            continue;
        if (exchange->batch->failed > exchange->answers[i].operation)
            exchange->batch->failed = exchange->answers[i].operation;
        return;
    }
}

/* Statements whose preparation failed or was skipped are not there. */
static void forget_unprepared(postgres_exchange *exchange) {
    for (size_t i = 0; i < exchange->answer_count; i++) {
        postgres_answer *expected = &exchange->answers[i];
        if (expected->kind != ANSWER_PREPARE || expected->statement->prepared || expected->statement->leaving)
            continue;
        if (expected->statement->preparing)
            expected->statement->preparing = false;
        else
            lido__postgres_retire_statement(exchange->connection, expected->statement);
    }
}

void lido__postgres_read_answers(postgres_exchange *exchange) {
    read_all(exchange);
    forget_unprepared(exchange);
}
