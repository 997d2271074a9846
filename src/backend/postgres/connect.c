/* Opening PostgreSQL connections, host after host and address after address, each with its deadline. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "await/await.h"
#include "backend/postgres/postgres.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"

enum { OPTIONS_MOST = 4096, KEYWORDS_OWN = 16, OLDEST_SERVER = 100000, SHORTEST_DOUBLES_SERVER = 120000 };

/* One host's turn. */
typedef struct attempt {
    const lido__config *config;
    const lido__host *host;
    const char *address;       /* NULL: libpq finds it (a unix socket) */
    const char *server_wanted; /* target_session_attrs of this pass */
    char where[160];           /* for messages: "db1:5432" */
} attempt;

/* ---- Names into addresses ---- */

typedef struct lookup {
    char *name;
    struct addrinfo *found;
    int code;
} lookup;

static void look_up(void *argument) {
    lookup *asked = argument;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    asked->code = getaddrinfo(asked->name, NULL, &hints, &asked->found);
}

static void lookup_free(void *argument) {
    lookup *freed = argument;
    if (freed->found != NULL)
        freeaddrinfo(freed->found);
    free(freed->name);
    free(freed);
}

static lookup *lookup_new(const char *name) {
    lookup *made = calloc(1, sizeof *made);
    if (made != NULL && (made->name = strdup(name)) == NULL) {
        free(made);
        return NULL;
    }
    return made;
}

/* An address needs no look-up, and no thread that would make one. */
static bool read_address(lookup *asked) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    return getaddrinfo(asked->name, NULL, &hints, &asked->found) == 0;
}

/* NULL with *error set if the name leads nowhere, or not in time. */
static lookup *resolve(const attempt *try, lido_error *error) {
    const lido__config *config = try->config;
    lookup *asked = lookup_new(try->host->name);
    if (asked == NULL) {
        lido__fault_memory(error, "looking a host up");
        return NULL;
    }
    if (read_address(asked))
        return asked;
    int64_t deadline = lido__deadline_in_ms(config->connect_timeout_ms);
    if (lido__await_work(look_up, lookup_free, asked, deadline) != LIDO__AWAIT_READY) {
        if (lido__await_may_wait(error)) /* else it has said why */
            lido__fault(error, LIDO_ERROR_TIMEOUT, "the host \"%s\" was not found within %lld ms", try->host->name,
                        (long long)config->connect_timeout_ms);
        return NULL;
    }
    if (asked->code == 0)
        return asked;
    lido__fault(error, LIDO_ERROR_DISCONNECTED, "the host \"%s\" was not found: %s", try->host->name,
                gai_strerror(asked->code));
    lido__fault_hint(error, "check the host's name in the URL or in DATABASE_HOST");
    lookup_free(asked);
    return NULL;
}

static bool is_network_name(const lido__host *host) {
    return host->name != NULL && host->name[0] != '/' && host->name[0] != '@' && host->name[0] != '\0';
}

/* ---- One attempt ---- */

/* What the program gives the server in `options`, and for a lane, that it must not write. As a parameter of the
 * connection's start it outlasts RESET ALL, and a pooler, which would give its connections to others, refuses it. */
static bool lane_options(const lido__config *config, char *text, size_t size) {
    const char *own = getenv("PGOPTIONS");
    for (size_t i = 0; i < config->keyword_count; i++)
        if (strcmp(config->keywords[i].name, "options") == 0)
            own = config->keywords[i].value;
    int length = snprintf(text, size, "%s -c default_transaction_read_only=on", own != NULL ? own : "");
    return length > 0 && (size_t)length < size;
}

static PGconn *start(const attempt *try) {
    const lido__config *config = try->config;
    char options[OPTIONS_MOST];
    if (config->for_lanes && !lane_options(config, options, sizeof options))
        return NULL;
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
        /* A peer that is gone without a word is noticed within a minute, between statements and in them. */
        {"keepalives_idle", "30"},
        {"keepalives_interval", "10"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "60000"},
    };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++, count++) {
        names[count] = own[i].name;
        values[count] = own[i].value;
    }
    for (size_t i = 0; i < config->keyword_count && count < KEYWORDS_OWN + 62; i++, count++) {
        names[count] = config->keywords[i].name;
        values[count] = config->keywords[i].value;
    }
    if (config->for_lanes) { /* the last one of a name counts */
        names[count] = "options";
        values[count++] = options;
    }
    names[count] = NULL;
    values[count] = NULL;
    return lido__postgres_connect_start(names, values);
}

