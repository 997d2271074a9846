/* Looking at the pool: who holds its connections, whether they wait for each other, and counting. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "core/pool.h"

enum { HOLDER_TEXT = 100, STATEMENT_TEXT = 32 };

/* What SQLITE_BUSY has, and what has outlasted statement_timeout. */
#define LOCK_NOT_AVAILABLE "55P03"
#define QUERY_CANCELED "57014"

/* "items.c:42 for 1500 ms (UPDATE items SET …)"; the length it has. */
static size_t describe(const lido__holding *held, int64_t now, char *text, size_t size) {
    char statement[STATEMENT_TEXT] = "";
    if (held->last != NULL)
        lido__fault_field(statement, sizeof statement, held->last->text);
    int length =
        snprintf(text, size, "%s:%d for %" PRId64 " ms%s%s%s", held->lease.file != NULL ? held->lease.file : "?",
                 held->lease.line, (now - held->since) / 1000, held->last != NULL ? " (" : "", statement,
                 held->last != NULL ? ")" : "");
    return length > 0 ? (size_t)length : 0;
}

/* Whether `one` has been held longer than `other`: by when it was taken, known to a tick, and then by place. */
static bool is_older(const lido__holding *one, unsigned one_place, const lido__holding *other, unsigned other_place) {
    return one->since != other->since ? one->since < other->since : one_place < other_place;
}

/* Of those held, the one that comes next after *last in the order of how long; false: there is none. A few of some
 * thousand are wanted, so all are looked at again for each. */
static bool find_next_oldest(const lido__pool *pool, lido__holding *last, unsigned *last_place) {
    lido__holding best;
    unsigned best_place = 0;
    unsigned place = 0;
    for (const lido__connection *at; (at = lido__places_next(&pool->places, &place)) != NULL;) {
        lido__holding held;
        if (!lido__hold_read(at, &held) || (*last_place > 0 && !is_older(last, *last_place, &held, place)))
            continue;
        if (best_place == 0 || is_older(&held, place, &best, best_place)) {
            best = held;
            best_place = place;
        }
    }
    if (best_place == 0)
        return false;
    *last = best;
    *last_place = best_place;
    return true;
}

/* Those who have had theirs longest come first. How long the text is. */
static size_t name_holders(const lido__pool *pool, char *text, size_t size) {
    int64_t now = lido__clock_now_us();
    size_t used = 0;
    lido__holding held;
    text[0] = '\0';
    for (unsigned place = 0; find_next_oldest(pool, &held, &place);) {
        char holder[HOLDER_TEXT];
        size_t length = describe(&held, now, holder, sizeof holder);
        if (used + length + 3 >= size)
            break;
        used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", holder);
    }
    return used;
}

void lido__pool_name_holders(lido__pool *pool, char *text, size_t size) {
    pthread_mutex_lock(&pool->lock);
    name_holders(pool, text, size);
    pthread_mutex_unlock(&pool->lock);
}

size_t lido__pool_read_holders(lido__pool *pool, lido__holding *held, size_t most) {
    size_t count = 0;
    lido__holding next;
    pthread_mutex_lock(&pool->lock);
    for (unsigned place = 0; count < most && find_next_oldest(pool, &next, &place);)
        if (next.lease.file != NULL) /* else lido has it for itself */
            held[count++] = next;
    pthread_mutex_unlock(&pool->lock);
    return count;
}

static void tell_holders(const lido__pool *pool, lido_error *error) {
    char text[sizeof error->hint - sizeof "held by "];
    if (name_holders(pool, text, sizeof text) > 0)
        lido__fault_hint(error, "held by %s", text);
    else
        lido__fault_hint(error, "close sessions sooner, or raise pool_size or max_overflow");
}

