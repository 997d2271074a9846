/* Opening files by name: the database's own two, temporary ones, and everybody else's. */
#include "backend/sqlite/memory_vfs.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char main_name[] = LIDO__MEMORY_NAME;
static const char log_name[] = LIDO__MEMORY_NAME "-wal";

static lido__memory_database *database_of(sqlite3_vfs *vfs) {
    return vfs->pAppData;
}

static sqlite3_vfs *real_of(sqlite3_vfs *vfs) {
    return database_of(vfs)->real;
}

/* Whether the file is the database's, or would lie beside it. */
static bool is_ours(const char *name) {
    return strncmp(name, main_name, sizeof main_name - 1) == 0;
}

/* ---- Names ---- */

/* The database's files, and temporary ones. A rollback journal is a temporary one: the only connection that ever has
 * one is the first, alone, until the database is in WAL mode. But the journal over several attached files, which is to
 * stand beside the database, must outlive the process; there is no place for it here. */
static int open_ours(lido__memory_database *database, const char *name, sqlite3_file *file, int flags) {
    bool is_log = name != NULL && strcmp(name, log_name) == 0;
    lido__memory_file *opened = is_log ? &database->log : NULL;
    if (name != NULL && strcmp(name, main_name) == 0)
        opened = &database->main;
    if ((flags & SQLITE_OPEN_SUPER_JOURNAL) != 0)
        return SQLITE_CANTOPEN;
    int code = lido__memory_handle_open((lido__memory_handle *)file, database, opened);
    if (code == SQLITE_OK && is_log)
        atomic_store(&database->has_log, true);
    return code;
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags) {
    if (name != NULL && !is_ours(name))
        return real_of(vfs)->xOpen(real_of(vfs), name, file, flags, out_flags);
    file->pMethods = NULL;
    if (out_flags != NULL)
        *out_flags = flags;
    return open_ours(database_of(vfs), name, file, flags);
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int sync) {
    lido__memory_database *database = database_of(vfs);
    if (!is_ours(name))
        return real_of(vfs)->xDelete(real_of(vfs), name, sync);
    if (strcmp(name, log_name) == 0) {
        atomic_store(&database->has_log, false);
        lido__memory_file_truncate(&database->log, 0);
    }
    return SQLITE_OK;
}

static int access_file(sqlite3_vfs *vfs, const char *name, int flags, int *answer) {
    if (!is_ours(name))
        return real_of(vfs)->xAccess(real_of(vfs), name, flags, answer);
    bool is_log = strcmp(name, log_name) == 0;
    *answer = is_log ? atomic_load(&database_of(vfs)->has_log) : strcmp(name, main_name) == 0;
    return SQLITE_OK;
}

static int full_name(sqlite3_vfs *vfs, const char *name, int size, char *out) {
    if (!is_ours(name))
        return real_of(vfs)->xFullPathname(real_of(vfs), name, size, out);
    return snprintf(out, (size_t)size, "%s", name) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

/* ---- What has nothing to do with files is the real one's ---- */

static void *open_library(sqlite3_vfs *vfs, const char *name) {
    return real_of(vfs)->xDlOpen(real_of(vfs), name);
}

static void tell_library_error(sqlite3_vfs *vfs, int size, char *message) {
    real_of(vfs)->xDlError(real_of(vfs), size, message);
}

static void (*find_symbol(sqlite3_vfs *vfs, void *library, const char *name))(void) {
    return real_of(vfs)->xDlSym(real_of(vfs), library, name);
}

static void close_library(sqlite3_vfs *vfs, void *library) {
    real_of(vfs)->xDlClose(real_of(vfs), library);
}

static int fill_randomly(sqlite3_vfs *vfs, int size, char *out) {
    return real_of(vfs)->xRandomness(real_of(vfs), size, out);
}

static int sleep_for(sqlite3_vfs *vfs, int microseconds) {
    return real_of(vfs)->xSleep(real_of(vfs), microseconds);
}

static int tell_time(sqlite3_vfs *vfs, double *days) {
    return real_of(vfs)->xCurrentTime(real_of(vfs), days);
}

static int tell_time_exactly(sqlite3_vfs *vfs, sqlite3_int64 *milliseconds) {
    return real_of(vfs)->xCurrentTimeInt64(real_of(vfs), milliseconds);
}

static int tell_last_error(sqlite3_vfs *vfs, int size, char *message) {
    return real_of(vfs)->xGetLastError(real_of(vfs), size, message);
}

/* ---- Making one ---- */

static void fill_in(sqlite3_vfs *vfs, lido__memory_database *database) {
    const sqlite3_vfs *real = database->real;
    int own = (int)sizeof(lido__memory_handle);
    *vfs = (sqlite3_vfs){
        .iVersion = real->iVersion < 2 ? 1 : 2,
        .szOsFile =
            own > real->szOsFile ? own : real->szOsFile, /* SQLite makes room before it knows whose the file is */
        .mxPathname = real->mxPathname,
        .zName = database->name,
        .pAppData = database,
        .xOpen = open_file,
        .xDelete = delete_file,
        .xAccess = access_file,
        .xFullPathname = full_name,
        .xDlOpen = open_library,
        .xDlError = tell_library_error,
        .xDlSym = find_symbol,
        .xDlClose = close_library,
        .xRandomness = fill_randomly,
        .xSleep = sleep_for,
        .xCurrentTime = tell_time,
        .xGetLastError = tell_last_error,
        .xCurrentTimeInt64 = tell_time_exactly,
    };
}

lido__memory_database *lido__memory_database_new(void) {
    static atomic_uint_fast64_t last;
    lido__memory_database *database = calloc(1, sizeof *database);
    if (database == NULL)
        return NULL;
    if (!lido__memory_database_init(database)) {
        free(database);
        return NULL;
    }
    snprintf(database->name, sizeof database->name, "lido-memory-%" PRIu64,
             (uint64_t)atomic_fetch_add_explicit(&last, 1, memory_order_relaxed));
    database->real = sqlite3_vfs_find(NULL); /* starts SQLite up, if nobody did */
    if (database->real != NULL)
        fill_in(&database->vfs, database);
    if (database->real == NULL || sqlite3_vfs_register(&database->vfs, 0) != SQLITE_OK) {
        lido__memory_database_done(database);
        free(database);
        return NULL;
    }
    return database;
}

void lido__memory_database_free(lido__memory_database *database) {
    sqlite3_vfs_unregister(&database->vfs);
    lido__memory_database_done(database);
    free(database);
}
