/* The threads of crew.h. */
#include "crew.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

struct bench_crew {
    bench_crew_run *run;
    size_t batch;
    atomic_size_t given; /* operations; more than there are once nothing is left */
    size_t operations;
    atomic_bool over; /* a thread has found nothing left */
    double ended_ns;  /* when; by that thread */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t ready;
    bool begun;
};

double bench_now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* ---- By the threads. ---- */

static void say_ready(bench_shift *shift, bool wait) {
    bench_crew *crew = shift->crew;
    shift->ready = true;
    pthread_mutex_lock(&crew->lock);
    crew->ready++;
    pthread_cond_broadcast(&crew->changed);
    while (wait && !crew->begun)
        pthread_cond_wait(&crew->changed, &crew->lock);
    pthread_mutex_unlock(&crew->lock);
}

size_t bench_shift_take(bench_shift *shift) {
    bench_crew *crew = shift->crew;
    if (!shift->ready)
        say_ready(shift, true);
    size_t before = atomic_fetch_add_explicit(&crew->given, crew->batch, memory_order_relaxed);
    if (before >= crew->operations) {
        double now = bench_now_ns();
        if (!atomic_exchange(&crew->over, true))
            crew->ended_ns = now;
        return 0;
    }
    size_t left = crew->operations - before;
    size_t taken = left < crew->batch ? left : crew->batch;
    shift->done += taken;
    return taken;
}

static void *work(void *argument) {
    bench_shift *shift = argument;
    bool done = shift->crew->run(shift);
    if (!shift->ready)
        say_ready(shift, false);
    if (!done && shift->context.problem[0] == '\0')
        bench_fail(&shift->context, "thread %zu gave up", shift->thread);
    return NULL;
}

/* ---- By who has them. ---- */

/* Lets the threads begin. When that was. */
static double begin(bench_crew *crew, size_t threads) {
    pthread_mutex_lock(&crew->lock);
    while (crew->ready < threads)
        pthread_cond_wait(&crew->changed, &crew->lock);
    crew->begun = true;
    double now = bench_now_ns();
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
    return now;
}

static bool judge(const bench_shift *shifts, size_t threads, bench_context *context) {
    for (size_t i = 0; i < threads; i++)
        if (shifts[i].context.problem[0] != '\0')
            return bench_fail(context, "%s", shifts[i].context.problem);
    return true;
}

static bool run_threads(bench_crew *crew, bench_shift *shifts, size_t threads, bench_context *context) {
    pthread_t started[BENCH_CREW_MOST];
    size_t count = 0;
    while (count < threads && pthread_create(&started[count], NULL, work, &shifts[count]) == 0)
        count++;
    if (count < threads)
        atomic_store(&crew->given, crew->operations);
    double began = begin(crew, count);
    for (size_t i = 0; i < count; i++)
        pthread_join(started[i], NULL);
    context->figure_ns = (crew->ended_ns - began) / (double)crew->operations;
    if (count < threads)
        return bench_fail(context, "no more than %zu threads could be started", count);
    return judge(shifts, threads, context);
}

bool bench_crew_slice(size_t threads, size_t batch, bench_crew_run *run, void *job, size_t operations,
                      bench_context *context, bench_shift *shifts) {
    bench_crew crew = {.run = run, .batch = batch, .operations = operations};
    bench_shift own[BENCH_CREW_MOST];
    if (shifts == NULL)
        shifts = own;
    for (size_t i = 0; i < threads; i++)
        shifts[i] = (bench_shift){.job = job, .thread = i, .context = {.counts = context->counts}, .crew = &crew};
    if (pthread_mutex_init(&crew.lock, NULL) != 0)
        return bench_fail(context, "out of memory");
    if (pthread_cond_init(&crew.changed, NULL) != 0) {
        pthread_mutex_destroy(&crew.lock);
        return bench_fail(context, "out of memory");
    }
    bool done = run_threads(&crew, shifts, threads, context);
    pthread_cond_destroy(&crew.changed);
    pthread_mutex_destroy(&crew.lock);
    return done;
}
