/* One thread polls all ends; the tests' calls come in between, under a lock. */
#include "support/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECTIONS_MOST = 64, BYTES_AT_ONCE = 16384, LOOK_MS = 20, PROTOCOL_3_0 = 196608 };

typedef struct proxied {
    bool open;
    bool stalled;
    bool greeted; /* the client's first message has passed */
    int ends[2];  /* by way, where its bytes come from: the client's end, the server's end */
} proxied;

struct proxy {
    struct sockaddr_un server;
    int listening;
    char port[8];
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    bool stops;
    bool frozen;
    bool dead;
    const char *setting; /* added to what clients ask for; NULL: none */
    bool fatal;
    proxy_fault fault;
    proxy_way way;
    size_t after;
    size_t passed[2];
    int connections;
    proxied all[CONNECTIONS_MOST];
};

/* ---- One connection ---- */

/* While the proxy's thread polls a descriptor, closing it elsewhere is not heard at the other side: shutting down
 * is. */
static void drop(proxied *dropped, bool reset) {
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        setsockopt(dropped->ends[PROXY_TO_SERVER], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    for (size_t end = 0; end < 2; end++) {
        if (!reset)
            shutdown(dropped->ends[end], SHUT_RDWR);
        close(dropped->ends[end]);
    }
    dropped->open = false;
}

static void befall(proxy *self, proxied *on) {
    proxy_fault fault = self->fault;
    self->fault = PROXY_PASSES;
    if (fault == PROXY_CUTS || fault == PROXY_RESETS)
        drop(on, fault == PROXY_RESETS);
    else
        on->stalled = true;
    self->frozen = fault == PROXY_FREEZES;
}

/* Adds a setting to the client's first message: its length, the protocol's number, pairs of texts, and an empty
 * text. */
static size_t add_setting(char *bytes, size_t size, const char *setting) {
    static const char name[] = "options";
    uint32_t head[2];
    memcpy(head, bytes, sizeof head);
    if (size < sizeof head || ntohl(head[0]) != size || ntohl(head[1]) != PROTOCOL_3_0)
        return size;
    memcpy(bytes + size - 1, name, sizeof name);
    size += sizeof name - 1;
    memcpy(bytes + size, setting, strlen(setting) + 1);
    size += strlen(setting) + 1;
    bytes[size++] = '\0';
    head[0] = htonl((uint32_t)size);
    memcpy(bytes, head, sizeof head[0]);
    return size;
}

/* In the two fields that tell an error's severity. A message of these tests is never received in pieces. */
static void make_fatal(char *bytes, size_t size) {
    static const char error[] = "SERROR\0VERROR";
    static const char fatal[] = "SFATAL\0VFATAL";
    char *at = memmem(bytes, size, error, sizeof error);
    if (at != NULL)
        memcpy(at, fatal, sizeof fatal);
}

static void pass(proxy *self, proxied *on, proxy_way way) {
    char bytes[BYTES_AT_ONCE + 64];
    ssize_t received = recv(on->ends[way], bytes, BYTES_AT_ONCE, 0);
    if (received <= 0) {
        drop(on, false);
        return;
    }
    size_t size = (size_t)received;
    if (way == PROXY_TO_SERVER && !on->greeted && self->setting != NULL)
        size = add_setting(bytes, size, self->setting);
    if (way == PROXY_TO_CLIENT && self->fatal)
        make_fatal(bytes, size);
    on->greeted = on->greeted || way == PROXY_TO_SERVER;
    bool counts = self->fault != PROXY_PASSES && self->way == way;
    bool last = counts && self->passed[way] + size >= self->after;
    if (last)
        size = self->after - self->passed[way];
    self->passed[way] += size;
    bool passed = size == 0 || send(on->ends[!way], bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
    if (last)
        befall(self, on);
    else if (!passed)
        drop(on, false);
}

/* ---- All ---- */

static proxied *find_room(proxy *self) {
    for (size_t i = 0; i < CONNECTIONS_MOST; i++)
        if (!self->all[i].open)
            return &self->all[i];
    abort();
}

static void take_client(proxy *self) {
    int client = accept(self->listening, NULL, NULL);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0 || server < 0)
        abort();
    if (self->dead || connect(server, (const struct sockaddr *)&self->server, sizeof self->server) != 0) {
        close(client);
        close(server);
        return;
    }
    self->connections++;
    *find_room(self) = (proxied){.open = true, .ends = {client, server}};
}

/* Fills in what to look at; a descriptor of -1 is not looked at. */
static void watch(const proxy *self, struct pollfd watched[1 + 2 * CONNECTIONS_MOST]) {
    watched[0] = (struct pollfd){.fd = self->frozen ? -1 : self->listening, .events = POLLIN};
    for (size_t i = 0; i < CONNECTIONS_MOST; i++) {
        const proxied *on = &self->all[i];
        bool looks = on->open && !on->stalled && !self->frozen;
        for (size_t way = 0; way < 2; way++)
            watched[1 + 2 * i + way] = (struct pollfd){.fd = looks ? on->ends[way] : -1, .events = POLLIN};
    }
}

/* What was ready may not be what is there now: who passes looks again. */
static void serve_ready(proxy *self, const struct pollfd watched[1 + 2 * CONNECTIONS_MOST]) {
    for (size_t i = 0; i < CONNECTIONS_MOST; i++)
        for (proxy_way way = PROXY_TO_SERVER; way <= PROXY_TO_CLIENT; way++) {
            proxied *on = &self->all[i];
            const struct pollfd *at = &watched[1 + 2 * i + way];
            if (at->revents != 0 && on->open && on->ends[way] == at->fd && !on->stalled && !self->frozen)
                pass(self, on, way);
        }
    if (watched[0].revents != 0 && !self->frozen)
        take_client(self);
}

static void *serve(void *argument) {
    proxy *self = argument;
    struct pollfd watched[1 + 2 * CONNECTIONS_MOST];
    pthread_mutex_lock(&self->lock);
    while (!self->stops) {
        watch(self, watched);
        pthread_mutex_unlock(&self->lock);
        int ready = poll(watched, 1 + 2 * CONNECTIONS_MOST, LOOK_MS);
        pthread_mutex_lock(&self->lock);
        if (ready > 0)
            serve_ready(self, watched);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

static bool listen_on_loopback(proxy *self) {
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

/* Under the lock. */
static void drop_all(proxy *self, bool reset) {
    for (size_t i = 0; i < CONNECTIONS_MOST; i++)
        if (self->all[i].open)
            drop(&self->all[i], reset);
}

/* ---- What the tests call ---- */

proxy *proxy_open(void) {
    const char *folder = getenv("LIDO_TEST_POSTGRES_DIRECTORY"); /* its socket is beside that */
    const char *port = getenv("LIDO_TEST_POSTGRES_PORT");
    if (folder == NULL || port == NULL)
        return NULL;
    proxy *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        abort();
    opened->server.sun_family = AF_UNIX;
    snprintf(opened->server.sun_path, sizeof opened->server.sun_path, "%s/../.s.PGSQL.%s", folder, port);
    if (!listen_on_loopback(opened) || pthread_mutex_init(&opened->lock, NULL) != 0 ||
        pthread_create(&opened->thread, NULL, serve, opened) != 0)
        abort();
    return opened;
}

void proxy_close(proxy *closed) {
    if (closed == NULL)
        return;
    pthread_mutex_lock(&closed->lock);
    closed->stops = true;
    pthread_mutex_unlock(&closed->lock);
    pthread_join(closed->thread, NULL);
    drop_all(closed, false);
    close(closed->listening);
    pthread_mutex_destroy(&closed->lock);
    free(closed);
}

const char *proxy_port(const proxy *asked) {
    return asked->port;
}

void proxy_arm(proxy *armed, proxy_fault fault, proxy_way way, size_t after) {
    pthread_mutex_lock(&armed->lock);
    armed->fault = fault;
    armed->way = way;
    armed->after = after;
    armed->passed[PROXY_TO_SERVER] = armed->passed[PROXY_TO_CLIENT] = 0;
    armed->frozen = false;
    pthread_mutex_unlock(&armed->lock);
}

size_t proxy_passed(proxy *asked, proxy_way way) {
    pthread_mutex_lock(&asked->lock);
    size_t passed = asked->passed[way];
    pthread_mutex_unlock(&asked->lock);
    return passed;
}

int proxy_connections(proxy *asked) {
    pthread_mutex_lock(&asked->lock);
    int connections = asked->connections;
    pthread_mutex_unlock(&asked->lock);
    return connections;
}

void proxy_reset_all(proxy *reset) {
    pthread_mutex_lock(&reset->lock);
    drop_all(reset, true);
    pthread_mutex_unlock(&reset->lock);
}

void proxy_set_dead(proxy *set, bool dead) {
    pthread_mutex_lock(&set->lock);
    set->dead = dead;
    if (dead)
        drop_all(set, false);
    pthread_mutex_unlock(&set->lock);
}

void proxy_set_read_only(proxy *set, bool read_only) {
    pthread_mutex_lock(&set->lock);
    set->setting = read_only ? "-c default_transaction_read_only=on" : "-c default_transaction_read_only=off";
    pthread_mutex_unlock(&set->lock);
}

void proxy_set_fatal(proxy *set, bool fatal) {
    pthread_mutex_lock(&set->lock);
    set->fatal = fatal;
    pthread_mutex_unlock(&set->lock);
}
