/* The index of the log, as https://sqlite.org/walformat.html has it, in the byte order of the machine. SQLite's own way
 * to ask for the two numbers is to make a checkpoint.
 *
 * Who reads what is told by locks on bytes of the index's file. They are looked at through the descriptor that SQLite
 * has: to open the file once more, and to close it, would let go of every lock of this process on it. */
#include "backend/sqlite/log_index.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    REGION_SIZE = 32768, /* of the index, as SQLite maps it */
    KNOWN_VERSION = 3007000,
    HEADER_WORDS = 12, /* of which there are two copies, written one after the other */
    TRIES = 3,
    FIRST_LOCK = 123, /* the byte that stands for the first mark's lock */
    PATH_MOST = 4096
};

/* Where things stand, in words of four bytes. */
enum { VERSION = 0, PAGES = 4, COPIED = 24, MARKS = 25 };

static const uint32_t not_used = UINT32_MAX; /* a mark */

/* Other processes write there. */
static uint32_t word_at(const volatile void *region, int word) {
    return __atomic_load_n((const volatile uint32_t *)region + word, __ATOMIC_ACQUIRE);
}

static bool copies_are_equal(const volatile void *region) {
    for (int word = 0; word < HEADER_WORDS; word++)
        if (word_at(region, word) != word_at(region, HEADER_WORDS + word))
            return false;
    return true;
}

/* False: it was being written. */
static bool read_once(const volatile void *region, lido__log_index *index) {
    index->pages = word_at(region, PAGES);
    index->copied = word_at(region, COPIED);
    for (int i = 0; i < LIDO__LOG_MARKS; i++)
        index->marks[i] = word_at(region, MARKS + i);
    return copies_are_equal(region) && word_at(region, PAGES) == index->pages && index->copied <= index->pages;
}

static sqlite3_file *open_file(sqlite3 *handle, int which) {
    sqlite3_file *file = NULL;
    bool found = sqlite3_file_control(handle, "main", which, &file) == SQLITE_OK;
    return found && file != NULL && file->pMethods != NULL ? file : NULL;
}

bool lido__log_index_read(sqlite3 *handle, lido__log_index *index) {
    sqlite3_file *file = open_file(handle, SQLITE_FCNTL_FILE_POINTER);
    sqlite3_file *log = open_file(handle, SQLITE_FCNTL_JOURNAL_POINTER);
    void volatile *region = NULL;
    sqlite3_int64 bytes;
    if (file == NULL || log == NULL || file->pMethods->iVersion < 2)
        return false;
    if (file->pMethods->xShmMap(file, 0, REGION_SIZE, 0, &region) != SQLITE_OK || region == NULL ||
        word_at(region, VERSION) != KNOWN_VERSION || log->pMethods->xFileSize(log, &bytes) != SQLITE_OK)
        return false;
    index->bytes = bytes;
    for (int i = 0; i < TRIES; i++)
        if (read_once(region, index))
            return true;
    return false;
}

/* ---- Who is in the way ---- */

/* SQLite's descriptor of the index's file; -1: it has none. */
static int descriptor_of(const char *path) {
    struct stat wanted;
    struct stat status;
    int found = -1;
    DIR *descriptors = stat(path, &wanted) == 0 ? opendir("/proc/self/fd") : NULL;
    if (descriptors == NULL)
        return -1;
    for (const struct dirent *entry; found < 0 && (entry = readdir(descriptors)) != NULL;) {
        int descriptor = (int)strtol(entry->d_name, NULL, 10);
        if (entry->d_name[0] != '.' && fstat(descriptor, &status) == 0 && status.st_dev == wanted.st_dev &&
            status.st_ino == wanted.st_ino)
            found = descriptor;
    }
    closedir(descriptors);
    return found;
}

/* The first mark's lock is had by those who read the main file alone: nothing may be copied there meanwhile. */
static uint32_t reads_as_far_as(const lido__log_index *index, int mark) {
    return mark == 0 ? index->copied : index->marks[mark];
}

pid_t lido__log_index_holder(sqlite3 *handle, const lido__log_index *index) {
    char path[PATH_MOST];
    const char *name = sqlite3_db_filename(handle, "main");
    if (name == NULL || snprintf(path, sizeof path, "%s-shm", name) >= (int)sizeof path)
        return 0;
    int descriptor = descriptor_of(path);
    uint32_t least = index->pages;
    pid_t holder = 0;
    for (int i = 0; descriptor >= 0 && i < LIDO__LOG_MARKS; i++) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = FIRST_LOCK + i, .l_len = 1};
        uint32_t mark = reads_as_far_as(index, i);
        if (mark == not_used || mark >= least || fcntl(descriptor, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
            continue;
        least = mark;
        holder = lock.l_pid > 0 ? lock.l_pid : 0;
    }
    return holder;
}
