/* Sockets that listen: those that workers take connections from, and the one that metrics are asked for at. */
#ifndef LIDO_PROCESS_LISTENER_H
#define LIDO_PROCESS_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include <lido/error.h>

struct addrinfo;

/* Opens `count` sockets that listen where `where` says, and do not block: several on one port, by SO_REUSEPORT. False,
 * with *error set and none open. Waits for the system to resolve a name. */
bool lido__listeners_open(const char *where, int backlog, int count, int *sockets, lido_error *error);
/* Closes them; a unix socket's file goes, too. */
void lido__listeners_close(const char *where, int count, const int *sockets);

/* Finds the addresses of one that this machine alone can reach, and of a unix socket its owner: what is beyond that is
 * refused, unless "public:" stands before it. False with *error set; *found is for lido__listener_forget, and may be
 * NULL: they need no finding. Waits for the system to resolve a name. */
bool lido__listener_find_private(const char *where, struct addrinfo **found, lido_error *error);
void lido__listener_forget(struct addrinfo **found);
/* Opens it at what was found for it. -1 with *error set. Waits for nothing. */
int lido__listener_open_private(const char *where, const struct addrinfo *found, lido_error *error);
void lido__listener_close_private(const char *where, int made);
/* Where it listens, with the port that it has got; for people. */
void lido__listener_name(const char *where, int made, char *name, size_t size);

#endif
