/* Counting and measuring what a session runs. */
#ifndef LIDO_CORE_MEASURE_H
#define LIDO_CORE_MEASURE_H

#include "core/session.h"

/* Of a batch that runs. */
typedef struct lido__measure {
    unsigned statements; /* in it */
    unsigned weight;     /* 0: only if it takes long */
    bool is_errand;      /* another thread has run it, and nobody knows how long it took */
    int64_t began_ns;    /* if `weight` is not 0 */
    int64_t recent_us;   /* when it began, by the recent clock */
} lido__measure;

/* Both where there are metrics only. The session has a connection, or its batch was run as an errand, begun at
 * `errand_began`; else that is 0. */
void lido__measure_begins(lido_session *session, const lido__batch *batch, int64_t errand_began,
                          lido__measure *measure);
void lido__measure_ends(const lido_session *session, const lido__batch *batch, const lido__measure *measure, bool done);

/* What was run on a connection that is shared with others: all of it is measured. */
void lido__measure_apart(const lido_session *session, const lido__batch *batch, int64_t began_ns);

/* A transaction that the database had has ended. */
void lido__measure_outcome(const lido_session *session, lido_status outcome);

#endif
