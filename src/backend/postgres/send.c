/* Sending: operations into libpq's buffer, each leaving a note of the answers to come. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/postgres/exchange.h"
#include "base/fault.h"

/* ---- Statements ---- */

void lido__postgres_retire_statement(postgres_connection *connection, postgres_statement *statement) {
    lido__statement_cache_remove(&connection->statements, &statement->cached);
    statement->leaving = true;
    statement->next_retired = connection->retired;
    connection->retired = statement;
}

void lido__postgres_free_retired(postgres_connection *connection) {
    while (connection->retired != NULL) {
        postgres_statement *statement = connection->retired;
        connection->retired = statement->next_retired;
        if (!statement->prepared) {
            lido__cached_statement_free(&statement->cached);
            continue;
        }
        statement->next_retired = connection->owed;
        connection->owed = statement;
    }
}

void lido__postgres_renew_statements(postgres_connection *connection) {
    while (connection->statements.oldest != NULL)
        lido__postgres_retire_statement(connection, (postgres_statement *)connection->statements.oldest);
    lido__postgres_free_retired(connection);
}

void lido__postgres_forget_statements(postgres_connection *connection) {
    lido__postgres_renew_statements(connection);
    connection->retired = connection->owed;
    connection->owed = NULL;
    for (postgres_statement *statement = connection->retired; statement != NULL; statement = statement->next_retired)
        statement->prepared = false;
    lido__postgres_forget_controls(connection);
    lido__postgres_free_retired(connection);
}

/* Which statement has to leave the server before another one comes; NULL: none. */
static postgres_statement *statement_to_leave(postgres_connection *connection) {
    postgres_statement *leaves = connection->owed;
    if (leaves == NULL) {
        leaves = (postgres_statement *)lido__statement_cache_surplus(&connection->statements);
        if (leaves != NULL)
            lido__postgres_retire_statement(connection, leaves);
        return leaves;
    }
    connection->owed = leaves->next_retired;
    leaves->next_retired = connection->retired;
    return connection->retired = leaves;
}

void lido__postgres_name_statement(postgres_connection *connection, postgres_statement *statement) {
    snprintf(statement->name, sizeof statement->name, "lido_%llu", (unsigned long long)++connection->statements_made);
}

static postgres_statement *statement_add(postgres_connection *connection, const lido__sql *sql) {
    postgres_statement *statement = calloc(1, sizeof *statement);
    if (statement == NULL)
        return NULL;
    lido__postgres_name_statement(connection, statement);
    statement->prepared_in = connection->transaction;
    if (lido__statement_cache_add(&connection->statements, &statement->cached, sql))
        return statement;
    free(statement);
    return NULL;
}

bool lido__postgres_keeps_statements(const postgres_connection *connection) {
    return connection->config->prepare && connection->statements.capacity > 0;
}

/* ---- Sending ---- */

void lido__postgres_expect(postgres_exchange *exchange, postgres_answer_kind kind, size_t operation,
                           postgres_statement *statement) {
    exchange->answers[exchange->answer_count++] = (postgres_answer){kind, operation, statement};
}

/* A command without parameters, from constants. */
bool lido__postgres_send_command(postgres_exchange *exchange, postgres_answer_kind kind, size_t operation,
                                 const char *sql) {
    PGconn *wire = exchange->connection->wire;
    lido__postgres_expect(exchange, kind, operation, NULL);
    return exchange->pipelined ? PQsendQueryParams(wire, sql, 0, NULL, NULL, NULL, NULL, 0) : PQsendQuery(wire, sql);
}

bool lido__postgres_send_sync(postgres_exchange *exchange, size_t operation) {
    lido__postgres_expect(exchange, ANSWER_SYNC, operation, NULL);
    return PQpipelineSync(exchange->connection->wire);
}

bool lido__postgres_send_prepare(postgres_exchange *exchange, size_t index) {
    postgres_connection *connection = exchange->connection;
    const lido__sql *sql = exchange->batch->operations[index].sql;
    postgres_statement *leaves = statement_to_leave(connection);
    if (leaves != NULL) {
        char command[40];
        snprintf(command, sizeof command, "DEALLOCATE %s", leaves->name);
        if (!lido__postgres_send_command(exchange, ANSWER_DEALLOCATE, index, command))
            return false;
        exchange->answers[exchange->answer_count - 1].statement = leaves;
    }
    postgres_statement *statement = statement_add(connection, sql);
    if (statement == NULL)
        return lido__fault_memory(exchange->batch->error, "preparing a statement");
    lido__postgres_expect(exchange, ANSWER_PREPARE, index, statement);
    return PQsendPrepare(connection->wire, statement->name, sql->translated, 0, NULL);
}

