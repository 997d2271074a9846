/* Attendants: what serves many tasks of a loop together, between the tasks' turns. There are few of them. */
#include "await/loop.h"
#include "base/clock.h"

lido__attendant *lido__attendant_find(const void *key, bool *in_task) {
    *in_task = lido__here_now.task != NULL;
    lido__attendant *at = *in_task ? lido__here_now.task->loop->attendants : NULL;
    while (at != NULL && at->key != key)
        at = at->next;
    return at;
}

void lido__attendant_join(lido__attendant *joins) {
    lido_loop *loop = lido__here_now.task->loop;
    lido__loop_hold(loop);
    joins->loop = loop;
    joins->due = false;
    joins->moment = LIDO__NO_DEADLINE;
    atomic_init(&joins->wanted, false);
    joins->next = loop->attendants;
    loop->attendants = joins;
}

void lido__attendant_leave(lido__attendant *leaves) {
    lido_loop *loop = leaves->loop;
    lido__attendant **link = &loop->attendants;
    while (*link != leaves)
        link = &(*link)->next;
    *link = leaves->next;
    if (loop->attended == leaves)
        loop->attended = NULL;
    if (loop->attended_next == leaves)
        loop->attended_next = leaves->next;
    lido__loop_let_go(loop);
}

void lido__attendant_call(lido__attendant *called) {
    atomic_store(&called->wanted, true);
    lido__loop_signal(called->loop);
}

bool lido__attendant_is_near(const lido__attendant *asked) {
    return lido__loop_is_mine(asked->loop);
}

bool lido__lookout_set(lido__attendant *of, lido__lookout *lookout, int descriptor, bool write) {
    return lido__poller_look_out(of->loop, lookout, descriptor, write);
}

/* ---- The loop's side: who is called may leave, and by the tasks that he lets run, any other may ---- */

static lido__attendant *attend(lido_loop *loop, lido__attendant *at) {
    loop->attended = at;
    loop->attended_next = at != NULL ? at->next : NULL;
    return at;
}

void lido__attendants_hear(lido_loop *loop) {
    int64_t now = lido__attendants_moment(loop) != LIDO__NO_DEADLINE ? lido__clock_now_us() : 0;
    lido__attendant *at = attend(loop, loop->attendants);
    for (; at != NULL; at = attend(loop, loop->attended_next)) {
        bool late = at->moment <= now;
        bool wanted = atomic_load_explicit(&at->wanted, memory_order_relaxed) && atomic_exchange(&at->wanted, false);
        if (late) {
            at->moment = LIDO__NO_DEADLINE;
            at->late(at);
        }
        if (wanted && loop->attended == at)
            at->called(at);
    }
}

void lido__attendants_end_turn(lido_loop *loop) {
    lido__attendant *at = attend(loop, loop->attendants);
    for (; at != NULL; at = attend(loop, loop->attended_next)) {
        if (!at->due)
            continue;
        at->due = false;
        at->turn_ends(at);
    }
}

void lido__attendants_end(lido_loop *loop) {
    while (loop->attendants != NULL)
        loop->attendants->loop_ends(loop->attendants);
}

int64_t lido__attendants_moment(const lido_loop *loop) {
    int64_t earliest = LIDO__NO_DEADLINE;
    for (const lido__attendant *at = loop->attendants; at != NULL; at = at->next)
        if (at->moment < earliest)
            earliest = at->moment;
    return earliest;
}
