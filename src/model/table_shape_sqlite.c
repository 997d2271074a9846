/* Shapes from SQLite's pragmas, and, for checks, from the text of CREATE TABLE: SQLite keeps what it was told, so that
 * text is compared with text, without what means nothing in it. */
#include <string.h>
#include <strings.h>

#include <lido/statement.h>

#include "base/fault.h"
#include "model/ddl.h"
#include "model/table_shape.h"
#include "sql/scanner.h"

static const char *schema_of(const lido__plan *plan) {
    return plan->schema != NULL ? plan->schema : "main";
}

static lido_rows *ask(lido__shape_reader *reader, const char *sql, const lido__plan *plan) {
    const lido_value parameters[] = {lido_value_text(plan->table_name), lido_value_text(schema_of(plan))};
    return lido_queryv(reader->session, sql, 2, parameters);
}

/* ---- SQL without what means nothing ---- */

/* Appends a piece: small letters, and one blank between two tokens. */
static void condense(lido__buffer *out, const char *sql, size_t size) {
    lido__scanner scanner;
    lido__scanner_init(&scanner, sql, size, LIDO__SQLITE);
    for (;;) {
        lido__token token = lido__scanner_next(&scanner);
        if (token.kind == LIDO__TOKEN_END)
            return;
        if (token.kind == LIDO__TOKEN_BLANK)
            continue;
        if (out->size > 0)
            lido__buffer_char(out, ' ');
        for (size_t i = 0; i < token.size; i++) {
            char character = sql[token.start + i];
            bool folds = token.kind == LIDO__TOKEN_WORD && character >= 'A' && character <= 'Z';
            lido__buffer_char(out, folds ? (char)(character - 'A' + 'a') : character);
        }
    }
}

/* Whether the first parenthesis is closed by the last: "(a) or (b)" is not in parentheses. */
static bool is_in_parentheses(const char *sql, size_t size) {
    lido__scanner scanner;
    size_t depth = 0;
    lido__scanner_init(&scanner, sql, size, LIDO__SQLITE);
    for (;;) {
        lido__token token = lido__scanner_next(&scanner);
        depth += token.kind == LIDO__TOKEN_OPEN;
        depth -= token.kind == LIDO__TOKEN_CLOSE && depth > 0;
        if (depth == 0)
            return token.kind == LIDO__TOKEN_CLOSE && token.start + token.size == size;
        if (token.kind == LIDO__TOKEN_END)
            return false;
    }
}

static const char *condensed(lido__shape_reader *reader, const char *sql, size_t size) {
    lido__buffer out = LIDO__BUFFER_INIT;
    condense(&out, sql, size);
    const char *text = lido__buffer_string(&out);
    size_t length = out.size;
    while (text != NULL && is_in_parentheses(text, length)) {
        text += strlen("( ");
        length = length >= strlen("(  )") ? length - strlen("(  )") : 0;
    }
    text = text != NULL ? lido__arena_copy(reader->arena, text, length) : NULL;
    if (text == NULL)
        lido__shape_out_of_memory(reader);
    lido__buffer_done(&out);
    return text;
}

/* What stands in parentheses behind each CHECK of a CREATE TABLE. */
static void find_checks(lido__shape_reader *reader, const char *sql, lido__table_shape *shape) {
    lido__scanner scanner;
    size_t start = 0;
    size_t depth = 0; /* within a check */
    bool is_check = false;
    lido__scanner_init(&scanner, sql, strlen(sql), LIDO__SQLITE);
    for (lido__token token; (token = lido__scanner_next(&scanner)).kind != LIDO__TOKEN_END;) {
        if (token.kind == LIDO__TOKEN_BLANK)
            continue;
        if (token.kind == LIDO__TOKEN_OPEN && (is_check || depth > 0) && depth++ == 0)
            start = token.start + token.size;
        if (token.kind == LIDO__TOKEN_CLOSE && depth > 0 && --depth == 0)
            lido__shape_add_name(reader, &shape->checks, condensed(reader, sql + start, token.start - start));
        is_check = token.kind == LIDO__TOKEN_WORD && token.size == strlen("check") &&
                   strncasecmp(sql + token.start, "check", token.size) == 0;
    }
}

/* ---- What is there ---- */

static bool is_rowid(const lido__table_shape *shape, const lido__shape_column *column) {
    return shape->key.count == 1 && shape->key.names[0] == column->name && strcasecmp(column->type, "integer") == 0;
}

static void read_key(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape) {
    lido_rows *rows = ask(reader, "SELECT name FROM pragma_table_xinfo($1, $2) WHERE pk > 0 ORDER BY pk", plan);
    while (lido_next(rows))
        for (size_t i = 0; i < shape->column_count; i++)
            if (strcmp(shape->columns[i].name, lido_get_text(rows, 0)) == 0)
                lido__shape_add_name(reader, &shape->key, shape->columns[i].name);
    lido_rows_close(rows);
}

static void read_columns(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape) {
    lido_rows *rows =
        ask(reader,
            "SELECT name, lower(type), NOT \"notnull\", dflt_value FROM pragma_table_xinfo($1, $2) WHERE hidden"
            " <> 1 ORDER BY cid",
            plan);
    while (lido_next(rows)) {
        lido__shape_column *column =
            lido__shape_add(reader, &shape->columns, &shape->column_count, sizeof *shape->columns);
        if (column == NULL)
            break;
        column->name = lido__shape_text(reader, rows, 0);
        column->type = lido__shape_text(reader, rows, 1);
        column->may_be_null = lido_get_bool(rows, 2);
        const char *fallback = lido_get_text(rows, 3);
        if (fallback != NULL)
            column->fallback = condensed(reader, fallback, strlen(fallback));
    }
    lido_rows_close(rows);
    read_key(reader, plan, shape);
    for (size_t i = 0; !reader->session->failed && i < shape->column_count; i++) {
        if (!is_rowid(shape, &shape->columns[i]))
            continue;
        shape->columns[i].may_be_null = false;
        shape->columns[i].generated = "BY DEFAULT";
    }
}

