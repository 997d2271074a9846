/* Rows as CSV, quoted as RFC 4180 says. Lines end in "\n" alone, as every other text on Unix: the RFC's "\r\n"
 * would leave a
 * "\r" in the last field that awk, cut and sort see. */
#include <string.h>

#include "output.h"

/* NULL is an empty field, an empty text "". */
static void write_field(const char *text, FILE *stream) {
    if (text == NULL)
        return;
    if (text[0] != '\0' && strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, stream);
        return;
    }
    putc('"', stream);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            putc('"', stream);
        putc(*text, stream);
    }
    putc('"', stream);
}

static void write_names(lido_rows *rows, FILE *stream) {
    size_t count = lido_column_count(rows);
    for (size_t i = 0; i < count; i++) {
        write_field(lido_column_name(rows, i), stream);
        putc(i + 1 == count ? '\n' : ',', stream);
    }
}

static bool write_row(lido_rows *rows, FILE *stream) {
    size_t count = lido_column_count(rows);
    for (size_t i = 0; i < count; i++) {
        output_cell cell;
        if (!output_cell_read(&cell, rows, i))
            return false;
        write_field(cell.text, stream);
        output_cell_done(&cell);
        putc(i + 1 == count ? '\n' : ',', stream);
    }
    return true;
}

bool output_csv(lido_session *session, lido_rows *rows, FILE *stream) {
    /* The names wait for the first row: a statement that fails at once prints nothing. */
    bool more = lido_next(rows);
    if (!lido_failed(session))
        write_names(rows, stream);
    for (; more; more = !ferror(stream) && lido_next(rows))
        if (!write_row(rows, stream))
            return false;
    return true;
}
