/* lido seed: puts the rows of a folder's CSV and JSON files into a database. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "commands.h"
#include "progress.h"
#include "url.h"

/* clang-format off */
static const char help[] =
    "Usage: lido seed [OPTION…] [URL] DIR\n"
    "\n"
    "Puts the rows of DIR's files <table>.csv and <table>.json into the\n"
    "database: in the order of its references, all or nothing. Rows that are\n"
    "there already, by primary or unique key, stay as they are.\n"
    "\n"
    "      --update  rows that are there become as the files say\n"
    "  -h, --help    this text\n"
    "\n"
    "The first line of a CSV file names the columns. owner_id.name is the row\n"
    "that owner_id refers to, by its name. A JSON file is an array of objects.\n"
    "An empty CSV field is NULL, \"\" is the empty text.\n"
    "\n"
    "URL: sqlite:///items.db, postgresql://user@host/name; without it the\n"
    "     environment names the database (DATABASE_URL …).\n"
    "\n";
/* clang-format on */

static char command_name[] = "lido seed"; /* as getopt prints it */

typedef struct request {
    bool update;
    const char *url;       /* NULL: the environment's */
    const char *directory; /* NULL: only help was asked for */
} request;

static exit_status read_options(request *seed, int argc, char **argv) {
    static const struct option options[] = {
        {"update", no_argument, NULL, 'u'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    argv[0] = command_name;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'u') {
            seed->update = true;
        } else if (option == 'h') {
            printf("%s%s", help, report_exit_help);
            return EXIT_DONE;
        } else {
            return report_option(command_name);
        }
    }
    if (optind < argc && is_url(argv[optind]))
        seed->url = argv[optind++];
    if (optind == argc)
        return report_usage(command_name, "the folder of seeds is missing");
    if (optind + 1 < argc)
        return report_usage(command_name, "there is something behind the folder: '%s'", argv[optind + 1]);
    seed->directory = argv[optind];
    return EXIT_DONE;
}

static void show_progress(void *bar, const lido_seed_progress *progress_now) {
    progress_show(bar, progress_now->source, progress_now->rows, progress_now->bytes, progress_now->bytes_total);
}

static exit_status run_in(lido_engine *engine, const request *seed) {
    progress bar = progress_begin(stderr);
    lido_seed_counts counts = {0};
    const lido_seed_options options = {
        .update = seed->update, .progress = show_progress, .progress_argument = &bar, .counts = &counts};
    /* However many rows there are: a long load is no statement that hangs. */
    lido_session *session = lido_session_open(engine, &(lido_session_options){.statement_timeout_ms = -1});
    lido_seed_files(session, seed->directory, &options);
    lido_status outcome = lido_commit(session);
    exit_status status = EXIT_DONE;
    progress_end(&bar);
    if (outcome != LIDO_OK)
        status = report_error(lido_error_of(session));
    else
        printf("%" PRId64 " inserted, %" PRId64 " updated, %" PRId64 " there already\n", counts.inserted,
               counts.updated, counts.unchanged);
    lido_session_close(session);
    return report_output(status);
}

static exit_status run(const request *seed) {
    lido_error error = LIDO_ERROR_INIT;
    lido_engine *engine = lido_engine_open(seed->url, NULL, &error);
    if (engine == NULL)
        return report_error(&error);
    exit_status status = run_in(engine, seed);
    lido_engine_close(engine);
    return status;
}

exit_status seed_command(int argc, char **argv) {
    request seed = {.update = false};
    exit_status status = read_options(&seed, argc, argv);
    if (seed.directory == NULL)
        return status;
    return run(&seed);
}
