/* What is on a disk whose power may be cut: for each file of a folder what is durable of it, and what was done to it
 * since. For power.c, under its lock. */
#ifndef TESTS_SUPPORT_POWER_DISK_H
#define TESTS_SUPPORT_POWER_DISK_H

#include <stdbool.h>
#include <stddef.h>

typedef struct disk_file disk_file;

/* The folder's files are watched from here on; "": none. What was known of others is forgotten. */
void disk_watch(const char *folder);
/* The name within the folder; NULL: it is not watched. */
const char *disk_name_within(const char *path);

/* NULL: there is none, or it was deleted. */
disk_file *disk_find(const char *name);
disk_file *disk_find_or_make(const char *name);
/* It was written to, or cut to `offset`, and that is not durable. */
void disk_write(disk_file *file, size_t offset, const void *bytes, size_t size);
void disk_truncate(disk_file *file, size_t offset);
/* It is gone, durably or not. */
void disk_delete(disk_file *file, bool durably);
/* All that was done to the file is durable; all that was made and deleted in the folder is. */
void disk_sync(disk_file *file);
void disk_sync_folder(void);

#endif
