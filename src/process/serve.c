/* A metrics address of one process: a thread that answers there.
 *
 * The thread does its work in turns, each under the server's lock, and waits for the next without it. Around a fork all
 * of these locks are held, so no turn is under way: the child finds each descriptor in its place, and closes it. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <lido/metrics.h>

#include "await/await.h"
#include "base/clock.h"
#include "base/fault.h"
#include "core/fork.h"
#include "process/pages.h"
#include "process/signals.h"

struct lido_metrics_server {
    lido_manager *manager; /* whose metrics they are: of one of the two */
    lido_engine *engine;   /* held */
    char *where;
    lido__endpoint endpoint;
    int stop; /* an eventfd: can be read when the thread is to end */
    int both; /* an epoll: of that and the endpoint's */
    pthread_t thread;
    pthread_mutex_t lock;      /* for turns */
    uint64_t process;          /* whose thread it is, as lido__fork_count says */
    lido_metrics_server *next; /* on the list below, as is the next */
    lido_metrics_server *previous;
};

/* All that run. The list's lock comes before theirs. */
static pthread_mutex_t servers_lock = PTHREAD_MUTEX_INITIALIZER;
static lido_metrics_server *servers;

/* ---- Around a fork ---- */

static void before_fork(void) {
    pthread_mutex_lock(&servers_lock);
    for (lido_metrics_server *at = servers; at != NULL; at = at->next)
        pthread_mutex_lock(&at->lock);
}

static void after_fork_in_parent(void) {
    for (lido_metrics_server *at = servers; at != NULL; at = at->next)
        pthread_mutex_unlock(&at->lock);
    pthread_mutex_unlock(&servers_lock);
}

/* What is left of them is memory. */
static void after_fork_in_child(void) {
    for (lido_metrics_server *at = servers; at != NULL; at = at->next) {
        lido__endpoint_abandon(&at->endpoint);
        close(at->stop);
        close(at->both);
        pthread_mutex_unlock(&at->lock);
    }
    servers = NULL;
    pthread_mutex_unlock(&servers_lock);
}

/* Handlers before a fork are called from the last that was installed to the first, and a turn takes the locks of the
 * manager and of pools: theirs have to be installed by then. */
static void install(void) {
    lido_manager_get();
    lido__fork_prepare();
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static void add_to_list(lido_metrics_server *server) {
    server->next = servers;
    if (servers != NULL)
        servers->previous = server;
    servers = server;
}

/* Under one lock with the opening: a child that is forked at any moment finds on the list whatever is open. False, with
 * *error set: nothing is. */
static bool begin_serving(lido_metrics_server *server, lido_error *error) {
    pthread_mutex_lock(&servers_lock);
    bool opened = lido__endpoint_open(&server->endpoint, error);
    if (opened) {
        server->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        server->both = epoll_create1(EPOLL_CLOEXEC);
        add_to_list(server);
    }
    pthread_mutex_unlock(&servers_lock);
    return opened;
}

static void close_descriptors(lido_metrics_server *server) {
    if (server->stop >= 0)
        close(server->stop);
    if (server->both >= 0)
        close(server->both);
    lido__endpoint_close(&server->endpoint);
}

/* Under one lock with the closing: a child that is forked at any moment closes what is open, and no number that is
 * somebody else's by now. */
static void end_serving(lido_metrics_server *server) {
    pthread_mutex_lock(&servers_lock);
    close_descriptors(server);
    *(server->previous != NULL ? &server->previous->next : &servers) = server->next;
    if (server->next != NULL)
        server->next->previous = server->previous;
    pthread_mutex_unlock(&servers_lock);
}

/* ---- The thread ---- */

static bool is_told_to_stop(const lido_metrics_server *server) {
    eventfd_t told;
    return eventfd_read(server->stop, &told) == 0;
}

static void *answer(void *argument) {
    lido_metrics_server *server = argument;
    while (!is_told_to_stop(server)) {
        pthread_mutex_lock(&server->lock);
        lido__endpoint_turn(&server->endpoint);
        int64_t next = lido__endpoint_next(&server->endpoint);
        pthread_mutex_unlock(&server->lock);
        if (server->manager != NULL)
            lido__collect_let_go(server->manager);
        lido__await_descriptor(server->both, true, false, next);
    }
    return NULL;
}

/* The program's signals are for its own threads. */
static bool start_thread(lido_metrics_server *server) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&server->thread, NULL, answer, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failed;
    return failed == 0;
}

/* ---- The pages ---- */

