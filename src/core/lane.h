/* Lanes: a few connections of each loop, shared by its sessions that only read, in autocommit mode.
 *
 * A statement is queued in its loop's group, and its task parks. When all tasks that could run have, the group gives
 * what is queued to its lanes and sends it, in one piece for each; what comes back wakes the tasks. What others did
 * wrong is nobody's business: who was skipped for a neighbour's failure flies again by itself, and who would have to
 * wait too long behind somebody, or whose lane was lost, is told to run on a connection of his own. All of it only
 * reads, so running it twice is nothing.
 *
 * lanes.c is the engine's part, lane_group.c a loop's: the queue, and choosing; lane.c one connection and what is
 * under way on it; flight.c the task that waits. Everything of a group is its loop's thread's, save where said. */
#ifndef LIDO_CORE_LANE_H
#define LIDO_CORE_LANE_H

#include "await/await.h"
#include "core/pool.h"

struct lido_session;

typedef enum lido__lane_fate {
    LIDO__LANE_WAITS,
    LIDO__LANE_RAN,       /* the batch was run, with or without an error of its own */
    LIDO__LANE_LATE,      /* its deadline has passed */
    LIDO__LANE_CANCELLED, /* for the engine is being drained */
    LIDO__LANE_ELSEWHERE  /* it was not run, and is to be run on a connection of its own */
} lido__lane_fate;

/* A task's wait, on its stack. */
typedef struct lido__lane_wait {
    lido__near near;
    lido__lane_fate fate;
    struct lido__lane_flight *flight; /* as long as it waits */
} lido__lane_wait;

/* A statement on its way; its group's. It outlives its task's interest in it: what has been sent will be answered. */
typedef struct lido__lane_flight {
    lido__flight flight;   /* first */
    lido__lane_wait *wait; /* NULL, as the batch is then: nobody waits any more, */
    int64_t left;          /* since then, by the recent clock */
    int64_t since;         /* when it was queued last, the same */
    uint64_t number;       /* of those sent on the lane, */
    uint64_t company;      /* and of those that stand or fall together, counted */
    struct lido__lane_flight *next;
} lido__lane_flight;

typedef struct lido__flight_list {
    lido__lane_flight *first;
    lido__lane_flight **last; /* where the next one is put */
} lido__flight_list;

typedef struct lido__lane_group lido__lane_group;

/* A cancel that is being sent from another thread. It may outlive the lane that wanted it, and its group. */
typedef struct lido__lane_cancel {
    struct lido_engine *engine; /* held until it was sent */
    lido__connection *connection;
    lido__lane_group *group; /* under the lock of lido__lanes; NULL: nobody wants to hear of it any more */
    bool sees_off;           /* the connection was left with something under way on it */
    atomic_bool sent;
    atomic_int references; /* the thread's and the lane's */
} lido__lane_cancel;

typedef struct lido__lane {
    lido__lookout lookout; /* first */
    lido__lane_group *group;
    lido__connection *connection; /* taken from the pool of lido__lanes; NULL: none */
    lido__flight_list under_way;  /* in the order in which they were sent */
    unsigned count;               /* of them */
    unsigned unsynced;            /* of the newest, which stand or fall with what comes next */
    bool unsent;                  /* something may be in the buffer */
    uint64_t sent;                /* flights so far, */
    uint64_t companies;           /* and companies */
    bool writing;                 /* the socket did not take all at once */
    int64_t heard;                /* when something came last, by the recent clock; or when nothing was to come */
    lido__lane_cancel *cancel;    /* under way: nothing is sent meanwhile, so that it hits nobody who comes later */
    uint64_t hit_through; /* flights up to this number may have been hit by a cancel that was not meant for them */
    int64_t cancelled;    /* when the first cancel was begun since something came; 0: none was */
    int64_t cancel_again; /* when the next may be */
} lido__lane;

/* A loop's. */
struct lido__lane_group {
    lido__attendant attendant;  /* first */
    struct lido_engine *engine; /* held */
    lido__lane_group *next;     /* in the lanes' list, under its lock */
    lido__flight_list queue;
    lido__lane_flight *spare;  /* to be used again */
    unsigned waiting;          /* in the queue */
    unsigned open;             /* lanes */
    unsigned opening;          /* tasks that are about to open one */
    unsigned passengers;       /* tasks that use the group, and calls of its own that run tasks: it must not leave */
    atomic_uint aboard;        /* statements that wait or fly; others read it under the lock of the lanes */
    atomic_bool all_cancelled; /* by another thread, which then called */
    int64_t not_before;        /* when a lane that could not be opened is tried again */
    unsigned count;
    lido__lane lanes[];
};

/* An engine's. */
typedef struct lido__lanes {
    bool used;            /* the engine has any */
    lido__config config;  /* the engine's, but for what is different here */
    lido__pool pool;      /* of their connections, beside the engine's own */
    pthread_mutex_t lock; /* a leaf; guards the lists, and is held across a fork */
    lido__lane_group *groups;
    lido__lane_group *inherited; /* in a child: the parent's, to be freed with the engine */
    size_t cancels;              /* being sent */
    atomic_bool told_why_not;    /* there were none once, and that was logged */
} lido__lanes;

/* ---- lanes.c ---- */

