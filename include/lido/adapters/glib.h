/* A lido loop inside a GLib main loop: one source, for its descriptor and its timer.
 *
 *     lido_loop *loop = lido_loop_attach_glib(NULL, NULL, &error);
 *     …
 *     g_main_loop_run(main_loop);
 *     lido_loop_close(loop);
 *
 * g_main_loop_run goes on after the last task has ended: end it with g_main_loop_quit. */
#ifndef LIDO_ADAPTERS_GLIB_H
#define LIDO_ADAPTERS_GLIB_H

#include <glib-unix.h>
#include <glib.h>

#include <lido/sys/loop.h>

LIDO_BEGIN_C

typedef struct lido__glib {
    GSource source; /* first: GLib allocates the whole */
    lido_loop *loop;
    gpointer descriptor;
} lido__glib;

/* GLib dispatches it when the descriptor can be read or the moment it was made ready for has come. */
static inline gboolean lido__glib_dispatch(GSource *source, GSourceFunc callback, gpointer user) {
    lido__glib *host = LIDO_CAST(lido__glib *, LIDO_CAST(void *, source));
    gint64 ready = g_source_get_ready_time(source);
    (void)callback;
    (void)user;
    if (ready < 0 || ready > g_source_get_time(source)) {
        lido_loop_turn(host->loop);
        return G_SOURCE_CONTINUE;
    }
    g_source_set_ready_time(source, -1);
    lido_loop_timed_out(host->loop);
    return G_SOURCE_CONTINUE;
}

static inline void *lido__glib_open(void *context, lido_loop *loop, int descriptor) {
    static GSourceFuncs functions = {NULL, NULL, lido__glib_dispatch, NULL, NULL, NULL};
    GSource *source = g_source_new(&functions, sizeof(lido__glib));
    lido__glib *host = LIDO_CAST(lido__glib *, LIDO_CAST(void *, source));
    host->loop = loop;
    host->descriptor = g_source_add_unix_fd(source, descriptor, G_IO_IN);
    g_source_set_name(source, "lido");
    g_source_attach(source, LIDO_CAST(GMainContext *, context));
    return host;
}

static inline void lido__glib_timer(void *opened, int64_t ms) {
    GSource *source = LIDO_CAST(GSource *, opened);
    g_source_set_ready_time(source, ms < 0 ? -1 : g_get_monotonic_time() + ms * 1000);
}

static inline void lido__glib_close(void *opened) {
    GSource *source = LIDO_CAST(GSource *, opened);
    g_source_destroy(source);
    g_source_unref(source);
}

/* As lido_loop_attach, inside `context`; NULL: the default one. */
static inline lido_loop *lido_loop_attach_glib(GMainContext *context, const lido_loop_options *options,
                                               lido_error *error) {
    static const lido_loop_operations operations = {sizeof(lido_loop_operations), lido__glib_open, lido__glib_timer,
                                                    NULL, lido__glib_close};
    return lido_loop_attach(&operations, context != NULL ? context : g_main_context_default(), options, error);
}

LIDO_END_C

#endif
