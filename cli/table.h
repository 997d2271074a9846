/* A table of texts, held in memory until all are known, then printed with its columns aligned. */
#ifndef LIDO_CLI_TABLE_H
#define LIDO_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef enum table_kind { TABLE_NAME, TABLE_TEXT, TABLE_NUMBER, TABLE_NULL } table_kind;

typedef struct table_column {
    size_t width;    /* of the widest cell, its name included */
    bool has_number; /* a column of numbers, and of nothing else but NULL, is aligned to the right */
    bool has_text;
} table_column;

typedef struct text_table {
    size_t column_count;
    table_column *columns;
    size_t cell_count; /* the names of the columns first, then row by row */
    FILE *cells;       /* writes to `text`: each cell as it will be shown, and a NUL */
    char *text;
    size_t size;
} text_table;

/* An empty table; false, with nothing to free, if memory ran out. */
bool table_open(text_table *table, size_t column_count);
void table_close(text_table *table);

/* Adds the next cell; the first ones are the columns' names. `text` is not looked at for TABLE_NULL. Text that runs
 * out of memory is remembered for table_print. */
void table_add(text_table *table, table_kind kind, const char *text);

/* Prints the table; if that is wider than `most` columns (0: no limit), row by row with one line for each
 * column. False if memory had run out. To be called once, after the last cell. */
bool table_print(text_table *table, FILE *stream, size_t most);

#endif
