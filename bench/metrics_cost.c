/* metrics-cost: what counting and measuring add. lido's side has metrics, the other side is lido without them. */
#include <stdlib.h>

#include "core/engine.h"
#include "measures.h"
#include "select.h"
#include "sqlite_fixture.h"

#define SELECT_SQL "SELECT id, name, price FROM items WHERE id = ?"

enum { POOL_MOST_NS = 15 };

typedef struct job {
    bench_selecting with;
    bench_selecting without;
} job;

/* ---- pool: a connection is taken and given back. ---- */

static bool take_and_give(const bench_selecting *side, size_t operations, bench_context *context) {
    lido__pool *pool = &side->engine->pool;
    const lido__lease lease = {.holder = side, .owner = lido__await_self(), .file = __FILE__, .line = __LINE__};
    lido_error error = LIDO_ERROR_INIT;
    for (size_t i = 0; i < operations; i++) {
        lido__connection *connection = lido__pool_acquire(pool, &lease, &error);
        if (connection == NULL)
            return bench_fail_lido(context, &error);
        lido__pool_release(pool, connection);
    }
    return true;
}

static bool pool_with(void *opened, size_t operations, bench_context *context) {
    return take_and_give(&((job *)opened)->with, operations, context);
}

static bool pool_without(void *opened, size_t operations, bench_context *context) {
    return take_and_give(&((job *)opened)->without, operations, context);
}

static bool weigh_pool(void *opened, bench_context *context, bench_result *result) {
    const bench_measure sides = {.unit = BENCH_NANOSECONDS, .lido = pool_with, .raw = pool_without};
    if (!bench_compare(&sides, opened, (bench_effort){.pairs = 31, .slice_ms = 40}, context, result))
        return false;
    bench_figure_add(context, "added_ns", result->lido - result->raw, BENCH_AT_MOST, POOL_MOST_NS);
    return true;
}

/* ---- sqlite-select: as the measure of that name. ---- */

static bool select_with(void *opened, size_t operations, bench_context *context) {
    return bench_select_by_lido(&((job *)opened)->with, SELECT_SQL, BENCH_SQLITE_ITEMS, operations, context);
}

static bool select_without(void *opened, size_t operations, bench_context *context) {
    return bench_select_by_lido(&((job *)opened)->without, SELECT_SQL, BENCH_SQLITE_ITEMS, operations, context);
}

/* ---- Making and ending the job. ---- */

static bool make_side(bench_selecting *side, const char *url, bench_context *context) {
    if (!bench_select_open(side, url, NULL, context))
        return false;
    lido_script(side->session, BENCH_SQLITE_ITEMS_SQL);
    return !lido_failed(side->session) || bench_fail_lido(context, lido_error_of(side->session));
}

static void close_job(void *opened) {
    job *my = opened;
    bench_select_close(&my->with);
    bench_select_close(&my->without);
    free(my);
}

static void *open_job(bench_context *context) {
    job *my = calloc(1, sizeof *my);
    if (my == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    if (make_side(&my->with, "sqlite://?metrics=on", context) &&
        make_side(&my->without, "sqlite://?metrics=off", context))
        return my;
    close_job(my);
    return NULL;
}

const bench_measure bench_metrics_cost[] = {
    {.name = "metrics-cost",
     .case_name = "pool",
     .unit = BENCH_NANOSECONDS,
     .open = open_job,
     .close = close_job,
     .lido = pool_with,
     .raw = pool_without,
     .weigh = weigh_pool},
    {.name = "metrics-cost",
     .case_name = "sqlite-select",
     .target = 0.97,
     .open = open_job,
     .close = close_job,
     .lido = select_with,
     .raw = select_without},
    {.name = NULL},
};
