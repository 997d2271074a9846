/* x::type for SQLite, which has CAST(x AS type) alone: finds where x begins, and what stands behind the two colons.
 *
 * What SQLite's own CAST makes of a value is often not what PostgreSQL does (0 of "x", 2 of 2.9, 10 of 10::numeric),
 * so that functions of lido's do the work: x::integer becomes CAST(lido_cast_integer(x) AS INTEGER), where CAST gives
 * the result the affinity that comparisons go by. A type that SQLite cannot have is refused.
 *
 * On PostgreSQL the column of SELECT a::text is called a; on SQLite it would be called CAST(…), so that it gets a
 * name. */
#ifndef LIDO_SQL_CASTS_H
#define LIDO_SQL_CASTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "sql/scanner.h"

/* A parenthesis or CASE that is open. */
typedef struct lido__open_group {
    size_t start; /* of the operand that ends with it, in the output */
    bool is_case; /* END closes it */
    bool in_list; /* outside it the columns of a SELECT were being listed */
} lido__open_group;

typedef struct lido__cast_start {
    size_t at; /* in the output, as it is without these */
    const char *text;
} lido__cast_start;

typedef struct lido__casts {
    const char *text;
    size_t size;
    bool out_of_memory;
    bool ends_operand;  /* the newest token ends an operand, */
    size_t start;       /* which begins here in the output */
    bool is_column;     /* it is nothing but a column's name, and the first thing in an item of a list of columns */
    lido__token column; /* then that name, without the table's */
    bool in_list;       /* the columns of a SELECT or RETURNING are being listed */
    bool is_cast;       /* the newest token is the end of a cast, whose column may need its name */
    bool has_window;    /* the newest token is OVER behind a function's call: a window's name may follow */
    lido__token newest;
    lido__open_group *groups; /* innermost last */
    size_t group_count;
    size_t group_capacity;
    lido__cast_start *starts; /* in the order in which their casts end: inner ones first */
    size_t start_count;
    size_t start_capacity;
} lido__casts;

/* What is to stand in the text's place from the cast's colons on. */
typedef struct lido__cast {
    size_t end;         /* of the type's name in the text; it is read whether it is known or not */
    const char *behind; /* what closes the cast; NULL: it is refused */
    bool has_operand;
} lido__cast;

void lido__casts_init(lido__casts *casts, const char *text, size_t size);
void lido__casts_done(lido__casts *casts);

/* Whether `next` (END: nothing) ends an item of a list that is but the cast of a column: then it is to be called
 * `name`, which goes before `next`. */
bool lido__casts_names_column(lido__casts *casts, const lido__token *next, lido__token *name);
/* Takes the next token, which must neither be a blank nor belong to a cast; `output` is where it begins in the output.
 * */
void lido__casts_follow(lido__casts *casts, const lido__token *token, size_t output);
/* Whether the token is the two colons. */
bool lido__casts_is_cast(const lido__casts *casts, const lido__token *token);
/* Reads the cast that begins with them; unless it is refused, the operand goes on to its end. */
lido__cast lido__casts_read(lido__casts *casts, const lido__token *colons);
/* Puts what opens the casts into the finished output. Memory that ran out shows in the buffer. */
void lido__casts_open(lido__casts *casts, lido__buffer *output);

#endif
