/* When a thread looks again, and when it sleeps.
 *
 * Falling asleep and being woken takes tens of microseconds where the answer comes from another processor, and next to
 * nothing where it comes from this one, which looking would only keep from running. Which of the two it is, nobody
 * tells: the answers' own times do. So each spin first measures some sleeps, then tries to look, and compares. What has
 * come within its time is a hit; a spin that misses more than it may sleeps for a while, twice as long each time, and
 * so does one whose hits take about as long as sleeping did. A wait that only sleeps costs two additions and reads no
 * clock.
 *
 * A hit says nothing of what others could have done on this processor meanwhile. So nobody looks when more threads of
 * this process wait than half of the processors that it may use: these have other work then, be it the server's. */
#include "await/spin.h"

#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/processors.h"

enum {
    SLEEPS_MEASURED = 8,   /* before it looks */
    HITS_TO_JUDGE = 8,     /* of looking, before it is compared with sleeping */
    HITS_BETWEEN = 2048,   /* before sleeping is measured anew */
    REST_FIRST = 64,       /* sleeps after looking did not pay, */
    REST_MOST = 64 * 1024, /* and at last */
    MISS_COSTS = 4,        /* hits; so four of five must be hits in the long run */
    CREDIT_MOST = 16,
    SMOOTHING = 4,        /* an average moves by this part of what is new */
    SLEEP_COUNTS_MOST = 8 /* times most_us: a statement that takes long says little about waking up */
};

static atomic_int waiting;
static atomic_int processors;

void lido__spin_renew(void) {
    atomic_store_explicit(&waiting, 0, memory_order_relaxed);
}

void lido__spin_replace_processors(int count) {
    atomic_store_explicit(&processors, count, memory_order_relaxed);
}

static int processor_count(void) {
    int count = atomic_load_explicit(&processors, memory_order_relaxed);
    if (count > 0)
        return count;
    count = lido__processors_count();
    if (count == 1 && sysconf(_SC_NPROCESSORS_ONLN) > 1)
        count = 2; /* pinned to one of several: who answers may have another, and whether looking pays is measured */
    atomic_store_explicit(&processors, count, memory_order_relaxed);
    return count;
}

static void average(int64_t *of, int64_t us) {
    *of = *of == 0 ? us : *of + (us - *of) / SMOOTHING;
}

/* It sleeps for `waits` from now on; the last of them are measured. */
static void rest(lido__spin *spin, int32_t waits) {
    spin->rest = waits;
    spin->hits = 0;
    spin->credit = 0;
}

static void rest_longer(lido__spin *spin) {
    int32_t waits = spin->last_rest < REST_FIRST ? REST_FIRST : spin->last_rest * 2;
    spin->last_rest = waits < REST_MOST ? waits : REST_MOST;
    rest(spin, spin->last_rest);
}

static void note_hit(lido__spin *spin, int64_t us) {
    average(&spin->looked_us, us);
    spin->credit += spin->credit < CREDIT_MOST;
    spin->hits++;
    if (spin->hits != HITS_TO_JUDGE && spin->hits < HITS_BETWEEN)
        return;
    if (spin->looked_us * 4 >= spin->slept_us * 3) {
        rest_longer(spin);
    } else if (spin->hits >= HITS_BETWEEN) {
        spin->last_rest = 0;
        rest(spin, SLEEPS_MEASURED);
    }
}

static void note_miss(lido__spin *spin) {
    spin->credit -= MISS_COSTS;
    if (spin->credit < 0)
        rest_longer(spin);
}

static bool has_come(const lido__wait *wait) {
    if (wait->look != NULL)
        return wait->look(wait->argument);
    struct pollfd poll_on = {.fd = wait->descriptor, .events = POLLIN};
    return poll(&poll_on, 1, 0) > 0;
}

/* Whether it came. If it took longer than it may, though no look does, the processor was somebody else's meanwhile. */
static bool look(const lido__wait *wait) {
    lido__spin *spin = wait->spin;
    int64_t began = lido__clock_now_us();
    int64_t us;
    bool came;
    do {
        lido__await_pause();
        came = has_come(wait);
        us = lido__clock_now_us() - began;
    } while (!came && us < spin->most_us);
    if (came && us <= spin->most_us)
        note_hit(spin, us);
    else
        note_miss(spin);
    return came;
}

static lido__await_outcome sleep_measured(const lido__wait *wait, int64_t deadline, lido__spin_sleep *sleep) {
    int64_t began = lido__clock_now_us();
    lido__await_outcome outcome = sleep(wait, deadline);
    int64_t us = lido__clock_now_us() - began;
    int64_t most = (int64_t)wait->spin->most_us * SLEEP_COUNTS_MOST;
    average(&wait->spin->slept_us, us < most ? us : most);
    return outcome;
}

static lido__await_outcome wait_alone(const lido__wait *wait, int64_t deadline, lido__spin_sleep *sleep) {
    lido__spin *spin = wait->spin;
    if (spin->slept_us == 0 && spin->rest == 0)
        rest(spin, SLEEPS_MEASURED);
    if (spin->rest == 0)
        return look(wait) ? LIDO__AWAIT_READY : sleep(wait, deadline);
    if (spin->rest-- <= SLEEPS_MEASURED)
        return sleep_measured(wait, deadline, sleep);
    return sleep(wait, deadline);
}

lido__await_outcome lido__spin_or_sleep(const lido__wait *wait, int64_t deadline, lido__spin_sleep *sleep) {
    int with_us = atomic_fetch_add_explicit(&waiting, 1, memory_order_relaxed) + 1;
    bool crowded = with_us * 2 > processor_count();
    lido__await_outcome outcome = crowded ? sleep(wait, deadline) : wait_alone(wait, deadline, sleep);
    atomic_fetch_sub_explicit(&waiting, 1, memory_order_relaxed);
    return outcome;
}
