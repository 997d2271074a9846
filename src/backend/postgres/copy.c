/* Many rows by COPY.
 *
 * Which types the columns have is asked each time, along with what was queued before: binary COPY believes what it
 * gets, and a bigint is eight bytes like a double or a moment, so yesterday's answer could put nonsense into a table
 * that was altered since. What asks, the preparation of an INSERT, also locks the table, so that the answer holds
 * until the rows are in.
 *
 * Rows go in segments, each a COPY of its own: the server speaks only at the end of one, so an error, or that the
 * server was told to cancel, is noticed there; and where a row does not fit the binary form, another segment goes on
 * in text. All of it is in one transaction, which the core has begun. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/postgres/copy.h"
#include "backend/postgres/exchange.h"
#include "base/clock.h"
#include "base/fault.h"

enum {
    /* With the five bytes that libpq puts before it, a multiple of the 8192 that it sends: no small rest stays
     * behind. */
    CHUNK = 64 * 1024 - 5,
    SEGMENT = 16 * 1024 * 1024,
    GIVING_UP_MOST_MS = 5000 /* how long a COPY that is broken off may take to say so */
};

typedef struct copying {
    postgres_exchange *exchange;
    postgres_connection *connection;
    lido__operation *operation;
    lido__bulk *bulk;
    lido_error *error;
    postgres_encoder **encoders; /* of the columns; NULL: not all types are known */
    bool binary;                 /* the segment is, or the next one will be */
    bool open;                   /* a segment */
    int64_t before;              /* how many rows are in the segments before it */
    size_t sent;                 /* bytes of the segment */
    char *data;                  /* what is to be sent next */
    size_t size;
    size_t capacity;
} copying;

/* ---- The table ---- */

/* COPY takes no views, and no tables whose rows are filtered by policies; and it would pass rules by. */
static const char copyable_sql[] =
    "SELECT c.relkind IN ('r', 'p') AND NOT pg_catalog.row_security_active(c.oid) AND NOT EXISTS (SELECT FROM "
    "pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid AND w.ev_type = '3') FROM pg_catalog.pg_class c WHERE c.oid = "
    "$1::pg_catalog.regclass";

static bool note_answer(postgres_exchange *exchange, postgres_answer_kind kind, size_t operation) {
    exchange->answers[exchange->answer_count++] = (postgres_answer){kind, operation, NULL};
    return true;
}

bool lido__postgres_send_table_question(postgres_exchange *exchange, size_t index) {
    PGconn *wire = exchange->connection->wire;
    const lido__operation *operation = &exchange->batch->operations[index];
    const lido__bulk *bulk = operation->bulk;
    exchange->copyable = false;
    exchange->column_types = lido__arena_allocate(&exchange->connection->scratch, bulk->columns * sizeof(Oid));
    if (exchange->column_types == NULL)
        return lido__fault_memory(exchange->batch->error, "inserting rows");
    memset(exchange->column_types, 0, bulk->columns * sizeof(Oid));
    return note_answer(exchange, ANSWER_ASIDE, index) && PQsendPrepare(wire, "", operation->sql->translated, 0, NULL) &&
           note_answer(exchange, ANSWER_TABLE, index) && PQsendDescribePrepared(wire, "") &&
           note_answer(exchange, ANSWER_TABLE, index) &&
           PQsendQueryParams(wire, copyable_sql, 1, NULL, &bulk->quoted_table, NULL, NULL, 0);
}

void lido__postgres_take_table_answer(postgres_exchange *exchange, const PGresult *answer) {
    size_t columns = exchange->batch->operations[exchange->batch->count - 1].bulk->columns;
    if (PQresultStatus(answer) == PGRES_TUPLES_OK)
        exchange->copyable = PQntuples(answer) == 1 && PQgetvalue(answer, 0, 0)[0] == 't';
    else
        for (size_t i = 0; i < columns && i < (size_t)PQnparams(answer); i++)
            exchange->column_types[i] = PQparamtype(answer, (int)i);
}

/* ---- Errors ---- */

/* "…, column price: "x"" or "…, column price, null input": which of ours stands there. */
static const char *find_column(const lido__bulk *bulk, const char *tail) {
    for (size_t i = 0; i < bulk->columns; i++) {
        size_t size = strlen(bulk->names[i]);
        for (const char *at = tail; (at = strstr(at, bulk->names[i])) != NULL; at++)
            if (at > tail && at[-1] == ' ' && (at[size] == ':' || at[size] == ',' || at[size] == '\0'))
                return bulk->names[i];
    }
    return NULL;
}

/* The line of an error's context that says "COPY items, line 3" in the server's language: COPY and the name are the
 * same in all. Returns what follows both, NULL if there is none. */
static const char *find_place(const char *context, const char *table) {
    for (const char *at = context; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        const char *end = at + strcspn(at, "\n");
        const char *word = strstr(at, "COPY");
        if (word == NULL || word > end)
            continue;
        const char *name = strstr(word, table);
        if (name == NULL || name > end)
            name = strstr(at, table);
        if (name == NULL || name > end)
            continue;
        return name > word ? name + strlen(table) : word + strlen("COPY");
    }
    return NULL;
}