static bool write_metrics(lido__buffer *body, void *user) {
    const lido_metrics_server *server = user;
    return server->engine != NULL ? lido__page_engine_metrics(server->engine, body)
                                  : lido__page_metrics(server->manager, body);
}

static bool write_state(lido__buffer *body, void *user) {
    const lido_metrics_server *server = user;
    return server->engine != NULL ? lido__page_engine_state(server->engine, body)
                                  : lido__page_state(server->manager, NULL, 0, body);
}

static const lido__page pages[] = {
    {"/metrics", LIDO__METRICS_TYPE, write_metrics}, {"/state", LIDO__STATE_TYPE, write_state}, {NULL, NULL, NULL}};

/* ---- Start and end ---- */

static bool watch(int epoll, int descriptor) {
    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &(struct epoll_event){.events = EPOLLIN}) == 0;
}

/* On the list before the thread runs, for a fork may come at any moment. */
static bool start(lido_metrics_server *server, lido_error *error) {
    if (!lido__endpoint_find(&server->endpoint, server->where, pages, server, error) || !begin_serving(server, error))
        return false;
    if (server->stop >= 0 && server->both >= 0 && watch(server->both, server->stop) &&
        watch(server->both, server->endpoint.events) && start_thread(server))
        return true;
    lido__fault(error, LIDO_ERROR_OTHER, "cannot serve metrics on \"%s\": %s", server->where, lido__errno_text(errno));
    end_serving(server);
    return false;
}

static void free_server(lido_metrics_server *server) {
    if (server->engine != NULL)
        lido__engine_let_go(server->engine);
    pthread_mutex_destroy(&server->lock);
    free(server->where);
    free(server);
}

/* `where` NULL: none was configured either. */
static lido_metrics_server *serve(lido_manager *manager, lido_engine *engine, const char *where, lido_error *error) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (where == NULL) {
        lido__fault(error, LIDO_ERROR_CONFIGURATION, "there is no address to serve metrics on");
        lido__fault_hint(error, "pass one, or set metrics_address or DATABASE_METRICS_ADDRESS");
        return NULL;
    }
    lido_metrics_server *server = calloc(1, sizeof *server);
    char *copy = strdup(where);
    if (server == NULL || copy == NULL || pthread_mutex_init(&server->lock, NULL) != 0) {
        lido__fault_memory(error, "serving metrics");
        free(copy);
        free(server);
        return NULL;
    }
    pthread_once(&once, install);
    server->manager = manager;
    server->engine = engine;
    server->where = copy;
    server->stop = server->both = -1;
    server->process = lido__fork_count();
    if (engine != NULL)
        lido__engine_hold(engine);
    if (start(server, error)) {
        lido__endpoint_log(&server->endpoint);
        return server;
    }
    free_server(server);
    return NULL;
}

static lido_metrics_server *done(lido_metrics_server *server, lido_error *error) {
    if (server == NULL)
        lido__fault_doing(error, "serving metrics");
    return server;
}

lido_metrics_server *lido_metrics_serve(lido_engine *engine, const char *where, lido_error *error) {
    lido_error ignored;
    if (error == NULL)
        error = &ignored;
    lido__fault_clear(error);
    if (engine == NULL) {
        lido__fault(error, LIDO_ERROR_MISUSE, "there is no engine");
        return done(NULL, error);
    }
    return done(serve(NULL, engine, where != NULL ? where : engine->config.metrics_address, error), error);
}

lido_metrics_server *lido_manager_metrics_serve(lido_manager *manager, const char *where, lido_error *error) {
    lido_error ignored;
    if (error == NULL)
        error = &ignored;
    lido__fault_clear(error);
    if (manager == NULL) {
        lido__fault(error, LIDO_ERROR_MISUSE, "there is no manager");
        return done(NULL, error);
    }
    char *configured = NULL;
    pthread_rwlock_rdlock(&manager->lock);
    if (where == NULL && lido__manager_metrics_address(manager) != NULL)
        configured = strdup(lido__manager_metrics_address(manager));
    pthread_rwlock_unlock(&manager->lock);
    lido_metrics_server *server = serve(manager, NULL, where != NULL ? where : configured, error);
    free(configured);
    return done(server, error);
}

void lido_metrics_server_close(lido_metrics_server *server) {
    if (server == NULL || server->process != lido__fork_count())
        return;
    eventfd_write(server->stop, 1);
    pthread_join(server->thread, NULL);
    end_serving(server);
    free_server(server);
}
