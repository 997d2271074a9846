/* The one table of settings: what each is called in lido_options, in a URL and in the environment, how it is
 * written, which values it may have, and where it lands. Every source and the list of effective settings go by it. */
#ifndef LIDO_CONFIG_SETTINGS_H
#define LIDO_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

/* How a value is written, and with it which C type it has in lido_options and in lido__config. */
typedef enum lido__setting_form {
    LIDO__FORM_INTEGER,  /* int, int */
    LIDO__FORM_SWITCH,   /* int 0 or 1, bool */
    LIDO__FORM_DURATION, /* int64_t, int64_t; milliseconds. In text a bare number is seconds */
    LIDO__FORM_SIZE,     /* int64_t, int64_t; bytes */
    LIDO__FORM_WORD,     /* from here on const char *, const char *: one of the rule's words */
    LIDO__FORM_TEXT,
    LIDO__FORM_SECRET, /* any bytes; never shown */
    LIDO__FORM_DATABASE,
    LIDO__FORM_HOSTS, /* one or several, with commas */
    LIDO__FORM_PORTS  /* one, or one for each host with commas; some of several may be empty */
} lido__setting_form;

typedef enum lido__setting_index {
    LIDO__SETTING_DATABASE,
    LIDO__SETTING_USER,
    LIDO__SETTING_PASSWORD,
    LIDO__SETTING_HOST,
    LIDO__SETTING_PORT,
    LIDO__SETTING_SSLMODE,
    LIDO__SETTING_APPLICATION_NAME,
    LIDO__SETTING_TARGET_SESSION_ATTRS,
    LIDO__SETTING_MODE,
    LIDO__SETTING_POOL_SIZE,
    LIDO__SETTING_MAX_OVERFLOW,
    LIDO__SETTING_POOL_PRE_PING,
    LIDO__SETTING_POOL_TIMEOUT,
    LIDO__SETTING_POOL_RECYCLE,
    LIDO__SETTING_POOL_MAX_IDLE,
    LIDO__SETTING_POOL_PING_AFTER,
    LIDO__SETTING_POOL_LEAK_AFTER,
    LIDO__SETTING_POOL_MIN_SIZE,
    LIDO__SETTING_POOL_MAX_WAITING,
    LIDO__SETTING_CONNECT_TIMEOUT,
    LIDO__SETTING_STATEMENT_TIMEOUT,
    LIDO__SETTING_TRANSACTION_TIMEOUT,
    LIDO__SETTING_PREPARE,
    LIDO__SETTING_STATEMENT_CACHE,
    LIDO__SETTING_SPIN,
    LIDO__SETTING_BUSY_TIMEOUT,
    LIDO__SETTING_JOURNAL_MODE,
    LIDO__SETTING_SYNCHRONOUS,
    LIDO__SETTING_FOREIGN_KEYS,
    LIDO__SETTING_CACHE_SIZE,
    LIDO__SETTING_MMAP_SIZE,
    LIDO__SETTING_JOURNAL_SIZE_LIMIT,
    LIDO__SETTING_WAL_AUTOCHECKPOINT,
    LIDO__SETTING_REGEXP_STRICT,
    LIDO__SETTING_OFFLOAD,
    LIDO__SETTING_LANES,
    LIDO__SETTING_METRICS,
    LIDO__SETTING_SLOW,
    LIDO__SETTING_METRICS_ADDRESS,
    LIDO__SETTING_COUNT
} lido__setting_index;

/* Which databases know a setting. */
enum { LIDO__FOR_SQLITE = 1 << LIDO__SQLITE, LIDO__FOR_POSTGRESQL = 1 << LIDO__POSTGRESQL };

/* No member of that struct holds the setting. */
#define LIDO__NO_MEMBER SIZE_MAX

typedef struct lido__setting_rule {
    const char *name;      /* the member of lido_options, or what it would be called */
    const char *parameter; /* in a URL's query */
    const char *variable;  /* in the environment; NULL: none */
    lido__setting_form form;
    unsigned databases;
    bool part;            /* says which database and who asks: taken from one source, never mixed from two */
    size_t option_offset; /* of the member of lido_options */
    size_t config_offset; /* of the member of lido__config */
    int64_t lowest;       /* of numbers; as are the next three */
    int64_t highest;
    const char *minus_one; /* what -1 means, "never"; NULL: -1 is not allowed */
    int64_t on;            /* what "on" means, "off" being 0; 0: those words are not allowed */
    int64_t fallback;
    const char *words;         /* those allowed, lower case, with ", " between */
    const char *fallback_text; /* NULL: unset is left to the database's library */
} lido__setting_rule;

extern const lido__setting_rule lido__setting_rules[LIDO__SETTING_COUNT];

/* Whether the values are numbers, or texts. */
bool lido__setting_is_number(const lido__setting_rule *rule);
bool lido__setting_applies(const lido__setting_rule *rule, lido__database_type type);

/* The setting a URL calls so, LIDO__SETTING_COUNT if there is none. */
lido__setting_index lido__setting_find(const char *parameter);

/* Keywords that libpq reads itself and lido passes on. Terminated by NULL. */
extern const char *const lido__keyword_names[];
bool lido__keyword_known(const char *name);
bool lido__keyword_is_secret(const char *name); /* never shown */

/* The parameter of such a URL whose name is nearest to `name`, NULL if none is near. */
const char *lido__parameter_nearest(const char *name, lido__database_type type);

/* "SQLite" or "PostgreSQL". */
const char *lido__database_type_name(lido__database_type type);

#endif
