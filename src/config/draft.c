/* Checking one value of one source and keeping it in the draft. */
#include "config/draft.h"

#include <string.h>

#include "base/convert.h"
#include "base/fault.h"
#include "config/value.h"

static bool refuse(lido__draft *draft, const lido__setting_rule *rule, const char *where, const char *text) {
    char quote[LIDO__QUOTE_SIZE];
    char allowed[LIDO__ALLOWED_SIZE];
    return lido__fault(draft->error, LIDO_ERROR_CONFIGURATION, "%s is %s: allowed is %s", where,
                       lido__quote(text, quote), lido__allowed(rule, false, allowed));
}

static bool are_ports(const char *text) {
    bool several = strchr(text, ',') != NULL;
    for (;;) {
        size_t size = strcspn(text, ",");
        bool left_to_libpq = size == 0 && several;
        if (!left_to_libpq && !lido__port_allowed(text, size))
            return false;
        if (text[size] == '\0')
            return true;
        text += size + 1;
    }
}

/* A single ':' would be a port, brackets and '@' belong to a URL; sockets' folders may hold anything. */
static bool is_host(const char *text, size_t size) {
    size_t colons = 0;
    if (size == 0)
        return false;
    if (text[0] == '/' || text[0] == '@')
        return true;
    for (size_t at = 0; at < size; at++) {
        colons += text[at] == ':';
        if ((unsigned char)text[at] <= ' ' || strchr("[]@/\"'\\\x7f", text[at]) != NULL)
            return false;
    }
    return colons != 1;
}

static bool are_hosts(const char *text) {
    for (;;) {
        size_t size = strcspn(text, ",");
        if (!is_host(text, size))
            return false;
        if (text[size] == '\0')
            return true;
        text += size + 1;
    }
}

bool lido__draft_check(lido__draft *draft, const char *where, const char *text, bool secret) {
    if (*text == '\0')
        return lido__fault(draft->error, LIDO_ERROR_CONFIGURATION, "%s is empty: leave it out, or give it a value",
                           where);
    if (!secret && !lido__utf8_valid(text, strlen(text)))
        return lido__fault(draft->error, LIDO_ERROR_CONFIGURATION, "%s is not valid UTF-8", where);
    return true;
}

static bool check_text(lido__draft *draft, const lido__setting_rule *rule, const char *where, const char *text) {
    if (!lido__draft_check(draft, where, text, rule->form == LIDO__FORM_SECRET))
        return false;
    if (rule->form == LIDO__FORM_DATABASE && strstr(text, "://") != NULL) {
        lido__fault(draft->error, LIDO_ERROR_CONFIGURATION, "%s is a URL: allowed is a database's name alone", where);
        lido__fault_hint(draft->error, "give a URL to lido_engine_open or in DATABASE_URL");
        return false;
    }
    if ((rule->form == LIDO__FORM_HOSTS && !are_hosts(text)) || (rule->form == LIDO__FORM_PORTS && !are_ports(text)))
        return refuse(draft, rule, where, text);
    return true;
}

bool lido__draft_text(lido__draft *draft, lido__setting_index index, lido_origin origin, const char *where,
                      const char *text) {
    const lido__setting_rule *rule = &lido__setting_rules[index];
    lido__draft_value value = {NULL, 0, origin};
    if (lido__setting_is_number(rule)) {
        if (!lido__number_read(rule, text, &value.number) || !lido__number_allowed(rule, value.number))
            return refuse(draft, rule, where, text);
    } else {
        const char *found = rule->form == LIDO__FORM_WORD ? lido__word_find(rule, text) : text;
        if (found == NULL)
            return refuse(draft, rule, where, text);
        if (!check_text(draft, rule, where, text))
            return false;
        value.text = lido__arena_copy(&draft->config->arena, found, strlen(text));
        if (value.text == NULL)
            return lido__fault_memory(draft->error, "reading the configuration");
    }
    draft->values[index] = value;
    return true;
}

bool lido__draft_number(lido__draft *draft, lido__setting_index index, const char *where, int64_t number) {
    const lido__setting_rule *rule = &lido__setting_rules[index];
    char allowed[LIDO__ALLOWED_SIZE];
    if (!lido__number_allowed(rule, number))
        return lido__fault(draft->error, LIDO_ERROR_CONFIGURATION, "%s is %lld: allowed is %s", where,
                           (long long)number, lido__allowed(rule, true, allowed));
    draft->values[index] = (lido__draft_value){NULL, number, LIDO_FROM_OPTIONS};
    return true;
}

bool lido__draft_refuse_other(lido__draft *draft, const char *where) {
    bool sqlite = draft->config->type == LIDO__SQLITE;
    return lido__fault(draft->error, LIDO_ERROR_CONFIGURATION, "%s is set, which is for %s, but the database is %s",
                       where, lido__database_type_name(sqlite ? LIDO__POSTGRESQL : LIDO__SQLITE),
                       lido__database_type_name(draft->config->type));
}
