/* A hash table beside the list, so that thousands of names take linear time. */
#include "sql/names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sql/hash.h"

enum { NAMES_FIRST = 8 };

void lido__names_done(lido__names *names) {
    free(names->list);
    free(names->slots);
    *names = (lido__names)LIDO__NAMES_INIT;
}

/* The slot that holds this name, or the free one where it belongs. There always is a free one. */
static uint32_t *find_slot(const lido__names *names, const char *text, size_t size) {
    size_t mask = names->capacity * 2 - 1;
    size_t at = (size_t)lido__hash_bytes(text, size) & mask;
    for (; names->slots[at] != 0; at = (at + 1) & mask) {
        const lido__name *name = &names->list[names->slots[at] - 1];
        if (name->size == size && memcmp(name->text, text, size) == 0)
            break;
    }
    return &names->slots[at];
}

static bool grow(lido__names *names) {
    size_t capacity = names->capacity > 0 ? names->capacity * 2 : NAMES_FIRST;
    uint32_t *slots = calloc(capacity * 2, sizeof *slots);
    lido__name *list = slots != NULL ? realloc(names->list, capacity * sizeof *list) : NULL;
    if (list == NULL) {
        free(slots);
        return false;
    }
    free(names->slots);
    names->list = list;
    names->slots = slots;
    names->capacity = capacity;
    for (size_t i = 0; i < names->count; i++)
        *find_slot(names, list[i].text, list[i].size) = (uint32_t)(i + 1);
    return true;
}

size_t lido__names_number(lido__names *names, const char *text, size_t size) {
    if (names->count == names->capacity && !grow(names))
        return 0;
    uint32_t *slot = find_slot(names, text, size);
    if (*slot == 0) {
        names->list[names->count++] = (lido__name){text, size};
        *slot = (uint32_t)names->count;
    }
    return *slot;
}
