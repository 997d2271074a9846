/* Who gets the log, and putting lines together for them. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <lido/value.h>

#include "base/fault.h"

/* Immutable once it is the newest. They are never freed: a thread may be reading one, and a lock that says so would be
 * locked for ever in a child that was forked meanwhile. */
typedef struct log_receiver {
    lido_log_level level;
    lido_log_callback *callback;
    void *user;
    struct log_receiver *before; /* so that none is lost to those who look for leaks */
} log_receiver;

static _Atomic(log_receiver *) newest;

lido_status lido_log_listen(lido_log_level level, lido_log_callback *callback, void *user) {
    log_receiver *receiver = malloc(sizeof *receiver);
    if (receiver == NULL)
        return LIDO_ERROR;
    *receiver = (log_receiver){level, callback, user, atomic_load_explicit(&newest, memory_order_acquire)};
    while (!atomic_compare_exchange_weak(&newest, &receiver->before, receiver))
        ;
    return LIDO_OK;
}

static const log_receiver *receiver_of(lido_log_level level) {
    const log_receiver *receiver = atomic_load_explicit(&newest, memory_order_acquire);
    return receiver != NULL && receiver->callback != NULL && level <= receiver->level ? receiver : NULL;
}

bool lido__log_wanted(lido_log_level level) {
    return receiver_of(level) != NULL;
}

/* One line without control characters, cut where there is no room. */
LIDO_FORMAT(2, 0) static void make_line(char line[LIDO__LOG_LINE_SIZE], const char *format, va_list arguments) {
    char text[LIDO__LOG_LINE_SIZE + 8]; /* so that the cutting below sees that there was more */
    vsnprintf(text, sizeof text, format, arguments);
    lido__fault_field(line, LIDO__LOG_LINE_SIZE, text);
    for (char *at = line; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = ' ';
}

void lido__log(lido_log_level level, const char *format, ...) {
    char line[LIDO__LOG_LINE_SIZE];
    va_list arguments;
    const log_receiver *receiver = receiver_of(level);
    if (receiver == NULL)
        return;
    va_start(arguments, format);
    make_line(line, format, arguments);
    va_end(arguments);
    receiver->callback(level, line, receiver->user);
}

void lido__log_or_print(lido_log_level level, const char *format, ...) {
    char line[LIDO__LOG_LINE_SIZE];
    char now[40];
    va_list arguments;
    const log_receiver *receiver = receiver_of(level);
    va_start(arguments, format);
    make_line(line, format, arguments);
    va_end(arguments);
    if (receiver != NULL) {
        receiver->callback(level, line, receiver->user);
        return;
    }
    lido_time_format(lido_time_now(), now);
    fprintf(stderr, "%s lido: %s: %s\n", now, lido_log_level_name(level), line);
}

const char *lido_log_level_name(lido_log_level level) {
    static const char *const names[] = {"not a level", "error", "warning", "info", "debug"};
    size_t index = (size_t)level;
    return index < sizeof names / sizeof *names ? names[index] : names[0];
}
