/* One source into one table. What a step does is said in seed_load.h, and with which SQL in seed_sql.h. */
#include "model/seed_load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lido/statement.h>

#include "base/fault.h"
#include "model/seed_feed.h"
#include "model/seed_sql.h"

static const char doing[] = "seeding";

/* From so many staged rows on PostgreSQL is told to look at how they are, before it plans what to do with them. */
enum { ANALYSE_FROM = 1000 };

static lido__database_type type_of(const lido__seeding *seeding) {
    return seeding->session->engine->config.type;
}

/* ---- Errors ---- */

bool lido__seeding_fail(lido__seeding *seeding, const lido_error *error) {
    seeding->session->error = *error;
    lido__session_fail(seeding->session, doing);
    return false;
}

static bool is_of_row(lido_category category) {
    return category == LIDO_ERROR_UNIQUE || category == LIDO_ERROR_FOREIGN_KEY || category == LIDO_ERROR_NOT_NULL ||
           category == LIDO_ERROR_CHECK || category == LIDO_ERROR_TYPE || category == LIDO_ERROR_OTHER;
}

/* "c3" of a staging table as the source's own name. */
static const char *column_of(const lido__seed_plan *plan, const char *staged) {
    size_t place = staged[0] == 'c' ? (size_t)strtoull(staged + 1, NULL, 10) : 0;
    return place > 0 && place <= plan->source->column_count ? plan->source->columns[place - 1] : NULL;
}

/* Puts the place into the session's error; number 0: it is not known which row it is. */
static bool tell_place(lido__seeding *seeding, const lido__seed_plan *plan, bool ordinal, int64_t number,
                       const char *column) {
    lido_error *error = &seeding->session->error;
    int64_t row = 0;
    int64_t line = 0;
    char name[sizeof error->column];
    /* SQLite names a column for a key that is there already, PostgreSQL the key; the message has either. */
    lido__fault_field(name, sizeof name, error->category != LIDO_ERROR_UNIQUE ? column : NULL);
    if (number > 0)
        lido__seed_feed_locate(plan, ordinal, number, &row, &line);
    lido__seed_fault_place(plan->source, error, line, row, name[0] != '\0' ? name : NULL);
    return false;
}

/* A bulk insert failed: for the source, whose error says where, or at the database. */
static bool bulk_failed(lido__seeding *seeding, const lido__seed_plan *plan, bool staged) {
    lido_error *error = &seeding->session->error;
    if (seeding->fault.status != LIDO_OK)
        return lido__seeding_fail(seeding, &seeding->fault);
    if (!is_of_row(error->category))
        return false;
    return tell_place(seeding, plan, true, error->row, staged ? column_of(plan, error->column) : error->column);
}

static bool fail_row(lido__seeding *seeding, const lido__seed_plan *plan, lido_category category, int64_t number,
                     const char *column, const char *message) {
    lido_error error = LIDO_ERROR_INIT;
    lido__fault(&error, category, "%s", message);
    lido__fault_field(error.table, sizeof error.table, plan->table->name);
    lido__seeding_fail(seeding, &error);
    return tell_place(seeding, plan, false, number, column);
}

/* ---- Statements ---- */

/* The text, which lasts as long as the run; NULL: the session has failed. Empties the buffer. */
static const char *keep_sql(lido__seeding *seeding, lido__buffer *sql) {
    const char *text = lido__buffer_string(sql);
    const char *kept = text != NULL ? lido__arena_copy(&seeding->arena, text, sql->size) : NULL;
    lido__buffer_done(sql);
    *sql = (lido__buffer)LIDO__BUFFER_INIT;
    if (kept == NULL)
        lido__session_refuse(seeding->session, LIDO_ERROR_OUT_OF_MEMORY, NULL, "memory ran out while seeding");
    return kept;
}

static bool run(lido__seeding *seeding, lido__buffer *sql) {
    const char *text = keep_sql(seeding, sql);
    if (text != NULL)
        lido_execv(seeding->session, text, 0, NULL);
    return !lido_failed(seeding->session);
}

