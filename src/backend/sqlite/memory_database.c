/* Reading, writing and locking a database in memory: what SQLite asks of an open file.
 *
 * No lock is taken to read or write, for SQLite's own keep apart who must be. In WAL mode, which the database is in as
 * long as more than one connection is open:
 * - The log is appended to by the one who holds the write lock, behind all that the index has published; readers read
 *   what has been published. It starts over, and is cut, when nobody holds a read mark on it, and who comes then finds
 *   that all of it is in the main file, and reads that.
 * - The main file is written by the one checkpoint that there is. It writes a page only if every reader's snapshot has
 *   this version of the page or a newer one, and those who have it find it in the log, because it was there and not in
 *   the main file when they began; readers that use the main file alone hold lock 0, which a checkpoint has alone. It
 *   cuts the file to its newest length only if that is every reader's.
 * - The one exception is the file's head (its first 100 bytes), which a connection reads when it is opened, before it
 *   holds any lock: that part goes by a mutex.
 * What one thread has written is there for another that has heard of it by the index: see put_in_order. */
#include "backend/sqlite/memory_database.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD = 512 }; /* no page is shorter, and no read of a page is */

static lido__memory_handle *handle_of(sqlite3_file *base) {
    return (lido__memory_handle *)base;
}

/* ---- Order ---- */

/* SQLite publishes through the index by plain and relaxed stores, and asks the file for the fences around them. It asks
 * in the right places but one: after a checkpoint has written pages it stores how far it got, and on some processors
 * that store could be seen before the pages; so a write to the main file ends in a fence, too, which costs nothing on
 * x86. ThreadSanitizer knows no fences, but sees that who read from an atomic variable comes after who wrote to it. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_THREAD_SANITIZER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_THREAD_SANITIZER
#endif
#endif

#ifdef UNDER_THREAD_SANITIZER
#define put_in_order(database, how) ((void)atomic_fetch_add(&(database)->order, 1))
#else
#define put_in_order(database, how) ((void)(database), atomic_thread_fence(how))
#endif

static void barrier(sqlite3_file *base) {
    put_in_order(handle_of(base)->database, memory_order_seq_cst);
}

/* ---- Reading and writing ---- */

static bool is_main(const lido__memory_handle *handle) {
    return handle->file == &handle->database->main;
}

static int read_file(sqlite3_file *base, void *out, int amount, sqlite3_int64 offset) {
    lido__memory_handle *handle = handle_of(base);
    bool is_head = offset < HEAD && amount < HEAD && is_main(handle);
    put_in_order(handle->database, memory_order_acquire);
    if (is_head)
        pthread_mutex_lock(&handle->database->lock);
    int code = lido__memory_file_read(handle->file, out, (size_t)amount, offset);
    if (is_head)
        pthread_mutex_unlock(&handle->database->lock);
    return code;
}

static int write_file(sqlite3_file *base, const void *data, int amount, sqlite3_int64 offset) {
    lido__memory_handle *handle = handle_of(base);
    bool is_head = offset < HEAD && is_main(handle);
    if (is_head)
        pthread_mutex_lock(&handle->database->lock);
    int code = lido__memory_file_write(handle->file, data, (size_t)amount, offset);
    if (is_head)
        pthread_mutex_unlock(&handle->database->lock);
    put_in_order(handle->database, memory_order_release);
    return code;
}

static int truncate_file(sqlite3_file *base, sqlite3_int64 size) {
    lido__memory_file_truncate(handle_of(base)->file, size);
    return SQLITE_OK;
}

static int size_of_file(sqlite3_file *base, sqlite3_int64 *size) {
    *size = lido__memory_file_size(handle_of(base)->file);
    return SQLITE_OK;
}

static int do_nothing(sqlite3_file *base, int ignored) {
    (void)base;
    (void)ignored;
    return SQLITE_OK;
}

/* ---- The main file's lock: taken when a connection opens and tried when it closes, and not in between ---- */

/* Whether the handle may go up to `level`, with the others as they are. SQLite takes SHARED first. */
static bool may_rise(const lido__memory_handle *handle, int level) {
    const lido__memory_database *database = handle->database;
    bool writes = handle->level >= SQLITE_LOCK_RESERVED;
    if (level == SQLITE_LOCK_SHARED)
        return !database->excludes;
    if (!writes && database->writers > 0)
        return false;
    return level != SQLITE_LOCK_EXCLUSIVE || database->readers == 1;
}

