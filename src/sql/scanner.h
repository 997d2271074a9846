/* The one tokenizer: cuts an SQL text into tokens that lie side by side and cover it without a gap. It never fails and
 * does not allocate: an unterminated string, comment or dollar quote reaches to the end of the text, and a byte that
 * means nothing in SQL is a token of its own. Linear time, since no byte is looked at more than a few times. */
#ifndef LIDO_SQL_SCANNER_H
#define LIDO_SQL_SCANNER_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "sql/keyword.h"

typedef enum lido__token_kind {
    LIDO__TOKEN_END,         /* of the text; size 0 */
    LIDO__TOKEN_BLANK,       /* white space or one comment */
    LIDO__TOKEN_WORD,        /* a keyword or an unquoted name */
    LIDO__TOKEN_QUOTED_NAME, /* "name"; on SQLite also `name` and [name] */
    LIDO__TOKEN_STRING,      /* 'text' with its prefix, or $$text$$ on PostgreSQL */
    LIDO__TOKEN_NUMBER,
    LIDO__TOKEN_POSITIONAL, /* ? */
    LIDO__TOKEN_NUMBERED,   /* $1 or ?1 */
    LIDO__TOKEN_NAMED,      /* :name */
    LIDO__TOKEN_DOUBLED,    /* ?? */
    LIDO__TOKEN_FOREIGN,    /* SQLite only: what SQLite would take for a parameter and lido does not, such as @name */
    LIDO__TOKEN_OPERATOR,   /* one or several operators side by side, or :: or := */
    LIDO__TOKEN_OPEN,       /* ( */
    LIDO__TOKEN_CLOSE,      /* ) */
    LIDO__TOKEN_SEMICOLON,
    LIDO__TOKEN_OTHER /* one byte of anything else: comma, dot, bracket, colon … */
} lido__token_kind;

typedef struct lido__token {
    lido__token_kind kind;
    lido__sql_keyword keyword; /* that a word is; or the sign */
    size_t start;              /* in bytes from the start of the text */
    size_t size;
} lido__token;

typedef struct lido__scanner {
    const char *text; /* need not end in NUL */
    size_t size;
    size_t at;
    lido__database_type type; /* [1] is a name on SQLite and a subscript on PostgreSQL, and more of the kind */
    bool joined; /* a colon here, without a blank between, belongs to what comes before it: a[low:high], x::text */
} lido__scanner;

void lido__scanner_init(lido__scanner *scanner, const char *text, size_t size, lido__database_type type);
lido__token lido__scanner_next(lido__scanner *scanner);

/* A letter, "_" or any byte of a character beyond ASCII: what a name begins with. */
static inline bool lido__is_letter(char character) {
    unsigned char byte = (unsigned char)character;
    return (unsigned)((byte | 0x20) - 'a') < 26 || byte == '_' || byte >= 0x80;
}

static inline bool lido__is_digit(char character) {
    return character >= '0' && character <= '9';
}

/* What a name goes on with. */
static inline bool lido__is_word(char character) {
    return lido__is_letter(character) || lido__is_digit(character) || character == '$';
}

#endif
