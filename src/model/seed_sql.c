/* Statements for seeds. In all of them t is the table, s the staging table, and l1, l2, … are the rows that are
 * referred to by name. They read the same on both databases but for a word or two. */
#include "model/seed_sql.h"

#include <string.h>

#include "sql/hash.h"

static void write_list(lido__buffer *sql, const char *separator, bool first) {
    if (!first)
        lido__buffer_text(sql, separator);
}

/* Of the columns' types, too: a statement that is prepared for a staging table is good for the next of that name. */
static void write_name(const lido__seed_plan *plan, lido__buffer *sql) {
    uint64_t hash = 0;
    for (size_t i = 0; i < plan->place_count; i++)
        hash = lido__hash_mix(hash, lido__hash_bytes(plan->places[i]->type, strlen(plan->places[i]->type)));
    lido__buffer_format(sql, "lido_seed_%zu_%08x", plan->number, (unsigned)hash);
}

void lido__seed_sql_staging(const lido__seed_plan *plan, lido__database_type type, lido__buffer *sql) {
    lido__buffer_text(sql, type == LIDO__SQLITE ? "temp." : "pg_temp.");
    write_name(plan, sql);
}

/* ---- Parts ---- */

static void write_lookup_join(const lido__seed_plan *plan, const lido__seed_lookup *lookup, lido__buffer *sql) {
    bool first = true;
    for (const lido__seed_lookup *nested = lookup->nested; nested != NULL; nested = nested->next)
        write_lookup_join(plan, nested, sql);
    lido__buffer_format(sql, " LEFT JOIN %s AS l%zu ON ", lookup->target->quoted, lookup->number);
    for (size_t i = 0; i < lookup->field_count; i++, first = false) {
        write_list(sql, " AND ", first);
        lido__buffer_format(sql, "l%zu.%s = s.c%zu", lookup->number,
                            lookup->target->columns[lookup->target_fields[i]].quoted, lookup->fields[i] + 1);
    }
    for (const lido__seed_lookup *nested = lookup->nested; nested != NULL; nested = nested->next, first = false) {
        write_list(sql, " AND ", first);
        lido__buffer_format(sql, "l%zu.%s = l%zu.%s", lookup->number, lookup->target->columns[nested->column].quoted,
                            nested->number, nested->target->columns[nested->target_column].quoted);
    }
}

/* " FROM pg_temp.lido_seed_1 AS s LEFT JOIN users AS l1 ON l1.name = s.c2" */
static void write_from(const lido__seed_plan *plan, lido__database_type type, lido__buffer *sql) {
    lido__buffer_text(sql, " FROM ");
    lido__seed_sql_staging(plan, type, sql);
    lido__buffer_text(sql, " AS s");
    for (const lido__seed_lookup *lookup = plan->lookups; lookup != NULL; lookup = lookup->next)
        write_lookup_join(plan, lookup, sql);
}

static void write_value(const lido__seed_target *target, lido__buffer *sql) {
    const lido__seed_lookup *lookup = target->lookup;
    if (lookup != NULL)
        lido__buffer_format(sql, "l%zu.%s", lookup->number, lookup->target->columns[lookup->target_column].quoted);
    else
        lido__buffer_format(sql, "s.c%zu", target->place + 1);
}

/* "t.id = s.c1" */
static void write_match(const lido__seed_plan *plan, lido__buffer *sql) {
    bool first = true;
    for (size_t i = 0; i < plan->target_count; i++) {
        if (!plan->targets[i].in_key)
            continue;
        write_list(sql, " AND ", first);
        lido__buffer_format(sql, "t.%s = ", plan->table->columns[plan->targets[i].column].quoted);
        write_value(&plan->targets[i], sql);
        first = false;
    }
}

static void write_known(const lido__seed_plan *plan, lido__buffer *sql) {
    lido__buffer_format(sql, "EXISTS (SELECT 1 FROM %s AS t WHERE ", plan->table->quoted);
    write_match(plan, sql);
    lido__buffer_char(sql, ')');
}

/* ---- Statements ---- */

/* SQLite's column types may be anything; what they mean there is their affinity (section 3.1 of its datatype3.html),
 * which all comparisons go by. */
static const char *affinity_of(const char *type) {
    static const char *const words[][2] = {{"int", "INTEGER"}, {"char", "TEXT"}, {"clob", "TEXT"}, {"text", "TEXT"},
                                           {"blob", "BLOB"},   {"real", "REAL"}, {"floa", "REAL"}, {"doub", "REAL"}};
    if (type[0] == '\0')
        return "BLOB";
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasestr(type, words[i][0]) != NULL)
            return words[i][1];
    return "NUMERIC";
}