static int64_t run_part(lido__seeding *seeding, const char *sql, int64_t first, int64_t last) {
    const lido_value parameters[] = {lido_value_int64(first), lido_value_int64(last)};
    return lido_execv(seeding->session, sql, 2, parameters);
}

/* Which row makes the statement fail, that did for all: of the rows before it, all went well. */
static int64_t find_culprit(lido__seeding *seeding, const char *sql, int64_t rows) {
    lido_session *session = seeding->session;
    int64_t first = 1;
    int64_t last = rows;
    while (first < last && !lido_failed(session)) {
        int64_t middle = first + (last - first) / 2;
        int savepoint = lido_savepoint_begin(session);
        run_part(seeding, sql, first, middle);
        if (lido_failed(session)) {
            lido_savepoint_rollback(session, savepoint);
            last = middle;
        } else {
            lido_savepoint_release(session, savepoint, NULL);
            first = middle + 1;
        }
    }
    run_part(seeding, sql, first, first);
    return first;
}

/* The last savepoint's statement has failed. */
static bool blame(lido__seeding *seeding, const lido__seed_plan *plan, const char *sql, int savepoint) {
    lido_session *session = seeding->session;
    lido_error error = session->error;
    if (!is_of_row(error.category))
        return false;
    lido_savepoint_rollback(session, savepoint);
    if (lido_failed(session))
        return false;
    int64_t row = find_culprit(seeding, sql, plan->rows);
    bool found = lido_failed(session) && session->error.category == error.category;
    if (!found) /* it took all of them together */
        lido__seeding_fail(seeding, &error);
    return tell_place(seeding, plan, false, found ? row : 0, session->error.column);
}

/* Runs a statement for all staged rows. */
static bool run_for_rows(lido__seeding *seeding, const lido__seed_plan *plan, lido__buffer *sql, int64_t *changed) {
    lido_session *session = seeding->session;
    *changed = 0;
    const char *text = keep_sql(seeding, sql);
    if (text == NULL)
        return false;
    if (text[0] == '\0')
        return true;
    int savepoint = lido_savepoint_begin(session);
    *changed = run_part(seeding, text, 1, plan->rows);
    if (lido_failed(session))
        return blame(seeding, plan, text, savepoint);
    return lido_savepoint_release(session, savepoint, NULL) == LIDO_OK;
}

/* ---- The direct way ---- */

static bool can_go_directly(lido__seeding *seeding, const lido__seed_plan *plan) {
    lido__buffer sql = LIDO__BUFFER_INIT;
    if (plan->lookups != NULL || lido__seed_plan_waits(plan))
        return false;
    lido__buffer_format(&sql, "SELECT count(*) FROM (SELECT 1 FROM %s LIMIT 1) AS first_row", plan->table->quoted);
    const char *text = keep_sql(seeding, &sql);
    return text != NULL && lido_query_valuev(seeding->session, text, 0, NULL).as.integer == 0 &&
           !lido_failed(seeding->session);
}

static int64_t insert_directly(lido__seeding *seeding, const lido__seed_plan *plan) {
    lido__seed_feed feed;
    int64_t count = 0;
    const char **columns = lido__arena_allocate(&seeding->arena, plan->place_count * sizeof *columns);
    for (size_t i = 0; columns != NULL && i < plan->place_count; i++)
        columns[i] = plan->places[i]->quoted;
    if (columns == NULL)
        lido__session_refuse(seeding->session, LIDO_ERROR_OUT_OF_MEMORY, NULL, "memory ran out while seeding");
    else if (lido__seed_feed_open(&feed, seeding, plan, false))
        count = lido__insert(seeding->session, plan->table->quoted, plan->place_count, columns, &feed.base);
    if (columns != NULL)
        lido__seed_feed_close(&feed);
    return count;
}

