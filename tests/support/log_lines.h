/* What the library writes to the log, kept for tests to look at. For one file of a program. */
#ifndef TESTS_SUPPORT_LOG_LINES_H
#define TESTS_SUPPORT_LOG_LINES_H

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <lido.h>

#include "support/scenario.h"

enum { LOG_MOST = 64 * 1024 };

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char log_text[LOG_MOST];

static inline void keep_line(lido_log_level level, const char *line, void *user) {
    (void)user;
    pthread_mutex_lock(&log_lock);
    size_t used = strlen(log_text);
    snprintf(log_text + used, sizeof log_text - used, "%s: %s\n", lido_log_level_name(level), line);
    pthread_mutex_unlock(&log_lock);
}

static inline void log_begins(lido_log_level level) {
    log_text[0] = '\0';
    assert_int_equal(lido_log_listen(level, keep_line, NULL), LIDO_OK);
}

static inline void log_ends(void) {
    lido_log_listen(LIDO_LOG_ERROR, NULL, NULL);
}

#endif
