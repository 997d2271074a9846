/* How the command speaks to people on standard error, and what its exit status says to scripts. */
#ifndef LIDO_CLI_REPORT_H
#define LIDO_CLI_REPORT_H

#include <lido.h>

/* Scripts rely on the numbers; lido.1, docs/command.md and every --help list them. */
typedef enum exit_status {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,        /* the database refused the statement, or something else failed */
    EXIT_USAGE = 2,         /* the command line is wrong */
    EXIT_CONFIGURATION = 3, /* a URL, variable or setting is wrong */
    EXIT_NO_CONNECTION = 4, /* the database cannot be reached, refuses the log-in, or was lost */
    EXIT_TRY_AGAIN = 5,     /* a deadline passed or others were in the way: later it may succeed */
    EXIT_UNKNOWN = 6        /* the connection broke before the answer came: the change may stand or not */
} exit_status;

/* The part of every --help that explains the numbers above. */
extern const char report_exit_help[];

/* Each says on standard error what is wrong and returns the exit status that fits. */
exit_status report_error(const lido_error *error);
exit_status report_usage(const char *command, const char *format, ...) LIDO_FORMAT(2, 3);
exit_status report_option(const char *command); /* getopt has said what is wrong */
exit_status report_memory(const char *doing);

/* Sends the rest of the output on its way: `status`, or EXIT_FAILED if it could not all be written. */
exit_status report_output(exit_status status);

#endif
