/* The process's manager: its databases, and the engines of its worker. */
#include "process/manager.h"

#include <stdlib.h>
#include <string.h>

#include "base/convert.h"
#include "base/fault.h"
#include "core/fork.h"

#define DEFAULT_NAME "default"

/* Who would open or close the worker goes before those who look for a session: with the usual lock, which lets readers
 * pass, some threads that ask again and again kept it out for seconds. Nobody takes it twice. */
#define MANAGER_LOCK PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP

static lido_manager the_manager = {.lock = MANAGER_LOCK};

/* ---- One for each process ---- */

static void before_fork(void) {
    pthread_rwlock_wrlock(&the_manager.lock);
}

static void after_fork_in_parent(void) {
    pthread_rwlock_unlock(&the_manager.lock);
}

/* The thread that has the lock is another one here. */
static void after_fork_in_child(void) {
    the_manager.lock = (pthread_rwlock_t)MANAGER_LOCK;
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

const char *lido__manager_metrics_address(const lido_manager *manager) {
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++)
        if (manager->databases[i].name[0] != '\0' && manager->databases[i].config.metrics_address != NULL)
            return manager->databases[i].config.metrics_address;
    return NULL;
}

/* ---- Configuring ---- */

static bool misuse(lido_error *error, const char *message, const char *hint) {
    lido__fault(error, LIDO_ERROR_MISUSE, "%s", message);
    lido__fault_hint(error, "%s", hint);
    return false;
}

static bool check_name(const char *name, lido_error *error) {
    size_t length = strlen(name);
    if (length == 0 || length > LIDO_DATABASE_NAME_MOST)
        return lido__fault(error, LIDO_ERROR_MISUSE, "the name of a database has %zu bytes: 1 to %d are allowed",
                           length, LIDO_DATABASE_NAME_MOST);
    if (!lido__utf8_valid(name, length)) /* metrics are told by it, in UTF-8 */
        return lido__fault(error, LIDO_ERROR_MISUSE, "the name of a database is not UTF-8");
    return true;
}

/* Under the lock. The configuration is the manager's then. */
static bool put(lido_manager *manager, const char *name, const lido__config *config, lido_error *error) {
    lido__database *database = find_place(manager, name);
    if (lido__manager_works(manager))
        return misuse(error, "this process is a worker already",
                      "call lido_manager_close_worker first, or configure before lido_manager_init_worker");
    if (manager->shared) /* workers of before and of after would not have the same databases, and turns to write */
        return misuse(error, "this process's workers run with what was configured",
                      "configure before lido_workers_run, or after it has returned");
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

/* What a worker is made of, before the manager has it. */
typedef struct opening {
    lido__config configs[LIDO_DATABASES_MOST];
    lido_engine *engines[LIDO_DATABASES_MOST]; /* NULL: there is no such database */
} opening;

/* Under the lock. False, with *error set and nothing copied, if memory ran out. */
static bool copy_configs(lido_manager *manager, opening *to, lido_error *error) {
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++) {
        lido__database *database = &manager->databases[i];
        if (database->name[0] == '\0' || lido__config_share(&database->config, &to->configs[i], error))
            continue;
        while (i-- > 0)
            lido__config_done(&to->configs[i]);
        return false;
    }
    return true;
}

/* All configurations are used up. */
static bool open_engines(opening *in, const lido_init_options *options, lido_error *error) {
    int least = options != NULL && options->verify;
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++) {
        if (in->configs[i].display == NULL)
            continue;
        if (error->status == LIDO_OK)
            in->engines[i] = lido__engine_open_with(&in->configs[i], error);
        else
            lido__config_done(&in->configs[i]);
    }
    for (size_t i = 0; i < LIDO_DATABASES_MOST && error->status == LIDO_OK; i++)
        if (in->engines[i] != NULL)
            lido__engine_warm(in->engines[i], least, error);
    return error->status == LIDO_OK;
}

/* Under the lock. What was there before, a parent process's, is left in its place. */
static void install(lido_manager *manager, opening *in) {
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++) {
        lido_engine *inherited = manager->databases[i].engine;
        manager->databases[i].engine = in->engines[i];
        in->engines[i] = inherited;
    }
    manager->stage = LIDO__WORKING;
    manager->process = lido__fork_count();
    atomic_fetch_add_explicit(&manager->age, 1, memory_order_release);
}

static void close_engines(opening *in) {
    for (size_t i = 0; i < LIDO_DATABASES_MOST; i++)
        lido_engine_close(in->engines[i]);
}

/* Of two threads that do this at once, the second to be ready throws away what it has. */
static bool init_worker(lido_manager *manager, const lido_init_options *options, opening *in, lido_error *error) {
    pthread_rwlock_wrlock(&manager->lock);
    bool works = lido__manager_works(manager);
    bool configured = manager->stage != LIDO__UNCONFIGURED;
    bool copied = !works && configured && copy_configs(manager, in, error);
    pthread_rwlock_unlock(&manager->lock);
    if (works)
        return true;
    if (!configured)
        return misuse(error, "the manager has no database",
                      "call lido_manager_configure first, in this process or in the one that it is forked from");
    if (copied && open_engines(in, options, error)) {
        pthread_rwlock_wrlock(&manager->lock);
        if (!lido__manager_works(manager))
            install(manager, in);
        pthread_rwlock_unlock(&manager->lock);
    }
    close_engines(in);
    return error->status == LIDO_OK;
}

lido_status lido_manager_init_worker(lido_manager *manager, const lido_init_options *options, lido_error *error) {
    lido_error ignored;
    if (error == NULL)
        error = &ignored;
    lido__fault_clear(error);
    opening *in = calloc(1, sizeof *in);
    if (in != NULL)
        init_worker(manager, options, in, error);
    else
        lido__fault_memory(error, "initialising a worker");
    free(in);
    if (error->status != LIDO_OK)
        lido__fault_doing(error, "initialising a worker");
    return error->status;
}
