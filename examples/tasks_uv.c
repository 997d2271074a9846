/* lido in a program that runs libuv: what waits is handed to lido_submit, and a callback hears what came of it. */
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

#include <lido.h>

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
    uv_stop(user);
}

/* The program's own business goes on meanwhile. */
static void on_tick(uv_timer_t *timer) {
    ++*(int *)timer->data;
}

int main(void) {
    int ticks = 0;
    lido_error error;
    uv_loop_t *host = uv_default_loop();
    uv_timer_t timer;
    lido_engine *engine = lido_engine_open("sqlite://", NULL, &error);
    lido_loop *loop = engine != NULL ? lido_loop_attach_uv(host, NULL, &error) : NULL;
    if (loop == NULL || lido_submit(loop, count_items, engine, counted, host) != LIDO_OK) {
        lido_error_print(&error, stderr);
        return EXIT_FAILURE;
    }
    uv_timer_init(host, &timer);
    timer.data = &ticks;
    uv_timer_start(&timer, on_tick, 1, 1);
    uv_run(host, UV_RUN_DEFAULT);
    lido_loop_close(loop);
    lido_engine_close(engine);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(host, UV_RUN_DEFAULT);
    uv_loop_close(host);
    return ticks >= 5 ? EXIT_SUCCESS : EXIT_FAILURE;
}