void lido__seed_sql_create_staging(const lido__seed_plan *plan, lido__database_type type, lido__buffer *sql) {
    bool sqlite = type == LIDO__SQLITE;
    lido__buffer_text(sql, "CREATE TEMPORARY TABLE ");
    write_name(plan, sql);
    lido__buffer_format(sql, " (lido_mark smallint, lido_row %s", sqlite ? "INTEGER PRIMARY KEY" : "bigint");
    for (size_t i = 0; i < plan->place_count; i++)
        lido__buffer_format(sql, ", c%zu %s", i + 1,
                            sqlite ? affinity_of(plan->places[i]->type) : plan->places[i]->type);
    lido__buffer_text(sql, sqlite ? ")" : ") ON COMMIT DROP");
}

/* Those that wait are NULL, also where the column has a default. */
static void write_values(const lido__seed_plan *plan, lido__buffer *sql) {
    for (size_t i = 0; i < plan->target_count; i++) {
        write_list(sql, ", ", i == 0);
        if (plan->targets[i].waits)
            lido__buffer_text(sql, "NULL");
        else
            write_value(&plan->targets[i], sql);
    }
}

void lido__seed_sql_insert(const lido__seed_plan *plan, lido__database_type type, lido__buffer *sql) {
    lido__buffer_format(sql, "INSERT INTO %s (", plan->table->quoted);
    for (size_t i = 0; i < plan->target_count; i++) {
        write_list(sql, ", ", i == 0);
        lido__buffer_text(sql, plan->table->columns[plan->targets[i].column].quoted);
    }
    lido__buffer_text(sql, type == LIDO__POSTGRESQL ? ") OVERRIDING SYSTEM VALUE SELECT " : ") SELECT ");
    write_values(plan, sql);
    write_from(plan, type, sql);
    lido__buffer_text(sql, " WHERE s.lido_row BETWEEN ? AND ? AND NOT ");
    write_known(plan, sql);
    for (const lido__seed_lookup *lookup = plan->lookups; lookup != NULL; lookup = lookup->next)
        if (lookup->own && lookup->required)
            lido__buffer_format(sql, " AND l%zu.%s IS NOT NULL", lookup->number,
                                lookup->target->columns[lookup->target_column].quoted);
    lido__buffer_text(sql, " ORDER BY s.lido_row");
}

static void write_difference(const lido__seed_plan *plan, const lido__seed_target *target, lido__buffer *sql) {
    const lido__catalogue_column *column = &plan->table->columns[target->column];
    lido__buffer_format(sql,
                        column->incomparable ? "CAST(t.%s AS text) IS DISTINCT FROM CAST(" : "t.%s IS DISTINCT FROM ",
                        column->quoted);
    write_value(target, sql);
    lido__buffer_text(sql, column->incomparable ? " AS text)" : "");
}

static bool is_version(const lido__seed_plan *plan, const lido__seed_target *target) {
    return plan->source->versions != NULL && target->lookup == NULL && target->place < plan->source->column_count &&
           plan->source->versions[target->place];
}

static bool is_updated(const lido__seed_plan *plan, const lido__seed_target *target, bool waiting) {
    bool generated = plan->generates && target->lookup == NULL && target->place + 1 == plan->place_count;
    return !target->in_key && !generated && !is_version(plan, target) && target->waits == waiting;
}

/* Once for each row that changes: those that are mended and marked have it raised already, or begin with it. */
static void write_version(const lido__seed_plan *plan, bool waiting, lido__seed_mark mark, lido__buffer *sql) {
    for (size_t i = 0; i < plan->target_count; i++) {
        const char *name = plan->table->columns[plan->targets[i].column].quoted;
        if (is_version(plan, &plan->targets[i]) && (!waiting || mark == LIDO__SEED_UNMARKED))
            lido__buffer_format(sql, ", %s = t.%s + 1", name, name);
    }
}

/* " AND (t.price IS DISTINCT FROM s.c2 OR …)" */
static void write_differences(const lido__seed_plan *plan, bool waiting, lido__buffer *sql) {
    bool first = true;
    for (size_t i = 0; i < plan->target_count; i++) {
        if (!is_updated(plan, &plan->targets[i], waiting))
            continue;
        lido__buffer_text(sql, first ? " AND (" : " OR ");
        write_difference(plan, &plan->targets[i], sql);
        first = false;
    }
    lido__buffer_char(sql, ')');
}

static bool updates_any(const lido__seed_plan *plan, bool waiting) {
    for (size_t i = 0; i < plan->target_count; i++)
        if (is_updated(plan, &plan->targets[i], waiting))
            return true;
    return false;
}

