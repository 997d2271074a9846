/* Timers: an intrusive pairing heap, the earliest moment on top. Nothing is allocated, so setting one cannot fail.
 *
 * After Fredman, Sedgewick, Sleator and Tarjan, "The pairing heap" (1986). */
#ifndef LIDO_AWAIT_TIMERS_H
#define LIDO_AWAIT_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

/* In whatever waits. */
typedef struct lido__timer {
    int64_t moment; /* of lido__clock_now_us */
    bool set;
    struct lido__timer *child;
    struct lido__timer *next;     /* the next child of the same parent */
    struct lido__timer *previous; /* the one before, or the parent; NULL: this is the top */
} lido__timer;

/* `*top`: the heap, NULL at first. */
void lido__timer_set(lido__timer **top, lido__timer *timer, int64_t moment);
void lido__timer_unset(lido__timer **top, lido__timer *timer); /* if it is set */

#endif
