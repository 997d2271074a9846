/* A CSV file as a source of seeds (RFC 4180): libcsv takes it apart, strictly; a line is given to it at a time, so that
 * it hands out one row at a time. An empty field is NULL, one in quotes is the empty text; blanks count.
 *
 * Memory is bounded by the longest row: a field may have LIDO__SEED_VALUE_MOST bytes. */
#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/convert.h"
#include "base/fault.h"
#include "model/seed_source.h"

enum { CHUNK = 64 * 1024, FIELD_STEP = 4096 };

/* Where a value lies in the row's bytes. */
typedef struct field {
    size_t start;
    size_t size;
    bool null;
} field;

typedef struct csv_source {
    lido__seed_source base;
    char *path;
    int file; /* -1: closed */
    struct csv_parser parser;
    bool parsing; /* the parser is initialised */

    char chunk[CHUNK];
    size_t chunk_size;
    size_t chunk_next; /* what of it was given to the parser */
    int64_t lines;     /* that were given to the parser */
    bool at_end;       /* of the file */
    bool has_nul;      /* the row has a NUL byte */
    bool in_row;       /* something of it was read */

    lido__buffer bytes; /* the row's, a NUL behind each value */
    field *fields;
    size_t field_count;    /* as many as there are, */
    size_t field_capacity; /* of which so many have room */
    bool row_ended;
    bool torn; /* more than one row ended in a line: by a carriage return */
} csv_source;

static bool fault_memory(const csv_source *csv, lido_error *error) {
    lido__fault_memory(error, "reading seeds");
    lido__seed_fault_place(&csv->base, error, csv->base.line, csv->base.row, NULL);
    return false;
}

/* ---- What libcsv says ---- */

static void take_field(void *data, size_t size, void *of) {
    csv_source *csv = of;
    if (csv->row_ended) {
        csv->torn = true;
        return;
    }
    if (csv->field_count < csv->field_capacity)
        csv->fields[csv->field_count] = (field){.start = csv->bytes.size, .size = size, .null = data == NULL};
    csv->field_count++;
    if (csv->field_count <= csv->field_capacity && data != NULL) {
        lido__buffer_append(&csv->bytes, data, size);
        lido__buffer_char(&csv->bytes, '\0');
    }
}

static void take_end(int letter, void *of) {
    csv_source *csv = of;
    (void)letter;
    csv->torn = csv->torn || csv->row_ended;
    csv->row_ended = true;
}

static int no_letter(unsigned char letter) {
    (void)letter;
    return 0;
}

/* ---- Lines ---- */

static bool read_chunk(csv_source *csv, lido_error *error) {
    ssize_t size;
    do
        size = read(csv->file, csv->chunk, CHUNK);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return lido__seed_fault_file(&csv->base, error, "read");
    csv->chunk_size = (size_t)size;
    csv->chunk_next = 0;
    csv->at_end = size == 0;
    csv->base.bytes += size;
    return true;
}

static bool fault_syntax(csv_source *csv, lido_error *error) {
    if (csv_error(&csv->parser) != CSV_EPARSE)
        return fault_memory(csv, error);
    if (csv->at_end)
        return lido__seed_fault(&csv->base, error, NULL, "the file ends within quotes");
    return lido__seed_fault(&csv->base, error, NULL,
                            "a double quote where none can be: one within a value is doubled, and the value in quotes");
}

/* Gives the parser what is there, up to the end of a line. */
static bool parse_line(csv_source *csv, lido_error *error) {
    const char *start = csv->chunk + csv->chunk_next;
    size_t left = csv->chunk_size - csv->chunk_next;
    const char *end = memchr(start, '\n', left);
    size_t size = end != NULL ? (size_t)(end - start) + 1 : left;
    if (!csv->in_row)
        csv->base.line = csv->lines + 1;
    csv->in_row = true;
    csv->has_nul = csv->has_nul || memchr(start, '\0', size) != NULL;
    csv->chunk_next += size;
    csv->lines += end != NULL;
    /* Its room grows by half: in steps of one size a long value would be copied over and over. */
    csv_set_blk_size(&csv->parser, csv_get_buffer_size(&csv->parser) / 2 + FIELD_STEP);
    if (csv_parse(&csv->parser, start, size, take_field, take_end, csv) != size)
        return fault_syntax(csv, error);
    if (csv->parser.entry_pos > LIDO__SEED_VALUE_MOST)
        return lido__seed_fault(&csv->base, error, NULL, "a value of more than %d MiB; is a double quote missing?",
                                LIDO__SEED_VALUE_MOST / 1024 / 1024);
    if (csv->row_ended && (csv->parser.entry_pos > 0 || csv->parser.quoted)) /* something follows it in its line */
        csv->torn = true;
    csv->in_row =
        csv->row_ended || csv->field_count > 0 || csv->parser.entry_pos > 0 || end == NULL || csv->parser.quoted;
    return true;
}

