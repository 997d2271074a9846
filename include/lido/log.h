/* The log: what the library has to say by itself, a line at a time. */
#ifndef LIDO_LOG_H
#define LIDO_LOG_H

#include <lido/error.h>

LIDO_BEGIN_C

typedef enum lido_log_level {
    LIDO_LOG_ERROR = 1, /* the server cannot be reached */
    LIDO_LOG_WARNING,   /* something is wrong, and goes on: a connection lost, one held too long, a slow statement */
    LIDO_LOG_INFO,      /* the server's notices, what is back again, connections that come and go */
    LIDO_LOG_DEBUG      /* everything else that lido_engine_listen can tell, if it is asked to */
} lido_log_level;

/* Takes one line, without an end of line; the text lives until it returns. Called in the thread that has something to
 * say, in several at once, and in threads of the library's own; under no lock of lido's. It should not use lido. */
typedef void lido_log_callback(lido_log_level level, const char *line, void *user);

/* Sends the log of the whole process to `callback`: all lines of `level` and graver ones. Replaces the callback
 * before, which another thread may be in for a moment yet; NULL: nobody listens, as at the start. Passwords never get
 * into the log, nor do parameters' values unless a listener asked for them. LIDO_ERROR: memory is short, and all stays
 * as it was. Never waits; safe from any thread. Each call keeps a few bytes for good. */
LIDO_API lido_status lido_log_listen(lido_log_level level, lido_log_callback *callback, void *user);

/* The level in words, "warning"; static text. Never waits; safe from anywhere. */
LIDO_API const char *lido_log_level_name(lido_log_level level);

LIDO_END_C

#endif