static void tell_ticket(const lido__pool *pool, const lido__lease *lease, lido_error *error) {
    bool timed_out = lease->until != 0 && lido__clock_now_us() >= lease->until;
    if (timed_out)
        lido__fault(error, LIDO_ERROR_TIMEOUT,
                    "the statement waited for its turn to write for longer than statement_timeout");
    else
        lido__fault(error, LIDO_ERROR_BUSY,
                    "others wrote for longer than busy_timeout (%" PRId64 " ms): one transaction writes at a time",
                    pool->config->pool_timeout_ms);
    lido__fault_field(error->sqlstate, sizeof error->sqlstate, timed_out ? QUERY_CANCELED : LOCK_NOT_AVAILABLE);
    tell_holders(pool, error);
}

void lido__pool_tell_exhausted(lido__pool *pool, const lido__lease *lease, lido_error *error) {
    if (error->status != LIDO_OK) /* whoever took it out of the queue has said why */
        return;
    pool->stats.timeouts++;
    lido__metrics_event(pool->metrics, LIDO__COUNT_TIMEOUTS, 1);
    if (!lido__await_may_wait(error))
        return;
    if (pool->down) {
        *error = pool->reason;
        return;
    }
    if (pool->lends_ticket) {
        tell_ticket(pool, lease, error);
        return;
    }
    lido__fault(error, LIDO_ERROR_POOL_EXHAUSTED,
                "no connection came free within %" PRId64 " ms: all %d are in use, %d wait",
                pool->config->pool_timeout_ms, (int)pool->open, pool->waiting + 1);
    tell_holders(pool, error);
}

static bool waits(const lido__pool *pool, uint64_t owner) {
    const lido__pool_waiter *at = pool->oldest;
    while (at != NULL && at->lease.owner != owner)
        at = at->next;
    return at != NULL;
}

static bool holds(const lido__pool *pool, uint64_t owner) {
    lido__holding holding;
    unsigned place = 0;
    for (const lido__connection *at; (at = lido__places_next(&pool->places, &place)) != NULL;)
        if (lido__hold_read(at, &holding) && holding.lease.owner == owner)
            return true;
    return false;
}

/* Only one who holds a connection can close the circle; so that of thousands who hold none, nobody looks at all
 * others. */
bool lido__pool_would_deadlock(const lido__pool *pool, uint64_t owner, lido_error *error) {
    int held = 0;
    lido__holding holding;
    unsigned place = 0;
    if (!holds(pool, owner))
        return false;
    for (const lido__connection *at; (at = lido__places_next(&pool->places, &place)) != NULL; held++)
        if (!lido__hold_read(at, &holding) || (holding.lease.owner != owner && !waits(pool, holding.lease.owner)))
            return false;
    /* One that is being opened or cancelled will come free; and while there is room, only the server is waited for. */
    if (held == 0 || held < pool->open || lido__pool_has_room(pool))
        return false;
    if (pool->lends_ticket) {
        lido__fault(error, LIDO_ERROR_BUSY,
                    "one transaction writes at a time, and the one that does waits for this one: both are this "
                    "thread's or task's");
        lido__fault_field(error->sqlstate, sizeof error->sqlstate, LOCK_NOT_AVAILABLE);
    } else {
        lido__fault(error, LIDO_ERROR_POOL_EXHAUSTED,
                    "all %d connections are held by threads or tasks that wait for one, this one among them", held);
    }
    tell_holders(pool, error);
    return true;
}

void lido__pool_read_stats(lido__pool *pool, lido_pool_stats *stats) {
    lido__holding holding;
    unsigned place = 0;
    pthread_mutex_lock(&pool->lock);
    *stats = pool->stats;
    stats->idle = stats->in_use = 0;
    for (const lido__connection *at; (at = lido__places_next(&pool->places, &place)) != NULL;) {
        bool held = lido__hold_read(at, &holding);
        stats->in_use += held;
        stats->idle += !held && !at->left; /* else it is being cancelled yet, and closed then */
        stats->acquires += atomic_load_explicit(&at->uses, memory_order_relaxed);
        stats->use_us += atomic_load_explicit(&at->use_us, memory_order_relaxed);
    }
    stats->open = pool->open;
    stats->waiting = pool->waiting;
    stats->down = pool->down;
    pthread_mutex_unlock(&pool->lock);
}
