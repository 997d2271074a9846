/* What all sources of seeds share: errors that say where they are, and the files of a folder. */
#include "model/seed_source.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fault.h"

/* ---- Errors ---- */

/* "items.csv, line 3 (row 2), column price". */
static void write_place(const lido__seed_source *source, int64_t line, int64_t row, const char *column, char *place,
                        size_t size) {
    char rows[64] = "";
    char columns[128] = "";
    if (line > 0 && row > 0)
        snprintf(rows, sizeof rows, ", line %" PRId64 " (row %" PRId64 ")", line, row);
    else if (line > 0)
        snprintf(rows, sizeof rows, ", line %" PRId64, line);
    else if (row > 0)
        snprintf(rows, sizeof rows, ", row %" PRId64, row);
    if (column != NULL)
        snprintf(columns, sizeof columns, ", column %.100s", column);
    snprintf(place, size, "%.120s%s%s", source->label, rows, columns);
}

void lido__seed_fault_place(const lido__seed_source *source, lido_error *error, int64_t line, int64_t row,
                            const char *column) {
    char place[400];
    char message[sizeof error->message];
    char prefix[32];
    if (error == NULL)
        return;
    memcpy(message, error->message, sizeof message);
    size_t prefix_size = (size_t)snprintf(prefix, sizeof prefix, "row %" PRId64 ": ", error->row);
    bool has_prefix = error->row > 0 && strncmp(message, prefix, prefix_size) == 0;
    write_place(source, line, row, column, place, sizeof place);
    int length = snprintf(error->message, sizeof error->message, "%s: ", place);
    lido__fault_field(error->message + length, sizeof error->message - (size_t)length,
                      message + (has_prefix ? prefix_size : 0));
    error->row = row;
    lido__fault_field(error->column, sizeof error->column, column);
}

bool lido__seed_fault(const lido__seed_source *source, lido_error *error, const char *column, const char *format, ...) {
    char message[sizeof error->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (error == NULL || error->status != LIDO_OK)
        return false;
    lido__fault(error, LIDO_ERROR_TYPE, "%s", message);
    lido__seed_fault_place(source, error, source->line, source->row, column);
    return false;
}

bool lido__seed_fault_file(const lido__seed_source *source, lido_error *error, const char *done) {
    if (error != NULL && error->status == LIDO_OK)
        lido__fault(error, LIDO_ERROR_STORAGE, "%s: cannot be %s: %s", source->label, done, strerror(errno));
    return false;
}

/* ---- Folders ---- */

static bool has_ending(const char *name, const char *ending) {
    size_t size = strlen(name);
    size_t of_ending = strlen(ending);
    return size > of_ending && strcmp(name + size - of_ending, ending) == 0;
}

static int is_seed_file(const struct dirent *entry) {
    return entry->d_name[0] != '.' && (has_ending(entry->d_name, ".csv") || has_ending(entry->d_name, ".json"));
}

static lido__seed_source *open_file(const char *directory, const char *name, lido_error *error) {
    bool is_csv = has_ending(name, ".csv");
    size_t size = strlen(directory) + strlen(name) + 2;
    char *path = malloc(size);
    char *table = strndup(name, strlen(name) - strlen(is_csv ? ".csv" : ".json"));
    lido__seed_source *opened = NULL;
    if (path != NULL && table != NULL) {
        snprintf(path, size, "%s/%s", directory, name);
        opened =
            is_csv ? lido__seed_csv_open(path, name, table, error) : lido__seed_json_open(path, name, table, error);
    } else {
        lido__fault_memory(error, "reading seeds");
    }
    free(table);
    free(path);
    return opened;
}

/* One table, one file: else which is right? */
static bool is_new_table(const lido__seed_source *sources, const char *name, lido_error *error) {
    for (; sources != NULL; sources = sources->next_source) {
        size_t size = strlen(sources->table);
        if (!sources->typed && strncmp(sources->table, name, size) == 0 && strchr(name + size, '.') == name + size &&
            strchr(name + size + 1, '.') == NULL)
            return lido__fault(error, LIDO_ERROR_CONFIGURATION, "both %s and %s are there: a table has one seed file",
                               sources->label, name);
    }
    return true;
}

static bool add_file(const char *directory, const char *name, lido__seed_source **sources, lido_error *error) {
    if (!is_new_table(*sources, name, error))
        return false;
    lido__seed_source **end = sources;
    while (*end != NULL)
        end = &(*end)->next_source;
    *end = open_file(directory, name, error);
    return *end != NULL;
}

bool lido__seed_folder_read(const char *directory, lido__seed_source **sources, lido_error *error) {
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_seed_file, alphasort);
    if (count < 0) {
        lido__fault(error, LIDO_ERROR_CONFIGURATION, "the folder of seeds %s cannot be read: %s", directory,
                    strerror(errno));
        return false;
    }
    bool good = true;
    for (int i = 0; i < count; i++) {
        good = good && add_file(directory, entries[i]->d_name, sources, error);
        free(entries[i]);
    }
    free(entries);
    if (count == 0) {
        lido__fault(error, LIDO_ERROR_CONFIGURATION, "the folder %s has no seeds", directory);
        lido__fault_hint(error, "name the files after their tables: users.csv, items.json");
    }
    return good && count > 0;
}

void lido__seed_sources_free(lido__seed_source *sources) {
    while (sources != NULL) {
        lido__seed_source *next = sources->next_source;
        sources->close(sources);
        sources->free(sources);
        sources = next;
    }
}
