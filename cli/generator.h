/* Parameters that are new each time: a number from a range, an identifier, a text of some length. */
#ifndef LIDO_CLI_GENERATOR_H
#define LIDO_CLI_GENERATOR_H

#include <lido.h>

enum { GENERATOR_TEXT_MOST = 4096 };

typedef enum generator_kind {
    GENERATE_WORD,
    GENERATE_NUMBER,
    GENERATE_UUID,
    GENERATE_TEXT,
    GENERATE_NOW,
    GENERATE_NULL
} generator_kind;

typedef struct generator {
    generator_kind kind;
    const char *word; /* as it is; the command line's */
    int64_t least, most;
    size_t length;
} generator;

/* "1..1000", "uuid", "text:20", "now", "null"; "=uuid" is the word itself, as is anything else. False: a range that is
 * none, or a text that is too long; *why says so. */
bool generator_read(generator *made, const char *text, const char **why);

/* How many bytes of room its text takes; 0: it makes none. */
size_t generator_room(const generator *of);

/* The next value; `seed` is the caller's own, not 0 at first. A text is written into `room`, which has generator_room
 * bytes, and lives as long as that. */
lido_value generator_next(const generator *of, uint64_t *seed, char *room);

#endif
