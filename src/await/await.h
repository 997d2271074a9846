/* The seam: everything that waits, waits here.
 *
 * A caller says what it waits for and until when. On a plain thread lido__await blocks the thread; in a task it parks
 * the task, and the loop's thread goes on with others. Nothing else in the library knows which of the two it is, so
 * the same code serves wherever it is run. No lock may be held, and nothing read from thread-local storage kept,
 * across a call of lido__await; errno survives it.
 *
 * A task can be cancelled, and can have a deadline of its own: then its waits end with that outcome, at once, now and
 * later, until it ends. What must wait all the same, to clean up, is *firm*. */
#ifndef LIDO_AWAIT_AWAIT_H
#define LIDO_AWAIT_AWAIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <lido/error.h>

#include "await/here.h"

struct lido_task;

typedef enum lido__await_outcome {
    LIDO__AWAIT_READY,
    LIDO__AWAIT_TIMED_OUT, /* the deadline passed first, this one or the task's */
    LIDO__AWAIT_FAILED,    /* the descriptor is not one */
    LIDO__AWAIT_CANCELLED, /* the task was cancelled */
    LIDO__AWAIT_REFUSED    /* this is a loop's thread outside any task: the whole loop would wait */
} lido__await_outcome;

/* What one waits for that another holder of it will wake. Woken once, it stays woken until lido__waker_init. */
typedef struct lido__waker {
    pthread_mutex_t lock;
    pthread_cond_t condition;
    bool woken;
    struct lido_task *task; /* who waits; NULL: a thread, or nobody */
} lido__waker;

bool lido__waker_init(lido__waker *waker);
void lido__waker_done(lido__waker *waker);
/* From any thread. The waiter may be gone as soon as this has returned, not before. */
void lido__waker_wake(lido__waker *waker);

/* The same among what runs on one loop's thread, so that it needs no lock: for a task, which another or an attendant
 * will wake. */
typedef struct lido__near {
    struct lido_task *task;
    bool woken;
} lido__near;

/* For the task that runs, which is to be the one that waits. */
void lido__near_init(lido__near *near);
/* On its loop's thread. Outside all tasks the one that waits runs at once, until it waits again or ends: what it was
 * woken for is still at hand. */
void lido__near_wake(lido__near *near);
/* From any thread, while it is sure to be there: its task looks about, whether it was woken or not. */
void lido__near_interrupt(lido__near *near);

typedef enum lido__wait_kind {
    LIDO__WAIT_DESCRIPTOR, /* until it can be read or written, as asked, or is broken */
    LIDO__WAIT_MOMENT,     /* until the deadline: the outcome is TIMED_OUT */
    LIDO__WAIT_WAKER,      /* until it is woken */
    LIDO__WAIT_NEAR,       /* until it is woken, or interrupted; in a task alone */
    LIDO__WAIT_WORK,       /* until `work(argument)` has returned */
    LIDO__WAIT_CALL        /* until `call(argument, worth)` has returned, however long that takes */
} lido__wait_kind;

/* What a loop remembers of a descriptor between two waits for it, at home with who owns the descriptor. Zero at
 * first. For one that stays the same, and open, as long as this does. */
typedef struct lido__watch {
    uint64_t loop;
} lido__watch;

/* What is remembered between two waits for answers of the same other side, of whether it pays to look again before
 * falling asleep; at home with who owns the descriptor. Zero at first, but for `most_us`. Threads alone make use of
 * it: a task that waits is in nobody's way. */
typedef struct lido__spin {
    int32_t most_us;   /* how long to look at most; 0: not at all. The owner's; the rest is spin.c's */
    int32_t rest;      /* how many waits are still to sleep before it looks again */
    int32_t last_rest; /* how many they were the last time; 0: looking has paid */
    int32_t credit;
    int32_t hits;
    int64_t slept_us; /* how long answers took when it slept, and when it looked; averages */
    int64_t looked_us;
} lido__spin;