void lido__seed_sql_update(const lido__seed_plan *plan, lido__database_type type, bool waiting, lido__seed_mark mark,
                           lido__buffer *sql) {
    bool first = true;
    if (!updates_any(plan, waiting))
        return;
    lido__buffer_format(sql, "UPDATE %s AS t SET ", plan->table->quoted);
    for (size_t i = 0; i < plan->target_count; i++) {
        if (!is_updated(plan, &plan->targets[i], waiting))
            continue;
        write_list(sql, ", ", first);
        lido__buffer_format(sql, "%s = ", plan->table->columns[plan->targets[i].column].quoted);
        write_value(&plan->targets[i], sql);
        first = false;
    }
    write_version(plan, waiting, mark, sql);
    write_from(plan, type, sql);
    lido__buffer_text(sql, " WHERE s.lido_row BETWEEN ? AND ? AND ");
    if (mark == LIDO__SEED_UNMARKED)
        lido__buffer_text(sql, "s.lido_mark IS NULL AND ");
    else if (mark != LIDO__SEED_ANY)
        lido__buffer_format(sql, "s.lido_mark = %d AND ", (int)mark);
    write_match(plan, sql);
    write_differences(plan, waiting, sql);
}

static void write_mark(const lido__seed_plan *plan, lido__database_type type, lido__seed_mark mark, lido__buffer *sql) {
    lido__buffer_text(sql, "UPDATE ");
    lido__seed_sql_staging(plan, type, sql);
    lido__buffer_format(sql, " SET lido_mark = %d WHERE lido_row IN (SELECT s.lido_row", (int)mark);
    write_from(plan, type, sql);
}

void lido__seed_sql_mark_new(const lido__seed_plan *plan, lido__database_type type, lido__buffer *sql) {
    write_mark(plan, type, LIDO__SEED_NEW, sql);
    lido__buffer_text(sql, " WHERE NOT ");
    write_known(plan, sql);
    lido__buffer_char(sql, ')');
}

void lido__seed_sql_mark_changed(const lido__seed_plan *plan, lido__database_type type, lido__buffer *sql) {
    if (!updates_any(plan, false))
        return;
    write_mark(plan, type, LIDO__SEED_CHANGED, sql);
    lido__buffer_format(sql, " JOIN %s AS t ON ", plan->table->quoted);
    write_match(plan, sql);
    lido__buffer_text(sql, " WHERE s.lido_mark IS NULL");
    write_differences(plan, false, sql);
    lido__buffer_char(sql, ')');
}

/* By what the source has, for what a name stands for is not known yet in each case. */
void lido__seed_sql_find_duplicates(const lido__seed_plan *plan, lido__database_type type, lido__buffer *sql) {
    bool first = true;
    lido__buffer_text(sql, "SELECT min(s.lido_row), max(s.lido_row) FROM ");
    lido__seed_sql_staging(plan, type, sql);
    lido__buffer_text(sql, " AS s GROUP BY ");
    for (size_t i = 0; i < plan->place_count; i++) {
        if (!plan->place_in_key[i])
            continue;
        write_list(sql, ", ", first);
        lido__buffer_format(sql, "s.c%zu", i + 1);
        first = false;
    }
    lido__buffer_text(sql, " HAVING count(*) > 1 ORDER BY 2 LIMIT 1");
}

size_t lido__seed_lookup_places(const lido__seed_lookup *lookup, size_t *places) {
    size_t count = lookup->field_count;
    for (size_t i = 0; i < count; i++)
        places[i] = lookup->fields[i];
    for (const lido__seed_lookup *nested = lookup->nested; nested != NULL; nested = nested->next)
        count += lido__seed_lookup_places(nested, places + count);
    return count;
}

void lido__seed_sql_find_missing(const lido__seed_plan *plan, lido__database_type type, const lido__seed_lookup *lookup,
                                 lido__buffer *sql) {
    size_t places[LIDO__SEED_COLUMNS_MOST];
    size_t count = lido__seed_lookup_places(lookup, places);
    lido__buffer_text(sql, "SELECT s.lido_row");
    for (size_t i = 0; i < count; i++)
        lido__buffer_format(sql, ", CAST(s.c%zu AS text)", places[i] + 1);
    write_from(plan, type, sql);
    lido__buffer_format(sql, " WHERE l%zu.%s IS NULL AND (", lookup->number,
                        lookup->target->columns[lookup->target_column].quoted);
    for (size_t i = 0; i < count; i++)
        lido__buffer_format(sql, "%ss.c%zu IS NOT NULL", i > 0 ? " OR " : "", places[i] + 1);
    lido__buffer_text(sql, ") ORDER BY s.lido_row LIMIT 1");
}
