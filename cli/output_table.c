/* Rows as an aligned table, for people. */
#include <inttypes.h>

#include "output.h"
#include "screen.h"
#include "table.h"

static table_kind kind_in_table(lido_kind kind) {
    switch (kind) {
    case LIDO_KIND_NULL:
        return TABLE_NULL;
    case LIDO_KIND_INT64:
    case LIDO_KIND_DOUBLE:
    case LIDO_KIND_NUMERIC:
        return TABLE_NUMBER;
    default:
        return TABLE_TEXT;
    }
}

static bool add_row(text_table *table, lido_session *session, lido_rows *rows) {
    for (size_t i = 0; i < table->column_count; i++) {
        output_cell cell;
        if (!output_cell_read(&cell, rows, i))
            return false;
        if (!lido_failed(session))
            table_add(table, kind_in_table(cell.kind), cell.text);
        output_cell_done(&cell);
    }
    return true;
}

static bool print_rows(text_table *table, lido_session *session, lido_rows *rows, FILE *stream) {
    for (size_t i = 0; i < table->column_count; i++)
        table_add(table, TABLE_NAME, lido_column_name(rows, i));
    size_t count = 0;
    for (; lido_next(rows); count++)
        if (!add_row(table, session, rows))
            return false;
    if (lido_failed(session))
        return true;
    if (!table_print(table, stream, screen_columns(stream)))
        return false;
    fprintf(stream, count == 1 ? "(%zu row)\n" : "(%zu rows)\n", count);
    return true;
}

static void print_change(lido_session *session, lido_rows *rows, FILE *stream) {
    while (lido_next(rows))
        continue;
    if (lido_failed(session))
        return;
    int64_t changed = lido_affected(rows);
    fprintf(stream, changed == 1 ? "%" PRId64 " row changed\n" : "%" PRId64 " rows changed\n", changed);
}

bool output_table(lido_session *session, lido_rows *rows, FILE *stream) {
    text_table table;
    if (lido_column_count(rows) == 0) {
        print_change(session, rows, stream);
        return true;
    }
    if (!table_open(&table, lido_column_count(rows)))
        return false;
    bool complete = print_rows(&table, session, rows, stream);
    table_close(&table);
    return complete;
}
