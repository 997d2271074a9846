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

/* All zero at the start. */
typedef struct lido__events {
    atomic_uint kinds;   /* all that anybody listens to */
    atomic_uint claimed; /* how many listeners have come; more than there is room for */
    atomic_bool met;     /* the first connection was let in, or is being asked about */
    lido__event_listener listeners[LIDO_LISTENERS_MOST];
} lido__events;

/* Whether anybody listens to one of these kinds. All that an event costs where nobody does. */
static inline bool lido__events_wanted(const lido__events *events, unsigned kinds) {
    return (atomic_load_explicit(&events->kinds, memory_order_relaxed) & kinds) != 0;
}

bool lido__events_listen(lido__events *events, const lido_listening *options, lido_listener *listener, void *user);

/* Tells all who listen to this kind. Outside all locks. `refusal`: what is told may be refused; then it is set, and
 * false is returned. NULL: it may not, and true is returned. */
bool lido__events_tell(lido__events *events, const lido_event *event, lido_error *refusal);

/* event_log.c: writes an event to the log. */
void lido__event_log(const lido_event *event, bool values);

#endif
