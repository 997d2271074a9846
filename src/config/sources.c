/* The three sources of a configuration: the environment, a URL that was taken apart, lido_options. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "config/draft.h"
#include "config/value.h"

enum { WHERE_SIZE = 128 };

/* Other drivers' boolean for sslmode; what is no boolean is meant to be an sslmode. */
static const char *sslmode_of(const char *text) {
    bool on = false;
    if (lido__switch_read(text, &on))
        return on ? "require" : "disable";
    return text;
}

/* An sslmode from where a boolean is allowed, too. */
static bool draft_sslmode(lido__draft *draft, lido_origin origin, const char *where, const char *text) {
    if (lido__draft_text(draft, LIDO__SETTING_SSLMODE, origin, where, sslmode_of(text)))
        return true;
    if (draft->error != NULL && draft->error->category == LIDO_ERROR_CONFIGURATION)
        lido__fault_hint(draft->error, "allowed is also true, on, yes, 1 (require) or false, off, no, 0 (disable)");
    return false;
}

/* ---- Environment ---- */

const char *lido__environment(const char *variable) {
    const char *value = getenv(variable);
    return value != NULL && *value != '\0' ? value : NULL;
}

static bool environment_text(lido__draft *draft, lido__setting_index index, const char *variable, const char *text) {
    if (index == LIDO__SETTING_SSLMODE)
        return draft_sslmode(draft, LIDO_FROM_ENVIRONMENT, variable, text);
    if (index == LIDO__SETTING_DATABASE && draft->config->type == LIDO__SQLITE &&
        strcmp(text, LIDO__MEMORY_DATABASE) != 0)
        text = lido__arena_format(&draft->config->arena, "%s.db", text);
    if (text == NULL)
        return lido__fault_memory(draft->error, "reading the environment");
    return lido__draft_text(draft, index, LIDO_FROM_ENVIRONMENT, variable, text);
}

bool lido__draft_environment(lido__draft *draft) {
    for (int index = 0; index < LIDO__SETTING_COUNT; index++) {
        const lido__setting_rule *rule = &lido__setting_rules[index];
        bool replaced = rule->part && draft->url_called != NULL;
        if (rule->variable == NULL || replaced || !lido__setting_applies(rule, draft->config->type))
            continue;
        const char *text = lido__environment(rule->variable);
        if (text != NULL && !environment_text(draft, (lido__setting_index)index, rule->variable, text))
            return false;
    }
    return true;
}

/* ---- URL ---- */

static bool url_part(lido__draft *draft, lido__setting_index index, const char *text) {
    char where[WHERE_SIZE];
    snprintf(where, sizeof where, "%s's %s", draft->url_called, lido__setting_rules[index].name);
    return text == NULL || lido__draft_text(draft, index, LIDO_FROM_URL, where, text);
}

static bool given_twice(lido__draft *draft, const char *name) {
    return lido__fault(draft->error, LIDO_ERROR_CONFIGURATION, "%s gives %s twice: allowed is once", draft->url_called,
                       name);
}

static bool url_keyword(lido__draft *draft, const char *where, const lido__url_parameter *parameter) {
    lido__config *config = draft->config;
    for (size_t index = 0; index < config->keyword_count; index++)
        if (strcmp(config->keywords[index].name, parameter->name) == 0)
            return given_twice(draft, parameter->name);
    if (config->type != LIDO__POSTGRESQL)
        return lido__draft_refuse_other(draft, where);
    if (!lido__draft_check(draft, where, parameter->value, lido__keyword_is_secret(parameter->name)))
        return false;
    config->keywords[config->keyword_count++] = (lido__keyword){parameter->name, parameter->value};
    return true;
}

static bool unknown_parameter(lido__draft *draft, const char *where, const char *name) {
    const char *nearest = lido__parameter_nearest(name, draft->config->type);
    if (nearest != NULL)
        lido__fault(draft->error, LIDO_ERROR_CONFIGURATION, "%s is not known: did you mean %s?", where, nearest);
    else
        lido__fault(draft->error, LIDO_ERROR_CONFIGURATION, "%s is not known", where);
    lido__fault_hint(draft->error, "docs/configuration.md lists the parameters");
    return false;
}

