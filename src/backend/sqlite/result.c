/* Results: rows read at once into the result's arena, or stepped one at a time as a stream. */
#include <string.h>

#include "backend/sqlite/sqlite.h"
#include "base/clock.h"
#include "base/fault.h"

enum { AHEAD_BYTES_MOST = 64 * 1024, POURED_MOST = 256 /* rows, between two looks at the clock */ };

/* A row read at once: a link of a list in the arena. */
typedef struct stored_row {
    struct stored_row *next;
    lido_value values[];
} stored_row;

typedef struct stored_rows {
    const char *names;           /* the columns', as the statement has them; it may go before the rows do */
    sqlite_statement *streaming; /* NULL: all rows are in the list */
    lido_value *values;          /* of a stream's current row */
    stored_row *ahead;           /* rows of a stream that were stepped through already, in `row` */
    const sqlite_way *ways;      /* into the sink that its rows are poured into; NULL: not looked for yet */
    bool stepped;                /* a step was made after those that nobody has heard of, */
    int code;                    /* and this is what SQLite said of it */
    int64_t changes;             /* the connection's total before a stream began, */
    int64_t deadline; /* and its statement's deadline: that of all rows which are poured, for they are one call */
    lido__arena row;  /* a stream's current texts that had to be made, and the rows ahead */
} stored_rows;

static const char *column_name(const lido__result *result, size_t index) {
    const stored_rows *rows = result->state;
    const char *name = rows->names;
    while (index-- > 0)
        name += strlen(name) + 1;
    return name;
}

static int step_stored(lido__result *result, const lido_value **row, lido_error *error) {
    (void)error;
    stored_row *current = result->position;
    if (current == NULL)
        return 0;
    result->position = current->next;
    *row = current->values;
    return 1;
}

static bool release_stored(lido__result *result, lido_error *error) {
    (void)result;
    (void)error;
    return true;
}

static void forget_stored(lido__result *result) {
    (void)result;
}

static const lido__result_operations stored_operations = {
    .column_name = column_name, .step = step_stored, .release = release_stored, .forget = forget_stored};

static int end_stream(lido__result *result) {
    stored_rows *rows = result->state;
    sqlite_connection *connection = (sqlite_connection *)result->connection;
    if (rows->streaming != NULL) {
        rows->ahead = NULL;
        lido__sqlite_statement_finish(connection, rows->streaming);
        rows->streaming = NULL;
        connection->base.in_transaction = sqlite3_get_autocommit(connection->handle) == 0;
        lido__sqlite_give_turn(connection);
        lido__arena_done(&rows->row);
    }
    return 0;
}

/* One step of a stream; or as many as are worth it where each call costs something, the rows being copied. */
typedef struct stepping {
    lido__result *result;
    lido__row_sink *sink; /* where rows go that are stepped through in place; NULL: none is read */
    bool out_of_memory;
} stepping;

static stored_row *store_row(lido__arena *arena, const sqlite_statement *statement) {
    stored_row *row = lido__arena_allocate(arena, sizeof *row + sizeof(lido_value) * (size_t)statement->columns);
    if (row == NULL || !lido__sqlite_read_row(statement, arena, true, row->values))
        return NULL;
    row->next = NULL;
    return row;
}

/* Texts and blobs; what a value takes besides is not worth counting. */
static size_t row_bytes(const stored_row *row, int columns) {
    size_t bytes = 0;
    for (int i = 0; i < columns; i++)
        bytes += row->values[i].size;
    return bytes;
}

/* The sink is called here by whoever asked for the rows. The last row is left for who called this. */
static void step_into_sink(const stepping *wanted, stored_rows *rows) {
    rows->code = sqlite3_step(rows->streaming->handle);
    for (int i = 1; i < POURED_MOST && rows->code == SQLITE_ROW; i++) {
        if (!lido__sqlite_pour_row(rows->streaming, rows->ways, &rows->row, wanted->sink))
            return;
        rows->code = sqlite3_step(rows->streaming->handle);
    }
    rows->stepped = true;
}