static void set_level(lido__memory_handle *handle, int level) {
    lido__memory_database *database = handle->database;
    database->readers += (level >= SQLITE_LOCK_SHARED) - (handle->level >= SQLITE_LOCK_SHARED);
    database->writers += (level >= SQLITE_LOCK_RESERVED) - (handle->level >= SQLITE_LOCK_RESERVED);
    if ((level == SQLITE_LOCK_EXCLUSIVE) != (handle->level == SQLITE_LOCK_EXCLUSIVE))
        database->excludes = level == SQLITE_LOCK_EXCLUSIVE;
    handle->level = level;
}

static int lock_file(sqlite3_file *base, int level) {
    lido__memory_handle *handle = handle_of(base);
    if (handle->level >= level)
        return SQLITE_OK;
    pthread_mutex_lock(&handle->database->lock);
    bool may = may_rise(handle, level);
    if (may)
        set_level(handle, level);
    pthread_mutex_unlock(&handle->database->lock);
    return may ? SQLITE_OK : SQLITE_BUSY;
}

static int unlock_file(sqlite3_file *base, int level) {
    lido__memory_handle *handle = handle_of(base);
    if (handle->level <= level)
        return SQLITE_OK;
    pthread_mutex_lock(&handle->database->lock);
    set_level(handle, level);
    pthread_mutex_unlock(&handle->database->lock);
    return SQLITE_OK;
}

static int is_reserved(sqlite3_file *base, int *reserved) {
    lido__memory_database *database = handle_of(base)->database;
    pthread_mutex_lock(&database->lock);
    *reserved = database->writers > 0;
    pthread_mutex_unlock(&database->lock);
    return SQLITE_OK;
}

static int is_never_reserved(sqlite3_file *base, int *reserved) {
    (void)base;
    *reserved = 0;
    return SQLITE_OK;
}

/* ---- The log's index and its locks ---- */

static bool add_region(lido__memory_database *database, int size) {
    char **regions = realloc(database->regions, ((size_t)database->region_count + 1) * sizeof *regions);
    if (regions == NULL)
        return false;
    database->regions = regions;
    regions[database->region_count] = calloc(1, (size_t)size);
    if (regions[database->region_count] == NULL)
        return false;
    database->region_count++;
    return true;
}

/* Sets *out to NULL where the region is not there and shall not be made. SQLite remembers what it gets. */
static int map_region(sqlite3_file *base, int region, int size, int extend, void volatile **out) {
    lido__memory_database *database = handle_of(base)->database;
    bool enough = true;
    pthread_mutex_lock(&database->lock);
    while (enough && extend != 0 && database->region_count <= region)
        enough = add_region(database, size);
    *out = region < database->region_count ? database->regions[region] : NULL;
    pthread_mutex_unlock(&database->lock);
    return enough ? SQLITE_OK : SQLITE_NOMEM;
}

static void free_regions(lido__memory_database *database) {
    for (int i = 0; i < database->region_count; i++)
        free(database->regions[i]);
    free(database->regions);
    database->regions = NULL;
    database->region_count = 0;
}

/* `gone`: the log is deleted, by a connection that is alone with the database; else others read the regions. */
static int unmap_regions(sqlite3_file *base, int gone) {
    lido__memory_database *database = handle_of(base)->database;
    if (gone != 0) {
        pthread_mutex_lock(&database->lock);
        free_regions(database);
        pthread_mutex_unlock(&database->lock);
    }
    return SQLITE_OK;
}

static bool share(lido__memory_lock *lock) {
    int holders = atomic_load_explicit(&lock->holders, memory_order_relaxed);
    while (holders >= 0)
        if (atomic_compare_exchange_weak_explicit(&lock->holders, &holders, holders + 1, memory_order_acquire,
                                                  memory_order_relaxed))
            return true;
    return false;
}

/* The index's locks that are not read marks. */
enum { WRITE_LOCK = 1U << 0, CHECKPOINT_LOCK = 1U << 1 };

/* Whether the handle is in a checkpoint that waits for readers, other than the one that follows a commit and takes what
 * it gets. */
static bool is_patient(const lido__memory_handle *handle) {
    return (handle->alone & (WRITE_LOCK | CHECKPOINT_LOCK)) == (WRITE_LOCK | CHECKPOINT_LOCK);
}

/* A reader that begins takes a read mark alone for a moment to set it to the newest snapshot, and then shares it. Were
 * it free to take the one that a checkpoint waits for, one busy reader could keep the checkpoint waiting for ever. So
 * it is sent on to another mark. */
static bool take_alone(lido__memory_handle *handle, lido__memory_lock *lock) {
    int nobody = 0;
    bool patient = is_patient(handle);
    if (!patient && atomic_load_explicit(&lock->wanted, memory_order_relaxed))
        return false;
    if (atomic_compare_exchange_strong_explicit(&lock->holders, &nobody, -1, memory_order_acquire,
                                                memory_order_relaxed))
        return true;
    if (patient)
        atomic_store_explicit(&lock->wanted, true, memory_order_relaxed);
    return false;
}

