/* A fair lock in memory that processes share.
 *
 * Each process that asks has a place, with the number that it drew; 0: it does not ask. The turn is whose place is
 * named in `holder`, and goes to the lowest number. Whoever has drawn its number but not yet put it in its place may be
 * overtaken by who draws next: then two wait for each other's turn in the other order, and no more than that. */
#include "backend/shared_turn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "await/await.h"
#include "base/clock.h"
#include "base/fault.h"

enum { LOOK_INTERVAL_US = 20 * 1000, KEPT_MOST_US = 5 * 1000, KEPT = 1 << 16 };

typedef struct place {
    atomic_int process; /* whose it is; 0: nobody's */
    atomic_uint_fast64_t number;
    int wakes; /* an eventfd: written when it may be this one's turn */
} place;

struct lido__shared_turn {
    size_t size; /* of the memory */
    int count;
    atomic_uint_fast64_t drawn; /* the last number */
    atomic_int holder;          /* 1 + its place; with KEPT: it is between two; 0: nobody has it */
    atomic_int_fast64_t since;  /* when that process got it; a moment of the monotonic clock, which all share */
    place places[];
};

/* ---- The parent's ---- */

static bool make_places(lido__shared_turn *turn, int processes) {
    while (turn->count < processes) {
        int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (descriptor < 0)
            return false;
        turn->places[turn->count++].wakes = descriptor;
    }
    return true;
}

lido__shared_turn *lido__shared_turn_new(int processes, lido_error *error) {
    size_t size = sizeof(lido__shared_turn) + (size_t)processes * sizeof(place);
    lido__shared_turn *turn = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (turn == MAP_FAILED) {
        lido__fault_memory(error, "sharing turns to write");
        return NULL;
    }
    turn->size = size;
    if (make_places(turn, processes))
        return turn;
    lido__fault(error, LIDO_ERROR_OTHER, "no descriptors for turns to write: error %d", errno);
    lido__fault_hint(error, "see that `ulimit -n` allows enough of them");
    lido__shared_turn_free(turn);
    return NULL;
}

void lido__shared_turn_free(lido__shared_turn *turn) {
    if (turn == NULL)
        return;
    for (int i = 0; i < turn->count; i++)
        close(turn->places[i].wakes);
    munmap(turn, turn->size);
}

/* ---- Whose turn it is ---- */

/* The place with the lowest number; -1: nobody asks. */
static int find_next(lido__shared_turn *turn) {
    uint64_t lowest = UINT64_MAX;
    int next = -1;
    for (int i = 0; i < turn->count; i++) {
        uint64_t number = atomic_load(&turn->places[i].number);
        if (number == 0 || number >= lowest)
            continue;
        lowest = number;
        next = i;
    }
    return next;
}

static void wake_next(lido__shared_turn *turn) {
    int next = find_next(turn);
    if (next >= 0)
        eventfd_write(turn->places[next].wakes, 1);
}

static bool try_to_take(lido__shared_turn *turn, int mine) {
    int nobody = 0;
    if (atomic_load(&turn->holder) != 0 || find_next(turn) != mine ||
        !atomic_compare_exchange_strong(&turn->holder, &nobody, mine + 1))
        return false;
    atomic_store(&turn->since, lido__clock_now_us());
    atomic_store(&turn->places[mine].number, 0);
    return true;
}

/* `held`: the word that is in `holder` if it has the turn. */
static void give_from(lido__shared_turn *turn, int held) {
    if (atomic_compare_exchange_strong(&turn->holder, &held, 0))
        wake_next(turn);
}

/* Who kept the turn, and then did not come back. */
static void take_back_kept(lido__shared_turn *turn) {
    int held = atomic_load(&turn->holder);
    if ((held & KEPT) != 0 && lido__clock_now_us() - atomic_load(&turn->since) > 2 * KEPT_MOST_US)
        give_from(turn, held);
}

void lido__shared_turn_forget(lido__shared_turn *turn, pid_t process) {
    for (int i = 0; i < turn->count; i++) {
        if (atomic_load(&turn->places[i].process) != process)
            continue;
        bool asked = atomic_exchange(&turn->places[i].number, 0) != 0;
        give_from(turn, i + 1);
        give_from(turn, (i + 1) | KEPT);
        atomic_store(&turn->places[i].process, 0);
        if (asked) /* it may have been woken, and not have heard it */
            wake_next(turn);
    }
}

/* ---- A worker's ---- */

/* Its own place, which it takes when it first asks; -1: all are others'. */
static int find_place(lido__shared_turn *turn) {
    int process = getpid();
    for (int i = 0; i < turn->count; i++)
        if (atomic_load(&turn->places[i].process) == process)
            return i;
    for (int i = 0; i < turn->count; i++) {
        int nobody = 0;
        if (atomic_compare_exchange_strong(&turn->places[i].process, &nobody, process))
            return i;
    }
    return -1;
}

/* Empties it first: what was written before is taken into account by the look that follows. */
static bool wait_to_be_woken(place *mine, int64_t deadline) {
    int64_t look = lido__clock_now_us() + LOOK_INTERVAL_US;
    eventfd_t count;
    lido__await_outcome outcome = lido__await_descriptor(mine->wakes, true, false, look < deadline ? look : deadline);
    if (outcome == LIDO__AWAIT_READY)
        eventfd_read(mine->wakes, &count);
    return outcome == LIDO__AWAIT_READY || outcome == LIDO__AWAIT_TIMED_OUT;
}

/* It may have been woken in vain: then the next is to be. */
static lido__turn_outcome leave(lido__shared_turn *turn, int mine) {
    atomic_store(&turn->places[mine].number, 0);
    if (atomic_load(&turn->holder) == 0)
        wake_next(turn);
    return LIDO__TURN_LATE;
}

lido__turn_outcome lido__shared_turn_take(lido__shared_turn *turn, int64_t deadline, bool (*must_stop)(void *argument),
                                          void *argument) {
    int mine = find_place(turn);
    int kept = (mine + 1) | KEPT;
    uint64_t none = 0;
    if (mine >= 0 && atomic_compare_exchange_strong(&turn->holder, &kept, mine + 1))
        return LIDO__TURN_TAKEN;
    if (mine < 0 || atomic_load(&turn->holder) == mine + 1 ||
        !atomic_compare_exchange_strong(&turn->places[mine].number, &none, atomic_fetch_add(&turn->drawn, 1) + 1))
        return LIDO__TURN_NONE;
    while (!try_to_take(turn, mine)) {
        if (must_stop(argument) || lido__clock_now_us() >= deadline || !wait_to_be_woken(&turn->places[mine], deadline))
            return leave(turn, mine);
        take_back_kept(turn);
    }
    return LIDO__TURN_TAKEN;
}

void lido__shared_turn_give(lido__shared_turn *turn, bool more) {
    int mine = find_place(turn);
    int held = mine + 1;
    if (mine < 0)
        return;
    if (more && lido__clock_now_us() - atomic_load(&turn->since) < KEPT_MOST_US)
        atomic_compare_exchange_strong(&turn->holder, &held, held | KEPT);
    else
        give_from(turn, held);
}
