/* Statements on their way in: checked, put into the queue, and run with it. */
#include <lido/statement.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fault.h"
#include "core/parameters.h"

bool lido__session_is_ready(lido_session *session, const char *sql) {
    if (!lido__session_is_mine(session))
        return false;
    if (session->options.autocommit && session->failed && !session->refused)
        lido__session_settle(session, LIDO_ERROR);
    if (session->failed && !session->refused)
        return false;
    if (sql == NULL)
        return lido__session_refuse(session, LIDO_ERROR_MISUSE, NULL, "the SQL text is NULL");
    if (session->stream != NULL)
        return lido__session_refuse(session, LIDO_ERROR_MISUSE, sql,
                                    "a stream is still open in this session: read it to its end or close it first");
    return true;
}

static bool refuse_kind(lido_session *session, const lido__sql *sql) {
    if (sql->kind == LIDO__SQL_EMPTY)
        return lido__session_refuse(session, LIDO_ERROR_MISUSE, sql->text, "the SQL text holds no statement");
    if (sql->many)
        return lido__session_refuse(
            session, LIDO_ERROR_MISUSE, sql->text,
            "the SQL text holds more than one statement: use lido_script, or one call for each");
    if (sql->kind == LIDO__SQL_TRANSACTION)
        return lido__session_refuse(
            session, LIDO_ERROR_MISUSE, sql->text,
            "transactions are the session's: use lido_commit, lido_rollback and lido_savepoint");
    return true;
}

/* The scanned text, or NULL: the session has failed. */
static const lido__sql *scan(lido_session *session, const char *text, bool *loose) {
    if (session->error.status != LIDO_OK && !session->failed)
        lido__fault_clear(&session->error); /* the last transaction's */
    lido__sql *sql = lido__sql_cache_get(&session->engine->sql, text, loose, &session->error);
    if (sql == NULL && !session->failed) {
        lido__fault_field(session->error.statement, sizeof session->error.statement, text);
        lido__session_fail(session, "reading a statement");
    }
    if (sql == NULL || refuse_kind(session, sql))
        return sql;
    if (*loose)
        lido__sql_free(sql);
    return NULL;
}

