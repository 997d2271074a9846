/* Looking at the pool: who holds its connections, whether they wait for each other, and counting. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "core/pool.h"

enum { HOLDER_TEXT = 100, STATEMENT_TEXT = 32 };

/* "items.c:42 for 1500 ms (UPDATE items SET …)"; the length it has. */
static size_t describe_holder(const lido__connection *held, int64_t now, char *text, size_t size) {
    char statement[STATEMENT_TEXT] = "";
    const lido__sql *sql = atomic_load_explicit(&held->last_sql, memory_order_acquire);
    if (sql != NULL)
        lido__fault_field(statement, sizeof statement, sql->text);
    int length = snprintf(text, size, "%s:%d for %" PRId64 " ms%s%s%s",
                          held->holder_file != NULL ? held->holder_file : "?", held->holder_line,
                          (now - held->taken_at) / 1000, sql != NULL ? " (" : "", statement, sql != NULL ? ")" : "");
    return length > 0 ? (size_t)length : 0;
}

/* Those who have had theirs longest come last in the list and first here. */
static void tell_holders(const lido__pool *pool, lido_error *error) {
    int64_t now = lido__clock_now_us();
    char text[sizeof error->hint] = "";
    size_t used = 0;
    const lido__connection *at = pool->used;
    while (at != NULL && at->next != NULL)
        at = at->next;
    for (; at != NULL; at = at->previous) {
        char holder[HOLDER_TEXT];
        size_t length = describe_holder(at, now, holder, sizeof holder);
        if (used + length + 3 >= sizeof text)
            break;
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used > 0 ? ", " : "", holder);
    }
    if (used > 0)
        lido__fault_hint(error, "held by %s", text);
    else
        lido__fault_hint(error, "close sessions sooner, or raise pool_size or max_overflow");
}

void lido__pool_tell_exhausted(lido__pool *pool, lido_error *error) {
    if (error->status != LIDO_OK) /* whoever took it out of the queue has said why */
        return;
    pool->stats.timeouts++;
    if (pool->down) {
        *error = pool->reason;
        return;
    }
    lido__fault(error, LIDO_ERROR_POOL_EXHAUSTED,
                "no connection came free within %" PRId64 " ms: all %d are in use, %d wait",
                pool->config->pool_timeout_ms, pool->open, pool->waiting + 1);
    tell_holders(pool, error);
}

static bool waits(const lido__pool *pool, uint64_t owner) {
    const lido__pool_waiter *at = pool->oldest;
    while (at != NULL && at->lease.owner != owner)
        at = at->next;
    return at != NULL;
}

bool lido__pool_would_deadlock(const lido__pool *pool, uint64_t owner, lido_error *error) {
    int held = 0;
    for (const lido__connection *at = pool->used; at != NULL; at = at->next, held++)
        if (at->owner != owner && !waits(pool, at->owner))
            return false;
    /* One that is being opened or cancelled will come free; and while there is room, only the server is waited for. */
    if (held == 0 || held < pool->open || lido__pool_has_room(pool))
        return false;
    lido__fault(error, LIDO_ERROR_POOL_EXHAUSTED,
                "all %d connections are held by threads that wait for one, this thread among them", held);
    tell_holders(pool, error);
    return true;
}

void lido__pool_read_stats(lido__pool *pool, lido_pool_stats *stats) {
    pthread_mutex_lock(&pool->lock);
    *stats = pool->stats;
    stats->idle = stats->in_use = 0;
    for (const lido__connection *at = pool->idle; at != NULL; at = at->next)
        stats->idle++;
    for (const lido__connection *at = pool->used; at != NULL; at = at->next)
        stats->in_use++;
    stats->open = pool->open;
    stats->waiting = pool->waiting;
    stats->down = pool->down;
    pthread_mutex_unlock(&pool->lock);
}
