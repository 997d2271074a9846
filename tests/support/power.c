/* The file system of power.h, over the real one. What is durable is known to power_disk.h; one lock makes all of it one
 * moment. */
#include "support/power.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <unistd.h>

#include "support/power_disk.h"

typedef struct handle {
    sqlite3_file base;
    disk_file *file; /* NULL: it is not watched */
    bool is_database;
    bool syncs_folder; /* with its first sync, as SQLite does for journals and logs that it opened */
    sqlite3_file *real;
} handle;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sqlite3_vfs vfs;
static sqlite3_vfs *real;
static void (*at_sync)(void *argument);
static void *at_sync_argument;
static atomic_bool disk_is_full;
static atomic_int refused;
static atomic_int slowness;
static atomic_int writes;
static _Thread_local int own_writes;

/* ---- An open file ---- */

static sqlite3_file *real_of(sqlite3_file *file) {
    return ((handle *)file)->real;
}

static int close_file(sqlite3_file *file) {
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int read_file(sqlite3_file *file, void *bytes, int size, sqlite3_int64 offset) {
    return real_of(file)->pMethods->xRead(real_of(file), bytes, size, offset);
}

static bool has_no_room(const handle *self, int size, sqlite3_int64 offset) {
    sqlite3_int64 length = 0;
    if (!self->is_database || !atomic_load(&disk_is_full))
        return false;
    self->real->pMethods->xFileSize(self->real, &length);
    return offset + size > length;
}

static void note_write(void) {
    atomic_fetch_add(&writes, 1);
    own_writes++;
    if (atomic_load(&slowness) > 0)
        usleep((useconds_t)atomic_load(&slowness));
}

static int write_to_file(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset) {
    handle *self = (handle *)file;
    if (has_no_room(self, size, offset)) {
        atomic_fetch_add(&refused, 1);
        return SQLITE_FULL;
    }
    if (self->is_database)
        note_write();
    pthread_mutex_lock(&lock);
    int code = self->real->pMethods->xWrite(self->real, bytes, size, offset);
    if (code == SQLITE_OK && self->file != NULL)
        disk_write(self->file, (size_t)offset, bytes, (size_t)size);
    pthread_mutex_unlock(&lock);
    return code;
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size) {
    handle *self = (handle *)file;
    pthread_mutex_lock(&lock);
    int code = self->real->pMethods->xTruncate(self->real, size);
    if (code == SQLITE_OK && self->file != NULL)
        disk_truncate(self->file, (size_t)size);
    pthread_mutex_unlock(&lock);
    return code;
}

static void tell_watcher(void) {
    if (at_sync != NULL)
        at_sync(at_sync_argument);
}

static int sync_file(sqlite3_file *file, int flags) {
    handle *self = (handle *)file;
    (void)flags;
    if (self->file == NULL)
        return SQLITE_OK;
    pthread_mutex_lock(&lock);
    tell_watcher();
    disk_sync(self->file);
    if (self->syncs_folder)
        disk_sync_folder();
    self->syncs_folder = false;
    tell_watcher();
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static int tell_size(sqlite3_file *file, sqlite3_int64 *size) {
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int lock_file(sqlite3_file *file, int level) {
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int unlock_file(sqlite3_file *file, int level) {
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int look_for_reserved(sqlite3_file *file, int *answer) {
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), answer);
}

static int control_file(sqlite3_file *file, int operation, void *argument) {
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int tell_sector_size(sqlite3_file *file) {
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int tell_characteristics(sqlite3_file *file) {
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int map_index(sqlite3_file *file, int region, int size, int extend, void volatile **address) {
    return real_of(file)->pMethods->xShmMap(real_of(file), region, size, extend, address);
}

static int lock_index(sqlite3_file *file, int offset, int count, int flags) {
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void order_index(sqlite3_file *file) {
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int unmap_index(sqlite3_file *file, int and_delete) {
    return real_of(file)->pMethods->xShmUnmap(real_of(file), and_delete);
}

static int fetch(sqlite3_file *file, sqlite3_int64 offset, int size, void **address) {
    return real_of(file)->pMethods->xFetch(real_of(file), offset, size, address);
}

static int unfetch(sqlite3_file *file, sqlite3_int64 offset, void *address) {
    return real_of(file)->pMethods->xUnfetch(real_of(file), offset, address);
}

static const sqlite3_io_methods methods = {
    .iVersion = 3,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_to_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = tell_size,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = look_for_reserved,
    .xFileControl = control_file,
    .xSectorSize = tell_sector_size,
    .xDeviceCharacteristics = tell_characteristics,
    .xShmMap = map_index,
    .xShmLock = lock_index,
    .xShmBarrier = order_index,
    .xShmUnmap = unmap_index,
    .xFetch = fetch,
    .xUnfetch = unfetch,
};

/* ---- The file system ---- */

static bool is_synced_with_its_folder(int flags) {
    return (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL)) != 0 &&
           (flags & SQLITE_OPEN_CREATE) != 0;
}

static int open_file(sqlite3_vfs *self, const char *path, sqlite3_file *file, int flags, int *out_flags) {
    handle *opened = (handle *)file;
    (void)self;
    *opened = (handle){.real = (sqlite3_file *)(opened + 1),
                       .is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0,
                       .syncs_folder = is_synced_with_its_folder(flags)};
    int code = real->xOpen(real, path, opened->real, flags, out_flags);
    const char *name = disk_name_within(path);
    if (code != SQLITE_OK)
        return code;
    opened->base.pMethods = &methods;
    pthread_mutex_lock(&lock);
    opened->file = name != NULL ? disk_find_or_make(name) : NULL;
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static int delete_file(sqlite3_vfs *self, const char *path, int durably) {
    (void)self;
    int code = real->xDelete(real, path, 0);
    const char *name = disk_name_within(path);
    pthread_mutex_lock(&lock);
    disk_file *file = name != NULL ? disk_find(name) : NULL;
    if (code == SQLITE_OK && file != NULL)
        disk_delete(file, durably != 0);
    pthread_mutex_unlock(&lock);
    return code;
}

/* SQLite's own locks are not taken under this one, and so it does not matter which the fork takes first. */
static void take_lock(void) {
    pthread_mutex_lock(&lock);
}

static void let_go_lock(void) {
    pthread_mutex_unlock(&lock);
}

static void hold_across_forks(void) {
    pthread_atfork(take_lock, let_go_lock, let_go_lock);
}

void power_begin(const char *folder) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, hold_across_forks);
    real = sqlite3_vfs_find(NULL);
    vfs = *real;
    vfs.zName = "power";
    vfs.szOsFile = (int)sizeof(handle) + real->szOsFile;
    vfs.pNext = NULL;
    vfs.xOpen = open_file;
    vfs.xDelete = delete_file;
    disk_watch(folder);
    sqlite3_vfs_register(&vfs, 1);
}

void power_end(void) {
    sqlite3_vfs_unregister(&vfs);
    sqlite3_vfs_register(real, 1);
    power_watch(NULL, NULL);
    power_fill_disk(false);
    power_slow_down(0);
    disk_watch("");
}

void power_watch(void (*told)(void *argument), void *argument) {
    pthread_mutex_lock(&lock);
    at_sync = told;
    at_sync_argument = argument;
    pthread_mutex_unlock(&lock);
}

void power_fill_disk(bool full) {
    atomic_store(&disk_is_full, full);
}

int power_count_refused(void) {
    return atomic_load(&refused);
}

void power_slow_down(int microseconds) {
    atomic_store(&slowness, microseconds);
}

int power_count_own_writes(void) {
    return own_writes;
}

int power_count_writes(void) {
    return atomic_load(&writes);
}
