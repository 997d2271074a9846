/* A worker's life, in its own process: initialised, serving, closed, gone. */
#include "process/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "await/await.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/random.h"
#include "process/signals.h"

enum { NO_ROOM_PAUSE_MS = 100, CLOSE_LEAST_MS = 100 };

struct lido_worker {
    lido__assignment assignment;
    int stop;      /* an eventfd: readable when it is to stop */
    int both;      /* an epoll: of `stop` and the listener */
    timer_t end;   /* kills it when it expires: set if the parent, who else does that, is gone */
    int64_t wears; /* after so many requests; 0: never */
    atomic_bool stopping;
    atomic_int_fast64_t stop_by; /* while stopping: when it should be done; a moment of the monotonic clock */
    atomic_int_fast64_t requests;
};

/* A process is one worker; the signal's handler has to find it. */
static lido_worker self;

/* ---- Being told to stop ---- */

static bool has_parent(void) {
    return getppid() == self.assignment.parent;
}

static void be_killed_at(int64_t moment) {
    const struct itimerspec end = {.it_value = {.tv_sec = moment / 1000000, .tv_nsec = moment % 1000000 * 1000}};
    timer_settime(self.end, TIMER_ABSTIME, &end, NULL);
}

/* Calls nothing that is not async-signal-safe: the clock's function is. */
static void told_to_stop(int signal_number) {
    (void)signal_number;
    int kept = errno;
    if (!atomic_exchange(&self.stopping, true))
        atomic_store(&self.stop_by, lido__clock_now_us() + self.assignment.workers->stop_timeout_ms * 1000);
    if (!has_parent())
        be_killed_at(atomic_load(&self.stop_by));
    eventfd_write(self.stop, 1);
    errno = kept;
}

/* SIGTERM when the parent dies. If it is gone already, nobody will say so any more. */
static void watch_parent(void) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (!has_parent())
        told_to_stop(SIGTERM);
}

/* The parent's handlers would write to its own pipe. A terminal's ^C goes to all of its processes; it is the parent who
 * decides then. */
static void listen_to_parent(void) {
    lido__signal_handle(SIGTERM, told_to_stop);
    lido__signal_handle(SIGINT, SIG_IGN);
    lido__signal_handle(SIGHUP, SIG_IGN);
    lido__signal_handle(SIGCHLD, SIG_DFL);
    watch_parent();
    lido__signals_unblock();
}

/* ---- Telling the parent ---- */

