/* Many rows into a SQLite table: one statement, bound and stepped for each.
 *
 * Where SQLite is called in place, rows are asked for and stepped in turn. Where it is called on another thread, the
 * program must not be asked for them there: they are gathered here, and stepped there, some at a time. */
#include "await/await.h"
#include "backend/sqlite/sqlite.h"
#include "base/convert.h"
#include "base/fault.h"

enum { CHUNK_ROWS = 256, CHUNK_BYTES = 256 * 1024 };

/* SQLite looks whether it shall stop only every some thousand steps of its own, which are hundreds of rows. */
static bool is_cancelled(sqlite_connection *connection, lido_error *error) {
    if (!atomic_load_explicit(&connection->base.stop, memory_order_relaxed))
        return false;
    lido__fault(error, LIDO_ERROR_CANCELLED, "the statement was cancelled");
    lido__fault_field(error->sqlstate, sizeof error->sqlstate, "57014");
    return true;
}

static bool step_row(sqlite_connection *connection, sqlite_statement *statement, size_t columns, const lido_value *row,
                     lido_error *error) {
    if (is_cancelled(connection, error) || !lido__sqlite_bind(connection, statement, columns, row, error))
        return false;
    int code = sqlite3_step(statement->handle);
    if (code != SQLITE_DONE)
        lido__sqlite_fault(connection, code, false, error);
    sqlite3_reset(statement->handle);
    return code == SQLITE_DONE;
}

static bool insert_row(sqlite_connection *connection, sqlite_statement *statement, lido__operation *operation,
                       const lido_value *row, int64_t number, lido_error *error) {
    bool done = step_row(connection, statement, operation->bulk->columns, row, error);
    if (!done) {
        lido__fault_row(error, number);
        return false;
    }
    /* Not the total of changes, which has those of triggers, too: one may write elsewhere and then keep this row from
     * being inserted, and the last key is an older row's. */
    int64_t inserted = sqlite3_changes64(connection->handle);
    operation->affected += inserted;
    if (operation->bulk->keys != NULL)
        operation->bulk->keys[number - 1] = inserted > 0 ? sqlite3_last_insert_rowid(connection->handle) : 0;
    return true;
}

bool lido__sqlite_insert_rows(sqlite_connection *connection, lido__operation *operation, lido_error *error) {
    lido__bulk *bulk = operation->bulk;
    const lido_value *row;
    sqlite_statement *statement = lido__sqlite_statement_for(connection, operation, error);
    if (statement == NULL)
        return false;
    int found;
    bulk->deadline = connection->deadline;
    while ((found = bulk->next(bulk, &row, error)) > 0)
        if (!insert_row(connection, statement, operation, row, bulk->given, error))
            break;
    lido__sqlite_statement_finish(connection, statement);
    return found == 0;
}

/* ---- Elsewhere ---- */

typedef struct chunk {
    sqlite_connection *connection;
    lido__operation *operation;
    lido_error *error;
    const lido_value *rows[CHUNK_ROWS];
    size_t count;
    lido__arena arena; /* copies of rows that do not last */
    bool done;
} chunk;

static void insert_chunk(void *argument, int worth) {
    chunk *wanted = argument;
    (void)worth;
    sqlite_statement *statement = lido__sqlite_statement_for(wanted->connection, wanted->operation, wanted->error);
    int64_t number = wanted->operation->bulk->given - (int64_t)wanted->count;
    wanted->done = statement != NULL;
    for (size_t i = 0; wanted->done && i < wanted->count; i++)
        wanted->done =
            insert_row(wanted->connection, statement, wanted->operation, wanted->rows[i], ++number, wanted->error);
    if (statement != NULL)
        lido__sqlite_statement_finish(wanted->connection, statement);
}

static void interrupt_chunk(void *argument) {
    lido__sqlite_interrupt(((const chunk *)argument)->connection);
}

/* As `next` has it: whether there may be more. */
static int gather(chunk *wanted, lido_error *error) {
    lido__bulk *bulk = wanted->operation->bulk;
    const lido_value *row;
    size_t bytes = 0;
    int found = 1;
    wanted->count = 0;
    lido__arena_reset(&wanted->arena);
    while (wanted->count < CHUNK_ROWS && bytes < CHUNK_BYTES && (found = bulk->next(bulk, &row, error)) > 0) {
        wanted->rows[wanted->count++] = bulk->lasting ? row : lido__values_copy(&wanted->arena, bulk->columns, row);
        if (wanted->arena.out_of_memory) {
            lido__fault_memory(error, "gathering rows");
            wanted->count--;
            bulk->given--; /* which is how many there are in all */
            return -1;
        }
        bytes += bulk->bytes;
    }
    return found;
}

/* What was gathered is inserted also if there is no more because of an error: a row before it may have one, too. */
static bool insert_chunks(chunk *wanted) {
    int found = 1;
    while (found > 0) {
        lido_error of_source = LIDO_ERROR_INIT;
        int64_t before = wanted->operation->bulk->given;
        found = gather(wanted, &of_source);
        wanted->operation->bulk->given = before + (int64_t)wanted->count;
        if (wanted->count > 0 &&
            lido__await_call(insert_chunk, interrupt_chunk, wanted, wanted->connection->in_place) != LIDO__AWAIT_READY)
            return lido__await_may_wait(wanted->error) && false;
        if (wanted->count > 0 && !wanted->done)
            return false;
        if (found < 0)
            *wanted->error = of_source;
    }
    return found == 0;
}

bool lido__sqlite_insert_rows_elsewhere(sqlite_connection *connection, lido__operation *operation, lido_error *error) {
    chunk wanted = {.connection = connection, .operation = operation, .error = error};
    operation->bulk->deadline = connection->deadline;
    bool done = insert_chunks(&wanted);
    lido__arena_done(&wanted.arena);
    return done;
}
