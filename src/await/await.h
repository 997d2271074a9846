/* The seam: everything that waits, waits here.
 *
 * A caller says what it waits for and until when. On a plain thread lido__await blocks the thread. Nothing
 * else in the library knows how waiting is done, so the same code serves wherever it is run.
 * No lock may be held, and no pointer to thread-local storage kept, across a call of lido__await. */
#ifndef LIDO_AWAIT_AWAIT_H
#define LIDO_AWAIT_AWAIT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum lido__await_outcome {
    LIDO__AWAIT_READY,
    LIDO__AWAIT_TIMED_OUT, /* the deadline passed first */
    LIDO__AWAIT_FAILED     /* the descriptor is not one */
} lido__await_outcome;

/* What one waits for that another holder of it will wake. Woken once, it stays woken until lido__waker_init. */
typedef struct lido__waker {
    pthread_mutex_t lock;
    pthread_cond_t condition;
    bool woken;
} lido__waker;

bool lido__waker_init(lido__waker *waker);
void lido__waker_done(lido__waker *waker);
/* From any thread. The waiter may be gone as soon as this has returned, not before. */
void lido__waker_wake(lido__waker *waker);

typedef enum lido__wait_kind {
    LIDO__WAIT_DESCRIPTOR, /* until it can be read or written, as asked, or is broken */
    LIDO__WAIT_MOMENT,     /* until the deadline: the outcome is TIMED_OUT */
    LIDO__WAIT_WAKER,      /* until it is woken */
    LIDO__WAIT_WORK        /* until `work(argument)` has returned */
} lido__wait_kind;

typedef struct lido__wait {
    lido__wait_kind kind;
    int descriptor;
    bool read;
    bool write;
    lido__waker *waker;
    void (*work)(void *argument);
    void (*dispose)(void *argument); /* called when work that was not waited for any longer has returned */
    void *argument;
} lido__wait;

/* Waits. `deadline`: a moment of lido__clock_now_us, or LIDO__NO_DEADLINE. */
lido__await_outcome lido__await(const lido__wait *wait, int64_t deadline);

/* For a loop that looks again and again, a few times: lets the processor's other half go first. */
static inline void lido__await_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Who is running: a number that no other thread has had, in this process or in those it was forked from. Sessions
 * belong to it. */
uint64_t lido__await_self(void);
/* In the child after a fork: the thread that forked is somebody else from here on. */
void lido__await_self_renew(void);

static inline lido__await_outcome lido__await_descriptor(int descriptor, bool read, bool write, int64_t deadline) {
    return lido__await(
        &(lido__wait){.kind = LIDO__WAIT_DESCRIPTOR, .descriptor = descriptor, .read = read, .write = write}, deadline);
}

static inline void lido__await_moment(int64_t moment) {
    lido__await(&(lido__wait){.kind = LIDO__WAIT_MOMENT}, moment);
}

static inline lido__await_outcome lido__await_waker(lido__waker *waker, int64_t deadline) {
    return lido__await(&(lido__wait){.kind = LIDO__WAIT_WAKER, .waker = waker}, deadline);
}

/* After TIMED_OUT, `argument` belongs to the work, and `dispose` frees it. */
static inline lido__await_outcome lido__await_work(void (*work)(void *argument), void (*dispose)(void *argument),
                                                   void *argument, int64_t deadline) {
    return lido__await(&(lido__wait){.kind = LIDO__WAIT_WORK, .work = work, .dispose = dispose, .argument = argument},
                       deadline);
}

#endif
