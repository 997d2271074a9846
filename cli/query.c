/* lido query: runs one statement and prints its rows. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "output.h"
#include "url.h"

/* clang-format off */
static const char help[] =
    "Usage: lido query [OPTION…] [URL] SQL [PARAM…]\n"
    "\n"
    "Runs one statement and prints its rows. SQL \"-\" is read from standard\n"
    "input. Its placeholders (?, :name or $1) take the PARAMs in order.\n"
    "Options stand before URL and SQL.\n"
    "\n"
    "      --table      an aligned table: the default, on a terminal or not;\n"
    "                   row by row where the terminal is too narrow for it\n"
    "      --csv        CSV with a header line; NULL is empty, no text is \"\"\n"
    "      --json       a JSON array of objects\n"
    "      --null WORD  a PARAM that reads WORD is NULL\n"
    "      --read-only  the database refuses writes\n"
    "  -h, --help       this text\n"
    "\n"
    "URL: sqlite:///items.db, postgresql://user@host/name; without it the\n"
    "     environment names the database (DATABASE_URL …).\n"
    "\n";
/* clang-format on */

static char command_name[] = "lido query"; /* as getopt prints it */

typedef struct request {
    output_function *output;
    lido_session_options session;
    const char *null_word; /* NULL: none */
    const char *url;       /* NULL: the environment's */
    const char *sql;       /* NULL: only help was asked for */
    char *sql_read;        /* what of it is ours */
    size_t value_count;
    lido_value *values;
} request;

static exit_status read_options(request *query, int argc, char **argv) {
    static const struct option options[] = {
        {"table", no_argument, NULL, 't'},
        {"csv", no_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"null", required_argument, NULL, 'n'},
        {"read-only", no_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    argv[0] = command_name;
    /* "+": the options end at the first word that is none, for a PARAM may be -5. */
    while ((option = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
        if (option == 't')
            query->output = output_table;
        else if (option == 'c')
            query->output = output_csv;
        else if (option == 'j')
            query->output = output_json;
        else if (option == 'n')
            query->null_word = optarg;
        else if (option == 'r')
            query->session.read_only = true;
        else if (option != 'h')
            return report_option(command_name);
        if (option == 'h') {
            printf("%s%s", help, report_exit_help);
            return EXIT_DONE;
        }
    }
    if (optind < argc && is_url(argv[optind]))
        query->url = argv[optind++];
    if (optind == argc)
        return report_usage(command_name, "the SQL is missing");
    query->sql = argv[optind++];
    return EXIT_DONE;
}

/* Standard input as the statement. The library says so itself if it is too long, once it is here. */
static exit_status read_sql(request *query) {
    size_t size = 0;
    errno = 0;
    ssize_t length = getdelim(&query->sql_read, &size, '\0', stdin);
    if (ferror(stdin) || (length < 0 && !feof(stdin))) {
        fprintf(stderr, "lido: cannot read the SQL from standard input: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    if (!feof(stdin))
        return report_usage(command_name, "the SQL on standard input has a NUL byte in it, which SQL cannot have");
    query->sql = length > 0 ? query->sql_read : "";
    return EXIT_DONE;
}

static exit_status read_parameters(request *query, int count, char **texts) {
    query->value_count = (size_t)count;
    query->values = calloc(query->value_count + 1, sizeof *query->values);
    if (query->values == NULL)
        return report_memory("reading the parameters");
    for (int i = 0; i < count; i++) {
        bool is_null = query->null_word != NULL && strcmp(texts[i], query->null_word) == 0;
        query->values[i] = is_null ? lido_value_null() : lido_value_text(texts[i]);
    }
    return EXIT_DONE;
}

static exit_status run_in(lido_engine *engine, const request *query) {
    exit_status status = EXIT_DONE;
    lido_session *session = lido_session_open(engine, &query->session);
    /* Not the macro: the place in this file is no news to anybody who reads the error. */
    lido_rows *rows = lido_streamv(session, query->sql, query->value_count, query->values);
    if (!lido_failed(session) && !query->output(session, rows, stdout))
        status = report_memory("printing the rows");
    lido_rows_close(rows);
    /* What is printed goes out before what is complained about. */
    status = report_output(status);
    if (lido_failed(session))
        status = report_error(lido_error_of(session));
    lido_session_close(session);
    return status;
}

static exit_status run(const request *query) {
    lido_error error = LIDO_ERROR_INIT;
    lido_engine *engine = lido_engine_open(query->url, NULL, &error);
    if (engine == NULL)
        return report_error(&error);
    exit_status status = run_in(engine, query);
    lido_engine_close(engine);
    return status;
}

exit_status query_command(int argc, char **argv) {
    /* Autocommit: a statement such as VACUUM does not run inside a transaction. */
    request query = {.output = output_table, .session = {.autocommit = true}};
    exit_status status = read_options(&query, argc, argv);
    if (query.sql == NULL)
        return status;
    if (strcmp(query.sql, "-") == 0)
        status = read_sql(&query);
    if (status == EXIT_DONE)
        status = read_parameters(&query, argc - optind, argv + optind);
    if (status == EXIT_DONE)
        status = run(&query);
    free(query.sql_read);
    free(query.values);
    return status;
}
