/* The keeper: a thread of each pool that has connections opened ahead, lets those go that are idle too long or too old,
 * cancels what outlasts its deadline, and reports those that are held too long; so that none of it has to wait for the
 * next who takes a connection. */
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/random.h"
#include "core/pool.h"

enum {
    ROUND_MS = 1000,
    ROUND_LEAST_MS = 10,
    CANCEL_HEARD_MOST_US =
        5 * 1000 * 1000 /* how long a cancelled wait may take to end before the connection is broken */
};

/* Often enough for the shortest of the limits. */
static int64_t round_ms(const lido__config *config) {
    int64_t shortest = ROUND_MS;
    const int64_t limits[] = {config->pool_max_idle_ms, config->pool_recycle_ms, config->pool_leak_after_ms};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (limits[i] >= 0 && limits[i] / 4 < shortest)
            shortest = limits[i] / 4;
    return shortest > ROUND_LEAST_MS ? shortest : ROUND_LEAST_MS;
}

/* ---- Letting go ---- */

static bool has_had_its_time(const lido__pool *pool, const lido__connection *connection, int64_t now, int spare) {
    int64_t most = pool->config->pool_max_idle_ms;
    if (now >= connection->retire_at)
        return true;
    return spare > 0 && most >= 0 && now - connection->idle_since >= most * 1000;
}

/* Under the lock: takes out the idle connections that have had their time, leaving pool_min_size open, and puts the
 * others back as they were. The newest are looked at first, so those that stay open are the newest, too. */
static lido__connection *take_surplus(lido__pool *pool, int64_t now) {
    lido__connection *surplus = NULL;
    lido__connection *kept = NULL;
    lido__connection *next;
    int spare = pool->open - pool->config->pool_min_size;
    for (lido__connection *at = lido__places_take_all(&pool->places); at != NULL; at = next) {
        next = at->next;
        bool goes = has_had_its_time(pool, at, now, spare);
        lido__connection **to = goes ? &surplus : &kept;
        at->next = *to;
        *to = at;
        if (!goes)
            continue;
        spare--;
        lido__pool_count_recycled(pool, now >= at->retire_at);
        lido__pool_take_out(pool, at);
    }
    for (; kept != NULL; kept = next) {
        next = kept->next;
        lido__places_push(&pool->places, kept);
    }
    return surplus;
}

static void shrink(lido__pool *pool) {
    pthread_mutex_lock(&pool->lock);
    lido__connection *surplus = take_surplus(pool, lido__clock_now_us());
    pthread_mutex_unlock(&pool->lock);
    lido__pool_close_all_in_slots(pool, surplus);
}

/* ---- Opening ahead ---- */

/* On another thread, one at a time: a server that has fallen silent may keep it for as long as connect_timeout, and the
 * deadlines of others are looked after meanwhile. */
typedef struct opening {
    lido__pool *pool;
    bool begun;
    lido__waker over;
} opening;

/* Under the lock. */
static bool is_too_small(const lido__pool *pool) {
    return !pool->closed && pool->open < pool->config->pool_min_size;
}

/* A connection opened ahead goes the way of one given back. */
static bool open_one_ahead(lido__pool *pool) {
    const lido__lease lease = {.holder = pool};
    lido_error error = LIDO_ERROR_INIT;
    pthread_mutex_lock(&pool->lock);
    bool wanted = is_too_small(pool) && lido__pool_take_slot(pool);
    pthread_mutex_unlock(&pool->lock);
    lido__connection *connection = wanted ? lido__pool_open_in_slot(pool, &lease, &error) : NULL;
    if (connection != NULL)
        lido__pool_release(pool, connection);
    return connection != NULL;
}

static void open_ahead(void *argument) {
    opening *ahead = argument;
    while (open_one_ahead(ahead->pool))
        ;
    lido__waker_wake(&ahead->over);
}

/* What the work uses is the keeper's, who waits for it at his end. */
static void leave_to_keeper(void *argument) {
    (void)argument;
}

static void end_opening(opening *ahead, int64_t deadline) {
    if (!ahead->begun || lido__await_waker(&ahead->over, deadline) != LIDO__AWAIT_READY)
        return;
    lido__waker_done(&ahead->over);
    ahead->begun = false;
}

static void begin_opening(opening *ahead) {
    lido__pool *pool = ahead->pool;
    int64_t now = lido__clock_now_us();
    end_opening(ahead, now);
    pthread_mutex_lock(&pool->lock);
    bool wanted = is_too_small(pool) && lido__pool_has_room(pool) && (!pool->down || now >= pool->down_until);
    pthread_mutex_unlock(&pool->lock);
    if (ahead->begun || !wanted || !lido__waker_init(&ahead->over))
        return;
    ahead->begun = true;
    lido__await_work(open_ahead, leave_to_keeper, ahead, now);
}

/* ---- Cancelling what is late ---- */

