/* The file system of power.h, over the real one. A file's durable bytes, and what was done to it since, are kept in
 * memory; one lock makes all of it one moment. */
#include "support/power.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/chance.h"

enum { SECTOR = 512, NAME_MOST = 64, CUT_FILES_MOST = 8 };

/* Bytes that grow. */
typedef struct content {
    unsigned char *bytes;
    size_t size;
    size_t room;
} content;

/* What was done to a file and not synced. */
typedef struct change {
    struct change *next;
    bool truncates; /* to `offset` */
    size_t offset;
    size_t size;
    unsigned char bytes[];
} change;

/* There may be another one of the same name that was deleted before. */
typedef struct disk_file {
    struct disk_file *next;
    char name[NAME_MOST]; /* within the folder */
    bool linked;          /* the folder's entry of it is durable */
    bool deleted;         /* it was, and that is not durable */
    content durable;
    change *first;
    change **last;
} disk_file;

typedef struct handle {
    sqlite3_file base;
    disk_file *file; /* NULL: it is not watched */
    bool is_database;
    bool syncs_folder; /* with its first sync, as SQLite does for journals and logs that it opened */
    sqlite3_file *real;
} handle;

struct power_image {
    int count;
    struct {
        char name[NAME_MOST];
        content left;
    } files[CUT_FILES_MOST];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sqlite3_vfs vfs;
static sqlite3_vfs *real;
static char watched[256];
static disk_file *files;
static void (*at_sync)(void *argument);
static void *at_sync_argument;
static atomic_bool disk_is_full;
static atomic_int refused;
static atomic_int slowness;
static atomic_int writes;
static _Thread_local int own_writes;

/* ---- Bytes ---- */

/* A test that has no memory is over. */
static void *surely(void *memory) {
    if (memory == NULL)
        abort();
    return memory;
}

static void make_longer(content *grown, size_t size, int filler) {
    if (size <= grown->size)
        return;
    if (size > grown->room) {
        grown->room = size * 2;
        grown->bytes = surely(realloc(grown->bytes, grown->room));
    }
    memset(grown->bytes + grown->size, filler, size - grown->size);
    grown->size = size;
}

/* The sectors of which `keeps` says yes; what is not written of a longer file is whatever lay on the disk. */
static void write_sectors(content *written, const change *what, bool (*keeps)(uint64_t *chance), uint64_t *chance) {
    make_longer(written, what->offset + what->size, chance != NULL ? (int)draw_below(chance, 256) : 0);
    for (size_t at = 0; at < what->size; at += SECTOR) {
        size_t size = what->size - at < SECTOR ? what->size - at : SECTOR;
        if (keeps == NULL || keeps(chance))
            memcpy(written->bytes + what->offset + at, what->bytes + at, size);
    }
}

static void cut_short(content *cut, size_t size) {
    if (cut->size > size)
        cut->size = size;
}

static void apply(content *changed, const change *what) {
    if (what->truncates)
        cut_short(changed, what->offset);
    else
        write_sectors(changed, what, NULL, NULL);
}

/* ---- Files ---- */

static void forget_changes(disk_file *file) {
    while (file->first != NULL) {
        change *gone = file->first;
        file->first = gone->next;
        free(gone);
    }
    file->last = &file->first;
}

static void add_change(disk_file *file, bool truncates, size_t offset, const void *bytes, size_t size) {
    change *added = surely(malloc(sizeof *added + size));
    *added = (change){.truncates = truncates, .offset = offset, .size = size};
    if (size > 0)
        memcpy(added->bytes, bytes, size);
    *file->last = added;
    file->last = &added->next;
}

static void make_durable(disk_file *file) {
    for (const change *at = file->first; at != NULL; at = at->next)
        apply(&file->durable, at);
    forget_changes(file);
}

/* The name within the folder; NULL: it is not watched. */
static const char *name_within(const char *path) {
    size_t size = strlen(watched);
    bool inside = path != NULL && size > 0 && strncmp(path, watched, size) == 0 && path[size] == '/';
    return inside && strlen(path + size + 1) < NAME_MOST ? path + size + 1 : NULL;
}

static disk_file *find(const char *name) {
    disk_file *at = files;
    while (at != NULL && (at->deleted || strcmp(at->name, name) != 0))
        at = at->next;
    return at;
}

static disk_file *find_or_make(const char *name) {
    disk_file *file = find(name);
    if (file != NULL)
        return file;
    file = surely(calloc(1, sizeof *file));
    snprintf(file->name, sizeof file->name, "%s", name);
    file->last = &file->first;
    file->next = files;
    return files = file;
}

static void forget(disk_file *file) {
    disk_file **at = &files;
    while (*at != file)
        at = &(*at)->next;
    *at = file->next;
    forget_changes(file);
    free(file->durable.bytes);
    free(file);
}

static void sync_folder(void) {
    disk_file *next;
    for (disk_file *at = files; at != NULL; at = next) {
        next = at->next;
        at->linked = true;
        if (at->deleted)
            forget(at);
    }
}

/* ---- What is left ---- */

static bool half_of_them(uint64_t *chance) {
    return draw_below(chance, 2) == 0;
}

/* How much of what was not synced is left of a file. */
typedef enum remains { NOTHING, ALL, SOME_WRITES, SOME_SECTORS, THE_FIRST, WAYS_TO_REMAIN } remains;

static void leave_change(content *left, const change *what, remains way, uint64_t *chance) {
    if (way == SOME_SECTORS && !what->truncates)
        write_sectors(left, what, half_of_them, chance);
    else if (way == ALL || way == THE_FIRST || half_of_them(chance))
        apply(left, what);
}

static void leave(content *left, const disk_file *file, uint64_t *chance) {
    remains way = (remains)draw_below(chance, WAYS_TO_REMAIN);
    make_longer(left, file->durable.size, 0);
    if (file->durable.size > 0)
        memcpy(left->bytes, file->durable.bytes, file->durable.size);
    for (const change *at = file->first; at != NULL && way != NOTHING; at = at->next) {
        if (way == THE_FIRST && draw_below(chance, 4) == 0)
            break;
        leave_change(left, at, way, chance);
    }
}

static bool is_in(const power_image *image, const char *name) {
    for (int i = 0; i < image->count; i++)
        if (strcmp(image->files[i].name, name) == 0)
            return true;
    return false;
}

power_image *power_cut(uint64_t *chance) {
    power_image *image = surely(calloc(1, sizeof *image));
    for (const disk_file *at = files; at != NULL; at = at->next) {
        bool certain = at->linked && !at->deleted;
        if ((!certain && half_of_them(chance)) || is_in(image, at->name))
            continue;
        if (image->count == CUT_FILES_MOST)
            abort();
        memcpy(image->files[image->count].name, at->name, sizeof at->name);
        leave(&image->files[image->count++].left, at, chance);
    }
    return image;
}

static bool write_file(const char *folder, const char *name, const content *left) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return false;
    bool written = left->size == 0 || fwrite(left->bytes, 1, left->size, file) == left->size;
    return fclose(file) == 0 && written;
}

