/* Who has a connection: taken by the one, read and cancelled by others.
 *
 * All of it hangs on one word of the connection, `hold`: whether it is held, whether something runs on it, whether that
 * answers already, how many are cancelling it, and from bit 16 on how often it was taken. Whoever compares and swaps it
 * knows that what he read beside it, the holder's name, was still so. */
#ifndef LIDO_CORE_HOLD_H
#define LIDO_CORE_HOLD_H

#include "await/await.h"
#include "backend/backend.h"

/* What may be done for who waits, and commits with others; see writer.h. On the stack of who waits. */
typedef struct lido__errand {
    lido__batch *batch;        /* one operation: a statement to be run, or a COMMIT whose statements were run */
    lido__waker *waker;        /* of who waits; NULL: nobody does */
    bool done;                 /* the batch's outputs are there */
    int64_t began;             /* when it was, by the recent clock, if another has run it */
    struct lido__errand *next; /* in its group */
} lido__errand;

/* Who wants a connection. */
typedef struct lido__lease {
    const void *holder; /* a session; for cancelling, compared and never followed */
    uint64_t owner;     /* its thread */
    const char *file;   /* its call */
    int line;
    int64_t until;        /* 0: as long as the pool lets wait; else not longer than that either */
    lido__errand *errand; /* what is wanted it for, if who has it may do that instead of handing it over; or NULL */
    bool began;           /* what it is wanted for began before the pool was closed, and is let in all the same */
    bool joins;           /* it may be handed over inside a group's transaction */
} lido__lease;

/* What is known of a connection that is held. */
typedef struct lido__holding {
    lido__lease lease;
    uint64_t times;        /* how often the connection had been taken, this time counted: tells one time from another */
    int64_t since;         /* a moment of the recent clock */
    const lido__sql *last; /* what ran last, one of the engine's; or NULL */
} lido__holding;

/* ---- By who has the connection to himself ---- */

/* Takes it; something runs on it from here on. */
void lido__hold_begin(lido__connection *connection, const lido__lease *lease);
/* Lets it go; false if somebody is cancelling what ran: then it is still held, and is let go by the next. */
bool lido__hold_end(lido__connection *connection);
/* Lets it go in any case, under the pool's lock; how many are cancelling. */
unsigned lido__hold_end_anyway(lido__connection *connection);

/* Nothing runs on it for now, and nothing can be cancelled. */
void lido__hold_pause(lido__connection *connection);
/* The same, and waits until those who cancel what ran are through with it; whether anybody did. */
bool lido__hold_rest(lido__connection *connection);
/* The same before it is let go, but no longer than that: who cancels may wait for a server. */
void lido__hold_rest_until(lido__connection *connection, int64_t deadline);
/* What runs has begun to answer, and goes on to until lido__hold_pause: a stream. */
void lido__hold_answers(lido__connection *connection);
/* Something is about to. Waits until those who cancel what ran before are through with it, so that they do not hit
 * what comes. */
void lido__hold_go_on(lido__connection *connection);

/* ---- By others, under the pool's lock, so that the connection stays there ---- */

/* False: nobody holds it. */
bool lido__hold_read(const lido__connection *connection, lido__holding *holding);
/* Counts one more who cancels what runs, if that is still the same time; false: it is not, or nothing runs. */
bool lido__hold_cancel(lido__connection *connection, const lido__holding *holding);
/* Whether that runs yet, by who is counted as cancelling it: nothing else can begin meanwhile. Without the lock. */
bool lido__hold_runs(const lido__connection *connection, const lido__holding *holding);
/* Whether that has begun to answer, so that the server knows of it. By who is counted, without the lock. */
bool lido__hold_is_answering(const lido__connection *connection);
/* One is through with it; how many are left. */
unsigned lido__hold_cancelled(lido__connection *connection);
/* How many are cancelling. */
unsigned lido__hold_cancels(const lido__connection *connection);

#endif
