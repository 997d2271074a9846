/* A folder of seed files, and telling what came of them. */
#ifndef TESTS_SUPPORT_SEED_FOLDER_H
#define TESTS_SUPPORT_SEED_FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct seed_folder {
    char path[64];
} seed_folder;

static inline seed_folder seed_folder_make(void) {
    seed_folder into = {"/tmp/lido-seeds-XXXXXX"};
    if (mkdtemp(into.path) == NULL)
        abort();
    return into;
}

/* Writes a file, anew if it is there. */
static inline void seed_file_sized(const seed_folder *into, const char *name, const void *data, size_t size) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", into->path, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        abort();
}

static inline void seed_file(const seed_folder *into, const char *name, const char *text) {
    seed_file_sized(into, name, text, strlen(text));
}

/* Removes all files. */
static inline void seed_folder_empty(const seed_folder *into) {
    char path[400];
    DIR *opened = opendir(into->path);
    for (struct dirent *entry; opened != NULL && (entry = readdir(opened)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", into->path, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    if (opened != NULL)
        closedir(opened);
}

static inline void seed_folder_remove(const seed_folder *into) {
    seed_folder_empty(into);
    rmdir(into->path);
}

#endif
