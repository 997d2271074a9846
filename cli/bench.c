/* lido bench: a load of the user's own SQL, and how the database bears it. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_report.h"
#include "commands.h"
#include "screen.h"
#include "url.h"

/* clang-format off */
static const char help[] =
    "Usage: lido bench [OPTION…] [URL] SQL [PARAM…] [--then SQL [PARAM…]]…\n"
    "\n"
    "Runs the SQL again and again, each time in a session of its own, and tells\n"
    "how often and how quickly. Several statements are one transaction.\n"
    "\n"
    "      --workers N  processes, each with a pool of its own; 1\n"
    "      --threads N  in each of them; 4\n"
    "      --tasks N    in each thread, on an event loop; 0: the thread itself\n"
    "      --seconds N  how long; 10\n"
    "      --read-only  sessions that only read\n"
    "      --json       one JSON object\n"
    "  -h, --help       this text\n"
    "\n"
    "PARAM: 1..1000  a number from this range, another each time\n"
    "       uuid     a new identifier        text:20  so many letters\n"
    "       now      the moment              null     NULL\n"
    "       =WORD    WORD itself, as anything else is\n"
    "\n"
    "URL: sqlite:///items.db, postgresql://user@host/name?pool_size=8; without\n"
    "     it the environment names the database (DATABASE_URL …).\n"
    "\n";
/* clang-format on */

static char command_name[] = "lido bench"; /* as getopt prints it */

enum { WORKERS_MOST = 256, THREADS_MOST = 1024, TASKS_MOST = 100000, SECONDS_MOST = 24 * 3600 };

typedef struct request {
    load_plan plan;
    bool json;
    bool helped; /* only help was asked for */
} request;

/* ---- The command line ---- */

static exit_status read_count(const char *option, const char *text, int64_t least, int64_t most, int64_t *count) {
    char *end;
    *count = strtoll(text, &end, 10);
    if (*text != '\0' && *end == '\0' && *count >= least && *count <= most)
        return EXIT_DONE;
    return report_usage(command_name, "--%s is '%s': %" PRId64 " to %" PRId64 " are allowed", option, text, least,
                        most);
}

static exit_status take_option(request *bench, int option, const char *text) {
    int64_t count = 0;
    exit_status status = EXIT_DONE;
    switch (option) {
    case 'w':
        status = read_count("workers", text, 1, WORKERS_MOST, &count);
        bench->plan.workers = (int)count;
        break;
    case 't':
        status = read_count("threads", text, 1, THREADS_MOST, &count);
        bench->plan.threads = (int)count;
        break;
    case 'k':
        status = read_count("tasks", text, 0, TASKS_MOST, &count);
        bench->plan.tasks = (int)count;
        break;
    case 's':
        status = read_count("seconds", text, 1, SECONDS_MOST, &bench->plan.seconds);
        break;
    case 'r':
        bench->plan.read_only = true;
        break;
    case 'j':
        bench->json = true;
        break;
    case 'h':
        printf("%s%s", help, report_exit_help);
        bench->helped = true;
        break;
    default:
        return report_option(command_name);
    }
    return status;
}

static exit_status read_options(request *bench, int argc, char **argv) {
    static const struct option options[] = {
        {"workers", required_argument, NULL, 'w'}, {"threads", required_argument, NULL, 't'},
        {"tasks", required_argument, NULL, 'k'},   {"seconds", required_argument, NULL, 's'},
        {"read-only", no_argument, NULL, 'r'},     {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    int option;
    exit_status status = EXIT_DONE;
    argv[0] = command_name;
    /* "+": the options end at the first word that is none, for a PARAM may be -5. */
    while (status == EXIT_DONE && !bench->helped && (option = getopt_long(argc, argv, "+h", options, NULL)) != -1)
        status = take_option(bench, option, optarg);
    return status;
}

static exit_status add_parameter(load_statement *statement, const char *text) {
    const char *why;
    if (statement->parameter_count == LOAD_PARAMETERS_MOST)
        return report_usage(command_name, "a statement has at most %d parameters here", LOAD_PARAMETERS_MOST);
    if (!generator_read(&statement->parameters[statement->parameter_count++], text, &why))
        return report_usage(command_name, "'%s': %s", text, why);
    return EXIT_DONE;
}

/* SQL [PARAM…] [--then SQL [PARAM…]]… */
static exit_status read_statements(load_plan *plan, int count, char **words) {
    load_statement *statement = NULL;
    exit_status status = EXIT_DONE;
    for (int i = 0; i < count && status == EXIT_DONE; i++) {
        bool then = strcmp(words[i], "--then") == 0;
        if (statement != NULL && !then) {
            status = add_parameter(statement, words[i]);
            continue;
        }
        i += then;
        if (i == count)
            return report_usage(command_name, "there is no SQL behind --then");
        if (plan->statement_count == LOAD_STATEMENTS_MOST)
            return report_usage(command_name, "at most %d statements are run together", LOAD_STATEMENTS_MOST);
        statement = &plan->statements[plan->statement_count++];
        statement->sql = words[i];
    }
    if (status == EXIT_DONE && statement == NULL)
        return report_usage(command_name, "the SQL is missing");
    return status;
}

static exit_status read_request(request *bench, int argc, char **argv) {
    exit_status status = read_options(bench, argc, argv);
    if (status != EXIT_DONE || bench->helped)
        return status;
    if (optind < argc && is_url(argv[optind]))
        bench->plan.url = argv[optind++];
    return read_statements(&bench->plan, argc - optind, argv + optind);
}

/* ---- The run ---- */

static void show_tick(load_board *board, void *user) {
    int64_t *shown = user;
    int64_t done = load_done(board);
    int64_t failed = load_failed(board);
    if (load_lasted_ns(board) == 0 || screen_columns(stderr) == 0)
        return;
    fprintf(stderr, "\r\033[K%4" PRId64 " s  %" PRId64 " a second", load_lasted_ns(board) / 1000000000, done - *shown);
    if (failed > 0)
        fprintf(stderr, "  %" PRId64 " failed", failed);
    fflush(stderr);
    *shown = done;
}

static exit_status run_on(const request *bench, load_board *board) {
    int64_t shown = 0;
    lido_error error = LIDO_ERROR_INIT;
    lido_status status = load_run(&bench->plan, board, show_tick, &shown, &error);
    if (screen_columns(stderr) > 0)
        fputs("\r\033[K", stderr);
    if (status != LIDO_OK)
        return report_error(&error);
    if (atomic_load(&board->out_of_memory))
        return report_memory("starting the threads and tasks");
    bool printed = bench->json ? bench_report_json(&bench->plan, board) : bench_report_text(&bench->plan, board);
    if (!printed)
        return report_memory("printing the figures");
    if (load_done(board) == 0 && atomic_load(&board->has_error))
        return report_error(&board->error);
    return report_output(EXIT_DONE);
}

exit_status bench_command(int argc, char **argv) {
    request *bench = calloc(1, sizeof *bench);
    if (bench == NULL)
        return report_memory("reading the command line");
    bench->plan = (load_plan){.workers = 1, .threads = 4, .seconds = 10};
    exit_status status = read_request(bench, argc, argv);
    if (status == EXIT_DONE && !bench->helped) {
        load_board *board = load_board_new(&bench->plan);
        status = board != NULL ? run_on(bench, board) : report_memory("running the load");
        load_board_free(board);
    }
    free(bench);
    return status;
}
