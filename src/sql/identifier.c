/* Reading and quoting of names. */
#include "sql/identifier.h"

#include <stddef.h>

/* What follows the opening quote; returns what follows the closing one, NULL if there is none. */
static const char *read_quoted(const char *at, lido__buffer *bare) {
    for (; *at != '\0'; at++) {
        if (*at == '"' && *++at != '"')
            return at;
        lido__buffer_char(bare, *at);
    }
    return NULL;
}

/* Returns its end; NULL if a quote is within. Letters beyond ASCII do not fold, in neither database. */
static const char *read_plain(const char *at, bool dotted, lido__buffer *bare) {
    for (; *at != '\0' && !(dotted && *at == '.'); at++) {
        if (*at == '"')
            return NULL;
        lido__buffer_char(bare, *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at);
    }
    return at;
}

void lido__identifier_append(lido__buffer *quoted, const char *bare, size_t size) {
    lido__buffer_char(quoted, '"');
    for (size_t i = 0; i < size; i++) {
        if (bare[i] == '"')
            lido__buffer_char(quoted, '"');
        lido__buffer_char(quoted, bare[i]);
    }
    lido__buffer_char(quoted, '"');
}

const char *lido__identifier_quote(const char *name, bool dotted, lido__buffer *quoted, lido__buffer *bare) {
    for (const char *at = name;; at++) {
        bare->size = 0; /* and not cleared, which would forget that memory ran out */
        at = *at == '"' ? read_quoted(at + 1, bare) : read_plain(at, dotted, bare);
        if (at == NULL)
            return "has a double quote without its like";
        if (bare->size == 0 && !bare->out_of_memory)
            return "is empty";
        lido__identifier_append(quoted, bare->data, bare->size);
        if (*at == '\0')
            return NULL;
        if (*at != '.' || !dotted)
            return "goes on behind its closing quote";
        lido__buffer_char(quoted, '.');
    }
}
