/* How the rows of a statement are printed: as a table, as CSV or as JSON. */
#ifndef LIDO_CLI_OUTPUT_H
#define LIDO_CLI_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include <lido.h>

/* Reads the rows to their end, or until reading or writing fails, and prints them. What fails is left where it can
 * be seen: in the session or in the stream. Returns false only if the command's own memory ran out. */
typedef bool output_function(lido_session *session, lido_rows *rows, FILE *stream);

output_function output_table; /* holds all rows in memory, prints nothing if one cannot be read */
output_function output_csv;   /* prints rows as they come; as the next */
output_function output_json;

/* One value of the current row as text. */
typedef struct output_cell {
    lido_kind kind;
    const char *text; /* until the next row; NULL for NULL */
    char *made;       /* what of it is ours */
} output_cell;

/* Every value as lido_get_text gives it, a blob as PostgreSQL writes it: "\x" and hexadecimal digits. False if
 * memory ran out here; a NULL text of another kind than NULL means that the session failed. */
bool output_cell_read(output_cell *cell, lido_rows *rows, size_t column);
void output_cell_done(output_cell *cell);

#endif
