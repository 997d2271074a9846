/* A proxy in a thread of the test, on loopback, before the server that tests/support/with-postgres runs. It passes on
 * what it is given, counts it, and breaks a connection after exactly so many bytes. */
#ifndef TESTS_SUPPORT_PROXY_H
#define TESTS_SUPPORT_PROXY_H

#include <stdbool.h>
#include <stddef.h>

typedef enum proxy_way { PROXY_TO_SERVER, PROXY_TO_CLIENT } proxy_way;

typedef enum proxy_fault {
    PROXY_PASSES,
    PROXY_CUTS,   /* closes both ends */
    PROXY_RESETS, /* the same; the client gets a reset instead of an orderly end */
    PROXY_STALLS, /* keeps both ends open and passes nothing on, on this connection */
    PROXY_FREEZES /* the same on all connections, and takes no new ones, until it is told to pass again */
} proxy_fault;

typedef struct proxy proxy;

/* NULL if the environment does not say where the server is. To be closed with proxy_close. */
proxy *proxy_open(void);
void proxy_close(proxy *closed);

const char *proxy_port(const proxy *asked); /* on 127.0.0.1 */

/* Counts from 0 from now on. When `after` bytes have passed one way, the fault befalls the connection that passed the
 * last of them; with 0, the one that wants to pass the first. It does so once. Called while nothing is under way. */
void proxy_arm(proxy *armed, proxy_fault fault, proxy_way way, size_t after);

/* How many bytes have passed since proxy_arm, or since it was opened. */
size_t proxy_passed(proxy *asked, proxy_way way);

/* How many connections to the server it has made. */
int proxy_connections(proxy *asked);

/* As a firewall that has forgotten them: resets all connections that there are. */
void proxy_reset_all(proxy *reset);

/* A dead host: cuts all connections, and each new one at once; until told otherwise. */
void proxy_set_dead(proxy *set, bool dead);

/* What connects from now on finds a server that takes no writes, as a standby does: default_transaction_read_only is
 * on; or one that takes them, whatever the server is told. */
void proxy_set_read_only(proxy *set, bool read_only);

/* Each ERROR of the server's arrives as a FATAL. */
void proxy_set_fatal(proxy *set, bool fatal);

#endif
