/* Telling systemd how the service is: sd_notify(3)'s protocol, a datagram to the socket that NOTIFY_SOCKET names. The
 * library for it, libsystemd, would be a dependency of every program for these few lines, which its manual allows to be
 * written again. */
#ifndef LIDO_PROCESS_NOTICE_H
#define LIDO_PROCESS_NOTICE_H

#include <stdint.h>

#include <lido/export.h>

/* Sends lines such as "READY=1\nSTATUS=…". Does nothing where nobody asks. Does not wait. */
void lido__notice(const char *format, ...) LIDO_FORMAT(1, 2);

/* How often systemd wants to hear WATCHDOG=1, in microseconds; 0: never. */
int64_t lido__notice_watchdog_us(void);

#endif
