/* Pages that a metrics address has. */
#include "process/pages.h"

static bool append(const char *text, size_t size, void *user) {
    lido__buffer *body = user;
    lido__buffer_append(body, text, size);
    return !body->out_of_memory;
}

/* A page that is not there says why in text, unless memory ran out. */
static bool tell_nothing(lido__buffer *body) {
    bool ran_out = body->out_of_memory;
    lido__buffer_clear(body);
    if (ran_out)
        return false;
    lido__buffer_text(body, "There are no metrics: no database is open, or the setting metrics is off.\n");
    return false;
}

bool lido__page_metrics(lido_manager *manager, lido__buffer *body) {
    return lido__collect_and_write(manager, append, body) || tell_nothing(body);
}

bool lido__page_engine_metrics(lido_engine *engine, lido__buffer *body) {
    return lido_metrics_write(engine, append, body) == LIDO_OK || tell_nothing(body);
}

/* A program whose metrics are off, or whose databases are not open yet, has a state, too. */
static bool write_state(lido__collection *collection, const lido__worker_state *workers, size_t count,
                        lido__buffer *body) {
    if (collection->out_of_memory) {
        lido__collection_free(collection);
        return false;
    }
    const lido__state state = {.collection = collection, .workers = workers, .worker_count = count};
    bool written = lido__state_write(&state, body);
    lido__collection_free(collection);
    return written;
}

bool lido__page_state(lido_manager *manager, const lido__worker_state *workers, size_t count, lido__buffer *body) {
    lido__collection collection = {.count = 0};
    if (manager != NULL)
        lido__collect_manager(manager, &collection);
    if (collection.count > 0)
        lido__collect_manager_statements(manager, &collection);
    return write_state(&collection, workers, count, body);
}

bool lido__page_engine_state(lido_engine *engine, lido__buffer *body) {
    lido__collection collection;
    if (lido__collect_engine(engine, &collection))
        lido__collect_engine_statements(engine, &collection);
    return write_state(&collection, NULL, 0, body);
}
