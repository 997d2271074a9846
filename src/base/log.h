/* Writing to the log, for every floor. Passwords and parameters' values must not get here unless a program asked for
 * them. */
#ifndef LIDO_BASE_LOG_H
#define LIDO_BASE_LOG_H

#include <stdbool.h>

#include <lido/log.h>

enum { LIDO__LOG_LINE_SIZE = 1024 }; /* what is longer is cut */

/* Whether anybody would get a line of this level. */
bool lido__log_wanted(lido_log_level level);

/* Sends a line to the program's callback, if it wants it. Ends of line and other control characters become blanks. Not
 * to be called under a lock. */
void lido__log(lido_log_level level, const char *format, ...) LIDO_FORMAT(2, 3);
/* The same; but if the program's callback does not want it, or there is none, it goes to standard error, with the time:
 * for what somebody has asked for who could not change the program. */
void lido__log_or_print(lido_log_level level, const char *format, ...) LIDO_FORMAT(2, 3);

#endif
