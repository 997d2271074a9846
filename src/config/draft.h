/* A configuration in the making: for each setting the value of the strongest source so far. Weak sources are read
 * first; each value is checked when it is read, so that a faulty one is an error even where a stronger source
 * hides it. */
#ifndef LIDO_CONFIG_DRAFT_H
#define LIDO_CONFIG_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "config/url.h"

typedef struct lido__draft_value {
    const char *text;   /* of texts; owned by the configuration's arena */
    int64_t number;     /* of numbers */
    lido_origin origin; /* LIDO_FROM_DEFAULT: no source has set it */
} lido__draft_value;

typedef struct lido__draft {
    lido__config *config; /* its arena, type and keywords are in use already */
    lido_error *error;
    const char *url_called; /* "the URL" or "DATABASE_URL"; NULL: there is no URL */
    lido__draft_value values[LIDO__SETTING_COUNT];
} lido__draft;

/* Sets a value from text. `where` is what messages call it: "DATABASE_PORT". */
bool lido__draft_text(lido__draft *draft, lido__setting_index index, lido_origin origin, const char *where,
                      const char *text);

/* Sets a number from a member of lido_options. */
bool lido__draft_number(lido__draft *draft, lido__setting_index index, const char *where, int64_t number);

/* Whether a text is something at all, and UTF-8 unless it is a secret. */
bool lido__draft_check(lido__draft *draft, const char *where, const char *text, bool secret);

/* Refuses a setting that this database does not know. */
bool lido__draft_refuse_other(lido__draft *draft, const char *where);

/* The sources, from weak to strong. */
bool lido__draft_environment(lido__draft *draft);
bool lido__draft_url(lido__draft *draft, const lido__url *url);
bool lido__draft_options(lido__draft *draft, const lido_options *options);

/* The value of an environment variable; NULL if it is not set or empty. */
const char *lido__environment(const char *variable);

#endif
