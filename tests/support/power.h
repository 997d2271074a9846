/* A disk whose power can be cut: a file system of SQLite's that keeps, beside the real files of a folder, what of them
 * would be left if it failed now.
 *
 * What was synced is left. What was written since is left or not, each write for itself, torn into sectors, in any
 * order, by chance; a file that is new, or was deleted, may or may not be there. Syncing itself does nothing: the real
 * disk keeps its power. */
#ifndef TESTS_SUPPORT_POWER_H
#define TESTS_SUPPORT_POWER_H

#include <stdbool.h>
#include <stdint.h>

/* What is left of the folder's files. */
typedef struct power_image power_image;

/* From here on SQLite opens every file by it; those in the folder are watched, which must be empty. */
void power_begin(const char *folder);
/* All files are closed. */
void power_end(void);

/* `at_sync` is called before and after each sync of a watched file, by whoever syncs, one at a time; nothing is written
 * meanwhile. NULL: nobody is. */
void power_watch(void (*at_sync)(void *argument), void *argument);
/* Within `at_sync`: what would be left, as *chance has it. NULL: out of memory. */
power_image *power_cut(uint64_t *chance);
/* Puts what is left into another folder; false if that cannot be done. */
bool power_restore(const power_image *image, const char *folder);
void power_image_free(power_image *image);

/* The disk is full: what would make a database longer fails, until it is not. Logs and journals have room. */
void power_fill_disk(bool full);
/* How often that was so. */
int power_count_refused(void);
/* Every write to a database takes so long. */
void power_slow_down(int microseconds);
/* How often this thread has written to a database, logs and journals not counted; and how often all have. */
int power_count_own_writes(void);
int power_count_writes(void);

#endif
