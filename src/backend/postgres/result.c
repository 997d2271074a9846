/* Rows out of libpq's results: all at once, or as a stream in single-row mode. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/postgres/postgres.h"
#include "base/clock.h"
#include "base/fault.h"

/* Behind a result's `state`. */
typedef struct kept_rows {
    PGresult *result;   /* all rows, or a stream's current one; NULL once released */
    lido_value *values; /* of the current row */
    Oid *types;         /* of the columns: asking libpq for each field anew costs more than reading it */
    bool binary;
    bool waiting;     /* a stream's first result has not been stepped to yet */
    bool over;        /* a stream's end was read */
    bool cancellable; /* a stream's rest may be cancelled: it only reads */
    postgres_stream_end end;
    lido__arena row;    /* a stream's current values that had to be made */
    const char **names; /* a stream's: its results come and go */
} kept_rows;

/* How many rows a statement changed: the count of rows that were read is not that. */
static int64_t affected_rows(PGresult *result) {
    static const char *const reads[] = {"SELECT", "FETCH", "MOVE"};
    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++)
        if (strncmp(PQcmdStatus(result), reads[i], strlen(reads[i])) == 0)
            return 0;
    return strtoll(PQcmdTuples(result), NULL, 10);
}

static const char *column_name(const lido__result *result, size_t index) {
    const kept_rows *rows = result->state;
    return rows->names != NULL ? rows->names[index] : PQfname(rows->result, (int)index);
}

/* Returns false. */
static bool fault_field(const kept_rows *rows, size_t column, const lido__arena *arena, lido_error *error) {
    if (arena->out_of_memory)
        return lido__fault_memory(error, "reading a row");
    return lido__fault(error, LIDO_ERROR_OTHER,
                       "column %zu (%s) holds what its type cannot: the server or what is "
                       "between it and the program is broken",
                       column, PQfname(rows->result, (int)column));
}

static bool read_row(kept_rows *rows, size_t columns, int row, lido__arena *arena, lido_error *error) {
    size_t i = 0;
    while (i < columns &&
           lido__postgres_read_field(rows->result, row, (int)i, rows->types[i], rows->binary, arena, &rows->values[i]))
        i++;
    return i == columns || fault_field(rows, i, arena, error);
}

static int step_kept(lido__result *result, const lido_value **row, lido_error *error) {
    kept_rows *rows = result->state;
    if (result->next_row >= result->row_count)
        return 0;
    *row = rows->values;
    return read_row(rows, result->columns, (int)result->next_row++, &result->arena, error) ? 1 : -1;
}

static int pour_kept(lido__result *result, lido__row_sink *sink, lido_error *error) {
    kept_rows *rows = result->state;
    size_t column;
    int first = (int)result->next_row;
    result->next_row = result->row_count;
    if (lido__postgres_pour(rows->result, rows->types, first, &result->arena, sink, &column))
        return 0;
    fault_field(rows, column, &result->arena, error);
    return -1;
}

/* libpq's results stand by themselves: freeing one says nothing on the connection that it came by. */
static void forget_kept(lido__result *result) {
    kept_rows *rows = result->state;
    PQclear(rows->result);
    rows->result = NULL;
}

static bool release_kept(lido__result *result, lido_error *error) {
    (void)error;
    forget_kept(result);
    return true;
}

static const lido__result_operations kept_operations = {
    .column_name = column_name, .step = step_kept, .release = release_kept, .forget = forget_kept, .pour = pour_kept};

/* The frame of a result; the PGresult is not owned yet. NULL if memory ran out. */
static kept_rows *result_begin(lido__result *result, PGresult *from) {
    size_t columns = (size_t)PQnfields(from);
    kept_rows *rows = lido__arena_allocate(&result->arena, sizeof *rows);
    lido_value *values = lido__arena_allocate(&result->arena, columns * sizeof *values);
    Oid *types = lido__arena_allocate(&result->arena, columns * sizeof *types);
    if (rows == NULL || values == NULL || types == NULL)
        return NULL;
    for (size_t i = 0; i < columns; i++)
        types[i] = PQftype(from, (int)i);
    *rows = (kept_rows){.result = from, .values = values, .types = types, .binary = PQbinaryTuples(from) == 1};
    result->state = rows;
    result->columns = columns;
    return rows;
}