/* By its first word; a comment may hide what it is. */
static bool may_insert(const lido__sql *sql) {
    static const char *const words[] = {"INSERT", "WITH",    "REPLACE", "MERGE", "COPY", "CALL",
                                        "DO",     "EXPLAIN", "EXECUTE", "--",    "/*"};
    const char *first = sql->text + strspn(sql->text, " \t\r\n\f;(");
    for (size_t i = 0; sql->kind == LIDO__SQL_WRITES && i < sizeof words / sizeof words[0]; i++)
        if (strncasecmp(first, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

/* Makes an operation of a statement, and begins the transaction if it has not begun. Its values are the caller's, or,
 * if it is to be sent later, copies. */
static bool take_in(lido_session *session, const char *text, size_t count, const lido_value *values,
                    lido__operation *operation, bool later) {
    if (!lido__session_is_ready(session, text))
        return false;
    operation->kind = LIDO__STATEMENT;
    operation->sql = scan(session, text, &operation->loose_sql);
    if (operation->sql == NULL)
        return false;
    operation->count = operation->sql->parameter_count;
    if (lido__parameters_arrange(session, operation->sql, count, &values) &&
        (!later || lido__parameters_copy(session, operation->count, &values)) && lido__queue_begin(session)) {
        operation->values = values;
        session->may_have_inserted = session->may_have_inserted || may_insert(operation->sql);
        return true;
    }
    lido__operation_free_sql(operation);
    return false;
}

bool lido__statement_make(lido_session *session, const char *text, size_t count, const lido_value *values,
                          lido__operation *operation) {
    return take_in(session, text, count, values, operation, false);
}

int64_t lido_execv(lido_session *session, const char *sql, size_t count, const lido_value *values) {
    lido__operation operation = {.kind = LIDO__STATEMENT};
    if (!take_in(session, sql, count, values, &operation, false) || !lido__queue_run_with(session, &operation))
        return 0;
    return operation.affected;
}

static lido_rows *run_for_rows(lido_session *session, const char *sql, size_t count, const lido_value *values,
                               bool stream) {
    lido_rows *rows = lido__session_is_mine(session) ? lido__rows_new(session) : NULL;
    if (rows == NULL)
        return NULL;
    lido__operation operation = {.result = &rows->result, .stream = stream};
    rows->result.timeout_ms = session->options.statement_timeout_ms;
    bool taken = take_in(session, sql, count, values, &operation, false);
    rows->writes = taken && operation.sql->kind != LIDO__SQL_READS; /* asked first, for it may be freed then */
    bool done = taken && lido__queue_run_with(session, &operation);
    if (rows->result.connection != NULL) { /* even if something sent before it has failed */
        session->stream = rows;
        rows->until = lido__queue_transaction_deadline(session);
    }
    if (!done) {
        lido_rows_close(rows);
        return NULL;
    }
    rows->result.affected = operation.affected;
    return rows;
}

lido_rows *lido_queryv(lido_session *session, const char *sql, size_t count, const lido_value *values) {
    return run_for_rows(session, sql, count, values, false);
}

lido_rows *lido_streamv(lido_session *session, const char *sql, size_t count, const lido_value *values) {
    return run_for_rows(session, sql, count, values, true);
}

void lido_sendv(lido_session *session, const char *sql, size_t count, const lido_value *values) {
    lido__operation operation = {.kind = LIDO__STATEMENT};
    bool taken = take_in(session, sql, count, values, &operation, true);
    if (taken && !lido__queue_add(session, &operation)) {
        lido__operation_free_sql(&operation);
        taken = false;
    }
    if (!taken) {
        if (lido__session_is_mine(session))
            session->refused = session->options.autocommit;
        return;
    }
    session->queue_bytes += operation.loose_sql ? operation.sql->size : 0;
    bool full = session->queue_count >= LIDO__QUEUE_MOST || session->queue_bytes >= LIDO__QUEUE_BYTES_MOST;
    if (full && !lido__queue_run(session, NULL)) /* which the program has not been told: it sticks like a refusal */
        session->refused = session->options.autocommit;
}

/* Makes a value live as long as the session. */
static lido_value keep_value(lido_session *session, lido_value value) {
    bool has_bytes = value.kind == LIDO_KIND_TEXT || value.kind == LIDO_KIND_JSON || value.kind == LIDO_KIND_NUMERIC ||
                     value.kind == LIDO_KIND_BLOB;
    if (!has_bytes)
        return value;
    value.as.text = lido__arena_copy(&session->kept, value.as.text, value.size);
    if (value.as.text != NULL)
        return value;
    lido__session_refuse(session, LIDO_ERROR_OUT_OF_MEMORY, NULL, "out of memory while reading a value");
    return lido_value_null();
}

lido_value lido_query_valuev(lido_session *session, const char *sql, size_t count, const lido_value *values) {
    lido_value value = lido_value_null();
    lido_rows *rows = lido_queryv(session, sql, count, values);
    if (lido_next(rows))
        value = keep_value(session, lido_get(rows, 0));
    lido_rows_close(rows);
    return value;
}

int64_t lido_script(lido_session *session, const char *sql) {
    int64_t ran = 0;
    size_t size;
    if (!lido__session_is_ready(session, sql))
        return 0;
    for (size_t left = strlen(sql); (size = lido__sql_first_statement(sql, left, session->engine->config.type)) > 0;
         sql += size, left -= size) {
        char *statement = strndup(sql, size);
        if (statement == NULL)
            lido__session_refuse(session, LIDO_ERROR_OUT_OF_MEMORY, NULL, "out of memory while reading a script");
        else
            lido_execv(session, statement, 0, NULL);
        free(statement);
        if (session->failed)
            break;
        ran++;
    }
    return ran;
}

int64_t lido_last_key(lido_session *session) {
    lido__operation asked = {.kind = LIDO__LAST_KEY};
    if (!lido__session_is_ready(session, ""))
        return 0;
    if (session->options.autocommit || !session->begun) {
        lido__session_refuse(session, LIDO_ERROR_MISUSE, NULL,
                             "the last key is known within the transaction that inserted the row; use RETURNING here");
        return 0;
    }
    if (!session->may_have_inserted) { /* PostgreSQL would tell of an earlier transaction's */
        lido__session_refuse(session, LIDO_ERROR_OTHER, NULL, "no row was inserted in this transaction");
        return 0;
    }
    return lido__queue_run_with(session, &asked) ? asked.last_key : 0;
}