bool lido__postgres_send_run(postgres_exchange *exchange, size_t index, postgres_statement *statement) {
    postgres_connection *connection = exchange->connection;
    lido__operation *operation = &exchange->batch->operations[index];
    postgres_parameters with;
    if (!lido__postgres_encode(connection, operation, &with))
        return lido__fault_memory(exchange->batch->error, "sending the parameters");
    lido__postgres_expect(exchange, ANSWER_RUN, index, statement);
    if (statement != NULL)
        return PQsendQueryPrepared(connection->wire, statement->name, with.count, with.values, with.sizes, with.formats,
                                   statement->format == POSTGRES_BINARY);
    return PQsendQueryParams(connection->wire, operation->sql->translated, with.count, NULL, with.values, with.sizes,
                             with.formats, 0);
}

bool lido__postgres_send_statement(postgres_exchange *exchange, size_t index) {
    postgres_connection *connection = exchange->connection;
    const lido__sql *sql = exchange->batch->operations[index].sql;
    postgres_statement *statement = NULL;
    if (lido__postgres_keeps_statements(connection)) {
        statement = (postgres_statement *)lido__statement_cache_find(&connection->statements, sql);
        if (statement == NULL) {
            if (!lido__postgres_send_prepare(exchange, index))
                return false;
            statement = (postgres_statement *)connection->statements.newest;
        }
    }
    exchange->forgets = exchange->forgets || sql->kind == LIDO__SQL_FORGETS;
    return lido__postgres_send_run(exchange, index, statement);
}

/* A statement that stands alone is its own transaction without more, unless that has to be of a certain kind. */
bool lido__postgres_needs_transaction(const lido__operation *operation) {
    return operation->alone && (operation->read_only || operation->isolation != LIDO_ISOLATION_DEFAULT);
}

/* Where more comes after it, COMMIT stands behind a Sync of its own, so that it ends the transaction of a statement
 * that failed, too, and the next one's can begin. */
static bool send_alone(postgres_exchange *exchange, size_t index) {
    bool more = index + 1 < exchange->end;
    return lido__postgres_send_begin(exchange, ANSWER_ASIDE, index) && lido__postgres_send_statement(exchange, index) &&
           (!more || lido__postgres_send_sync(exchange, index)) &&
           lido__postgres_send_control(exchange, ANSWER_ASIDE, index, POSTGRES_COMMIT);
}

static bool send_control(postgres_exchange *exchange, size_t index) {
    const lido__operation *operation = &exchange->batch->operations[index];
    char text[96];
    switch (operation->kind) {
    case LIDO__BEGIN:
        return lido__postgres_send_begin(exchange, ANSWER_RUN, index);
    case LIDO__COMMIT:
        return lido__postgres_send_control(exchange, ANSWER_RUN, index, POSTGRES_COMMIT);
    case LIDO__ROLLBACK:
        return lido__postgres_send_control(exchange, ANSWER_RUN, index, POSTGRES_ROLLBACK);
    case LIDO__LAST_KEY:
        return lido__postgres_send_command(exchange, ANSWER_RUN, index, "SELECT lastval()");
    case LIDO__SAVEPOINT:
        exchange->connection->stream_savepoint = false; /* out of reach until this one is gone */
        snprintf(text, sizeof text, "SAVEPOINT lido_%d", operation->savepoint);
        break;
    case LIDO__ROLLBACK_TO:
        exchange->connection->stream_savepoint = false;
        snprintf(text, sizeof text, "ROLLBACK TO lido_%d", operation->savepoint);
        if (!lido__postgres_send_command(exchange, ANSWER_ASIDE, index, text))
            return false;
        snprintf(text, sizeof text, "RELEASE lido_%d", operation->savepoint);
        break;
    default:
        exchange->connection->stream_savepoint = false;
        snprintf(text, sizeof text, "RELEASE lido_%d", operation->savepoint);
    }
    return lido__postgres_send_command(exchange, ANSWER_RUN, index, text);
}

bool lido__postgres_send_operation(postgres_exchange *exchange, size_t index) {
    lido__operation *operation = &exchange->batch->operations[index];
    bool sent;
    operation->in_doubt = true;
    if (operation->kind != LIDO__STATEMENT)
        sent = send_control(exchange, index);
    else if (lido__postgres_needs_transaction(operation))
        sent = send_alone(exchange, index);
    else
        sent = lido__postgres_send_statement(exchange, index);
    if (!sent && PQstatus(exchange->connection->wire) == CONNECTION_OK)
        operation->in_doubt = false; /* memory ran out before it was whole */
    return sent;
}
