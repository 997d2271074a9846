/* Opening, inspecting and closing an engine. */
#include "core/engine.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "core/fork.h"
#include "core/session.h"

enum { LATENCY_PROBES = 5 };

/* In memory of its own, unless the parent has given some. NULL: there is none, and nothing is counted. */
static lido__metrics *find_metrics(lido_engine *engine) {
    lido__config *config = &engine->config;
    if (config->shared_metrics_process != lido__fork_count())
        config->shared_metrics = NULL;
    if (!config->metrics || config->shared_metrics != NULL)
        return config->metrics ? config->shared_metrics : NULL;
    engine->own_metrics = lido__metrics_new();
    return engine->own_metrics;
}

static bool engine_attach(lido_engine *engine, lido_error *error) {
    void *database = NULL;
    engine->backend = engine->config.type == LIDO__SQLITE ? &lido__backend_sqlite : &lido__backend_postgres;
    if (engine->backend->attach != NULL)
        database = engine->backend->attach(&engine->config, error);
    if (error->status != LIDO_OK)
        return false;
    bool made = lido__pool_init(&engine->pool, &engine->config, engine->backend, database);
    if (made)
        engine->pool.metrics = find_metrics(engine);
    if (made && (!engine->backend->one_writer || lido__writer_init(&engine->writer, &engine->pool)) &&
        lido__lanes_init(engine))
        return true;
    if (made)
        lido__pool_done(&engine->pool);
    if (database != NULL)
        engine->backend->detach(database);
    return lido__fault_memory(error, "opening an engine");
}

/* Its configuration has been read. NULL, and it is freed, if it cannot be had. */
static lido_engine *start(lido_engine *engine, lido_error *error) {
    if (!engine_attach(engine, error)) {
        lido__metrics_free(engine->own_metrics);
        lido__config_done(&engine->config);
        free(engine);
        return NULL;
    }
    lido__sql_cache_init(&engine->sql, engine->config.type);
    if (engine->config.slow_ms >= 0)
        lido__events_log_slow(&engine->pool.events, engine->config.slow_ms);
    atomic_init(&engine->references, 1);
    lido__fork_watch(engine);
    atomic_init(&engine->closed, false);
    return engine;
}

static lido_engine *engine_new(lido_error *error) {
    lido_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        lido__fault_memory(error, "opening an engine");
    return engine;
}

lido_engine *lido_engine_open(const char *url, const lido_options *options, lido_error *error) {
    lido_error ignored;
    if (error == NULL)
        error = &ignored;
    lido__fault_clear(error);
    lido_engine *engine = engine_new(error);
    if (engine != NULL && lido__config_read(&engine->config, url, options, error))
        return start(engine, error);
    free(engine);
    return NULL;
}

lido_engine *lido__engine_open_with(lido__config *config, lido_error *error) {
    lido_engine *engine = engine_new(error);
    if (engine == NULL) {
        lido__config_done(config);
        return NULL;
    }
    engine->config = *config;
    return start(engine, error);
}

void lido__engine_hold(lido_engine *engine) {
    atomic_fetch_add_explicit(&engine->references, 1, memory_order_relaxed);
}

bool lido__engine_let_go_unless_last(lido_engine *engine) {
    size_t references = atomic_load_explicit(&engine->references, memory_order_relaxed);
    while (references > 1)
        if (atomic_compare_exchange_weak_explicit(&engine->references, &references, references - 1,
                                                  memory_order_acq_rel, memory_order_relaxed))
            return true;
    return false;
}

void lido__engine_let_go(lido_engine *engine) {
    if (atomic_fetch_sub_explicit(&engine->references, 1, memory_order_acq_rel) != 1)
        return;
    lido__fork_unwatch(engine);
    lido__pool_done(&engine->pool); /* the keeper of both stops here */
    if (engine->backend->one_writer)
        lido__pool_done(&engine->writer.pool);
    void *database = engine->pool.database;
    /* Not before the keeper is gone, who may have been opening a connection to it. In a child that has not used the
     * pool it is the parent's. */
    if (database != NULL && !atomic_load(&engine->pool.forked))
        engine->backend->detach(database);
    lido__session_free(atomic_load_explicit(&engine->spare, memory_order_acquire));
    lido__lanes_done(&engine->lanes);
    lido__functions_done(&engine->pool.functions);
    lido__metrics_forget_now(engine->pool.metrics); /* shared ones stay */
    lido__metrics_free(engine->own_metrics);
    lido__sql_cache_done(&engine->sql);
    lido__config_done(&engine->config);
    free(engine);
}

