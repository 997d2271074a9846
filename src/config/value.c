/* Reading and writing the numbers, words and quotations of value.h. Locale-independent throughout. */
#include "config/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/convert.h"

typedef struct unit {
    const char *name;
    int64_t scale;
} unit;

/* Ascending, ended by NULL. */
static const unit durations[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {NULL, 0}};
static const unit sizes[] = {{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {NULL, 0}};
enum { SECOND = 1000 };

static bool is_digit(char character) {
    return character >= '0' && character <= '9';
}

bool lido__switch_read(const char *text, bool *on) {
    static const char *const words[] = {"false", "true", "off", "on", "no", "yes", "0", "1"};
    for (size_t index = 0; index < sizeof words / sizeof *words; index++) {
        if (strcasecmp(text, words[index]) == 0) {
            *on = index % 2 == 1;
            return true;
        }
    }
    return false;
}

/* The scale that `suffix` names, `bare` for none, 0 for an unknown one. */
static int64_t suffix_scale(const char *suffix, const unit *units, int64_t bare) {
    if (*suffix == '\0')
        return bare;
    if (*suffix == ' ')
        suffix++;
    for (; units->name != NULL; units++)
        if (strcasecmp(suffix, units->name) == 0)
            return units->scale;
    return 0;
}

/* "1.5 h" and the like, in integers so that nothing is rounded: finer than the smallest unit is refused. */
static bool scaled_read(const char *text, const unit *units, int64_t bare, int64_t *number) {
    int64_t whole = 0;
    int64_t fraction = 0;
    int64_t divisor = 1;
    if (!is_digit(*text))
        return false;
    for (; is_digit(*text); text++) {
        if (whole > INT64_MAX / 100)
            return false;
        whole = whole * 10 + (*text - '0');
    }
    if (*text == '.' && is_digit(text[1])) {
        for (text++; is_digit(*text); text++) {
            if (divisor >= 1000000000)
                return false;
            fraction = fraction * 10 + (*text - '0');
            divisor *= 10;
        }
    }
    int64_t scale = suffix_scale(text, units, bare);
    if (scale == 0 || whole >= INT64_MAX / scale || fraction * scale % divisor != 0)
        return false;
    *number = whole * scale + fraction * scale / divisor;
    return true;
}

bool lido__number_read(const lido__setting_rule *rule, const char *text, int64_t *number) {
    bool on = false;
    if (rule->minus_one != NULL && (strcmp(text, "-1") == 0 || strcasecmp(text, rule->minus_one) == 0)) {
        *number = -1;
        return true;
    }
    if (rule->on != 0 && !is_digit(*text)) {
        bool read = lido__switch_read(text, &on);
        *number = on ? rule->on : 0;
        return read;
    }
    switch (rule->form) {
    case LIDO__FORM_SWITCH:
        if (!lido__switch_read(text, &on))
            return false;
        *number = on;
        return true;
    case LIDO__FORM_DURATION:
        return scaled_read(text, durations, SECOND, number);
    case LIDO__FORM_SIZE:
        return scaled_read(text, sizes, 1, number);
    default:
        return lido__int64_parse(text, strlen(text), number);
    }
}

bool lido__number_allowed(const lido__setting_rule *rule, int64_t number) {
    if (number == -1 && rule->minus_one != NULL)
        return true;
    return number >= rule->lowest && number <= rule->highest;
}

/* Whole in the largest unit that fits, "5 min", "8 MiB"; durations without one in decimals of a second, "1.5 s". */
static void scaled_format(int64_t number, const unit *units, char text[LIDO__NUMBER_SIZE]) {
    const unit *best = units;
    for (const unit *larger = units; larger->name != NULL; larger++)
        if (number % larger->scale == 0)
            best = larger;
    if (number == 0) {
        snprintf(text, LIDO__NUMBER_SIZE, "0");
        return;
    }
    if (best->scale > 1 || number < SECOND || units != durations) {
        snprintf(text, LIDO__NUMBER_SIZE, "%" PRId64 " %s", number / best->scale, best->name);
        return;
    }
    int size = snprintf(text, LIDO__NUMBER_SIZE, "%" PRId64 ".%03" PRId64, number / SECOND, number % SECOND);
    while (text[size - 1] == '0')
        size--;
    snprintf(text + size, LIDO__NUMBER_SIZE - (size_t)size, " s");
}

const char *lido__number_format(const lido__setting_rule *rule, int64_t number, char text[LIDO__NUMBER_SIZE]) {
    if (number == -1 && rule->minus_one != NULL)
        snprintf(text, LIDO__NUMBER_SIZE, "%s", rule->minus_one);
    else if (rule->form == LIDO__FORM_SWITCH)
        snprintf(text, LIDO__NUMBER_SIZE, "%s", number != 0 ? "on" : "off");
    else if (rule->form == LIDO__FORM_INTEGER)
        snprintf(text, LIDO__NUMBER_SIZE, "%" PRId64, number);
    else
        scaled_format(number, rule->form == LIDO__FORM_DURATION ? durations : sizes, text);
    return text;
}

bool lido__port_allowed(const char *text, size_t size) {
    int32_t port = 0;
    for (size_t at = 0; at < size; at++) {
        if (size > 5 || text[at] < '0' || text[at] > '9')
            return false;
        port = port * 10 + (text[at] - '0');
    }
    return port >= 1 && port <= 65535;
}

const char *lido__word_find(const lido__setting_rule *rule, const char *text) {
    size_t size = strlen(text);
    for (const char *word = rule->words; word != NULL;) {
        size_t length = strcspn(word, ",");
        if (length == size && strncasecmp(word, text, size) == 0)
            return word;
        word = word[length] == ',' ? word + length + 2 : NULL;
    }
    return NULL;
}

/* "0 to 24 h, or -1 (never)" as text, "0 to 86400000 milliseconds, or -1 (never)" as a member. */
static void range_format(const lido__setting_rule *rule, bool as_member, char *text, size_t size) {
    char lowest[LIDO__NUMBER_SIZE];
    char highest[LIDO__NUMBER_SIZE];
    const char *measure = "";
    if (as_member) {
        snprintf(lowest, sizeof lowest, "%" PRId64, rule->lowest);
        snprintf(highest, sizeof highest, "%" PRId64, rule->highest);
        if (rule->form != LIDO__FORM_INTEGER)
            measure = rule->form == LIDO__FORM_DURATION ? " milliseconds" : " bytes";
    } else {
        lido__number_format(rule, rule->lowest, lowest);
        lido__number_format(rule, rule->highest, highest);
    }
    int used = snprintf(text, size, "%s to %s%s", lowest, highest, measure);
    if (rule->minus_one != NULL)
        snprintf(text + used, size - (size_t)used, ", or -1 (%s)", rule->minus_one);
    else if (rule->on != 0 && !as_member)
        snprintf(text + used, size - (size_t)used, ", on (%" PRId64 ") or off (0)", rule->on);
}

const char *lido__allowed(const lido__setting_rule *rule, bool as_member, char text[LIDO__ALLOWED_SIZE]) {
    char range[LIDO__ALLOWED_SIZE / 2];
    const char *example = "";
    switch (rule->form) {
    case LIDO__FORM_SWITCH:
        snprintf(text, LIDO__ALLOWED_SIZE, "%s", as_member ? "0 or 1" : "true, false, on, off, yes, no, 1 or 0");
        break;
    case LIDO__FORM_INTEGER:
    case LIDO__FORM_DURATION:
    case LIDO__FORM_SIZE:
        if (!as_member && rule->form != LIDO__FORM_INTEGER)
            example = rule->form == LIDO__FORM_DURATION ? "; written 30 (seconds), 1.5s, 500ms, 5min or 2h"
                                                        : "; written 1048576 (bytes), 512KiB, 8MiB or 1GiB";
        range_format(rule, as_member, range, sizeof range);
        snprintf(text, LIDO__ALLOWED_SIZE, "%s%s", range, example);
        break;
    case LIDO__FORM_WORD:
        snprintf(text, LIDO__ALLOWED_SIZE, "one of %s", rule->words);
        break;
    case LIDO__FORM_HOSTS:
        snprintf(text, LIDO__ALLOWED_SIZE,
                 "a host name, an address (no port, no brackets) or a socket's folder; "
                 "several with commas between");
        break;
    case LIDO__FORM_PORTS:
        snprintf(text, LIDO__ALLOWED_SIZE, "1 to 65535; one for all hosts, or one for each with commas between");
        break;
    default:
        snprintf(text, LIDO__ALLOWED_SIZE, "any text in UTF-8 that is not empty");
    }
    return text;
}

const char *lido__quote(const char *text, char quote[LIDO__QUOTE_SIZE]) {
    enum { SHOWN_MOST = 64 };
    if (strchr(text, '@') != NULL || strstr(text, "%40") != NULL) {
        snprintf(quote, LIDO__QUOTE_SIZE, "a text with an '@' (not shown, for it may hold a password)");
        return quote;
    }
    size_t size = strlen(text);
    size_t shown = size > SHOWN_MOST ? lido__utf8_cut(text, SHOWN_MOST) : size;
    bool readable = lido__utf8_valid(text, shown);
    snprintf(quote, LIDO__QUOTE_SIZE, "\"%.*s%s\"", (int)shown, text, shown < size ? "..." : "");
    for (char *at = quote; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 127 || (!readable && (unsigned char)*at > 127))
            *at = '?';
    return quote;
}
