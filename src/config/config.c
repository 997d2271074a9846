/* Reading a configuration: which source says what the database is, the sources from weak to strong, and from the
 * finished draft the effective values and the list of them. */
#include "config/config.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "config/draft.h"
#include "config/value.h"

#define DOING "reading the configuration"

static bool out_of_memory(lido__draft *draft) {
    return lido__fault_memory(draft->error, DOING);
}

const char *lido_origin_name(lido_origin origin) {
    switch (origin) {
    case LIDO_FROM_DEFAULT:
        return "default";
    case LIDO_FROM_ENVIRONMENT:
        return "environment";
    case LIDO_FROM_URL:
        return "URL";
    case LIDO_FROM_OPTIONS:
        return "options";
    }
    return "unknown";
}

/* ---- Which database ---- */

static bool no_database(lido__draft *draft) {
    return lido__fault(draft->error, LIDO_ERROR_CONFIGURATION,
                       "no database is named: pass a URL, or set DATABASE_URL, or DATABASE_TYPE and DATABASE_NAME");
}

static bool read_type(lido__draft *draft) {
    char quote[LIDO__QUOTE_SIZE];
    const char *type = lido__environment("DATABASE_TYPE");
    if (type == NULL)
        return no_database(draft);
    if (lido__database_type_read(type, strlen(type), &draft->config->type))
        return true;
    return lido__fault(draft->error, LIDO_ERROR_CONFIGURATION,
                       "DATABASE_TYPE is %s: allowed is sqlite, postgresql or postgres", lido__quote(type, quote));
}

static bool read_sources(lido__draft *draft, const char *url, const lido_options *options) {
    lido__config *config = draft->config;
    lido__url parts = {.parameter_count = 0};
    draft->url_called = url != NULL ? "the URL" : NULL;
    if (url == NULL && (url = lido__environment("DATABASE_URL")) != NULL)
        draft->url_called = "DATABASE_URL";
    if (url != NULL && !lido__url_read(&parts, url, draft->url_called, &config->arena, draft->error))
        return false;
    if (url != NULL)
        config->type = parts.type;
    else if (!read_type(draft))
        return false;
    return lido__draft_environment(draft) && (url == NULL || lido__draft_url(draft, &parts)) &&
           (options == NULL || lido__draft_options(draft, options));
}

/* ---- From the draft to the configuration ---- */

static void set_member(lido__config *config, const lido__setting_rule *rule, const lido__draft_value *value) {
    if (rule->config_offset == LIDO__NO_MEMBER)
        return;
    char *member = (char *)config + rule->config_offset;
    int small = (int)value->number;
    bool on = value->number != 0;
    switch (rule->form) {
    case LIDO__FORM_INTEGER:
        memcpy(member, &small, sizeof small);
        break;
    case LIDO__FORM_SWITCH:
        memcpy(member, &on, sizeof on);
        break;
    case LIDO__FORM_DURATION:
    case LIDO__FORM_SIZE:
        memcpy(member, &value->number, sizeof value->number);
        break;
    default:
        memcpy(member, &value->text, sizeof value->text);
    }
}

static void list(lido__config *config, const char *name, const char *value, lido_origin origin) {
    config->settings[config->setting_count++] = (lido_setting){name, value, origin};
}

static bool finish_value(lido__draft *draft, const lido__setting_rule *rule, lido__draft_value *value) {
    char text[LIDO__NUMBER_SIZE];
    bool number = lido__setting_is_number(rule);
    if (value->origin == LIDO_FROM_DEFAULT)
        *value = (lido__draft_value){rule->fallback_text, rule->fallback, LIDO_FROM_DEFAULT};
    set_member(draft->config, rule, value);
    if (!number && value->text == NULL)
        return true;
    const char *shown = rule->form == LIDO__FORM_SECRET ? "***" : value->text;
    if (number) {
        lido__number_format(rule, value->number, text);
        shown = lido__arena_copy(&draft->config->arena, text, strlen(text));
    }
    if (shown == NULL)
        return out_of_memory(draft);
    list(draft->config, rule->name, shown, value->origin);
    return true;
}

static bool finish_values(lido__draft *draft) {
    for (int index = 0; index < LIDO__SETTING_COUNT; index++) {
        const lido__setting_rule *rule = &lido__setting_rules[index];
        if (lido__setting_applies(rule, draft->config->type) && !finish_value(draft, rule, &draft->values[index]))
            return false;
    }
    for (size_t index = 0; index < draft->config->keyword_count; index++) {
        const lido__keyword *keyword = &draft->config->keywords[index];
        const char *shown = lido__keyword_is_secret(keyword->name) ? "***" : keyword->value;
        list(draft->config, keyword->name, shown, LIDO_FROM_URL);
    }
    return true;
}

/* More than are kept cannot be opened ahead: they would be closed as soon as they are open, again and again. */
static bool check_pool(lido__draft *draft) {
    const lido__config *config = draft->config;
    if (config->pool_min_size <= config->pool_size)
        return true;
    return lido__fault(draft->error, LIDO_ERROR_CONFIGURATION,
                       "pool_min_size is %d (%s) and pool_size is %d (%s): allowed is at most pool_size",
                       config->pool_min_size, lido_origin_name(draft->values[LIDO__SETTING_POOL_MIN_SIZE].origin),
                       config->pool_size, lido_origin_name(draft->values[LIDO__SETTING_POOL_SIZE].origin));
}

