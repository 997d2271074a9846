/* A bar that shows how far a long load is: on a terminal only, and only if it takes a moment. */
#ifndef LIDO_CLI_PROGRESS_H
#define LIDO_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct progress {
    FILE *stream;     /* where it is drawn, if that is a terminal */
    int64_t began_ms; /* when it was made */
    int64_t drawn_ms; /* when it was drawn last; 0: never */
} progress;

progress progress_begin(FILE *stream);
/* `what` is being read, `done` of `total` bytes of all. Draws at most ten times a second. */
void progress_show(progress *bar, const char *what, int64_t rows, int64_t done, int64_t total);
/* Takes the bar off the screen again, if it is there. */
void progress_end(progress *bar);

#endif