static void step_on(void *argument, int worth) {
    stepping *wanted = argument;
    stored_rows *rows = wanted->result->state;
    if (worth == 1 && wanted->sink != NULL) {
        step_into_sink(wanted, rows);
        return;
    }
    stored_row **link = &rows->ahead;
    size_t bytes = 0;
    rows->code = sqlite3_step(rows->streaming->handle);
    for (int i = 1; i < worth && rows->code == SQLITE_ROW && bytes < AHEAD_BYTES_MOST; i++) {
        stored_row *row = store_row(&rows->row, rows->streaming);
        wanted->out_of_memory = row == NULL;
        if (row == NULL)
            return;
        *link = row;
        link = &row->next;
        bytes += row_bytes(row, rows->streaming->columns);
        rows->code = sqlite3_step(rows->streaming->handle);
    }
    rows->stepped = true;
}

static void interrupt_stepping(void *argument) {
    lido__sqlite_interrupt((sqlite_connection *)((const stepping *)argument)->result->connection);
}

static int fail_stream(lido__result *result) {
    end_stream(result);
    return -1;
}

/* False with *error set. */
static bool make_step(lido__result *result, stepping *wanted, lido_error *error) {
    stored_rows *rows = result->state;
    sqlite_connection *connection = (sqlite_connection *)result->connection;
    lido__arena_reset(&rows->row);
    connection->timed_out = false;
    connection->deadline =
        wanted->sink != NULL ? rows->deadline : lido__await_deadline(lido__deadline_in_ms(result->timeout_ms));
    if (lido__await_call(step_on, interrupt_stepping, wanted, connection->in_place) != LIDO__AWAIT_READY)
        return lido__await_may_wait(error);
    return !wanted->out_of_memory || lido__fault_memory(error, "reading a row");
}

static int take_row_ahead(stored_rows *rows, const lido_value **row) {
    *row = rows->ahead->values;
    rows->ahead = rows->ahead->next;
    return 1;
}

/* The row that SQLite stands at, where no rows are ahead; or how the stream ends. */
static int take_step(lido__result *result, const lido_value **row, lido_error *error) {
    stored_rows *rows = result->state;
    sqlite_connection *connection = (sqlite_connection *)result->connection;
    rows->stepped = false;
    if (rows->code == SQLITE_DONE && sqlite3_total_changes64(connection->handle) != rows->changes)
        result->affected = sqlite3_changes64(connection->handle); /* which SQLite counts only now */
    if (rows->code == SQLITE_DONE)
        return end_stream(result);
    lido__arena_reset(&rows->row);
    if (rows->code == SQLITE_ROW && lido__sqlite_read_row(rows->streaming, &rows->row, false, rows->values)) {
        *row = rows->values;
        return 1;
    }
    if (rows->code == SQLITE_ROW)
        lido__fault_memory(error, "reading a row");
    else
        lido__sqlite_fault(connection, rows->code, false, error);
    return fail_stream(result);
}

static int step_stream(lido__result *result, const lido_value **row, lido_error *error) {
    stored_rows *rows = result->state;
    if (rows->ahead != NULL)
        return take_row_ahead(rows, row);
    if (rows->streaming == NULL)
        return 0;
    stepping wanted = {.result = result};
    if (!rows->stepped && !make_step(result, &wanted, error))
        return fail_stream(result);
    return rows->ahead != NULL ? take_row_ahead(rows, row) : take_step(result, row, error);
}

static int pour_stream(lido__result *result, lido__row_sink *sink, lido_error *error) {
    stored_rows *rows = result->state;
    const lido_value *row;
    while (rows->ahead != NULL) {
        take_row_ahead(rows, &row);
        if (!lido__row_sink_take_row(sink, row))
            return 0;
    }
    if (rows->streaming == NULL)
        return 0;
    stepping wanted = {.result = result, .sink = sink};
    if (rows->ways == NULL)
        rows->ways = lido__sqlite_ways(rows->streaming, sink, &result->arena);
    if (rows->ways == NULL) {
        lido__fault_memory(error, "reading a row");
        return fail_stream(result);
    }
    if (!rows->stepped && !make_step(result, &wanted, error))
        return fail_stream(result);
    if (sink->refused || rows->ahead != NULL)
        return !sink->refused;
    if (rows->code != SQLITE_ROW)
        return take_step(result, &row, error);
    rows->stepped = false;
    return lido__sqlite_pour_row(rows->streaming, rows->ways, &rows->row, sink);
}

