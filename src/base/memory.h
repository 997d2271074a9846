/* Growable text and an arena: the two ways the library holds memory of unknown size. Both remember that
 * memory ran out instead of asking each caller to look: check once, at the end. */
#ifndef LIDO_BASE_MEMORY_H
#define LIDO_BASE_MEMORY_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <lido/export.h>

/* ---- Buffer: bytes that grow, always terminated by a NUL that `size` does not count. ---- */

typedef struct lido__buffer {
    char *data; /* NULL until something was appended */
    size_t size;
    size_t capacity;
    bool out_of_memory; /* an append failed; later ones do nothing */
} lido__buffer;

#define LIDO__BUFFER_INIT \
    { NULL, 0, 0, false }

void lido__buffer_done(lido__buffer *buffer);
void lido__buffer_clear(lido__buffer *buffer); /* empties it, keeps the memory */
void lido__buffer_append(lido__buffer *buffer, const void *data, size_t size);
void lido__buffer_text(lido__buffer *buffer, const char *text);
void lido__buffer_char(lido__buffer *buffer, char character);
void lido__buffer_format(lido__buffer *buffer, const char *format, ...) LIDO_FORMAT(2, 3);
/* The text so far, "" if nothing was appended; NULL if memory ran out. Owned by the buffer. */
const char *lido__buffer_string(const lido__buffer *buffer);

/* ---- Arena: many allocations, freed together. ---- */

typedef struct lido__arena_block lido__arena_block;

typedef struct lido__arena {
    lido__arena_block *blocks; /* newest first; the oldest survives a reset */
    char *next;                /* free part of the newest block */
    char *end;
    bool out_of_memory; /* an allocation failed since the last reset */
} lido__arena;

#define LIDO__ARENA_INIT \
    { NULL, NULL, NULL, false }

/* The same as lido__arena_allocate, in a new block. */
void *lido__arena_allocate_slowly(lido__arena *arena, size_t size);

/* Memory aligned for any type, not cleared; NULL if there is none. Size 0 gives a valid pointer. */
static inline void *lido__arena_allocate(lido__arena *arena, size_t size) {
    const size_t align = _Alignof(max_align_t);
    size_t rounded = (size + align - 1) / align * align;
    if (arena->next == NULL || rounded < size || (size_t)(arena->end - arena->next) < rounded)
        return lido__arena_allocate_slowly(arena, size);
    void *memory = arena->next;
    arena->next += rounded;
    return memory;
}

/* A copy with a NUL behind it. */
char *lido__arena_copy(lido__arena *arena, const void *data, size_t size);
char *lido__arena_format(lido__arena *arena, const char *format, ...) LIDO_FORMAT(2, 3);
/* Frees all but one block of ordinary size, which is used again. */
void lido__arena_reset(lido__arena *arena);
void lido__arena_done(lido__arena *arena);

#endif
