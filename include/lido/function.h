/* Functions of the program's own, for its SQL: on SQLite, which runs within the program.
 *
 *     static lido_value twice(lido_call *call, size_t count, const lido_value *arguments, void *user) {
 *         return lido_value_int64(2 * arguments[0].as.integer);
 *     }
 *     lido_function_add(engine, &(lido_function){.name = "twice", .least = 1, .most = 1, .scalar = twice}, &error);
 *
 * On PostgreSQL functions live in the server: CREATE FUNCTION makes them. */
#ifndef LIDO_FUNCTION_H
#define LIDO_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>

#include <lido/engine.h>
#include <lido/error.h>
#include <lido/value.h>

LIDO_BEGIN_C

/* One call of a function; lives until the function returns. */
typedef struct lido_call lido_call;

/* The three below are called in the thread of the session whose statement calls the function, and in several threads at
 * once. They must not use that session; to use another one of the same engine may wait for ever, for this statement
 * holds its connection and its locks. The deadline and lido_cancel stop a statement between two calls, not in one.
 *
 * Arguments are of the kinds null, int64, double, text and blob, as SQLite stores them, and live until the function
 * returns. A text is terminated, and as a rule UTF-8 without NUL inside; SQLite stores any bytes.
 *
 * The value returned may be of any kind; its text or blob is copied, and must live until that was done: static, an
 * argument's, or from lido_function_allocate. A text must be UTF-8. */

/* A scalar: its result for these arguments. */
typedef lido_value lido_scalar(lido_call *call, size_t count, const lido_value *arguments, void *user);

/* An aggregate takes a row in. `state` is the group's, `state_size` bytes that were all zero at the group's start. */
typedef void lido_step(lido_call *call, void *state, size_t count, const lido_value *arguments, void *user);

/* And tells the group's result; the state is freed after it. Called once for each state that was given out, also where
 * the statement failed or ended early, and for a group without rows. */
typedef lido_value lido_finish(lido_call *call, void *state, void *user);

typedef struct lido_function {
    const char *name;    /* as SQL calls it, in any case of letters; 1 to 255 bytes */
    int least;           /* how many arguments it takes: so many */
    int most;            /* to so many, at most 127; -1: any number */
    bool deterministic;  /* the same arguments always give the same result: SQLite may save calls, and indexes use it */
    lido_scalar *scalar; /* of a scalar; NULL of an aggregate, */
    lido_step *step;     /* which has this */
    lido_finish *finish; /* and this */
    size_t state_size;   /* in bytes, at most 1 GiB */
    void *user;          /* what the functions above get */
    void (*done)(void *user); /* NULL, or called once when the engine is freed */
} lido_function;

/* Adds a function to all connections of the engine, those that are open and those to come; one that runs a statement
 * has it from the next on. Copied, with its name; `user` must live until `done` was called, or the engine was closed
 * and its last session, too. In a child after fork it is there as well, with the child's copy of `user`. It takes the
 * place of one of SQLite's or lido's with that name and number of arguments.
 *
 * Returns LIDO_OK, or LIDO_ERROR and fills *error (may be NULL): the engine is on PostgreSQL, one was added by that
 * name before, or the function has no name, no body or two, or impossible numbers (misuse); out of memory. Then `done`
 * is not called. Never waits; safe from any thread. */
LIDO_API lido_status lido_function_add(lido_engine *engine, const lido_function *function, lido_error *error);

/* Makes the function fail, and with it the statement: its error has category other and the message "name: …". Returns
 * NULL, so that a function can write `return lido_function_fail(call, "no such planet: %s", name);`. The first one
 * sticks. Never waits. */
LIDO_API lido_value lido_function_fail(lido_call *call, const char *format, ...) LIDO_FORMAT(2, 3);

/* Memory that lives until the result has been taken, aligned for any type, not cleared. NULL if there is none; then the
 * function has failed. Never waits. */
LIDO_API void *lido_function_allocate(lido_call *call, size_t size);

LIDO_END_C

#endif
