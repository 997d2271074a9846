/* Inserting many rows: checked one by one, then given to the backend as a stream, or, if they are few or the
 * table takes them no other way, queued as a statement for each.
 *
 * Either way it is a part of the session's transaction. In autocommit mode it is one of its own, begun and committed
 * here; then few rows, BEGIN and COMMIT go out in one round trip. */
#include "core/bulk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/convert.h"
#include "base/fault.h"
#include "core/parameters.h"
#include "sql/identifier.h"

static const char doing[] = "inserting rows";

/* One call's. Rows pass from the source through `next_row` to whoever inserts them. */
typedef struct insertion {
    lido__bulk bulk; /* first: the backend hands it back */
    lido_session *session;
    lido__row_source *source;
    const char *sql;          /* inserts one row */
    const lido_value **ahead; /* rows that were fetched to see how many there are */
    size_t ahead_count;
    size_t ahead_next;
    bool ended;          /* the source has no more */
    size_t queued_first; /* of the statements that are in the queue for it; SIZE_MAX: none is */
    lido__arena arena;   /* of all the above */
} insertion;

int64_t lido__insert_refuse(lido_session *session, lido_category category, const char *format, ...) {
    char message[sizeof session->error.message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    lido__fault_clear(&session->error);
    lido__fault(&session->error, category, "%s", message);
    lido__session_fail(session, doing);
    return 0;
}

/* ---- Rows ---- */

static bool refuse_column(const insertion *in, size_t column, lido_error *error, const char *is, const char *problem) {
    const char *name = in->bulk.names[column];
    lido__fault(error, LIDO_ERROR_TYPE, "column %s%s %s", name, is, problem);
    lido__fault_field(error->column, sizeof error->column, name);
    lido__fault_row(error, in->bulk.given);
    return false;
}

/* PostgreSQL takes no message of 1 GiB, and SQLite no row of that size. */
static bool check_bytes(insertion *in, size_t column, const lido_value *value, lido_error *error) {
    const size_t most = 0x3fffffff;
    if (value->as.text == NULL)
        return refuse_column(in, column, error, " is", "a value whose pointer is NULL: NULL is lido_value_null()");
    if (value->size > most || in->bulk.bytes + value->size > most)
        return refuse_column(in, column, error, "", "makes the row larger than 1 GiB");
    in->bulk.bytes += value->size;
    return true;
}

/* NaN would become NULL on SQLite, without a word. */
static bool is_right(const insertion *in, const lido_value *value) {
    return lido__kind_is_plain(value->kind) && (value->kind != LIDO_KIND_DOUBLE || value->as.real == value->as.real ||
                                                in->session->engine->config.type != LIDO__SQLITE);
}

/* A value that may be wrong. */
static bool check_value(insertion *in, size_t column, const lido_value *value, lido_error *error) {
    const char *problem;
    switch (value->kind) {
    case LIDO_KIND_DOUBLE:
        return refuse_column(in, column, error, " is", "NaN, which SQLite cannot hold");
    case LIDO_KIND_BLOB:
        return check_bytes(in, column, value, error);
    case LIDO_KIND_TEXT:
    case LIDO_KIND_JSON:
    case LIDO_KIND_NUMERIC:
        if (!check_bytes(in, column, value, error))
            return false;
        problem = lido__text_problem(value, in->session->engine->config.type == LIDO__SQLITE);
        return problem == NULL || refuse_column(in, column, error, " is", problem);
    case LIDO_KIND_INVALID:
        return refuse_column(in, column, error, ":", value->as.text);
    default:
        return refuse_column(in, column, error, " is", "no value: it is of an unknown kind");
    }
}

static bool check_row(insertion *in, const lido_value *row, lido_error *error) {
    in->bulk.bytes = 0;
    for (size_t i = 0; i < in->bulk.columns; i++)
        if (!is_right(in, &row[i]) && !check_value(in, i, &row[i], error))
            return false;
    return true;
}

static int source_failed(const insertion *in, const char *why, lido_error *error) {
    if (why != NULL)
        lido__fault(error, LIDO_ERROR_OTHER, "the source of rows failed: %s", why);
    else
        lido__fault(error, LIDO_ERROR_OTHER, "the source of rows failed");
    lido__fault_row(error, in->bulk.given + 1);
    return -1;
}

/* A source that takes its time must not outlast the statement's deadline, which nobody else looks at meanwhile. */
static int source_in_time(const insertion *in, lido_error *error) {
    if (in->bulk.deadline == LIDO__NO_DEADLINE || lido__clock_recent_us() < in->bulk.deadline)
        return 1;
    lido__fault(error, LIDO_ERROR_TIMEOUT, "the rows took longer than statement_timeout");
    lido__fault_hint(error, "insert fewer in one call, or raise statement_timeout");
    return -1;
}

/* One more row, unchecked. */
static int fetch(insertion *in, const lido_value **row, lido_error *error) {
    const char *why = NULL;
    lido__row_source *source = in->source;
    in->session->supplies = source->foreign;
    lido_supply supply = source->fetch(source, row, &why);
    in->session->supplies = false;
    if (supply == LIDO_ROWS_MORE)
        return source->foreign ? source_in_time(in, error) : 1;
    in->ended = true;
    return supply == LIDO_ROWS_END ? 0 : source_failed(in, why, error);
}

static int next_row(lido__bulk *bulk, const lido_value **row, lido_error *error) {
    insertion *in = (insertion *)bulk;
    int found = in->ended ? 0 : 1;
    if (in->ahead_next < in->ahead_count) {
        *row = in->ahead[in->ahead_next++];
        found = 1;
    } else if (!in->ended) {
        found = fetch(in, row, error);
    }
    if (found <= 0)
        return found;
    bulk->given++;
    return check_row(in, *row, error) ? 1 : -1;
}

/* ---- Looking ahead ---- */

/* Fetches up to `most` rows. False if the source failed or memory ran out: the session has failed. */
static bool look_ahead(insertion *in, size_t most) {
    lido_session *session = in->session;
    const lido_value *row;
    in->ahead = lido__arena_allocate(&in->arena, most * sizeof *in->ahead);
    while (in->ahead != NULL && in->ahead_count < most) {
        in->bulk.given = (int64_t)in->ahead_count; /* for what the source may have to say */
        if (fetch(in, &row, &session->error) <= 0)
            break;
        in->bulk.given++;
        if (!check_row(in, row, &session->error)) /* what cannot be sent cannot be copied, either */
            break;
        if ((in->ahead[in->ahead_count] = lido__values_copy(&in->arena, in->bulk.columns, row)) == NULL)
            break;
        in->ahead_count++;
    }
    in->bulk.given = 0;
    if (in->arena.out_of_memory)
        lido__fault_memory(&session->error, "reading rows ahead");
    if (session->error.status == LIDO_OK)
        return true;
    lido__session_fail(session, doing);
    return false;
}

/* ---- Names and SQL ---- */

static bool refuse_name(lido_session *session, const char *what, const char *name, const char *problem) {
    lido__insert_refuse(session, LIDO_ERROR_MISUSE, "the %s \"%s\" is no name: it %s", what, name, problem);
    return false;
}

/* Reads the columns' names, quoted with commas between into `quoted`. */
static bool read_columns(insertion *in, const char *const *columns, lido__buffer *quoted, lido__buffer *bare) {
    const char **names = lido__arena_allocate(&in->arena, in->bulk.columns * sizeof *names);
    in->bulk.names = names;
    for (size_t i = 0; names != NULL && i < in->bulk.columns; i++) {
        lido__buffer_text(quoted, i > 0 ? ", " : "");
        if (columns[i] == NULL)
            return refuse_name(in->session, "column", "", "is NULL");
        const char *problem = lido__identifier_quote(columns[i], false, quoted, bare);
        if (problem != NULL)
            return refuse_name(in->session, "column", columns[i], problem);
        const char *name = lido__buffer_string(bare);
        names[i] = name != NULL ? lido__arena_copy(&in->arena, name, bare->size) : NULL;
    }
    return true;
}

/* On PostgreSQL, COPY gives columns that are GENERATED ALWAYS AS IDENTITY the values that it has; so that few rows go
 * in as many do, INSERT is told to do the same. */
static void write_sql(insertion *in) {
    lido__buffer sql = LIDO__BUFFER_INIT;
    bool postgres = in->session->engine->config.type == LIDO__POSTGRESQL;
    lido__buffer_format(&sql, "INSERT INTO %s%s VALUES (", in->bulk.into, postgres ? " OVERRIDING SYSTEM VALUE" : "");
    for (size_t i = 0; i < in->bulk.columns; i++)
        lido__buffer_text(&sql, i > 0 ? ", ?" : "?");
    lido__buffer_char(&sql, ')');
    const char *text = lido__buffer_string(&sql);
    in->sql = text != NULL ? lido__arena_copy(&in->arena, text, sql.size) : NULL;
    in->arena.out_of_memory = in->arena.out_of_memory || text == NULL;
    lido__buffer_done(&sql);
}

static bool read_names(insertion *in, const char *table, const char *const *columns, lido__buffer *quoted,
                       lido__buffer *bare) {
    const char *problem = lido__identifier_quote(table, true, quoted, bare);
    if (problem != NULL)
        return refuse_name(in->session, "table", table, problem);
    in->bulk.table = lido__arena_copy(&in->arena, bare->data, bare->size);
    in->bulk.quoted_table = lido__arena_copy(&in->arena, quoted->data, quoted->size);
    lido__buffer_text(quoted, " (");
    if (!read_columns(in, columns, quoted, bare))
        return false;
    lido__buffer_char(quoted, ')');
    in->bulk.into = quoted->out_of_memory ? NULL : lido__arena_copy(&in->arena, quoted->data, quoted->size);
    if (in->bulk.into != NULL)
        write_sql(in);
    if (!quoted->out_of_memory && !bare->out_of_memory && !in->arena.out_of_memory)
        return true;
    lido__insert_refuse(in->session, LIDO_ERROR_OUT_OF_MEMORY, "memory ran out while %s", doing);
    return false;
}

static bool prepare(insertion *in, const char *table, const char *const *columns) {
    lido_session *session = in->session;
    lido__buffer quoted = LIDO__BUFFER_INIT;
    lido__buffer bare = LIDO__BUFFER_INIT;
    if (session->error.status != LIDO_OK)
        lido__fault_clear(&session->error); /* the last transaction's */
    if (table == NULL || columns == NULL || in->bulk.columns == 0)
        return lido__insert_refuse(session, LIDO_ERROR_MISUSE, "%s",
                                   table == NULL ? "the table's name is NULL" : "there is no column to insert into");
    bool prepared = read_names(in, table, columns, &quoted, &bare);
    lido__buffer_done(&quoted);
    lido__buffer_done(&bare);
    return prepared;
}

/* ---- Inserting ---- */

/* The statement, and before it, in the queue, the transaction's beginning. */
static bool make_statement(insertion *in, lido__operation *operation) {
    lido_session *session = in->session;
    operation->kind = LIDO__STATEMENT;
    operation->sql = lido__sql_cache_get(&session->engine->sql, in->sql, &operation->loose_sql, &session->error);
    if (operation->sql == NULL) {
        lido__fault_field(session->error.statement, sizeof session->error.statement, in->sql);
        lido__session_fail(session, doing);
        return false;
    }
    session->may_have_inserted = true;
    if (lido__queue_begin(session))
        return true;
    lido__operation_free_sql(operation);
    return false;
}

static bool queue_row(insertion *in, const lido_value *row) {
    lido_session *session = in->session;
    size_t columns = in->bulk.columns;
    if (!in->source->lasting && !lido__parameters_copy(session, columns, &row))
        return false;
    lido__operation operation = {.count = columns, .values = row, .row = in->bulk.given};
    if (!make_statement(in, &operation))
        return false;
    if (in->queued_first > session->queue_count)
        in->queued_first = session->queue_count;
    if (!lido__queue_add(session, &operation)) {
        lido__operation_free_sql(&operation);
        return false;
    }
    session->queue_bytes += in->source->lasting ? in->bulk.bytes : 0;
    if (session->queue_count < LIDO__QUEUE_MOST && session->queue_bytes < LIDO__QUEUE_BYTES_MOST)
        return true;
    in->queued_first = SIZE_MAX;
    return lido__queue_run(session, NULL);
}

/* A statement for each row. The last ones stay queued. */
static bool insert_each(insertion *in) {
    lido_session *session = in->session;
    const lido_value *row;
    int found;
    while ((found = next_row(&in->bulk, &row, &session->error)) > 0)
        if (!queue_row(in, row))
            return false;
    if (found == 0)
        return true;
    lido__fault_field(session->error.statement, sizeof session->error.statement, in->sql);
    lido__session_fail(session, doing);
    return false;
}

/* False as well if the table does not take rows that way: then the session has not failed. */
static bool insert_in_bulk(insertion *in) {
    lido__operation operation = {.bulk = &in->bulk};
    return make_statement(in, &operation) && lido__queue_run_with(in->session, &operation) && !in->bulk.declined;
}

/* Whether there are so many rows that the backend shall have them in bulk. */
static bool are_many(const insertion *in) {
    int64_t from = in->session->engine->backend->bulk_from;
    return from > 0 && (in->source->count >= from || (in->source->count < 0 && !in->ended));
}

/* Leaves the last rows queued if they are few. */
static bool insert_all(insertion *in) {
    lido_session *session = in->session;
    int64_t from = session->engine->backend->bulk_from;
    if (in->source->count < 0 && !look_ahead(in, from > 0 ? (size_t)from : 1))
        return false;
    if (are_many(in) && insert_in_bulk(in))
        return true;
    return !session->failed && insert_each(in);
}

/* What was queued refers to what the caller holds: it must not stay behind. What was queued before does, for a
 * savepoint may yet undo this alone. */
static int64_t insert_in_transaction(insertion *in) {
    lido_session *session = in->session;
    if (insert_all(in) && (in->bulk.given == 0 || lido__queue_run(session, NULL)))
        return in->bulk.given;
    lido__queue_drop(session, in->queued_first);
    return 0;
}

static int64_t insert_as_transaction(insertion *in) {
    bool own;
    if (!lido__transaction_whole_begin(in->session, &own))
        return 0;
    insert_all(in);
    return lido__transaction_whole_end(in->session, own) ? in->bulk.given : 0;
}

int64_t lido__insert(lido_session *session, const char *table, size_t column_count, const char *const *columns,
                     lido__row_source *source) {
    if (!lido__session_is_ready(session, ""))
        return 0;
    insertion in = {.bulk = {.columns = column_count,
                             .next = next_row,
                             .lasting = source->lasting,
                             .keys = source->keys,
                             .deadline = LIDO__NO_DEADLINE},
                    .session = session,
                    .source = source,
                    .queued_first = SIZE_MAX};
    int64_t count = 0;
    if (prepare(&in, table, columns) && source->count != 0)
        count = session->options.autocommit ? insert_as_transaction(&in) : insert_in_transaction(&in);
    lido__arena_done(&in.arena);
    return count;
}
