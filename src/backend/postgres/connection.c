/* Opening PostgreSQL connections, host after host and address after address, each with its deadline; looking at
 * them; closing them; and the backend's table. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "await/await.h"
#include "backend/postgres/postgres.h"
#include "base/clock.h"
#include "base/fault.h"

enum { KEYWORDS_OWN = 12, OLDEST_SERVER = 100000 };

/* ---- Names into addresses ---- */

typedef struct lookup {
    const char *name;
    struct addrinfo *found;
    int code;
} lookup;

static void look_up(void *argument) {
    lookup *asked = argument;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    asked->code = getaddrinfo(asked->name, NULL, &hints, &asked->found);
}

static bool is_network_name(const lido__host *host) {
    return host->name != NULL && host->name[0] != '/' && host->name[0] != '@' && host->name[0] != '\0';
}

/* ---- One attempt ---- */

typedef struct attempt {
    const lido__config *config;
    const lido__host *host;
    const char *address;       /* NULL: libpq finds it (a unix socket) */
    const char *server_wanted; /* target_session_attrs of this pass */
    char where[160];           /* for messages: "db1:5432" */
} attempt;

static PGconn *start(const attempt *try) {
    const lido__config *config = try->config;
    const char *names[KEYWORDS_OWN + 64];
    const char *values[KEYWORDS_OWN + 64];
    size_t count = 0;
    const lido__keyword own[] = {
        {"host", try->host->name},
        {"hostaddr", try->address},
        {"port", try->host->port},
        {"dbname", config->database},
        {"user", config->user},
        {"password", config->password},
        {"sslmode", config->sslmode},
        {"application_name", config->application_name},
        {"fallback_application_name", "lido"},
        {"target_session_attrs", try->server_wanted},
        {"client_encoding", "UTF8"},
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++, count++) {
        names[count] = own[i].name;
        values[count] = own[i].value;
    }
    for (size_t i = 0; i < config->keyword_count && count < KEYWORDS_OWN + 63; i++, count++) {
        names[count] = config->keywords[i].name;
        values[count] = config->keywords[i].value;
    }
    names[count] = NULL;
    values[count] = NULL;
    return PQconnectStartParams(names, values, 0);
}

/* libpq's hand-shake, TLS and log-in, waited for step by step. */
static bool shake_hands(PGconn *wire, const attempt *try, int64_t deadline, lido_error *error) {
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
    while (wanted != PGRES_POLLING_OK) {
        if (wanted == PGRES_POLLING_FAILED) {
            lido__postgres_fault_connect(wire, try->where, error);
            return false;
        }
        bool read = wanted == PGRES_POLLING_READING;
        if (lido__await_descriptor(PQsocket(wire), read, !read, deadline) == LIDO__AWAIT_TIMED_OUT) {
            lido__fault(error, LIDO_ERROR_TIMEOUT, "%s did not let us in within %lld ms", try->where,
                        (long long)try->config->connect_timeout_ms);
            lido__fault_hint(error, "check that a PostgreSQL server answers there, or raise connect_timeout");
            return false;
        }
        wanted = PQconnectPoll(wire);
    }
    return true;
}

/* The reading of values and of SQL relies on these; where the server or the role sets others, they are set back. */
static bool settle(postgres_connection *connection, lido_error *error) {
    const char *dates = PQparameterStatus(connection->wire, "DateStyle");
    const char *strings = PQparameterStatus(connection->wire, "standard_conforming_strings");
    if (PQserverVersion(connection->wire) < OLDEST_SERVER)
        return lido__fault(error, LIDO_ERROR_CONFIGURATION, "the server is older than PostgreSQL 10");
    if (dates != NULL && strncmp(dates, "ISO", 3) != 0 &&
        !lido__postgres_command(connection, "SET datestyle = ISO", error))
        return false;
    return strings == NULL || strcmp(strings, "on") == 0 ||
           lido__postgres_command(connection, "SET standard_conforming_strings = on", error);
}

static void drop_notice(void *argument, const PGresult *notice) {
    (void)argument;
    (void)notice;
}

static postgres_connection *connection_new(const lido__config *config, PGconn *wire, int64_t deadline) {
    postgres_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL || !lido__statement_cache_init(&connection->statements, (size_t)config->statement_cache)) {
        free(connection);
        return NULL;
    }
    connection->base.backend = &lido__backend_postgres;
    connection->wire = wire;
    connection->config = config;
    connection->deadline = deadline;
    connection->scratch = (lido__arena)LIDO__ARENA_INIT;
    PQsetNoticeReceiver(wire, drop_notice, NULL);
    PQsetErrorVerbosity(wire, PQERRORS_DEFAULT);
    return connection;
}

static void close_connection(lido__connection *base) {
    postgres_connection *connection = (postgres_connection *)base;
    lido__postgres_forget_statements(connection);
    lido__statement_cache_done(&connection->statements);
    lido__arena_done(&connection->scratch);
    PQfinish(connection->wire);
    free(connection);
}

