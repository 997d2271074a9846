/* Any bytes as lido_options and as environment variables: read whole or refused whole, with a reason. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config_invariants.h"

#define PASSWORD "hunter2hunter2"

enum { TEXT_SIZE = 64, TEXTS_MOST = 40 };

/* The bytes not used up yet, and the texts that were made from those that are. */
typedef struct input {
    const uint8_t *data;
    size_t size;
    char texts[TEXTS_MOST][TEXT_SIZE];
    size_t text_count;
} input;

static void take(input *bytes, void *target, size_t size) {
    if (size > bytes->size)
        size = bytes->size;
    memcpy(target, bytes->data, size);
    bytes->data += size;
    bytes->size -= size;
}

static uint8_t take_byte(input *bytes) {
    uint8_t byte = 0;
    take(bytes, &byte, 1);
    return byte;
}

/* Most members and variables stay unset, so that one fault does not hide all others. */
static const char *take_text(input *bytes) {
    uint8_t size = take_byte(bytes);
    if (size == 0 || size >= TEXT_SIZE || bytes->text_count == TEXTS_MOST)
        return NULL;
    char *text = bytes->texts[bytes->text_count++];
    take(bytes, text, size);
    return text;
}

static void fill_member(input *bytes, const lido__setting_rule *rule, char *member) {
    const char *text = NULL;
    if (rule->form == LIDO__FORM_SECRET)
        return;
    if (!lido__setting_is_number(rule)) {
        text = take_text(bytes);
        memcpy(member, &text, sizeof text);
    } else if (take_byte(bytes) % 4 == 1) {
        bool wide = rule->form == LIDO__FORM_DURATION || rule->form == LIDO__FORM_SIZE;
        take(bytes, member, wide ? sizeof(int64_t) : sizeof(int));
    }
}

static void fill(input *bytes, lido_options *options) {
    for (int index = 0; index < LIDO__SETTING_COUNT; index++) {
        const lido__setting_rule *rule = &lido__setting_rules[index];
        if (rule->option_offset != LIDO__NO_MEMBER)
            fill_member(bytes, rule, (char *)options + rule->option_offset);
        const char *text = rule->variable != NULL && rule->form != LIDO__FORM_SECRET ? take_text(bytes) : NULL;
        if (text != NULL)
            setenv(rule->variable, text, 1);
        else if (rule->variable != NULL)
            unsetenv(rule->variable);
    }
    if (take_byte(bytes) == 1)
        options->size = take_byte(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const urls[] = {NULL, "sqlite:///items.db", "postgresql://u:" PASSWORD "@h1,h2/db", "sqlite://"};
    static const char *const types[] = {"sqlite", "postgresql"};
    /* A password that also stands in for a host's name may be shown there. */
    if (memmem(data, size, PASSWORD, strlen(PASSWORD)) != NULL)
        return 0;
    input bytes = {.data = data, .size = size};
    lido_options options = LIDO_OPTIONS_INIT;
    lido__config config;
    lido_error error = LIDO_ERROR_INIT;
    uint8_t choice = take_byte(&bytes);
    unsetenv("DATABASE_URL");
    setenv("DATABASE_TYPE", types[choice / 4 % 2], 1);
    fill(&bytes, &options);
    if (choice % 4 == 0) {
        setenv("DATABASE_NAME", "items", 0);
        setenv("DATABASE_PASSWORD", PASSWORD, 1);
    }
    if (lido__config_read(&config, urls[choice % 4], &options, &error)) {
        check_accepted(&config, PASSWORD);
        lido__config_done(&config);
    } else {
        check_refused(&config, &error, PASSWORD);
    }
    return 0;
}
