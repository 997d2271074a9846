/* What PostgreSQL has and SQLite lacks, recognised in a text that SQLite has refused: so that the error can name it.
 *
 * Asked only after SQLite's parser has said no, it cannot refuse anything by mistake. */
#ifndef LIDO_SQL_FOREIGN_H
#define LIDO_SQL_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>

typedef struct lido__foreign {
    const char *construct; /* "SIMILAR TO"; static, as is the next */
    const char *instead;   /* what to do */
} lido__foreign;

/* The construct that SQLite's parser gave up on, at byte `near`: which lies in it, or in the token behind it. Or, if
 * `missing` is not NULL, one that begins with that word, which SQLite took for a name that is not there; then `near` is
 * SIZE_MAX. False if there is none. */
bool lido__sql_foreign(const char *text, size_t size, size_t near, const char *missing, lido__foreign *foreign);

#endif
