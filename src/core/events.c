/* Taking listeners in, and telling them. */
#include "core/events.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/fault.h"
#include "core/engine.h"

/* What a listener gets, with what lido_event_refuse needs behind it. */
typedef struct told_event {
    lido_event event;
    lido_error *refusal; /* NULL: it cannot be refused */
} told_event;

/* While a thread is in a listener, what it does is not told: a listener that uses its own engine would never return. */
static _Thread_local bool is_in_listener;

static void note_slow(lido__events *events, int64_t slow_ms) {
    int64_t mine = slow_ms <= 0 ? 1 : slow_ms > INT64_MAX / 2000 ? INT64_MAX : slow_ms * 1000 + 1;
    int64_t least = atomic_load(&events->slow_us);
    while ((least == 0 || mine < least) && !atomic_compare_exchange_weak(&events->slow_us, &least, mine))
        ;
}

bool lido__events_listen(lido__events *events, const lido_listening *options, lido_listener *listener, void *user) {
    unsigned kinds = options->kinds & LIDO_EVENT_ALL;
    unsigned most = LIDO_LISTENERS_MOST + events->own;
    if (kinds == 0 || atomic_load(&events->claimed) >= most)
        return false;
    unsigned claimed = atomic_fetch_add(&events->claimed, 1);
    if (claimed >= most)
        return false;
    if ((kinds & LIDO_EVENT_SLOW) != 0)
        note_slow(events, options->slow_ms);
    lido__event_listener *added = &events->listeners[claimed];
    added->options = *options;
    added->listener = listener;
    added->user = user;
    atomic_store_explicit(&added->kinds, kinds, memory_order_release);
    atomic_fetch_or(&events->kinds, kinds);
    return true;
}

void lido__events_log_slow(lido__events *events, int64_t slow_ms) {
    events->own = 1;
    lido__events_listen(events, &(lido_listening){.kinds = LIDO_EVENT_SLOW, .slow_ms = slow_ms}, lido__event_log_slow,
                        NULL);
}

lido_status lido_engine_listen(lido_engine *engine, const lido_listening *options, lido_listener *listener,
                               void *user) {
    bool added =
        engine != NULL && options != NULL && lido__events_listen(&engine->pool.events, options, listener, user);
    return added ? LIDO_OK : LIDO_ERROR;
}

static bool wants(const lido__event_listener *listener, const lido_event *event) {
    unsigned kinds = atomic_load_explicit(&listener->kinds, memory_order_acquire);
    if ((kinds & event->kind) == 0)
        return false;
    return event->kind != LIDO_EVENT_SLOW || event->duration_us / 1000 >= listener->options.slow_ms;
}

static bool ask(const lido__event_listener *listener, const lido_event *event, lido_error *refusal) {
    told_event told = {.event = *event, .refusal = refusal};
    if (!listener->options.values) {
        told.event.values = NULL;
        told.event.value_count = 0;
    }
    if (listener->listener != NULL)
        return listener->listener(&told.event, listener->user);
    lido__event_log(&told.event, listener->options.values);
    return true;
}

bool lido__events_tell(lido__events *events, const lido_event *event, lido_error *refusal) {
    if (is_in_listener)
        return true;
    is_in_listener = true;
    for (size_t i = 0; i < LIDO__LISTENERS_ROOM; i++) {
        const lido__event_listener *listener = &events->listeners[i];
        if (wants(listener, event) && !ask(listener, event, refusal))
            lido__fault(refusal, LIDO_ERROR_OTHER, "a listener refused the connection at %s",
                        lido_event_name(event->kind));
    }
    is_in_listener = false;
    return refusal == NULL || refusal->status == LIDO_OK;
}

bool lido_event_refuse(const lido_event *event, const char *format, ...) {
    const told_event *told = (const told_event *)event;
    char message[sizeof told->refusal->message + 8]; /* so that the cutting below sees that there was more */
    va_list arguments;
    if (told->refusal == NULL)
        return false;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return lido__fault(told->refusal, LIDO_ERROR_OTHER, "%s", message);
}

const char *lido_event_name(lido_event_kind kind) {
    static const char *const names[] = {"first connect",
                                        "connect",
                                        "checkout",
                                        "reset",
                                        "checkin",
                                        "invalidate",
                                        "close",
                                        "leak",
                                        "begin",
                                        "commit",
                                        "rollback",
                                        "savepoint",
                                        "savepoint release",
                                        "savepoint rollback",
                                        "before statement",
                                        "after statement",
                                        "slow",
                                        "error"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((unsigned)kind == 1U << i)
            return names[i];
    return "not an event";
}
