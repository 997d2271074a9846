/* What a statement is but for its values: a text in which each value is "?", and a hash of it. Texts that differ in
 * nothing but values, blanks, comments, the case of unquoted words and the length of lists have the same. Followed
 * token by token; the text never holds a value, however odd the statement. */
#ifndef LIDO_SQL_FINGERPRINT_H
#define LIDO_SQL_FINGERPRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sql/scanner.h"
#include "sql/sql.h"

/* What the newest piece of the text is, for the blank that may come behind it. */
typedef enum lido__piece {
    LIDO__PIECE_NONE,
    LIDO__PIECE_NAME, /* a word that may be one, or a quoted name */
    LIDO__PIECE_RESERVED,
    LIDO__PIECE_VALUE,
    LIDO__PIECE_OPERATOR,
    LIDO__PIECE_OPEN,
    LIDO__PIECE_SUBSCRIPT, /* [ on PostgreSQL */
    LIDO__PIECE_CLOSE,
    LIDO__PIECE_COMMA, /* or semicolon */
    LIDO__PIECE_GLUE   /* dot, cast, a sign before its operand: nothing comes between it and what follows */
} lido__piece;

/* Words that matter to what comes behind them. */
typedef enum lido__leading_word {
    LIDO__LEADS_NOTHING,
    LIDO__LEADS_LIST, /* IN */
    LIDO__LEADS_NULL  /* IS, NOT, SET: NULL, TRUE and FALSE are no values there */
} lido__leading_word;

typedef enum lido__folding {
    LIDO__FOLDS_NOTHING,
    LIDO__FOLDS_VALUES, /* IN (1, 2, 3), IN ((1, 2), (3, 4)), ARRAY[1, 2] */
    LIDO__FOLDS_ROWS    /* VALUES (1, 2), (3, 4) */
} lido__folding;

typedef struct lido__fingerprint {
    const char *source;
    lido__database_type type;
    uint64_t hash;
    lido__piece last;
    size_t depth;          /* open parentheses and brackets */
    lido__folding folding; /* in the list */
    size_t list_depth;     /* that is at this depth */
    size_t skipped_from;   /* the depth at which a row began that is left out */
    bool skips;
    bool comma; /* what was read and is not in the text yet: a comma, */
    char sign;  /* a sign, if not NUL, */
    bool semicolon;
    bool begun;                /* the statement has */
    bool alters;               /* ALTER: from its SET on it sets, too */
    bool sets;                 /* SET, PRAGMA: words may be values, */
    bool set_value;            /* and are, to the end of the statement; of ALTER's, or to the parenthesis behind them */
    lido__leading_word newest; /* what the newest token is, */
    lido__leading_word before; /* and the one before */
    size_t size;
    char text[LIDO__SQL_NORMAL_SIZE];
} lido__fingerprint;

/* `source`: the text that the tokens are of. */
void lido__fingerprint_init(lido__fingerprint *fingerprint, const char *source, lido__database_type type);
/* Takes the next token, which must not be a blank. */
void lido__fingerprint_follow(lido__fingerprint *fingerprint, const lido__token *token);
/* After the last: ends the text with NUL, and returns the hash, which is never 0. Another kind has another hash. */
uint64_t lido__fingerprint_end(lido__fingerprint *fingerprint, lido__sql_kind kind);

#endif
