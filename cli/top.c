/* lido top: what a running application does, live. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lido/task.h>

#include "commands.h"
#include "terminal.h"
#include "top_json.h"
#include "top_source.h"
#include "top_view.h"

/* clang-format off */
static const char help[] =
    "Usage: lido top [OPTION…] [ADDRESS]\n"
    "\n"
    "Shows what a running application does: its workers, pools and waiters, how\n"
    "many statements and transactions a second, how long they take, the slowest,\n"
    "and who has held a connection for how long.\n"
    "\n"
    "ADDRESS is where the application serves its metrics: unix:/run/items.metrics\n"
    "or 127.0.0.1:9090; without it, DATABASE_METRICS_ADDRESS says so.\n"
    "\n"
    "On a terminal the view is drawn anew each second: q leaves, the space bar\n"
    "reads at once. Else it is printed once, with the rates of one second.\n"
    "\n"
    "      --interval N  seconds between two readings, 0.2 to 3600; 1\n"
    "      --once        print it once on a terminal, too\n"
    "      --json        once, as one JSON object\n"
    "  -h, --help        this text\n"
    "\n";
/* clang-format on */

static char command_name[] = "lido top"; /* as getopt prints it */

enum { LASTS_S = 10, MOST_MS = 3600 * 1000, LEAST_MS = 200 };

typedef struct request {
    const char *address;
    int64_t interval_ms;
    bool once;
    bool json;
    bool helped; /* only help was asked for */
} request;

/* ---- The command line ---- */

static exit_status read_interval(request *top, const char *text) {
    char *end;
    double seconds = strtod(text, &end);
    if (*text != '\0' && *end == '\0' && seconds * 1000 >= LEAST_MS && seconds * 1000 <= MOST_MS) {
        top->interval_ms = (int64_t)(seconds * 1000);
        return EXIT_DONE;
    }
    return report_usage(command_name, "--interval is '%s': 0.2 to 3600 are allowed", text);
}

