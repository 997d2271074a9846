/* The map of identity.h. */
#include "model/identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum { SLOTS_FIRST = 16 };

void lido__identity_map_done(lido__identity_map *map) {
    free(map->slots);
    *map = (lido__identity_map)LIDO__IDENTITY_MAP_INIT;
}

/* One multiplication for eight bytes, and its high half folded back: keys are mostly numbers in a row, or uuids. */
static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ (hash >> 32);
}

uint32_t lido__identity_hash(const lido__identity_map *map, const void *key, size_t size) {
    const unsigned char *bytes = key;
    uint64_t hash = map->seed ^ size;
    uint64_t word;
    for (; size >= sizeof word; bytes += sizeof word, size -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = mix(hash, word);
    }
    if (size > 0) {
        word = 0;
        memcpy(&word, bytes, size);
        hash = mix(hash, word);
    }
    return (uint32_t)mix(hash, 0);
}

/* An entry's key; `address` is where that of a map by address is put. */
static const void *key_of(const lido__identity_map *map, const void *entry, const void **address, size_t *size) {
    const char *at = (const char *)entry + map->key_at;
    if (map->by_address) {
        *address = entry;
        *size = sizeof *address;
        return address;
    }
    *size = map->key_size > 0 ? map->key_size : ((const lido__identity *)(const void *)at)->size;
    return map->key_size > 0 ? at : ((const lido__identity *)(const void *)at)->key;
}

static void put(const lido__identity_map *map, lido__identity_slot slot) {
    size_t at = slot.hash & (map->capacity - 1);
    while (map->slots[at].entry != NULL)
        at = (at + 1) & (map->capacity - 1);
    map->slots[at] = slot;
}

bool lido__identity_grow(lido__identity_map *map, size_t more) {
    size_t capacity = map->capacity > 0 ? map->capacity : SLOTS_FIRST;
    if (map->seed == 0)
        map->seed = lido__random() | 1;
    while (map->count + more > capacity / 4 * 3 && capacity <= SIZE_MAX / 2 / sizeof *map->slots)
        capacity *= 2;
    if (map->count + more > capacity / 4 * 3)
        return false;
    if (capacity == map->capacity)
        return true;
    lido__identity_map larger = {.slots = calloc(capacity, sizeof *map->slots), .capacity = capacity};
    if (larger.slots == NULL)
        return false;
    for (size_t i = 0; i < map->capacity; i++)
        if (map->slots[i].entry != NULL)
            put(&larger, map->slots[i]);
    free(map->slots);
    map->slots = larger.slots;
    map->capacity = larger.capacity;
    return true;
}

void *lido__identity_find(const lido__identity_map *map, const void *key, size_t size) {
    return map->count > 0 ? lido__identity_find_hashed(map, key, size, lido__identity_hash(map, key, size)) : NULL;
}

void *lido__identity_find_hashed(const lido__identity_map *map, const void *key, size_t size, uint32_t hash) {
    for (size_t at = hash & (map->capacity - 1); map->slots[at].entry != NULL; at = (at + 1) & (map->capacity - 1)) {
        const void *address;
        size_t its_size;
        if (map->slots[at].hash != hash)
            continue;
        const void *its_key = key_of(map, map->slots[at].entry, &address, &its_size);
        if (its_size == size && memcmp(its_key, key, size) == 0)
            return map->slots[at].entry;
    }
    return NULL;
}

uint32_t lido__identity_look_up(const lido__identity_map *map, const void *entry, void **found) {
    const void *address;
    size_t size;
    const void *key = key_of(map, entry, &address, &size);
    uint32_t hash = lido__identity_hash(map, key, size);
    *found = lido__identity_find_hashed(map, key, size, hash);
    return hash;
}

void lido__identity_put(lido__identity_map *map, void *entry, uint32_t hash) {
    put(map, (lido__identity_slot){.entry = entry, .hash = hash});
    map->count++;
}

bool lido__identity_add(lido__identity_map *map, void *entry) {
    const void *address;
    size_t size;
    if (!lido__identity_reserve(map, 1))
        return false;
    const void *key = key_of(map, entry, &address, &size);
    lido__identity_put(map, entry, lido__identity_hash(map, key, size));
    return true;
}

/* What came later to its place than it should have moves up, so that no search ends too early. */
void lido__identity_remove(lido__identity_map *map, const void *entry) {
    const void *address;
    size_t size;
    const void *key = key_of(map, entry, &address, &size);
    size_t most = map->capacity - 1;
    size_t hole = lido__identity_hash(map, key, size) & most;
    while (map->slots[hole].entry != entry)
        hole = (hole + 1) & most;
    for (size_t at = (hole + 1) & most; map->slots[at].entry != NULL; at = (at + 1) & most) {
        size_t home = map->slots[at].hash & most;
        if (((at - home) & most) < ((at - hole) & most)) /* it may not stand before its home */
            continue;
        map->slots[hole] = map->slots[at];
        hole = at;
    }
    map->slots[hole].entry = NULL;
    map->count--;
}

void lido__identity_clear(lido__identity_map *map) {
    if (map->count > 0)
        memset(map->slots, 0, map->capacity * sizeof *map->slots);
    map->count = 0;
}
