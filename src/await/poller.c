/* Descriptors of a loop's tasks, in an epoll instance of lido's own.
 *
 * Of its own, rather than in the host loop's, because a descriptor may then be left watched between two waits, which
 * saves two system calls for each: whoever closes it, in whichever thread, takes it out of epoll by that, and
 * nobody's watcher is left behind for the next descriptor of that number. What such a descriptor still tells while
 * nobody waits for it takes it out, too. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "await/loop.h"

enum { EVENTS_AT_ONCE = 128, SLOTS_FIRST = 64 };

/* What the loop's own wake-up is called among the descriptors' numbers. */
#define WAKE_UP UINT64_MAX

bool lido__poller_init(lido__poller *poller, int wake_descriptor) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAKE_UP};
    poller->epoll = epoll_create1(EPOLL_CLOEXEC);
    return poller->epoll >= 0 && epoll_ctl(poller->epoll, EPOLL_CTL_ADD, wake_descriptor, &event) == 0;
}

void lido__poller_done(lido__poller *poller) {
    if (poller->epoll >= 0)
        close(poller->epoll);
    free(poller->slots);
}

static bool reserve_slot(lido__poller *poller, size_t index) {
    if (index < poller->slot_count)
        return true;
    size_t count = poller->slot_count > 0 ? poller->slot_count : SLOTS_FIRST;
    while (count <= index)
        count *= 2;
    lido__poll_slot *slots = realloc(poller->slots, count * sizeof *slots);
    if (slots == NULL)
        return false;
    memset(slots + poller->slot_count, 0, (count - poller->slot_count) * sizeof *slots);
    poller->slots = slots;
    poller->slot_count = count;
    return true;
}

/* Whether epoll knows of it depends on who closed what since: tried one way, then the other. */
static bool arm(lido__poller *poller, int descriptor, unsigned events) {
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)descriptor};
    if (epoll_ctl(poller->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0)
        return true;
    return errno == EEXIST && epoll_ctl(poller->epoll, EPOLL_CTL_MOD, descriptor, &event) == 0;
}

static void disarm(lido__poller *poller, int descriptor) {
    struct epoll_event unused = {.events = 0};
    epoll_ctl(poller->epoll, EPOLL_CTL_DEL, descriptor, &unused); /* it may have been closed meanwhile */
    poller->slots[descriptor].armed = 0;
}

bool lido__poller_watch(lido_loop *loop, lido_task *task, const lido__wait *wait, bool *always) {
    lido__poller *poller = &loop->poller;
    unsigned events = (wait->read ? (unsigned)EPOLLIN : 0) | (wait->write ? (unsigned)EPOLLOUT : 0);
    *always = false;
    if (wait->descriptor < 0 || !reserve_slot(poller, (size_t)wait->descriptor))
        return false;
    lido__poll_slot *slot = &poller->slots[wait->descriptor];
    bool known = wait->watch != NULL && wait->watch->loop == loop->number && slot->armed == events;
    if (slot->waiter != NULL || slot->lookout != NULL)
        return false;
    if (!known && !arm(poller, wait->descriptor, events)) {
        *always = errno == EPERM; /* a file */
        return *always;
    }
    slot->armed = events;
    slot->waiter = task;
    if (wait->watch != NULL)
        wait->watch->loop = loop->number;
    return true;
}

bool lido__poller_look_out(lido_loop *loop, lido__lookout *lookout, int descriptor, bool write) {
    lido__poller *poller = &loop->poller;
    unsigned events = (unsigned)EPOLLIN | (write ? (unsigned)EPOLLOUT : 0);
    if (descriptor < 0 || !reserve_slot(poller, (size_t)descriptor))
        return false;
    lido__poll_slot *slot = &poller->slots[descriptor];
    if ((slot->lookout == NULL || slot->armed != events) && !arm(poller, descriptor, events))
        return false;
    slot->armed = events;
    slot->lookout = lookout;
    return true;
}

void lido__lookout_unset(lido__attendant *of, int descriptor) {
    lido__poller *poller = &of->loop->poller;
    if (descriptor < 0 || (size_t)descriptor >= poller->slot_count || poller->slots[descriptor].lookout == NULL)
        return;
    poller->slots[descriptor].lookout = NULL;
    disarm(poller, descriptor);
}

void lido__poller_unwatch(lido_loop *loop, const lido__wait *wait) {
    loop->poller.slots[wait->descriptor].waiter = NULL;
    if (wait->watch == NULL)
        disarm(&loop->poller, wait->descriptor);
}

static void clear_wake_up(lido_loop *loop) {
    uint64_t count;
    ssize_t got = read(loop->wake_descriptor, &count, sizeof count);
    (void)got; /* EAGAIN: somebody else did */
    atomic_store(&loop->signalled, false);
}

int lido__poller_look(lido_loop *loop, int ms) {
    struct epoll_event events[EVENTS_AT_ONCE];
    int count = epoll_wait(loop->poller.epoll, events, EVENTS_AT_ONCE, ms);
    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == WAKE_UP) {
            clear_wake_up(loop);
            continue;
        }
        int descriptor = (int)events[i].data.u64;
        const lido__poll_slot *slot = &loop->poller.slots[descriptor];
        if (slot->waiter != NULL)
            lido__loop_make_ready(slot->waiter, LIDO__AWAIT_READY);
        else if (slot->lookout != NULL)
            slot->lookout->ready(slot->lookout);
        else
            disarm(&loop->poller, descriptor);
    }
    return count;
}
