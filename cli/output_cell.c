/* One value of a row as text. */
#include <stdint.h>
#include <stdlib.h>

#include "output.h"

static char *blob_text(lido_bytes blob) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = blob.data;
    char *text = blob.size < SIZE_MAX / 2 - 2 ? malloc(2 * blob.size + 3) : NULL;
    if (text == NULL)
        return NULL;
    char *end = text;
    *end++ = '\\';
    *end++ = 'x';
    for (size_t i = 0; i < blob.size; i++) {
        *end++ = digits[bytes[i] >> 4];
        *end++ = digits[bytes[i] & 15];
    }
    *end = '\0';
    return text;
}

bool output_cell_read(output_cell *cell, lido_rows *rows, size_t column) {
    cell->kind = lido_get(rows, column).kind;
    cell->made = NULL;
    if (cell->kind != LIDO_KIND_BLOB) {
        cell->text = lido_get_text(rows, column);
        return true;
    }
    cell->made = blob_text(lido_get_blob(rows, column));
    cell->text = cell->made;
    return cell->text != NULL;
}

void output_cell_done(output_cell *cell) {
    free(cell->made);
}