bool lido__postgres_keep_result(lido__operation *operation, PGresult *from, lido_error *error) {
    lido__result *result = operation->result;
    operation->affected = affected_rows(from);
    if (result == NULL) {
        PQclear(from);
        return true;
    }
    if (result_begin(result, from) == NULL) {
        PQclear(from);
        return lido__fault_memory(error, "reading the rows");
    }
    result->row_count = PQntuples(from);
    result->operations = &kept_operations;
    return true;
}

/* ---- Streams ---- */

static postgres_connection *stream_connection(lido__result *result) {
    return (postgres_connection *)result->connection;
}

/* Everything has been read. A transaction that was opened for the stream ends here: it commits, or rolls back if the
 * stream failed. False with *error set if something failed, now or before. */
static bool stream_is_over(lido__result *result, lido_error *error) {
    postgres_connection *connection = stream_connection(result);
    kept_rows *rows = result->state;
    if (rows->end == STREAM_ENDS_TRANSACTION && !rows->over && !connection->base.broken)
        lido__postgres_command(connection, "COMMIT", error);
    rows->over = true;
    connection->base.in_transaction = PQtransactionStatus(connection->wire) != PQTRANS_IDLE;
    return error->status == LIDO_OK;
}

/* Reads what follows the last row: nothing, or the error that befell the statement at its very end, such as a
 * deferred constraint's. */
static bool stream_read_end(lido__result *result, lido_error *error) {
    postgres_connection *connection = stream_connection(result);
    PGresult *more;
    bool lost;
    while ((more = lido__postgres_next_result(connection, &lost, error)) != NULL) {
        ExecStatusType status = PQresultStatus(more);
        if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
            lido__postgres_fault_result(connection, more, error);
        PQclear(more);
    }
    return stream_is_over(result, error);
}

/* The next result of a stream, in rows->result; false at a lost connection. */
static bool stream_fetch(lido__result *result, lido_error *error) {
    postgres_connection *connection = stream_connection(result);
    kept_rows *rows = result->state;
    bool lost = false;
    if (rows->waiting) {
        rows->waiting = false;
        return true;
    }
    forget_kept(result);        /* not only cleared: the process may be forked while this thread waits for the next */
    if (!connection->timed_out) /* else this is what came before the server heard that it is to cancel */
        connection->deadline = lido__deadline_in_ms(result->timeout_ms);
    rows->result = lido__postgres_next_result(connection, &lost, error);
    return !lost;
}

static int step_stream(lido__result *result, const lido_value **row, lido_error *error) {
    kept_rows *rows = result->state;
    if (rows->over)
        return 0;
    if (!stream_fetch(result, error)) {
        stream_is_over(result, error);
        return -1;
    }
    if (rows->result == NULL)
        return stream_is_over(result, error) ? 0 : -1;
    switch (PQresultStatus(rows->result)) {
    case PGRES_SINGLE_TUPLE:
        lido__arena_reset(&rows->row);
        *row = rows->values;
        return read_row(rows, result->columns, 0, &rows->row, error) ? 1 : -1;
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        result->affected = affected_rows(rows->result);
        return stream_read_end(result, error) ? 0 : -1;
    default:
        lido__postgres_fault_result(stream_connection(result), rows->result, error);
        stream_read_end(result, error);
        return -1;
    }
}

/* Whether the end of the answer is here already, so that nobody needs to be told. What comes before it is dropped, but
 * not an error. */
static bool stream_has_ended(postgres_connection *connection, lido_error *error) {
    PGresult *result;
    if (PQconsumeInput(connection->wire) == 0)
        return false;
    while (!PQisBusy(connection->wire)) {
        if ((result = PQgetResult(connection->wire)) == NULL)
            return true;
        if (PQresultStatus(result) == PGRES_FATAL_ERROR)
            lido__postgres_fault_result(connection, result, error);
        PQclear(result);
    }
    return false;
}

