/* JSON of lido top. Where memory runs out, what is made of it is NULL, and so is the whole. */
#include "top_json.h"

#include <jansson.h>

static json_t *with_member(json_t *object, const char *name, json_t *value) {
    if (json_object_set_new(object, name, value) == 0)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *optional(int64_t number) {
    return number >= 0 ? json_integer(number) : json_null();
}

static json_t *rates_json(const top_figures *figures, const top_pool *pool) {
    json_t *object = json_object();
    for (int count = 0; count < TOP_COUNTS; count++)
        object = with_member(
            object, top_count_names[count],
            json_real(pool != NULL ? top_pool_rate(figures, pool, (top_count)count) : figures->rates[count]));
    return object;
}

static json_t *counts_json(const top_pool *pool) {
    json_t *object = json_object();
    for (int count = 0; count < TOP_COUNTS; count++)
        object = with_member(object, top_count_names[count], json_integer(pool->counts[count]));
    return object;
}

/* A pool that is new has no rates yet. */
static json_t *pool_json(const top_figures *figures, const top_pool *pool) {
    bool known = top_pool_rate(figures, pool, TOP_READS) >= 0;
    return json_pack("{s:s, s:s, s:o, s:I, s:o, s:I, s:I, s:I, s:b, s:o, s:o}", "name", pool->name, "system",
                     pool->system, "worker", optional(pool->worker), "size", (json_int_t)pool->size, "max",
                     optional(pool->most), "in_use", (json_int_t)pool->used, "idle", (json_int_t)pool->idle, "waiting",
                     (json_int_t)pool->waiting, "down", (int)pool->down, "counts", counts_json(pool), "per_second",
                     known ? rates_json(figures, pool) : json_null());
}

static json_t *worker_json(const top_worker *worker) {
    return json_pack("{s:I, s:I, s:s, s:I, s:I, s:I}", "number", (json_int_t)worker->number, "process",
                     (json_int_t)worker->process, "state", worker->state, "age_ms", (json_int_t)worker->age_ms,
                     "restarts", (json_int_t)worker->restarts, "deaths", (json_int_t)worker->deaths);
}

static json_t *holder_json(const top_holder *holder) {
    return json_pack("{s:I, s:s, s:I, s:s, s:o, s:s}", "age_ms", (json_int_t)holder->age_ms, "file", holder->file,
                     "line", (json_int_t)holder->line, "pool", holder->pool->name, "worker",
                     optional(holder->pool->worker), "statement", holder->statement);
}

static json_t *statement_json(const top_cost *cost) {
    const top_statement *statement = cost->statement;
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:s}", "pool", statement->pool, "kind",
                     statement->kind, "fingerprint", statement->fingerprint, "count", (json_int_t)cost->count, "failed",
                     (json_int_t)cost->failed, "total_ms", cost->total_us / 1e3, "p50_since_start_ms",
                     statement->p50_us / 1e3, "p99_since_start_ms", statement->p99_us / 1e3, "longest_since_start_ms",
                     statement->longest_us / 1e3, "text", statement->text);
}

static json_t *duration_json(const top_durations *of) {
    if (of->bucket_count == 0)
        return json_null();
    return json_pack("{s:I, s:f, s:f, s:f, s:f}", "count", (json_int_t)top_durations_count(of), "p50",
                     top_durations_quantile_ns(of, 0.5) / 1e6, "p90", top_durations_quantile_ns(of, 0.9) / 1e6, "p99",
                     top_durations_quantile_ns(of, 0.99) / 1e6, "longest", (double)of->longest_ns / 1e6);
}

static json_t *durations_json(const top_durations durations[TOP_KINDS]) {
    json_t *object = json_object();
    for (int kind = 0; kind < TOP_KINDS; kind++)
        object = with_member(object, top_kind_names[kind], duration_json(&durations[kind]));
    return object;
}

/* Puts one more into an array; the array, or NULL. */
static json_t *add(json_t *array, json_t *entry) {
    if (array != NULL && json_array_append_new(array, entry) == 0)
        return array;
    json_decref(array);
    return NULL;
}

bool top_json_print(const top_figures *figures, const top_durations *total, FILE *stream) {
    const top_reading *now = figures->now;
    json_t *workers = json_array();
    json_t *pools = json_array();
    json_t *holders = json_array();
    json_t *statements = json_array();
    for (size_t i = 0; i < now->worker_count; i++)
        workers = add(workers, worker_json(&now->workers[i]));
    for (size_t i = 0; i < now->pool_count; i++)
        pools = add(pools, pool_json(figures, &now->pools[i]));
    for (size_t i = 0; i < now->holder_count; i++)
        holders = add(holders, holder_json(&now->holders[i]));
    for (size_t i = 0; i < figures->cost_count; i++)
        statements = add(statements, statement_json(&figures->costs[i]));
    json_t *object =
        json_pack("{s:s, s:s, s:I, s:s, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "address", figures->address,
                  "program", now->program, "process", (json_int_t)now->process, "lido", now->version, "seconds",
                  figures->seconds, "per_second", figures->before != NULL ? rates_json(figures, NULL) : json_null(),
                  "workers", workers, "pools", pools, "durations_ms", durations_json(figures->durations),
                  "durations_since_start_ms", durations_json(total), "statements", statements, "holders", holders);
    bool made = object != NULL && json_dumpf(object, stream, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0;
    putc('\n', stream);
    json_decref(object);
    return made;
}
