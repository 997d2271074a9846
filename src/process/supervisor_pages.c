/* What the parent of workers answers on its metrics address: of all of them, in its own loop. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/fault.h"
#include "process/pages.h"
#include "process/signals.h"
#include "process/supervisor.h"

static const char *state_name(const lido__child *child) {
    if (child->state == LIDO__CHILD_STARTING)
        return "starting";
    return child->state == LIDO__CHILD_READY ? "ready" : "stopping";
}

/* The seats in order; in each, who has it comes first. */
static size_t read_workers(const lido__supervisor *s, lido__worker_state *workers) {
    int64_t now = lido__clock_now_us();
    size_t count = 0;
    for (int seat = 0; seat < s->workers.count; seat++) {
        for (int i = 0; i < 2 * s->places; i++) {
            const lido__child *child = &s->children[i % s->places];
            bool second = i >= s->places;
            if (child->state == LIDO__CHILD_NONE || child->seat != seat ||
                (child->successor || child->state == LIDO__CHILD_STOPPING) != second)
                continue;
            workers[count++] = (lido__worker_state){.number = seat,
                                                    .process = child->pid,
                                                    .state = state_name(child),
                                                    .age_ms = (now - child->since) / 1000,
                                                    .restarts = s->seats[seat].forks - 1,
                                                    .deaths = s->seats[seat].died};
        }
    }
    return count;
}

static bool write_metrics(lido__buffer *body, void *user) {
    const lido__supervisor *s = user;
    return s->manager != NULL && lido__page_metrics(s->manager, body);
}

static bool write_state(lido__buffer *body, void *user) {
    const lido__supervisor *s = user;
    lido__worker_state *workers = calloc((size_t)s->places, sizeof *workers);
    if (workers == NULL)
        return false;
    bool written = lido__page_state(s->manager, workers, read_workers(s, workers), body);
    free(workers);
    return written;
}

static const lido__page pages[] = {
    {"/metrics", LIDO__METRICS_TYPE, write_metrics}, {"/state", LIDO__STATE_TYPE, write_state}, {NULL, NULL, NULL}};

/* What the program says goes before what its configuration does, "" too: nowhere. False: memory ran out. */
static bool find_address(lido__supervisor *s) {
    const char *where = s->workers.metrics;
    bool copied = true;
    if (s->manager != NULL)
        pthread_rwlock_rdlock(&s->manager->lock);
    if (where == NULL && s->manager != NULL)
        where = lido__manager_metrics_address(s->manager);
    if (where != NULL && *where != '\0') {
        s->metrics = strdup(where);
        copied = s->metrics != NULL;
    }
    if (s->manager != NULL)
        pthread_rwlock_unlock(&s->manager->lock);
    return copied;
}

bool lido__supervisor_serve(lido__supervisor *s, lido_error *error) {
    if (!find_address(s))
        return lido__fault_memory(error, "serving metrics");
    if (s->metrics == NULL)
        return true;
    s->serves =
        lido__endpoint_find(&s->endpoint, s->metrics, pages, s, error) && lido__endpoint_open(&s->endpoint, error);
    if (!s->serves)
        return false;
    if (epoll_ctl(s->events, EPOLL_CTL_ADD, s->endpoint.events, &(struct epoll_event){.events = EPOLLIN}) != 0)
        return lido__fault(error, LIDO_ERROR_OTHER, "cannot serve metrics: %s", lido__errno_text(errno));
    lido__endpoint_log(&s->endpoint);
    return true;
}
