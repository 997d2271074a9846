/* Reading the catalogue: pg_catalog, or SQLite's schema and pragmas. Both are asked so that they answer in the same
 * columns, and read by the same functions. */
#include "model/catalogue.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <lido/statement.h>

/* What is asked; each with one parameter. */
typedef struct questions {
    const char *by_name;     /* identity, name, quoted name, is a view */
    const char *by_identity; /* the same */
    const char *columns;     /* name, quoted, type, nullable, has default, computed, incomparable, sequence */
    const char *keys;        /* which key, whether primary, column; in order */
    const char *references;  /* which reference, target, column, target's column; in order */
} questions;

#define POSTGRES_TABLE \
    "SELECT c.oid::text, CASE WHEN pg_catalog.pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' ||" \
    " c.relname END, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)," \
    " c.relkind NOT IN ('r', 'p') FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace" \
    " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND "

static const questions postgres_questions = {
    .by_name = POSTGRES_TABLE
    "($1 IN (c.relname::text, n.nspname || '.' || c.relname) OR pg_catalog.lower($1) IN (c.relname::text, n.nspname ||"
    " '.' || c.relname)) AND (pg_catalog.pg_table_is_visible(c.oid) OR pg_catalog.strpos($1, '.') > 0)"
    " ORDER BY $1 IN (c.relname::text, n.nspname || '.' || c.relname) DESC, pg_catalog.pg_table_is_visible(c.oid) DESC"
    " LIMIT 1",
    .by_identity = POSTGRES_TABLE "c.oid = $1::pg_catalog.oid",
    .columns = "SELECT a.attname, pg_catalog.quote_ident(a.attname), pg_catalog.format_type(a.atttypid, a.atttypmod),"
               " NOT a.attnotnull, a.atthasdef OR a.attidentity <> '', a.attgenerated <> '', b.typname IN ('json',"
               " 'xml') OR b.typcategory = 'G', pg_catalog.pg_get_serial_sequence(pg_catalog.quote_ident(n.nspname) ||"
               " '.' || pg_catalog.quote_ident(c.relname), a.attname) FROM pg_catalog.pg_attribute a JOIN"
               " pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
               " JOIN pg_catalog.pg_type t ON t.oid = a.atttypid JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN"
               " t.typbasetype <> 0 THEN t.typbasetype ELSE t.oid END WHERE a.attrelid = $1::pg_catalog.oid AND"
               " a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
    .keys = "SELECT i.indexrelid::bigint, i.indisprimary, a.attname FROM pg_catalog.pg_index i CROSS JOIN LATERAL"
            " pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (number, place) JOIN pg_catalog.pg_attribute a ON"
            " a.attrelid = i.indrelid AND a.attnum = k.number WHERE i.indrelid = $1::pg_catalog.oid AND i.indisunique"
            " AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND k.place <= i.indnkeyatts ORDER BY"
            " i.indisprimary DESC, i.indexrelid, k.place",
    .references = "SELECT r.oid::bigint, r.confrelid::text, a.attname, t.attname FROM pg_catalog.pg_constraint r CROSS"
                  " JOIN LATERAL pg_catalog.generate_subscripts(r.conkey, 1) k (place) JOIN pg_catalog.pg_attribute a"
                  " ON a.attrelid = r.conrelid AND a.attnum = r.conkey[k.place] JOIN pg_catalog.pg_attribute t ON"
                  " t.attrelid = r.confrelid AND t.attnum = r.confkey[k.place] WHERE r.conrelid ="
                  " $1::pg_catalog.oid AND r.contype = 'f' ORDER BY r.oid, k.place",
};

#define SQLITE_QUOTED(name) "'\"' || replace(" name ", '\"', '\"\"') || '\"'"
#define SQLITE_TABLE \
    "SELECT lower(name), name, " SQLITE_QUOTED("name") ", type = 'view' FROM sqlite_schema WHERE type IN ('table'," \
                                                       " 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND "

/* A key of SQLite's that is its rowid has no index; the primary one is read from the table itself. */
static const questions sqlite_questions = {
    .by_name = SQLITE_TABLE "lower(name) = lower(?)",
    .by_identity = SQLITE_TABLE "lower(name) = ?",
    .columns = "SELECT name, " SQLITE_QUOTED("name") ", type, NOT \"notnull\" AND pk = 0, dflt_value IS NOT NULL OR"
                                                     " (pk = 1 AND lower(type) = 'integer'), hidden > 1, 0, NULL FROM "
                                                     "pragma_table_xinfo(?) WHERE hidden <> 1"
                                                     " ORDER BY cid",
    .keys = "SELECT which, is_primary, name FROM (SELECT -1 AS which, 1 AS is_primary, name, pk AS place FROM"
            " pragma_table_xinfo($1) WHERE pk > 0 UNION ALL SELECT l.seq, 0, c.name, c.seqno FROM pragma_index_list($1)"
            " l JOIN pragma_index_info(l.name) c WHERE l.\"unique\" AND NOT l.partial AND l.origin <> 'pk') ORDER BY"
            " is_primary DESC, which DESC, place",
    .references = "SELECT id, lower(\"table\"), \"from\", \"to\" FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq",
};

static const questions *questions_for(const lido__catalogue *catalogue) {
    return catalogue->session->engine->config.type == LIDO__SQLITE ? &sqlite_questions : &postgres_questions;
}

static lido_rows *ask(lido__catalogue *catalogue, const char *question, const char *about) {
    lido_value parameter = lido_value_text(about);
    return lido_queryv(catalogue->session, question, 1, &parameter);
}

/* A copy that lasts; NULL for NULL. */
static const char *read_text(lido__catalogue *catalogue, lido_rows *rows, size_t column) {
    const char *text = lido_get_text(rows, column);
    return text != NULL ? lido__arena_copy(catalogue->arena, text, strlen(text)) : NULL;
}

static void *grow(lido__catalogue *catalogue, const void *array, size_t count, size_t size) {
    char *grown = lido__arena_allocate(catalogue->arena, (count + 1) * size);
    if (grown != NULL && count > 0)
        memcpy(grown, array, count * size);
    if (grown != NULL)
        memset(grown + count * size, 0, size);
    return grown;
}

/* ---- What is read ---- */

static void read_columns(lido__catalogue *catalogue, lido__catalogue_table *table) {
    lido_rows *rows = ask(catalogue, questions_for(catalogue)->columns, table->identity);
    size_t count = (size_t)lido_row_count(rows);
    table->columns = lido__arena_allocate(catalogue->arena, count * sizeof *table->columns);
    while (table->columns != NULL && lido_next(rows)) {
        table->columns[table->column_count++] = (lido__catalogue_column){
            .name = read_text(catalogue, rows, 0),
            .quoted = read_text(catalogue, rows, 1),
            .type = read_text(catalogue, rows, 2),
            .nullable = lido_get_bool(rows, 3),
            .has_default = lido_get_bool(rows, 4),
            .computed = lido_get_bool(rows, 5),
            .incomparable = lido_get_bool(rows, 6),
            .sequence = read_text(catalogue, rows, 7),
        };
    }
    lido_rows_close(rows);
}

/* An index over expressions is no key (SQLite has a NULL for their names); nor is what the arena has no room for. */
static void read_keys(lido__catalogue *catalogue, lido__catalogue_table *table) {
    lido_rows *rows = ask(catalogue, questions_for(catalogue)->keys, table->identity);
    int64_t last = 0;
    size_t count = 0;
    bool whole = true;
    while (lido_next(rows)) {
        int64_t which = lido_get_int64(rows, 0);
        if (count == 0 || which != last) {
            count = whole ? count + 1 : count;
            whole = true;
            table->keys = grow(catalogue, table->keys, count - 1, sizeof *table->keys);
            if (table->keys == NULL)
                break;
            table->keys[count - 1].primary = lido_get_bool(rows, 1);
        }
        last = which;
        lido__catalogue_key *key = &table->keys[count - 1];
        const char *name = lido_get_text(rows, 2);
        size_t column = name != NULL ? lido__catalogue_column_find(table, name) : SIZE_MAX;
        whole = whole && column != SIZE_MAX;
        key->columns = grow(catalogue, key->columns, key->count, sizeof *key->columns);
        if (key->columns == NULL)
            break;
        key->columns[key->count++] = column;
    }
    table->key_count = whole ? count : count - 1;
    lido_rows_close(rows);
}