static exit_status read_request(request *top, int argc, char **argv) {
    static const struct option options[] = {
        {"interval", required_argument, NULL, 'i'},
        {"once", no_argument, NULL, 'o'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    exit_status status = EXIT_DONE;
    argv[0] = command_name;
    while (status == EXIT_DONE && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            printf("%s%s", help, report_exit_help);
            top->helped = true;
            return EXIT_DONE;
        }
        if (option == '?')
            return report_option(command_name);
        top->once |= option == 'o';
        top->json |= option == 'j';
        if (option == 'i')
            status = read_interval(top, optarg);
    }
    if (status == EXIT_DONE && argc - optind > 1)
        return report_usage(command_name, "there is more than one address");
    top->address = optind < argc ? argv[optind] : getenv("DATABASE_METRICS_ADDRESS");
    if (status == EXIT_DONE && (top->address == NULL || top->address[0] == '\0'))
        return report_usage(command_name, "the address is missing");
    return status;
}

/* ---- Errors ---- */

static exit_status report_outcome(const top_source *source, top_outcome outcome) {
    if (outcome == TOP_STOPPED)
        return report_memory("reading the application's state");
    fprintf(stderr, "lido: %s: %s\n", source->page.address, source->why);
    if (outcome == TOP_NO_ANSWER)
        fputs("      Does the application run, and does it serve its metrics there?\n", stderr);
    return outcome == TOP_NO_ANSWER ? EXIT_NO_CONNECTION : EXIT_FAILED;
}

/* ---- Once ---- */

static exit_status print_text(const top_source *source) {
    top_figures figures;
    canvas page = {.stream = stdout};
    top_source_figures(source, 0, &figures);
    top_view_draw(&page, &figures, NULL, NULL);
    if (figures.before != NULL)
        printf("\nThe rates are those of the last %.1f s.\n", figures.seconds);
    return report_output(EXIT_DONE);
}

static exit_status print_json(const top_source *source) {
    top_figures figures;
    top_source_figures(source, LASTS_S, &figures);
    if (!top_json_print(&figures, figures.now->durations, stdout))
        return report_memory("printing the figures");
    return report_output(EXIT_DONE);
}

static exit_status run_once(const request *top, top_source *source) {
    top_outcome outcome = top_source_read(source);
    if (outcome == TOP_DONE) {
        lido_sleep(top->interval_ms);
        outcome = top_source_read(source);
    }
    if (outcome != TOP_DONE)
        return report_outcome(source, outcome);
    return top->json ? print_json(source) : print_text(source);
}

/* ---- Live ---- */

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_wanted(void) {
    return !terminal_is_told();
}

static void tell_time(char *text, size_t size) {
    time_t now = time(NULL);
    struct tm local;
    if (localtime_r(&now, &local) == NULL || strftime(text, size, "%H:%M:%S", &local) == 0)
        text[0] = '\0';
}

/* The application may be replaced by another one at the same address: so it is gone until it is there again. */
static void draw(const top_source *source, int64_t gone_ms) {
    char clock[16];
    char trouble[512] = "";
    char *text = NULL;
    size_t size = 0;
    top_figures figures;
    const char *colour = getenv("NO_COLOR");
    canvas page = {.stream = open_memstream(&text, &size), .styled = true, .coloured = !colour || *colour == '\0'};
    if (page.stream == NULL)
        return;
    if (gone_ms > 0)
        snprintf(trouble, sizeof trouble, "No answer for %" PRId64 " s, trying again: %s", gone_ms / 1000, source->why);
    tell_time(clock, sizeof clock);
    terminal_size(&page.rows, &page.columns);
    top_source_figures(source, LASTS_S, &figures);
    top_view_draw(&page, &figures, clock, gone_ms > 0 ? trouble : NULL);
    if (fclose(page.stream) == 0)
        terminal_show(text, size);
    free(text);
}

/* Until the moment. Whether to go on. */
static bool wait_until(int64_t moment, const top_source *source, int64_t gone_ms) {
    for (int64_t left; (left = moment - now_ms()) > 0;) {
        char key = 0;
        terminal_event event = terminal_wait((int)left, &key);
        if (event == TERMINAL_END || (event == TERMINAL_KEY && (key == 'q' || key == 'Q')))
            return false;
        if (event == TERMINAL_KEY && key == ' ')
            return true;
        if (event == TERMINAL_RESIZED)
            draw(source, gone_ms);
    }
    return !terminal_is_told();
}

static void run_live(const request *top, top_source *source) {
    int64_t read_ms = now_ms();
    int64_t seen_ms = read_ms;
    int64_t gone_ms = 0;
    for (;;) {
        draw(source, gone_ms);
        if (!wait_until(read_ms + top->interval_ms, source, gone_ms))
            return;
        read_ms = now_ms();
        bool seen = top_source_read(source) == TOP_DONE;
        if (seen)
            seen_ms = read_ms;
        gone_ms = seen ? 0 : now_ms() - seen_ms;
    }
}

/* What is wrong from the start is told without taking the terminal. */
static exit_status run_on_terminal(const request *top, top_source *source) {
    top_outcome outcome = top_source_read(source);
    if (outcome != TOP_DONE)
        return report_outcome(source, outcome);
    if (!terminal_begin())
        return run_once(top, source);
    run_live(top, source);
    terminal_end();
    return EXIT_DONE;
}

exit_status top_command(int argc, char **argv) {
    request top = {.interval_ms = 1000};
    exit_status status = read_request(&top, argc, argv);
    if (status != EXIT_DONE || top.helped)
        return status;
    top_source *source = calloc(1, sizeof *source);
    if (source == NULL)
        return report_memory("reading the command line");
    bool live = !top.once && !top.json && isatty(STDOUT_FILENO);
    if (!top_source_init(source, top.address, live ? is_wanted : NULL))
        status = report_usage(command_name, "'%s' is no address: unix:/path and 127.0.0.1:9090 are forms of one",
                              top.address);
    else
        status = live ? run_on_terminal(&top, source) : run_once(&top, source);
    top_source_done(source);
    free(source);
    return status;
}
