/* A pool over a database that opens, fails, blocks and dies as it is told, and a clock that the test moves.
 *
 * Each test begins with scripted_begin, sets what it wants in `config`, calls make_pool, and ends with scripted_end,
 * which fails it if anything is left. */
#ifndef LIDO_TESTS_SUPPORT_SCRIPTED_H
#define LIDO_TESTS_SUPPORT_SCRIPTED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/pool.h"
#include "support/chance.h"

/* ---- The database ---- */

typedef struct scripted_database {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int limit;             /* of connections at a time, those being opened counted; more fail the test */
    int failures;          /* how many of the next openings fail, */
    lido_category failure; /* and why; none: disconnected */
    bool shut;             /* openings wait until it is not, */
    int let_through;       /* but for the one that was so manyth an attempt */
    int opening;           /* of these, how many wait now */
    int attempts;          /* openings, failed ones among them */
    int open;              /* opened, or being opened, and neither closed nor abandoned */
    int most;              /* the most that were open at a time */
    int closed;
    int looks;    /* how often a connection was looked at, */
    int pings;    /* and asked */
    bool deaf;    /* pings are not answered */
    bool demoted; /* who is doubted is told that the server refuses writes */
    int most_ms_for_a_ping;
    bool cancels_wait; /* until it is not so */
    bool pings_wait;
    int cancelling; /* of the cancels, how many wait now */
    int pinging;
    int cancels;
    int given_up; /* cancels of what was cancelled before */
    int attached;
    bool not_attachable;
    int disarmed;
    int abandoned;
    int misused; /* what nobody may do: closing one that is being cancelled, or inherited; abandoning one's own */
    int next_number;
} scripted_database;

typedef struct scripted_connection {
    lido__connection base;
    int number;       /* in the order of opening, from 1 */
    bool dead;        /* looking at it shows that */
    bool gone;        /* and that its server went */
    bool disarmed;    /* a parent process's */
    int cancelled_by; /* how many are at it */
    atomic_bool held; /* for tests to see that nobody else has it */
} scripted_connection;

scripted_connection *of(lido__connection *connection);
int number_of(lido__connection *connection);

/* Openings wait from now on, or go on. */
void let_open(bool may);
void wait_until_opening(int count);
/* The opening that was so manyth an attempt goes on, while others wait. */
void let_through(int attempt);
/* Cancels wait from now on, or go on; pings, too. */
void let_cancels_end(bool may);
void let_pings_end(bool may);
void wait_until_cancelling(int count);
void wait_until_pinging(int count);
/* The next openings fail. Safe while others open. */
void let_fail(int count);

/* ---- The clock ---- */

/* It runs, until the test makes it stand still; either way the test may move it. */
void time_stands_still(void);
void time_passes_ms(int64_t ms);
void time_passes_us(int64_t us);

/* ---- The pool of a test ---- */

extern scripted_database database;
extern lido__config config;
extern lido__pool pool;
extern lido_error told; /* by the last acquire of the test itself */

int scripted_begin(void **state);
/* Every test ends with all connections given back; whatever was opened must then be closed. */
int scripted_end(void **state);
void make_pool(int size, int overflow);
/* Nobody tidies: for tests that say themselves what happens when. */
void without_keeper(void);

#define POOL_TEST(test) cmocka_unit_test_setup_teardown(test, scripted_begin, scripted_end)

/* As if each time somebody else took it: what one thread can do to itself has tests of its own. */
lido__connection *acquire_at(const char *file, int line, lido_error *error);
/* For a session of a thread that may have others. */
lido__connection *acquire_for(const void *holder, uint64_t owner, lido_error *error);
lido__connection *acquire(void);
lido__connection *acquire_surely(void);
void release(lido__connection *connection);
/* How often acquire fails now, and why. */
void assert_refused(lido_category category);
/* The idle connections, newest first; how many. Nobody else may use the pool meanwhile. */
int idle_now(lido__connection **idle, int most);
lido_pool_stats stats_now(void);

/* ---- Somebody else who wants a connection ---- */

typedef struct customer {
    pthread_t thread;
    bool patient;   /* waits however long it takes */
    bool keeps;     /* what it got, for the test to give back */
    uint64_t owner; /* 0: somebody new */
    lido_error error;
    lido__connection *got;
    int number;    /* of the connection it got; 0: none */
    int served_as; /* the how-manyth it was, from 1 */
} customer;

/* How many customers were served so far, for `served_as`. */
extern atomic_int served;

/* It takes a connection and gives it back at once. */
void let_come(customer *who, bool patient);
/* Returns when the customer stands in the queue, behind all who stood there before. */
void let_queue(customer *who, bool patient);
/* The same for a patient one in a thread of its own that may have sessions, and that keeps what it gets. */
void let_come_as(customer *who, uint64_t owner);
void let_queue_as(customer *who, uint64_t owner);
void wait_for(customer *who);

lido__pool_waiter *last_in_queue(void);

/* Waits for what another thread is about to do; false if it is not so after many seconds. */
bool soon(bool (*so)(void));

#endif
