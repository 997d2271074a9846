/* What a database must be able to do: one table of functions, and the data that passes through it.
 *
 * The core decides what is to be run and in which transaction; a backend runs it, waits through the seam,
 * and puts errors into lido's words. A connection is used by one holder at a time; only that holder
 * calls these functions with it, except where said. */
#ifndef LIDO_BACKEND_BACKEND_H
#define LIDO_BACKEND_BACKEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lido/engine.h>
#include <lido/error.h>
#include <lido/session.h>
#include <lido/value.h>

#include "backend/functions.h"
#include "base/memory.h"
#include "base/row_sink.h"
#include "config/config.h"
#include "sql/sql.h"

typedef struct lido__backend lido__backend;
typedef struct lido__result lido__result;

/* Who has a connection; written by who takes it, read by anybody. */
typedef struct lido__holder {
    _Atomic(const void *) session;
    atomic_uint_fast64_t owner; /* the session's thread or task */
    _Atomic(const char *) file; /* taken where */
    atomic_int line;
    atomic_int_fast64_t since;
} lido__holder;

/* The part of a connection that every backend has, as the first member of its own struct. */
typedef struct lido__connection {
    const lido__backend *backend;
    bool in_transaction; /* a transaction is open on the server; kept true by the backend */
    bool broken;         /* nothing can be run on it any more; set by the backend */

    bool server_gone; /* the server went, or became one that refuses writes: others are no better; set by the backend */
    bool doubted; /* it may have become such: to be pinged before it is used again; set and taken back by the backend */

    const lido__functions *functions; /* the engine's; NULL where there are none. Set by the pool, as is the next */
    const atomic_int *waiting;        /* how many wait for a connection of the pool */
    struct lido__histogram *busy;     /* where its waits for other connections' locks are measured; NULL: nowhere */

    /* The pool's; backends write `wait_until` alone, and look at `stop`. Those that are not atomic belong to whoever
     * has the connection to himself: its holder, or who has taken it out to close it. */
    struct lido__connection *next; /* in a list of some that were taken out */
    unsigned place;                /* in the pool's table */
    uint64_t number;               /* which of the pool's connections it is, from 1 */
    uint64_t generation;           /* of the pool when it was opened: an older one is not used again */
    int64_t retire_at;             /* moments of the monotonic clock */
    int64_t idle_since;
    bool watched; /* the pool's keeper looks at `wait_until` */

    atomic_bool stop;          /* what runs is cancelled; set before `cancel` is called */
    atomic_uint_fast64_t hold; /* see core/hold.h, and for the next two */
    lido__holder holder;
    _Atomic(const lido__sql *) last_sql; /* what its holder ran last; one of the engine's, or NULL */
    atomic_uint_fast64_t uses;           /* how often it was taken off the stack of idle ones; */
    atomic_int_fast64_t use_us;          /* how long it was held, all together */

    struct lido__counts *counts; /* where its holder counts; see core/metrics.h, and for the rest. NULL: nowhere */
    bool shares_counts;
    uint32_t dice; /* which statements and uses are measured */
    unsigned use_weight;
    int64_t used_from; /* in nanoseconds, if that is not 0 */

    _Atomic int64_t
        wait_until; /* the holder's: what it waits for on the network must have come by then; else far away */

    /* Under the pool's lock. */
    bool left;           /* its holder gave it back while it was being cancelled: the last who cancels closes it */
    uint64_t leak_told;  /* the time that it was held too long and that was told */
    int64_t given_until; /* the keeper's: how long it has given a cancelled wait to end */
} lido__connection;

/* Rows for an operation to insert, whose statement would insert one of them. The backend asks for one after another, as
 * the task or thread that called it, and not on another thread: `next` may call the program, which may wait, and use
 * other sessions of its own. */
typedef struct lido__bulk {
    size_t columns;
    const char *const *names; /* the columns', as the database knows them */
    const char *table;        /* the same of the table, without its schema */
    const char *quoted_table; /* fit to stand in SQL, with its schema if it has one */
    const char *into;         /* the same with the columns: "shop"."items" ("id", "name") */
    /* Points *row to the next row's values, one for each column, which are fit to be sent and good until the next call.
     * 1: a row; 0: none is left; -1: *error says why. */
    int (*next)(struct lido__bulk *bulk, const lido_value **row, lido_error *error);
    bool lasting;     /* the values stay until the operation is done; else until the next call */
    int64_t deadline; /* by which `next` must have given the last; the backend's to set before it asks for the first */
    int64_t given;    /* how many rows it has given; the number of the last one, from 1 */
    size_t bytes;     /* the texts and blobs of the last one together */
    int64_t *keys;    /* out, where there is one writer: of each row the integer key that it has, 0 if it was not
                         inserted; NULL: nobody asks */
    bool declined;    /* out: this table takes no rows in bulk, and none were asked for; no error */
} lido__bulk;

