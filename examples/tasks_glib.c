/* lido in a program that runs GLib: what waits is handed to lido_submit, and a callback hears what came of it. */
#include <stdio.h>
#include <stdlib.h>

#include <glib.h>

#include <lido.h>
#include <lido/adapters/glib.h>

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
    g_main_loop_quit(user);
}

/* The program's own business goes on meanwhile. */
static gboolean on_tick(gpointer ticks) {
    ++*(int *)ticks;
    return G_SOURCE_CONTINUE;
}

int main(void) {
    int ticks = 0;
    lido_error error;
    GMainLoop *host = g_main_loop_new(NULL, FALSE);
    lido_engine *engine = lido_engine_open("sqlite://", NULL, &error);
    lido_loop *loop = engine != NULL ? lido_loop_attach_glib(NULL, NULL, &error) : NULL;
    if (loop == NULL || lido_submit(loop, count_items, engine, counted, host) != LIDO_OK) {
        lido_error_print(&error, stderr);
        return EXIT_FAILURE;
    }
    g_timeout_add(1, on_tick, &ticks);
    g_main_loop_run(host);
    lido_loop_close(loop);
    lido_engine_close(engine);
    g_main_loop_unref(host);
    return ticks >= 5 ? EXIT_SUCCESS : EXIT_FAILURE;
}
