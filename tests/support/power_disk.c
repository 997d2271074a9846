/* The files of power_disk.h, in memory, and what is left of them when the power fails. */
#include "support/power_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/chance.h"
#include "support/power.h"

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
struct disk_file {
    struct disk_file *next;
    char name[NAME_MOST]; /* within the folder */
    bool linked;          /* the folder's entry of it is durable */
    bool deleted;         /* it was, and that is not durable */
    content durable;
    change *first;
    change **last;
};

struct power_image {
    int count;
    struct {
        char name[NAME_MOST];
        content left;
    } files[CUT_FILES_MOST];
};

static char watched[256];
static disk_file *files;

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

void disk_write(disk_file *file, size_t offset, const void *bytes, size_t size) {
    add_change(file, false, offset, bytes, size);
}

void disk_truncate(disk_file *file, size_t offset) {
    add_change(file, true, offset, NULL, 0);
}

void disk_sync(disk_file *file) {
    for (const change *at = file->first; at != NULL; at = at->next)
        apply(&file->durable, at);
    forget_changes(file);
}

const char *disk_name_within(const char *path) {
    size_t size = strlen(watched);
    bool inside = path != NULL && size > 0 && strncmp(path, watched, size) == 0 && path[size] == '/';
    return inside && strlen(path + size + 1) < NAME_MOST ? path + size + 1 : NULL;
}

disk_file *disk_find(const char *name) {
    disk_file *at = files;
    while (at != NULL && (at->deleted || strcmp(at->name, name) != 0))
        at = at->next;
    return at;
}

disk_file *disk_find_or_make(const char *name) {
    disk_file *file = disk_find(name);
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

void disk_delete(disk_file *file, bool durably) {
    if (durably)
        forget(file);
    else
        file->deleted = true;
}

void disk_watch(const char *folder) {
    while (files != NULL)
        forget(files);
    snprintf(watched, sizeof watched, "%s", folder);
}

void disk_sync_folder(void) {
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
