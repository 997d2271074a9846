/* An HTTP server for one address: pages that are made when they are asked for, for scrapers and for `lido top`.
 *
 * libmicrohttpd speaks HTTP; it waits nowhere, for it is turned from outside: by the supervisor's loop, or by a thread
 * (serve.c). Nobody is kept waiting by a client: what cannot be read or written at once is left for the next turn, each
 * connection is for one answer, and has a few seconds for it; and if there are too many, the oldest has to go.
 *
 * All of it is for one thread at a time, but for lido__endpoint_abandon. */
#ifndef LIDO_PROCESS_ENDPOINT_H
#define LIDO_PROCESS_ENDPOINT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <lido/error.h>

#include "base/memory.h"

struct MHD_Daemon;
struct addrinfo;

enum { LIDO__ENDPOINT_CLIENTS_MOST = 32 };

/* One of the pages. `write` appends it to `body`; false: there is none now, and `body` says why, if anything. */
typedef struct lido__page {
    const char *path;
    const char *type;
    bool (*write)(lido__buffer *body, void *user);
} lido__page;

typedef struct lido__client {
    atomic_int descriptor; /* -1: this place is free */
    int64_t until;         /* when it is cut off */
} lido__client;

typedef struct lido__endpoint {
    const char *where;
    const lido__page *pages; /* the last has no path */
    void *user;
    struct MHD_Daemon *daemon;
    struct addrinfo *found; /* until it is open */
    int listener;
    int events; /* its epoll: can be read when there is something to do */
    int runs;   /* how often the daemon is to be run though nothing comes */
    lido__client clients[LIDO__ENDPOINT_CLIENTS_MOST];
} lido__endpoint;

/* Finds out where it is to listen, and opens nothing; lido__endpoint_open comes next. `where` and `pages` must live as
 * long. False with *error set. Waits for the system to resolve a name. */
bool lido__endpoint_find(lido__endpoint *endpoint, const char *where, const lido__page *pages, void *user,
                         lido_error *error);
/* Listens there. False with *error set, and nothing is open. Waits for nothing, so it may be called under a lock. */
bool lido__endpoint_open(lido__endpoint *endpoint, lido_error *error);
/* Does what there is to do; waits for nobody. */
void lido__endpoint_turn(lido__endpoint *endpoint);
/* When there is something to do though `events` cannot be read. */
int64_t lido__endpoint_next(lido__endpoint *endpoint);
/* Tells the log where it listens. */
void lido__endpoint_log(const lido__endpoint *endpoint);
void lido__endpoint_close(lido__endpoint *endpoint);
/* In a child: closes what the parent has open, and nothing else. Calls only what is safe there. */
void lido__endpoint_abandon(lido__endpoint *endpoint);

#endif
