/* The engine's scanned SQL texts, each scanned once. Read without a lock by all threads; what is in it stays
 * until the engine goes. When it is full, texts are scanned anew each time: a program that writes values
 * into its SQL must not make the engine grow. */
#ifndef LIDO_CORE_SQL_CACHE_H
#define LIDO_CORE_SQL_CACHE_H

#include <stdatomic.h>

#include "sql/sql.h"

enum { LIDO__SQL_CACHE_SLOTS = 4096, LIDO__SQL_CACHE_CALLS = 256, LIDO__SQL_CACHE_BYTES_MOST = 4 * 1024 * 1024 };

typedef struct lido__sql_cache {
    lido__database_type type;
    atomic_size_t bytes;
    _Atomic(lido__sql *) slots[LIDO__SQL_CACHE_SLOTS]; /* open addressing; NULL: free */
    /* By where the text stood in memory when it was asked for last: a program's literals stay there, and comparing is
     * quicker than hashing. Only a guess; entries of `slots`. */
    _Atomic(lido__sql *) calls[LIDO__SQL_CACHE_CALLS];
} lido__sql_cache;

void lido__sql_cache_init(lido__sql_cache *cache, lido__database_type type);
void lido__sql_cache_done(lido__sql_cache *cache);

/* The scanned text; NULL with *error set if it cannot be. *loose: it is the caller's to free with lido__sql_free. */
lido__sql *lido__sql_cache_get(lido__sql_cache *cache, const char *text, bool *loose, lido_error *error);

#endif