/* Of a new engine, whose own pool is there. False: no memory. */
bool lido__lanes_init(struct lido_engine *engine);
/* When nothing refers to the engine any more. */
void lido__lanes_done(lido__lanes *lanes);
/* The engine is being closed: its lanes are given up, those of other threads' loops soon. */
void lido__lanes_close(struct lido_engine *engine);
/* Logs why there are no lanes, the first time. */
void lido__lanes_tell_why_not(struct lido_engine *engine, const char *reason);
/* How many statements wait or fly on them, from any thread. */
unsigned lido__lanes_aboard(lido__lanes *lanes);
/* Cancels them, from any thread; soon, and as far as their loops run. */
void lido__lanes_cancel_all(lido__lanes *lanes);
/* How many cancels are being sent. */
size_t lido__lanes_cancels(lido__lanes *lanes);
/* How many of the engine's references are its groups', or cancels'. */
size_t lido__lanes_references(struct lido_engine *engine);
/* Around a fork, beside what is done for the pool. */
void lido__lanes_before_fork(struct lido_engine *engine);
void lido__lanes_after_fork_in_parent(struct lido_engine *engine);
void lido__lanes_after_fork_in_child(struct lido_engine *engine);
/* It holds the engine from here on, */
void lido__lanes_add_group(lido__lanes *lanes, lido__lane_group *group);
/* to here; true: it is the last, and the caller is to let go of it. */
bool lido__lanes_remove_group(lido__lanes *lanes, lido__lane_group *group);
/* Begins to cancel what runs on a connection of the group's, from another thread; the group is called when that has
 * been sent. NULL: no memory, or it is being closed. */
lido__lane_cancel *lido__lanes_cancel(lido__lane_group *group, lido__connection *connection);
/* Cancels it for good, in the same manner, before the connection is given back, which closes it: without this the
 * server would be at it to its end, for it does not notice that nobody is there. */
void lido__lanes_see_off(lido__lane_group *group, lido__connection *connection);
/* The lane does not want to hear of it any more, or has. */
void lido__lanes_cancel_forget(lido__lanes *lanes, lido__lane_cancel *cancel);

/* ---- lane_group.c ---- */

/* The group of the running task's loop. NULL: this is no task, or there is no memory. */
lido__lane_group *lido__lane_group_get(struct lido_engine *engine);
/* Queues the batch for the end of the turn; `now` by the recent clock. False: no memory. */
bool lido__lane_group_add(lido__lane_group *group, lido__batch *batch, lido__lane_wait *wait, int64_t now);
/* Who waits does so no longer. */
void lido__lane_group_leave_alone(lido__lane_group *group, lido__lane_wait *wait);
/* Back into the queue. */
void lido__lane_group_queue(lido__lane_group *group, lido__lane_flight *flight, int64_t now);
/* Tells who waits for it, if anybody does; then nobody does. */
void lido__lane_flight_tell(lido__lane_flight *flight, lido__lane_fate fate);
/* The same, and it is not on its way any more. */
void lido__lane_flight_end(lido__lane_group *group, lido__lane_flight *flight, lido__lane_fate fate);
/* There is something to be looked at no later than that. */
void lido__lane_group_look_at(lido__lane_group *group, int64_t moment);
/* Opens what lanes are missing, in the running task. False: the lease's holder was cancelled over that. */
bool lido__lane_group_open(lido__lane_group *group, const lido__lease *lease);
/* Whether any are, and may be opened now. */
bool lido__lane_group_lacks(const lido__lane_group *group);
/* Frees all: in lanes.c, in the child of a fork. */
void lido__lane_group_free(lido__lane_group *group);
/* Called from lanes.c on the loop's thread: the engine is closed. */
void lido__lane_group_leave_if_done(lido__lane_group *group);

void lido__flight_list_init(lido__flight_list *list);
void lido__flight_list_add(lido__flight_list *list, lido__lane_flight *flight);
lido__lane_flight *lido__flight_list_take(lido__flight_list *list);

/* ---- lane.c ---- */

/* Makes a lane of a connection; false, with *error set: it cannot be one, and was given back. */
bool lido__lane_open(lido__lane *lane, lido__connection *connection, lido_error *error);
/* Gives its connection back. Who is under way on it runs elsewhere, and the server is told to leave it. */
void lido__lane_close(lido__lane *lane);
/* Whether it takes one more now, by the recent clock. */
bool lido__lane_takes(const lido__lane *lane, int64_t now);
void lido__lane_send(lido__lane *lane, lido__lane_flight *flight);
/* What was given to it goes out. */
void lido__lane_flush(lido__lane *lane);
/* Looks after the time. Returns when to look again. */
int64_t lido__lane_look(lido__lane *lane, int64_t now);
/* Who is under way on it is told so. Closes it, if anything is. */
void lido__lane_cancel_all(lido__lane *lane);
/* A cancel has been sent, maybe this lane's. */
void lido__lane_hear_of_cancel(lido__lane *lane);

/* ---- flight.c ---- */

/* Whether a batch is for a lane, if the session is in a task whose loop has any. One that was slow is not, and has had
 * one of the runs for which it is kept off then. */
bool lido__lanes_take(struct lido_session *session, const lido__batch *batch);
/* Runs it on one. False: it was not run, and is to be run on a connection of the session's own; */
bool lido__lanes_run(struct lido_session *session, lido__batch *batch);
/* it got that then, and has now been run there: if it took long, it is not let in for a while. */
void lido__lanes_learn(const lido__sql *sql, int64_t began);
/* From any thread. Cancels what the session has under way there; false: nothing. */
bool lido__lanes_cancel_session(struct lido_session *session);

#endif
