/* lido check: connects, and shows what is there, how it is configured and whether it will hold. */
#include <ctype.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "screen.h"
#include "table.h"

/* clang-format off */
static const char help[] =
    "Usage: lido check [OPTION…] [URL]\n"
    "\n"
    "Connects and shows the server, its version, TLS, how long a connection and\n"
    "a round trip take, a SQLite file's write-ahead log, and every setting with\n"
    "where it came from. Warns if the workers together may open more connections\n"
    "than the server allows, or if the log has grown far too long; a warning\n"
    "leaves the exit status 0.\n"
    "\n"
    "      --workers N  how many processes will use the database; default 1\n"
    "      --json       one JSON object, for scripts\n"
    "  -h, --help       this text\n"
    "\n"
    "URL: sqlite:///items.db, postgresql://user@host/name; without it the\n"
    "     environment names the database (DATABASE_URL …).\n"
    "\n";
/* clang-format on */

static char command_name[] = "lido check"; /* as getopt prints it */

enum {
    WORKERS_MOST = 100000,
    FAR_TOO_LONG = 4 /* times wal_autocheckpoint */
};

typedef struct inspection {
    bool only_help;
    bool json;
    int64_t workers;
    const char *url; /* NULL: the environment's */
    lido_engine *engine;
    lido_error error; /* of the connection */
    lido_server server;
    int64_t pool_size;
    int64_t max_overflow; /* -1: no limit */
    int64_t connections;  /* that all workers together may open; -1: no limit */
    char demand[160];     /* the same in words */
    char warning[512];    /* "" if there is nothing to warn of */
} inspection;

static exit_status read_workers(inspection *check, const char *text) {
    char *end;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || number < 1 || number > WORKERS_MOST)
        return report_usage(command_name, "--workers takes a number from 1 to %d, not '%s'", WORKERS_MOST, text);
    check->workers = number;
    return EXIT_DONE;
}

static exit_status read_options(inspection *check, int argc, char **argv) {
    static const struct option options[] = {
        {"workers", required_argument, NULL, 'w'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    argv[0] = command_name;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'j')
            check->json = true;
        else if (option == 'h')
            check->only_help = true;
        else if (option != 'w')
            return report_option(command_name);
        else if (read_workers(check, optarg) != EXIT_DONE)
            return EXIT_USAGE;
    }
    if (argc - optind > 1)
        return report_usage(command_name, "takes one URL, not %d", argc - optind);
    check->url = argv[optind];
    return EXIT_DONE;
}

/* A number that stands for no limit is shown in words. */
static int64_t number_setting(const lido_engine *engine, const char *name) {
    lido_setting setting;
    for (size_t i = 0; lido_engine_setting(engine, i, &setting); i++)
        if (strcmp(setting.name, name) == 0)
            return isdigit((unsigned char)setting.value[0]) ? strtoll(setting.value, NULL, 10) : -1;
    return -1;
}

static const char *worker_noun(const inspection *check) {
    return check->workers == 1 ? "worker" : "workers";
}

static void describe_demand(inspection *check) {
    if (check->connections < 0)
        snprintf(check->demand, sizeof check->demand,
                 "%" PRId64 " %s with no limit to max_overflow may open any number of connections", check->workers,
                 worker_noun(check));
    else
        snprintf(check->demand, sizeof check->demand,
                 "%" PRId64 " %s × (pool_size %" PRId64 " + max_overflow %" PRId64 ") = %" PRId64 " connections",
                 check->workers, worker_noun(check), check->pool_size, check->max_overflow, check->connections);
}

/* Each worker needs one connection at least, so more workers than connections cannot be helped by settings. */
static void warn_of_connections(inspection *check) {
    int64_t limit = check->server.connection_limit;
    char remedy[96];
    if (limit == 0 || (check->connections >= 0 && check->connections <= limit))
        return;
    if (limit >= check->workers)
        snprintf(remedy, sizeof remedy, "Set pool_size + max_overflow to %" PRId64 " at most", limit / check->workers);
    else
        snprintf(remedy, sizeof remedy, "Run %" PRId64 " workers at most", limit);
    snprintf(check->warning, sizeof check->warning,
             "%s, but the server allows %" PRId64 ". %s, or raise the server's max_connections.", check->demand, limit,
             remedy);
}

static int64_t log_rest(const lido_server *server) {
    return server->log_pages - server->log_copied;
}

/* Past that length commits wait for readers: so it is a reader that stays for long, or nobody who writes by lido. */
static void warn_of_log(inspection *check) {
    const lido_server *server = &check->server;
    int64_t limit = number_setting(check->engine, "wal_autocheckpoint");
    char remedy[128] = "The next commit copies them, unless a transaction that reads for long keeps it from that";
    if (server->log_pages < 0 || limit < 1 || log_rest(server) / FAR_TOO_LONG < limit)
        return;
    if (server->log_holder > 0)
        snprintf(remedy, sizeof remedy, "Process %" PRId64 " reads what was there before them: end its transaction",
                 server->log_holder);
    snprintf(check->warning, sizeof check->warning,
             "the write-ahead log has %" PRId64
             " pages that are not in the database file, and wal_autocheckpoint is %" PRId64 ". %s.",
             log_rest(server), limit, remedy);
}

static void inspect(inspection *check) {
    check->pool_size = number_setting(check->engine, "pool_size");
    check->max_overflow = number_setting(check->engine, "max_overflow");
    check->connections = check->max_overflow < 0 ? -1 : check->workers * (check->pool_size + check->max_overflow);
    describe_demand(check);
    if (lido_engine_inspect(check->engine, &check->server, &check->error) != LIDO_OK)
        return;
    warn_of_connections(check);
    warn_of_log(check);
}

