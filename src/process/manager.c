/* The process's manager: its databases, the engines of its worker, and sessions on them. */
#include "process/manager.h"

#include <string.h>

#include "base/fault.h"
#include "core/fork.h"
#include "core/session.h"

#define DEFAULT_NAME "default"

static lido_manager the_manager = {.lock = PTHREAD_RWLOCK_INITIALIZER};

/* ---- One for each process ---- */

static void before_fork(void) {
    pthread_rwlock_wrlock(&the_manager.lock);
}

static void after_fork_in_parent(void) {
    pthread_rwlock_unlock(&the_manager.lock);
}

/* The thread that has the lock is another one here. */
static void after_fork_in_child(void) {
    the_manager.lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
}

/* Whatever thread comes first makes it, and the others wait for that: the flag is looked at without the lock, and once
 * more under it. */
lido_manager *lido_manager_get(void) {
    static atomic_bool made;
    static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;
    if (atomic_load_explicit(&made, memory_order_acquire))
        return &the_manager;
    pthread_mutex_lock(&making);
    if (!atomic_load_explicit(&made, memory_order_relaxed)) {
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
        atomic_store_explicit(&made, true, memory_order_release);
    }
    pthread_mutex_unlock(&making);
    return &the_manager;
}

bool lido__manager_works(const lido_manager *manager) {
    return manager->stage == LIDO__WORKING && manager->process == lido__fork_count();
}

/* "" looks for a free place. */
static lido__database *find_place(lido_manager *manager, const char *name) {
    if (strcmp(name, DEFAULT_NAME) == 0)
        return &manager->databases[0];
    for (size_t i = 1; i < LIDO_DATABASES_MOST; i++)
        if (strcmp(manager->databases[i].name, name) == 0)
            return &manager->databases[i];
    return NULL;
}

lido__database *lido__manager_find(lido_manager *manager, const char *name) {
    lido__database *found = find_place(manager, name != NULL ? name : DEFAULT_NAME);
    return found != NULL && found->name[0] != '\0' ? found : NULL;
}

/* ---- Configuring ---- */

static bool misuse(lido_error *error, const char *message, const char *hint) {
    lido__fault(error, LIDO_ERROR_MISUSE, "%s", message);
    lido__fault_hint(error, "%s", hint);
    return false;
}

static bool check_name(const char *name, lido_error *error) {
    size_t length = strlen(name);
    if (length > 0 && length <= LIDO_DATABASE_NAME_MOST)
        return true;
    return lido__fault(error, LIDO_ERROR_MISUSE, "the name of a database has %zu bytes: 1 to %d are allowed", length,
                       LIDO_DATABASE_NAME_MOST);
}

/* Under the lock. The configuration is the manager's then. */
static bool put(lido_manager *manager, const char *name, const lido__config *config, lido_error *error) {
    lido__database *database = find_place(manager, name);
    if (lido__manager_works(manager))
        return misuse(error, "this process is a worker already",
                      "call lido_manager_close_worker first, or configure before lido_manager_init_worker");
    if (database == NULL)
        database = find_place(manager, "");
    if (database == NULL)
        return lido__fault(error, LIDO_ERROR_MISUSE, "there are %d databases already, the most that a manager has",
                           LIDO_DATABASES_MOST);
    lido__fault_field(database->name, sizeof database->name, name);
    lido__config_done(&database->config);
    database->config = *config;
    if (manager->stage == LIDO__UNCONFIGURED)
        manager->stage = LIDO__CONFIGURED;
    return true;
}

static bool configure(lido_manager *manager, const char *name, const char *url, const lido_options *options,
                      lido_error *error) {
    lido__config config;
    if (!check_name(name, error) || !lido__config_read(&config, url, options, error))
        return false;
    pthread_rwlock_wrlock(&manager->lock);
    bool done = put(manager, name, &config, error);
    pthread_rwlock_unlock(&manager->lock);
    if (!done)
        lido__config_done(&config);
    return done;
}

lido_status lido_manager_configure_database(lido_manager *manager, const char *name, const char *url,
                                            const lido_options *options, lido_error *error) {
    lido_error ignored;
    if (error == NULL)
        error = &ignored;
    lido__fault_clear(error);
    if (configure(manager, name != NULL ? name : DEFAULT_NAME, url, options, error))
        return LIDO_OK;
    lido__fault_doing(error, "configuring the manager");
    return LIDO_ERROR;
}

lido_status lido_manager_configure(lido_manager *manager, const lido_options *options, lido_error *error) {
    return lido_manager_configure_database(manager, DEFAULT_NAME, NULL, options, error);
}