/* libpq's hand-shake, TLS and log-in, waited for step by step. */
static bool shake_hands(PGconn *wire, const attempt *try, int64_t deadline, lido_error *error) {
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
    ConnStatusType reached = PQstatus(wire); /* before it failed: after that libpq does not tell */
    while (wanted != PGRES_POLLING_OK) {
        if (wanted == PGRES_POLLING_FAILED) {
            lido__postgres_fault_connect(wire, reached, try->where, error);
            return false;
        }
        bool read = wanted == PGRES_POLLING_READING;
        lido__await_outcome outcome = lido__await_descriptor(PQsocket(wire), read, !read, deadline);
        if (outcome == LIDO__AWAIT_CANCELLED || outcome == LIDO__AWAIT_REFUSED)
            return lido__await_may_wait(error);
        if (outcome == LIDO__AWAIT_TIMED_OUT) {
            if (!lido__await_may_wait(error))
                return false;
            lido__fault(error, LIDO_ERROR_TIMEOUT, "%s did not let us in within %lld ms", try->where,
                        (long long)try->config->connect_timeout_ms);
            lido__fault_hint(error, "check that a PostgreSQL server answers there, or raise connect_timeout");
            return false;
        }
        reached = PQstatus(wire);
        wanted = lido__postgres_connect_poll(wire);
    }
    return true;
}

bool lido__postgres_settle(postgres_connection *connection, lido_error *error) {
    const char *dates = PQparameterStatus(connection->wire, "DateStyle");
    const char *strings = PQparameterStatus(connection->wire, "standard_conforming_strings");
    bool other_dates = dates != NULL && strncmp(dates, "ISO", 3) != 0;
    bool other_strings = strings != NULL && strcmp(strings, "on") != 0;
    char commands[128];
    if (!connection->rounds && !other_dates && !other_strings)
        return true;
    snprintf(commands, sizeof commands, "%s%s%s", connection->rounds ? "SET extra_float_digits = 3;" : "",
             other_dates ? "SET datestyle = ISO;" : "", other_strings ? "SET standard_conforming_strings = on" : "");
    return lido__postgres_command(connection, commands, error);
}

/* What the server does not tell by itself. */
static bool learn_defaults(postgres_connection *connection, lido_error *error) {
    static const char sql[] = "SHOW extra_float_digits; SHOW default_transaction_isolation; "
                              "SHOW default_transaction_read_only";
    bool learned = true;
    bool lost = false;
    if (!PQsendQuery(connection->wire, sql))
        return lido__postgres_fault_lost(connection, error);
    for (PGresult *result; (result = lido__postgres_next_result(connection, &lost, error)) != NULL; PQclear(result)) {
        if (PQntuples(result) != 1)
            learned = lido__postgres_fault_result(connection, result, error);
        else if (strcmp(PQfname(result, 0), "extra_float_digits") == 0)
            connection->rounds = PQserverVersion(connection->wire) < SHORTEST_DOUBLES_SERVER ||
                                 strtol(PQgetvalue(result, 0, 0), NULL, 10) <= 0;
        else if (strcmp(PQfname(result, 0), "default_transaction_read_only") == 0)
            connection->writes_nothing = strcmp(PQgetvalue(result, 0, 0), "on") == 0;
        else
            connection->reads_committed = strcmp(PQgetvalue(result, 0, 0), "read committed") == 0;
    }
    return learned && !lost;
}

static bool settle_first(postgres_connection *connection, lido_error *error) {
    if (PQserverVersion(connection->wire) < OLDEST_SERVER)
        return lido__fault(error, LIDO_ERROR_CONFIGURATION, "the server is older than PostgreSQL 10");
    return learn_defaults(connection, error) && lido__postgres_settle(connection, error);
}

/* What the server says besides: RAISE NOTICE, a warning that nothing came of something; and goodbye, where it was not
 * asked. `connection`: NULL while it is being opened. */