/* What the server says of itself is foreign text. */
static void print_fact(const char *name, const char *text) {
    printf("%-11s  ", name);
    screen_write(text, stdout);
    putchar('\n');
}

static void print_log(const lido_server *server) {
    char text[160];
    if (server->log_pages < 0)
        return;
    snprintf(text, sizeof text, "%" PRId64 " pages, %" PRId64 " of them copied; its file has %" PRId64 " KiB",
             server->log_pages, server->log_copied, (server->log_bytes + 1023) / 1024);
    print_fact("WAL", text);
    snprintf(text, sizeof text, "process %" PRId64 ", which reads what was there before", server->log_holder);
    if (server->log_holder > 0)
        print_fact("held by", text);
}

static void print_server(const inspection *check) {
    const lido_server *server = &check->server;
    char text[160];
    print_fact("database", server->database);
    snprintf(text, sizeof text, "%s %s", server->backend, server->version);
    print_fact("server", text);
    print_fact("TLS", server->tls[0] != '\0' ? server->tls : "no network");
    snprintf(text, sizeof text, "%.2f ms", (double)server->connect_us / 1000);
    print_fact("connect", text);
    snprintf(text, sizeof text, "%.3f ms", (double)server->latency_us / 1000);
    print_fact("latency", text);
    snprintf(text, sizeof text, "the server allows %d", server->connection_limit);
    print_fact("connections", server->connection_limit > 0 ? text : "the server sets no limit");
    print_fact("demand", check->demand);
    print_log(server);
    putchar('\n');
}

static exit_status print_settings(const inspection *check) {
    text_table table;
    lido_setting setting;
    if (!table_open(&table, 3))
        return report_memory("printing the settings");
    table_add(&table, TABLE_NAME, "setting");
    table_add(&table, TABLE_NAME, "value");
    table_add(&table, TABLE_NAME, "origin");
    for (size_t i = 0; lido_engine_setting(check->engine, i, &setting); i++) {
        table_add(&table, TABLE_TEXT, setting.name);
        table_add(&table, setting.value != NULL ? TABLE_TEXT : TABLE_NULL, setting.value);
        table_add(&table, TABLE_TEXT, lido_origin_name(setting.origin));
    }
    bool complete = table_print(&table, stdout, 0);
    table_close(&table);
    return complete ? EXIT_DONE : report_memory("printing the settings");
}

/* The settings are shown also where no connection is to be had: they are where to look for the reason. */
static exit_status print_for_people(const inspection *check) {
    if (check->error.status == LIDO_OK)
        print_server(check);
    return print_settings(check);
}

static json_t *log_json(const lido_server *server) {
    if (server->log_pages < 0)
        return json_null();
    json_t *holder = server->log_holder > 0 ? json_integer(server->log_holder) : json_null();
    return json_pack("{s:I, s:I, s:I, s:o}", "pages", (json_int_t)server->log_pages, "copied",
                     (json_int_t)server->log_copied, "bytes", (json_int_t)server->log_bytes, "holder", holder);
}

static json_t *server_json(const inspection *check) {
    const lido_server *server = &check->server;
    if (check->error.status != LIDO_OK)
        return json_null();
    json_t *limit = server->connection_limit > 0 ? json_integer(server->connection_limit) : json_null();
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:o, s:o}", "database", server->database, "backend",
                     server->backend, "version", server->version, "tls", server->tls, "connect_us",
                     (json_int_t)server->connect_us, "latency_us", (json_int_t)server->latency_us, "connection_limit",
                     limit, "wal", log_json(server));
}

static json_t *settings_json(const inspection *check) {
    json_t *settings = json_array();
    lido_setting setting;
    for (size_t i = 0; settings != NULL && lido_engine_setting(check->engine, i, &setting); i++) {
        json_t *one = json_pack("{s:s, s:s?, s:s}", "name", setting.name, "value", setting.value, "origin",
                                lido_origin_name(setting.origin));
        if (json_array_append_new(settings, one) != 0) {
            json_decref(settings);
            return NULL;
        }
    }
    return settings;
}

static exit_status print_for_scripts(const inspection *check) {
    json_t *connections = check->connections < 0 ? json_null() : json_integer(check->connections);
    json_t *warnings = check->warning[0] != '\0' ? json_pack("[s]", check->warning) : json_array();
    json_t *json =
        json_pack("{s:o, s:I, s:o, s:o, s:o}", "server", server_json(check), "workers", (json_int_t)check->workers,
                  "connections", connections, "settings", settings_json(check), "warnings", warnings);
    if (json == NULL)
        return report_memory("printing the settings");
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(json);
    return EXIT_DONE;
}

static exit_status run(inspection *check) {
    inspect(check);
    exit_status status = check->json ? print_for_scripts(check) : print_for_people(check);
    /* What is printed goes out before what is complained about. */
    status = report_output(status);
    if (check->warning[0] != '\0')
        fprintf(stderr, "lido: warning: %s\n", check->warning);
    return check->error.status != LIDO_OK ? report_error(&check->error) : status;
}

exit_status check_command(int argc, char **argv) {
    inspection check = {.workers = 1, .error = LIDO_ERROR_INIT};
    exit_status status = read_options(&check, argc, argv);
    if (status != EXIT_DONE)
        return status;
    if (check.only_help) {
        printf("%s%s", help, report_exit_help);
        return EXIT_DONE;
    }
    check.engine = lido_engine_open(check.url, NULL, &check.error);
    if (check.engine == NULL)
        return report_error(&check.error);
    status = run(&check);
    lido_engine_close(check.engine);
    return status;
}