/* Sets *done if there is nothing left to do, one way or the other. */
static bool load_directly(lido__seeding *seeding, const lido__seed_plan *plan, bool *done) {
    lido_session *session = seeding->session;
    int savepoint = lido_savepoint_begin(session);
    int64_t count = insert_directly(seeding, plan);
    *done = true;
    if (!lido_failed(session)) {
        seeding->counts.inserted += count;
        return lido_savepoint_release(session, savepoint, NULL) == LIDO_OK;
    }
    if (seeding->fault.status != LIDO_OK || !is_of_row(session->error.category))
        return bulk_failed(seeding, plan, false);
    lido_savepoint_rollback(session, savepoint); /* the staging table will tell which row it is */
    *done = lido_failed(session);
    return !*done;
}

/* ---- The way over a staging table ---- */

static const char **staging_columns(lido__seeding *seeding, const lido__seed_plan *plan) {
    const char **columns = lido__arena_allocate(&seeding->arena, (plan->place_count + 1) * sizeof *columns);
    for (size_t i = 0; columns != NULL && i <= plan->place_count; i++)
        columns[i] = i == 0 ? "lido_row" : lido__arena_format(&seeding->arena, "c%zu", i);
    if (seeding->arena.out_of_memory) {
        lido__session_refuse(seeding->session, LIDO_ERROR_OUT_OF_MEMORY, NULL, "memory ran out while seeding");
        return NULL;
    }
    return columns;
}

static bool fill_staging(lido__seeding *seeding, lido__seed_plan *plan) {
    lido__seed_feed feed;
    lido__buffer name = LIDO__BUFFER_INIT;
    const char **columns = staging_columns(seeding, plan);
    lido__seed_sql_staging(plan, type_of(seeding), &name);
    const char *table = columns != NULL ? keep_sql(seeding, &name) : NULL;
    lido__buffer_done(&name);
    if (table == NULL)
        return false;
    if (lido__seed_feed_open(&feed, seeding, plan, true))
        lido__insert(seeding->session, table, plan->place_count + 1, columns, &feed.base);
    plan->rows = plan->source->row;
    lido__seed_feed_close(&feed);
    return !lido_failed(seeding->session) || bulk_failed(seeding, plan, true);
}

static bool stage(lido__seeding *seeding, lido__seed_plan *plan) {
    lido__buffer sql = LIDO__BUFFER_INIT;
    lido__seed_sql_create_staging(plan, type_of(seeding), &sql);
    if (!run(seeding, &sql))
        return false;
    plan->staged = true;
    if (!fill_staging(seeding, plan))
        return false;
    if (type_of(seeding) == LIDO__SQLITE || plan->rows < ANALYSE_FROM)
        return true;
    lido__buffer_text(&sql, "ANALYZE ");
    lido__seed_sql_staging(plan, type_of(seeding), &sql);
    return run(seeding, &sql);
}

static bool check_duplicates(lido__seeding *seeding, const lido__seed_plan *plan) {
    lido__buffer sql = LIDO__BUFFER_INIT;
    char message[80];
    lido__seed_sql_find_duplicates(plan, type_of(seeding), &sql);
    const char *text = keep_sql(seeding, &sql);
    lido_rows *rows = text != NULL ? lido_queryv(seeding->session, text, 0, NULL) : NULL;
    int64_t first = 0;
    int64_t second = 0;
    if (lido_next(rows)) {
        first = lido_get_int64(rows, 0);
        second = lido_get_int64(rows, 1);
    }
    lido_rows_close(rows);
    if (second == 0)
        return !lido_failed(seeding->session);
    snprintf(message, sizeof message, "the same key as in row %" PRId64, first);
    return fail_row(seeding, plan, LIDO_ERROR_UNIQUE, second, NULL, message);
}

/* "name = ada" of the row that is not there. */
static void describe_missing(const lido__seed_plan *plan, const lido__seed_lookup *lookup, lido_rows *rows,
                             lido__buffer *message) {
    size_t places[LIDO__SEED_COLUMNS_MOST];
    size_t count = lido__seed_lookup_places(lookup, places);
    lido__buffer_format(message, "there is no row of table %s with", lookup->target->name);
    for (size_t i = 0; i < count; i++) {
        const char *column = strchr(plan->source->columns[places[i]], '.');
        const char *value = lido_get_text(rows, i + 1);
        lido__buffer_format(message, "%s %s = %.100s", i > 0 ? " and" : "", column != NULL ? column + 1 : "",
                            value != NULL ? value : "NULL");
    }
}

