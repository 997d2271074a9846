/* Scoped sessions: one for each thread, or task, and database.
 *
 * It is found by a value of the thread's or task's own (lido_local), whose key is the database. In a task it is closed
 * by the task's end itself, before its values are freed, for a session that is open then would be reported. */
#include <stddef.h>
#include <stdlib.h>

#include <lido/task.h>

#include "await/await.h"
#include "core/fork.h"
#include "core/session.h"
#include "process/manager.h"

typedef struct scoped {
    lido_session *session; /* NULL: closed */
    uint64_t age;          /* the manager's, when it was opened, */
    uint64_t process;      /* and lido__fork_count */
    lido__held held;
} scoped;

static void close_scoped(scoped *at) {
    lido_session *session = at->session;
    at->session = NULL;
    if (session == NULL)
        return;
    lido__await_let_go(&at->held);
    lido_session_close(session);
}

static void leave(lido__held *held) {
    close_scoped((scoped *)((char *)held - offsetof(scoped, held)));
}

static void free_scoped(void *value) {
    close_scoped(value);
    free(value);
}

/* NULL: no memory. */
static scoped *scoped_new(const void *key) {
    scoped *made = calloc(1, sizeof *made);
    if (made != NULL && lido_local_set(key, made, free_scoped) == LIDO_OK)
        return made;
    free(made);
    return NULL;
}

static bool is_current(const lido_manager *manager, const scoped *at) {
    return at->session != NULL && at->age == atomic_load_explicit(&manager->age, memory_order_acquire) &&
           at->process == lido__fork_count();
}

/* A session that was refused belongs to nobody, and is not kept: the next call may find a worker. */
static lido_session *open_scoped(lido_manager *manager, const char *name, scoped *at) {
    at->process = lido__fork_count();
    at->age = atomic_load_explicit(&manager->age, memory_order_acquire); /* before it may change */
    lido_session *session = lido_manager_session_with(manager, name, NULL);
    if (session->owner == 0)
        return session;
    at->session = session;
    lido__await_hold(&at->held, leave);
    return session;
}

static lido_session *find_or_open(lido_manager *manager, const char *name, const void *key) {
    static lido_session memoryless =
        LIDO__SESSION_REFUSED(LIDO_ERROR_OUT_OF_MEMORY, "out of memory for a scoped session", "");
    scoped *at = lido_local(key);
    if (at != NULL && is_current(manager, at))
        return at->session;
    if (at == NULL)
        at = scoped_new(key);
    if (at == NULL)
        return &memoryless;
    close_scoped(at);
    return open_scoped(manager, name, at);
}

lido_session *lido_manager_scoped(lido_manager *manager) {
    return find_or_open(manager, NULL, &manager->databases[0]);
}

lido_session *lido_manager_scoped_on(lido_manager *manager, const char *name) {
    pthread_rwlock_rdlock(&manager->lock);
    const lido__database *database = lido__manager_find(manager, name);
    pthread_rwlock_unlock(&manager->lock);
    if (database == NULL)
        return lido_manager_session_with(manager, name, NULL); /* which refuses it */
    return find_or_open(manager, name, database);
}

void lido_scoped_remove(lido_manager *manager) {
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++) {
        scoped *at = lido_local(&manager->databases[i]);
        if (at != NULL)
            close_scoped(at);
    }
}
