/* One statement on its way from what the program wrote to what its database understands. */
#ifndef LIDO_SQL_TRANSLATION_H
#define LIDO_SQL_TRANSLATION_H

#include <stdbool.h>
#include <stddef.h>

#include <lido/error.h>

#include "base/memory.h"
#include "config/config.h"
#include "sql/casts.h"
#include "sql/names.h"
#include "sql/scanner.h"

typedef struct lido__translation {
    lido__database_type type;
    const char *text; /* somebody else's; terminated by a NUL that `size` does not count */
    size_t size;
    lido_error *error;
    lido__buffer output; /* what was translated so far: `text` up to `copied`; empty as long as nothing changed */
    size_t copied;
    lido__token placeholder; /* the first one, whose kind is the statement's; END: none so far */
    size_t parameter_count;  /* the highest number so far */
    lido__names names;
    lido__token before[2]; /* the last two tokens that are not blank, the newest first */
    size_t regexp_start;   /* of an infix REGEXP or NOT REGEXP, if its right operand comes next */
    size_t regexp_end;     /* 0: none is open */
    lido__casts casts;     /* SQLite's, as is the next */
    size_t cast_end;       /* in the text: tokens before it belong to a cast that was read */
} lido__translation;

void lido__translation_init(lido__translation *translation, const char *text, size_t size, lido__database_type type,
                            lido_error *error);
/* Takes the next token, which must not be a blank. `own_numbers`: $1 belongs to the statement itself, which takes no
 * values. False, with *error set, if the token is refused. */
bool lido__translation_token(lido__translation *translation, const lido__token *token, bool own_numbers);
/* After the last token: the translation, NULL if nothing changed. False, with *error set, if memory ran out. */
bool lido__translation_end(lido__translation *translation, const char **translated, size_t *translated_size);
void lido__translation_done(lido__translation *translation);

#endif
