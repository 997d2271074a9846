/* A PostgreSQL connection that is open: looking at it, asking it, cancelling, closing; and the backend's table. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/postgres/postgres.h"
#include "base/clock.h"
#include "base/fault.h"

void lido__postgres_close(lido__connection *base) {
    postgres_connection *connection = (postgres_connection *)base;
    lido__postgres_forget_statements(connection);
    lido__statement_cache_done(&connection->statements);
    lido__arena_done(&connection->scratch);
    free(connection->lane);
    lido__postgres_finish(connection->wire);
    free(connection);
}

/* ---- Looking ---- */

static bool peer_has_closed(PGconn *wire) {
    char byte;
    ssize_t received = recv(PQsocket(wire), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return received == 0 || (received < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static bool has_input(PGconn *wire) {
    char byte;
    return recv(PQsocket(wire), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* An idle server has nothing to say but farewells and notices: both are read, and the end behind them is seen. */
static bool alive(lido__connection *base) {
    postgres_connection *connection = (postgres_connection *)base;
    if (base->broken || peer_has_closed(connection->wire))
        return false;
    if (!has_input(connection->wire))
        return true;
    if (PQconsumeInput(connection->wire) == 0 || (connection->owes && !lido__postgres_take_owed(connection)))
        return false;
    if (connection->owes)
        return true;
    return !PQisBusy(connection->wire) && !connection->said_goodbye && !peer_has_closed(connection->wire);
}

/* ---- Asking ---- */

/* The number that the server answers with; -1: none, and *error says why. */
static int ask_number(postgres_connection *connection, const char *sql, lido_error *error) {
    int number = -1;
    bool lost;
    if (!lido__postgres_settle_owed(connection, error))
        return -1;
    if (!PQsendQuery(connection->wire, sql)) {
        lido__postgres_fault_lost(connection, error);
        return -1;
    }
    for (PGresult *result; (result = lido__postgres_next_result(connection, &lost, error)) != NULL; PQclear(result)) {
        if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1)
            number = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
        else
            lido__postgres_fault_result(connection, result, error);
    }
    return number;
}

/* A write was refused. Where the transaction, the session or the role is to blame, another connection would be no
 * better; a standby, or a server that was told to refuse all writes, is left for one that may take them. */
static bool takes_writes(postgres_connection *connection) {
    lido_error ignored = LIDO_ERROR_INIT;
    int takes = ask_number(connection,
                           "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() OR (setting = 'on' AND source IN "
                           "('configuration file', 'command line', 'environment variable')) THEN 0 ELSE 1 END "
                           "FROM pg_catalog.pg_settings WHERE name = 'default_transaction_read_only'",
                           &ignored);
    connection->base.doubted = false;
    connection->base.server_gone = connection->base.server_gone || takes == 0;
    return takes == 1 && !connection->base.broken;
}

/* The whole answer to an empty statement, which costs the server nothing. */
static bool ping(lido__connection *base, int64_t deadline) {
    postgres_connection *connection = (postgres_connection *)base;
    lido_error ignored = LIDO_ERROR_INIT;
    connection->timed_out = true; /* one that does not answer a ping will not answer a cancel */
    connection->deadline = deadline;
    if (base->doubted)
        return takes_writes(connection);
    return lido__postgres_command(connection, "", &ignored) && !base->broken;
}

static void cancel(lido__connection *base, bool give_up) {
    PGconn *wire = ((postgres_connection *)base)->wire;
    if (give_up)
        shutdown(PQsocket(wire), SHUT_RDWR); /* who waits on it sees the end at once */
    else
        lido__postgres_send_cancel(PQgetCancel(wire));
}

/* ---- Telling ---- */

static void describe_tls(PGconn *wire, lido_server *server) {
    if (PQsslInUse(wire)) {
        const char *protocol = PQsslAttribute(wire, "protocol");
        const char *cipher = PQsslAttribute(wire, "cipher");
        snprintf(server->tls, sizeof server->tls, "%s %s", protocol != NULL ? protocol : "",
                 cipher != NULL ? cipher : "");
    } else if (PQhost(wire) != NULL && PQhost(wire)[0] != '/') {
        lido__fault_field(server->tls, sizeof server->tls, "off");
    }
}

static bool inspect(lido__connection *base, lido_server *server, lido_error *error) {
    postgres_connection *connection = (postgres_connection *)base;
    const char *version = PQparameterStatus(connection->wire, "server_version");
    lido__fault_field(server->backend, sizeof server->backend, "postgresql");
    lido__fault_field(server->version, sizeof server->version, version != NULL ? version : "");
    describe_tls(connection->wire, server);
    connection->timed_out = false;
    connection->deadline = lido__deadline_in_ms(connection->config->connect_timeout_ms);
    server->connection_limit = ask_number(connection,
                                          "SELECT current_setting('max_connections')::int - "
                                          "current_setting('superuser_reserved_connections')::int",
                                          error);
    return server->connection_limit >= 0;
}

const lido__backend lido__backend_postgres = {
    .name = "postgresql",
    .bulk_from = 32,
    .open = lido__postgres_open,
    .close = lido__postgres_close,
    .around_fork = lido__postgres_around_fork,
    .disarm = lido__postgres_disarm,
    .abandon = lido__postgres_abandon,
    .alive = alive,
    .ping = ping,
    .cancel = cancel,
    .cancel_may_miss = true,
    .run = lido__postgres_run,
    .mark = lido__postgres_mark,
    .resolve = lido__postgres_resolve,
    .lanes = &lido__postgres_lane_operations,
    .inspect = inspect,
};