static bool finish_sqlite(lido__draft *draft) {
    lido__config *config = draft->config;
    const char *mode = draft->values[LIDO__SETTING_MODE].text;
    if (strcmp(config->database, LIDO__MEMORY_DATABASE) == 0)
        config->database = NULL;
    config->sqlite_read_only = strcmp(mode, "ro") == 0;
    config->sqlite_create = strcmp(mode, "rwc") == 0;
    if (config->database != NULL || config->sqlite_create)
        return true;
    return lido__fault(draft->error, LIDO_ERROR_CONFIGURATION,
                       "%s's parameter mode is \"%s\", but the database is in memory: allowed is rwc",
                       draft->url_called, mode);
}

/* ---- Hosts ---- */

static size_t list_count(const char *text) {
    size_t count = 1;
    for (; *text != '\0'; text++)
        count += *text == ',';
    return count;
}

/* The next element of a list, in place; NULL if it is empty. */
static const char *list_next(char **list) {
    char *element = *list;
    char *comma = strchr(element, ',');
    if (comma != NULL) {
        *comma = '\0';
        *list = comma + 1;
    }
    return *element != '\0' ? element : NULL;
}

static bool port_count_fault(lido__draft *draft, size_t ports, size_t hosts) {
    const lido__setting_rule *rule = &lido__setting_rules[LIDO__SETTING_PORT];
    lido_origin origin = draft->values[LIDO__SETTING_PORT].origin;
    bool url = origin == LIDO_FROM_URL;
    const char *place = origin == LIDO_FROM_OPTIONS ? "lido_options." : url ? draft->url_called : "";
    return lido__fault(draft->error, LIDO_ERROR_CONFIGURATION,
                       "%s%s%s lists %zu ports, but there %s %zu host%s: allowed is one port for all, or one for each",
                       place, url ? "'s " : "", origin == LIDO_FROM_ENVIRONMENT ? rule->variable : rule->name, ports,
                       hosts == 1 ? "is" : "are", hosts, hosts == 1 ? "" : "s");
}

/* Hosts without ports in one list, ports in the other: one port is for all of them. */
static bool finish_hosts(lido__draft *draft) {
    lido__config *config = draft->config;
    const char *host = draft->values[LIDO__SETTING_HOST].text;
    const char *port = draft->values[LIDO__SETTING_PORT].text;
    size_t hosts = list_count(host != NULL ? host : "");
    size_t ports = list_count(port != NULL ? port : "");
    if (ports != 1 && ports != hosts)
        return port_count_fault(draft, ports, hosts);
    char *names = lido__arena_format(&config->arena, "%s", host != NULL ? host : "");
    char *numbers = lido__arena_format(&config->arena, "%s", port != NULL ? port : "");
    config->hosts = lido__arena_allocate(&config->arena, hosts * sizeof *config->hosts);
    if (names == NULL || numbers == NULL || config->hosts == NULL)
        return out_of_memory(draft);
    const char *number = NULL;
    for (size_t index = 0; index < hosts; index++) {
        if (index < ports)
            number = list_next(&numbers);
        config->hosts[index] = (lido__host){list_next(&names), number};
    }
    config->host_count = hosts;
    return true;
}

static bool finish(lido__draft *draft) {
    lido__config *config = draft->config;
    if (draft->url_called == NULL && draft->values[LIDO__SETTING_DATABASE].origin == LIDO_FROM_DEFAULT)
        return no_database(draft);
    if (!finish_values(draft) || !check_pool(draft) ||
        !(config->type == LIDO__SQLITE ? finish_sqlite(draft) : finish_hosts(draft)))
        return false;
    config->display = lido__url_format(config, &config->arena);
    return config->display != NULL || out_of_memory(draft);
}

bool lido__config_read(lido__config *config, const char *url, const lido_options *options, lido_error *error) {
    lido_error unwanted = LIDO_ERROR_INIT;
    lido__draft draft = {.config = config, .error = error != NULL ? error : &unwanted};
    *config = (lido__config){.arena = LIDO__ARENA_INIT};
    if (read_sources(&draft, url, options) && finish(&draft))
        return true;
    lido__fault_doing(draft.error, DOING);
    lido__config_done(config);
    return false;
}

struct lido__shared_texts {
    lido__arena arena;
    atomic_size_t references;
};

bool lido__config_share(lido__config *config, lido__config *copy, lido_error *error) {
    if (config->shared == NULL) {
        lido__shared_texts *shared = malloc(sizeof *shared);
        if (shared == NULL)
            return lido__fault_memory(error, DOING);
        shared->arena = config->arena;
        atomic_init(&shared->references, 1);
        config->shared = shared;
        config->arena = (lido__arena)LIDO__ARENA_INIT;
    }
    atomic_fetch_add_explicit(&config->shared->references, 1, memory_order_relaxed);
    *copy = *config;
    return true;
}

static void let_go(lido__shared_texts *shared) {
    if (atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) != 1)
        return;
    lido__arena_done(&shared->arena);
    free(shared);
}

void lido__config_done(lido__config *config) {
    lido__arena_done(&config->arena);
    if (config->shared != NULL)
        let_go(config->shared);
    *config = (lido__config){.arena = LIDO__ARENA_INIT};
}
