/* libuv as the host: a poll handle for the loop's descriptor, and a timer. */
#include <stdlib.h>

#include <uv.h>

#include "await/loop.h"

typedef struct uv_host {
    lido_loop *loop;
    uv_poll_t poll;
    uv_timer_t timer;
    int closing; /* handles that libuv has not let go of */
} uv_host;

static void stop_if_asked(const lido_loop *loop) {
    if (atomic_load_explicit(&loop->stopping, memory_order_relaxed) && loop->running)
        uv_stop(loop->uv);
}

static void on_descriptor(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    lido_loop *loop = ((uv_host *)poll->data)->loop;
    lido_loop_turn(loop);
    stop_if_asked(loop);
}

static void on_timer(uv_timer_t *timer) {
    lido_loop *loop = ((uv_host *)timer->data)->loop;
    lido_loop_timed_out(loop);
    stop_if_asked(loop);
}

static void on_closed(uv_handle_t *handle) {
    uv_host *host = handle->data;
    if (--host->closing == 0)
        free(host);
}

/* The timer never keeps libuv going: tasks do. */
static void *open_host(void *uv, lido_loop *loop, int descriptor) {
    uv_host *host = calloc(1, sizeof *host);
    if (host == NULL || uv_poll_init(uv, &host->poll, descriptor) != 0) {
        free(host);
        return NULL;
    }
    host->loop = loop;
    uv_timer_init(uv, &host->timer);
    host->poll.data = host->timer.data = host;
    uv_unref((uv_handle_t *)&host->timer);
    uv_unref((uv_handle_t *)&host->poll);
    if (uv_poll_start(&host->poll, UV_READABLE, on_descriptor) == 0)
        return host;
    host->closing = 2;
    uv_close((uv_handle_t *)&host->poll, on_closed);
    uv_close((uv_handle_t *)&host->timer, on_closed);
    return NULL;
}

static void set_timer(void *opened, int64_t ms) {
    uv_host *host = opened;
    if (ms < 0) {
        uv_timer_stop(&host->timer);
        return;
    }
    uv_update_time(host->timer.loop); /* tasks may have run for some time since it looked at the clock */
    uv_timer_start(&host->timer, on_timer, (uint64_t)ms, 0);
}

static void set_busy(void *opened, bool busy) {
    uv_host *host = opened;
    if (busy)
        uv_ref((uv_handle_t *)&host->poll);
    else
        uv_unref((uv_handle_t *)&host->poll);
}

/* Their memory is let go of in the libuv loop's next round, or when lido__loop_uv_free runs it for the last time. */
static void close_host(void *opened) {
    uv_host *host = opened;
    host->closing = 2;
    uv_close((uv_handle_t *)&host->poll, on_closed);
    uv_close((uv_handle_t *)&host->timer, on_closed);
}

const lido_loop_operations lido__loop_uv_operations = {
    .size = sizeof(lido_loop_operations), .open = open_host, .timer = set_timer, .busy = set_busy, .close = close_host};

uv_loop_t *lido__loop_uv_new(void) {
    uv_loop_t *uv = malloc(sizeof *uv);
    if (uv == NULL || uv_loop_init(uv) != 0) {
        free(uv);
        return NULL;
    }
    return uv;
}

void lido__loop_uv_run(uv_loop_t *uv) {
    uv_run(uv, UV_RUN_DEFAULT);
}

void lido__loop_uv_stop(uv_loop_t *uv) {
    uv_stop(uv);
}

/* Handles of the program's own that it has not closed are closed as they are. */
static void close_left_over(uv_handle_t *handle, void *unused) {
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void lido__loop_uv_free(uv_loop_t *uv) {
    uv_walk(uv, close_left_over, NULL);
    uv_run(uv, UV_RUN_DEFAULT);
    uv_loop_close(uv);
    free(uv);
}