/* The next row into fields; 1, 0 or -1. */
static int read_row(csv_source *csv, lido_error *error) {
    lido__buffer_clear(&csv->bytes);
    csv->field_count = 0;
    csv->row_ended = csv->has_nul = csv->in_row = csv->torn = false;
    while (!csv->row_ended && !csv->at_end) {
        if (csv->chunk_next == csv->chunk_size && !read_chunk(csv, error))
            return -1;
        bool good = csv->at_end ? csv_fini(&csv->parser, take_field, take_end, csv) == 0 || fault_syntax(csv, error)
                                : parse_line(csv, error);
        if (!good)
            return -1;
    }
    return csv->row_ended ? 1 : 0;
}

/* ---- Rows ---- */

static const char *column_of(const csv_source *csv, size_t column) {
    return csv->base.columns != NULL && column < csv->base.column_count ? csv->base.columns[column] : NULL;
}

static bool check_bytes(const csv_source *csv, lido_error *error) {
    size_t known = csv->field_count < csv->field_capacity ? csv->field_count : csv->field_capacity;
    bool is_text = lido__utf8_valid(csv->bytes.data != NULL ? csv->bytes.data : "", csv->bytes.size);
    if (is_text && !csv->has_nul)
        return true;
    for (size_t i = 0; i < known; i++) {
        const field *at = &csv->fields[i];
        if (!at->null && memchr(csv->bytes.data + at->start, '\0', at->size) != NULL)
            return lido__seed_fault(&csv->base, error, column_of(csv, i), "a NUL byte, which no text can have");
        if (!at->null && !lido__utf8_valid(csv->bytes.data + at->start, at->size))
            return lido__seed_fault(&csv->base, error, column_of(csv, i), "not UTF-8; save the file in that encoding");
    }
    return true;
}

static bool check_row(const csv_source *csv, lido_error *error) {
    if (csv->bytes.out_of_memory)
        return fault_memory(csv, error);
    if (csv->torn)
        return lido__seed_fault(&csv->base, error, NULL,
                                "a carriage return without a line feed behind it; end lines with either LF or CR LF");
    return check_bytes(csv, error);
}

static int csv_next(lido__seed_source *source, lido_value *values, lido_error *error) {
    csv_source *csv = (csv_source *)source;
    source->row++;
    int found = read_row(csv, error);
    source->row -= found == 0;
    if (found <= 0)
        return found;
    if (!check_row(csv, error))
        return -1;
    if (csv->field_count != source->column_count) {
        lido__seed_fault(source, error, NULL, "too %s: it has %zu values, and the header %zu columns",
                         csv->field_count < source->column_count ? "short" : "long", csv->field_count,
                         source->column_count);
        return -1;
    }
    for (size_t i = 0; i < source->column_count; i++) {
        const field *at = &csv->fields[i];
        values[i] = at->null ? lido_value_null() : lido_value_text_sized(csv->bytes.data + at->start, at->size);
    }
    return 1;
}

/* ---- The header ---- */

static bool make_room(csv_source *csv, size_t fields, lido_error *error) {
    field *grown = realloc(csv->fields, fields * sizeof *grown);
    if (grown == NULL)
        return fault_memory(csv, error);
    csv->fields = grown;
    csv->field_capacity = fields;
    return true;
}

