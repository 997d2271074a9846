/* lido in a program that runs libevent: what waits is handed to lido_submit, and a callback hears what came of it. */
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>

#include <lido.h>
#include <lido/adapters/libevent.h>

/* In a task of its own. */
static void *count_items(void *argument) {
    static int64_t count;
    lido_error outcome;
    lido_transaction (db, argument, &outcome) {
        lido_exec(db, "CREATE TABLE items (name text)");
        lido_send(db, "INSERT INTO items VALUES ('lamp'), ('chair')");
        lido_sleep(100); /* as a slow database would */
        count = lido_query_value(db, "SELECT count(*) FROM items").as.integer;
    }
    if (outcome.status != LIDO_OK)
        lido_error_print(&outcome, stderr);
    return outcome.status == LIDO_OK ? &count : NULL;
}

/* On the loop, like any other callback. */
static void counted(void *count, void *user) {
    if (count != NULL)
        printf("%d items\n", (int)*(int64_t *)count);
    event_base_loopbreak(user);
}

/* The program's own business goes on meanwhile. */
static void on_tick(evutil_socket_t descriptor, short events, void *ticks) {
    (void)descriptor;
    (void)events;
    ++*(int *)ticks;
}

int main(void) {
    int ticks = 0;
    lido_error error;
    struct event_base *host = event_base_new();
    const struct timeval millisecond = {.tv_usec = 1000};
    lido_engine *engine = lido_engine_open("sqlite://", NULL, &error);
    lido_loop *loop = engine != NULL ? lido_loop_attach_libevent(host, NULL, &error) : NULL;
    if (loop == NULL || lido_submit(loop, count_items, engine, counted, host) != LIDO_OK) {
        lido_error_print(&error, stderr);
        return EXIT_FAILURE;
    }
    struct event *timer = event_new(host, -1, EV_PERSIST, on_tick, &ticks);
    event_add(timer, &millisecond);
    event_base_dispatch(host);
    lido_loop_close(loop);
    lido_engine_close(engine);
    event_free(timer);
    event_base_free(host);
    return ticks >= 5 ? EXIT_SUCCESS : EXIT_FAILURE;
}
