/* lido schema: prints, makes, compares or drops the tables of models that a program keeps in a shared library. */
#include <dlfcn.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "commands.h"
#include "screen.h"

/* clang-format off */
static const char help[] =
    "Usage: lido schema --models FILE [OPTION] [URL]\n"
    "\n"
    "Prints the SQL that makes the tables of the models in FILE, for the\n"
    "database's type and without connecting to it. FILE is a shared library\n"
    "that has the models in LIDO_MODELS(…).\n"
    "\n"
    "      --models FILE  where the models are: ./models.so\n"
    "      --create       makes the tables that are not there\n"
    "      --check        prints what differs between models and database, a\n"
    "                     line each; the exit status is 1 if anything does\n"
    "      --drop         drops the tables, with their rows, after asking\n"
    "      --yes          with --drop: does not ask; needed where there is no\n"
    "                     terminal to ask on\n"
    "  -h, --help         this text\n"
    "\n"
    "URL: sqlite:///items.db, postgresql://user@host/name; without it the\n"
    "     environment names the database (DATABASE_URL …).\n"
    "\n";
/* clang-format on */

static char command_name[] = "lido schema"; /* as getopt prints it */

typedef struct request request;

struct request {
    bool only_help;
    bool yes;         /* nothing is asked */
    const char *file; /* of the models */
    const char *url;  /* NULL: the environment's */
    exit_status (*act)(const request *schema);
    const lido_model *const *models;
    size_t count;
    lido_engine *engine;
};

/* ---- What it does ---- */

static exit_status print(const request *schema) {
    lido_error error = LIDO_ERROR_INIT;
    const char *backend = lido_engine_backend(schema->engine);
    size_t size = lido_schema_ddl(backend, schema->count, schema->models, NULL, 0, &error);
    if (error.status != LIDO_OK)
        return report_error(&error);
    char *text = malloc(size + 1);
    if (text == NULL)
        return report_memory("printing the schema");
    lido_schema_ddl(backend, schema->count, schema->models, text, size + 1, &error);
    fputs(text, stdout);
    free(text);
    return EXIT_DONE;
}

typedef bool change(lido_session *session, size_t count, const lido_model *const *models);

static exit_status run(const request *schema, change *make, const char *done) {
    lido_session *session = lido_session_open(schema->engine, NULL);
    make(session, schema->count, schema->models);
    exit_status status = lido_commit(session) == LIDO_OK ? EXIT_DONE : report_error(lido_error_of(session));
    lido_session_close(session);
    if (status == EXIT_DONE)
        printf("the tables of %zu model%s are %s\n", schema->count, schema->count == 1 ? "" : "s", done);
    return status;
}

static exit_status create(const request *schema) {
    return run(schema, lido_create_all, "there");
}

/* Only "y" or "yes" means yes, in whichever case. */
static bool is_yes(const char *answer) {
    return strcasecmp(answer, "y\n") == 0 || strcasecmp(answer, "yes\n") == 0;
}

/* Which database it is the server knows best, so it is asked first; that it can be reached is known then, too. */
static exit_status ask_before_drop(const request *schema) {
    char answer[16] = "";
    lido_server server;
    lido_error error = LIDO_ERROR_INIT;
    if (lido_engine_inspect(schema->engine, &server, &error) != LIDO_OK)
        return report_error(&error);
    fputs("Drop the tables of ", stderr);
    fprintf(stderr, "%zu model%s, with all their rows, from ", schema->count, schema->count == 1 ? "" : "s");
    screen_write(server.database, stderr);
    fputs("? [y/N] ", stderr);
    fflush(stderr);
    if (fgets(answer, sizeof answer, stdin) != NULL && is_yes(answer))
        return EXIT_DONE;
    fputs("lido: nothing was dropped\n", stderr);
    return EXIT_FAILED;
}

static exit_status drop(const request *schema) {
    exit_status status = schema->yes ? EXIT_DONE : ask_before_drop(schema);
    if (status != EXIT_DONE)
        return status;
    return run(schema, lido_drop_all, "dropped");
}

