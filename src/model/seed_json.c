/* A JSON file as sources of seeds: an array of objects, of which jansson reads one at a time. Objects with the same
 * keys are a source, for what an object leaves out takes the column's default.
 *
 * Memory is bounded by the largest object, which may have LIDO__SEED_VALUE_MOST bytes. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fault.h"
#include "model/seed_source.h"

enum { SHAPES_MOST = 64, DEPTH_MOST = 16, WAY_MOST = 1024 };

typedef struct json_source {
    lido__seed_source base;
    char *path;
    FILE *file;
    int64_t lines;  /* ends of lines that were read */
    size_t object;  /* bytes of the object that is being read */
    bool too_large; /* it is */
    bool began;     /* the array has */
    json_t *row;    /* the current one */
    char **dumped;  /* its values that are JSON, as text; for each column */
    lido__seed_is_reference *is_reference;
    const void *context;
    char **ways; /* to each column's value: keys, each ended by a NUL, and one more NUL */
} json_source;

static int read_letter(json_source *json) {
    int letter = getc_unlocked(json->file);
    json->lines += letter == '\n';
    json->base.bytes += letter != EOF;
    return letter;
}

static void unread_letter(json_source *json, int letter) {
    json->lines -= letter == '\n';
    json->base.bytes--;
    ungetc(letter, json->file);
}

/* One byte each time: what is behind the object is not jansson's. */
static size_t give_letter(void *buffer, size_t size, void *of) {
    json_source *json = of;
    (void)size;
    json->too_large = ++json->object > LIDO__SEED_VALUE_MOST;
    int letter = json->too_large ? EOF : read_letter(json);
    if (letter == EOF)
        return 0;
    *(char *)buffer = (char)letter;
    return 1;
}

static int skip_blanks(json_source *json) {
    int letter;
    do
        letter = read_letter(json);
    while (letter == ' ' || letter == '\t' || letter == '\r' || letter == '\n');
    return letter;
}

/* ---- Rows ---- */

static void drop_row(json_source *json) {
    json_decref(json->row);
    json->row = NULL;
    for (size_t i = 0; json->dumped != NULL && i < json->base.column_count; i++) {
        free(json->dumped[i]);
        json->dumped[i] = NULL;
    }
}

static bool fault_at(json_source *json, lido_error *error, const char *what) {
    json->base.line = json->lines + 1;
    return lido__seed_fault(&json->base, error, NULL, "%s", ferror(json->file) ? "cannot be read to its end" : what);
}

static bool load_object(json_source *json, lido_error *error) {
    json_error_t problem;
    int64_t first_line = json->lines + 1;
    json->object = 0;
    json->base.line = first_line;
    json->row = json_load_callback(give_letter, json, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &problem);
    if (json->row != NULL)
        return true;
    if (json_error_code(&problem) == json_error_out_of_memory)
        lido__fault_memory(error, "reading seeds");
    json->base.line = first_line + problem.line - 1;
    if (json->too_large)
        return lido__seed_fault(&json->base, error, NULL, "an object of more than %d MiB",
                                LIDO__SEED_VALUE_MOST / 1024 / 1024);
    return lido__seed_fault(&json->base, error, NULL, "%s", problem.text);
}

/* Why there is no object where one should begin. */
static int fault_no_object(json_source *json, int letter, lido_error *error) {
    const char *what = letter == EOF   ? "the file ends within the array"
                       : letter == ']' ? "a comma without a row behind it"
                                       : "a row that is no object";
    fault_at(json, error, what);
    return -1;
}

static int end_array(json_source *json, lido_error *error) {
    if (skip_blanks(json) == EOF)
        return 0;
    fault_at(json, error, "there is something behind the array");
    return -1;
}

/* Reads up to the next object: 1, at the array's end 0, or -1. */
static int find_object(json_source *json, lido_error *error) {
    int letter = skip_blanks(json);
    if (json->began && letter == ']')
        return end_array(json, error);
    if (letter != (json->began ? ',' : '[')) {
        fault_at(json, error,
                 json->began     ? letter == EOF ? "the file ends within the array" : "a comma is missing"
                 : letter == EOF ? "is empty: it should be an array of objects"
                                 : "is no array of objects: it does not begin with [");
        return -1;
    }
    letter = skip_blanks(json);
    if (!json->began && letter == ']')
        return end_array(json, error);
    json->began = true;
    json->base.row++;
    if (letter != '{')
        return fault_no_object(json, letter, error);
    unread_letter(json, letter);
    return 1;
}

/* The next object, whatever its keys. */
static int read_object(json_source *json, lido_error *error) {
    drop_row(json);
    int found = find_object(json, error);
    if (found > 0 && !load_object(json, error))
        return -1;
    return found;
}

