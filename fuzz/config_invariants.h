/* What holds of every configuration, whatever it was read from. */
#ifndef LIDO_FUZZ_CONFIG_INVARIANTS_H
#define LIDO_FUZZ_CONFIG_INVARIANTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/convert.h"
#include "config/config.h"
#include "config/settings.h"
#include "config/url.h"
#include "config/value.h"

#define REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

static inline bool same_text(const char *one, const char *other) {
    return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

/* `password` NULL: none is known. */
static inline void check_refused(const lido__config *config, const lido_error *error, const char *password) {
    static const lido__config empty;
    char text[2048];
    REQUIRE(memcmp(config, &empty, sizeof empty) == 0);
    REQUIRE(error->status == LIDO_ERROR && error->category == LIDO_ERROR_CONFIGURATION);
    REQUIRE(error->message[0] != '\0' && lido__utf8_valid(error->message, strlen(error->message)));
    lido_error_format(error, text, sizeof text);
    REQUIRE(password == NULL || strstr(text, password) == NULL);
}

/* A listed number reads back as one that is allowed. */
static inline void check_listed(const lido_setting *setting) {
    int64_t number = 0;
    for (int index = 0; index < LIDO__SETTING_COUNT; index++) {
        const lido__setting_rule *rule = &lido__setting_rules[index];
        if (strcmp(rule->name, setting->name) == 0 && lido__setting_is_number(rule))
            REQUIRE(lido__number_read(rule, setting->value, &number) && lido__number_allowed(rule, number));
    }
}

static inline void check_hosts(const lido__config *config) {
    REQUIRE(config->host_count >= 1);
    for (size_t index = 0; index < config->host_count; index++) {
        const char *port = config->hosts[index].port;
        REQUIRE(port == NULL || (atoi(port) >= 1 && atoi(port) <= 65535));
        REQUIRE(config->host_count == 1 || config->hosts[index].name != NULL);
    }
}

static inline void check_accepted(const lido__config *config, const char *password) {
    REQUIRE(lido__utf8_valid(config->display, strlen(config->display)));
    REQUIRE(password == NULL || strstr(config->display, password) == NULL);
    REQUIRE(config->setting_count > 0 && config->setting_count <= LIDO__SETTING_COUNT_MOST);
    for (size_t index = 0; index < config->setting_count; index++) {
        check_listed(&config->settings[index]);
        REQUIRE(password == NULL || strstr(config->settings[index].value, password) == NULL);
    }
    REQUIRE(config->pool_size >= 1 && config->max_overflow >= -1);
    REQUIRE(config->pool_timeout_ms >= 0 && config->connect_timeout_ms >= 1);
    REQUIRE(config->pool_recycle_ms == -1 || config->pool_recycle_ms >= 1);
    REQUIRE(config->statement_timeout_ms == -1 || config->statement_timeout_ms >= 1);
    if (config->type == LIDO__POSTGRESQL)
        check_hosts(config);
    else
        REQUIRE(config->busy_timeout_ms >= 0 && config->journal_mode != NULL && config->synchronous != NULL);
}

#endif
