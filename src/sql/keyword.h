/* The few SQL words that mean something to lido, in any case of letters. */
#ifndef LIDO_SQL_KEYWORD_H
#define LIDO_SQL_KEYWORD_H

#include <stdbool.h>
#include <stddef.h>

/* Besides words, four signs that the shape of a statement depends on. Fits in a byte. */
typedef enum lido__sql_keyword {
    LIDO__NO_KEYWORD,
    LIDO__SIGN_OPEN,
    LIDO__SIGN_CLOSE,
    LIDO__SIGN_DOT,
    LIDO__SIGN_SEMICOLON,
    LIDO__KEYWORD_ABORT,
    LIDO__KEYWORD_ANALYZE,
    LIDO__KEYWORD_AS,
    LIDO__KEYWORD_ATOMIC,
    LIDO__KEYWORD_BEGIN,
    LIDO__KEYWORD_COMMIT,
    LIDO__KEYWORD_CREATE,
    LIDO__KEYWORD_DEALLOCATE,
    LIDO__KEYWORD_DELETE,
    LIDO__KEYWORD_DISCARD,
    LIDO__KEYWORD_END,
    LIDO__KEYWORD_EXPLAIN,
    LIDO__KEYWORD_FOR,
    LIDO__KEYWORD_FUNCTION,
    LIDO__KEYWORD_INTO,
    LIDO__KEYWORD_KEY,
    LIDO__KEYWORD_MATERIALIZED,
    LIDO__KEYWORD_NO,
    LIDO__KEYWORD_NOT,
    LIDO__KEYWORD_OR,
    LIDO__KEYWORD_PLAN,
    LIDO__KEYWORD_PRAGMA,
    LIDO__KEYWORD_PREPARE,
    LIDO__KEYWORD_PROCEDURE,
    LIDO__KEYWORD_QUERY,
    LIDO__KEYWORD_REGEXP,
    LIDO__KEYWORD_RELEASE,
    LIDO__KEYWORD_REPLACE,
    LIDO__KEYWORD_RESET,
    LIDO__KEYWORD_ROLLBACK,
    LIDO__KEYWORD_SAVEPOINT,
    LIDO__KEYWORD_SELECT,
    LIDO__KEYWORD_SET,
    LIDO__KEYWORD_SHARE,
    LIDO__KEYWORD_SHOW,
    LIDO__KEYWORD_START,
    LIDO__KEYWORD_TABLE,
    LIDO__KEYWORD_TEMPORARY,
    LIDO__KEYWORD_TRANSACTION,
    LIDO__KEYWORD_TRIGGER,
    LIDO__KEYWORD_UPDATE,
    LIDO__KEYWORD_VALUES,
    LIDO__KEYWORD_VERBOSE,
    LIDO__KEYWORD_WITH
} lido__sql_keyword;

/* The keyword that an unquoted word is, or LIDO__NO_KEYWORD. */
lido__sql_keyword lido__sql_keyword_of(const char *word, size_t size);

/* Whether an operand of an operator can end with, or begin with, this unquoted word on PostgreSQL. True for
 * everything that may be the name of a column, a function or a type. */
bool lido__word_ends_operand(const char *word, size_t size);
bool lido__word_begins_operand(const char *word, size_t size);

#endif