/* A reference by name that is to nothing. */
static bool check_lookup(lido__seeding *seeding, const lido__seed_plan *plan, const lido__seed_lookup *lookup) {
    lido__buffer sql = LIDO__BUFFER_INIT;
    lido__buffer message = LIDO__BUFFER_INIT;
    lido__seed_sql_find_missing(plan, type_of(seeding), lookup, &sql);
    const char *text = keep_sql(seeding, &sql);
    lido_rows *rows = text != NULL ? lido_queryv(seeding->session, text, 0, NULL) : NULL;
    int64_t row = lido_next(rows) ? lido_get_int64(rows, 0) : 0;
    if (row > 0)
        describe_missing(plan, lookup, rows, &message);
    lido_rows_close(rows);
    const char *problem = lido__buffer_string(&message);
    if (row > 0 && !lido_failed(seeding->session)) {
        const char *column = plan->source->columns[lookup->field_count > 0 ? lookup->fields[0] : 0];
        fail_row(seeding, plan, LIDO_ERROR_FOREIGN_KEY, row, column, problem != NULL ? problem : "missing reference");
    }
    lido__buffer_done(&message);
    return !lido_failed(seeding->session);
}

static bool waits(const lido__seed_plan *plan, const lido__seed_lookup *lookup) {
    for (size_t i = 0; i < plan->target_count; i++)
        if (plan->targets[i].lookup == lookup)
            return plan->targets[i].waits;
    return false;
}

/* Those that wait, those that each level makes possible, or the others. */
static bool check_lookups(lido__seeding *seeding, const lido__seed_plan *plan, bool waiting, bool levels) {
    for (const lido__seed_lookup *lookup = plan->lookups; lookup != NULL; lookup = lookup->next) {
        bool is_level = lookup->own && lookup->required;
        if (waits(plan, lookup) == waiting && is_level == levels && !check_lookup(seeding, plan, lookup))
            return false;
    }
    return true;
}

static bool update_known(lido__seeding *seeding, const lido__seed_plan *plan) {
    lido__buffer sql = LIDO__BUFFER_INIT;
    int64_t changed = 0;
    if (!seeding->options.update)
        return true;
    lido__seed_sql_update(plan, type_of(seeding), false, LIDO__SEED_ANY, &sql);
    bool done = run_for_rows(seeding, plan, &sql, &changed);
    seeding->counts.updated += changed;
    return done;
}

static bool insert_new(lido__seeding *seeding, const lido__seed_plan *plan, int64_t *inserted) {
    lido__buffer sql = LIDO__BUFFER_INIT;
    int64_t changed;
    bool levels = lido__seed_plan_has_levels(plan);
    *inserted = 0;
    do {
        lido__seed_sql_insert(plan, type_of(seeding), &sql);
        if (!run_for_rows(seeding, plan, &sql, &changed))
            return false;
        *inserted += changed;
    } while (levels && changed > 0);
    return !levels || check_lookups(seeding, plan, false, true);
}

static int64_t count_staged(lido__seeding *seeding, const lido__seed_plan *plan) {
    lido__buffer sql = LIDO__BUFFER_INIT;
    lido__buffer_text(&sql, "SELECT count(*) FROM ");
    lido__seed_sql_staging(plan, type_of(seeding), &sql);
    const char *text = keep_sql(seeding, &sql);
    return text != NULL ? lido_query_valuev(seeding->session, text, 0, NULL).as.integer : 0;
}

/* So that it is known later which rows are to be mended, and which of those were counted. */
static bool mark_rows(lido__seeding *seeding, const lido__seed_plan *plan) {
    lido__buffer sql = LIDO__BUFFER_INIT;
    lido__seed_sql_mark_new(plan, type_of(seeding), &sql);
    if (!run(seeding, &sql) || !seeding->options.update)
        return !lido_failed(seeding->session);
    lido__seed_sql_mark_changed(plan, type_of(seeding), &sql);
    return sql.size == 0 || run(seeding, &sql);
}

