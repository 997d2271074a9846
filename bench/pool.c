/* pool: a connection is taken from the pool and given back, without doing anything with it.
 *
 * By the library's internal names, for a session does more than that. The connections are real ones, to a SQLite
 * database in memory. Raw: what one would write by hand, a stack under a mutex, and a condition variable for those who
 * find it empty; it keeps no order among them. */
#include <pthread.h>
#include <stdlib.h>

#include "core/engine.h"
#include "crew.h"
#include "measures.h"

enum { CONNECTIONS = 4, THREADS = 8, BATCH = 256, WATCHED = 20000, HELD_NS = 3000 };

typedef struct stack {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    void *idle[CONNECTIONS];
    size_t count;
} stack;

typedef struct job {
    lido_engine *engine;
    stack raw;
    atomic_size_t queued;    /* of the watched: began while somebody waited */
    atomic_size_t overtaken; /* and one of those was still waiting when they had theirs */
} job;

/* ---- lido's side. ---- */

static bool take_and_give(bench_shift *shift, job *my, size_t operations) {
    lido__pool *pool = &my->engine->pool;
    const lido__lease lease = {.holder = shift, .owner = lido__await_self(), .file = __FILE__, .line = __LINE__};
    lido_error error = LIDO_ERROR_INIT; /* once, as a session has its own: it is large */
    for (size_t i = 0; i < operations; i++) {
        lido__connection *connection = lido__pool_acquire(pool, &lease, &error);
        if (connection == NULL)
            return bench_fail_lido(&shift->context, &error);
        lido__pool_release(pool, connection);
    }
    return true;
}

static bool lido_alone(void *opened, size_t operations, bench_context *context) {
    bench_shift self = {.job = opened};
    return take_and_give(&self, opened, operations) || bench_fail(context, "%s", self.context.problem);
}

static bool lido_thread(bench_shift *shift) {
    size_t taken;
    bool done = true;
    while (done && (taken = bench_shift_take(shift)) > 0)
        done = take_and_give(shift, shift->job, taken);
    return done;
}

static bool lido_together(void *opened, size_t operations, bench_context *context) {
    return bench_crew_slice(THREADS, BATCH, lido_thread, opened, operations, context, NULL);
}

/* ---- Raw. ---- */

static void *stack_pop(stack *self) {
    pthread_mutex_lock(&self->lock);
    while (self->count == 0)
        pthread_cond_wait(&self->freed, &self->lock);
    void *taken = self->idle[--self->count];
    pthread_mutex_unlock(&self->lock);
    return taken;
}

static void stack_push(stack *self, void *given) {
    pthread_mutex_lock(&self->lock);
    self->idle[self->count++] = given;
    pthread_mutex_unlock(&self->lock);
    pthread_cond_signal(&self->freed);
}

static bool raw_alone(void *opened, size_t operations, bench_context *context) {
    job *my = opened;
    (void)context;
    for (size_t i = 0; i < operations; i++)
        stack_push(&my->raw, stack_pop(&my->raw));
    return true;
}

static bool raw_thread(bench_shift *shift) {
    size_t taken;
    while ((taken = bench_shift_take(shift)) > 0)
        raw_alone(shift->job, taken, &shift->context);
    return true;
}

static bool raw_together(void *opened, size_t operations, bench_context *context) {
    return bench_crew_slice(THREADS, BATCH, raw_thread, opened, operations, context, NULL);
}

/* ---- Whether anybody is overtaken. ---- */

/* One wait of one thread: its lease's line counts its acquires. */
typedef struct waiting {
    const void *holder;
    int line;
} waiting;

/* Under the pool's lock. */
static bool still_waits(const lido__pool *pool, const waiting *who) {
    const lido__pool_waiter *at = pool->oldest;
    while (at != NULL && (at->lease.holder != who->holder || at->lease.line != who->line))
        at = at->next;
    return at != NULL;
}

static size_t look_who_waits(lido__pool *pool, waiting found[THREADS]) {
    size_t count = 0;
    pthread_mutex_lock(&pool->lock);
    for (const lido__pool_waiter *at = pool->oldest; at != NULL && count < THREADS; at = at->next)
        found[count++] = (waiting){at->lease.holder, at->lease.line};
    pthread_mutex_unlock(&pool->lock);
    return count;
}

static bool was_overtaken(lido__pool *pool, const waiting *found, size_t count) {
    bool overtaken = false;
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < count; i++)
        overtaken = overtaken || still_waits(pool, &found[i]);
    pthread_mutex_unlock(&pool->lock);
    return overtaken;
}

static void hold_a_while(void) {
    double until = bench_now_ns() + HELD_NS;
    while (bench_now_ns() < until)
        ;
}

/* Whoever waited in the queue before this one came must be out of it when this one has a connection. */
static bool watched_thread(bench_shift *shift) {
    job *my = shift->job;
    lido__pool *pool = &my->engine->pool;
    lido__lease lease = {.holder = shift, .owner = lido__await_self(), .file = __FILE__, .line = 0};
    while (bench_shift_take(shift) > 0) {
        lido_error error = LIDO_ERROR_INIT;
        waiting found[THREADS];
        size_t count = look_who_waits(pool, found);
        lease.line++;
        lido__connection *connection = lido__pool_acquire(pool, &lease, &error);
        if (connection == NULL)
            return bench_fail_lido(&shift->context, &error);
        atomic_fetch_add(&my->queued, count > 0);
        atomic_fetch_add(&my->overtaken, was_overtaken(pool, found, count));
        hold_a_while();
        lido__pool_release(pool, connection);
    }
    return true;
}

/* Apart from the slices, for looking takes the pool's lock. */
static bool watch(void *opened, bench_context *context) {
    job *my = opened;
    if (!bench_crew_slice(THREADS, 1, watched_thread, my, WATCHED, context, NULL))
        return false;
    bench_figure_add(context, "overtaken", (double)my->overtaken, BENCH_AT_MOST, 0);
    bench_figure_add(context, "came_while_others_waited", (double)my->queued / WATCHED, BENCH_FOR_INFORMATION, 0);
    return true;
}

/* ---- Making and ending the job. ---- */

static bool make(job *my, bench_context *context) {
    lido_error error = LIDO_ERROR_INIT;
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = CONNECTIONS;
    options.max_overflow = 0;
    my->engine = lido_engine_open("sqlite://", &options, &error);
    if (my->engine == NULL)
        return bench_fail_lido(context, &error);
    for (; my->raw.count < CONNECTIONS; my->raw.count++)
        my->raw.idle[my->raw.count] = &my->raw.idle[my->raw.count];
    pthread_mutex_init(&my->raw.lock, NULL);
    pthread_cond_init(&my->raw.freed, NULL);
    return true;
}

static void close_job(void *opened) {
    job *my = opened;
    lido_engine_close(my->engine);
    pthread_cond_destroy(&my->raw.freed);
    pthread_mutex_destroy(&my->raw.lock);
    free(my);
}

static void *open_job(bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    if (make(my, context))
        return my;
    free(my);
    return NULL;
}

const bench_measure bench_pool[] = {
    {.name = "pool",
     .case_name = "one",
     .unit = BENCH_NANOSECONDS,
     .most = 50,
     .open = open_job,
     .close = close_job,
     .lido = lido_alone,
     .raw = raw_alone},
    {.name = "pool",
     .case_name = "contended",
     .unit = BENCH_NANOSECONDS,
     .most = 100,
     .open = open_job,
     .close = close_job,
     .lido = lido_together,
     .raw = raw_together,
     .conclude = watch},
    {.name = NULL},
};
