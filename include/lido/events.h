/* Events: what an engine tells its listeners, as it happens.
 *
 * A listener runs in the thread that does what it is told of, before that goes on, and under no lock of lido's; so it
 * should be quick. It may use another engine, and other sessions of this one if there are connections enough; what it
 * does is told to nobody. It must neither use the session that it is told of nor close the engine. */
#ifndef LIDO_EVENTS_H
#define LIDO_EVENTS_H

#include <lido/engine.h>
#include <lido/log.h>
#include <lido/session.h>
#include <lido/value.h>

LIDO_BEGIN_C

typedef enum lido_event_kind {
    /* A connection's life. The pool's keeper, a thread of its own, tells some of these. */
    LIDO_EVENT_FIRST_CONNECT = 1 << 0, /* before CONNECT, of the first connection that is let in; may be refused */
    LIDO_EVENT_CONNECT = 1 << 1,       /* one was opened, in duration_us; may be refused: then it is closed */
    LIDO_EVENT_CHECKOUT = 1 << 2,      /* a session got one; may be refused: then it goes back */
    LIDO_EVENT_RESET = 1 << 3,         /* work left open on one was rolled back, so that others can use it */
    LIDO_EVENT_CHECKIN = 1 << 4,       /* a session gives its connection back; duration_us: for how long it had it */
    LIDO_EVENT_INVALIDATE = 1 << 5,    /* one is dead, or its server has gone; before CLOSE */
    LIDO_EVENT_CLOSE = 1 << 6,         /* one is closed, whatever for */
    LIDO_EVENT_LEAK = 1 << 7,          /* one is held longer than pool_leak_after_ms; once each time it was taken */

    /* A transaction's. What is never sent, because nothing was done in it, is not told. How it ended is told when the
     * connection has been given back, so that a listener may use the engine then. */
    LIDO_EVENT_BEGIN = 1 << 8,               /* it sets out */
    LIDO_EVENT_COMMIT = 1 << 9,              /* it stands; or nobody knows: status says so */
    LIDO_EVENT_ROLLBACK = 1 << 10,           /* it does not stand */
    LIDO_EVENT_SAVEPOINT = 1 << 11,          /* one sets out, as do the next two */
    LIDO_EVENT_SAVEPOINT_RELEASE = 1 << 12,  /* its work is kept */
    LIDO_EVENT_SAVEPOINT_ROLLBACK = 1 << 13, /* its work is undone */

    /* A statement's. Those that travel together are told together: each BEFORE, then each AFTER. */
    LIDO_EVENT_BEFORE = 1 << 14, /* it sets out */
    LIDO_EVENT_AFTER = 1 << 15, /* LIDO_OK: it was run; LIDO_ERROR: it failed; LIDO_ROLLED_BACK: one before it failed */
    LIDO_EVENT_SLOW = 1 << 16,  /* a round trip took slow_ms or more; of its last statement, or of COMMIT */

    LIDO_EVENT_ERROR = 1 << 17, /* a session has failed, whyever */

    LIDO_EVENT_ALL = (1 << 18) - 1
} lido_event_kind;

/* What has happened. It and all that it points to live until the listener returns. What a kind does not have is 0. */
typedef struct lido_event {
    lido_event_kind kind;
    const char *database;        /* the URL without password */
    const lido_session *session; /* for telling sessions apart, and for nothing else; NULL: none */
    uint64_t connection;         /* which of the pool's connections, from 1; 0: none */
    const char *file;            /* of the call in the program; of a LEAK, of the one that took the connection */
    int line;
    int savepoint; /* its number, 1 for the outermost */
    const char
        *statement;     /* the SQL text, as the program wrote it; of SLOW also "COMMIT" and the like; LEAK: the last */
    size_t value_count; /* of BEFORE, AFTER and SLOW, if they were asked for: */
    const lido_value *values; /* the statement's parameters, in its order */
    size_t travelled;         /* of AFTER and SLOW: how many things were sent together, and share the duration */
    int64_t affected;         /* of AFTER: how many rows it changed */
    int64_t duration_us;      /* in microseconds: of AFTER and SLOW the round trip, of a stream until its first row */
    lido_status status;       /* of AFTER, RESET, COMMIT, ROLLBACK */
    const lido_error *error;  /* why it failed; NULL: it did not */
} lido_event;

/* Hears of an event. False, of FIRST_CONNECT, CONNECT and CHECKOUT: no; the session that wanted the connection then
 * fails with category other. Else what it returns is ignored. */
typedef bool lido_listener(const lido_event *event, void *user);

/* What a listener wants to hear. */
typedef struct lido_listening {
    unsigned kinds;  /* of LIDO_EVENT_…, joined with | */
    int64_t slow_ms; /* from which duration on SLOW is told */
    bool values;     /* with the parameters' values */
} lido_listening;

enum { LIDO_LISTENERS_MOST = 16 };

/* Adds a listener, for good: it and `user` must live until the last session of the engine has been closed after
 * lido_engine_close. Listeners are asked in the order they came; all of them, also if one refuses. `listener` NULL: the
 * log, which gets slow statements and errors as warnings, what becomes of connections as information, and the rest for
 * debugging; without `values` only an error's category and SQLSTATE, for its message may hold values.
 *
 * LIDO_OK; LIDO_ERROR: there are LIDO_LISTENERS_MOST, it wants to hear nothing, or the engine or `options` is NULL.
 * Never waits; safe from any thread.
 * Threads that are under way hear of it a little later. */
LIDO_API lido_status lido_engine_listen(lido_engine *engine, const lido_listening *options, lido_listener *listener,
                                        void *user);

/* Says why an event is refused, for the session's error: `return lido_event_refuse(event, "closed on Sundays");`.
 * Returns false. Does nothing with an event that cannot be refused, or was. */
LIDO_API bool lido_event_refuse(const lido_event *event, const char *format, ...) LIDO_FORMAT(2, 3);

/* The kind in words, "first connect"; static text. Never waits; safe from anywhere. */
LIDO_API const char *lido_event_name(lido_event_kind kind);

LIDO_END_C

#endif
