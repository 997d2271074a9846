/* Which word of a command line is a database's URL. */
#ifndef LIDO_CLI_URL_H
#define LIDO_CLI_URL_H

#include <stdbool.h>
#include <string.h>

/* A scheme and "://" cannot begin a statement, nor does a folder's name. Unknown schemes count too: the library refuses
 * them in better words than a database would, and a password in them is not taken for SQL and printed. */
static inline bool is_url(const char *text) {
    static const char scheme_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-_";
    size_t scheme = strspn(text, scheme_characters);
    return scheme > 0 && strncmp(text + scheme, "://", 3) == 0;
}

#endif