bool power_restore(const power_image *image, const char *folder) {
    bool done = true;
    for (int i = 0; done && i < image->count; i++)
        done = write_file(folder, image->files[i].name, &image->files[i].left);
    return done;
}

void power_image_free(power_image *image) {
    for (int i = 0; image != NULL && i < image->count; i++)
        free(image->files[i].left.bytes);
    free(image);
}

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
        add_change(self->file, false, (size_t)offset, bytes, (size_t)size);
    pthread_mutex_unlock(&lock);
    return code;
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size) {
    handle *self = (handle *)file;
    pthread_mutex_lock(&lock);
    int code = self->real->pMethods->xTruncate(self->real, size);
    if (code == SQLITE_OK && self->file != NULL)
        add_change(self->file, true, (size_t)size, NULL, 0);
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
    make_durable(self->file);
    if (self->syncs_folder)
        sync_folder();
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
    const char *name = name_within(path);
    if (code != SQLITE_OK)
        return code;
    opened->base.pMethods = &methods;
    pthread_mutex_lock(&lock);
    opened->file = name != NULL ? find_or_make(name) : NULL;
    pthread_mutex_unlock(&lock);
    return SQLITE_OK;
}

static int delete_file(sqlite3_vfs *self, const char *path, int durably) {
    (void)self;
    int code = real->xDelete(real, path, 0);
    const char *name = name_within(path);
    pthread_mutex_lock(&lock);
    disk_file *file = name != NULL ? find(name) : NULL;
    if (code == SQLITE_OK && file != NULL && !durably)
        file->deleted = true;
    else if (code == SQLITE_OK && file != NULL)
        forget(file);
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
    snprintf(watched, sizeof watched, "%s", folder);
    sqlite3_vfs_register(&vfs, 1);
}

void power_end(void) {
    sqlite3_vfs_unregister(&vfs);
    sqlite3_vfs_register(real, 1);
    power_watch(NULL, NULL);
    power_fill_disk(false);
    power_slow_down(0);
    while (files != NULL)
        forget(files);
    watched[0] = '\0';
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
