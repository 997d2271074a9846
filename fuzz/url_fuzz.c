/* Any bytes as a database URL: read whole or refused whole, with a reason, and never with a password in it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_invariants.h"

#define PASSWORD "hunter2hunter2"

/* What lido shows of a URL leads to the same database. */
static void check_canonical(const lido__config *config) {
    lido__config again;
    lido_error error = LIDO_ERROR_INIT;
    if (strlen(config->display) > LIDO__URL_SIZE_MOST)
        return;
    REQUIRE(lido__config_read(&again, config->display, NULL, &error));
    REQUIRE(again.type == config->type && again.host_count == config->host_count);
    REQUIRE(same_text(again.database, config->database) && same_text(again.user, config->user));
    for (size_t index = 0; index < config->host_count; index++)
        REQUIRE(same_text(again.hosts[index].name, config->hosts[index].name) &&
                same_text(again.hosts[index].port, config->hosts[index].port));
    REQUIRE(strcmp(again.display, config->display) == 0);
    lido__config_done(&again);
}

static void check_url(const char *url, const char *password) {
    lido__config config;
    lido_error error = LIDO_ERROR_INIT;
    if (lido__config_read(&config, url, NULL, &error)) {
        check_accepted(&config, password);
        check_canonical(&config);
        lido__config_done(&config);
    } else {
        check_refused(&config, &error, password);
    }
}

/* The bytes around a password, in the URL's place for it: the first of them says how many stand before it. */
static void check_password(const uint8_t *data, size_t size) {
    size_t before = size > 0 ? data[0] % size : 0;
    char *url = malloc(size + sizeof PASSWORD + 32);
    if (url == NULL)
        return;
    char *end = url + sprintf(url, "postgresql://u:");
    for (size_t at = 1; at < size; at++) {
        if (at - 1 == before)
            end += sprintf(end, "%s", PASSWORD);
        *end++ = data[at] != 0 ? (char)data[at] : '0';
    }
    sprintf(end, "%s@h", PASSWORD);
    check_url(url, PASSWORD);
    free(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *url = malloc(size + 1);
    if (url == NULL)
        return 0;
    if (size > 0)
        memcpy(url, data, size);
    url[size] = '\0';
    check_url(url, NULL);
    free(url);
    check_password(data, size);
    return 0;
}
