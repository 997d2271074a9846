/* The syntax of a database URL: its parts, percent-decoded, not yet checked for what they mean. */
#ifndef LIDO_CONFIG_URL_H
#define LIDO_CONFIG_URL_H

#include <stdbool.h>
#include <stddef.h>

#include <lido/error.h>

#include "base/memory.h"
#include "config/config.h"

enum { LIDO__URL_SIZE_MOST = 64 * 1024 }; /* bytes */

#define LIDO__MEMORY_DATABASE ":memory:"

typedef struct lido__url_parameter {
    const char *name; /* letters, digits and '_' only, so a message may show it */
    const char *value;
} lido__url_parameter;

/* Parts that the URL does not give, or leaves empty, are NULL. */
typedef struct lido__url {
    lido__database_type type;
    const char *user;
    const char *password;
    const char *host;     /* several with commas between, as is the next */
    const char *port;     /* NULL if no host has one; else as many as hosts, empty where one has none */
    const char *database; /* SQLite: never NULL, LIDO__MEMORY_DATABASE for an empty path */
    size_t parameter_count;
    lido__url_parameter *parameters;
} lido__url;

/* `url` is all zero before. `called` is what messages call the text: "the URL" or "DATABASE_URL". All texts are made
 * in the arena. No message shows what might be a password, even one with '@', '/', '?' or ':' left unencoded. */
bool lido__url_read(lido__url *url, const char *text, const char *called, lido__arena *arena, lido_error *error);

/* "postgresql", "postgres" or "sqlite" in any case, with or without a driver behind a '+', which is not looked at. */
bool lido__database_type_read(const char *text, size_t size, lido__database_type *type);

/* The canonical URL: no password, no parameters, everything encoded that must be. `hosts` as in lido__config.
 * NULL if memory ran out. */
const char *lido__url_format(const lido__config *config, lido__arena *arena);

#endif
