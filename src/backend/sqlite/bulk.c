/* Many rows into a SQLite table: one statement, bound and stepped for each. */
#include "backend/sqlite/sqlite.h"
#include "base/fault.h"

/* SQLite looks whether it shall stop only every some thousand steps of its own, which are hundreds of rows. */
static bool is_cancelled(sqlite_connection *connection, lido_error *error) {
    if (!atomic_load_explicit(&connection->base.stop, memory_order_relaxed))
        return false;
    lido__fault(error, LIDO_ERROR_CANCELLED, "the statement was cancelled");
    lido__fault_field(error->sqlstate, sizeof error->sqlstate, "57014");
    return true;
}

static bool insert_row(sqlite_connection *connection, sqlite_statement *statement, size_t columns,
                       const lido_value *row, lido_error *error) {
    if (is_cancelled(connection, error) || !lido__sqlite_bind(connection, statement, columns, row, error))
        return false;
    int code = sqlite3_step(statement->handle);
    if (code != SQLITE_DONE)
        lido__sqlite_fault(connection, code, false, error);
    sqlite3_reset(statement->handle);
    return code == SQLITE_DONE;
}

bool lido__sqlite_insert_rows(sqlite_connection *connection, lido__operation *operation, lido_error *error) {
    lido__bulk *bulk = operation->bulk;
    const lido_value *row;
    sqlite_statement *statement = lido__sqlite_statement_for(connection, operation, error);
    if (statement == NULL)
        return false;
    int found;
    bulk->deadline = connection->deadline;
    while ((found = bulk->next(bulk, &row, error)) > 0) {
        int64_t changed = sqlite3_total_changes64(connection->handle);
        if (!insert_row(connection, statement, bulk->columns, row, error)) {
            lido__fault_row(error, bulk->given);
            found = -1;
            break;
        }
        /* SQLite's count is the last statement's, so of one that a trigger has kept from inserting it is an older
         * one. */
        if (sqlite3_total_changes64(connection->handle) != changed)
            operation->affected += sqlite3_changes64(connection->handle);
    }
    lido__sqlite_statement_finish(connection, statement);
    return found == 0;
}
