/* Rows as JSON (RFC 8259): an array with one object for each row, each on a line of its own. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

enum {
    SAFE_DIGITS = 15
}; /* a decimal of so many digits goes through a double unharmed, which is all most readers have */

static bool write_text(const char *text, FILE *stream) {
    json_t *string = json_string(text);
    bool complete = string != NULL && (json_dumpf(string, stream, JSON_ENCODE_ANY) == 0 || ferror(stream) != 0);
    json_decref(string);
    return complete;
}

/* Whether a numeric's text is a JSON number that every reader takes in without rounding. NaN and Infinity are not,
 * nor is whatever a SQLite column that claims to be numeric may hold. */
static bool is_safe_number(const char *text) {
    size_t digits = 0;
    text += *text == '-';
    if (text[0] == '0' && text[1] != '.' && text[1] != '\0')
        return false;
    for (; *text >= '0' && *text <= '9'; text++)
        digits++;
    if (digits == 0)
        return false;
    if (*text == '.') {
        if (text[1] == '\0')
            return false;
        for (text++; *text >= '0' && *text <= '9'; text++)
            digits++;
    }
    return *text == '\0' && digits <= SAFE_DIGITS;
}

/* Whether a reader can be expected to take `text` in. SQLite lets a column that claims to be JSON hold
 * anything. Integers are let through whatever their length, for they are copied, not computed with. */
static bool is_json(const char *text) {
    json_t *json = json_loads(text, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
    json_decref(json);
    return json != NULL;
}

/* Whether the value's text is JSON as it stands. */
static bool stands_as_it_is(lido_kind kind, const char *text) {
    switch (kind) {
    case LIDO_KIND_BOOL:
    case LIDO_KIND_INT64:
        return true;
    case LIDO_KIND_DOUBLE:
        return isfinite(strtod(text, NULL)) != 0;
    case LIDO_KIND_NUMERIC:
        return is_safe_number(text);
    case LIDO_KIND_JSON:
        return is_json(text);
    default:
        return false;
    }
}

static bool write_cell(const output_cell *cell, FILE *stream) {
    if (cell->text != NULL && !stands_as_it_is(cell->kind, cell->text))
        return write_text(cell->text, stream);
    fputs(cell->text != NULL ? cell->text : "null", stream);
    return true;
}

static bool is_taken(json_t *names, const char *name) {
    for (size_t i = 0; i < json_array_size(names); i++)
        if (strcmp(json_string_value(json_array_get(names, i)), name) == 0)
            return true;
    return false;
}

/* The name that a column goes by: its own or, where an earlier column has that, with _2, _3 … behind it. NULL if
 * memory ran out. */
static json_t *free_name(json_t *names, const char *name) {
    json_t *free_one = json_string(name);
    for (int number = 2; free_one != NULL && is_taken(names, json_string_value(free_one)); number++) {
        json_decref(free_one);
        free_one = json_sprintf("%s_%d", name, number);
    }
    return free_one;
}

static json_t *column_names(lido_rows *rows) {
    json_t *names = json_array();
    for (size_t i = 0; names != NULL && i < lido_column_count(rows); i++) {
        if (json_array_append_new(names, free_name(names, lido_column_name(rows, i))) != 0) {
            json_decref(names);
            return NULL;
        }
    }
    return names;
}

/* Why a text could not be written: SQLite hands out as text whatever was stored as such. */
static bool is_no_utf8(const char *text) {
    json_t *checked = json_string(text);
    json_t *unchecked = json_string_nocheck(text);
    bool refused = checked == NULL && unchecked != NULL;
    json_decref(checked);
    json_decref(unchecked);
    return refused;
}

static bool write_row(json_t *names, lido_session *session, lido_rows *rows, FILE *stream) {
    for (size_t i = 0; i < json_array_size(names); i++) {
        output_cell cell;
        putc(i == 0 ? '{' : ',', stream);
        if (!write_text(json_string_value(json_array_get(names, i)), stream) || !output_cell_read(&cell, rows, i))
            return false;
        putc(':', stream);
        bool written = write_cell(&cell, stream);
        bool unwritable = !written && is_no_utf8(cell.text);
        output_cell_done(&cell);
        if (unwritable) /* not by the macro, as in query.c */
            (lido_fail)(session, "column %zu (%s) holds a text that is not UTF-8, which JSON cannot hold", i,
                        lido_column_name(rows, i));
        if (!written)
            return unwritable;
    }
    putc('}', stream);
    return true;
}

/* If a row cannot be read, the array stays open, so that nobody takes the part for the whole. */
static bool write_rows(json_t *names, lido_session *session, lido_rows *rows, FILE *stream) {
    bool first = true;
    for (; !ferror(stream) && lido_next(rows); first = false) {
        fputs(first ? "[\n" : ",\n", stream);
        if (!write_row(names, session, rows, stream))
            return false;
    }
    if (!lido_failed(session))
        fputs(first ? "[]\n" : "\n]\n", stream);
    return true;
}

bool output_json(lido_session *session, lido_rows *rows, FILE *stream) {
    if (lido_column_count(rows) == 0) {
        while (lido_next(rows))
            continue;
        if (!lido_failed(session))
            fprintf(stream, "{\"changed\":%" PRId64 "}\n", lido_affected(rows));
        return true;
    }
    json_t *names = column_names(rows);
    bool complete = names != NULL && write_rows(names, session, rows, stream);
    json_decref(names);
    return complete;
}
