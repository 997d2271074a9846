/* The lido command: looks at a database and runs statements with the same settings, and the same code, as the
 * programs that use the library. Here: which command is meant, and the general help. */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

/* clang-format off */
static const char help[] =
    "Usage: lido bench [OPTION…] [URL] SQL [PARAM…]\n"
    "       lido check [OPTION…] [URL]\n"
    "       lido query [OPTION…] [URL] SQL [PARAM…]\n"
    "       lido schema --models FILE [OPTION] [URL]\n"
    "       lido seed [OPTION…] [URL] DIR\n"
    "       lido top [OPTION…] [ADDRESS]\n"
    "       lido COMMAND --help | --help | --version\n"
    "\n"
    "Commands:\n"
    "  bench   loads the database with a statement of yours, and measures\n"
    "  check   connects, shows server, latency and settings, and warns of\n"
    "          more connections than the server allows\n"
    "  query   runs one statement and prints its rows: table, CSV or JSON\n"
    "  schema  prints, makes, compares or drops the tables of models\n"
    "  seed    puts the rows of CSV and JSON files into their tables, once\n"
    "  top     shows what a running application does, live\n"
    "\n"
    "URL: sqlite:///items.db, sqlite:////srv/items.db or\n"
    "     postgresql://user@host:5432/name?sslmode=require\n"
    "Without URL, DATABASE_URL or the other DATABASE_ variables name the\n"
    "database. Anybody on the machine can read a password on a command line:\n"
    "keep it in DATABASE_URL or, for PostgreSQL, in ~/.pgpass.\n"
    "\n";
/* clang-format on */

static exit_status print_help(FILE *stream) {
    fputs(help, stream);
    fputs(report_exit_help, stream);
    return EXIT_DONE;
}

static exit_status run(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "bench") == 0)
        return bench_command(argc - 1, argv + 1);
    if (strcmp(argv[1], "check") == 0)
        return check_command(argc - 1, argv + 1);
    if (strcmp(argv[1], "query") == 0)
        return query_command(argc - 1, argv + 1);
    if (strcmp(argv[1], "schema") == 0)
        return schema_command(argc - 1, argv + 1);
    if (strcmp(argv[1], "seed") == 0)
        return seed_command(argc - 1, argv + 1);
    if (strcmp(argv[1], "top") == 0)
        return top_command(argc - 1, argv + 1);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help(stdout);
    if (strcmp(argv[1], "--version") == 0) {
        printf("lido %s\n", lido_version());
        return EXIT_DONE;
    }
    return report_usage("lido", "'%s' is not a command; the commands are bench, check, query, schema, seed and top",
                        argv[1]);
}

int main(int argc, char **argv) {
    /* Databases speak UTF-8 with us, whatever the user's locale says; wcwidth needs to know. Numbers stay in the
     * "C" locale. */
    setlocale(LC_CTYPE, "C.UTF-8");
    /* In a pipeline whose reader leaves, the signal ends us as it ends cat; some parents hand it on ignored. */
    signal(SIGPIPE, SIG_DFL);
    return (int)report_output(run(argc, argv));
}
