/* libpq's errors in lido's words. The detail of a server's error is left out: it quotes values. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "backend/postgres/postgres.h"
#include "base/clock.h"
#include "base/fault.h"

static void take_field(const PGresult *result, int code, char *field, size_t size) {
    const char *text = PQresultErrorField(result, code);
    if (text != NULL)
        lido__fault_field(field, size, text);
}

/* libpq's messages may have several lines, which become sentences. They end with a newline, and verbose ones with lines
 * on where in the server's source. */
static void take_message(char *text, size_t size, const char *message) {
    char line[1000];
    size_t used = 0;
    const char *location = strstr(message, "\nLOCATION:");
    const char *end = location != NULL ? location : message + strlen(message);
    while (end > message && isspace((unsigned char)end[-1]))
        end--;
    for (const char *at = message; at < end && used + 2 < sizeof line; at++) {
        bool control = (unsigned char)*at < ' ' || *at == 0x7f;
        if (*at == '\n' && used > 0) {
            if (strchr(".!?:;,", line[used - 1]) == NULL)
                line[used++] = '.';
            at += strspn(at + 1, " \t\r\n");
        }
        line[used++] = control ? ' ' : *at;
    }
    line[used] = '\0';
    lido__fault_field(text, size, line);
}

/* libpq begins a line with its own errors, and may write several without an end of line. A server's message that
 * says the same has its severity before it: "ERROR:  out of memory". */
static bool says_out_of_memory(const char *message) {
    for (const char *line = message; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "out of memory", strlen("out of memory")) == 0 ||
            strncmp(line, "cannot allocate memory for ", strlen("cannot allocate memory for ")) == 0)
            return true;
    }
    return false;
}

/* libpq's own error, which did not come from the server: mostly that it had no memory for an answer. */
static bool fault_of_libpq(postgres_connection *connection, const PGresult *result, lido_error *error) {
    const char *message = PQresultErrorMessage(result);
    if (PQstatus(connection->wire) == CONNECTION_BAD)
        return lido__postgres_fault_lost(connection, error);
    if (says_out_of_memory(message)) {
        connection->base.broken = true; /* libpq may have lost count of the answers, and would wait for one for ever */
        return lido__fault_memory(error, "reading the server's answer");
    }
    char text[400];
    take_message(text, sizeof text, message);
    return lido__fault(error, LIDO_ERROR_OTHER, "%s", text);
}

/* What ends a connection is graver than an ERROR. An ERROR of the same class tells of another connection, that of a
 * foreign table or of dblink: ours goes on. Without a severity (poolers) the class alone must do. */
static lido_category category_of(const postgres_connection *connection, const PGresult *result, const char *sqlstate) {
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    lido_category category = lido__category_of_sqlstate(sqlstate);
    bool goes_on = severity != NULL && strcmp(severity, "ERROR") == 0 && PQstatus(connection->wire) != CONNECTION_BAD;
    return category == LIDO_ERROR_DISCONNECTED && goes_on ? LIDO_ERROR_OTHER : category;
}

bool lido__postgres_fault_result(postgres_connection *connection, const PGresult *result, lido_error *error) {
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (error->status != LIDO_OK)
        return false;
    if (sqlstate == NULL)
        return fault_of_libpq(connection, result, error);
    if (strcmp(sqlstate, "57014") == 0 && (connection->timed_out || lido__clock_now_us() >= connection->deadline)) {
        lido__fault(error, LIDO_ERROR_TIMEOUT, "the statement ran longer than statement_timeout");
        lido__fault_hint(error, "make it do less, or raise statement_timeout");
    } else {
        lido__fault(error, category_of(connection, result, sqlstate), "%s", message != NULL ? message : "no message");
    }
    lido__fault_field(error->sqlstate, sizeof error->sqlstate, sqlstate);
    take_field(result, PG_DIAG_CONSTRAINT_NAME, error->constraint, sizeof error->constraint);
    take_field(result, PG_DIAG_TABLE_NAME, error->table, sizeof error->table);
    take_field(result, PG_DIAG_COLUMN_NAME, error->column, sizeof error->column);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    if (hint != NULL)
        lido__fault_hint(error, "%s", hint);
    if (error->category == LIDO_ERROR_DISCONNECTED)
        connection->base.broken = connection->base.server_gone = true;
    /* Who did not ask for that may have the transaction, the role or the server to thank: see ping. */
    if (error->category == LIDO_ERROR_READ_ONLY && !connection->read_only)
        connection->base.doubted = true;
    return false;
}

