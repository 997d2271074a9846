/* The signals that a parent of workers lives by. They reach it as bytes in a pipe, whichever of the process's threads
 * they came to. */
#ifndef LIDO_PROCESS_SIGNALS_H
#define LIDO_PROCESS_SIGNALS_H

#include <stdbool.h>

#include <lido/error.h>

/* SIGTERM, SIGINT, SIGHUP and SIGCHLD come here from now on. The descriptor that is read; -1 with *error set. */
int lido__signals_begin(lido_error *error);
/* They go where they went before. */
void lido__signals_end(void);
/* The next that has come; 0: none. */
int lido__signals_next(void);
/* As if that signal had come; false: nobody has begun. Async-signal-safe. */
bool lido__signals_send(int signal_number);
/* Whether somebody has begun and not ended. */
bool lido__signals_begun(void);

/* Around a fork: a signal that came to the child before it has handlers of its own would be told to its parent. */
void lido__signals_block(void);
void lido__signals_unblock(void);

/* In the child: the pipe is the parent's, as are the threads that were sending. */
void lido__signals_forget(void);

/* Calls that it interrupts go on: a program's read of a request is not to fail because its worker is told to stop. */
void lido__signal_handle(int signal_number, void (*handler)(int signal_number));

/* strerror for any thread; static text. */
const char *lido__errno_text(int number);

#endif
