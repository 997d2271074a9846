/* The identity map: which object there is for a key. One for each model in a session; keys are bytes.
 *
 * Open addressing with linear probing, and nothing left behind by what is removed. The map holds pointers: entries are
 * the first member of what they stand for, and their owner keeps them and their keys where they are as long as they are
 * in it. */
#ifndef LIDO_MODEL_IDENTITY_H
#define LIDO_MODEL_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct lido__identity {
    const void *key; /* set before it is added, */
    uint32_t size;   /* as is its size in bytes */
    uint32_t hash;   /* of the key, by its map */
} lido__identity;

typedef struct lido__identity_slot {
    lido__identity *entry; /* NULL: free */
    uint32_t hash;         /* the entry's, so that most of those that are not looked for are not touched */
} lido__identity_slot;

typedef struct lido__identity_map {
    lido__identity_slot *slots; /* a power of two of them; NULL: none yet */
    size_t capacity;
    size_t count;
    uint64_t seed; /* keys may be chosen by strangers; 0: not drawn yet */
} lido__identity_map;

#define LIDO__IDENTITY_MAP_INIT \
    { NULL, 0, 0, 0 }

void lido__identity_map_done(lido__identity_map *map);

/* Makes room; what lido__identity_reserve does if there is none. */
bool lido__identity_grow(lido__identity_map *map, size_t more);

/* Room for so many more, so that adding them cannot fail. False: out of memory. Never more than three quarters full. */
static inline bool lido__identity_reserve(lido__identity_map *map, size_t more) {
    return map->count + more <= map->capacity / 4 * 3 || lido__identity_grow(map, more);
}

/* The entry with that key, or NULL. */
lido__identity *lido__identity_find(const lido__identity_map *map, const void *key, size_t size);

/* The same in two steps, for who adds what is not found: the key's hash, once room was reserved, and the entry. */
uint32_t lido__identity_hash(const lido__identity_map *map, const void *key, size_t size);
lido__identity *lido__identity_find_hashed(const lido__identity_map *map, const void *key, size_t size, uint32_t hash);

/* Adds an entry whose key is not there and whose hash is set, where room was reserved. */
void lido__identity_put(lido__identity_map *map, lido__identity *entry);

/* Adds an entry whose key is not there. False: out of memory, and it was not added. */
bool lido__identity_add(lido__identity_map *map, lido__identity *entry);

/* Takes out an entry that is in the map. */
void lido__identity_remove(lido__identity_map *map, const lido__identity *entry);

/* Takes all out, and keeps the memory. */
void lido__identity_clear(lido__identity_map *map);

#endif