/* The server tells row and column in the context alone. The value that stands there, too, is left out. */
static void tell_place(const copying *copy, const PGresult *result) {
    const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
    const char *place = context != NULL ? find_place(context, copy->bulk->table) : NULL;
    if (place == NULL)
        return;
    char *end;
    int64_t line = strtoll(place + strcspn(place, "0123456789"), &end, 10);
    if (line <= 0)
        return;
    lido__fault_row(copy->error, copy->before + line);
    char tail[256];
    size_t size = strcspn(end, "\"\n");
    snprintf(tail, sizeof tail, "%.*s", (int)(size < sizeof tail ? size : sizeof tail - 1), end);
    const char *column = copy->error->column[0] == '\0' ? find_column(copy->bulk, tail) : NULL;
    if (column != NULL)
        lido__fault_field(copy->error->column, sizeof copy->error->column, column);
}

static bool fault_result(const copying *copy, const PGresult *result) {
    bool first = copy->error->status == LIDO_OK;
    lido__postgres_fault_result(copy->connection, result, copy->error);
    if (first)
        tell_place(copy, result);
    return false;
}

/* libpq could not take what it was given: half of it may be in its buffer. */
static bool could_not_send(const copying *copy) {
    if (PQstatus(copy->connection->wire) == CONNECTION_OK)
        lido__fault_memory(copy->error, "inserting rows");
    copy->connection->base.broken = true;
    return lido__postgres_fault_lost(copy->connection, copy->error);
}

/* ---- Segments ---- */

/* Reads the answers to the end. */
static bool read_end(copying *copy) {
    bool good = true;
    bool lost = false;
    PGresult *result;
    while ((result = lido__postgres_next_result(copy->connection, &lost, copy->error)) != NULL) {
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_COMMAND_OK)
            copy->operation->affected += strtoll(PQcmdTuples(result), NULL, 10);
        else
            good = fault_result(copy, result);
        PQclear(result);
        if (status == PGRES_COPY_IN || copy->connection->base.broken) /* the end itself was not sent */
            return could_not_send(copy);
    }
    return good && !lost;
}

static bool segment_open(copying *copy) {
    PGconn *wire = copy->connection->wire;
    bool lost;
    char *sql = lido__arena_format(&copy->connection->scratch, "COPY %s FROM STDIN%s", copy->bulk->into,
                                   copy->binary ? " (FORMAT binary)" : "");
    if (sql == NULL)
        return lido__fault_memory(copy->error, "inserting rows");
    if (!PQsendQuery(wire, sql))
        return could_not_send(copy);
    copy->connection->opens_copy = true;
    PGresult *result = lido__postgres_next_result(copy->connection, &lost, copy->error);
    copy->connection->opens_copy = false;
    copy->open = PQresultStatus(result) == PGRES_COPY_IN;
    if (!copy->open && result != NULL)
        fault_result(copy, result);
    PQclear(result);
    copy->sent = 0;
    return copy->open || (!lost && read_end(copy) && false);
}

/* Sends the first bytes of what is there. */
static bool send_chunk(copying *copy, size_t size) {
    if (PQputCopyData(copy->connection->wire, copy->data, (int)size) != 1)
        return could_not_send(copy);
    copy->sent += size;
    copy->size -= size;
    memmove(copy->data, copy->data + size, copy->size);
    return lido__postgres_flush(copy->connection, copy->error);
}

static bool send_all(copying *copy) {
    while (copy->size > 0)
        if (!send_chunk(copy, copy->size < CHUNK ? copy->size : CHUNK))
            return false;
    return true;
}

/* Ends the segment, having sent what is there; `why` makes the server fail it instead. */
static bool segment_close(copying *copy, const char *why) {
    copy->open = false;
    if (why != NULL) { /* it has a moment to say so, and need not be cancelled besides */
        copy->size = 0;
        copy->connection->timed_out = true;
        copy->connection->deadline = lido__deadline_in_ms(GIVING_UP_MOST_MS);
    } else if (copy->binary) {
        memcpy(copy->data + copy->size, lido__postgres_copy_trailer, COPY_TRAILER_SIZE); /* there is always room */
        copy->size += COPY_TRAILER_SIZE;
    }
    if (!send_all(copy))
        return false;
    if (PQputCopyEnd(copy->connection->wire, why) != 1 && PQstatus(copy->connection->wire) == CONNECTION_OK)
        return could_not_send(copy);
    return read_end(copy);
}

/* ---- Rows ---- */

/* Room for so many bytes more, and a trailer. */
static bool make_room(copying *copy, size_t size) {
    size += copy->size + COPY_TRAILER_SIZE;
    if (size <= copy->capacity)
        return true;
    if (size < 2 * CHUNK)
        size = 2 * CHUNK;
    char *data = realloc(copy->data, size);
    if (data == NULL)
        return lido__fault_memory(copy->error, "inserting rows");
    copy->data = data;
    copy->capacity = size;
    return true;
}

