/* Reading what workers or engines have counted. */
#include "process/collect.h"

#include <stdlib.h>

#include "process/shared_metrics.h"

static lido__metrics_source *next_source(lido__collection *to, const char *pool, const lido__config *config,
                                         int worker) {
    lido__metrics_source *source = &to->sources[to->count++];
    lido__metrics_describe(source, config);
    source->pool = pool;
    source->worker = worker;
    return source;
}

/* Under the lock. Of all workers. */
static void read_shared(const lido_manager *manager, lido__collection *to) {
    for (int seat = 0; seat < manager->metrics->seats; seat++)
        for (size_t i = 0; i < LIDO_DATABASES_MOST; i++) {
            const lido__database *database = &manager->databases[i];
            if (manager->metrics->slots[i] == NULL)
                continue;
            lido__metrics_source *source = next_source(to, database->name, &database->config, seat);
            lido__shared_metrics_read(manager->metrics, i, seat, source);
        }
}

/* Under the lock. Of this process's engines, which are held, for their pools are looked at outside the lock. */
static void hold_own(const lido_manager *manager, lido__collection *to, lido_engine **engines) {
    for (size_t i = 0; i < LIDO_DATABASES_MOST && lido__manager_works(manager); i++) {
        lido_engine *engine = manager->databases[i].engine;
        if (engine == NULL || engine->pool.metrics == NULL)
            continue;
        lido__engine_hold(engine);
        engines[to->count] = engine;
        next_source(to, manager->databases[i].name, &manager->databases[i].config, LIDO__NO_WORKER);
    }
}

static void read_engine(lido_engine *engine, lido__metrics_source *source) {
    lido__metrics_publish(&engine->pool);
    const lido__metrics *metrics = engine->pool.metrics;
    lido__metrics_source_read(source, &metrics, 1);
}

/* It was closed meanwhile, and this is the last who holds it. Ending it waits for its threads, and the caller may be in
 * a turn of serve.c, under a lock. */
static void put_off(lido_manager *manager, lido_engine *engine) {
    pthread_rwlock_wrlock(&manager->lock);
    engine->put_off = manager->put_off;
    manager->put_off = engine;
    pthread_rwlock_unlock(&manager->lock);
}

void lido__collect_let_go(lido_manager *manager) {
    pthread_rwlock_wrlock(&manager->lock);
    lido_engine *at = manager->put_off;
    manager->put_off = NULL;
    pthread_rwlock_unlock(&manager->lock);
    while (at != NULL) {
        lido_engine *next = at->put_off;
        lido__engine_let_go(at);
        at = next;
    }
}

static void read_own(lido_manager *manager, lido__collection *to, lido_engine **engines) {
    for (size_t i = 0; i < to->count; i++) {
        read_engine(engines[i], &to->sources[i]);
        if (!lido__engine_let_go_unless_last(engines[i]))
            put_off(manager, engines[i]);
    }
}

/* Under the lock. */
static size_t sources_most(const lido_manager *manager) {
    size_t databases = 1;
    for (size_t i = 1; i < LIDO_DATABASES_MOST; i++)
        databases += manager->databases[i].name[0] != '\0';
    return databases * (manager->metrics != NULL ? (size_t)manager->metrics->seats : 1);
}

bool lido__collect_manager(lido_manager *manager, lido__collection *collection) {
    lido_engine *engines[LIDO_DATABASES_MOST];
    *collection = (lido__collection){.count = 0};
    pthread_rwlock_rdlock(&manager->lock);
    bool is_shared = manager->metrics != NULL;
    collection->sources = calloc(sources_most(manager), sizeof *collection->sources);
    if (collection->sources != NULL && is_shared)
        read_shared(manager, collection);
    else if (collection->sources != NULL)
        hold_own(manager, collection, engines);
    pthread_rwlock_unlock(&manager->lock);
    if (!is_shared)
        read_own(manager, collection, engines);
    collection->out_of_memory = collection->sources == NULL;
    return collection->count > 0;
}

bool lido__collect_engine(lido_engine *engine, lido__collection *collection) {
    *collection = (lido__collection){.count = 0};
    if (engine->pool.metrics != NULL)
        collection->sources = calloc(1, sizeof *collection->sources);
    collection->out_of_memory = engine->pool.metrics != NULL && collection->sources == NULL;
    if (collection->sources == NULL)
        return false;
    read_engine(engine, next_source(collection, engine->config.display, &engine->config, LIDO__NO_WORKER));
    return true;
}

/* Sources of one database have one name, and the first worker's come first. */
static size_t count_databases(const lido__collection *collection) {
    size_t count = 0;
    while (count < collection->count && collection->sources[count].worker == collection->sources[0].worker)
        count++;
    return count;
}

void lido__collect_manager_statements(lido_manager *manager, lido__collection *collection) {
    size_t databases = count_databases(collection);
    collection->statements = databases > 0 ? calloc(databases, sizeof *collection->statements) : NULL;
    collection->out_of_memory = databases > 0 && collection->statements == NULL;
    for (size_t i = 0; i < databases && collection->statements != NULL; i++) {
        lido__collected_statements *to = &collection->statements[collection->statement_count++];
        to->pool = collection->sources[i].pool;
        to->count = lido_manager_stats_statements(manager, to->pool, to->of, LIDO__STATEMENTS_COLLECTED);
    }
}

void lido__collect_engine_statements(lido_engine *engine, lido__collection *collection) {
    collection->statements = calloc(1, sizeof *collection->statements);
    collection->out_of_memory = collection->statements == NULL;
    if (collection->statements == NULL)
        return;
    collection->statement_count = 1;
    collection->statements->pool = collection->sources->pool;
    collection->statements->count =
        lido_stats_statements(engine, collection->statements->of, LIDO__STATEMENTS_COLLECTED);
}

void lido__collection_free(lido__collection *collection) {
    free(collection->statements);
    free(collection->sources);
    *collection = (lido__collection){.count = 0};
}

bool lido__collect_and_write(lido_manager *manager, lido_metrics_writer *writer, void *user) {
    lido__collection collection;
    bool written = lido__collect_manager(manager, &collection) &&
                   lido__metrics_write(collection.sources, collection.count, writer, user);
    lido__collection_free(&collection);
    return written;
}

lido_status lido_manager_metrics_write(lido_manager *manager, lido_metrics_writer *writer, void *user) {
    if (manager == NULL || writer == NULL)
        return LIDO_ERROR;
    bool written = lido__collect_and_write(manager, writer, user);
    lido__collect_let_go(manager);
    return written ? LIDO_OK : LIDO_ERROR;
}
