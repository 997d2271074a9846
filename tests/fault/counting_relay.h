/* A relay on loopback between lido and the real server that passes everything on and counts: so a test can prove
 * that not a byte was said, and that nobody hung up. */
#ifndef TESTS_FAULT_COUNTING_RELAY_H
#define TESTS_FAULT_COUNTING_RELAY_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "loopback.h"

enum { COUNTED_MOST = 16384, COUNTING_LOOK_MS = 10 };

typedef struct counting_relay {
    int listening;
    char port[8];
    const char *server_port;
    atomic_bool stopping;
    pthread_t thread;
    atomic_int count; /* of connections taken so far */
    struct counted {
        atomic_long said;  /* by the customer, in bytes */
        atomic_int trips;  /* how often the customer has said something after the server had, or at first */
        bool server_spoke; /* last */
        atomic_bool ended;
        int customer;
        int server;
    } connections[COUNTED_MOST]; /* in the order they came */
} counting_relay;

/* Sends all of it, to a peer that may be slow to read; false when it never will. */
static inline bool count_send(counting_relay *self, int to, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t sent = send(to, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        struct pollfd room = {.fd = to, .events = POLLOUT};
        if (sent < 0 && (errno != EAGAIN || atomic_load(&self->stopping)))
            return false;
        if (sent < 0)
            poll(&room, 1, COUNTING_LOOK_MS);
        else
            bytes += sent, size -= (size_t)sent;
    }
    return true;
}

static inline bool count_pass(counting_relay *self, struct counted *on, bool from_customer) {
    char bytes[16384];
    ssize_t size = recv(from_customer ? on->customer : on->server, bytes, sizeof bytes, 0);
    if (size <= 0)
        return false;
    if (from_customer) {
        atomic_fetch_add(&on->said, size);
        atomic_fetch_add(&on->trips, on->server_spoke || atomic_load(&on->trips) == 0);
    }
    on->server_spoke = !from_customer;
    return count_send(self, from_customer ? on->server : on->customer, bytes, (size_t)size);
}

static inline void count_take(counting_relay *self) {
    int index = atomic_load(&self->count);
    int customer = accept4(self->listening, NULL, NULL, SOCK_CLOEXEC);
    if (customer < 0 || index == COUNTED_MOST)
        abort();
    self->connections[index].customer = customer;
    self->connections[index].server = connect_loopback(self->server_port);
    atomic_fetch_add(&self->count, 1);
}

static inline void count_end(struct counted *on) {
    if (atomic_exchange(&on->ended, true))
        return;
    close(on->customer);
    close(on->server);
}

/* One turn for a connection: what can be read is passed on. A server whose words the customer does not take is not
 * read either, as a network would have it. */
static inline void count_turn(counting_relay *self, struct counted *on) {
    struct pollfd sides[] = {{.fd = on->customer, .events = POLLIN}, {.fd = on->server, .events = POLLIN}};
    struct pollfd room = {.fd = on->customer, .events = POLLOUT};
    if (atomic_load(&on->ended) || poll(sides, 2, 0) <= 0)
        return;
    bool open = sides[0].revents == 0 || count_pass(self, on, true);
    if (open && sides[1].revents != 0 && poll(&room, 1, 0) == 1)
        open = count_pass(self, on, false);
    if (!open)
        count_end(on);
}

static inline void *count_serve(void *argument) {
    counting_relay *self = argument;
    struct pollfd door = {.fd = self->listening, .events = POLLIN};
    while (!atomic_load(&self->stopping)) {
        if (poll(&door, 1, 1) == 1)
            count_take(self);
        for (int i = 0; i < atomic_load(&self->count); i++)
            count_turn(self, &self->connections[i]);
    }
    return NULL;
}

/* `server_port`: of the real one, on 127.0.0.1. */
static inline void counting_relay_start(counting_relay *self, const char *server_port) {
    memset(self, 0, sizeof *self);
    self->server_port = server_port;
    self->listening = bind_loopback(self->port);
    assert_int_equal(listen(self->listening, SOMAXCONN), 0);
    assert_int_equal(pthread_create(&self->thread, NULL, count_serve, self), 0);
}

static inline void counting_relay_stop(counting_relay *self) {
    atomic_store(&self->stopping, true);
    pthread_join(self->thread, NULL);
    for (int i = 0; i < atomic_load(&self->count); i++)
        count_end(&self->connections[i]);
    close(self->listening);
}

#endif
