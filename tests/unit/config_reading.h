/* For the tests of configurations: a clean environment, reading what must be right, and refusing what must be
 * wrong, with the promise that no error ever shows the password. */
#ifndef LIDO_TESTS_CONFIG_READING_H
#define LIDO_TESTS_CONFIG_READING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"
#include "config/settings.h"

/* The password of every test. No error may hold it. */
#define PASSWORD "hunter2"

static inline int environment_clear(void **state) {
    (void)state;
    unsetenv("DATABASE_URL");
    unsetenv("DATABASE_TYPE");
    for (int index = 0; index < LIDO__SETTING_COUNT; index++)
        if (lido__setting_rules[index].variable != NULL)
            unsetenv(lido__setting_rules[index].variable);
    return 0;
}

static inline void environment(const char *variable, const char *value) {
    assert_int_equal(setenv(variable, value, 1), 0);
}

/* Must succeed. Undo with lido__config_done. */
static inline void accept(lido__config *config, const char *url, const lido_options *options) {
    lido_error error = LIDO_ERROR_INIT;
    if (!lido__config_read(config, url, options, &error)) {
        lido_error_print(&error, stderr);
        fail_msg("refused: %s", url != NULL ? url : "the environment");
    }
    assert_int_equal(error.status, LIDO_OK);
    assert_null(strstr(config->display, PASSWORD));
    for (size_t index = 0; index < config->setting_count; index++)
        assert_null(strstr(config->settings[index].value, PASSWORD));
}

/* Must fail, with a message that holds `part`. */
static inline void refuse(const char *url, const lido_options *options, const char *part) {
    static const lido__config empty;
    char text[2048];
    lido__config config;
    lido_error error = LIDO_ERROR_INIT;
    if (lido__config_read(&config, url, options, &error))
        fail_msg("accepted: %s", url != NULL ? url : "the environment");
    assert_int_equal(error.status, LIDO_ERROR);
    assert_int_equal(error.category, LIDO_ERROR_CONFIGURATION);
    assert_false(error.retryable);
    assert_string_equal(error.doing, "reading the configuration");
    assert_memory_equal(&config, &empty, sizeof config);
    if (strstr(error.message, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, error.message);
    assert_true(lido_error_format(&error, text, sizeof text) < sizeof text);
    assert_null(strstr(text, PASSWORD));
}

/* The setting of that name; fails if it is not listed. */
static inline lido_setting setting(const lido__config *config, const char *name) {
    for (size_t index = 0; index < config->setting_count; index++)
        if (strcmp(config->settings[index].name, name) == 0)
            return config->settings[index];
    fail_msg("%s is not listed", name);
    return (lido_setting){NULL, NULL, LIDO_FROM_DEFAULT};
}

static inline bool is_listed(const lido__config *config, const char *name) {
    for (size_t index = 0; index < config->setting_count; index++)
        if (strcmp(config->settings[index].name, name) == 0)
            return true;
    return false;
}

static inline void assert_setting(const lido__config *config, const char *name, const char *value, lido_origin origin) {
    lido_setting found = setting(config, name);
    assert_string_equal(found.value, value);
    assert_int_equal(found.origin, origin);
}

#endif