static void read_references(lido__catalogue *catalogue, lido__catalogue_table *table) {
    lido_rows *rows = ask(catalogue, questions_for(catalogue)->references, table->identity);
    int64_t last = 0;
    while (lido_next(rows)) {
        int64_t which = lido_get_int64(rows, 0);
        if (table->reference_count == 0 || which != last) {
            table->references = grow(catalogue, table->references, table->reference_count, sizeof *table->references);
            if (table->references == NULL)
                break;
            table->references[table->reference_count++].target = read_text(catalogue, rows, 1);
        }
        last = which;
        lido__catalogue_reference *reference = &table->references[table->reference_count - 1];
        reference->columns = grow(catalogue, reference->columns, reference->count, sizeof *reference->columns);
        reference->target_columns =
            grow(catalogue, reference->target_columns, reference->count, sizeof *reference->target_columns);
        if (reference->columns == NULL || reference->target_columns == NULL)
            break;
        reference->columns[reference->count] = lido__catalogue_column_find(table, lido_get_text(rows, 2));
        reference->target_columns[reference->count++] = read_text(catalogue, rows, 3);
    }
    lido_rows_close(rows);
}

/* The table that the rows tell of, read if it was not yet. */
static const lido__catalogue_table *read_table(lido__catalogue *catalogue, lido_rows *rows) {
    const char *identity = lido_get_text(rows, 0);
    for (lido__catalogue_table *table = catalogue->tables; table != NULL && identity != NULL; table = table->next)
        if (strcmp(table->identity, identity) == 0)
            return table;
    lido__catalogue_table *table = grow(catalogue, NULL, 0, sizeof *table);
    if (table != NULL) {
        table->identity = read_text(catalogue, rows, 0);
        table->name = read_text(catalogue, rows, 1);
        table->quoted = read_text(catalogue, rows, 2);
        read_columns(catalogue, table);
        read_keys(catalogue, table);
        read_references(catalogue, table);
    }
    if (catalogue->arena->out_of_memory)
        lido__session_refuse(catalogue->session, LIDO_ERROR_OUT_OF_MEMORY, NULL,
                             "memory ran out while reading the catalogue");
    if (lido_failed(catalogue->session))
        return NULL;
    table->next = catalogue->tables;
    catalogue->tables = table;
    return table;
}

const lido__catalogue_table *lido__catalogue_find(lido__catalogue *catalogue, const char *name, bool *is_view) {
    lido_rows *rows = ask(catalogue, questions_for(catalogue)->by_name, name);
    bool found = lido_next(rows);
    *is_view = found && lido_get_bool(rows, 3);
    const lido__catalogue_table *table = found && !*is_view ? read_table(catalogue, rows) : NULL;
    lido_rows_close(rows);
    return table;
}

const lido__catalogue_table *lido__catalogue_target(lido__catalogue *catalogue,
                                                    const lido__catalogue_reference *reference) {
    for (const lido__catalogue_table *table = catalogue->tables; table != NULL; table = table->next)
        if (strcmp(table->identity, reference->target) == 0)
            return table;
    lido_rows *rows = ask(catalogue, questions_for(catalogue)->by_identity, reference->target);
    const lido__catalogue_table *table = lido_next(rows) ? read_table(catalogue, rows) : NULL;
    lido_rows_close(rows);
    if (table == NULL && !lido_failed(catalogue->session)) /* SQLite lets a reference be to a table that is none */
        lido__session_refuse(catalogue->session, LIDO_ERROR_SYNTAX, NULL, "there is no table %s to refer to",
                             reference->target);
    return table;
}

size_t lido__catalogue_column_find(const lido__catalogue_table *table, const char *name) {
    size_t alike = SIZE_MAX;
    for (size_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0)
            return i;
        if (strcasecmp(table->columns[i].name, name) == 0)
            alike = alike == SIZE_MAX ? i : SIZE_MAX - 1;
    }
    return alike < table->column_count ? alike : SIZE_MAX;
}

const lido__catalogue_reference *lido__catalogue_reference_of(const lido__catalogue_table *table, size_t column) {
    for (size_t i = 0; i < table->reference_count; i++)
        if (table->references[i].count == 1 && table->references[i].columns[0] == column)
            return &table->references[i];
    return NULL;
}