static int take_all_alone(lido__memory_handle *handle, int first, int count) {
    lido__memory_lock *locks = handle->database->locks;
    for (int i = first; i < first + count; i++)
        if (!take_alone(handle, &locks[i])) {
            while (--i >= first)
                atomic_store_explicit(&locks[i].holders, 0, memory_order_release);
            return SQLITE_BUSY;
        }
    handle->alone |= ((1U << count) - 1) << first;
    return SQLITE_OK;
}

/* Only one checkpoint goes on at a time; its end is the end of what it waited for. */
static void want_nothing(lido__memory_database *database) {
    for (int i = 0; i < SQLITE_SHM_NLOCK; i++)
        atomic_store_explicit(&database->locks[i].wanted, false, memory_order_relaxed);
}

static void give_back(lido__memory_handle *handle, int first, int count) {
    for (int i = first; i < first + count; i++) {
        unsigned bit = 1U << i;
        if ((handle->alone & bit & CHECKPOINT_LOCK) != 0)
            want_nothing(handle->database);
        if ((handle->shares & bit) != 0)
            atomic_fetch_sub_explicit(&handle->database->locks[i].holders, 1, memory_order_release);
        else if ((handle->alone & bit) != 0)
            atomic_store_explicit(&handle->database->locks[i].holders, 0, memory_order_release);
        handle->shares &= ~bit;
        handle->alone &= ~bit;
    }
}

/* SQLite shares one lock at a time, takes some alone together, and never wants one alone that it shares. Nobody waits
 * here: SQLITE_BUSY sends SQLite to its busy handler, or on. */
static int lock_index(sqlite3_file *base, int first, int count, int flags) {
    lido__memory_handle *handle = handle_of(base);
    if ((flags & SQLITE_SHM_UNLOCK) != 0) {
        give_back(handle, first, count);
        return SQLITE_OK;
    }
    if ((flags & SQLITE_SHM_EXCLUSIVE) != 0)
        return take_all_alone(handle, first, count);
    if ((handle->shares & 1U << first) != 0)
        return SQLITE_OK;
    if (!share(&handle->database->locks[first]))
        return SQLITE_BUSY;
    handle->shares |= 1U << first;
    return SQLITE_OK;
}

/* ---- Opening and closing ---- */

static int control(sqlite3_file *base, int operation, void *argument) {
    (void)base;
    (void)operation;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int sector_size(sqlite3_file *base) {
    (void)base;
    return 0;
}

static int characteristics(sqlite3_file *base) {
    (void)base;
    return SQLITE_IOCAP_ATOMIC | SQLITE_IOCAP_SAFE_APPEND | SQLITE_IOCAP_SEQUENTIAL | SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int close_file(sqlite3_file *base) {
    lido__memory_handle *handle = handle_of(base);
    lido__memory_database *database = handle->database;
    give_back(handle, 0, SQLITE_SHM_NLOCK);
    unlock_file(base, SQLITE_LOCK_NONE);
    if (handle->file != &database->main && handle->file != &database->log) {
        lido__memory_file_done(handle->file);
        free(handle->file);
    }
    return SQLITE_OK;
}

static const sqlite3_io_methods main_methods = {
    .iVersion = 2, /* with an index in shared memory, and so WAL mode; without mapped pages */
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = do_nothing,
    .xFileSize = size_of_file,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = is_reserved,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = map_region,
    .xShmLock = lock_index,
    .xShmBarrier = barrier,
    .xShmUnmap = unmap_regions,
};

/* For the log, whose locks are the index's, and for files of one connection. */
static const sqlite3_io_methods other_methods = {
    .iVersion = 1,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = do_nothing,
    .xFileSize = size_of_file,
    .xLock = do_nothing,
    .xUnlock = do_nothing,
    .xCheckReservedLock = is_never_reserved,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
};

int lido__memory_handle_open(lido__memory_handle *handle, lido__memory_database *database, lido__memory_file *file) {
    if (file == NULL)
        file = calloc(1, sizeof *file);
    if (file == NULL)
        return SQLITE_NOMEM;
    const sqlite3_io_methods *methods = file == &database->main ? &main_methods : &other_methods;
    *handle = (lido__memory_handle){.base.pMethods = methods, .database = database, .file = file};
    return SQLITE_OK;
}

bool lido__memory_database_init(lido__memory_database *database) {
    return pthread_mutex_init(&database->lock, NULL) == 0;
}

void lido__memory_database_done(lido__memory_database *database) {
    lido__memory_file_done(&database->main);
    lido__memory_file_done(&database->log);
    free_regions(database);
    pthread_mutex_destroy(&database->lock);
}
