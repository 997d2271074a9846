/* Any bytes as a seed file, CSV and JSON: read to its end or refused, with a reason that says where; what it gives is
 * text, and the same when it is read again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/convert.h"
#include "config_invariants.h"
#include "model/seed_source.h"

#define LABEL "items.csv"

static bool is_reference(const void *context, const char *column) {
    (void)context;
    return column[0] == 'r';
}

static void check_error(const lido_error *error) {
    REQUIRE(error->status == LIDO_ERROR);
    REQUIRE(strstr(error->message, LABEL) != NULL || error->category == LIDO_ERROR_OUT_OF_MEMORY);
}

/* Reads to the end; how many rows there are, -1 if it is refused. */
static int64_t read_rows(lido__seed_source *source) {
    lido_error error = LIDO_ERROR_INIT;
    lido_value *values = calloc(source->column_count + 1, sizeof *values);
    int64_t rows = 0;
    int found = 0;
    REQUIRE(values != NULL && source->column_count > 0);
    if (source->open(source, &error)) {
        while ((found = source->next(source, values, &error)) > 0) {
            rows++;
            REQUIRE(source->row >= rows && source->line > 0);
            for (size_t i = 0; i < source->column_count; i++)
                if (lido__kind_has_bytes(values[i].kind))
                    REQUIRE(lido__utf8_valid(values[i].as.text, values[i].size) &&
                            strlen(values[i].as.text) == values[i].size);
        }
    } else {
        found = -1;
    }
    source->close(source);
    free(values);
    if (found == 0)
        return rows;
    check_error(&error);
    return -1;
}

static void check_source(lido__seed_source *source) {
    int64_t rows = read_rows(source);
    REQUIRE(read_rows(source) == rows);
}

static void check_csv(const char *path) {
    lido_error error = LIDO_ERROR_INIT;
    lido__seed_source *source = lido__seed_csv_open(path, LABEL, "items", &error);
    if (source != NULL)
        check_source(source);
    else
        check_error(&error);
    lido__seed_sources_free(source);
}

/* It is read once to be split, so what it is split into is read without an error. */
static void check_json(const char *path) {
    lido_error error = LIDO_ERROR_INIT;
    lido__seed_source *whole = lido__seed_json_open(path, LABEL, "items", &error);
    REQUIRE(whole != NULL);
    lido__seed_source *parts = whole->split(whole, is_reference, NULL, &error);
    if (error.status != LIDO_OK)
        check_error(&error);
    REQUIRE(error.status == LIDO_OK || parts == NULL);
    for (lido__seed_source *part = parts; part != NULL; part = part->next_source)
        REQUIRE(read_rows(part) > 0);
    lido__seed_sources_free(parts);
    lido__seed_sources_free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    int file = memfd_create("seeds", MFD_CLOEXEC);
    REQUIRE(file >= 0 && write(file, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    check_csv(path);
    check_json(path);
    close(file);
    return 0;
}