typedef enum lido__operation_kind {
    LIDO__STATEMENT,
    LIDO__BEGIN,
    LIDO__COMMIT,
    LIDO__ROLLBACK,
    LIDO__SAVEPOINT,
    LIDO__RELEASE,
    LIDO__ROLLBACK_TO, /* undoes to the savepoint and removes it */
    LIDO__LAST_KEY,    /* into `last_key` */
    LIDO__TIDY         /* what an `untidy` COMMIT has left; always done. Where there is one writer alone */
} lido__operation_kind;

/* One thing to run. One is made for every call, so it is kept small. */
typedef struct lido__operation {
    lido__operation_kind kind;
    lido_isolation isolation; /* BEGIN, or alone */

    bool alone;     /* a transaction of its own, which earlier failures in the batch do not touch */
    bool read_only; /* BEGIN, or alone: the transaction must not write */
    bool writes;    /* BEGIN: it is known to write */
    bool inside;    /* BEGIN, COMMIT, ROLLBACK: of a part of the transaction that is open; see core/writer.h */
    bool for_many;  /* COMMIT: others are to hear of it; so what may come after that is left to TIDY, */
    bool untidy;    /* out: and there is something */
    bool unawaited; /* ROLLBACK, or COMMIT of what was read_only: its answer may be left to the next batch */
    bool stream;    /* leave the rows in the database; the last operation of its batch */
    bool loose_sql; /* the core's: `sql` is freed with the batch */
    bool done;      /* out: the database has said that it is done */
    bool in_doubt;  /* out: it was sent, and whether it was done is not known */

    int savepoint; /* its number; of a STATEMENT: how many are open around it */
    int line;      /* of the call, for errors, */
    const char *file;

    const lido__sql *sql;     /* of a STATEMENT; lives until the batch was run */
    size_t count;             /* of values: exactly the statement's parameter_count */
    const lido_value *values; /* by number; texts are UTF-8 without NUL */
    lido__result *result;     /* where rows go; NULL: they are dropped */
    lido__bulk *bulk;         /* what to insert: `values` has nothing then; the last of its batch, and not `alone` */
    int64_t row;              /* the number of the one row that it inserts, of many; 0: it is no such */

    int64_t affected; /* out */
    int64_t last_key; /* out */
} lido__operation;

/* Operations that travel together: in one round trip where the database has round trips. After a failure the rest is
 * not run, except operations that stand alone. */
typedef struct lido__batch {
    lido__operation *operations;
    size_t count;
    int64_t deadline; /* of each operation that waits; LIDO__NO_DEADLINE: none */
    int64_t spent_us; /* of its timeout, on a lane that did not run it */
    bool left_lane;   /* it was about to go by one: the engine was not closed then */
    size_t failed;    /* out: the first operation that failed */
    bool untouched; /* out: it failed for what was before it on the connection, which is broken; nothing of it stands */
    lido_error *error; /* out: why */
} lido__batch;

/* Names a transaction so that its outcome can be asked for later, and the server that it was on. */
typedef struct lido__mark {
    bool known;
    char transaction[24]; /* "": it has written nothing */
    char server[128];
} lido__mark;

typedef enum lido__resolution {
    LIDO__RESOLVED_COMMITTED,
    LIDO__RESOLVED_ROLLED_BACK,
    LIDO__RESOLVED_NOT_YET, /* ask again */
    LIDO__RESOLVED_NEVER    /* nobody can say for sure */
} lido__resolution;

/* How a backend's rows are read. Implemented by the backend; called by rows. */
typedef struct lido__result_operations {
    const char *(*column_name)(const lido__result *result, size_t index);
    /* Points *row to the next row's values, one for each column, good until the next step; 1: a row; 0: none
     * left; -1: *error says why. Waits only for a stream. */
    int (*step)(lido__result *result, const lido_value **row, lido_error *error);
    /* Gives back what the result holds outside its arena. A stream is stopped, or, if it writes, finished; false, with
     * *error set, if what it did came to nothing by that. */
    bool (*release)(lido__result *result, lido_error *error);
    /* In a child after fork: frees what the result holds outside its arena, as far as that can be done without touching
     * the connection that it came from, which is the parent's. */
    void (*forget)(lido__result *result);
    /* Reads what is left into a sink, or a part of it, without making values of what need not be. 1: there may be more;
     * 0: none is left, or the sink has refused; -1: *error says why. Waits only for a stream. Optional: else by `step`.
     */
    int (*pour)(lido__result *result, lido__row_sink *sink, lido_error *error);
} lido__result_operations;

struct lido__result {
    const lido__result_operations *operations; /* NULL until the backend filled it in */
    lido__arena arena;                         /* the rows' own; also where values' texts are made */
    size_t columns;
    int64_t row_count; /* -1: a stream */
    int64_t affected;
    lido__connection *connection; /* a stream's */
    int64_t timeout_ms;           /* of each of a stream's steps; -1: none */
    void *state;                  /* the backend's: what the rows are in, */
    void *position;               /* the row that comes next, */
    int64_t next_row;             /* and its number */
};

/* Back to the moment before it was filled in; what it holds is in its arena alone. */
static inline void lido__result_forget(lido__result *result) {
    lido__arena_reset(&result->arena);
    *result = (lido__result){.arena = result->arena, .timeout_ms = result->timeout_ms};
}

