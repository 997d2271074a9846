/* Sockets on 127.0.0.1. */
#ifndef TESTS_FAULT_LOOPBACK_H
#define TESTS_FAULT_LOOPBACK_H

#include "databases.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* A socket bound to a free port, which is written to `port`. */
static inline int bind_loopback(char port[8]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int bound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(bound >= 0);
    assert_int_equal(bind(bound, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(bound, (struct sockaddr *)&address, &size), 0);
    snprintf(port, 8, "%d", ntohs(address.sin_port));
    return bound;
}

/* A port that nobody listens on. */
static inline const char *unused_port(char port[8]) {
    close(bind_loopback(port));
    return port;
}

/* From any thread: it does not fail the test, but ends the program. */
static inline int connect_loopback(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int connected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    if (connect(connected, (const struct sockaddr *)&address, sizeof address) != 0)
        abort();
    return connected;
}

#endif