void lido_engine_close(lido_engine *engine) {
    if (engine == NULL)
        return;
    atomic_store_explicit(&engine->closed, true, memory_order_relaxed);
    size_t sessions =
        atomic_load_explicit(&engine->references, memory_order_relaxed) - 1 - lido__lanes_references(engine);
    if (sessions > 0)
        lido__log(LIDO_LOG_WARNING, "%s: the engine is closed while %zu of its sessions are open",
                  engine->config.display, sessions);
    if (engine->backend->one_writer)
        lido__pool_close(&engine->writer.pool);
    lido__lanes_close(engine);
    lido__pool_close(&engine->pool);
    lido__engine_let_go(engine);
}

/* Of a pool beside the engine's own. */
static void add_stats(lido__pool *pool, lido_pool_stats *stats) {
    lido_pool_stats beside;
    lido__pool_read_stats(pool, &beside);
    stats->open += beside.open;
    stats->idle += beside.idle;
    stats->in_use += beside.in_use;
    stats->waiting += beside.waiting;
    stats->down = stats->down || beside.down;
    stats->acquires += beside.acquires;
    stats->waits += beside.waits;
    stats->timeouts += beside.timeouts;
    stats->failed_connects += beside.failed_connects;
    stats->recycled += beside.recycled;
    stats->invalidated += beside.invalidated;
    stats->wait_us += beside.wait_us;
    stats->use_us += beside.use_us;
}

void lido_engine_stats(lido_engine *engine, lido_pool_stats *stats) {
    if (stats == NULL)
        return;
    *stats = (lido_pool_stats){.open = 0};
    if (engine == NULL)
        return;
    lido__pool_read_stats(&engine->pool, stats);
    if (engine->backend->one_writer)
        add_stats(&engine->writer.pool, stats);
    if (engine->lanes.used)
        add_stats(&engine->lanes.pool, stats);
}

bool lido_engine_setting(const lido_engine *engine, size_t index, lido_setting *setting) {
    if (engine == NULL || setting == NULL || index >= engine->config.setting_count)
        return false;
    *setting = engine->config.settings[index];
    return true;
}

const char *lido_engine_backend(const lido_engine *engine) {
    return engine != NULL ? engine->backend->name : NULL;
}

/* The quickest of a few: the others measured the machine's other work, too. */
static bool measure_latency(lido_engine *engine, lido__connection *connection, lido_server *server, lido_error *error) {
    bool loose;
    lido__sql *sql = lido__sql_cache_get(&engine->sql, "SELECT 1", &loose, error);
    bool done = sql != NULL;
    server->latency_us = INT64_MAX;
    for (int i = 0; done && i < LATENCY_PROBES; i++) {
        lido__operation probe = {.kind = LIDO__STATEMENT, .sql = sql, .alone = true};
        lido__batch batch = {.operations = &probe, .count = 1, .error = error};
        int64_t began = lido__clock_now_us();
        batch.deadline = lido__deadline_in_ms(engine->config.connect_timeout_ms);
        done = engine->backend->run(connection, &batch);
        int64_t took = lido__clock_now_us() - began;
        if (took < server->latency_us)
            server->latency_us = took;
    }
    if (loose)
        lido__sql_free(sql);
    return done;
}

/* On a new connection rather than one from the pool: how long that takes is one of the questions. */
static void inspect(lido_engine *engine, lido_server *server, lido_error *error) {
    void *database;
    lido__fault_field(server->database, sizeof server->database, engine->config.display);
    server->log_pages = -1;
    if (!lido__await_may_wait(error) || !lido__pool_database(&engine->pool, &database, error))
        return;
    int64_t began = lido__clock_now_us();
    lido__connection *connection = engine->backend->open(&engine->config, database, error);
    if (connection == NULL)
        return;
    server->connect_us = lido__clock_now_us() - began;
    bool done = engine->backend->inspect(connection, server, error);
    done = done && measure_latency(engine, connection, server, error);
    engine->backend->close(connection);
}

lido_status lido_engine_inspect(lido_engine *engine, lido_server *server, lido_error *error) {
    lido_error found = LIDO_ERROR_INIT;
    lido_server described;
    memset(&described, 0, sizeof described);
    if (engine != NULL)
        inspect(engine, &described, &found);
    else
        lido__fault(&found, LIDO_ERROR_MISUSE, "the engine is NULL");
    if (found.status != LIDO_OK) {
        lido__fault_doing(&found, "inspecting an engine");
        lido__fault_field(found.database, sizeof found.database, engine != NULL ? engine->config.display : NULL);
    }
    if (error != NULL)
        *error = found;
    if (server != NULL && found.status == LIDO_OK)
        *server = described;
    return found.status;
}
