/* Bytes that grow like a file, in chunks that never move. */
#include "backend/sqlite/memory_file.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_TABLE = 16 }; /* chunks in the first table; a power of two */

/* Tables hold 16, 32, 64, … chunks: with 16 added to a chunk's number, its highest bit tells the table, and the rest
 * the place in it. */
typedef struct place {
    size_t table;
    size_t index;
} place;

static inline place place_of(size_t chunk) {
    unsigned long long number = chunk + FIRST_TABLE;
    int highest = 63 - __builtin_clzll(number);
    return (place){(size_t)highest - (size_t)__builtin_ctz(FIRST_TABLE), (size_t)(number - (1ULL << highest))};
}

static inline char *chunk_of(const lido__memory_file *file, size_t chunk) {
    place at = place_of(chunk);
    return file->tables[at.table][at.index];
}

/* ---- Growing and shrinking ---- */

static int add_chunk(lido__memory_file *file) {
    place at = place_of(file->chunks);
    if (file->tables[at.table] == NULL)
        file->tables[at.table] = calloc((size_t)FIRST_TABLE << at.table, sizeof(char *));
    char *chunk = file->tables[at.table] != NULL ? calloc(1, LIDO__MEMORY_CHUNK) : NULL;
    if (chunk == NULL)
        return SQLITE_IOERR_NOMEM;
    file->tables[at.table][at.index] = chunk;
    file->chunks++;
    return SQLITE_OK;
}

static size_t chunks_for(sqlite3_int64 size) {
    return ((size_t)size + LIDO__MEMORY_CHUNK - 1) / LIDO__MEMORY_CHUNK;
}

static void free_chunks(lido__memory_file *file, size_t kept) {
    while (file->chunks > kept) {
        place at = place_of(--file->chunks);
        free(file->tables[at.table][at.index]);
        file->tables[at.table][at.index] = NULL;
    }
}

static int make_room(lido__memory_file *file, sqlite3_int64 size) {
    const size_t most = ((size_t)FIRST_TABLE << LIDO__MEMORY_TABLES) - FIRST_TABLE;
    size_t before = file->chunks;
    if (chunks_for(size) > most)
        return SQLITE_FULL;
    while (file->chunks < chunks_for(size)) {
        int code = add_chunk(file);
        if (code != SQLITE_OK) {
            free_chunks(file, before);
            return code;
        }
    }
    return SQLITE_OK;
}

void lido__memory_file_truncate(lido__memory_file *file, sqlite3_int64 size) {
    if (size >= atomic_load_explicit(&file->size, memory_order_relaxed))
        return;
    atomic_store_explicit(&file->size, size, memory_order_release);
    free_chunks(file, chunks_for(size));
    size_t used = (size_t)size % LIDO__MEMORY_CHUNK;
    if (used > 0) /* a gap that is left when the file grows again shall read as zeros */
        memset(chunk_of(file, file->chunks - 1) + used, 0, LIDO__MEMORY_CHUNK - used);
}

void lido__memory_file_done(lido__memory_file *file) {
    atomic_store_explicit(&file->size, 0, memory_order_relaxed);
    free_chunks(file, 0);
    for (size_t i = 0; i < LIDO__MEMORY_TABLES; i++) {
        free(file->tables[i]);
        file->tables[i] = NULL;
    }
}

/* ---- Reading and writing ---- */

/* How much of `amount` lies in the chunk that `offset` is in. */
static size_t part_in_chunk(size_t offset, size_t amount) {
    size_t left = LIDO__MEMORY_CHUNK - offset % LIDO__MEMORY_CHUNK;
    return amount < left ? amount : left;
}

static void copy_out(const lido__memory_file *file, char *to, size_t amount, size_t offset) {
    while (amount > 0) {
        size_t part = part_in_chunk(offset, amount);
        memcpy(to, chunk_of(file, offset / LIDO__MEMORY_CHUNK) + offset % LIDO__MEMORY_CHUNK, part);
        to += part;
        offset += part;
        amount -= part;
    }
}

static void copy_in(lido__memory_file *file, const char *from, size_t amount, size_t offset) {
    while (amount > 0) {
        size_t part = part_in_chunk(offset, amount);
        memcpy(chunk_of(file, offset / LIDO__MEMORY_CHUNK) + offset % LIDO__MEMORY_CHUNK, from, part);
        from += part;
        offset += part;
        amount -= part;
    }
}

int lido__memory_file_read(const lido__memory_file *file, void *out, size_t amount, sqlite3_int64 offset) {
    sqlite3_int64 size = lido__memory_file_size(file);
    size_t there = offset < size ? (size_t)(size - offset) : 0;
    if (there >= amount) {
        copy_out(file, out, amount, (size_t)offset);
        return SQLITE_OK;
    }
    copy_out(file, out, there, (size_t)offset);
    memset((char *)out + there, 0, amount - there);
    return SQLITE_IOERR_SHORT_READ;
}

int lido__memory_file_write(lido__memory_file *file, const void *data, size_t amount, sqlite3_int64 offset) {
    sqlite3_int64 end = offset + (sqlite3_int64)amount;
    int code = make_room(file, end);
    if (code != SQLITE_OK)
        return code;
    copy_in(file, data, amount, (size_t)offset);
    if (end > atomic_load_explicit(&file->size, memory_order_relaxed))
        atomic_store_explicit(&file->size, end, memory_order_release);
    return SQLITE_OK;
}
