/* BEGIN, COMMIT and ROLLBACK, kept prepared: the server reads the text of each once, with its first use.
 *
 * They are no part of the statement cache: there are ten of them, and none ever leaves. */
#include "backend/postgres/exchange.h"

/* By isolation level and `read_only`; the other two come before them. */
static const char *const texts[POSTGRES_CONTROLS] = {
    [POSTGRES_COMMIT] = "COMMIT",
    [POSTGRES_ROLLBACK] = "ROLLBACK",
    [POSTGRES_BEGIN + 2 * LIDO_ISOLATION_DEFAULT] = "BEGIN",
    [POSTGRES_BEGIN + 2 * LIDO_ISOLATION_DEFAULT + 1] = "BEGIN READ ONLY",
    [POSTGRES_BEGIN + 2 * LIDO_READ_COMMITTED] = "BEGIN ISOLATION LEVEL READ COMMITTED",
    [POSTGRES_BEGIN + 2 * LIDO_READ_COMMITTED + 1] = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY",
    [POSTGRES_BEGIN + 2 * LIDO_REPEATABLE_READ] = "BEGIN ISOLATION LEVEL REPEATABLE READ",
    [POSTGRES_BEGIN + 2 * LIDO_REPEATABLE_READ + 1] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    [POSTGRES_BEGIN + 2 * LIDO_SERIALISABLE] = "BEGIN ISOLATION LEVEL SERIALIZABLE",
    [POSTGRES_BEGIN + 2 * LIDO_SERIALISABLE + 1] = "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
};

/* A transaction that may only read gets the level spelt out that it would have: see may_be_left in owed.c. */
static postgres_control control_of_begin(const postgres_connection *connection, const lido__operation *operation) {
    bool spelt = operation->read_only && connection->reads_committed;
    lido_isolation level =
        spelt && operation->isolation == LIDO_ISOLATION_DEFAULT ? LIDO_READ_COMMITTED : operation->isolation;
    return (postgres_control)(POSTGRES_BEGIN + 2 * (int)level + operation->read_only);
}

static postgres_control control_of(const postgres_connection *connection, const lido__operation *operation) {
    if (operation->kind == LIDO__COMMIT)
        return POSTGRES_COMMIT;
    return operation->kind == LIDO__ROLLBACK ? POSTGRES_ROLLBACK : control_of_begin(connection, operation);
}

bool lido__postgres_control_is_prepared(const postgres_connection *connection, const lido__operation *operation) {
    return connection->controls[control_of(connection, operation)].prepared;
}

void lido__postgres_forget_controls(postgres_connection *connection) {
    for (int i = 0; i < POSTGRES_CONTROLS; i++)
        connection->controls[i] = (postgres_statement){.prepared = false};
}

bool lido__postgres_put_control(postgres_connection *connection, postgres_control control,
                                postgres_statement **prepares) {
    PGconn *wire = connection->wire;
    postgres_statement *statement = &connection->controls[control];
    *prepares = NULL;
    if (!lido__postgres_keeps_statements(connection))
        return PQsendQueryParams(wire, texts[control], 0, NULL, NULL, NULL, NULL, 0);
    if (!statement->prepared && !statement->preparing) {
        lido__postgres_name_statement(connection, statement);
        statement->preparing = true;
        *prepares = statement;
        if (!PQsendPrepare(wire, statement->name, texts[control], 0, NULL))
            return false;
    }
    return PQsendQueryPrepared(wire, statement->name, 0, NULL, NULL, NULL, 0);
}

bool lido__postgres_send_control(postgres_exchange *exchange, postgres_answer_kind kind, size_t index,
                                 postgres_control control) {
    postgres_connection *connection = exchange->connection;
    postgres_statement *prepares;
    if (exchange->forgets) /* by then the server has no statements any more, if what was before it is not refused */
        return lido__postgres_send_command(exchange, kind, index, texts[control]);
    if (!lido__postgres_put_control(connection, control, &prepares))
        return false;
    if (prepares != NULL)
        lido__postgres_expect(exchange, ANSWER_PREPARE, index, prepares);
    lido__postgres_expect(exchange, kind, index, &connection->controls[control]);
    return true;
}

bool lido__postgres_send_begin(postgres_exchange *exchange, postgres_answer_kind kind, size_t index) {
    postgres_connection *connection = exchange->connection;
    const lido__operation *operation = &exchange->batch->operations[index];
    connection->read_only = connection->read_only || operation->read_only;
    return lido__postgres_send_control(exchange, kind, index, control_of_begin(connection, operation));
}