static void log_notice(const lido__config *config, postgres_connection *connection, const PGresult *notice) {
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    bool warns = severity != NULL && strcmp(severity, "WARNING") == 0;
    if (connection != NULL && severity != NULL && strcmp(severity, "FATAL") == 0)
        connection->said_goodbye = true;
    lido__log(warns ? LIDO_LOG_WARNING : LIDO_LOG_INFO, "%s: the server says: %s", config->display,
              message != NULL ? message : "nothing that could be read");
}

static void log_early_notice(void *config, const PGresult *notice) {
    log_notice(config, NULL, notice);
}

static void log_later_notice(void *argument, const PGresult *notice) {
    postgres_connection *connection = argument;
    log_notice(connection->config, connection, notice);
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
    connection->spin.most_us = config->spin_us;
    connection->deadline = deadline;
    connection->scratch = (lido__arena)LIDO__ARENA_INIT;
    PQsetErrorVerbosity(wire, PQERRORS_DEFAULT);
    PQsetNoticeReceiver(wire, log_later_notice, connection);
    return connection;
}

/* *lost: it was let in, and lost at once. */
static lido__connection *open_once(const attempt *try, bool *lost, lido_error *error) {
    int64_t deadline = lido__deadline_in_ms(try->config->connect_timeout_ms);
    PGconn *wire = start(try);
    if (wire == NULL || PQstatus(wire) == CONNECTION_BAD) {
        lido__postgres_fault_connect(wire, CONNECTION_NEEDED, try->where, error);
        lido__postgres_finish(wire);
        return NULL;
    }
    /* From the first moment: libpq's own receiver prints them. */
    PQsetNoticeReceiver(wire, log_early_notice, (void *)(uintptr_t)try->config);
    PQsetErrorVerbosity(wire, PQERRORS_VERBOSE); /* the SQLSTATE of a refusal is found nowhere else */
    if (!shake_hands(wire, try, deadline, error)) {
        lido__postgres_finish(wire);
        return NULL;
    }
    postgres_connection *connection = connection_new(try->config, wire, deadline);
    if (connection == NULL || PQsetnonblocking(wire, 1) != 0) {
        lido__fault_memory(error, "connecting");
        if (connection == NULL)
            lido__postgres_finish(wire);
    } else if (settle_first(connection, error)) {
        return &connection->base;
    }
    if (connection != NULL) {
        *lost = connection->base.broken && lido__clock_now_us() < deadline;
        lido__postgres_close(&connection->base);
    }
    return NULL;
}

/* One that somebody ends between its log-in and its first use is opened again, for it says nothing of the others: a
 * connection that cannot be opened tells the pool that the server is out of reach. */
static lido__connection *open_one(const attempt *try, lido_error *error) {
    lido_error failure = LIDO_ERROR_INIT;
    bool lost = false;
    lido__connection *connection = open_once(try, &lost, &failure);
    if (connection == NULL && lost) {
        lido__fault_clear(&failure);
        connection = open_once(try, &lost, &failure);
    }
    if (connection == NULL && error->status == LIDO_OK)
        *error = failure;
    return connection;
}

/* ---- All hosts ---- */

static lido__connection *open_addresses(attempt *try, lido_error *error) {
    lookup *asked = resolve(try, error);
    lido__connection *connection = NULL;
    char address[NI_MAXHOST];
    if (asked == NULL)
        return NULL;
    for (struct addrinfo *at = asked->found; at != NULL && connection == NULL; at = at->ai_next) {
        if (getnameinfo(at->ai_addr, at->ai_addrlen, address, sizeof address, NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        try->address = address;
        connection = open_one(try, error);
    }
    lookup_free(asked);
    if (connection == NULL)
        lido__fault(error, LIDO_ERROR_DISCONNECTED, "the host \"%s\" has no address that can be written",
                    try->host->name);
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

lido__connection *lido__postgres_open(const lido__config *config, void *database, lido_error *error) {
    (void)database;
    lido_error failure = LIDO_ERROR_INIT;
    const char *wanted = config->target_session_attrs;
    /* Asked host by host, libpq cannot prefer one over another: first all are asked for a standby, then for any. */
    lido__postgres_prepare_for_fork();
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
