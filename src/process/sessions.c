/* Sessions on the manager's engines; and the engines themselves, for programs that want them. */
#include "base/fault.h"
#include "core/session.h"
#include "process/manager.h"

/* Why there is no engine. */
typedef enum lack { NO_CONFIGURATION, NO_WORKER, NOT_THIS_PROCESS, WORKER_CLOSED, NO_DATABASE, LACKS } lack;

static lido_session refused[LACKS] = {
    [NO_CONFIGURATION] =
        LIDO__SESSION_REFUSED(LIDO_ERROR_MISUSE, "the manager has no database",
                              "call lido_manager_configure, and lido_manager_init_worker in the process that works"),
    [NO_WORKER] = LIDO__SESSION_REFUSED(LIDO_ERROR_MISUSE, "this process is no worker yet",
                                        "call lido_manager_init_worker before the first session"),
    [NOT_THIS_PROCESS] = LIDO__SESSION_REFUSED(
        LIDO_ERROR_MISUSE, "the worker that was initialised is the process that this one was forked from",
        "call lido_manager_init_worker in this process, too"),
    [WORKER_CLOSED] = LIDO__SESSION_REFUSED(LIDO_ERROR_MISUSE, "the worker was closed",
                                            "call lido_manager_init_worker again if it is to go on"),
    [NO_DATABASE] = LIDO__SESSION_REFUSED(LIDO_ERROR_MISUSE, "the manager has no database of this name",
                                          "call lido_manager_configure_database before lido_manager_init_worker")};

static lack why_not(const lido_manager *manager) {
    switch (manager->stage) {
    case LIDO__UNCONFIGURED:
        return NO_CONFIGURATION;
    case LIDO__CONFIGURED:
        return NO_WORKER;
    case LIDO__RETIRED:
        return WORKER_CLOSED;
    case LIDO__WORKING:
        return lido__manager_works(manager) ? NO_DATABASE : NOT_THIS_PROCESS;
    }
    return NO_CONFIGURATION;
}

/* Held, if there is one; else *lacking says why there is none. */
static lido_engine *hold_engine(lido_manager *manager, const char *name, lack *lacking) {
    lido_engine *engine = NULL;
    pthread_rwlock_rdlock(&manager->lock);
    const lido__database *database = lido__manager_works(manager) ? lido__manager_find(manager, name) : NULL;
    if (database != NULL)
        engine = database->engine;
    if (engine != NULL)
        lido__engine_hold(engine);
    else
        *lacking = why_not(manager);
    pthread_rwlock_unlock(&manager->lock);
    return engine;
}

lido_engine *lido_manager_engine(lido_manager *manager, const char *name, lido_error *error) {
    lack lacking;
    lido_engine *engine = hold_engine(manager, name, &lacking);
    if (error != NULL)
        lido__fault_clear(error);
    if (engine != NULL) {
        lido__engine_let_go(engine);
    } else if (error != NULL) {
        *error = refused[lacking].error;
        lido__fault_field(error->doing, sizeof error->doing, "asking the manager for an engine");
    }
    return engine;
}

lido_session *lido_manager_session_with(lido_manager *manager, const char *name, const lido_session_options *options) {
    lack lacking;
    lido_engine *engine = hold_engine(manager, name, &lacking);
    if (engine == NULL)
        return &refused[lacking];
    lido_session *session = lido_session_open(engine, options);
    lido__engine_let_go(engine);
    return session;
}

lido_session *lido_manager_session(lido_manager *manager) {
    return lido_manager_session_with(manager, NULL, NULL);
}