/* A statement under way on a lane: a connection that the tasks of a loop share for what only reads. Landed when there
 * is an answer to it, in the order in which they were sent. */
typedef struct lido__flight {
    lido__batch *batch; /* one statement, `alone`, no stream and no `bulk`; NULL: nobody wants its answer any more */
    bool again;         /* it was skipped before: nothing that others sent is relied on */
    bool skipped;       /* out: it was not run, through no fault of its own */
    uint64_t sent_in;   /* the backend's: in which transaction */
} lido__flight;

/* What is sent between two syncs stands or falls together: where one fails, the server skips those behind it. A
 * function that finds the connection lost, or has no memory for what it must know, sets `broken`; what was under way
 * is then the caller's again. None of them waits, but for see_off. */
typedef struct lido__lane_operations {
    /* Why there can be none at all, as the engine is configured; NULL: there can. */
    const char *(*obstacle)(const lido__config *config);
    /* Makes a lane of a connection that nothing runs on, opened with a configuration for lanes; false: it cannot be
     * one, and *error says why. */
    bool (*begin)(lido__connection *connection, lido_error *error);
    /* Makes an ordinary connection of it again; `broken` if anything is under way. */
    void (*end)(lido__connection *connection);
    int (*descriptor)(const lido__connection *connection);
    /* Into the buffer; there may be LIDO__FLIGHTS_MOST under way. */
    void (*send)(lido__connection *connection, lido__flight *flight);
    void (*sync)(lido__connection *connection);
    /* Sends what is in the buffer, as far as that is taken at once; true: there is more. */
    bool (*flush)(lido__connection *connection);
    /* Takes in what has come. */
    void (*receive)(lido__connection *connection);
    /* Of what was taken in: the next flight that has landed; NULL: none has yet. */
    lido__flight *(*landed)(lido__connection *connection);
    /* Of one that was ended with something under way: cancels that until the server has left the connection, or the
     * deadline passes. From any thread; to be closed then. */
    void (*see_off)(lido__connection *connection, int64_t deadline);
} lido__lane_operations;

enum { LIDO__FLIGHTS_MOST = 256 };

typedef enum lido__fork_moment {
    LIDO__BEFORE_FORK,
    LIDO__AFTER_FORK_IN_PARENT,
    LIDO__AFTER_FORK_IN_CHILD
} lido__fork_moment;

struct lido__backend {
    const char *name;
    int64_t bulk_from; /* from how many rows on a `bulk` beats a statement for each; 0: it takes none */
    bool one_writer;   /* transactions that write take turns, by the ticket of core/writer.h, and understand `inside` */

    /* Engine-wide state, or NULL for none (with *error set if it failed). Both optional: NULL where there is none. */
    void *(*attach)(const lido__config *config, lido_error *error);
    void (*detach)(void *database);

    /* Opens a connection, within connect_timeout for each address that is tried; NULL with *error set. */
    lido__connection *(*open)(const lido__config *config, void *database, lido_error *error);
    /* Says goodbye and frees. Bounded. */
    void (*close)(lido__connection *connection);
    /* Inside a fork of the process, once for all connections: keeps what the backend has for the whole process fit for
     * a child. Optional. */
    void (*around_fork)(lido__fork_moment moment);
    /* In a child after fork, inside the fork itself: makes sure that nothing said on an inherited connection can reach
     * the server. Calls nothing that is not async-signal-safe. Optional. */
    void (*disarm)(lido__connection *connection);
    /* In the child, later: frees an inherited, disarmed connection, as far as that can be done without a byte. */
    void (*abandon)(lido__connection *connection);
    /* Whether it can still be used, without asking the server. Does not wait. */
    bool (*alive)(lido__connection *connection);
    /* Whether the server answers until the deadline, and what it says to that if it is `doubted`. Optional. */
    bool (*ping)(lido__connection *connection, int64_t deadline);
    /* Makes what runs on the connection stop, with category cancelled, or timeout if its deadline has passed.
     * `give_up`: that was done before and was not heard: breaks the connection. From any thread, while it is in use;
     * bounded. */
    void (*cancel)(lido__connection *connection, bool give_up);
    bool cancel_may_miss; /* what it hits may not have begun, and goes on then: cancel it again as long as it runs */
    /* Runs a batch; false with batch->error and batch->failed set. Never leaves a half-read answer behind: the
     * connection is usable afterwards, or `broken`. */
    bool (*run)(lido__connection *connection, lido__batch *batch);
    /* Names the open transaction; and says what became of one that was named. Both optional. */
    bool (*mark)(lido__connection *connection, lido__mark *mark, lido_error *error);
    lido__resolution (*resolve)(lido__connection *connection, const lido__mark *mark);
    const lido__lane_operations *lanes; /* NULL: it has none */
    /* Fills in what it knows of the server. */
    bool (*inspect)(lido__connection *connection, lido_server *server, lido_error *error);
};

extern const lido__backend lido__backend_sqlite;
extern const lido__backend lido__backend_postgres;

#endif