static bool url_parameter(lido__draft *draft, const lido__url_parameter *parameter) {
    char where[WHERE_SIZE];
    snprintf(where, sizeof where, "%s's parameter %s", draft->url_called, parameter->name);
    bool is_ssl = strcmp(parameter->name, "ssl") == 0;
    lido__setting_index index = is_ssl ? LIDO__SETTING_SSLMODE : lido__setting_find(parameter->name);
    if (index == LIDO__SETTING_COUNT && lido__keyword_known(parameter->name))
        return url_keyword(draft, where, parameter);
    if (index == LIDO__SETTING_COUNT)
        return unknown_parameter(draft, where, parameter->name);
    if (!lido__setting_applies(&lido__setting_rules[index], draft->config->type))
        return lido__draft_refuse_other(draft, where);
    if (draft->values[index].origin == LIDO_FROM_URL)
        return given_twice(draft, lido__setting_rules[index].parameter);
    if (is_ssl)
        return draft_sslmode(draft, LIDO_FROM_URL, where, parameter->value);
    return lido__draft_text(draft, index, LIDO_FROM_URL, where, parameter->value);
}

bool lido__draft_url(lido__draft *draft, const lido__url *url) {
    lido__config *config = draft->config;
    config->keywords = lido__arena_allocate(&config->arena, url->parameter_count * sizeof *config->keywords);
    if (config->keywords == NULL)
        return lido__fault_memory(draft->error, "reading a database URL");
    if (!url_part(draft, LIDO__SETTING_USER, url->user) || !url_part(draft, LIDO__SETTING_PASSWORD, url->password) ||
        !url_part(draft, LIDO__SETTING_HOST, url->host) || !url_part(draft, LIDO__SETTING_PORT, url->port) ||
        !url_part(draft, LIDO__SETTING_DATABASE, url->database))
        return false;
    for (size_t index = 0; index < url->parameter_count; index++)
        if (!url_parameter(draft, &url->parameters[index]))
            return false;
    return true;
}

/* ---- Options ---- */

/* A program compiled with older headers has a shorter struct: what it lacks stays unset. */
static bool copy_options(lido__draft *draft, const lido_options *given, lido_options *options) {
    *options = (lido_options)LIDO_OPTIONS_INIT;
    if (given->size > sizeof *options)
        return lido__fault(draft->error, LIDO_ERROR_CONFIGURATION,
                           "lido_options.size is %zu: allowed is at most %zu; the program was compiled with newer "
                           "headers than this library's, or lido_options was not initialised with LIDO_OPTIONS_INIT",
                           given->size, sizeof *options);
    if (given->size < 2 * sizeof given->size || given->size % sizeof given->size != 0) {
        lido__fault(draft->error, LIDO_ERROR_CONFIGURATION, "lido_options.size is %zu: allowed is %zu", given->size,
                    sizeof *options);
        lido__fault_hint(draft->error, "initialise lido_options with LIDO_OPTIONS_INIT");
        return false;
    }
    memcpy(options, given, given->size);
    return true;
}

/* The member's number; LIDO_UNSET if it is not set. */
static int64_t member_number(const char *member, lido__setting_form form) {
    int small = 0;
    int64_t large = 0;
    if (form == LIDO__FORM_DURATION || form == LIDO__FORM_SIZE) {
        memcpy(&large, member, sizeof large);
        return large;
    }
    memcpy(&small, member, sizeof small);
    return small;
}

static bool option(lido__draft *draft, lido__setting_index index, const char *member) {
    const lido__setting_rule *rule = &lido__setting_rules[index];
    const char *text = NULL;
    int64_t number = LIDO_UNSET;
    char where[WHERE_SIZE];
    if (lido__setting_is_number(rule))
        number = member_number(member, rule->form);
    else
        memcpy(&text, member, sizeof text);
    if (text == NULL && number == LIDO_UNSET)
        return true;
    snprintf(where, sizeof where, "lido_options.%s", rule->name);
    if (!lido__setting_applies(rule, draft->config->type))
        return true; /* one program, two databases: what is for the other waits for its day */
    if (lido__setting_is_number(rule))
        return lido__draft_number(draft, index, where, number);
    return lido__draft_text(draft, index, LIDO_FROM_OPTIONS, where, text);
}

bool lido__draft_options(lido__draft *draft, const lido_options *given) {
    lido_options options;
    if (!copy_options(draft, given, &options))
        return false;
    for (int index = 0; index < LIDO__SETTING_COUNT; index++) {
        size_t offset = lido__setting_rules[index].option_offset;
        if (offset != LIDO__NO_MEMBER && !option(draft, (lido__setting_index)index, (const char *)&options + offset))
            return false;
    }
    return true;
}