/* Under the lock: a connection whose holder has waited for the network too long, counted as being cancelled; NULL:
 * none. *give_up: it was cancelled before, and nothing came of it. */
static lido__connection *find_late(lido__pool *pool, int64_t now, bool *give_up) {
    lido__holding holding;
    unsigned place = 0;
    for (lido__connection *at; (at = lido__places_next(&pool->places, &place)) != NULL;) {
        int64_t until = atomic_load_explicit(&at->wait_until, memory_order_acquire);
        if (now < until || lido__hold_cancels(at) > 0 || !lido__hold_read(at, &holding))
            continue;
        *give_up = until == at->given_until;
        int64_t more = now + CANCEL_HEARD_MOST_US;
        /* If the holder has stopped waiting in this moment, there is nothing to cancel. */
        if (!atomic_compare_exchange_strong(&at->wait_until, &until, more))
            continue;
        at->given_until = more;
        if (lido__hold_cancel(at, &holding))
            return at;
    }
    return NULL;
}

/* Cancels that are under way at once: a server that has fallen silent takes none of them before it takes too long, and
 * the last in a row would wait as often as there are others. */
typedef struct cancel_round {
    lido__pool *pool;
    atomic_int running; /* and one for the keeper; the last one wakes it */
    lido__waker over;
} cancel_round;

typedef struct late_cancel {
    cancel_round *round;
    lido__connection *connection;
    bool give_up;
} late_cancel;

static void one_is_over(cancel_round *round) {
    if (atomic_fetch_sub(&round->running, 1) == 1)
        lido__waker_wake(&round->over);
}

static void send_late_cancel(void *argument) {
    const late_cancel *late = argument;
    lido__pool_send_cancel(late->round->pool, late->connection, late->give_up);
    one_is_over(late->round);
}

/* Does not wait for it; without memory, or a thread to do it, it is done in place. */
static void begin_late_cancel(cancel_round *round, lido__connection *connection, bool give_up) {
    const late_cancel late = {round, connection, give_up};
    late_cancel *kept = malloc(sizeof *kept);
    atomic_fetch_add(&round->running, 1);
    if (kept == NULL) {
        send_late_cancel((void *)(uintptr_t)&late);
        return;
    }
    *kept = late;
    if (lido__await_work(send_late_cancel, free, kept, lido__clock_now_us()) == LIDO__AWAIT_READY)
        free(kept);
}

/* Cancels what has outlasted its deadline; see postgres/wire.c for who leaves that to the keeper. */
static void cancel_late(lido__pool *pool) {
    cancel_round round = {.pool = pool, .running = 1};
    bool ready = false;
    for (;;) {
        bool give_up = false;
        pthread_mutex_lock(&pool->lock);
        lido__connection *late = find_late(pool, lido__clock_now_us(), &give_up);
        pthread_mutex_unlock(&pool->lock);
        if (late == NULL)
            break;
        ready = ready || lido__waker_init(&round.over);
        if (ready)
            begin_late_cancel(&round, late, give_up);
        else
            lido__pool_send_cancel(pool, late, give_up);
    }
    if (!ready)
        return;
    one_is_over(&round);
    lido__await_waker(&round.over, LIDO__NO_DEADLINE); /* each is bounded, and the pool must outlive them */
    lido__waker_done(&round.over);
}

/* ---- The thread ---- */

static void tidy(lido__pool *pool) {
    shrink(pool);
    cancel_late(pool);
    lido__pool_tell_leaks(pool);
}

static void *keep(void *argument) {
    lido__pool *pool = argument;
    opening ahead = {.pool = pool};
    do {
        begin_opening(&ahead);
        tidy(pool);
        if (pool->beside != NULL)
            tidy(pool->beside);
        lido__metrics_publish(pool);
    } while (lido__await_waker(&pool->keeper_waker, lido__deadline_in_ms(round_ms(pool->config))) != LIDO__AWAIT_READY);
    end_opening(&ahead, LIDO__NO_DEADLINE); /* bounded by connect_timeout */
    return NULL;
}

bool lido__pool_keeper_start(lido__pool *pool) {
    sigset_t all;
    sigset_t before;
    pthread_mutex_lock(&pool->lock);
    if (!pool->keeper_runs && !pool->closed) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pool->keeper_runs = pthread_create(&pool->keeper, NULL, keep, pool) == 0; /* if not, the next opening tries */
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    bool runs = pool->keeper_runs;
    pthread_mutex_unlock(&pool->lock);
    return runs;
}

void lido__pool_keeper_stop(lido__pool *pool) {
    pthread_mutex_lock(&pool->lock);
    bool runs = pool->keeper_runs;
    pool->keeper_runs = false;
    pool->closed = true;
    pthread_mutex_unlock(&pool->lock);
    if (!runs)
        return;
    lido__waker_wake(&pool->keeper_waker);
    pthread_join(pool->keeper, NULL);
}
