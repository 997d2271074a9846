/* A table with aligned columns. */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "screen.h"

bool table_open(text_table *table, size_t column_count) {
    memset(table, 0, sizeof *table);
    table->column_count = column_count;
    table->columns = calloc(column_count, sizeof *table->columns);
    table->cells = open_memstream(&table->text, &table->size);
    if (table->columns != NULL && table->cells != NULL)
        return true;
    table_close(table);
    return false;
}

void table_close(text_table *table) {
    if (table->cells != NULL)
        fclose(table->cells);
    free(table->text);
    free(table->columns);
}

/* NULL and the text 'NULL' must not look the same. */
static const char *shown(table_kind kind, const char *text) {
    if (kind == TABLE_NULL)
        return "NULL";
    return kind == TABLE_TEXT && strcmp(text, "NULL") == 0 ? "'NULL'" : text;
}

void table_add(text_table *table, table_kind kind, const char *text) {
    table_column *column = &table->columns[table->cell_count++ % table->column_count];
    size_t width = screen_write(shown(kind, text), table->cells);
    putc('\0', table->cells);
    if (width > column->width)
        column->width = width;
    column->has_number |= kind == TABLE_NUMBER;
    column->has_text |= kind == TABLE_TEXT;
}

static void print_times(char character, size_t times, FILE *stream) {
    while (times-- > 0)
        putc(character, stream);
}

static const char *next_cell(const char *cell) {
    return cell + strlen(cell) + 1;
}

/* Prints the line that begins with `cell`; returns the first cell of the next. */
static const char *print_line(const text_table *table, const char *cell, FILE *stream) {
    for (size_t i = 0; i < table->column_count; i++, cell = next_cell(cell)) {
        const table_column *column = &table->columns[i];
        size_t blanks = column->width - screen_width(cell);
        bool right = column->has_number && !column->has_text;
        bool last = i + 1 == table->column_count;
        print_times(' ', right ? blanks : 0, stream);
        fputs(cell, stream);
        print_times(' ', right || last ? 0 : blanks, stream);
        fputs(last ? "\n" : " | ", stream);
    }
    return cell;
}

static void print_rule(const text_table *table, FILE *stream) {
    for (size_t i = 0; i < table->column_count; i++) {
        fputs(i == 0 ? "" : "-+-", stream);
        print_times('-', table->columns[i].width, stream);
    }
    putc('\n', stream);
}

static void print_lines(const text_table *table, FILE *stream) {
    const char *cell = print_line(table, table->text, stream);
    print_rule(table, stream);
    for (size_t row = 1; row < table->cell_count / table->column_count; row++)
        cell = print_line(table, cell, stream);
}

static size_t widest_name(const text_table *table) {
    const char *name = table->text;
    size_t widest = 0;
    for (size_t i = 0; i < table->column_count; i++, name = next_cell(name))
        widest = screen_width(name) > widest ? screen_width(name) : widest;
    return widest;
}

/* One line for each cell, under a heading for each row. */
static void print_records(const text_table *table, FILE *stream) {
    size_t width = widest_name(table);
    const char *cell = table->text;
    for (size_t i = 0; i < table->column_count; i++)
        cell = next_cell(cell);
    for (size_t row = 1; row < table->cell_count / table->column_count; row++) {
        fprintf(stream, "-- row %zu --\n", row);
        const char *name = table->text;
        for (size_t i = 0; i < table->column_count; i++, name = next_cell(name), cell = next_cell(cell)) {
            fputs(name, stream);
            print_times(' ', width - screen_width(name), stream);
            fprintf(stream, " | %s\n", cell);
        }
    }
}

static size_t line_width(const text_table *table) {
    size_t width = (table->column_count - 1) * strlen(" | ");
    for (size_t i = 0; i < table->column_count; i++)
        width += table->columns[i].width;
    return width;
}

bool table_print(text_table *table, FILE *stream, size_t most) {
    if (fflush(table->cells) != 0 || ferror(table->cells) != 0)
        return false;
    bool has_rows = table->cell_count > table->column_count;
    if (most != 0 && has_rows && line_width(table) > most)
        print_records(table, stream);
    else
        print_lines(table, stream);
    return true;
}
