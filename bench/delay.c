/* One thread polls all ends; what it has read lies in a queue, with the moment at which it is to go out. */
#include "delay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "postgres_fixture.h"

enum { CONNECTIONS_MOST = 8, PIECE_MOST = 16384, PIECES_MOST = 64, LOOK_MS = 20 };

typedef struct piece {
    int64_t due_ns;
    ssize_t size;
    char bytes[PIECE_MOST];
} piece;

/* One way of a connection; the pieces are a ring. */
typedef struct way {
    int from;
    int to;
    size_t first;
    size_t count;
    piece pieces[PIECES_MOST];
} way;

struct bench_delay {
    int64_t delay_ns;
    char host[256]; /* the server's: a folder, or a name */
    char server_port[16];
    int listening;
    char port[8];
    pthread_t thread;
    atomic_bool stops;
    size_t count;
    way *ways[CONNECTIONS_MOST][2]; /* to the server, and back; NULL: closed */
};

static int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* ---- Connections ---- */

static int connect_unix(const bench_delay *self) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.PGSQL.%s", self->host, self->server_port);
    if (made >= 0 && length < (int)sizeof address.sun_path &&
        connect(made, (const struct sockaddr *)&address, sizeof address) == 0)
        return made;
    close(made);
    return -1;
}

static int connect_network(const bench_delay *self) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const int on = 1;
    int made = -1;
    if (getaddrinfo(self->host, self->server_port, &hints, &found) != 0)
        return -1;
    for (const struct addrinfo *at = found; at != NULL && made < 0; at = at->ai_next) {
        made = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (made < 0 || connect(made, at->ai_addr, at->ai_addrlen) == 0)
            continue;
        close(made);
        made = -1;
    }
    freeaddrinfo(found);
    if (made >= 0)
        setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return made;
}

static void take_client(bench_delay *self) {
    const int on = 1;
    int client = accept4(self->listening, NULL, NULL, SOCK_CLOEXEC);
    int server = self->host[0] == '/' ? connect_unix(self) : connect_network(self);
    way *there = calloc(1, sizeof *there);
    way *back = calloc(1, sizeof *back);
    if (client < 0 || server < 0 || there == NULL || back == NULL || self->count == CONNECTIONS_MOST) {
        close(client);
        close(server);
        free(there);
        free(back);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    there->from = back->to = client;
    there->to = back->from = server;
    self->ways[self->count][0] = there;
    self->ways[self->count++][1] = back;
}

static void end_connection(way *ways[2]) {
    close(ways[0]->from);
    close(ways[0]->to);
    free(ways[0]);
    free(ways[1]);
    ways[0] = ways[1] = NULL;
}

/* ---- Passing on ---- */

static bool take_in(const bench_delay *self, way *on) {
    piece *next = &on->pieces[(on->first + on->count) % PIECES_MOST];
    next->size = recv(on->from, next->bytes, sizeof next->bytes, 0);
    next->due_ns = now_ns() + self->delay_ns;
    on->count++;
    return next->size > 0;
}

/* Sends what is due. False: nobody takes it. */
static bool pass_on(way *on, int64_t now) {
    while (on->count > 0 && on->pieces[on->first].due_ns <= now) {
        const piece *due = &on->pieces[on->first];
        if (send(on->to, due->bytes, (size_t)due->size, MSG_NOSIGNAL) != due->size)
            return false;
        on->first = (on->first + 1) % PIECES_MOST;
        on->count--;
    }
    return true;
}

/* When the next piece is due; at the latest after LOOK_MS. */
static int64_t next_due(const bench_delay *self, int64_t now) {
    int64_t due = now + (int64_t)LOOK_MS * 1000000;
    for (size_t i = 0; i < self->count; i++)
        for (size_t side = 0; side < 2; side++) {
            const way *on = self->ways[i][side];
            if (on != NULL && on->count > 0 && on->pieces[on->first].due_ns < due)
                due = on->pieces[on->first].due_ns;
        }
    return due;
}

static void wait_for_more(bench_delay *self, struct pollfd watched[1 + 2 * CONNECTIONS_MOST]) {
    int64_t now = now_ns();
    int64_t left = next_due(self, now) - now;
    const struct timespec time = {.tv_sec = 0, .tv_nsec = left > 0 ? (long)left : 0};
    watched[0] = (struct pollfd){.fd = self->listening, .events = POLLIN};
    for (size_t i = 0; i < CONNECTIONS_MOST; i++)
        for (size_t side = 0; side < 2; side++) {
            const way *on = self->ways[i][side];
            bool looks = on != NULL && on->count < PIECES_MOST;
            watched[1 + 2 * i + side] = (struct pollfd){.fd = looks ? on->from : -1, .events = POLLIN};
        }
    ppoll(watched, 1 + 2 * CONNECTIONS_MOST, &time, NULL);
}

static void serve_connection(bench_delay *self, size_t index, const struct pollfd watched[2]) {
    way **ways = self->ways[index];
    bool open = ways[0] != NULL;
    for (size_t side = 0; side < 2 && open; side++) {
        open = watched[side].revents == 0 || take_in(self, ways[side]);
        open = open && pass_on(ways[side], now_ns());
    }
    if (ways[0] != NULL && !open)
        end_connection(ways);
}

static void *serve(void *argument) {
    bench_delay *self = argument;
    struct pollfd watched[1 + 2 * CONNECTIONS_MOST];
    prctl(PR_SET_TIMERSLACK, 1UL);
    while (!atomic_load(&self->stops)) {
        wait_for_more(self, watched);
        for (size_t i = 0; i < self->count; i++)
            serve_connection(self, i, &watched[1 + 2 * i]);
        if (watched[0].revents != 0)
            take_client(self);
    }
    return NULL;
}

/* ---- Opening and closing ---- */

static bool find_server(bench_delay *self, bench_context *context) {
    PGconn *asked = bench_postgres_connect(context);
    if (asked == NULL)
        return false;
    snprintf(self->host, sizeof self->host, "%s", PQhost(asked));
    snprintf(self->server_port, sizeof self->server_port, "%s", PQport(asked));
    PQfinish(asked);
    return true;
}

static bool listen_on_loopback(bench_delay *self) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    self->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->listening < 0 || bind(self->listening, (const struct sockaddr *)&address, size) != 0 ||
        getsockname(self->listening, (struct sockaddr *)&address, &size) != 0 ||
        listen(self->listening, CONNECTIONS_MOST) != 0)
        return false;
    snprintf(self->port, sizeof self->port, "%d", ntohs(address.sin_port));
    return true;
}

bench_delay *bench_delay_open(int64_t one_way_us, bench_context *context) {
    bench_delay *opened = calloc(1, sizeof *opened);
    if (opened == NULL) {
        bench_fail(context, "out of memory");
        return NULL;
    }
    opened->delay_ns = one_way_us * 1000;
    opened->listening = -1;
    bool found = find_server(opened, context);
    if (found && listen_on_loopback(opened) && pthread_create(&opened->thread, NULL, serve, opened) == 0)
        return opened;
    if (found)
        bench_fail(context, "a relay could not be opened: %s", strerror(errno));
    close(opened->listening);
    free(opened);
    return NULL;
}

void bench_delay_close(bench_delay *closed) {
    if (closed == NULL)
        return;
    atomic_store(&closed->stops, true);
    pthread_join(closed->thread, NULL);
    for (size_t i = 0; i < closed->count; i++)
        if (closed->ways[i][0] != NULL)
            end_connection(closed->ways[i]);
    close(closed->listening);
    free(closed);
}

const char *bench_delay_port(const bench_delay *asked) {
    return asked->port;
}
