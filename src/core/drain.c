/* Filling an engine's pool before it is used, and emptying it at the end. */
#include <stdio.h>
#include <stdlib.h>

#include "await/await.h"
#include "base/clock.h"
#include "base/fault.h"
#include "core/engine.h"

enum { LOOK_LEAST_MS = 1, LOOK_MOST_MS = 20, HEARD_MOST_MS = 1000 };

/* ---- Filling ---- */

/* All are held until the last is there: else the first would be taken again and again. */
static int take_all(lido_engine *engine, int count, lido__connection **taken, lido_error *error) {
    const lido__lease lease = {.holder = taken, .owner = lido__await_self(), .file = __FILE__, .line = __LINE__};
    int have = 0;
    while (have < count && (taken[have] = lido__pool_acquire(&engine->pool, &lease, error)) != NULL)
        have++;
    return have;
}

bool lido__engine_warm(lido_engine *engine, int least, lido_error *error) {
    int count = engine->config.pool_min_size > least ? engine->config.pool_min_size : least;
    if (count == 0)
        return true;
    lido__connection **taken = calloc((size_t)count, sizeof *taken);
    if (taken == NULL)
        return lido__fault_memory(error, "opening connections ahead");
    int have = take_all(engine, count, taken, error);
    for (int i = 0; i < have; i++)
        lido__pool_release(&engine->pool, taken[i]);
    free(taken);
    if (have < count)
        lido__fault_field(error->database, sizeof error->database, engine->config.display);
    return have == count;
}

/* ---- Emptying ---- */

static int use_of(lido__pool *pool) {
    lido_pool_stats stats;
    lido__pool_read_stats(pool, &stats);
    return stats.in_use + stats.waiting;
}

/* A lane holds its connection as long as its loop is there, with or without anybody aboard: those are counted. */
static int in_use(lido_engine *engine) {
    return use_of(&engine->pool) + (engine->backend->one_writer ? use_of(&engine->writer.pool) : 0) +
           (int)lido__lanes_aboard(&engine->lanes);
}

static void cancel_all(lido_engine *engine) {
    lido__pool_cancel_all(&engine->pool);
    if (engine->backend->one_writer)
        lido__pool_cancel_all(&engine->writer.pool);
    lido__lanes_cancel_all(&engine->lanes);
}

static void name_holders(lido_engine *engine, char *text, size_t size) {
    lido__pool_name_holders(&engine->pool, text, size);
    if (text[0] == '\0' && engine->backend->one_writer)
        lido__pool_name_holders(&engine->writer.pool, text, size);
    unsigned aboard = text[0] == '\0' ? lido__lanes_aboard(&engine->lanes) : 0;
    if (aboard > 0)
        snprintf(text, size, "%u statement%s on lanes", aboard, aboard == 1 ? "" : "s");
}

/* Looks now and then, for who ends has nobody to tell. `cancels`: what runs is cancelled each time, for a session may
 * be between two statements. Whether all have ended. */
static bool wait_for_all(lido_engine *engine, int64_t deadline, bool cancels) {
    for (int64_t pause_ms = LOOK_LEAST_MS;; pause_ms = pause_ms < LOOK_MOST_MS ? 2 * pause_ms : LOOK_MOST_MS) {
        if (in_use(engine) == 0)
            return true;
        if (cancels)
            cancel_all(engine);
        int64_t now = lido__clock_now_us();
        if (now >= deadline)
            return false;
        int64_t next = now + pause_ms * 1000;
        if (lido__await_moment(next < deadline ? next : deadline) != LIDO__AWAIT_TIMED_OUT)
            return false;
    }
}

/* They are sent by other threads, which would not live to do so in a process that ends now. */
static void wait_for_cancels(lido_engine *engine, int64_t deadline) {
    while (lido__lanes_cancels(&engine->lanes) > 0 && lido__clock_now_us() < deadline &&
           lido__await_moment(lido__deadline_in_ms(LOOK_LEAST_MS)) == LIDO__AWAIT_TIMED_OUT)
        ;
}

void lido__engine_drain(lido_engine *engine, int64_t deadline, lido__drained *drained) {
    *drained = (lido__drained){.late = 0};
    lido__await_firm_begin();
    if (!wait_for_all(engine, deadline, false)) {
        name_holders(engine, drained->holders, sizeof drained->holders);
        int before = in_use(engine);
        int64_t heard = lido__deadline_in_ms(HEARD_MOST_MS);
        wait_for_all(engine, heard, true);
        drained->left = in_use(engine);
        drained->late = before > drained->left ? before - drained->left : 0;
        wait_for_cancels(engine, heard);
    }
    lido__await_firm_end();
}
