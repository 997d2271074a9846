/* SQLite's one writer at a time, and the commits that several share.
 *
 * Whoever writes needs the *ticket*: a pool of one connection, the writer, with the pool's queue, hand-over, cancelling
 * and reports. So nobody in the process ever meets a lock of SQLite's that a colleague holds; only other processes make
 * the busy handler wait. Readers use the engine's other pool and never wait for the ticket.
 *
 * A *group* is what is committed together: transactions one behind another inside one outer transaction, each behind a
 * savepoint of its own (number 0), acknowledged when the outer one has been committed. Who holds the ticket when it is
 * done, and finds others waiting, joins or leads one:
 * - an *errand*, a statement that is its own transaction, is run by the holder for whoever waits with it, who is woken
 *   once, when all is over (waking a thread costs more than its insert);
 * - to a transaction whose statements nobody knows yet the ticket is handed on, with the outer transaction open, if
 *   transactions that begin so have been quick; else the group is committed first.
 * Nobody waits for a group when nobody waits for the ticket. What a task does for others of its group is firm: they are
 * not to feel that it was cancelled.
 *
 * Who was handed the ticket inside a group and then does nothing, between two statements, keeps those before it from
 * their commit. So the first of them takes it back after a tenth of a second, rolls that part back and commits the
 * rest; the dawdler is told at its next call, with an error that is worth a retry. `turn` decides which of the two it
 * is. It is the writer's and not the connection's, for whoever lost its turn must not look at the connection any
 * more. */
#ifndef LIDO_CORE_WRITER_H
#define LIDO_CORE_WRITER_H

#include "core/pool.h"

typedef struct lido__writer {
    lido__config config; /* the engine's, but for one connection and another time-out */
    lido__pool pool;

    /* Of who was handed the ticket inside a group last: an even number, one more while it runs something. */
    atomic_uint_fast64_t turn;

    /* The open group: of whoever holds the ticket. */
    lido__errand *first;
    lido__errand *last;
    int count;
    int64_t opened_at;            /* a moment of the recent clock */
    lido__connection *connection; /* the writer's, once the ticket was handed on */
} lido__writer;

/* `head`: the engine's pool, which readers use. Done with lido__pool_done. */
bool lido__writer_init(lido__writer *writer, const lido__pool *head);

/* What began with this statement is over; it had begun at that moment of the recent clock. NULL: nobody knows. */
void lido__writer_note_pace(const lido__sql *began_with, int64_t began);
/* It was not an errand because it had been slow. */
void lido__writer_note_alone(const lido__sql *slow);

/* In a child after a fork: who was in a group stayed behind. */
void lido__writer_forget(lido__writer *writer);

/* All that follows: by the holder of the ticket, on the writer connection. */

/* Whether there is an open group: who has the ticket now is inside its transaction. */
static inline bool lido__writer_has_group(const lido__writer *writer) {
    return writer->first != NULL;
}

/* Of who is inside a group: its turn, to be told the two below. */
uint64_t lido__writer_turn(const lido__writer *writer);
/* Nothing of it runs for now; from here on the ticket may be taken back. */
void lido__writer_pause(lido__writer *writer, uint64_t turn);
/* Something is about to. False: the ticket was taken back, and the connection is somebody else's. */
bool lido__writer_resume(lido__writer *writer, uint64_t turn);

/* Runs the holder's own statement, and then those that wait; commits. False if the own one failed. */
bool lido__writer_lead(lido__writer *writer, lido__connection *connection, lido__batch *own);

/* Commits the holder's transaction, alone or with a group. *connection becomes NULL if the ticket was handed on
 * meanwhile. False if it failed. The operation is `inside` if the holder's part is over, one way or the other. `lease`:
 * the holder's. */
bool lido__writer_commit(lido__writer *writer, lido__connection **connection, lido__batch *own,
                         const lido__lease *lease);

/* The holder is inside a group and its own part was rolled back (or, !undone, could not be): leaves the rest in order.
 * *connection as above. */
void lido__writer_leave(lido__writer *writer, lido__connection **connection, bool undone);

/* Commits the open group, if there is one: what comes cannot be inside it. Nothing runs on the connection then; whether
 * what ran had been cancelled. */
bool lido__writer_settle(lido__writer *writer, lido__connection *connection);

#endif
