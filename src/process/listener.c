/* Opening the sockets that workers share. */
#include "process/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
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
#define ALLOWED "127.0.0.1:8080, [::1]:8080, localhost:8080, *:8080, unix:/path and fd:3 are forms that are"

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

static int bind_and_listen(const struct sockaddr *address, socklen_t size, int backlog, bool shared) {
    int on = 1;
    int made = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0)
        return -1;
    if (address->sa_family != AF_UNIX)
        setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared)
        setsockopt(made, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(made, address, size) == 0 && listen(made, backlog) == 0)
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

static int open_unix(const char *where, int backlog, lido_error *error) {
    const char *path = where + strlen(UNIX_PREFIX);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (*path == '\0')
        return no_form(error, where) - 1;
    if (strlen(path) >= sizeof address.sun_path)
        return refuse(error, where, "a unix socket's path has at most 107 bytes") - 1;
    memcpy(address.sun_path, path, strlen(path));
    if (is_left_over(&address))
        unlink(path);
    int made = bind_and_listen((const struct sockaddr *)&address, sizeof address, backlog, false);
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
        sockets[0] = bind_and_listen(at->ai_addr, at->ai_addrlen, backlog, count > 1);
    if (sockets[0] < 0 || getsockname(sockets[0], (struct sockaddr *)&bound, &size) != 0)
        return sockets[0] >= 0;
    for (opened = 1; opened < count; opened++) {
        sockets[opened] = bind_and_listen((const struct sockaddr *)&bound, size, backlog, true);
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
        return open_one(where, count, open_unix(where, backlog, error), sockets, error);
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
