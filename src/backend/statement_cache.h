/* A connection's prepared statements by SQL text, the least recently used one leaving first. Used by one
 * holder at a time, like the connection it belongs to. */
#ifndef LIDO_BACKEND_STATEMENT_CACHE_H
#define LIDO_BACKEND_STATEMENT_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sql/sql.h"

/* First member of what a backend keeps for a statement. */
typedef struct lido__cached_statement {
    uint64_t hash;
    size_t size;
    char *text;           /* own copy: the scanned SQL may be freed before the statement leaves */
    const lido__sql *sql; /* that, if it stays; only compared. NULL: it does not */
    struct lido__cached_statement *newer;
    struct lido__cached_statement *older;
    struct lido__cached_statement *chain; /* of the same bucket */
} lido__cached_statement;

typedef struct lido__statement_cache {
    size_t capacity; /* 0: keeps nothing */
    size_t count;
    size_t bucket_count; /* a power of two */
    lido__cached_statement **buckets;
    lido__cached_statement *newest;
    lido__cached_statement *oldest;
} lido__statement_cache;

bool lido__statement_cache_init(lido__statement_cache *cache, size_t capacity);
/* Frees the table; the statements must have been removed. */
void lido__statement_cache_done(lido__statement_cache *cache);

/* The statement prepared for this text, now the most recently used; NULL if there is none. */
lido__cached_statement *lido__statement_cache_find(lido__statement_cache *cache, const lido__sql *sql);

/* Takes over `statement` (memory from malloc, text copied here). False if memory ran out; the caller keeps it. */
bool lido__statement_cache_add(lido__statement_cache *cache, lido__cached_statement *statement, const lido__sql *sql);

/* The statement that must leave before another is added; NULL while there is room. */
lido__cached_statement *lido__statement_cache_surplus(const lido__statement_cache *cache);

/* Takes a statement out; the caller frees what is the backend's, then lido__cached_statement_free. */
void lido__statement_cache_remove(lido__statement_cache *cache, lido__cached_statement *statement);
void lido__cached_statement_free(lido__cached_statement *statement);

#endif
