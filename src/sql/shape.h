/* The shape of a text of statements, followed token by token: of which kind the first statement is, where it ends, and
 * whether another one comes after it. */
#ifndef LIDO_SQL_SHAPE_H
#define LIDO_SQL_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "sql/keyword.h"
#include "sql/scanner.h"
#include "sql/sql.h"

typedef struct lido__shape {
    lido__database_type type;
    lido__sql_kind kind;
    lido__sql_keyword verb; /* the keyword that decided `kind`; under EXPLAIN the one explained */
    uint32_t recent;        /* lido__sql_keyword of the last four tokens, a byte each, the newest lowest */
    size_t parentheses;     /* open ones */
    size_t bodies;          /* open BEGIN … END of a trigger or an SQL function, in which semicolons end nothing */
    bool begun;             /* a token other than a semicolon was seen */
    bool verb_known;
    bool explains;
    bool analyzes;    /* EXPLAIN that runs what it explains */
    bool with;        /* WITH was seen: UPDATE and DELETE may begin a statement inside this one */
    bool own_numbers; /* $1 is the statement's own, not a placeholder: CREATE FUNCTION, PREPARE */
    bool ended;       /* its semicolon was seen */
    bool many;        /* and something else after it */
} lido__shape;

void lido__shape_init(lido__shape *shape, lido__database_type type);
/* Takes the next token, which must not be a blank. */
void lido__shape_follow(lido__shape *shape, const lido__token *token);

#endif
