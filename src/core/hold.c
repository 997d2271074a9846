/* The word of hold.h and what stands beside it. */
#include "core/hold.h"

#include "base/clock.h"

enum { HELD = 1, RUNNING = 2, ANSWERING = 4, CANCEL = 8, TIME = 1 << 16, LOOK_AGAIN_US = 200 };

/* Firm: who is cancelled by others has to wait until they are through, or they would hit what comes. */
static void look_again_soon(void) {
    lido__await(&(lido__wait){.kind = LIDO__WAIT_MOMENT, .firm = true}, lido__clock_now_us() + LOOK_AGAIN_US);
}

static unsigned cancels_in(uint64_t hold) {
    return (unsigned)(hold % TIME / CANCEL);
}

/* The name is written before the word says that it is held. Each part is released and acquired by itself: who reads one
 * of the next holder's sees in the word, which he reads after it, that the time before is over. */
void lido__hold_begin(lido__connection *connection, const lido__lease *lease) {
    lido__holder *holder = &connection->holder;
    uint64_t times = atomic_load_explicit(&connection->hold, memory_order_relaxed) / TIME + 1;
    atomic_store_explicit(&holder->session, lease->holder, memory_order_release);
    atomic_store_explicit(&holder->owner, lease->owner, memory_order_release);
    atomic_store_explicit(&holder->file, lease->file, memory_order_release);
    atomic_store_explicit(&holder->line, lease->line, memory_order_release);
    atomic_store_explicit(&holder->since, lido__clock_recent_us(), memory_order_release);
    atomic_store_explicit(&connection->last_sql, NULL, memory_order_release);
    atomic_store_explicit(&connection->stop, false, memory_order_relaxed);
    atomic_store_explicit(&connection->hold, times * TIME + HELD + RUNNING, memory_order_release);
}

bool lido__hold_end(lido__connection *connection) {
    uint64_t hold = atomic_load_explicit(&connection->hold, memory_order_relaxed);
    return cancels_in(hold) == 0 && atomic_compare_exchange_strong(&connection->hold, &hold, hold / TIME * TIME);
}

unsigned lido__hold_end_anyway(lido__connection *connection) {
    return cancels_in(atomic_fetch_and(&connection->hold, ~(uint64_t)(HELD + RUNNING + ANSWERING)));
}

void lido__hold_pause(lido__connection *connection) {
    atomic_fetch_and(&connection->hold, ~(uint64_t)(RUNNING + ANSWERING));
}

void lido__hold_answers(lido__connection *connection) {
    atomic_fetch_or(&connection->hold, ANSWERING);
}

void lido__hold_rest_until(lido__connection *connection, int64_t deadline) {
    lido__hold_pause(connection);
    while (cancels_in(atomic_load(&connection->hold)) > 0 && lido__clock_now_us() < deadline)
        look_again_soon();
}

bool lido__hold_rest(lido__connection *connection) {
    lido__hold_pause(connection);
    while (cancels_in(atomic_load(&connection->hold)) > 0)
        look_again_soon();
    return atomic_exchange_explicit(&connection->stop, false, memory_order_relaxed);
}

void lido__hold_go_on(lido__connection *connection) {
    uint64_t hold = atomic_load_explicit(&connection->hold, memory_order_relaxed);
    if ((hold & RUNNING) != 0)
        return;
    while (cancels_in(hold) > 0) {
        look_again_soon();
        hold = atomic_load(&connection->hold);
    }
    /* What was told to stop has stopped, and nobody can tell anything to until it runs again: nor does anybody change
     * the word, so it is simply written. */
    atomic_store_explicit(&connection->stop, false, memory_order_relaxed);
    atomic_store_explicit(&connection->hold, hold | RUNNING, memory_order_release);
}

static void read_holder(const lido__connection *connection, lido__holding *holding) {
    const lido__holder *holder = &connection->holder;
    holding->lease.holder = atomic_load_explicit(&holder->session, memory_order_acquire);
    holding->lease.owner = atomic_load_explicit(&holder->owner, memory_order_acquire);
    holding->lease.file = atomic_load_explicit(&holder->file, memory_order_acquire);
    holding->lease.line = atomic_load_explicit(&holder->line, memory_order_acquire);
    holding->since = atomic_load_explicit(&holder->since, memory_order_acquire);
    holding->last = atomic_load_explicit(&connection->last_sql, memory_order_acquire);
}

bool lido__hold_read(const lido__connection *connection, lido__holding *holding) {
    uint64_t before;
    uint64_t after = atomic_load_explicit(&connection->hold, memory_order_acquire);
    do {
        before = after;
        if ((before & HELD) == 0)
            return false;
        read_holder(connection, holding);
        after = atomic_load_explicit(&connection->hold, memory_order_acquire);
    } while (before / TIME != after / TIME || (after & HELD) == 0);
    holding->times = before / TIME;
    return true;
}

bool lido__hold_cancel(lido__connection *connection, const lido__holding *holding) {
    uint64_t hold = atomic_load(&connection->hold);
    do
        if (hold / TIME != holding->times || (hold & RUNNING) == 0 || cancels_in(hold) + 1 == TIME / CANCEL)
            return false;
    while (!atomic_compare_exchange_weak(&connection->hold, &hold, hold + CANCEL));
    atomic_store(&connection->stop, true);
    return true;
}

bool lido__hold_runs(const lido__connection *connection, const lido__holding *holding) {
    uint64_t hold = atomic_load(&connection->hold);
    return hold / TIME == holding->times && (hold & RUNNING) != 0;
}

bool lido__hold_is_answering(const lido__connection *connection) {
    return (atomic_load(&connection->hold) & ANSWERING) != 0;
}

unsigned lido__hold_cancelled(lido__connection *connection) {
    return cancels_in(atomic_fetch_sub(&connection->hold, CANCEL) - CANCEL);
}

unsigned lido__hold_cancels(const lido__connection *connection) {
    return cancels_in(atomic_load(&connection->hold));
}
