/* Where seeds come from: rows with named columns, one after another, as often as they are wanted. A CSV file is one
 * source; a JSON file becomes as many as its objects have sets of keys; a list in the program is one.
 *
 * A source knows nothing of the database. Its errors say where in the file they are. */
#ifndef LIDO_MODEL_SEED_SOURCE_H
#define LIDO_MODEL_SEED_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lido/seed.h>
#include <lido/value.h>

#include "base/memory.h"

enum {
    LIDO__SEED_VALUE_MOST = 64 * 1024 * 1024, /* bytes of one value, and of one JSON object */
    LIDO__SEED_COLUMNS_MOST = 1600            /* PostgreSQL's limit of a table */
};

typedef struct lido__seed_source lido__seed_source;
typedef bool lido__seed_is_reference(const void *context, const char *column);

struct lido__seed_source {
    lido__seed_source *next_source; /* in a list */
    const char *label;              /* for errors: "items.csv" */
    const char *table;              /* its name, as the source has it */
    size_t column_count;
    const char **columns; /* names, or ways through references: "owner_id.name" */
    bool *versions;       /* which of them count how often a row was changed; NULL: none */
    bool typed;           /* the compiler has seen to its values' types */

    /* Whether it has still to be made into sources that know their columns; NULL: it does. Reads the file once, and
     * returns a list, NULL if there are no rows or something is wrong. `is_reference` tells of which columns the
     * objects are other rows. The source itself stays the caller's to free. */
    lido__seed_source *(*split)(lido__seed_source *source, lido__seed_is_reference *is_reference, const void *context,
                                lido_error *error);

    /* Begins at the first row, also when it was somewhere else. */
    bool (*open)(lido__seed_source *source, lido_error *error);
    /* The next row's values, one for each column, which last until the next call. 1; 0: there is none left; -1. */
    int (*next)(lido__seed_source *source, lido_value *values, lido_error *error);
    void (*close)(lido__seed_source *source); /* what `open` has opened; again is no harm */
    void (*free)(lido__seed_source *source);  /* closed before */

    int64_t row;     /* the last row that was given, from 1 */
    int64_t line;    /* on which it begins, from 1; 0: it has no lines */
    int64_t bytes;   /* read so far */
    int64_t in_file; /* bytes of the whole; 0: no file */
};

/* Says what is wrong with the row that is being read: "items.csv, line 3 (row 2), column price: …". `column` may be
 * NULL. Returns false. */
bool lido__seed_fault(const lido__seed_source *source, lido_error *error, const char *column, const char *format, ...)
    LIDO_FORMAT(4, 5);

/* Says that the file cannot be `done` ("opened", "read"), by errno. Returns false. */
bool lido__seed_fault_file(const lido__seed_source *source, lido_error *error, const char *done);

/* The same of a row that is not the source's current one; line 0: there is none. */
void lido__seed_fault_place(const lido__seed_source *source, lido_error *error, int64_t line, int64_t row,
                            const char *column);

/* Sources of the files of a folder, in the order of their names, appended to *sources. False: *sources has what was
 * made before. To be freed by lido__seed_sources_free. */
bool lido__seed_folder_read(const char *directory, lido__seed_source **sources, lido_error *error);
void lido__seed_sources_free(lido__seed_source *sources);

/* A file's; the texts are copied. NULL: see the error. That of JSON is to be split. */
lido__seed_source *lido__seed_csv_open(const char *path, const char *label, const char *table, lido_error *error);
lido__seed_source *lido__seed_json_open(const char *path, const char *label, const char *table, lido_error *error);

/* A list's; `with_schema`: the database has them. To be split. */
lido__seed_source *lido__seed_list_open(const lido_seeds *seeds, bool with_schema, lido_error *error);

#endif