static bool open_file(lido__seed_source *source, lido_error *error) {
    json_source *json = (json_source *)source;
    struct stat status;
    source->close(source);
    source->row = source->line = source->bytes = json->lines = 0;
    json->began = false;
    json->file = fopen(json->path, "rbe");
    if (json->file == NULL || fstat(fileno(json->file), &status) != 0)
        return lido__seed_fault_file(source, error, "opened");
    source->in_file = status.st_size;
    int first = getc_unlocked(json->file);
    if (first == 0xef && getc_unlocked(json->file) == 0xbb && getc_unlocked(json->file) == 0xbf)
        return true; /* a byte-order mark */
    rewind(json->file);
    return true;
}

/* ---- Keys, and ways to values ---- */

/* Goes through the keys of an object, those of referenced rows in their place. */
typedef struct shape {
    const json_source *json;
    size_t count;
    char *columns[LIDO__SEED_COLUMNS_MOST];
    char *ways[LIDO__SEED_COLUMNS_MOST];
} shape;

static void empty_shape(shape *shape_of) {
    for (size_t i = 0; i < shape_of->count; i++) {
        free(shape_of->columns[i]);
        free(shape_of->ways[i]);
    }
    shape_of->count = 0;
}

/* Whether a value is a row that is referred to: then its keys count, and not it. */
static bool is_row(const json_source *json, const char *key, json_t *value, size_t before) {
    return json_is_object(value) && json_object_size(value) > 0 &&
           (before > 0 || json->is_reference(json->context, key));
}

/* `way` has a NUL behind each key already. */
static const char *add_column(shape *into, const char *way, size_t size) {
    if (into->count == LIDO__SEED_COLUMNS_MOST)
        return "it has more columns than any table";
    char *column = malloc(size + 1);
    char *copy = malloc(size + 1);
    into->columns[into->count] = column;
    into->ways[into->count] = copy;
    into->count++;
    if (column == NULL || copy == NULL)
        return "memory ran out";
    memcpy(copy, way, size);
    copy[size] = '\0';
    for (size_t i = 0; i < size; i++)
        column[i] = way[i] == '\0' ? '.' : way[i];
    column[size - 1] = '\0';
    return NULL;
}

static const char *add_keys(shape *into, json_t *object, char *way, size_t before, int depth) {
    const char *key;
    json_t *value;
    const char *problem = NULL;
    json_object_foreach(object, key, value) {
        size_t size = strlen(key) + 1;
        if (before + size > WAY_MOST || depth == DEPTH_MOST)
            return "its keys are too long, or nested too deeply";
        memcpy(way + before, key, size);
        if (is_row(into->json, key, value, before))
            problem = add_keys(into, value, way, before + size, depth + 1);
        else
            problem = add_column(into, way, before + size);
        if (problem != NULL)
            break;
    }
    return problem;
}

static json_t *value_at(json_t *row, const char *way) {
    json_t *value = row;
    for (; *way != '\0' && value != NULL; way += strlen(way) + 1)
        value = json_is_object(value) ? json_object_get(value, way) : NULL;
    return value;
}

static bool has_way(const json_source *json, const char *way, size_t size, size_t likely) {
    size_t columns = json->base.column_count;
    for (size_t i = 0; i < columns; i++) {
        size_t at = (likely + i) % columns;
        if (strlen(json->base.columns[at]) + 1 == size && memcmp(json->ways[at], way, size) == 0)
            return true;
    }
    return false;
}

/* Counts the row's values, those of referenced rows in their place; SIZE_MAX if one is not the source's. */
static size_t count_values(const json_source *json, json_t *object, char *way, size_t before, size_t count) {
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        size_t size = before + strlen(key) + 1;
        if (size > WAY_MOST)
            return SIZE_MAX;
        memcpy(way + before, key, size - before);
        if (is_row(json, key, value, before))
            count = count_values(json, value, way, size, count);
        else
            count = has_way(json, way, size, count) ? count + 1 : SIZE_MAX;
        if (count == SIZE_MAX)
            return SIZE_MAX;
    }
    return count;
}

/* Whether the current object has the source's keys, and no others. */
static bool is_of_shape(const json_source *json) {
    char way[WAY_MOST];
    return count_values(json, json->row, way, 0, 0) == json->base.column_count;
}

/* ---- Values ---- */

static bool give_value(json_source *json, size_t column, lido_value *value, lido_error *error) {
    json_t *found = value_at(json->row, json->ways[column]);
    switch (json_typeof(found)) {
    case JSON_NULL:
        *value = lido_value_null();
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        *value = lido_value_bool(json_is_true(found));
        return true;
    case JSON_INTEGER:
        *value = lido_value_int64(json_integer_value(found));
        return true;
    case JSON_REAL:
        *value = lido_value_double(json_real_value(found));
        return true;
    case JSON_STRING:
        *value = lido_value_text_sized(json_string_value(found), json_string_length(found));
        return true;
    default:
        json->dumped[column] = json_dumps(found, JSON_COMPACT | JSON_ENCODE_ANY);
        if (json->dumped[column] == NULL)
            return lido__fault_memory(error, "reading seeds");
        *value = lido_value_json((lido_json){json->dumped[column]});
        return true;
    }
}

