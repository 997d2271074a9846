/* Whose turn it is to lay down a database on PostgreSQL. */
#ifndef LIDO_MODEL_TURN_H
#define LIDO_MODEL_TURN_H

#include "core/session.h"

/* Waits until nobody else makes tables or seeds, and keeps them waiting until the transaction ends. To be called before
 * anything is read. False: the session has failed. */
bool lido__turn_take(lido_session *session);

#endif
