/* One thread for each piece of work: it is rare, and may outlast who asked for it. */
#include "await/offload.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef struct job {
    atomic_int holders; /* the thread and the asker; the last one frees */
    atomic_bool abandoned;
    lido__waker done;
    lido__wait work;
} job;

static void job_let_go(job *held) {
    if (atomic_fetch_sub(&held->holders, 1) != 1)
        return;
    if (atomic_load(&held->abandoned))
        held->work.dispose(held->work.argument);
    lido__waker_done(&held->done);
    free(held);
}

static void *job_run(void *argument) {
    job *run = argument;
    run->work.work(run->work.argument);
    lido__waker_wake(&run->done);
    job_let_go(run);
    return NULL;
}

static job *job_new(const lido__wait *wait) {
    job *made = malloc(sizeof *made);
    if (made == NULL)
        return NULL;
    if (!lido__waker_init(&made->done)) {
        free(made);
        return NULL;
    }
    atomic_init(&made->holders, 2);
    atomic_init(&made->abandoned, false);
    made->work = *wait;
    return made;
}

/* The program's signals are for the program's threads. */
static bool job_start(job *started) {
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool running = pthread_create(&thread, NULL, job_run, started) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (running)
        pthread_detach(thread);
    return running;
}

lido__await_outcome lido__offload(const lido__wait *wait, int64_t deadline) {
    job *asked = job_new(wait);
    if (asked == NULL || !job_start(asked)) {
        wait->work(wait->argument);
        if (asked != NULL)
            lido__waker_done(&asked->done);
        free(asked);
        return LIDO__AWAIT_READY;
    }
    lido__await_outcome outcome = lido__await_waker(&asked->done, deadline);
    if (outcome != LIDO__AWAIT_READY)
        atomic_store(&asked->abandoned, true);
    job_let_go(asked);
    return outcome;
}