/* Spreadsheets put it at the beginning of what they call UTF-8. */
static void skip_byte_order_mark(csv_source *csv) {
    if (csv->chunk_size >= 3 && memcmp(csv->chunk, "\xef\xbb\xbf", 3) == 0)
        csv->chunk_next = 3;
}

static void csv_close(lido__seed_source *source) {
    csv_source *csv = (csv_source *)source;
    if (csv->file >= 0)
        close(csv->file);
    csv->file = -1;
    if (csv->parsing)
        csv_free(&csv->parser);
    csv->parsing = false;
}

/* Opens the file and reads its first row, the header, into fields. */
static bool open_at_header(csv_source *csv, lido_error *error) {
    struct stat status;
    csv_close(&csv->base);
    csv->base.row = csv->base.line = csv->base.bytes = csv->lines = 0;
    csv->at_end = false;
    csv->chunk_size = csv->chunk_next = 0;
    csv->file = open(csv->path, O_RDONLY | O_CLOEXEC);
    if (csv->file < 0 || fstat(csv->file, &status) != 0)
        return lido__seed_fault_file(&csv->base, error, "opened");
    csv->base.in_file = status.st_size;
    if (csv_init(&csv->parser, CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL) != 0)
        return fault_memory(csv, error);
    csv->parsing = true;
    csv_set_space_func(&csv->parser, no_letter);
    if (!read_chunk(csv, error))
        return false;
    skip_byte_order_mark(csv);
    int found = read_row(csv, error);
    csv->base.line = found == 0 ? 0 : csv->base.line;
    if (found == 0)
        lido__seed_fault(&csv->base, error, NULL, "is empty: its first line names the columns");
    return found > 0 && check_row(csv, error);
}

static bool csv_open(lido__seed_source *source, lido_error *error) {
    return open_at_header((csv_source *)source, error);
}

static bool name_columns(csv_source *csv, lido_error *error) {
    lido__seed_source *base = &csv->base;
    if (csv->field_count > LIDO__SEED_COLUMNS_MOST)
        return lido__seed_fault(base, error, NULL, "%zu columns, which no table has", csv->field_count);
    base->columns = calloc(csv->field_count, sizeof *base->columns);
    if (base->columns == NULL)
        return fault_memory(csv, error);
    for (size_t i = 0; i < csv->field_count; i++) {
        const field *at = &csv->fields[i];
        if (at->size == 0)
            return lido__seed_fault(base, error, NULL, "column %zu of the header has no name", i + 1);
        base->columns[i] = strndup(csv->bytes.data + at->start, at->size);
        if (base->columns[i] == NULL)
            return fault_memory(csv, error);
        base->column_count = i + 1;
    }
    return true;
}

static void csv_free_source(lido__seed_source *source) {
    csv_source *csv = (csv_source *)source;
    csv_close(source);
    for (size_t i = 0; i < source->column_count; i++)
        free((char *)(uintptr_t)source->columns[i]);
    free(source->columns);
    free((char *)(uintptr_t)source->label);
    free((char *)(uintptr_t)source->table);
    free(csv->path);
    free(csv->fields);
    lido__buffer_done(&csv->bytes);
    free(csv);
}

lido__seed_source *lido__seed_csv_open(const char *path, const char *label, const char *table, lido_error *error) {
    csv_source *csv = calloc(1, sizeof *csv);
    if (csv == NULL) {
        lido__fault_memory(error, "reading seeds");
        return NULL;
    }
    csv->base.open = csv_open;
    csv->base.next = csv_next;
    csv->base.close = csv_close;
    csv->base.free = csv_free_source;
    csv->base.label = strdup(label);
    csv->base.table = strdup(table);
    csv->path = strdup(path);
    csv->file = -1;
    bool good = csv->base.label != NULL && csv->base.table != NULL && csv->path != NULL;
    if (!good)
        lido__fault_memory(error, "reading seeds");
    good = good && make_room(csv, LIDO__SEED_COLUMNS_MOST, error) && open_at_header(csv, error) &&
           name_columns(csv, error) && make_room(csv, csv->base.column_count + 1, error);
    csv_close(&csv->base);
    if (good)
        return &csv->base;
    csv_free_source(&csv->base);
    return NULL;
}
