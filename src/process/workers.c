/* Running workers: what is asked for is checked, the listeners and the signals are made ready, the supervisor does the
 * rest. */
#include <lido/workers.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "await/await.h"
#include "base/fault.h"
#include "base/processors.h"
#include "process/listener.h"
#include "process/shared_metrics.h"
#include "process/signals.h"
#include "process/supervisor.h"

enum {
    COUNT_MOST = 1024,
    START_TIMEOUT_MS = 60 * 1000,
    STOP_TIMEOUT_MS = 30 * 1000,
    RESPAWN_PAUSE_MS = 100,
    CRASHES_MOST = 10, /* for each worker */
    CRASHES_MOST_MOST = 100 * 1000,
    CRASH_WINDOW_MS = 60 * 1000
};

#define YEAR_MS (INT64_C(366) * 24 * 60 * 60 * 1000)

static bool refuse(lido_error *error, const char *what, long long found, const char *allowed) {
    return lido__fault(error, LIDO_ERROR_MISUSE, "%s is %lld: %s", what, found, allowed);
}

static bool check(const lido_workers *workers, lido_error *error) {
    const struct {
        const char *name;
        int64_t found;
    } numbers[] = {{"backlog", workers->backlog},
                   {"max_requests", workers->max_requests},
                   {"start_timeout_ms", workers->start_timeout_ms},
                   {"stop_timeout_ms", workers->stop_timeout_ms},
                   {"respawn_pause_ms", workers->respawn_pause_ms},
                   {"crash_window_ms", workers->crash_window_ms},
                   {"max_age_ms", workers->max_age_ms}};
    enum { FIRST_TIME = 2 };
    if (workers->serve == NULL)
        return lido__fault(error, LIDO_ERROR_MISUSE, "the workers have no serve function");
    if (workers->count < 0 || workers->count > COUNT_MOST)
        return refuse(error, "count", workers->count, "1 to 1024 are allowed, and 0 for one for each processor");
    if (workers->crashes_most < 0 || workers->crashes_most > CRASHES_MOST_MOST)
        return refuse(error, "crashes_most", workers->crashes_most, "0 to 100000 are allowed");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].found < 0)
            return refuse(error, numbers[i].name, numbers[i].found, "0, for the default, and more are allowed");
    for (size_t i = FIRST_TIME; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].found > YEAR_MS)
            return refuse(error, numbers[i].name, numbers[i].found, "milliseconds, a year at most, are allowed");
    if (workers->reuse_port && workers->listen == NULL)
        return lido__fault(error, LIDO_ERROR_MISUSE, "reuse_port is set, and there is nothing to listen on");
    return true;
}

/* If all is well, it stays as it is configured from here on. */
static bool share_manager(lido_manager *manager, lido_error *error) {
    if (manager == NULL)
        return true;
    pthread_rwlock_wrlock(&manager->lock);
    bool works = lido__manager_works(manager);
    bool configured = manager->stage != LIDO__UNCONFIGURED;
    bool shared = manager->shared;
    manager->shared = shared || (!works && configured);
    pthread_rwlock_unlock(&manager->lock);
    if (shared) {
        lido__fault(error, LIDO_ERROR_MISUSE, "this process runs workers already, or is one of them");
    } else if (works) {
        lido__fault(error, LIDO_ERROR_MISUSE, "this process is a worker itself");
        lido__fault_hint(error, "the parent connects to nothing: call lido_manager_close_worker first");
    } else if (!configured) {
        lido__fault(error, LIDO_ERROR_MISUSE, "the manager has no database");
        lido__fault_hint(error, "call lido_manager_configure first, or pass NULL for workers without a database");
    }
    return !shared && !works && configured;
}

static void end_sharing(lido_manager *manager) {
    if (manager == NULL)
        return;
    pthread_rwlock_wrlock(&manager->lock);
    manager->shared = false;
    pthread_rwlock_unlock(&manager->lock);
}

static void fill_in(lido_workers *workers) {
    const struct {
        int64_t *place;
        int64_t value;
    } defaults[] = {{&workers->start_timeout_ms, START_TIMEOUT_MS},
                    {&workers->stop_timeout_ms, STOP_TIMEOUT_MS},
                    {&workers->respawn_pause_ms, RESPAWN_PAUSE_MS},
                    {&workers->crash_window_ms, CRASH_WINDOW_MS}};
    if (workers->count == 0)
        workers->count = lido__processors_count();
    if (workers->crashes_most == 0)
        workers->crashes_most = CRASHES_MOST * workers->count;
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        if (*defaults[i].place == 0)
            *defaults[i].place = defaults[i].value;
}

/* A seat's worker and its successor, and the child that asks for the limit. */
static bool allocate(lido__supervisor *s, lido_error *error) {
    size_t count = (size_t)s->workers.count;
    s->places = 2 * s->workers.count + 1;
    s->seats = calloc(count, sizeof *s->seats);
    s->children = calloc(2 * count + 1, sizeof *s->children);
    s->deaths = calloc((size_t)s->workers.crashes_most, sizeof *s->deaths);
    s->listeners = calloc(count, sizeof *s->listeners);
    if (s->seats != NULL && s->children != NULL && s->deaths != NULL && s->listeners != NULL)
        return true;
    return lido__fault_memory(error, "running workers");
}

