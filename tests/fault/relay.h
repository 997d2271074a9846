/* A relay on loopback between lido and the real server, which breaks the connection, or falls silent, at the statement
 * that it is told of: so a test can have the answer to a COMMIT lost, knowing whether the server got it. */
#ifndef TESTS_FAULT_RELAY_H
#define TESTS_FAULT_RELAY_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "loopback.h"

typedef enum relay_manner {
    RELAYS,
    CUTS_BEFORE, /* breaks the connection when the word comes, which the server never hears */
    CUTS_AFTER,  /* lets the server hear it and answer, and breaks the connection instead of passing the answer on */
    CUTS_AFTER_NEXT, /* the same, and the server hears and does what is said next, if that comes within a moment */
    FREEZES          /* lets the server hear it, and passes nothing on from then on, on this connection or a new one */
} relay_manner;

enum { RELAY_CONNECTIONS_MOST = 32, RELAY_LOOK_MS = 20, RELAY_ANSWER_MOST_MS = 10000, RELAY_NEXT_MOST_MS = 300 };

typedef struct relay {
    int listening;
    char port[8];
    const char *server_port;
    const char *word; /* in a statement; at it the relay acts, once */
    _Atomic(relay_manner) manner;
    atomic_bool frozen;
    atomic_bool stopping;
    pthread_t thread;
    int count;
    struct relay_connection {
        struct relay *relay;
        int customer;
        int server;
        pthread_t thread;
    } connections[RELAY_CONNECTIONS_MOST];
} relay;

/* Passes on what has come; false at its end. */
static inline bool relay_pass(int from, int to, char *bytes, size_t most, ssize_t *size) {
    *size = recv(from, bytes, most, 0);
    return *size > 0 && send(to, bytes, (size_t)*size, MSG_NOSIGNAL) == *size;
}

/* What the customer says before he has heard the answer to what he said last. */
static inline void relay_listen_on(struct relay_connection *on) {
    char bytes[16384];
    ssize_t size;
    struct pollfd next = {.fd = on->customer, .events = POLLIN};
    if (poll(&next, 1, RELAY_NEXT_MOST_MS) > 0 && relay_pass(on->customer, on->server, bytes, sizeof bytes, &size))
        poll(NULL, 0, RELAY_NEXT_MOST_MS);
}

/* What the customer says. False when the connection is to be broken. */
static inline bool relay_listen(struct relay_connection *on) {
    relay *self = on->relay;
    char bytes[16384];
    ssize_t size = recv(on->customer, bytes, sizeof bytes, 0);
    if (size <= 0)
        return false;
    relay_manner manner = RELAYS;
    if (self->word != NULL && memmem(bytes, (size_t)size, self->word, strlen(self->word)) != NULL)
        manner = atomic_exchange(&self->manner, RELAYS);
    if (manner == CUTS_BEFORE)
        return false;
    if (manner == FREEZES)
        atomic_store(&self->frozen, true);
    if (send(on->server, bytes, (size_t)size, MSG_NOSIGNAL) != size)
        return false;
    if (manner == CUTS_AFTER_NEXT) {
        relay_listen_on(on);
        return false;
    }
    struct pollfd answer = {.fd = on->server, .events = POLLIN};
    return manner != CUTS_AFTER || poll(&answer, 1, RELAY_ANSWER_MOST_MS) < 0;
}

static inline void *relay_one(void *argument) {
    struct relay_connection *on = argument;
    struct pollfd ends[] = {{.fd = on->customer, .events = POLLIN}, {.fd = on->server, .events = POLLIN}};
    char bytes[16384];
    ssize_t size;
    bool open = true;
    while (open && !atomic_load(&on->relay->stopping)) {
        if (atomic_load(&on->relay->frozen) || poll(ends, 2, RELAY_LOOK_MS) == 0)
            poll(NULL, 0, 1);
        else if (ends[0].revents != 0)
            open = relay_listen(on);
        else
            open = relay_pass(on->server, on->customer, bytes, sizeof bytes, &size);
    }
    close(on->customer);
    close(on->server);
    return NULL;
}

static inline void *relay_serve(void *argument) {
    relay *self = argument;
    int customer;
    while ((customer = accept(self->listening, NULL, NULL)) >= 0) {
        if (self->count == RELAY_CONNECTIONS_MOST)
            abort();
        struct relay_connection *on = &self->connections[self->count++];
        *on = (struct relay_connection){self, customer, connect_loopback(self->server_port), self->thread};
        if (pthread_create(&on->thread, NULL, relay_one, on) != 0)
            abort();
    }
    return NULL;
}

/* `server_port`: of the real one, on 127.0.0.1. */
static inline void relay_start(relay *self, const char *server_port) {
    self->server_port = server_port;
    self->count = 0;
    self->word = NULL;
    atomic_init(&self->manner, RELAYS);
    atomic_init(&self->frozen, false);
    atomic_init(&self->stopping, false);
    self->listening = bind_loopback(self->port);
    assert_int_equal(listen(self->listening, RELAY_CONNECTIONS_MOST), 0);
    assert_int_equal(pthread_create(&self->thread, NULL, relay_serve, self), 0);
}

/* What to do at the next statement that has the word in it. Called while nothing is under way. */
static inline void relay_act_at(relay *self, const char *word, relay_manner manner) {
    self->word = word;
    atomic_store(&self->manner, manner);
}

static inline bool relay_has_acted(relay *self) {
    return atomic_load(&self->manner) == RELAYS;
}

static inline void relay_stop(relay *self) {
    shutdown(self->listening, SHUT_RDWR);
    pthread_join(self->thread, NULL);
    close(self->listening);
    atomic_store(&self->stopping, true);
    for (int i = 0; i < self->count; i++)
        pthread_join(self->connections[i].thread, NULL);
}

#endif
