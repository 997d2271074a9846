/* The parent of workers: forks them, hears of them, replaces those that died or are worn, ends them.
 *
 * Each number from 0 to count - 1 is a *seat*, in which one worker works. While that is replaced there are two: it and
 * its successor, which takes the seat when it is ready; then the other is told to stop. Only one is replaced at a time.
 *
 *     STARTING --ready--> READY --told to stop--> STOPPING --> gone
 *
 * One that goes out of any other state than STOPPING has died. Only spawn.c forks, and only supervisor.c moves a child
 * from one state to the next. All of it is the business of the one thread that called lido_workers_run. */
#ifndef LIDO_PROCESS_SUPERVISOR_H
#define LIDO_PROCESS_SUPERVISOR_H

#include <sys/types.h>

#include "backend/shared_turn.h"
#include "process/endpoint.h"
#include "process/manager.h"
#include "process/worker.h"

typedef enum lido__child_state {
    LIDO__CHILD_NONE, /* this place is free */
    LIDO__CHILD_STARTING,
    LIDO__CHILD_READY,
    LIDO__CHILD_STOPPING
} lido__child_state;

enum { LIDO__NO_SEAT = -1 }; /* of the child that asks the server for its limit */

typedef struct lido__child {
    lido__child_state state;
    pid_t pid;
    int seat;
    bool second;    /* which of the seat's slots for metrics it has */
    bool successor; /* another one has the seat yet */
    bool worn;      /* to be replaced */
    bool killed;
    int notes;     /* the pipe's end that is read; -1: it has ended */
    int64_t since; /* when it was forked, or ready; moments of the monotonic clock */
    int64_t until; /* STARTING, STOPPING: when it is killed; READY: when it is worn */
} lido__child;

typedef struct lido__seat {
    int forks;  /* how often one was forked for it */
    int died;   /* and how many of these have died; */
    int deaths; /* in a row, each soon after the start */
    int64_t next_try;
} lido__seat;

typedef struct lido__supervisor {
    lido_manager *manager;
    lido_workers workers;                          /* with the defaults filled in */
    lido__shared_turn *turns[LIDO_DATABASES_MOST]; /* to write to a SQLite file; NULL: that database is none */
    int *listeners;
    int listener_count;
    lido__seat *seats;
    lido__child *children;
    int places;      /* of them */
    int64_t *deaths; /* when the last crashes_most happened: a ring */
    int death_next;
    int events; /* an epoll: of the signals' pipe and the notes */
    int signals;
    char *metrics; /* where they are served; NULL: nowhere */
    bool serves;   /* the endpoint is open */
    lido__endpoint endpoint;
    bool stopping;
    bool told_ready;
    int64_t next_watchdog;
    lido_error last; /* why a worker failed, if one could tell */
    lido_error *error;
} lido__supervisor;

/* Forks a worker for the seat, or, for LIDO__NO_SEAT, the child that asks for the server's limit. NULL: it did not
 * work, which the log has been told. */
lido__child *lido__spawn(lido__supervisor *supervisor, int seat);

/* supervisor_pages.c: opens the metrics address, if there is to be one. False with *error set. */
bool lido__supervisor_serve(lido__supervisor *supervisor, lido_error *error);

/* Until all have ended. False, with the supervisor's error set, if they were not told to. */
bool lido__supervise(lido__supervisor *supervisor);

/* limit.c, in a child of its own: tells by notes where all workers together may open more connections than the server
 * allows, and ends the process. */
_Noreturn void lido__limit_ask(const lido__assignment *assignment);

#endif
