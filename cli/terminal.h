/* A terminal that a page is drawn on again and again, and that is as it was afterwards, however the program ends. */
#ifndef LIDO_CLI_TERMINAL_H
#define LIDO_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

typedef enum terminal_event {
    TERMINAL_NOTHING, /* the time is up */
    TERMINAL_KEY,
    TERMINAL_RESIZED, /* or it was somebody else's meanwhile: to be drawn anew */
    TERMINAL_END      /* told to end by a signal, or nobody is there any more */
} terminal_event;

/* Takes the terminal on standard output: a screen of its own, no cursor. Keys are read where standard input is one.
 * False: there is none. */
bool terminal_begin(void);
/* As it was before. Ends the program if that is what a signal has told. */
void terminal_end(void);

void terminal_size(size_t *rows, size_t *columns);
/* Shows a page in place of the last. */
void terminal_show(const char *page, size_t size);
/* Waits so long for something to happen. */
terminal_event terminal_wait(int ms, char *key);
/* Whether a signal has told to end, which the next wait will tell; without waiting. */
bool terminal_is_told(void);

#endif