typedef struct lido__wait {
    lido__wait_kind kind;
    int descriptor;
    bool read;
    bool write;
    bool firm;                    /* neither being cancelled nor the task's deadline ends it; this one's does */
    bool in_place;                /* the call is short, and not worth another thread */
    lido__watch *watch;           /* the descriptor's; NULL: it has none */
    lido__spin *spin;             /* a descriptor's that is only read; NULL: never look again before sleeping */
    bool (*look)(void *argument); /* with it: whether what is waited for has come, and may then be
                                     taken; does not wait. NULL: the descriptor
                                     is looked at */
    lido__waker *waker;
    lido__near *near;
    void (*work)(void *argument);
    void (*dispose)(void *argument); /* called when work that was not waited for any longer has returned */
    void (*call)(void *argument, int worth);
    void (*interrupt)(void *argument);
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

/* Whether this is a thread that may wait as it likes: in no task, and with no loop. Then what follows costs a look. */
static inline bool lido__await_is_plain(void) {
    return lido__here_now.task == NULL && lido__here_now.loops == 0;
}

/* The same where nobody has asked yet. */
uint64_t lido__await_self_first(void);
/* Who is running: a number that no other thread or task has had, in this process or in those it was forked from.
 * Sessions belong to it. */
static inline uint64_t lido__await_self(void) {
    return lido__here_now.self != 0 ? lido__here_now.self : lido__await_self_first();
}
/* In the child after a fork: the thread that forked is somebody else from here on. */
void lido__await_self_renew(void);

/* Whether anything may be waited for here. If not, says why in *error: the task was cancelled, its deadline has
 * passed, or this is a loop's thread outside any task. To be asked before something is begun that would have to be
 * waited for, and after a wait that ended otherwise than it should. */
bool lido__await_may_wait_here(lido_error *error);
static inline bool lido__await_may_wait(lido_error *error) {
    return lido__await_is_plain() || lido__await_may_wait_here(error);
}

/* The deadline that holds here: this, or the task's if that comes first. */
int64_t lido__await_deadline_here(int64_t deadline);
static inline int64_t lido__await_deadline(int64_t deadline) {
    return lido__here_now.task == NULL ? deadline : lido__await_deadline_here(deadline);
}

/* From here to the end, all waits are firm. They nest. */
void lido__await_firm_begin(void);
void lido__await_firm_end(void);

/* In the middle of work that takes long: lets others run, where there are any. READY: go on. */
lido__await_outcome lido__await_yield(void);

/* ---- What serves many tasks of one loop together ---- */

/* It works on the loop's thread, outside all tasks: nothing in its functions may wait. */
typedef struct lido__attendant {
    const void *key;                               /* what it is found by */
    void (*turn_ends)(struct lido__attendant *of); /* it was `due`, and every task that could run has run */
    void (*late)(struct lido__attendant *of);      /* its moment has come; that is LIDO__NO_DEADLINE by then */
    void (*called)(struct lido__attendant *of);    /* lido__attendant_call has */
    void (*loop_ends)(struct lido__attendant *of); /* no task is left; must call lido__attendant_leave */
    bool due;                                      /* its own to set, on the loop's thread; false again by then */
    int64_t moment;                                /* the same; LIDO__NO_DEADLINE: none */
    atomic_bool wanted;                            /* from here on await's */
    struct lido_loop *loop;
    struct lido__attendant *next;
} lido__attendant;

/* The attendant of that key of the running task's loop. NULL, with *in_task false on a thread: there is none. */
lido__attendant *lido__attendant_find(const void *key, bool *in_task);
/* Joins the running task's loop; in a task alone. */
void lido__attendant_join(lido__attendant *joins);
/* On the loop's thread. */
void lido__attendant_leave(lido__attendant *leaves);
/* From any thread, while it is sure to be there: `called` is called soon. */
void lido__attendant_call(lido__attendant *called);
/* Whether the calling thread is its loop's. */
bool lido__attendant_is_near(const lido__attendant *asked);

/* A descriptor that an attendant looks at. */
typedef struct lido__lookout {
    void (*ready)(struct lido__lookout *of); /* it can be read, or written if that was asked, or is broken */
} lido__lookout;

/* On the loop's thread: from now on, until unset, while the descriptor is open. False: no memory. */
bool lido__lookout_set(lido__attendant *of, lido__lookout *lookout, int descriptor, bool write);
void lido__lookout_unset(lido__attendant *of, int descriptor);

/* Something that must not be left open when its task ends; on a thread nothing ends. `leave` is called in the task,
 * and must close it, which calls lido__await_let_go. */
typedef struct lido__held {
    struct lido__held *next;
    struct lido__held **link; /* what points to it; NULL: nothing */
    void (*leave)(struct lido__held *held);
} lido__held;

void lido__await_hold(lido__held *held, void (*leave)(lido__held *held));
void lido__await_let_go(lido__held *held);

/* ---- For await's own files: a task is about to wait for the waker. False: it is woken already. ---- */
bool lido__waker_expect(lido__waker *waker, struct lido_task *task);
/* It does so no longer. True: it has been woken meanwhile. */
bool lido__waker_expect_no_more(lido__waker *waker);

static inline lido__await_outcome lido__await_descriptor(int descriptor, bool read, bool write, int64_t deadline) {
    return lido__await(
        &(lido__wait){.kind = LIDO__WAIT_DESCRIPTOR, .descriptor = descriptor, .read = read, .write = write}, deadline);
}

/* TIMED_OUT is how it should end. */
static inline lido__await_outcome lido__await_moment(int64_t moment) {
    return lido__await(&(lido__wait){.kind = LIDO__WAIT_MOMENT}, moment);
}

static inline lido__await_outcome lido__await_waker(lido__waker *waker, int64_t deadline) {
    return lido__await(&(lido__wait){.kind = LIDO__WAIT_WAKER, .waker = waker}, deadline);
}

/* Work that takes its own time, and is waited for to its end: in place on a thread, in a task on another thread, or
 * in place, on a roomy stack, if it is known to be short. `worth`: how much it pays to do in one call, 1 where the
 * call costs nothing. `interrupt`: called if the task is cancelled meanwhile, or its deadline passes, in another
 * thread than the work; it should make the work return soon. Any other outcome than READY: it was not begun. */
static inline lido__await_outcome lido__await_call(void (*call)(void *argument, int worth),
                                                   void (*interrupt)(void *argument), void *argument, bool in_place) {
    if (lido__await_is_plain()) {
        call(argument, 1);
        return LIDO__AWAIT_READY;
    }
    return lido__await(
        &(lido__wait){
            .kind = LIDO__WAIT_CALL, .call = call, .interrupt = interrupt, .argument = argument, .in_place = in_place},
        INT64_MAX);
}

/* After any other outcome than READY, `argument` belongs to the work, and `dispose` frees it. Done on another thread
 * everywhere, so that it can be left behind. */
static inline lido__await_outcome lido__await_work(void (*work)(void *argument), void (*dispose)(void *argument),
                                                   void *argument, int64_t deadline) {
    return lido__await(&(lido__wait){.kind = LIDO__WAIT_WORK, .work = work, .dispose = dispose, .argument = argument},
                       deadline);
}

#endif
