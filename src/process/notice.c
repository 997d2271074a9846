/* The service manager's notices. */
#include "process/notice.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { NOTICE_MOST = 512 };

static void send_to(const char *path, const char *text) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || length >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') /* in the abstract name space */
        address.sun_path[0] = '\0';
    int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sender < 0)
        return;
    sendto(sender, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&address,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    close(sender);
}

void lido__notice(const char *format, ...) {
    char text[NOTICE_MOST];
    va_list arguments;
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    send_to(path, text);
}

/* Half of what it waits for, so that one notice may be late. */
int64_t lido__notice_watchdog_us(void) {
    const char *wanted = getenv("WATCHDOG_USEC");
    const char *whose = getenv("WATCHDOG_PID");
    if (wanted == NULL || (whose != NULL && strtol(whose, NULL, 10) != getpid()))
        return 0;
    long long us = strtoll(wanted, NULL, 10);
    return us > 1 ? us / 2 : 0;
}
