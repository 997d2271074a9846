/* The buffer and the arena of memory.h. */
#include "base/memory.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ARENA_BLOCK = 1000, /* with its head within 1032 bytes, which glibc keeps at hand for each thread */
    ARENA_BLOCK_MOST = 64 * 1024,
    BUFFER_FIRST = 64
};

void lido__buffer_done(lido__buffer *buffer) {
    free(buffer->data);
    *buffer = (lido__buffer)LIDO__BUFFER_INIT;
}

void lido__buffer_clear(lido__buffer *buffer) {
    buffer->size = 0;
    buffer->out_of_memory = false;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

static bool buffer_reserve(lido__buffer *buffer, size_t more) {
    if (buffer->out_of_memory)
        return false;
    if (more < buffer->capacity - buffer->size)
        return true;
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : BUFFER_FIRST;
    while (capacity - buffer->size <= more && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    char *data = capacity - buffer->size > more ? realloc(buffer->data, capacity) : NULL;
    if (data == NULL) {
        buffer->out_of_memory = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void lido__buffer_append(lido__buffer *buffer, const void *data, size_t size) {
    if (!buffer_reserve(buffer, size))
        return;
    if (size > 0)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
}

void lido__buffer_text(lido__buffer *buffer, const char *text) {
    lido__buffer_append(buffer, text, strlen(text));
}

void lido__buffer_char(lido__buffer *buffer, char character) {
    lido__buffer_append(buffer, &character, 1);
}

void lido__buffer_format(lido__buffer *buffer, const char *format, ...) {
    va_list arguments;
    va_list again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size >= 0 && buffer_reserve(buffer, (size_t)size)) {
        vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
}

const char *lido__buffer_string(const lido__buffer *buffer) {
    if (buffer->out_of_memory)
        return NULL;
    return buffer->data != NULL ? buffer->data : "";
}

struct lido__arena_block {
    lido__arena_block *older;
    size_t size; /* of the bytes that follow */
    alignas(max_align_t) char bytes[];
};

static lido__arena_block *arena_block_new(lido__arena *arena, size_t at_least) {
    /* Blocks double, so that large results need few of them, up to a size that wastes little. */
    size_t size = arena->blocks != NULL ? arena->blocks->size * 2 : ARENA_BLOCK;
    if (size > ARENA_BLOCK_MOST)
        size = ARENA_BLOCK_MOST;
    if (size < at_least)
        size = at_least;
    if (size > SIZE_MAX - sizeof(lido__arena_block))
        return NULL;
    lido__arena_block *block = malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->size = size;
    block->older = arena->blocks;
    arena->blocks = block;
    return block;
}

void *lido__arena_allocate_slowly(lido__arena *arena, size_t size) {
    const size_t align = alignof(max_align_t);
    size_t rounded = (size + align - 1) / align * align;
    lido__arena_block *block = rounded >= size ? arena_block_new(arena, rounded) : NULL;
    if (block == NULL) {
        arena->out_of_memory = true;
        return NULL;
    }
    size = rounded;
    arena->next = block->bytes + size;
    arena->end = block->bytes + block->size;
    return block->bytes;
}

char *lido__arena_copy(lido__arena *arena, const void *data, size_t size) {
    char *copy = size < SIZE_MAX ? lido__arena_allocate(arena, size + 1) : NULL;
    if (copy == NULL)
        return NULL;
    if (size > 0)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

char *lido__arena_format(lido__arena *arena, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = size >= 0 ? lido__arena_allocate(arena, (size_t)size + 1) : NULL;
    if (text == NULL)
        return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    return text;
}

void lido__arena_reset(lido__arena *arena) {
    lido__arena_block *block = arena->blocks;
    while (block != NULL && (block->older != NULL || block->size > ARENA_BLOCK_MOST)) {
        lido__arena_block *older = block->older;
        free(block);
        block = older;
    }
    arena->blocks = block;
    arena->next = block != NULL ? block->bytes : NULL;
    arena->end = block != NULL ? block->bytes + block->size : NULL;
    arena->out_of_memory = false;
}

void lido__arena_done(lido__arena *arena) {
    for (lido__arena_block *block = arena->blocks; block != NULL;) {
        lido__arena_block *older = block->older;
        free(block);
        block = older;
    }
    *arena = (lido__arena)LIDO__ARENA_INIT;
}