static lido__connection *open_one(const attempt *try, lido_error *error) {
    int64_t deadline = lido__deadline_in_ms(try->config->connect_timeout_ms);
    PGconn *wire = start(try);
    if (wire == NULL || PQstatus(wire) == CONNECTION_BAD) {
        lido__postgres_fault_connect(wire, try->where, error);
        PQfinish(wire);
        return NULL;
    }
    PQsetErrorVerbosity(wire, PQERRORS_VERBOSE); /* the SQLSTATE of a refusal is found nowhere else */
    if (!shake_hands(wire, try, deadline, error)) {
        PQfinish(wire);
        return NULL;
    }
    postgres_connection *connection = connection_new(try->config, wire, deadline);
    if (connection == NULL || PQsetnonblocking(wire, 1) != 0) {
        lido__fault_memory(error, "connecting");
        if (connection == NULL)
            PQfinish(wire);
    } else if (settle(connection, error)) {
        return &connection->base;
    }
    if (connection != NULL)
        close_connection(&connection->base);
    return NULL;
}

/* ---- All hosts ---- */

static lido__connection *open_addresses(attempt *try, lido_error *error) {
    lookup asked = {.name = try->host->name};
    lido__connection *connection = NULL;
    char address[NI_MAXHOST];
    lido__await_work(look_up, &asked);
    if (asked.code != 0) {
        lido__fault(error, LIDO_ERROR_DISCONNECTED, "the host \"%s\" was not found: %s", try->host->name,
                    gai_strerror(asked.code));
        lido__fault_hint(error, "check the host's name in the URL or in DATABASE_HOST");
        return NULL;
    }
    for (struct addrinfo *at = asked.found; at != NULL && connection == NULL; at = at->ai_next) {
        if (getnameinfo(at->ai_addr, at->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        try->address = address;
        connection = open_one(try, error);
    }
    freeaddrinfo(asked.found);
    return connection;
}

static lido__connection *open_host(const lido__config *config, const lido__host *host, const char *server_wanted,
                                   lido_error *error) {
    attempt try = {.config = config, .host = host, .server_wanted = server_wanted};
    snprintf(try.where, sizeof try.where, "%s%s%s", host->name != NULL ? host->name : "the server",
             host->port != NULL ? ":" : "", host->port != NULL ? host->port : "");
    return is_network_name(host) ? open_addresses(&try, error) : open_one(&try, error);
}

/* Tries the hosts in their order; the first one's error is reported if none takes us. */
static lido__connection *open_any(const lido__config *config, const char *server_wanted, lido_error *error) {
    lido__connection *connection = NULL;
    for (size_t i = 0; i < config->host_count && connection == NULL; i++)
        connection = open_host(config, &config->hosts[i], server_wanted, error);
    return connection;
}

static lido__connection *open_connection(const lido__config *config, void *database, lido_error *error) {
    (void)database;
    lido_error failure = LIDO_ERROR_INIT;
    const char *wanted = config->target_session_attrs;
    /* Asked host by host, libpq cannot prefer one over another: first all are asked for a standby, then for any. */
    bool prefers = wanted != NULL && strcmp(wanted, "prefer-standby") == 0;
    lido__connection *connection = open_any(config, prefers ? "standby" : wanted, &failure);
    if (connection == NULL && prefers) {
        lido__fault_clear(&failure);
        connection = open_any(config, "any", &failure);
    }
    if (connection == NULL) {
        lido__fault_doing(&failure, "connecting");
        *error = failure;
    }
    return connection;
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
    return PQconsumeInput(connection->wire) != 0 && !PQisBusy(connection->wire) && !peer_has_closed(connection->wire);
}

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

static int ask_number(postgres_connection *connection, const char *sql, lido_error *error) {
    int number = -1;
    bool lost;
    connection->timed_out = false;
    connection->deadline = lido__deadline_in_ms(connection->config->connect_timeout_ms);
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

static bool inspect(lido__connection *base, lido_server *server, lido_error *error) {
    postgres_connection *connection = (postgres_connection *)base;
    const char *version = PQparameterStatus(connection->wire, "server_version");
    lido__fault_field(server->backend, sizeof server->backend, "postgresql");
    lido__fault_field(server->version, sizeof server->version, version != NULL ? version : "");
    describe_tls(connection->wire, server);
    server->connection_limit = ask_number(connection,
                                          "SELECT current_setting('max_connections')::int - "
                                          "current_setting('superuser_reserved_connections')::int",
                                          error);
    return server->connection_limit >= 0;
}

const lido__backend lido__backend_postgres = {
    .name = "postgresql",
    .open = open_connection,
    .close = close_connection,
    .alive = alive,
    .run = lido__postgres_run,
    .inspect = inspect,
};
