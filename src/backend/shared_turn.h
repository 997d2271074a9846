/* Turns that processes take one after another, in the order in which they asked: a parent's workers that write to one
 * SQLite file. In each process one connection at a time asks, for its writers have a queue of their own
 * (core/writer.h).
 *
 * It is a courtesy: the file's own locks are what keeps writers apart. Those are not fair, and who finds them taken
 * looks again after an interval; here who is next is woken, once. Who dies with the turn, or while it waits, is
 * taken out by the parent, before its process number can be another's.
 *
 * The memory and the descriptors are made by the parent before it forks. */
#ifndef LIDO_BACKEND_SHARED_TURN_H
#define LIDO_BACKEND_SHARED_TURN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <lido/error.h>

typedef struct lido__shared_turn lido__shared_turn;

/* For so many processes at once; NULL with *error set. */
lido__shared_turn *lido__shared_turn_new(int processes, lido_error *error);
/* By the parent, when no other process is left. NULL is allowed. */
void lido__shared_turn_free(lido__shared_turn *turn);
/* By the parent: that process has ended. */
void lido__shared_turn_forget(lido__shared_turn *turn, pid_t process);

typedef enum lido__turn_outcome {
    LIDO__TURN_TAKEN,
    LIDO__TURN_NONE, /* it is not to be had: there are too many processes, or another connection of this one has it or
                        asks for it. The file's locks will do */
    LIDO__TURN_LATE  /* it did not come until the deadline, or `must_stop` said so */
} lido__turn_outcome;

/* Takes the turn, waiting for it until the deadline. `must_stop` is asked now and then. */
lido__turn_outcome lido__shared_turn_take(lido__shared_turn *turn, int64_t deadline, bool (*must_stop)(void *argument),
                                          void *argument);
/* Gives it to the next. By the process that took it. `more`: it is about to ask again; then it may keep the turn for
 * some milliseconds, in which it asks for it without waiting, for to go from process to process costs about as much as
 * a commit. */
void lido__shared_turn_give(lido__shared_turn *turn, bool more);

#endif
