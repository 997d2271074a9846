/* Shapes from pg_catalog. What a model's table would be like, the server is asked by making it: as a temporary table,
 * which is taken back at once. Only so is known what it makes of a default, a check or the name of a type, for it keeps
 * none of them as written. */
#include <string.h>

#include <lido/statement.h>
#include <lido/transaction.h>

#include "model/ddl.h"
#include "model/table_shape.h"

#define COLUMNS_SQL \
    "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, CASE WHEN a.attidentity =" \
    " 'a' THEN 'ALWAYS' WHEN a.attidentity = 'd' OR pg_catalog.pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%' THEN" \
    " 'BY DEFAULT' END, pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attribute a LEFT JOIN" \
    " pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE a.attrelid = ?::pg_catalog.oid" \
    " AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"

#define CHECKS_SQL \
    "SELECT pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint WHERE conrelid = ?::pg_catalog.oid AND" \
    " contype = 'c' ORDER BY conname"

#define INDEXES_SQL \
    "SELECT i.indexrelid::bigint, c.relname, i.indisprimary, i.indisunique, i.indpred IS NOT NULL OR i.indexprs IS " \
    "NOT" \
    " NULL OR NOT i.indisvalid, a.attname FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid =" \
    " i.indexrelid CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place) LEFT JOIN" \
    " pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number WHERE i.indrelid =" \
    " ?::pg_catalog.oid AND k.place <= i.indnkeyatts ORDER BY c.relname, k.place"

#define ACTION(column) \
    "CASE " column " WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN" \
    " 'SET NULL' ELSE 'SET DEFAULT' END"

#define REFERENCES_SQL \
    "SELECT r.oid::bigint, r.confrelid::pg_catalog.regclass::text, " ACTION("r.confdeltype") ", " ACTION( \
        "r.confupdtype") ", a.attname, t.attname FROM pg_catalog.pg_constraint r CROSS JOIN LATERAL" \
                         " pg_catalog.generate_subscripts(r.conkey, 1) k (place) JOIN pg_catalog.pg_attribute a ON " \
                         "a.attrelid = r.conrelid" \
                         " AND a.attnum = r.conkey[k.place] JOIN pg_catalog.pg_attribute t ON t.attrelid = " \
                         "r.confrelid AND t.attnum =" \
                         " r.confkey[k.place] WHERE r.conrelid = ?::pg_catalog.oid AND r.contype = 'f' ORDER BY " \
                         "r.conname, k.place"

static lido_rows *ask(lido__shape_reader *reader, const char *sql, int64_t table) {
    lido_value parameter = lido_value_int64(table);
    return lido_queryv(reader->session, sql, 1, &parameter);
}

static void read_columns(lido__shape_reader *reader, int64_t table, lido__table_shape *shape) {
    lido_rows *rows = ask(reader, COLUMNS_SQL, table);
    while (lido_next(rows)) {
        lido__shape_column *column =
            lido__shape_add(reader, &shape->columns, &shape->column_count, sizeof *shape->columns);
        if (column == NULL)
            break;
        column->name = lido__shape_text(reader, rows, 0);
        column->type = lido__shape_text(reader, rows, 1);
        column->may_be_null = lido_get_bool(rows, 2);
        column->generated = lido__shape_text(reader, rows, 3);
        if (column->generated == NULL) /* an older table's sequence is no default of the program's */
            column->fallback = lido__shape_text(reader, rows, 4);
    }
    lido_rows_close(rows);
}

static void read_checks(lido__shape_reader *reader, int64_t table, lido__table_shape *shape) {
    lido_rows *rows = ask(reader, CHECKS_SQL, table);
    while (lido_next(rows))
        lido__shape_add_name(reader, &shape->checks, lido__shape_text(reader, rows, 0));
    lido_rows_close(rows);
}

static void read_indexes(lido__shape_reader *reader, int64_t table, lido__table_shape *shape) {
    lido_rows *rows = ask(reader, INDEXES_SQL, table);
    while (lido_next(rows)) {
        const char *column = lido__shape_text(reader, rows, 5);
        if (lido_get_bool(rows, 2)) {
            lido__shape_add_name(reader, &shape->key, column);
            continue;
        }
        lido__shape_index *index = lido__shape_index_of(reader, shape, lido_get_int64(rows, 0));
        if (index == NULL)
            break;
        index->name = lido__shape_text(reader, rows, 1);
        index->unique = lido_get_bool(rows, 3);
        index->special = lido_get_bool(rows, 4);
        lido__shape_add_name(reader, &index->columns, column);
    }
    lido_rows_close(rows);
}

static void read_references(lido__shape_reader *reader, int64_t table, lido__table_shape *shape) {
    lido_rows *rows = ask(reader, REFERENCES_SQL, table);
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

/* The table's number, 0 if there is none; and whether it is a table. */
static int64_t find(lido__shape_reader *reader, const char *name, bool *is_table) {
    lido_value parameter = lido_value_text(name);
    lido_rows *rows = lido_queryv(reader->session,
                                  "SELECT oid::bigint, relkind IN ('r', 'p') FROM pg_catalog.pg_class WHERE oid ="
                                  " pg_catalog.to_regclass(?)",
                                  1, &parameter);
    int64_t number = 0;
    if (lido_next(rows)) {
        number = lido_get_int64(rows, 0);
        *is_table = lido_get_bool(rows, 1);
    }
    lido_rows_close(rows);
    return number;
}

void lido__shape_read_postgres(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape) {
    int64_t table = find(reader, plan->table, &shape->is_table);
    shape->is_there = table != 0;
    if (!shape->is_table)
        return;
    read_columns(reader, table, shape);
    read_indexes(reader, table, shape);
    read_references(reader, table, shape);
    read_checks(reader, table, shape);
}

/* It has the name of the model's table, for a check may say items.price. */
static bool make_temporary(lido__shape_reader *reader, const lido__plan *plan) {
    lido__buffer sql = LIDO__BUFFER_INIT;
    lido__buffer_format(&sql, "CREATE TEMPORARY TABLE %s (", plan->table_quoted);
    lido__ddl_columns(&sql, plan, LIDO__POSTGRESQL);
    lido__buffer_char(&sql, ')');
    const char *text = lido__buffer_string(&sql);
    if (text == NULL)
        lido__shape_out_of_memory(reader);
    else
        lido_execv(reader->session, text, 0, NULL);
    lido__buffer_done(&sql);
    return !reader->session->failed;
}

void lido__shape_expect_postgres(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape) {
    int savepoint = lido_savepoint_begin(reader->session);
    const char *name = lido__arena_format(reader->arena, "pg_temp.%s", plan->table_quoted);
    if (name == NULL)
        lido__shape_out_of_memory(reader);
    if (name == NULL || !make_temporary(reader, plan))
        return; /* the error must not be taken back with the savepoint */
    int64_t table = find(reader, name, &shape->is_table);
    read_columns(reader, table, shape);
    read_checks(reader, table, shape);
    if (!reader->session->failed)
        lido_savepoint_rollback(reader->session, savepoint);
}
