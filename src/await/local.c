/* Values that belong to a task, or to a thread where there is none. */
#include <pthread.h>
#include <stdlib.h>

#include "await/task.h"

struct lido__local {
    const void *key;
    void *value;
    void (*free_value)(void *value);
    lido__local *next;
};

static pthread_key_t of_thread;
static bool have_key;

void lido__locals_free(lido__local *locals) {
    while (locals != NULL) {
        lido__local *next = locals->next;
        if (locals->free_value != NULL)
            locals->free_value(locals->value);
        free(locals);
        locals = next;
    }
}

static void free_of_thread(void *locals) {
    lido__locals_free(locals);
}

static void make_key(void) {
    have_key = pthread_key_create(&of_thread, free_of_thread) == 0;
}

static lido__local *mine(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_key);
    if (lido__here_now.task != NULL)
        return lido__here_now.task->locals;
    return have_key ? pthread_getspecific(of_thread) : NULL;
}

static bool keep(lido__local *local) {
    if (lido__here_now.task != NULL)
        lido__here_now.task->locals = local;
    return lido__here_now.task != NULL || (have_key && pthread_setspecific(of_thread, local) == 0);
}

static lido__local *find(const void *key) {
    lido__local *at = mine();
    while (at != NULL && at->key != key)
        at = at->next;
    return at;
}

void *lido_local(const void *key) {
    const lido__local *found = find(key);
    return found != NULL ? found->value : NULL;
}

lido_status lido_local_set(const void *key, void *value, void (*free_value)(void *value)) {
    lido__local *local = find(key);
    if (local != NULL) {
        lido__local old = *local;
        local->value = value;
        local->free_value = free_value;
        if (old.free_value != NULL)
            old.free_value(old.value);
        return LIDO_OK;
    }
    local = malloc(sizeof *local);
    if (local == NULL)
        return LIDO_ERROR;
    *local = (lido__local){key, value, free_value, mine()};
    if (keep(local))
        return LIDO_OK;
    free(local);
    return LIDO_ERROR;
}
