/* The identity map: which object there is for a key. One for each model in a session; keys are bytes.
 *
 * Open addressing with linear probing, and nothing left behind by what is removed. The map holds pointers to entries,
 * which their owner keeps, with their keys, where they are as long as they are in it. */
#ifndef LIDO_MODEL_IDENTITY_H
#define LIDO_MODEL_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A key that is not within its entry. */
typedef struct lido__identity {
    const void *key;
    size_t size;
} lido__identity;

typedef struct lido__identity_slot {
    void *entry;   /* NULL: free */
    uint32_t hash; /* of its key, so that most of those that are not looked for are not touched */
} lido__identity_slot;

/* Where entries have their keys: `key_size` bytes from `key_at` on; 0: a lido__identity is there. Or they have none,
 * and are looked for by their address. */
typedef struct lido__identity_map {
    lido__identity_slot *slots; /* a power of two of them; NULL: none yet */
    size_t capacity;
    size_t count;
    uint64_t seed; /* keys may be chosen by strangers; 0: not drawn yet */
    size_t key_at;
    size_t key_size;
    bool by_address;
} lido__identity_map;

/* Of entries that begin with a lido__identity. */
#define LIDO__IDENTITY_MAP_INIT \
    { NULL, 0, 0, 0, 0, 0, false }

void lido__identity_map_done(lido__identity_map *map);

/* Makes room; what lido__identity_reserve does if there is none. */
bool lido__identity_grow(lido__identity_map *map, size_t more);

/* Room for so many more, so that adding them cannot fail. False: out of memory. Never more than three quarters full. */
static inline bool lido__identity_reserve(lido__identity_map *map, size_t more) {
    return map->count + more <= map->capacity / 4 * 3 || lido__identity_grow(map, more);
}

/* The entry with that key, or NULL. Of a map by address the key is a pointer to the address. */
void *lido__identity_find(const lido__identity_map *map, const void *key, size_t size);

/* The same in two steps, for who adds what is not found: the key's hash, once room was reserved, and the entry. */
uint32_t lido__identity_hash(const lido__identity_map *map, const void *key, size_t size);
void *lido__identity_find_hashed(const lido__identity_map *map, const void *key, size_t size, uint32_t hash);

/* The hash of an entry's own key, room being reserved; *found is another one with the same, or NULL. */
uint32_t lido__identity_look_up(const lido__identity_map *map, const void *entry, void **found);

/* Adds an entry whose key, which has that hash, is not there, where room was reserved. */
void lido__identity_put(lido__identity_map *map, void *entry, uint32_t hash);

/* Adds an entry whose key is not there. False: out of memory, and it was not added. */
bool lido__identity_add(lido__identity_map *map, void *entry);

/* Takes out an entry that is in the map. */
void lido__identity_remove(lido__identity_map *map, const void *entry);

/* Takes all out, and keeps the memory. */
void lido__identity_clear(lido__identity_map *map);

#endif