void lido__note_send(const lido__assignment *assignment, const lido__note *note) {
    while (send(assignment->notes, note, sizeof *note, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

static void tell(lido__note_kind kind, const lido_error *error) {
    lido__note note = {.kind = kind};
    if (error != NULL)
        note.error = *error;
    note.error.file = NULL;
    lido__note_send(&self.assignment, &note);
}

static bool failed(const lido_error *error) {
    char text[LIDO__LOG_LINE_SIZE];
    lido_error_format(error, text, sizeof text);
    lido__log(LIDO_LOG_ERROR, "worker %d: %s", self.assignment.number, text);
    tell(LIDO__NOTE_FAILED, error);
    return false;
}

/* ---- Its life ---- */

static bool watch(int epoll, int descriptor, uint32_t events) {
    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &(struct epoll_event){.events = events}) == 0;
}

/* Of all the workers that share the listener only some are woken by a connection. */
static bool make_descriptors(lido_error *error) {
    struct sigevent killing = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    self.stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self.both = epoll_create1(EPOLL_CLOEXEC);
    if (timer_create(CLOCK_MONOTONIC, &killing, &self.end) == 0 && self.stop >= 0 && self.both >= 0 &&
        watch(self.both, self.stop, EPOLLIN) &&
        (self.assignment.listener < 0 || watch(self.both, self.assignment.listener, EPOLLIN | EPOLLEXCLUSIVE)))
        return true;
    lido__fault(error, LIDO_ERROR_OTHER, "no descriptors for a worker: %s", lido__errno_text(errno));
    lido__fault_hint(error, "see that `ulimit -n` allows enough of them");
    return false;
}

static bool open_databases(lido_error *error) {
    const lido_init_options options = {.verify = self.assignment.workers->verify};
    return self.assignment.manager == NULL ||
           lido_manager_init_worker(self.assignment.manager, &options, error) == LIDO_OK;
}

static bool init(void) {
    const lido_workers *workers = self.assignment.workers;
    lido_error error = LIDO_ERROR_INIT;
    if (!open_databases(&error))
        return failed(&error);
    bool able = workers->init == NULL || workers->init(&self, workers->user);
    watch_parent(); /* anew: the kernel forgets it where the process has become another user */
    if (able)
        return true;
    lido__fault(&error, LIDO_ERROR_OTHER, "the worker's init function said no");
    lido__fault_doing(&error, "initialising a worker");
    return failed(&error);
}

static void close_databases(void) {
    lido_error error = LIDO_ERROR_INIT;
    int64_t left_ms = self.assignment.workers->stop_timeout_ms;
    if (atomic_load(&self.stopping))
        left_ms = (atomic_load(&self.stop_by) - lido__clock_now_us()) / 1000;
    /* The parent kills when the time is up, and cancelling takes some. */
    left_ms = left_ms * 4 / 5;
    if (self.assignment.manager == NULL ||
        lido_manager_close_worker(self.assignment.manager, left_ms > CLOSE_LEAST_MS ? left_ms : CLOSE_LEAST_MS,
                                  &error) == LIDO_OK)
        return;
    lido__log(LIDO_LOG_WARNING, "worker %d: %s; %s", self.assignment.number, error.message, error.hint);
}

static bool work(void) {
    const lido_workers *workers = self.assignment.workers;
    bool able = init();
    if (able) {
        tell(LIDO__NOTE_READY, NULL);
        workers->serve(&self, workers->user);
        if (workers->close != NULL)
            workers->close(&self, workers->user);
    }
    close_databases();
    return able;
}

_Noreturn void lido__worker_run(const lido__assignment *assignment) {
    lido_error error = LIDO_ERROR_INIT;
    int64_t most = assignment->workers->max_requests;
    self.assignment = *assignment;
    self.wears = most > 0 ? most - lido__random_below(most / 10 + 1) : 0;
    bool able = make_descriptors(&error) || failed(&error);
    if (able) {
        listen_to_parent();
        able = work();
    }
    fflush(NULL);
    _exit(able ? 0 : 1);
}

/* ---- What the program asks ---- */

int lido_worker_number(const lido_worker *worker) {
    return worker->assignment.number;
}

int lido_worker_listener(const lido_worker *worker) {
    return worker->assignment.listener;
}

bool lido_worker_stopping(const lido_worker *worker) {
    return atomic_load_explicit(&worker->stopping, memory_order_relaxed);
}

int lido_worker_stop_descriptor(const lido_worker *worker) {
    return worker->stop;
}

void lido_worker_stop_all(lido_worker *worker) {
    (void)worker;
    tell(LIDO__NOTE_STOP, NULL);
}

void lido_worker_request_done(lido_worker *worker) {
    if (worker->wears > 0 && atomic_fetch_add(&worker->requests, 1) + 1 == worker->wears)
        tell(LIDO__NOTE_WORN, NULL);
}

/* There was no connection to take: whether to look again. */
static bool wait_for_connection(lido_worker *worker, int why) {
    switch (why) {
    case EAGAIN:
        return lido__await_descriptor(worker->both, true, false, LIDO__NO_DEADLINE) == LIDO__AWAIT_READY;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: /* it stays in the queue until there is room */
        return lido__await_moment(lido__deadline_in_ms(NO_ROOM_PAUSE_MS)) == LIDO__AWAIT_TIMED_OUT;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
        return false;
    default: /* interrupted, or that connection broke before it was taken */
        return true;
    }
}

int lido_worker_accept(lido_worker *worker) {
    while (worker->assignment.listener >= 0 && !lido_worker_stopping(worker)) {
        int client = accept4(worker->assignment.listener, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0)
            return client;
        if (!wait_for_connection(worker, errno))
            return -1;
    }
    return -1;
}
