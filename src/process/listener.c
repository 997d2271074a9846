/* Opening the sockets that workers share. */
#include "process/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fault.h"
#include "process/signals.h"

#define UNIX_PREFIX "unix:"
#define DESCRIPTOR_PREFIX "fd:"
#define PUBLIC_PREFIX "public:"
#define ALLOWED "127.0.0.1:8080, [::1]:8080, localhost:8080, *:8080, unix:/path and fd:3 are forms that are"

/* What a socket is like. */
enum { SHARES_PORT = 1, OWNERS_ALONE = 2 };

static bool starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool refuse(lido_error *error, const char *where, const char *why) {
    lido__fault(error, LIDO_ERROR_CONFIGURATION, "cannot listen on \"%s\": %s", where, why);
    return false;
}

static bool no_form(lido_error *error, const char *where) {
    refuse(error, where, "it is no address");
    lido__fault_hint(error, "%s", ALLOWED);
    return false;
}

/* One that was opened by somebody else: systemd, say. */
static int adopt(const char *where, lido_error *error) {
    char *end;
    const char *number = where + strlen(DESCRIPTOR_PREFIX);
    long descriptor = strtol(number, &end, 10);
    int listens = 0;
    socklen_t size = sizeof listens;
    if (*number == '\0' || *end != '\0' || descriptor < 0 || descriptor > 1 << 20)
        return no_form(error, where) - 1;
    if (getsockopt((int)descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0)
        return refuse(error, where, lido__errno_text(errno)) - 1;
    if (!listens)
        return refuse(error, where, "the socket does not listen") - 1;
    int copy = fcntl((int)descriptor, F_DUPFD_CLOEXEC, 0);
    if (copy < 0 || fcntl(copy, F_SETFL, O_NONBLOCK) != 0)
        return refuse(error, where, lido__errno_text(errno)) - 1;
    return copy;
}

/* On Linux the mode of a unix socket is that of its file when it is bound: so nobody gets in before it is set. */
static int bind_and_listen(const struct sockaddr *address, socklen_t size, int backlog, unsigned how) {
    int on = 1;
    int made = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0)
        return -1;
    if (address->sa_family != AF_UNIX)
        setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (how & SHARES_PORT)
        setsockopt(made, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    bool guarded = address->sa_family != AF_UNIX || !(how & OWNERS_ALONE) || fchmod(made, S_IRUSR | S_IWUSR) == 0;
    if (guarded && bind(made, address, size) == 0 && listen(made, backlog) == 0)
        return made;
    int kept = errno;
    close(made);
    errno = kept;
    return -1;
}

/* Whether a socket's file is there to which nobody listens: left by a process that was killed. */
static bool is_left_over(const struct sockaddr_un *address) {
    struct stat about;
    int probe = lstat(address->sun_path, &about) == 0 && S_ISSOCK(about.st_mode)
                    ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
                    : -1;
    if (probe < 0)
        return false;
    bool dead = connect(probe, (const struct sockaddr *)address, sizeof *address) != 0 && errno == ECONNREFUSED;
    close(probe);
    return dead;
}

static int open_unix(const char *where, int backlog, unsigned how, lido_error *error) {
    const char *path = where + strlen(UNIX_PREFIX);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (*path == '\0')
        return no_form(error, where) - 1;
    if (strlen(path) >= sizeof address.sun_path)
        return refuse(error, where, "a unix socket's path has at most 107 bytes") - 1;
    memcpy(address.sun_path, path, strlen(path));
    if (is_left_over(&address))
        unlink(path);
    int made = bind_and_listen((const struct sockaddr *)&address, sizeof address, backlog, how);
    if (made < 0)
        refuse(error, where, lido__errno_text(errno));
    return made;
}

/* "host:port" into two texts; `host` has room for the whole. */
static bool split(const char *where, char *host, const char **port) {
    const char *colon = strrchr(where, ':');
    if (colon == NULL || colon[1] == '\0')
        return false;
    size_t length = (size_t)(colon - where);
    memcpy(host, where, length);
    host[length] = '\0';
    *port = colon + 1;
    if (host[0] == '[' && length > 2 && host[length - 1] == ']') {
        memmove(host, host + 1, length - 2);
        host[length - 2] = '\0';
    } else if (strchr(host, ':') != NULL) {
        return false;
    }
    return host[0] != '\0' && strspn(*port, "0123456789") == strlen(*port);
}

static struct addrinfo *resolve(const char *where, lido_error *error) {
    char host[256];
    const char *port;
    struct addrinfo *found = NULL;
    if (strlen(where) >= sizeof host || !split(where, host, &port)) {
        no_form(error, where);
        return NULL;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    int status = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, port, &hints, &found);
    if (status != 0)
        refuse(error, where, status == EAI_SYSTEM ? lido__errno_text(errno) : gai_strerror(status));
    return found;
}

/* The others are on the port that the first has got. */
static int open_network(const struct addrinfo *addresses, int backlog, int count, int *sockets) {
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    int opened = 0;
    sockets[0] = -1;
    for (const struct addrinfo *at = addresses; at != NULL && sockets[0] < 0; at = at->ai_next)
        sockets[0] = bind_and_listen(at->ai_addr, at->ai_addrlen, backlog, count > 1 ? SHARES_PORT : 0);
    if (sockets[0] < 0 || getsockname(sockets[0], (struct sockaddr *)&bound, &size) != 0)
        return sockets[0] >= 0;
    for (opened = 1; opened < count; opened++) {
        sockets[opened] = bind_and_listen((const struct sockaddr *)&bound, size, backlog, SHARES_PORT);
        if (sockets[opened] < 0)
            break;
    }
    return opened;
}

static void close_all(int count, const int *sockets) {
    for (int i = 0; i < count; i++)
        close(sockets[i]);
}

static bool open_one(const char *where, int count, int made, int *sockets, lido_error *error) {
    sockets[0] = made;
    if (made < 0 || count == 1)
        return made >= 0;
    close(made);
    return refuse(error, where, "reuse_port is for addresses with a port");
}

bool lido__listeners_open(const char *where, int backlog, int count, int *sockets, lido_error *error) {
    if (backlog <= 0)
        backlog = SOMAXCONN;
    if (starts_with(where, DESCRIPTOR_PREFIX))
        return open_one(where, count, adopt(where, error), sockets, error);
    if (starts_with(where, UNIX_PREFIX))
        return open_one(where, count, open_unix(where, backlog, 0, error), sockets, error);
    struct addrinfo *addresses = resolve(where, error);
    if (addresses == NULL)
        return false;
    int opened = open_network(addresses, backlog, count, sockets);
    freeaddrinfo(addresses);
    if (opened == count)
        return true;
    refuse(error, where, lido__errno_text(errno));
    close_all(opened, sockets);
    return false;
}

void lido__listeners_close(const char *where, int count, const int *sockets) {
    close_all(count, sockets);
    if (count > 0 && starts_with(where, UNIX_PREFIX))
        unlink(where + strlen(UNIX_PREFIX));
}

/* ---- For this machine alone ---- */

static bool is_loopback(const struct sockaddr *address) {
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    if (address->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == IN_LOOPBACKNET);
    return address->sa_family == AF_UNIX;
}

static int refuse_public(const char *where, lido_error *error) {
    refuse(error, where, "others than this machine could reach it");
    lido__fault_hint(error, "use 127.0.0.1, [::1] or unix:/path, or say \"" PUBLIC_PREFIX "%s\" if that is meant",
                     where);
    return -1;
}

static int adopt_private(const char *where, lido_error *error) {
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    int adopted = adopt(where, error);
    if (adopted < 0 ||
        (getsockname(adopted, (struct sockaddr *)&bound, &size) == 0 && is_loopback((const struct sockaddr *)&bound)))
        return adopted;
    close(adopted);
    return refuse_public(where, error);
}

static bool is_public(const char *where) {
    return starts_with(where, PUBLIC_PREFIX);
}

static const char *without_prefix(const char *where) {
    return is_public(where) ? where + strlen(PUBLIC_PREFIX) : where;
}

bool lido__listener_find_private(const char *where, struct addrinfo **found, lido_error *error) {
    const char *plain = without_prefix(where);
    *found = NULL;
    if (starts_with(plain, DESCRIPTOR_PREFIX) || starts_with(plain, UNIX_PREFIX))
        return true;
    *found = resolve(plain, error);
    const struct addrinfo *at = *found;
    while (at != NULL && (is_public(where) || is_loopback(at->ai_addr)))
        at = at->ai_next;
    if (at == NULL)
        return *found != NULL;
    refuse_public(where, error);
    lido__listener_forget(found);
    return false;
}

void lido__listener_forget(struct addrinfo **found) {
    if (*found != NULL)
        freeaddrinfo(*found);
    *found = NULL;
}

int lido__listener_open_private(const char *where, const struct addrinfo *found, lido_error *error) {
    const char *plain = without_prefix(where);
    int made = -1;
    if (starts_with(plain, DESCRIPTOR_PREFIX))
        return is_public(where) ? adopt(plain, error) : adopt_private(plain, error);
    if (starts_with(plain, UNIX_PREFIX))
        return open_unix(plain, SOMAXCONN, is_public(where) ? 0 : OWNERS_ALONE, error);
    if (open_network(found, SOMAXCONN, 1, &made) == 1)
        return made;
    refuse(error, plain, lido__errno_text(errno));
    return -1;
}

void lido__listener_close_private(const char *where, int made) {
    lido__listeners_close(without_prefix(where), 1, &made);
}

void lido__listener_name(const char *where, int made, char *name, size_t size) {
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    const struct sockaddr *address = (const struct sockaddr *)&bound;
    snprintf(name, size, "%s", where);
    if (getsockname(made, (struct sockaddr *)&bound, &length) != 0 || address->sa_family == AF_UNIX ||
        getnameinfo(address, length, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return;
    snprintf(name, size, address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}
