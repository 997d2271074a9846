/* Parameters: as many as the statement takes, in its order, and fit to be sent. */
#ifndef LIDO_CORE_PARAMETERS_H
#define LIDO_CORE_PARAMETERS_H

#include "core/session.h"

/* Checks `count` values against the statement and gives them in its order: as they are, or arranged by name in the
 * session's arena. False if they do not fit: the session has failed. */
bool lido__parameters_arrange(lido_session *session, const lido__sql *sql, size_t count, const lido_value **values);

/* Copies the values, with their texts, into the session's arena. False if memory ran out: the session has failed. */
bool lido__parameters_copy(lido_session *session, size_t count, const lido_value **values);

#endif