static bool write_binary_row(copying *copy, const lido_value *row) {
    char *at = copy->data + copy->size;
    at = lido__postgres_write_count(at, copy->bulk->columns);
    for (size_t i = 0; i < copy->bulk->columns; i++) {
        if (row[i].kind != LIDO_KIND_NULL) {
            at = copy->encoders[i](at, &row[i]);
            if (at == NULL)
                return false;
        } else {
            memset(at, 0xff, 4);
            at += 4;
        }
    }
    copy->size = (size_t)(at - copy->data);
    return true;
}

static void write_text_row(copying *copy, const lido_value *row) {
    char *at = copy->data + copy->size;
    for (size_t i = 0; i < copy->bulk->columns; i++) {
        at = lido__postgres_write_text(at, copy->exchange->column_types[i], &row[i]);
        *at++ = i + 1 < copy->bulk->columns ? '\t' : '\n';
    }
    copy->size = (size_t)(at - copy->data);
}

/* Puts the row behind what is there; goes on in text if it has no binary form. */
static bool write_row(copying *copy, const lido_value *row) {
    size_t most = COPY_HEADER_SIZE + copy->bulk->columns * (COPY_VALUE_MOST + 1) + copy->bulk->bytes * 2;
    if (!make_room(copy, most))
        return false;
    if (copy->binary && copy->size == 0 && copy->sent == 0) {
        memcpy(copy->data, lido__postgres_copy_header, COPY_HEADER_SIZE);
        copy->size = COPY_HEADER_SIZE;
    }
    if (copy->binary && write_binary_row(copy, row))
        return true;
    if (copy->open && copy->binary && !segment_close(copy, NULL))
        return false;
    copy->size = copy->open ? copy->size : 0;
    copy->binary = false;
    write_text_row(copy, row);
    return true;
}

/* Whether somebody wants this to stop who cannot stop it otherwise: the server does not listen while it waits for
 * rows, and what is quick never waits. */
static bool must_stop(copying *copy) {
    if (atomic_load_explicit(&copy->connection->base.stop, memory_order_relaxed)) {
        lido__fault(copy->error, LIDO_ERROR_CANCELLED, "the statement was cancelled");
    } else if (copy->connection->timed_out ||
               (copy->size >= CHUNK && lido__clock_recent_us() >= copy->exchange->batch->deadline)) {
        lido__fault(copy->error, LIDO_ERROR_TIMEOUT, "the statement ran longer than statement_timeout");
        lido__fault_hint(copy->error, "make it do less, or raise statement_timeout");
    } else {
        return false;
    }
    lido__fault_field(copy->error->sqlstate, sizeof copy->error->sqlstate, "57014");
    return true;
}

static bool put_row(copying *copy, const lido_value *row) {
    if (copy->open && copy->sent >= SEGMENT && !segment_close(copy, NULL))
        return false;
    if (!copy->open) {
        copy->sent = copy->size = 0;
        copy->before = copy->bulk->given - 1;
    }
    bool was_open = copy->open;
    if (!write_row(copy, row))
        return false;
    if (was_open && !copy->open) /* it goes on in text */
        copy->before = copy->bulk->given - 1;
    if (must_stop(copy) || (!copy->open && !segment_open(copy)))
        return false;
    while (copy->size >= CHUNK)
        if (!send_chunk(copy, CHUNK))
            return false;
    return true;
}

static bool copy_rows(copying *copy) {
    const lido_value *row;
    int found;
    while ((found = copy->bulk->next(copy->bulk, &row, copy->error)) > 0)
        if (!put_row(copy, row))
            break;
    if (found == 0 && copy->open)
        return segment_close(copy, NULL);
    if (copy->open && !copy->connection->base.broken)
        segment_close(copy, "the program has given up");
    return found == 0;
}

static bool find_encoders(copying *copy) {
    size_t columns = copy->bulk->columns;
    copy->binary = true;
    copy->encoders = lido__arena_allocate(&copy->connection->scratch, columns * sizeof *copy->encoders);
    if (copy->encoders == NULL)
        return lido__fault_memory(copy->error, "inserting rows");
    for (size_t i = 0; i < columns; i++) {
        copy->encoders[i] = lido__postgres_encoder_for(copy->exchange->column_types[i]);
        copy->binary = copy->binary && copy->encoders[i] != NULL;
    }
    return true;
}

bool lido__postgres_copy_rows(postgres_exchange *exchange, size_t index) {
    lido__batch *batch = exchange->batch;
    lido__operation *operation = &batch->operations[index];
    copying copy = {.exchange = exchange,
                    .connection = exchange->connection,
                    .operation = operation,
                    .bulk = operation->bulk,
                    .error = batch->error};
    operation->bulk->declined = !exchange->copyable;
    operation->bulk->deadline = batch->deadline;
    operation->done = operation->bulk->declined || (find_encoders(&copy) && copy_rows(&copy));
    free(copy.data);
    if (!operation->done)
        batch->failed = index;
    return operation->done;
}
