/* Threads for work, and handing it to them. */
#include "await/offload.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum {
    IDLE_SECONDS = 10, /* a thread that has had nothing to do for so long ends */
    CALL_WORTH = 64    /* how much pays on another thread: what a wake-up costs is a few of SQLite's rows each */
};

typedef struct job {
    struct job *next; /* in the queue */
    void (*run)(struct job *job);
    lido__wait wait;
    lido__waker done;
    atomic_int holders; /* of work: the thread and the asker; the last one frees */
    atomic_bool abandoned;
} job;

/* ---- Threads ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static job *oldest; /* given to idle threads that have not got up yet */
static job *newest;
static size_t idle; /* threads without a job, not counting those */

static job *take_job(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += IDLE_SECONDS;
    while (oldest == NULL)
        if (pthread_cond_timedwait(&arrived, &lock, &until) != 0 && oldest == NULL)
            return NULL;
    job *taken = oldest;
    oldest = taken->next;
    if (oldest == NULL)
        newest = NULL;
    return taken;
}

static void *serve(void *first) {
    for (job *served = first; served != NULL;) {
        served->run(served);
        pthread_mutex_lock(&lock);
        idle++;
        served = take_job();
        if (served == NULL)
            idle--;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static bool give_to_idle(job *given) {
    pthread_mutex_lock(&lock);
    bool have = idle > 0;
    if (have) {
        idle--;
        given->next = NULL;
        *(newest != NULL ? &newest->next : &oldest) = given;
        newest = given;
        pthread_cond_signal(&arrived);
    }
    pthread_mutex_unlock(&lock);
    return have;
}

/* The program's signals are for the program's threads. */
static bool give_to_new(job *given) {
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool running = pthread_create(&thread, NULL, serve, given) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (running)
        pthread_detach(thread);
    return running;
}

static bool give(job *given) {
    return give_to_idle(given) || give_to_new(given);
}

void lido__offload_renew(void) {
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    arrived = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    oldest = newest = NULL;
    idle = 0;
}

/* ---- Work that may be left behind ---- */

static void work_let_go(job *held) {
    if (atomic_fetch_sub(&held->holders, 1) != 1)
        return;
    if (atomic_load(&held->abandoned))
        held->wait.dispose(held->wait.argument);
    lido__waker_done(&held->done);
    free(held);
}

static void run_work(job *run) {
    run->wait.work(run->wait.argument);
    lido__waker_wake(&run->done);
    work_let_go(run);
}

static job *work_new(const lido__wait *wait) {
    job *made = malloc(sizeof *made);
    if (made == NULL)
        return NULL;
    if (!lido__waker_init(&made->done)) {
        free(made);
        return NULL;
    }
    made->run = run_work;
    made->wait = *wait;
    atomic_init(&made->holders, 2);
    atomic_init(&made->abandoned, false);
    return made;
}

lido__await_outcome lido__offload(const lido__wait *wait, int64_t deadline) {
    job *asked = work_new(wait);
    if (asked == NULL || !give(asked)) {
        wait->work(wait->argument);
        if (asked != NULL)
            lido__waker_done(&asked->done);
        free(asked);
        return LIDO__AWAIT_READY;
    }
    lido__wait until_done = {.kind = LIDO__WAIT_WAKER, .waker = &asked->done, .firm = wait->firm};
    lido__await_outcome outcome = lido__await(&until_done, deadline);
    if (outcome != LIDO__AWAIT_READY)
        atomic_store(&asked->abandoned, true);
    work_let_go(asked);
    return outcome;
}

/* ---- Calls ---- */

static void run_call(job *run) {
    run->wait.call(run->wait.argument, CALL_WORTH);
    lido__waker_wake(&run->done);
}

bool lido__offload_call(const lido__wait *wait) {
    job asked = {.run = run_call, .wait = *wait};
    if (!lido__waker_init(&asked.done))
        return false;
    bool given = give(&asked);
    lido__wait until_done = {.kind = LIDO__WAIT_WAKER, .waker = &asked.done, .firm = wait->firm};
    if (given && lido__await(&until_done, INT64_MAX) != LIDO__AWAIT_READY) {
        if (wait->interrupt != NULL)
            wait->interrupt(wait->argument);
        until_done.firm = true;
        lido__await(&until_done, INT64_MAX);
    }
    lido__waker_done(&asked.done);
    return given;
}
