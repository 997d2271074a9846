/* Bytes that grow like a file, in memory. What was written stays where it is: growing moves nothing, for others may be
 * reading it at that moment.
 *
 * One thread at a time changes a file, as SQLite's locks have it; any number read it meanwhile, if what they read is
 * not what is being written or cut off. Why that holds is told in memory_database.c. */
#ifndef LIDO_BACKEND_SQLITE_MEMORY_FILE_H
#define LIDO_BACKEND_SQLITE_MEMORY_FILE_H

#include <stdatomic.h>
#include <stddef.h>

#include <sqlite3.h>

enum {
    LIDO__MEMORY_CHUNK = 64 * 1024, /* the largest page of SQLite: no page lies across two, when pages are aligned */
    LIDO__MEMORY_TABLES = 24
};

typedef struct lido__memory_file {
    /* What is below it may be read by others; raised when the chunks are there. */
    _Atomic(sqlite3_int64) size;
    /* The chunks' addresses: each table holds twice as many as the one before it, and none is moved when the next is
     * made. */
    char **tables[LIDO__MEMORY_TABLES];
    size_t chunks; /* how many there are; the changing thread's */
} lido__memory_file;

/* Frees all; then it is an empty file again, as it is when all its bytes are 0. */
void lido__memory_file_done(lido__memory_file *file);

/* SQLITE_OK, or SQLITE_IOERR_SHORT_READ: the file ended before, and the rest of `out` is zeros. */
int lido__memory_file_read(const lido__memory_file *file, void *out, size_t amount, sqlite3_int64 offset);

/* SQLITE_OK, or SQLITE_IOERR_NOMEM or SQLITE_FULL with nothing written. A gap before `offset` reads as zeros. */
int lido__memory_file_write(lido__memory_file *file, const void *data, size_t amount, sqlite3_int64 offset);

/* Cuts off what is behind `size`, and gives its memory back. */
void lido__memory_file_truncate(lido__memory_file *file, sqlite3_int64 size);

static inline sqlite3_int64 lido__memory_file_size(const lido__memory_file *file) {
    return atomic_load_explicit(&file->size, memory_order_acquire);
}

#endif
