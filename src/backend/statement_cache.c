/* The hash table and the order of use behind statement_cache.h. */
#include "backend/statement_cache.h"

#include <stdlib.h>
#include <string.h>

bool lido__statement_cache_init(lido__statement_cache *cache, size_t capacity) {
    *cache = (lido__statement_cache){.capacity = capacity, .bucket_count = 1};
    while (cache->bucket_count < capacity)
        cache->bucket_count *= 2;
    cache->buckets = calloc(cache->bucket_count, sizeof(lido__cached_statement *));
    return cache->buckets != NULL;
}

void lido__statement_cache_done(lido__statement_cache *cache) {
    free(cache->buckets);
    cache->buckets = NULL;
}

static lido__cached_statement **bucket_of(const lido__statement_cache *cache, uint64_t hash) {
    return &cache->buckets[hash & (cache->bucket_count - 1)];
}

static void order_unlink(lido__statement_cache *cache, lido__cached_statement *statement) {
    *(statement->newer != NULL ? &statement->newer->older : &cache->newest) = statement->older;
    *(statement->older != NULL ? &statement->older->newer : &cache->oldest) = statement->newer;
}

static void order_put_first(lido__statement_cache *cache, lido__cached_statement *statement) {
    statement->newer = NULL;
    statement->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = statement;
    cache->newest = statement;
}

static bool is_of(const lido__cached_statement *statement, const lido__sql *sql) {
    if (statement->sql == sql)
        return true;
    return statement->hash == sql->hash && statement->size == sql->size &&
           memcmp(statement->text, sql->text, sql->size) == 0;
}

lido__cached_statement *lido__statement_cache_find(lido__statement_cache *cache, const lido__sql *sql) {
    lido__cached_statement *statement = *bucket_of(cache, sql->hash);
    while (statement != NULL && !is_of(statement, sql))
        statement = statement->chain;
    if (statement != NULL && statement != cache->newest) {
        order_unlink(cache, statement);
        order_put_first(cache, statement);
    }
    return statement;
}

bool lido__statement_cache_add(lido__statement_cache *cache, lido__cached_statement *statement, const lido__sql *sql) {
    statement->text = malloc(sql->size + 1);
    if (statement->text == NULL)
        return false;
    memcpy(statement->text, sql->text, sql->size + 1);
    statement->sql = sql->stays ? sql : NULL;
    statement->size = sql->size;
    statement->hash = sql->hash;
    lido__cached_statement **bucket = bucket_of(cache, sql->hash);
    statement->chain = *bucket;
    *bucket = statement;
    order_put_first(cache, statement);
    cache->count++;
    return true;
}

lido__cached_statement *lido__statement_cache_surplus(const lido__statement_cache *cache) {
    return cache->count >= cache->capacity ? cache->oldest : NULL;
}

void lido__statement_cache_remove(lido__statement_cache *cache, lido__cached_statement *statement) {
    lido__cached_statement **link = bucket_of(cache, statement->hash);
    while (*link != statement)
        link = &(*link)->chain;
    *link = statement->chain;
    order_unlink(cache, statement);
    cache->count--;
}

void lido__cached_statement_free(lido__cached_statement *statement) {
    free(statement->text);
    free(statement);
}
