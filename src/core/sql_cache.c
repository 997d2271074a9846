/* The table of sql_cache.h. */
#include "core/sql_cache.h"

#include <string.h>

enum { PROBES_MOST = 16 };

void lido__sql_cache_init(lido__sql_cache *cache, lido__database_type type) {
    cache->type = type;
    atomic_init(&cache->bytes, 0);
    for (size_t i = 0; i < LIDO__SQL_CACHE_SLOTS; i++)
        atomic_init(&cache->slots[i], NULL);
    for (size_t i = 0; i < LIDO__SQL_CACHE_CALLS; i++)
        atomic_init(&cache->calls[i], NULL);
}

void lido__sql_cache_done(lido__sql_cache *cache) {
    for (size_t i = 0; i < LIDO__SQL_CACHE_SLOTS; i++)
        lido__sql_free(atomic_load_explicit(&cache->slots[i], memory_order_relaxed));
}

static bool is_same(const lido__sql *sql, const char *text, size_t size, uint64_t hash) {
    return sql->hash == hash && sql->size == size && memcmp(sql->text, text, size) == 0;
}

static _Atomic(lido__sql *) *slot_at(lido__sql_cache *cache, uint64_t hash, size_t probe) {
    return &cache->slots[(hash + probe) % LIDO__SQL_CACHE_SLOTS];
}

static lido__sql *find(lido__sql_cache *cache, const char *text, size_t size, uint64_t hash) {
    for (size_t probe = 0; probe < PROBES_MOST; probe++) {
        lido__sql *sql = atomic_load_explicit(slot_at(cache, hash, probe), memory_order_acquire);
        if (sql == NULL || is_same(sql, text, size, hash))
            return sql;
    }
    return NULL;
}

/* Puts `sql` into a free slot. If another thread has put the same text there meanwhile, that one counts. */
static lido__sql *insert(lido__sql_cache *cache, lido__sql *sql, bool *loose) {
    *loose = true;
    if (atomic_load(&cache->bytes) + sql->size > LIDO__SQL_CACHE_BYTES_MOST)
        return sql;
    sql->stays = true; /* before others see it */
    for (size_t probe = 0; probe < PROBES_MOST; probe++) {
        lido__sql *there = NULL;
        if (atomic_compare_exchange_strong(slot_at(cache, sql->hash, probe), &there, sql)) {
            atomic_fetch_add(&cache->bytes, sql->size);
            *loose = false;
            return sql;
        }
        if (is_same(there, sql->text, sql->size, sql->hash)) {
            lido__sql_free(sql);
            *loose = false;
            return there;
        }
    }
    sql->stays = false;
    return sql;
}

static _Atomic(lido__sql *) *call_of(lido__sql_cache *cache, const char *text) {
    uint64_t address = (uint64_t)(uintptr_t)text * 0x9e3779b97f4a7c15U; /* Fibonacci hashing: the upper bits are good */
    return &cache->calls[(address >> 32) % LIDO__SQL_CACHE_CALLS];
}

static lido__sql *get_by_text(lido__sql_cache *cache, const char *text, bool *loose, lido_error *error) {
    size_t size;
    uint64_t hash = lido__sql_hash(text, &size);
    lido__sql *sql = find(cache, text, size, hash);
    if (sql != NULL)
        return sql;
    sql = lido__sql_new(text, size, hash, cache->type, error);
    return sql != NULL ? insert(cache, sql, loose) : NULL;
}

lido__sql *lido__sql_cache_get(lido__sql_cache *cache, const char *text, bool *loose, lido_error *error) {
    _Atomic(lido__sql *) *call = call_of(cache, text);
    lido__sql *sql = atomic_load_explicit(call, memory_order_acquire);
    *loose = false;
    if (sql != NULL && strcmp(sql->text, text) == 0)
        return sql;
    sql = get_by_text(cache, text, loose, error);
    if (sql != NULL && !*loose)
        atomic_store_explicit(call, sql, memory_order_release);
    return sql;
}