static void read_indexes(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape) {
    lido_rows *rows = ask(reader,
                          "SELECT l.seq, l.name, l.\"unique\", l.partial, i.name FROM pragma_index_list($1, $2) l JOIN"
                          " pragma_index_info(l.name, $2) i WHERE l.origin <> 'pk' ORDER BY l.name, i.seqno",
                          plan);
    while (lido_next(rows)) {
        lido__shape_index *index = lido__shape_index_of(reader, shape, lido_get_int64(rows, 0));
        if (index == NULL)
            break;
        const char *column = lido__shape_text(reader, rows, 4);
        index->name = lido__shape_text(reader, rows, 1);
        index->unique = lido_get_bool(rows, 2);
        index->special = index->special || lido_get_bool(rows, 3) || column == NULL;
        lido__shape_add_name(reader, &index->columns, column);
    }
    lido_rows_close(rows);
}

static void read_references(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape) {
    lido_rows *rows = ask(reader,
                          "SELECT id, \"table\", on_delete, on_update, \"from\", \"to\" FROM"
                          " pragma_foreign_key_list($1, $2) ORDER BY id DESC, seq",
                          plan);
    while (lido_next(rows)) {
        lido__shape_reference *reference = lido__shape_reference_of(reader, shape, lido_get_int64(rows, 0));
        if (reference == NULL)
            break;
        reference->target = lido__shape_text(reader, rows, 1);
        reference->on_delete = lido__shape_text(reader, rows, 2);
        reference->on_update = lido__shape_text(reader, rows, 3);
        lido__shape_add_name(reader, &reference->columns, lido__shape_text(reader, rows, 4));
        lido__shape_add_name(reader, &reference->target_columns, lido__shape_text(reader, rows, 5));
    }
    lido_rows_close(rows);
}

void lido__shape_read_sqlite(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape) {
    const char *sql = lido__arena_format(reader->arena,
                                         "SELECT type = 'table', sql FROM %s.sqlite_schema WHERE name = ? COLLATE"
                                         " NOCASE AND type IN ('table', 'view')",
                                         plan->schema != NULL ? plan->schema_quoted : "main");
    lido_value name = lido_value_text(plan->table_name);
    if (sql == NULL) {
        lido__shape_out_of_memory(reader);
        return;
    }
    lido_rows *rows = lido_queryv(reader->session, sql, 1, &name);
    shape->is_there = lido_next(rows);
    shape->is_table = shape->is_there && lido_get_bool(rows, 0);
    if (shape->is_table)
        find_checks(reader, lido_get_text(rows, 1), shape);
    lido_rows_close(rows);
    if (!shape->is_table)
        return;
    read_columns(reader, plan, shape);
    read_indexes(reader, plan, shape);
    read_references(reader, plan, shape);
}

/* ---- What the model would make ---- */

/* The SQL of an expression, as a statement that holds it is translated. */
static const char *translated(lido__shape_reader *reader, const char *before, const char *sql, const char *after) {
    lido_session *session = reader->session;
    const char *statement = lido__arena_format(reader->arena, "%s%s%s", before, sql, after);
    if (statement != NULL)
        statement = lido__ddl_translate(reader->arena, statement, LIDO__SQLITE, &session->error);
    if (statement != NULL)
        return statement;
    lido__fault_memory(&session->error, "reading a schema"); /* unless it is set */
    if (!session->failed)
        lido__session_fail(session, "reading a schema");
    return NULL;
}

static const char *fallback_of(lido__shape_reader *reader, const lido_part *part) {
    static const char before[] = "SELECT ";
    const char *sql = part->fallback != NULL ? translated(reader, before, part->fallback, "") : NULL;
    return sql != NULL ? condensed(reader, sql + strlen(before), strlen(sql) - strlen(before)) : NULL;
}

static void expect_checks(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape) {
    lido__buffer columns = LIDO__BUFFER_INIT;
    lido__ddl_columns(&columns, plan, LIDO__SQLITE);
    const char *text = lido__buffer_string(&columns);
    if (text == NULL)
        lido__shape_out_of_memory(reader);
    const char *sql = text != NULL ? translated(reader, "CREATE TABLE expected (", text, ")") : NULL;
    if (sql != NULL)
        find_checks(reader, sql, shape);
    lido__buffer_done(&columns);
}

void lido__shape_expect_sqlite(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape) {
    for (size_t i = 0; i < plan->column_count; i++) {
        const lido__column *column = &plan->columns[i];
        bool identity = column->generated == LIDO__GENERATED_IDENTITY;
        lido__shape_column *expected =
            lido__shape_add(reader, &shape->columns, &shape->column_count, sizeof *shape->columns);
        if (expected == NULL)
            return;
        *expected = (lido__shape_column){.name = column->name,
                                         .type = lido__ddl_type(column, LIDO__SQLITE),
                                         .may_be_null = column->may_be_null,
                                         .generated = identity ? "BY DEFAULT" : NULL,
                                         .fallback = fallback_of(reader, column->part)};
    }
    expect_checks(reader, plan, shape);
}
