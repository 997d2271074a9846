/* Clients of a metrics address, well-behaved and not. An address is "unix:/path" or "127.0.0.1:port". */
#ifndef TESTS_SUPPORT_SCRAPE_H
#define TESTS_SUPPORT_SCRAPE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { SCRAPE_SIZE = 4 * 1024 * 1024, SCRAPE_MOST_MS = 20 * 1000 };

typedef struct scrape_answer {
    char text[SCRAPE_SIZE]; /* with its head; terminated by NUL */
    size_t size;
    const char *body; /* in `text` */
    int status;
} scrape_answer;

/* -1: nobody listens; errno says why. */
static inline int scrape_connect(const char *where) {
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool is_unix = strncmp(where, "unix:", 5) == 0;
    assert_true(strlen(where) < sizeof path.sun_path);
    if (is_unix)
        memcpy(path.sun_path, where + 5, strlen(where + 5));
    else
        loopback.sin_port = htons((uint16_t)atoi(strrchr(where, ':') + 1));
    int made = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(made >= 0);
    if ((is_unix ? connect(made, (struct sockaddr *)&path, sizeof path)
                 : connect(made, (struct sockaddr *)&loopback, sizeof loopback)) == 0)
        return made;
    int kept = errno;
    close(made);
    errno = kept;
    return -1;
}

static inline int scrape_connect_surely(const char *where) {
    int made = scrape_connect(where);
    assert_true(made >= 0);
    return made;
}

/* Whether the other side closes the connection in time; what it sends before is thrown away. */
static inline bool scrape_is_closed(int client) {
    char thrown[4096];
    struct pollfd waiting = {.fd = client, .events = POLLIN};
    while (poll(&waiting, 1, SCRAPE_MOST_MS) == 1)
        if (recv(client, thrown, sizeof thrown, 0) <= 0)
            return true;
    return false;
}

/* Reads to the end. */
static inline void scrape_read(int client, scrape_answer *answer) {
    ssize_t size = 0;
    struct pollfd waiting = {.fd = client, .events = POLLIN};
    answer->size = 0;
    while (poll(&waiting, 1, SCRAPE_MOST_MS) == 1 &&
           (size = read(client, answer->text + answer->size, SCRAPE_SIZE - 1 - answer->size)) > 0)
        answer->size += (size_t)size;
    assert_int_equal(size, 0);
    answer->text[answer->size] = '\0';
    assert_int_equal(sscanf(answer->text, "HTTP/1.1 %d", &answer->status), 1);
    const char *end = strstr(answer->text, "\r\n\r\n");
    assert_non_null(end);
    answer->body = end + 4;
}

static inline void scrape_send(int client, const char *request) {
    assert_int_equal(send(client, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
}

/* Asks as a scraper does. */
static inline void scrape(const char *where, const char *path, scrape_answer *answer) {
    char request[256];
    int client = scrape_connect_surely(where);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n", path);
    scrape_send(client, request);
    scrape_read(client, answer);
    close(client);
}

static inline int64_t scrape_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A program's own number in an answer of JSON: the first of this name behind `from`; -1: there is none. */
static inline int64_t scrape_number(const char *from, const char *name) {
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *found = strstr(from, key);
    return found != NULL ? strtoll(found + strlen(key), NULL, 10) : -1;
}

#endif
