/* A lido loop inside a libevent loop: one event for its descriptor, one for its timer.
 *
 *     struct event_base *base = event_base_new();
 *     lido_loop *loop = lido_loop_attach_libevent(base, NULL, &error);
 *     …
 *     event_base_dispatch(base);
 *     lido_loop_close(loop);
 *     event_base_free(base);
 *
 * event_base_dispatch goes on after the last task has ended, for others may come from other threads: end it with
 * event_base_loopbreak. */
#ifndef LIDO_ADAPTERS_LIBEVENT_H
#define LIDO_ADAPTERS_LIBEVENT_H

#include <stdlib.h>

#include <event2/event.h>

#include <lido/sys/loop.h>

LIDO_BEGIN_C

typedef struct lido__libevent {
    lido_loop *loop;
    struct event *readable;
    struct event *timer;
} lido__libevent;

static inline void lido__libevent_on_readable(evutil_socket_t descriptor, short events, void *opened) {
    (void)descriptor;
    (void)events;
    lido_loop_turn(LIDO_CAST(lido__libevent *, opened)->loop);
}

static inline void lido__libevent_on_timer(evutil_socket_t descriptor, short events, void *opened) {
    (void)descriptor;
    (void)events;
    lido_loop_timed_out(LIDO_CAST(lido__libevent *, opened)->loop);
}

static inline void lido__libevent_close(void *opened) {
    lido__libevent *host = LIDO_CAST(lido__libevent *, opened);
    if (host->readable != NULL)
        event_free(host->readable);
    if (host->timer != NULL)
        event_free(host->timer);
    free(host);
}

static inline void *lido__libevent_open(void *base, lido_loop *loop, int descriptor) {
    struct event_base *events = LIDO_CAST(struct event_base *, base);
    lido__libevent *host = LIDO_CAST(lido__libevent *, calloc(1, sizeof *host));
    if (host == NULL)
        return NULL;
    host->loop = loop;
    host->readable = event_new(events, descriptor, EV_READ | EV_PERSIST, lido__libevent_on_readable, host);
    host->timer = event_new(events, -1, 0, lido__libevent_on_timer, host);
    if (host->readable != NULL && host->timer != NULL && event_add(host->readable, NULL) == 0)
        return host;
    lido__libevent_close(host);
    return NULL;
}

static inline void lido__libevent_timer(void *opened, int64_t ms) {
    lido__libevent *host = LIDO_CAST(lido__libevent *, opened);
    struct timeval after;
    after.tv_sec = LIDO_CAST(time_t, ms / 1000);
    after.tv_usec = LIDO_CAST(suseconds_t, ms % 1000 * 1000);
    if (ms < 0)
        event_del(host->timer);
    else
        event_add(host->timer, &after);
}

/* As lido_loop_attach, inside `base`, which must outlive the loop. */
static inline lido_loop *lido_loop_attach_libevent(struct event_base *base, const lido_loop_options *options,
                                                   lido_error *error) {
    static const lido_loop_operations operations = {sizeof(lido_loop_operations), lido__libevent_open,
                                                    lido__libevent_timer, NULL, lido__libevent_close};
    return lido_loop_attach(&operations, base, options, error);
}

LIDO_END_C

#endif