/* Reads to the end of a cancelled statement. If it does not say that it was cancelled, the cancel may yet hit
 * the next statement: the connection is then not used again. */
static void stream_drain_cancelled(postgres_connection *connection) {
    lido_error ignored = LIDO_ERROR_INIT;
    PGresult *more;
    bool lost;
    bool cancelled = false;
    while ((more = lido__postgres_next_result(connection, &lost, &ignored)) != NULL) {
        const char *sqlstate = PQresultErrorField(more, PG_DIAG_SQLSTATE);
        cancelled = cancelled || (sqlstate != NULL && strcmp(sqlstate, "57014") == 0);
        PQclear(more);
    }
    if (!cancelled)
        connection->base.broken = true;
}

/* What only reads is cancelled: nobody wants the rest, and no error of it. */
static bool stream_cancel(lido__result *result) {
    postgres_connection *connection = stream_connection(result);
    kept_rows *rows = result->state;
    lido_error ignored = LIDO_ERROR_INIT;
    if (!stream_has_ended(connection, &ignored)) {
        connection->timed_out = true; /* a second cancel would not help */
        lido__postgres_cancel(connection);
        stream_drain_cancelled(connection);
    }
    if (rows->end == STREAM_ENDS_SAVEPOINT && !connection->base.broken)
        lido__postgres_command(connection, "ROLLBACK TO lido_stream", &ignored);
    stream_is_over(result, &ignored);
    return true;
}

/* What writes is read to its end, for the writing is wanted. */
static bool stream_finish(lido__result *result, lido_error *error) {
    postgres_connection *connection = stream_connection(result);
    if (stream_has_ended(connection, error))
        return stream_is_over(result, error);
    connection->timed_out = false;
    connection->deadline = lido__deadline_in_ms(result->timeout_ms);
    return stream_read_end(result, error);
}

static void forget_stream(lido__result *result) {
    kept_rows *rows = result->state;
    forget_kept(result);
    lido__arena_done(&rows->row);
}

static bool release_stream(lido__result *result, lido_error *error) {
    kept_rows *rows = result->state;
    bool done = true;
    if (!rows->over)
        done = rows->cancellable ? stream_cancel(result) : stream_finish(result, error);
    forget_stream(result);
    return done;
}

static const lido__result_operations stream_operations = {
    .column_name = column_name, .step = step_stream, .release = release_stream, .forget = forget_stream};

static const char **copy_names(lido__arena *arena, const PGresult *from) {
    size_t columns = (size_t)PQnfields(from);
    const char **names = lido__arena_allocate(arena, columns * sizeof *names);
    for (size_t i = 0; names != NULL && i < columns; i++) {
        const char *name = PQfname(from, (int)i);
        if ((names[i] = lido__arena_copy(arena, name, strlen(name))) == NULL)
            return NULL;
    }
    return names;
}

bool lido__postgres_open_stream(postgres_connection *connection, lido__operation *operation, PGresult *first,
                                postgres_stream_end end, lido_error *error) {
    lido__result *result = operation->result;
    kept_rows *rows = result_begin(result, first);
    if (rows == NULL) {
        PQclear(first);
        connection->base.broken = true; /* the rows are still to come, and nobody reads them */
        return lido__fault_memory(error, "reading the rows");
    }
    result->connection = &connection->base;
    rows->names = copy_names(&result->arena, first);
    rows->waiting = true;
    rows->cancellable = operation->sql->kind == LIDO__SQL_READS;
    rows->end = end;
    rows->row = (lido__arena)LIDO__ARENA_INIT;
    result->row_count = -1;
    result->operations = &stream_operations;
    if (rows->names != NULL)
        return true;
    release_stream(result, error);
    result->operations = NULL;
    result->connection = NULL; /* no stream came about, so nothing holds the connection */
    return lido__fault_memory(error, "reading the rows");
}