static bool load_staged(lido__seeding *seeding, lido__seed_plan *plan) {
    int64_t updated_before = seeding->counts.updated;
    int64_t inserted;
    if (!stage(seeding, plan) || !check_duplicates(seeding, plan) || !check_lookups(seeding, plan, false, false))
        return false;
    int64_t rows = count_staged(seeding, plan);
    if (lido__seed_plan_waits(plan) && !mark_rows(seeding, plan))
        return false;
    if (!update_known(seeding, plan) || !insert_new(seeding, plan, &inserted))
        return false;
    seeding->counts.inserted += inserted;
    seeding->counts.unchanged += rows - inserted - (seeding->counts.updated - updated_before);
    return true;
}

/* ---- All of it ---- */

bool lido__seed_load(lido__seeding *seeding, lido__seed_plan *plan) {
    bool done = false;
    bool good = true;
    if (can_go_directly(seeding, plan))
        good = load_directly(seeding, plan, &done);
    if (lido_failed(seeding->session))
        return false;
    if (good && !done)
        good = load_staged(seeding, plan);
    seeding->bytes_before += plan->source->in_file;
    return good;
}

static bool mend(lido__seeding *seeding, const lido__seed_plan *plan, lido__seed_mark mark, int64_t *changed) {
    lido__buffer sql = LIDO__BUFFER_INIT;
    lido__seed_sql_update(plan, type_of(seeding), true, mark, &sql);
    return run_for_rows(seeding, plan, &sql, changed);
}

bool lido__seed_mend(lido__seeding *seeding, lido__seed_plan *plan) {
    int64_t changed;
    if (!lido__seed_plan_waits(plan))
        return true;
    if (!check_lookups(seeding, plan, true, false) || !mend(seeding, plan, LIDO__SEED_NEW, &changed))
        return false;
    if (!seeding->options.update)
        return true;
    if (!mend(seeding, plan, LIDO__SEED_CHANGED, &changed) || !mend(seeding, plan, LIDO__SEED_UNMARKED, &changed))
        return false;
    seeding->counts.updated += changed;
    seeding->counts.unchanged -= changed;
    return true;
}

/* A sequence knows nothing of keys that were given, and would give them again. */
static bool advance(lido__seeding *seeding, const lido__seed_plan *plan, const lido__catalogue_column *column) {
    lido__buffer sql = LIDO__BUFFER_INIT;
    const lido_value name = lido_value_text(column->sequence);
    lido_value allowed = lido_query_valuev(seeding->session,
                                           "SELECT pg_catalog.has_sequence_privilege($1, 'UPDATE') AND "
                                           "pg_catalog.has_sequence_privilege($1, 'SELECT')",
                                           1, &name);
    if (lido_failed(seeding->session) || !allowed.as.boolean)
        return !lido_failed(seeding->session);
    lido__buffer_format(
        &sql,
        "SELECT pg_catalog.setval($1::pg_catalog.regclass, m.most) FROM (SELECT max(%s)::bigint AS most"
        " FROM %s) AS m, %s AS n WHERE m.most >= n.last_value + CASE WHEN n.is_called THEN 1 ELSE 0 END",
        column->quoted, plan->table->quoted, column->sequence);
    const char *text = keep_sql(seeding, &sql);
    if (text != NULL)
        lido_execv(seeding->session, text, 1, &name);
    return !lido_failed(seeding->session);
}

bool lido__seed_advance(lido__seeding *seeding, const lido__seed_plan *plan) {
    for (size_t i = 0; i < plan->target_count; i++) {
        const lido__catalogue_column *column = &plan->table->columns[plan->targets[i].column];
        if (column->sequence != NULL && plan->targets[i].lookup == NULL && !advance(seeding, plan, column))
            return false;
    }
    return true;
}