bool lido__postgres_ran_out_of_memory(const postgres_connection *connection) {
    return says_out_of_memory(PQerrorMessage(connection->wire));
}

bool lido__postgres_fault_lost(postgres_connection *connection, lido_error *error) {
    char text[400];
    connection->base.broken = connection->base.server_gone = true;
    take_message(text, sizeof text, PQerrorMessage(connection->wire));
    lido__fault(error,
                lido__postgres_ran_out_of_memory(connection) ? LIDO_ERROR_OUT_OF_MEMORY : LIDO_ERROR_DISCONNECTED,
                "the connection broke: %s", text[0] != '\0' ? text : "no answer");
    if (error->sqlstate[0] == '\0' && error->category == LIDO_ERROR_DISCONNECTED)
        lido__fault_field(error->sqlstate, sizeof error->sqlstate, "08006");
    return false;
}

/* A refused connection has no result to ask for the SQLSTATE; a verbose message has it behind the severity:
 * "FATAL:  28P01: …". Removes it from the text. */
static void take_sqlstate(char *text, char sqlstate[6]) {
    for (char *at = text; (at = strstr(at, ":  ")) != NULL; at++) {
        size_t length = strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (length != 5 || strncmp(at + 8, ": ", 2) != 0)
            continue;
        memcpy(sqlstate, at + 3, 5);
        sqlstate[5] = '\0';
        memmove(at + 2, at + 10, strlen(at + 10) + 1);
        return;
    }
}

/* What to do about a refusal; NULL: its message must do. */
static const char *hint_of_sqlstate(const char *sqlstate) {
    if (strcmp(sqlstate, "28P01") == 0)
        return "check user and password: they come from the URL or, without one, from DATABASE_USER and "
               "DATABASE_PASSWORD; ~/.pgpass is read where no password is configured";
    if (strncmp(sqlstate, "28", 2) == 0)
        return "check the user in the URL or in DATABASE_USER, and that the server's pg_hba.conf lets it in from here";
    if (strcmp(sqlstate, "3D000") == 0)
        return "check the database's name in the URL or in DATABASE_NAME, or make the database: CREATE DATABASE";
    if (strcmp(sqlstate, "53300") == 0)
        return "lower pool_size and max_overflow, or raise the server's max_connections: lido check does the sum";
    return NULL;
}

/* The same where no server has said anything: by how far libpq came, for its messages are in the user's language. */
static const char *hint_of_progress(const PGconn *wire, ConnStatusType reached) {
    if (PQparameterStatus(wire, "server_version") != NULL) /* it let us in */
        return "it is not such a server as target_session_attrs asks for: name other hosts, or set it to any";
    if (reached == CONNECTION_NEEDED || reached == CONNECTION_STARTED)
        return "check that the server runs there and listens; host and port come from the URL or, without one, from "
               "DATABASE_HOST and DATABASE_PORT";
    if (reached == CONNECTION_SSL_STARTUP)
        return "check that a PostgreSQL server answers there and, if sslmode (DATABASE_SSL) demands TLS, that the "
               "server has ssl on and a certificate that sslmode accepts";
    return "check that it is a PostgreSQL server that answers there, and not another service or a proxy";
}

void lido__postgres_fault_connect(PGconn *wire, ConnStatusType reached, const char *where, lido_error *error) {
    char text[400] = "";
    char sqlstate[6] = "";
    if (error->status != LIDO_OK)
        return;
    if (wire != NULL)
        take_message(text, sizeof text, PQerrorMessage(wire));
    take_sqlstate(text, sqlstate);
    lido_category category = sqlstate[0] != '\0' ? lido__category_of_sqlstate(sqlstate) : LIDO_ERROR_DISCONNECTED;
    if (wire == NULL)
        lido__fault_memory(error, "connecting");
    else if (PQconnectionNeedsPassword(wire))
        lido__fault(error, LIDO_ERROR_PERMISSION, "%s wants a password and none is configured", where);
    else
        lido__fault(error, category, "%s", text[0] != '\0' ? text : "no connection");
    const char *hint = sqlstate[0] != '\0' ? hint_of_sqlstate(sqlstate) : hint_of_progress(wire, reached);
    if (wire != NULL && PQconnectionNeedsPassword(wire))
        hint = "put it into ~/.pgpass or into the URL or, without a URL, into DATABASE_PASSWORD";
    if (wire != NULL && hint != NULL)
        lido__fault_hint(error, "%s", hint);
    lido__fault_field(error->sqlstate, sizeof error->sqlstate, sqlstate);
}
