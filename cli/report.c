/* Errors in words on standard error, and as exit statuses. */
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
const char report_exit_help[] =
    "Exit status:\n"
    "  0  done\n"
    "  1  the statement or the check failed\n"
    "  2  the command line is wrong\n"
    "  3  the configuration is wrong: URL, environment or a setting\n"
    "  4  no connection: not reached, log-in refused, or lost\n"
    "  5  not in time, or others were in the way: the same may succeed later\n"
    "  6  the connection was lost and nobody knows whether the change stands\n";
/* clang-format on */

/* A log-in that is refused, and not a statement that is not allowed. */
static bool is_log_in_refused(const lido_error *error) {
    return error->category == LIDO_ERROR_PERMISSION && strcmp(error->sqlstate, "42501") != 0;
}

/* SQLITE_CANTOPEN, in SQLite's documentation the code 14; the higher bits say more. */
static bool is_file_out_of_reach(const lido_error *error) {
    return error->category == LIDO_ERROR_STORAGE && (error->native_code & 0xff) == 14;
}

static exit_status status_of(const lido_error *error) {
    if (is_log_in_refused(error) || is_file_out_of_reach(error))
        return EXIT_NO_CONNECTION;
    switch (error->category) {
    case LIDO_ERROR_CONFIGURATION:
        return EXIT_CONFIGURATION;
    case LIDO_ERROR_DISCONNECTED:
        return EXIT_NO_CONNECTION;
    case LIDO_ERROR_SERIALISATION:
    case LIDO_ERROR_DEADLOCK:
    case LIDO_ERROR_BUSY:
    case LIDO_ERROR_TIMEOUT:
    case LIDO_ERROR_CANCELLED:
        return EXIT_TRY_AGAIN;
    case LIDO_ERROR_UNKNOWN_OUTCOME:
        return EXIT_UNKNOWN;
    default:
        return EXIT_FAILED;
    }
}

exit_status report_error(const lido_error *error) {
    fputs("lido: ", stderr);
    lido_error_print(error, stderr);
    return status_of(error);
}

exit_status report_usage(const char *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", command);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    putc('\n', stderr);
    return report_option(command);
}

exit_status report_option(const char *command) {
    fprintf(stderr, "Try '%s --help'.\n", command);
    return EXIT_USAGE;
}

exit_status report_memory(const char *doing) {
    fprintf(stderr, "lido: out of memory while %s\n", doing);
    return EXIT_FAILED;
}

exit_status report_output(exit_status status) {
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) == 0 && !failed)
        return status;
    static bool said; /* asked again at the end of the program, for what was printed since */
    if (!said)
        fprintf(stderr, "lido: cannot write the output%s%s\n", errno != 0 ? ": " : "",
                errno != 0 ? strerror(errno) : "");
    said = true;
    return status == EXIT_DONE ? EXIT_FAILED : status;
}
