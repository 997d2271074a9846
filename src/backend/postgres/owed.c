/* The end of a transaction that nobody waits for: sent, and its answer left for who uses the connection next.
 *
 * So it may be only what cannot change what the holder was told: a ROLLBACK, or the COMMIT of a transaction that the
 * server itself kept from writing. The connection stays in pipeline mode, where libpq lets the next statement go out
 * before the answer has come; the answer is read with that statement's own, or when the connection is looked at. */
#include "backend/postgres/postgres.h"
#include "base/fault.h"

/* At SERIALIZABLE, a transaction that only read is valid once its COMMIT is. Where the session leaves the level to the
 * server, lido says at BEGIN what it was when the connection was opened. A setting may have
 * allowed it to write after all: SET TRANSACTION READ WRITE. */
static bool may_be_left(const postgres_connection *connection, const lido__operation *operation) {
    bool plain = operation->isolation == LIDO_READ_COMMITTED || operation->isolation == LIDO_REPEATABLE_READ ||
                 (operation->isolation == LIDO_ISOLATION_DEFAULT && connection->reads_committed);
    return operation->kind == LIDO__ROLLBACK ||
           (operation->read_only && connection->read_only && plain && !connection->unsettled);
}

bool lido__postgres_leave(postgres_connection *connection, lido__operation *operation) {
    PGconn *wire = connection->wire;
    postgres_control control = operation->kind == LIDO__ROLLBACK ? POSTGRES_ROLLBACK : POSTGRES_COMMIT;
    if (!may_be_left(connection, operation) || PQtransactionStatus(wire) == PQTRANS_ACTIVE ||
        !PQenterPipelineMode(wire))
        return false;
    if (!lido__postgres_put_control(connection, control, &connection->owed_control) || !PQpipelineSync(wire)) {
        connection->base.broken = true; /* half of it may be in libpq's buffer */
        return false;
    }
    connection->owes = true;
    connection->base.in_transaction = connection->read_only = connection->stream_savepoint = false;
    operation->done = true;
    /* What the socket does not take at once is waited for, or the server would keep the transaction. */
    lido_error error = LIDO_ERROR_INIT;
    if (PQflush(wire) != 0 && !lido__postgres_read_owed(connection, &error))
        operation->done = operation->kind == LIDO__COMMIT;
    return true;
}

static void is_settled(postgres_connection *connection) {
    if (connection->owed_control != NULL)
        connection->owed_control->prepared = true;
    connection->owed_control = NULL;
    connection->owes = false;
}

/* The ROLLBACK's or COMMIT's result, or its preparation's, its end, and the Sync. */
static bool read_result(postgres_connection *connection, PGresult *result, lido_error *error) {
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_PIPELINE_SYNC)
        is_settled(connection);
    else if (result != NULL && status != PGRES_COMMAND_OK)
        connection->base.broken = !lido__postgres_fault_result(connection, result, error);
    PQclear(result);
    return !connection->base.broken;
}

static bool leave_pipeline(postgres_connection *connection, lido_error *error) {
    if (connection->base.broken)
        return false;
    return PQexitPipelineMode(connection->wire) || lido__postgres_fault_lost(connection, error);
}

/* One that was hit by a cancel leaves the transaction open: nobody can go on there. */
bool lido__postgres_read_owed(postgres_connection *connection, lido_error *error) {
    bool lost = false;
    while (connection->owes && !lost &&
           read_result(connection, lido__postgres_next_result(connection, &lost, error), error))
        ;
    connection->base.broken = connection->base.broken || lost; /* *error may tell of something else, from before */
    return !connection->base.broken;
}

bool lido__postgres_take_owed(postgres_connection *connection) {
    lido_error ignored = LIDO_ERROR_INIT;
    while (connection->owes && !PQisBusy(connection->wire))
        if (!read_result(connection, PQgetResult(connection->wire), &ignored))
            return false;
    return connection->owes || leave_pipeline(connection, &ignored);
}

bool lido__postgres_settle_owed(postgres_connection *connection, lido_error *error) {
    return !connection->owes || (lido__postgres_read_owed(connection, error) && leave_pipeline(connection, error));
}