static bool listen_for(lido__supervisor *s, lido_error *error) {
    int count = s->workers.reuse_port ? s->workers.count : 1;
    if (s->workers.listen == NULL)
        return true;
    if (!lido__listeners_open(s->workers.listen, s->workers.backlog, count, s->listeners, error))
        return false;
    s->listener_count = count;
    return true;
}

/* Under the lock. What is made is in the configuration that the workers' engines share. */
static void set_turns(const lido__supervisor *s, bool on) {
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++)
        s->manager->databases[i].config.write_turn = on ? s->turns[i] : NULL;
}

static bool shares_a_file(const lido__database *database) {
    const lido__config *config = &database->config;
    return database->name[0] != '\0' && config->type == LIDO__SQLITE && config->database != NULL &&
           !config->sqlite_read_only;
}

/* While a worker is replaced, or killed and not yet buried, there are more processes than seats. */
static bool share_turns(lido__supervisor *s, lido_error *error) {
    if (s->manager == NULL)
        return true;
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++) {
        if (!shares_a_file(&s->manager->databases[i]))
            continue;
        s->turns[i] = lido__shared_turn_new(2 * s->workers.count, error);
        if (s->turns[i] == NULL)
            return false;
    }
    pthread_rwlock_wrlock(&s->manager->lock);
    set_turns(s, true);
    pthread_rwlock_unlock(&s->manager->lock);
    return true;
}

static void end_turns(lido__supervisor *s) {
    if (s->manager == NULL)
        return;
    pthread_rwlock_wrlock(&s->manager->lock);
    set_turns(s, false);
    pthread_rwlock_unlock(&s->manager->lock);
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++)
        lido__shared_turn_free(s->turns[i]);
}

static bool share_metrics(lido__supervisor *s, lido_error *error) {
    if (s->manager == NULL)
        return true;
    lido__shared_metrics *shared = lido__shared_metrics_new(s->manager, s->workers.count, error);
    pthread_rwlock_wrlock(&s->manager->lock);
    s->manager->metrics = shared;
    pthread_rwlock_unlock(&s->manager->lock);
    return shared != NULL;
}

/* Who reads them has the lock. */
static void end_metrics(lido__supervisor *s) {
    if (s->manager == NULL)
        return;
    pthread_rwlock_wrlock(&s->manager->lock);
    lido__shared_metrics *shared = s->manager->metrics;
    s->manager->metrics = NULL;
    pthread_rwlock_unlock(&s->manager->lock);
    lido__shared_metrics_free(shared);
}

static bool begin_events(lido__supervisor *s, lido_error *error) {
    s->events = epoll_create1(EPOLL_CLOEXEC);
    if (s->events < 0)
        return lido__fault(error, LIDO_ERROR_OTHER, "no descriptor: %s", lido__errno_text(errno));
    s->signals = lido__signals_begin(error);
    if (s->signals < 0)
        return false;
    if (epoll_ctl(s->events, EPOLL_CTL_ADD, s->signals, &(struct epoll_event){.events = EPOLLIN}) == 0)
        return true;
    return lido__fault(error, LIDO_ERROR_OTHER, "cannot wait for signals: %s", lido__errno_text(errno));
}

static void done(lido__supervisor *s) {
    if (s->serves)
        lido__endpoint_close(&s->endpoint);
    free(s->metrics);
    if (s->signals >= 0)
        lido__signals_end();
    if (s->events >= 0)
        close(s->events);
    end_turns(s);
    end_metrics(s);
    end_sharing(s->manager);
    lido__listeners_close(s->workers.listen, s->listener_count, s->listeners);
    free(s->seats);
    free(s->children);
    free(s->deaths);
    free(s->listeners);
}

static bool run(lido_manager *manager, const lido_workers *workers, lido_error *error) {
    lido__supervisor supervisor = {
        .manager = manager, .workers = *workers, .events = -1, .signals = -1, .last = LIDO_ERROR_INIT, .error = error};
    fill_in(&supervisor.workers);
    bool well = allocate(&supervisor, error) && share_turns(&supervisor, error) && share_metrics(&supervisor, error) &&
                listen_for(&supervisor, error) && begin_events(&supervisor, error) &&
                lido__supervisor_serve(&supervisor, error) && lido__supervise(&supervisor);
    done(&supervisor);
    return well;
}

lido_status lido_workers_run(lido_manager *manager, const lido_workers *workers, lido_error *error) {
    lido_error ignored;
    if (error == NULL)
        error = &ignored;
    lido__fault_clear(error);
    if (lido__signals_begun())
        lido__fault(error, LIDO_ERROR_MISUSE, "this process runs workers already");
    else if (workers == NULL)
        lido__fault(error, LIDO_ERROR_MISUSE, "no workers are described");
    else if (lido__await_may_wait(error) && check(workers, error) && share_manager(manager, error) &&
             run(manager, workers, error))
        return LIDO_OK;
    lido__fault_doing(error, "running workers");
    return LIDO_ERROR;
}

lido_status lido_workers_stop(void) {
    return lido__signals_send(SIGTERM) ? LIDO_OK : LIDO_ERROR;
}

lido_status lido_workers_restart(void) {
    return lido__signals_send(SIGHUP) ? LIDO_OK : LIDO_ERROR;
}