static void step_to_end(void *argument, int worth) {
    stored_rows *rows = ((const stepping *)argument)->result->state;
    (void)worth;
    if (!rows->stepped || rows->code == SQLITE_ROW)
        do
            rows->code = sqlite3_step(rows->streaming->handle);
        while (rows->code == SQLITE_ROW);
}

/* What writes is run to its end: only there does SQLite say whether it stands. */
static bool release_stream(lido__result *result, lido_error *error) {
    stored_rows *rows = result->state;
    sqlite_connection *connection = (sqlite_connection *)result->connection;
    bool done = true;
    if (rows->streaming != NULL && !sqlite3_stmt_readonly(rows->streaming->handle)) {
        stepping wanted = {.result = result};
        connection->timed_out = false;
        connection->deadline = lido__deadline_in_ms(result->timeout_ms);
        lido__await_call(step_to_end, interrupt_stepping, &wanted, connection->in_place);
        done = rows->code == SQLITE_DONE;
        if (done)
            result->affected = sqlite3_changes64(connection->handle);
        else
            lido__sqlite_fault(connection, rows->code, false, error);
    }
    end_stream(result);
    return done;
}

/* The statement stays behind with its connection. */
static void forget_stream(lido__result *result) {
    stored_rows *rows = result->state;
    if (rows->streaming != NULL)
        lido__arena_done(&rows->row);
    rows->streaming = NULL;
}

static const lido__result_operations stream_operations = {.column_name = column_name,
                                                          .step = step_stream,
                                                          .release = release_stream,
                                                          .forget = forget_stream,
                                                          .pour = pour_stream};

/* The frame of a result: columns and their names, before any row. NULL if memory ran out. */
static stored_rows *result_begin(lido__result *result, const sqlite_statement *statement) {
    stored_rows *rows = lido__arena_allocate(&result->arena, sizeof *rows + statement->names_size);
    if (rows == NULL)
        return NULL;
    char *names = (char *)(rows + 1);
    if (statement->names_size > 0)
        memcpy(names, statement->names, statement->names_size);
    *rows = (stored_rows){.names = names};
    result->state = rows;
    result->columns = (size_t)statement->columns;
    result->operations = &stored_operations;
    return rows;
}

bool lido__sqlite_read_result(sqlite_connection *connection, sqlite_statement *statement, lido__operation *operation,
                              lido_error *error) {
    lido__result *result = operation->result;
    stored_row *last = NULL;
    /* Stepped before the columns are looked at: the first step may prepare the statement again. */
    int code = sqlite3_step(statement->handle);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return lido__sqlite_fault(connection, code, false, error);
    if (result != NULL && (!lido__sqlite_read_columns(statement) || result_begin(result, statement) == NULL))
        return lido__fault_memory(error, "reading the rows");
    for (; code == SQLITE_ROW; code = sqlite3_step(statement->handle)) {
        if (result == NULL)
            continue;
        stored_row *row = store_row(&result->arena, statement);
        if (row == NULL)
            return lido__fault_memory(error, "reading the rows");
        if (last == NULL)
            result->position = row;
        else
            last->next = row;
        last = row;
        result->row_count++;
    }
    return code == SQLITE_DONE || lido__sqlite_fault(connection, code, false, error);
}

bool lido__sqlite_open_stream(sqlite_connection *connection, sqlite_statement *statement, lido__operation *operation,
                              lido_error *error) {
    lido__result *result = operation->result;
    int64_t changes = sqlite3_total_changes64(connection->handle);
    int code = sqlite3_step(statement->handle);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return lido__sqlite_fault(connection, code, false, error);
    stored_rows *rows = lido__sqlite_read_columns(statement) ? result_begin(result, statement) : NULL;
    if (rows != NULL)
        rows->values = lido__arena_allocate(&result->arena, sizeof(lido_value) * (result->columns + 1));
    if (rows == NULL || rows->values == NULL)
        return lido__fault_memory(error, "reading the rows");
    if (result->columns == 0) /* done already, with nothing to read */
        return true;
    result->operations = &stream_operations;
    result->connection = &connection->base;
    result->row_count = -1;
    rows->streaming = statement;
    rows->stepped = true;
    rows->code = code;
    rows->changes = changes;
    rows->deadline = connection->deadline;
    rows->row = (lido__arena)LIDO__ARENA_INIT;
    if (code == SQLITE_DONE)
        end_stream(result);
    return true;
}
