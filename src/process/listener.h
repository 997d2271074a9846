/* Sockets that workers take connections from. */
#ifndef LIDO_PROCESS_LISTENER_H
#define LIDO_PROCESS_LISTENER_H

#include <stdbool.h>

#include <lido/error.h>

/* Opens `count` sockets that listen where `where` says, and do not block: several on one port, by SO_REUSEPORT. False,
 * with *error set and none open. Waits for the system to resolve a name. */
bool lido__listeners_open(const char *where, int backlog, int count, int *sockets, lido_error *error);
/* Closes them; a unix socket's file goes, too. */
void lido__listeners_close(const char *where, int count, const int *sockets);

#endif