static int json_next(lido__seed_source *source, lido_value *values, lido_error *error) {
    json_source *json = (json_source *)source;
    int found;
    do
        found = read_object(json, error);
    while (found > 0 && !is_of_shape(json));
    for (size_t i = 0; found > 0 && i < source->column_count; i++)
        if (!give_value(json, i, &values[i], error))
            return -1;
    return found;
}

/* ---- Sources ---- */

static void close_file(lido__seed_source *source) {
    json_source *json = (json_source *)source;
    drop_row(json);
    if (json->file != NULL)
        fclose(json->file);
    json->file = NULL;
}

static void free_source(lido__seed_source *source) {
    json_source *json = (json_source *)source;
    close_file(source);
    for (size_t i = 0; i < source->column_count; i++) {
        free((char *)(uintptr_t)source->columns[i]);
        free(json->ways[i]);
    }
    free(source->columns);
    free(json->ways);
    free(json->dumped);
    free((char *)(uintptr_t)source->label);
    free((char *)(uintptr_t)source->table);
    free(json->path);
    free(json);
}

static json_source *make(const char *path, const char *label, const char *table, lido_error *error) {
    json_source *json = calloc(1, sizeof *json);
    if (json != NULL) {
        json->base.open = open_file;
        json->base.next = json_next;
        json->base.close = close_file;
        json->base.free = free_source;
        json->base.label = strdup(label);
        json->base.table = strdup(table);
        json->path = strdup(path);
        if (json->base.label != NULL && json->base.table != NULL && json->path != NULL)
            return json;
        free_source(&json->base);
    }
    lido__fault_memory(error, "reading seeds");
    return NULL;
}

/* A source of rows with these keys, which it takes over. */
static json_source *make_shaped(json_source *file, shape *keys, lido_error *error) {
    json_source *json = make(file->path, file->base.label, file->base.table, error);
    if (json == NULL)
        return NULL;
    json->base.columns = calloc(keys->count + 1, sizeof *json->base.columns);
    json->ways = calloc(keys->count + 1, sizeof *json->ways);
    json->dumped = calloc(keys->count + 1, sizeof *json->dumped);
    if (json->base.columns == NULL || json->ways == NULL || json->dumped == NULL) {
        free_source(&json->base);
        lido__fault_memory(error, "reading seeds");
        return NULL;
    }
    memcpy(json->base.columns, keys->columns, keys->count * sizeof *keys->columns);
    memcpy(json->ways, keys->ways, keys->count * sizeof *keys->ways);
    json->base.column_count = keys->count;
    json->base.in_file = file->base.in_file;
    json->is_reference = file->is_reference;
    json->context = file->context;
    keys->count = 0;
    return json;
}

/* Lets the row be looked at by a source that is not the one that has read it. */
static bool fits(lido__seed_source *source, json_t *row) {
    json_source *json = (json_source *)source;
    json->row = row;
    bool fitting = is_of_shape(json);
    json->row = NULL;
    return fitting;
}

static bool add_shape(json_source *file, shape *keys, lido__seed_source **shapes, lido_error *error) {
    char way[WAY_MOST];
    size_t count = 0;
    for (; *shapes != NULL; shapes = &(*shapes)->next_source, count++)
        if (fits(*shapes, file->row))
            return true;
    if (count == SHAPES_MOST)
        return lido__seed_fault(&file->base, error, NULL, "the rows have more than %d different sets of keys",
                                SHAPES_MOST);
    const char *problem = add_keys(keys, file->row, way, 0, 0);
    if (problem == NULL && keys->count == 0)
        problem = "an object without keys is no row";
    if (problem != NULL)
        return lido__seed_fault(&file->base, error, NULL, "%s", problem);
    json_source *made = make_shaped(file, keys, error);
    *shapes = made != NULL ? &made->base : NULL;
    return made != NULL;
}

static lido__seed_source *split(lido__seed_source *source, lido__seed_is_reference *is_reference, const void *context,
                                lido_error *error) {
    json_source *file = (json_source *)source;
    lido__seed_source *shapes = NULL;
    shape *keys = calloc(1, sizeof *keys);
    int found = 0;
    if (keys == NULL) {
        lido__fault_memory(error, "reading seeds");
        return NULL;
    }
    keys->json = file;
    file->is_reference = is_reference;
    file->context = context;
    bool good = open_file(source, error);
    while (good && (found = read_object(file, error)) > 0) {
        good = add_shape(file, keys, &shapes, error);
        empty_shape(keys);
    }
    free(keys);
    close_file(source);
    if (good && found == 0)
        return shapes;
    lido__seed_sources_free(shapes);
    return NULL;
}

lido__seed_source *lido__seed_json_open(const char *path, const char *label, const char *table, lido_error *error) {
    json_source *json = make(path, label, table, error);
    if (json == NULL)
        return NULL;
    json->base.split = split;
    return &json->base;
}
