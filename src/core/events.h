/* An engine's listeners, and telling them. Nothing here takes a lock, so that a child forked at any moment can go
 * on. */
#ifndef LIDO_CORE_EVENTS_H
#define LIDO_CORE_EVENTS_H

#include <stdatomic.h>

#include <lido/events.h>

typedef struct lido__event_listener {
    atomic_uint kinds; /* 0: nobody is here yet; set last, and never changed after that */
    lido_listening options;
    lido_listener *listener; /* NULL: the log */
    void *user;
} lido__event_listener;

enum { LIDO__LISTENERS_ROOM = LIDO_LISTENERS_MOST + 1 };

/* All zero at the start. */
typedef struct lido__events {
    atomic_uint kinds;           /* all that anybody listens to */
    atomic_uint claimed;         /* how many listeners have come; more than there is room for */
    atomic_bool met;             /* the first connection was let in, or is being asked about */
    atomic_int_fast64_t slow_us; /* 1 + how much nobody finds slow who listens to that; 0: nobody does */
    unsigned own;                /* 1: the first listener is the setting slow_ms; else 0 */
    lido__event_listener listeners[LIDO__LISTENERS_ROOM];
} lido__events;

/* Whether anybody listens to one of these kinds. All that an event costs where nobody does. */
static inline bool lido__events_wanted(const lido__events *events, unsigned kinds) {
    return (atomic_load_explicit(&events->kinds, memory_order_relaxed) & kinds) != 0;
}

/* Whether anybody who listens to SLOW finds that slow. */
static inline bool lido__events_slow(const lido__events *events, int64_t took_us) {
    int64_t slow_us = atomic_load_explicit(&events->slow_us, memory_order_relaxed);
    return slow_us != 0 && took_us >= slow_us - 1;
}

/* What the setting slow_ms asks for. Before anybody else listens. */
void lido__events_log_slow(lido__events *events, int64_t slow_ms);
bool lido__events_listen(lido__events *events, const lido_listening *options, lido_listener *listener, void *user);

/* Tells all who listen to this kind. Outside all locks. `refusal`: what is told may be refused; then it is set, and
 * false is returned. NULL: it may not, and true is returned. */
bool lido__events_tell(lido__events *events, const lido_event *event, lido_error *refusal);

/* event_log.c: writes an event to the log. */
void lido__event_log(const lido_event *event, bool values);
/* The same: to the log, or to standard error if nobody listens to that. A listener. */
bool lido__event_log_slow(const lido_event *event, void *user);

#endif