/* ---- A worker's beginning ---- */

size_t lido__manager_take_engines(lido_manager *manager, lido_engine **engines, lido__stage stage) {
    size_t taken = 0;
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++) {
        if (manager->databases[i].engine != NULL)
            engines[taken++] = manager->databases[i].engine;
        manager->databases[i].engine = NULL;
    }
    manager->stage = stage;
    atomic_fetch_add_explicit(&manager->age, 1, memory_order_release);
    return taken;
}

static void close_engines(lido_engine **engines, size_t count) {
    for (size_t i = 0; i < count; i++)
        lido_engine_close(engines[i]);
}

/* Under the lock. Those of a parent process that were there are the caller's to close. */
static bool open_engines(lido_manager *manager, lido_engine **inherited, size_t *inherited_count, lido_error *error) {
    *inherited_count = lido__manager_take_engines(manager, inherited, LIDO__WORKING);
    manager->process = lido__fork_count();
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++) {
        lido__database *database = &manager->databases[i];
        if (database->name[0] == '\0')
            continue;
        database->engine = lido__engine_open_with(&database->config, error);
        if (database->engine == NULL)
            return false;
    }
    return true;
}

static bool warm(lido_manager *manager, const lido_init_options *options, lido_error *error) {
    int least = options != NULL && options->verify;
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++)
        if (manager->databases[i].engine != NULL && !lido__engine_warm(manager->databases[i].engine, least, error))
            return false;
    return true;
}

static void take_back(lido_manager *manager) {
    lido_engine *engines[LIDO_DATABASES_MOST];
    pthread_rwlock_wrlock(&manager->lock);
    size_t count = lido__manager_take_engines(manager, engines, LIDO__CONFIGURED);
    pthread_rwlock_unlock(&manager->lock);
    close_engines(engines, count);
}

/* Only the thread that made this process a worker gets that far, so the engines stay where they are. */
static bool init_worker(lido_manager *manager, const lido_init_options *options, lido_error *error) {
    lido_engine *inherited[LIDO_DATABASES_MOST];
    size_t inherited_count = 0;
    pthread_rwlock_wrlock(&manager->lock);
    bool works = lido__manager_works(manager);
    bool configured = manager->stage != LIDO__UNCONFIGURED;
    bool opened = !works && configured && open_engines(manager, inherited, &inherited_count, error);
    pthread_rwlock_unlock(&manager->lock);
    close_engines(inherited, inherited_count);
    if (works)
        return true;
    if (!configured)
        return misuse(error, "the manager has no database",
                      "call lido_manager_configure first, in this process or in the one that it is forked from");
    if (opened && warm(manager, options, error))
        return true;
    take_back(manager);
    return false;
}

lido_status lido_manager_init_worker(lido_manager *manager, const lido_init_options *options, lido_error *error) {
    lido_error ignored;
    if (error == NULL)
        error = &ignored;
    lido__fault_clear(error);
    if (init_worker(manager, options, error))
        return LIDO_OK;
    lido__fault_doing(error, "initialising a worker");
    return LIDO_ERROR;
}

/* ---- Sessions ---- */

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

/* Under the lock. NULL: there is none. */
static lido_engine *find_engine(lido_manager *manager, const char *name) {
    const lido__database *database = lido__manager_works(manager) ? lido__manager_find(manager, name) : NULL;
    return database != NULL ? database->engine : NULL;
}

lido_engine *lido_manager_engine(lido_manager *manager, const char *name, lido_error *error) {
    pthread_rwlock_rdlock(&manager->lock);
    lido_engine *engine = find_engine(manager, name);
    lack lacking = engine == NULL ? why_not(manager) : LACKS;
    pthread_rwlock_unlock(&manager->lock);
    if (error != NULL)
        lido__fault_clear(error);
    if (error != NULL && engine == NULL) {
        *error = refused[lacking].error;
        lido__fault_field(error->doing, sizeof error->doing, "asking the manager for an engine");
    }
    return engine;
}

lido_session *lido__manager_open(lido_manager *manager, const char *name, const lido_session_options *options) {
    lido_engine *engine = find_engine(manager, name);
    return engine != NULL ? lido_session_open(engine, options) : &refused[why_not(manager)];
}

lido_session *lido_manager_session_with(lido_manager *manager, const char *name, const lido_session_options *options) {
    pthread_rwlock_rdlock(&manager->lock);
    lido_session *session = lido__manager_open(manager, name, options);
    pthread_rwlock_unlock(&manager->lock);
    return session;
}

lido_session *lido_manager_session(lido_manager *manager) {
    return lido_manager_session_with(manager, NULL, NULL);
}
