/* A server on loopback that is no PostgreSQL: it takes connections and treats each in one manner. */
#ifndef TESTS_FAULT_FALSE_SERVER_H
#define TESTS_FAULT_FALSE_SERVER_H

#include "loopback.h"

#include <pthread.h>
#include <stdbool.h>

typedef enum false_server_manner {
    SAYS_NOTHING, /* keeps the connection, reads nothing, answers nothing */
    HANGS_UP,     /* closes it at once */
    SPEAKS_HTTP,  /* as a web server answers to what it does not understand */
    SPEAKS_NONSENSE
} false_server_manner;

enum { FALSE_SERVER_CUSTOMERS_MOST = 16 };

typedef struct false_server {
    false_server_manner manner;
    int listening;
    char port[8];
    pthread_t thread;
} false_server;

static inline void treat(int customer, false_server_manner manner) {
    static const char http[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    static const char nonsense[] = "R\xff\xff\xff\xff\x00\x01\x02 all sorts of bytes";
    char ignored[512];
    if (manner == SAYS_NOTHING || manner == HANGS_UP)
        return;
    (void)!read(customer, ignored, sizeof ignored);
    if (manner == SPEAKS_HTTP)
        send(customer, http, sizeof http - 1, MSG_NOSIGNAL);
    else
        send(customer, nonsense, sizeof nonsense - 1, MSG_NOSIGNAL);
}

static inline void *false_server_serve(void *argument) {
    false_server *server = argument;
    int silent[FALSE_SERVER_CUSTOMERS_MOST];
    int count = 0;
    int customer;
    while ((customer = accept(server->listening, NULL, NULL)) >= 0) {
        treat(customer, server->manner);
        if (server->manner == SAYS_NOTHING && count < FALSE_SERVER_CUSTOMERS_MOST)
            silent[count++] = customer;
        else
            close(customer);
    }
    while (count > 0)
        close(silent[--count]);
    return NULL;
}

static inline void false_server_start(false_server *server, false_server_manner manner) {
    server->manner = manner;
    server->listening = bind_loopback(server->port);
    assert_int_equal(listen(server->listening, FALSE_SERVER_CUSTOMERS_MOST), 0);
    assert_int_equal(pthread_create(&server->thread, NULL, false_server_serve, server), 0);
}

static inline void false_server_stop(false_server *server) {
    shutdown(server->listening, SHUT_RDWR); /* accept then returns */
    pthread_join(server->thread, NULL);
    close(server->listening);
}

#endif
