/* The commands. Each takes its own command line, the command's name as argv[0], and returns the exit status. */
#ifndef LIDO_CLI_COMMANDS_H
#define LIDO_CLI_COMMANDS_H

#include "report.h"

exit_status bench_command(int argc, char **argv);
exit_status check_command(int argc, char **argv);
exit_status query_command(int argc, char **argv);
exit_status schema_command(int argc, char **argv);
exit_status seed_command(int argc, char **argv);
exit_status top_command(int argc, char **argv);

#endif