static exit_status check(const request *schema) {
    lido_session *session = lido_session_open(schema->engine, NULL);
    const lido_differences *found = lido_check_schema(session, schema->count, schema->models);
    exit_status status = EXIT_DONE;
    if (found == NULL) {
        status = report_error(lido_error_of(session));
    } else if (found->count == 0) {
        puts("no differences");
    } else {
        status = EXIT_FAILED;
    }
    for (size_t i = 0; found != NULL && i < found->count; i++) {
        screen_write(found->texts[i], stdout); /* names in a database are foreign text */
        putchar('\n');
    }
    lido_session_close(session);
    return status;
}

/* ---- The models ---- */

/* Whoever loads a library runs its code; nothing is looked for beyond the file that was named. */
static exit_status load_models(request *schema) {
    char *path = NULL;
    const char *folder = strchr(schema->file, '/') == NULL ? "./" : ""; /* else the system's libraries were searched */
    if (asprintf(&path, "%s%s", folder, schema->file) < 0)
        return report_memory("loading the models");
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL); /* for good: plans point into it */
    free(path);
    if (library == NULL) {
        fprintf(stderr, "lido: the models cannot be loaded: %s\n", dlerror());
        return EXIT_FAILED;
    }
    schema->models = dlsym(library, "lido_models");
    if (schema->models == NULL) {
        fprintf(stderr,
                "lido: %s has no models: list them in LIDO_MODELS(&Item_model, …), and compile with -shared -fPIC\n",
                schema->file);
        return EXIT_FAILED;
    }
    schema->count = lido_model_count(schema->models);
    return EXIT_DONE;
}

/* ---- The command line ---- */

static exit_status choose(request *schema, exit_status (*act)(const request *schema)) {
    if (schema->act != NULL && schema->act != act)
        return report_usage(command_name, "--create, --check and --drop exclude each other");
    schema->act = act;
    return EXIT_DONE;
}

static exit_status read_option(request *schema, int option) {
    switch (option) {
    case 'm':
        schema->file = optarg;
        return EXIT_DONE;
    case 'c':
        return choose(schema, create);
    case 'k':
        return choose(schema, check);
    case 'd':
        return choose(schema, drop);
    case 'y':
        schema->yes = true;
        return EXIT_DONE;
    case 'h':
        schema->only_help = true;
        return EXIT_DONE;
    default:
        return report_option(command_name);
    }
}

static exit_status read_options(request *schema, int argc, char **argv) {
    static const struct option options[] = {
        {"models", required_argument, NULL, 'm'},
        {"create", no_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"drop", no_argument, NULL, 'd'},
        {"yes", no_argument, NULL, 'y'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    argv[0] = command_name;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        exit_status status = read_option(schema, option);
        if (status != EXIT_DONE || schema->only_help)
            return status;
    }
    if (argc - optind > 1)
        return report_usage(command_name, "takes one URL, not %d", argc - optind);
    if (schema->file == NULL)
        return report_usage(command_name, "--models FILE is missing");
    if (schema->yes && schema->act != drop)
        return report_usage(command_name, "--yes is for --drop");
    if (schema->act == drop && !schema->yes && !(isatty(STDIN_FILENO) && isatty(STDERR_FILENO)))
        return report_usage(command_name, "--drop asks first, and there is no terminal to ask on: add --yes");
    schema->url = argv[optind];
    return EXIT_DONE;
}

exit_status schema_command(int argc, char **argv) {
    request schema = {.act = NULL};
    lido_error error = LIDO_ERROR_INIT;
    exit_status status = read_options(&schema, argc, argv);
    if (status != EXIT_DONE)
        return status;
    if (schema.only_help) {
        printf("%s%s", help, report_exit_help);
        return EXIT_DONE;
    }
    status = load_models(&schema);
    if (status != EXIT_DONE)
        return status;
    schema.engine = lido_engine_open(schema.url, NULL, &error);
    if (schema.engine == NULL)
        return report_error(&error);
    status = schema.act != NULL ? schema.act(&schema) : print(&schema);
    lido_engine_close(schema.engine);
    return status;
}
