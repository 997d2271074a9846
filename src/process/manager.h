/* The manager's inside, for the files of src/process.
 *
 * manager.c configures, and makes a worker; retire.c ends it; sessions.c opens sessions on its engines, scoped.c keeps
 * one for each thread or task.
 *
 * The configurations are the parent's, and come to its children by fork. The engines are a worker's: they are this
 * process's if `process` is the count of forks that the process has come from, else they are a parent's, and nobody's
 * here. The lock guards all below, and is a leaf: engines are opened and closed outside it, and who opens a session
 * holds the engine by its own count. */
#ifndef LIDO_PROCESS_MANAGER_H
#define LIDO_PROCESS_MANAGER_H

#include <pthread.h>
#include <stdatomic.h>

#include <lido/manager.h>

#include "core/engine.h"

typedef struct lido__database {
    char name[LIDO_DATABASE_NAME_MOST + 1]; /* "": this place is free */
    lido__config config;
    lido_engine *engine; /* NULL: none */
} lido__database;

typedef struct lido__shared_metrics lido__shared_metrics; /* see shared_metrics.h */

typedef enum lido__stage {
    LIDO__UNCONFIGURED,
    LIDO__CONFIGURED,
    LIDO__WORKING, /* the engines are open, in this process or in the one that it was forked from */
    LIDO__RETIRED  /* they were closed */
} lido__stage;

struct lido_manager {
    pthread_rwlock_t lock;
    lido__stage stage;
    bool shared;      /* lido_workers_run shares it with workers, here or in the parent: it stays as it is configured */
    uint64_t process; /* while WORKING: whose the engines are, as lido__fork_count says */
    atomic_uint_fast64_t age; /* grows with each start and each end of a worker: sessions of an earlier age are over */
    lido__shared_metrics *metrics;                 /* of a parent and its workers; NULL: there are none */
    lido_engine *put_off;                          /* closed ones, to be let go; see collect.c */
    lido__database databases[LIDO_DATABASES_MOST]; /* the first is "default"; none ever moves or goes */
};

/* Under the lock: NULL: there is none of this name. `name` NULL: "default". */
lido__database *lido__manager_find(lido_manager *manager, const char *name);
/* Under the lock: where metrics are to be served, as the first database's configuration says; NULL: nowhere. */
const char *lido__manager_metrics_address(const lido_manager *manager);
/* Under the lock: takes the engines out; `engines` has room for LIDO_DATABASES_MOST. How many there were. */
size_t lido__manager_take_engines(lido_manager *manager, lido_engine **engines, lido__stage stage);
/* Under the lock: whether this process has been made a worker. */
bool lido__manager_works(const lido_manager *manager);

#endif
