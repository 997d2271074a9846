/* Inserting many structs of one model in the fastest way that the database has (core/bulk.h).
 *
 * That way returns nothing, so what the database is to give is asked for before, all of it at once: on PostgreSQL,
 * keys from the sequence of the identity column and fallbacks, as many of each as there are rows; on SQLite, where
 * nobody else can insert meanwhile, the last key. Where SQLite is to number all of the rows, it tells the keys
 * afterwards. What cannot be had like that is inserted row by row, all in one batch. */
#include "core/bulk.h"

#include <stdlib.h>
#include <string.h>

#include "base/convert.h"
#include "base/fault.h"
#include "model/sql_type.h"
#include "model/unit.h"

enum { PAYS_FROM = 32, BATCH = 500 };

bool lido__insert_pays(size_t count) {
    return count >= PAYS_FROM;
}

static bool is_postgres(const lido_session *session) {
    return session->engine->config.type == LIDO__POSTGRESQL;
}

/* ---- Row by row ---- */

/* One struct's references. *waits: what it refers to has no key yet; only a flush comes back to that. */
static bool fill_references(lido_session *session, const lido__set *set, const lido__structs *structs, size_t index,
                            bool *waits) {
    const lido__reference *pending;
    void *object = lido__structs_at(structs, index);
    *waits = false;
    if (structs->objects == NULL)
        return lido__references_need(session, set, object, NULL);
    if (set->plan->reference_count > 0)
        *waits = !lido__references_fill(session, set, object, NULL, &pending);
    return !session->failed;
}

/* Fills a batch, which ends before what refers to one of the batch that has no key yet. Returns how many; 0: the
 * session has failed. */
static size_t gather(lido_session *session, lido__set *set, const lido__structs *structs, size_t first,
                     lido__write *writes) {
    size_t count = 0;
    for (; count < BATCH && first + count < structs->count; count++) {
        bool waits;
        if (!fill_references(session, set, structs, first + count, &waits))
            return 0;
        if (waits && count > 0)
            break;
        writes[count] = (lido__write){.kind = LIDO__WRITE_INSERT,
                                      .set = set,
                                      .object = lido__structs_at(structs, first + count),
                                      .late = lido__structs_late(structs, first + count)};
    }
    return count;
}

/* So that the next batch knows them. */
static bool rekey(lido_session *session, lido__set *set, const lido__structs *structs, size_t first, size_t count) {
    for (size_t i = first; structs->objects != NULL && i < first + count; i++)
        if (structs->objects[i]->unkeyed && !lido__set_rekey(session, set, structs->objects[i]))
            return false;
    return true;
}

static bool insert_each(lido_session *session, lido__set *set, const lido__structs *structs) {
    lido__write *writes = calloc(BATCH, sizeof *writes);
    bool done = writes != NULL || lido__unit_out_of_memory(session);
    for (size_t first = 0, count; done && first < structs->count; first += count) {
        count = gather(session, set, structs, first, writes);
        done = count > 0 && lido__writes_run(session, count, writes) && rekey(session, set, structs, first, count);
    }
    free(writes);
    return done;
}

/* ---- What the database gives ---- */

/* Whether a struct takes anything from the database. */
static bool takes(const lido__plan *plan, const void *object) {
    for (size_t i = 0; i < plan->column_count; i++)
        if (lido__column_is_left_out(&plan->columns[i], object))
            return true;
    return false;
}

/* Which columns any of the structs leaves out; returns how many of the structs leave out any. */
static size_t find_taken(const lido__plan *plan, const lido__structs *structs, bool *taken) {
    size_t count = 0;
    memset(taken, 0, plan->column_count * sizeof *taken);
    for (size_t at = 0; at < structs->count; at++) {
        bool any = false;
        for (size_t i = 0; i < plan->column_count; i++)
            if (lido__column_is_left_out(&plan->columns[i], lido__structs_at(structs, at)))
                any = taken[i] = true;
        count += any;
    }
    return count;
}

/* SELECT of a row of given values for each struct. The sequence is looked up once: OFFSET 0 keeps it out of the loop.
 * */
static const char *write_question(lido_session *session, const lido__plan *plan, const bool *taken) {
    lido__buffer *text = &((lido__unit_of_work *)session->unit)->text;
    bool first = true;
    lido__buffer_clear(text);
    for (size_t i = 0; i < plan->column_count; i++) {
        const lido__column *column = &plan->columns[i];
        if (!taken[i])
            continue;
        lido__buffer_text(text, first ? "SELECT " : ", ");
        first = false;
        if (column->generated == LIDO__GENERATED_IDENTITY)
            lido__buffer_text(text, "pg_catalog.nextval(s.name)");
        else
            lido__buffer_format(text, "CAST((%s) AS %s)", column->part->fallback,
                                lido__part_sql_type(column->part, LIDO__POSTGRESQL));
    }
    lido__buffer_text(text,
                      " FROM (SELECT CAST(pg_catalog.pg_get_serial_sequence($1, $2) AS pg_catalog.regclass) AS name "
                      "OFFSET 0) AS s, "
                      "pg_catalog.generate_series(1, CAST($3 AS bigint))");
    return lido__buffer_string(text);
}

/* One struct's. *given: false if a key is NULL, for there is no sequence. */
static bool take_row(lido_session *session, const lido__set *set, const bool *taken, const lido_value *row,
                     void *object, bool *given) {
    size_t at = 0;
    for (size_t i = 0; i < set->plan->column_count; i++) {
        const lido__column *column = &set->plan->columns[i];
        if (!taken[i])
            continue;
        const lido_value *value = &row[at++];
        if (column->generated == LIDO__GENERATED_IDENTITY && value->kind == LIDO_KIND_NULL)
            return !(*given = false);
        if (lido__column_is_left_out(column, object) && !lido__read_column(session, set, column, value, object))
            return false;
    }
    return true;
}

static bool take_from_postgres(lido_session *session, const lido__set *set, const lido__structs *structs, size_t count,
                               const bool *taken, bool *given) {
    const lido__plan *plan = set->plan;
    const char *sql = write_question(session, plan, taken);
    const lido_value values[] = {lido_value_text(plan->table),
                                 lido_value_text(plan->generated != NULL ? plan->generated->name : plan->keys[0]->name),
                                 lido_value_int64((int64_t)count)};
    if (sql == NULL)
        return lido__unit_out_of_memory(session);
    lido_rows *rows = lido_queryv(session, sql, 3, values);
    bool done = rows != NULL;
    for (size_t i = 0; done && *given && i < structs->count; i++) {
        void *object = lido__structs_at(structs, i);
        if (takes(plan, object))
            done = lido_next(rows) && take_row(session, set, taken, rows->row, object, given);
    }
    lido_rows_close(rows);
    return done && !session->failed;
}

/* The DELETE of nothing makes it our turn to write, so that what is read next stays as it is until then. */
static bool take_turn(lido_session *session, const lido__plan *plan) {
    lido__buffer *text = &((lido__unit_of_work *)session->unit)->text;
    lido__buffer_clear(text);
    lido__buffer_format(text, "DELETE FROM %s WHERE false", plan->table);
    if (lido__buffer_string(text) == NULL)
        return lido__unit_out_of_memory(session);
    lido_sendv(session, lido__buffer_string(text), 0, NULL);
    return !session->failed;
}

/* The keys behind the last one. */
static bool number_for_sqlite(lido_session *session, const lido__set *set, const lido__structs *structs, bool *given) {
    const lido__column *key = set->plan->generated;
    lido__buffer *text = &((lido__unit_of_work *)session->unit)->text;
    if (!take_turn(session, set->plan))
        return false;
    lido__buffer_clear(text);
    lido__buffer_format(text, "SELECT max(%s) FROM %s", key->quoted, set->plan->table);
    if (lido__buffer_string(text) == NULL)
        return lido__unit_out_of_memory(session);
    lido_value value = lido_query_valuev(session, lido__buffer_string(text), 0, NULL);
    int64_t last = value.kind == LIDO_KIND_INT64 && value.as.integer > 0 ? value.as.integer : 0;
    for (size_t i = 0; i < structs->count; i++) {
        lido__convert_member((const char *)lido__structs_at(structs, i) + key->offset, key->kind, &value);
        last = value.kind == LIDO_KIND_INT64 && value.as.integer > last ? value.as.integer : last;
    }
    *given = last < INT64_MAX - (int64_t)structs->count; /* else SQLite looks for a free one */
    for (size_t i = 0; !session->failed && *given && i < structs->count; i++) {
        void *object = lido__structs_at(structs, i);
        value = lido_value_int64(last + 1);
        if (!lido__column_is_left_out(key, object))
            continue;
        if (!lido__read_column(session, set, key, &value, object))
            return false;
        last++;
    }
    return !session->failed;
}

static bool refers_to_itself(const lido__plan *plan) {
    for (size_t i = 0; i < plan->reference_count; i++)
        if (plan->references[i].target == plan->model)
            return true;
    return false;
}

/* Where all rows are to be numbered, and none must know the number of another, SQLite does it as it inserts them: it
 * need not look then whether there is such a row, which takes it a fifth of the time. */
static bool are_numbered(const lido_session *session, const lido__plan *plan, const lido__structs *structs) {
    if (is_postgres(session) || plan->generated == NULL || plan->generated->generated != LIDO__GENERATED_IDENTITY ||
        refers_to_itself(plan))
        return false;
    for (size_t i = 0; i < plan->column_count; i++)
        if (plan->columns[i].part->fallback != NULL)
            return false;
    for (size_t i = 0; i < structs->count; i++)
        if (!lido__member_is_zero(plan->generated, lido__structs_at(structs, i)))
            return false;
    return true;
}

/* Whether the key of the table is what SQLite numbers rows by. The table may be another than the model would make:
 * in one whose key is a bigint, or has an index of its own, as INTEGER PRIMARY KEY DESC has, NULL would be stored. And
 * where the last key is below zero, the next ones might be 0, which is none. *numbers: the answer. */
static bool ask_whether_numbers(lido_session *session, const lido__plan *plan, bool *numbers) {
    const lido_value values[] = {lido_value_text(plan->table_name), lido_value_text(plan->generated->name),
                                 lido_value_text(plan->schema != NULL ? plan->schema : "main"),
                                 lido_value_bool(plan->schema == NULL)};
    lido__buffer *text = &((lido__unit_of_work *)session->unit)->text;
    if (!take_turn(session, plan))
        return false;
    lido__buffer_clear(text);
    lido__buffer_format(text,
                        "SELECT min(l.type = 'table' AND l.wr = 0 AND i.pk = 1 AND upper(i.type) = 'INTEGER') AND "
                        "NOT EXISTS (SELECT 1 FROM pragma_index_list(l.name, l.schema) WHERE origin = 'pk') AND "
                        "(SELECT coalesce(max(%s), 0) FROM %s) >= 0 "
                        "FROM pragma_table_list(?) AS l, pragma_table_info(l.name, l.schema) AS i "
                        "WHERE lower(i.name) = ? AND l.schema IN (?, CASE WHEN ? THEN 'temp' END)",
                        plan->generated->quoted, plan->table);
    if (lido__buffer_string(text) == NULL)
        return lido__unit_out_of_memory(session);
    lido_value value = lido_query_valuev(session, lido__buffer_string(text), 4, values);
    *numbers = value.kind == LIDO_KIND_INT64 && value.as.integer == 1;
    return !session->failed;
}

/* Gives the structs what they leave out. *given: false if that cannot be done but by inserting them. */
static bool give(lido_session *session, const lido__set *set, const lido__structs *structs, bool *given) {
    const lido__plan *plan = set->plan;
    bool *taken = malloc(plan->column_count * sizeof *taken);
    if (taken == NULL)
        return lido__unit_out_of_memory(session);
    size_t count = find_taken(plan, structs, taken);
    bool done = true;
    *given = true;
    for (size_t i = 0; !is_postgres(session) && i < plan->column_count; i++)
        *given = *given && (!taken[i] || plan->columns[i].generated == LIDO__GENERATED_IDENTITY);
    if (count > 0 && *given)
        done = is_postgres(session) ? take_from_postgres(session, set, structs, count, taken, given)
                                    : number_for_sqlite(session, set, structs, given);
    free(taken);
    return done;
}

/* ---- In bulk ---- */

typedef struct object_source {
    lido__row_source base; /* first: the core hands it back */
    lido_session *session;
    const lido__set *set;
    const lido__structs *structs;
    const lido__column *numbered; /* that key is NULL, for SQLite to give; NULL: none */
    size_t next;
    lido_value *row;
} object_source;

static lido_supply fetch_object(lido__row_source *base, const lido_value **row, const char **why) {
    object_source *source = (object_source *)base;
    const lido__plan *plan = source->set->plan;
    (void)why;
    if (source->next == source->structs->count)
        return LIDO_ROWS_END;
    const char *object = lido__structs_at(source->structs, source->next);
    const lido__object *late = lido__structs_late(source->structs, source->next++);
    for (size_t i = 0; i < plan->column_count; i++) {
        const lido__column *column = &plan->columns[i];
        lido__convert_member(object + column->offset, column->kind, &source->row[i]);
        if (column == source->numbered)
            source->row[i].kind = LIDO_KIND_NULL;
        if (late != NULL && lido__column_is_late(source->session, source->set, column, late))
            source->row[i].kind = LIDO_KIND_NULL;
    }
    *row = source->row;
    return LIDO_ROWS_MORE;
}

static bool take_numbers(lido_session *session, const lido__set *set, const lido__structs *structs,
                         const int64_t *keys) {
    for (size_t i = 0; i < structs->count; i++) {
        const lido_value value = lido_value_int64(keys[i]);
        if (keys[i] == 0)
            return lido__model_refuse(session, set->model, LIDO_ERROR_OTHER,
                                      "the database took %s number %zu and inserted no row", set->model->name, i + 1);
        if (!lido__read_column(session, set, set->plan->generated, &value, lido__structs_at(structs, i)))
            return false;
    }
    return true;
}

static bool insert_in_bulk(lido_session *session, lido__set *set, const lido__structs *structs, bool numbered) {
    const lido__plan *plan = set->plan;
    const char **names = malloc(plan->column_count * sizeof *names);
    int64_t *keys = numbered ? calloc(structs->count, sizeof *keys) : NULL;
    object_source source = {.base = {.fetch = fetch_object, .count = (int64_t)structs->count, .keys = keys},
                            .session = session,
                            .set = set,
                            .structs = structs,
                            .numbered = numbered ? plan->generated : NULL,
                            .row = calloc(plan->column_count, sizeof *source.row)};
    bool done = names != NULL && source.row != NULL && (keys != NULL || !numbered);
    if (!done)
        lido__unit_out_of_memory(session);
    for (size_t i = 0; done && i < plan->column_count; i++)
        names[i] = plan->columns[i].quoted;
    done = done && lido__insert(session, plan->table, plan->column_count, names, &source.base) != 0;
    done = done && (!numbered || take_numbers(session, set, structs, keys));
    free(keys);
    free(source.row);
    free(names);
    return done;
}

/* Which of them it was, if the database told. */
static void blame(lido_session *session, lido__set *set, const lido__structs *structs) {
    int64_t row = session->error.row;
    if (row >= 1 && (size_t)row <= structs->count)
        lido__write_blame(session, &(lido__write){.kind = LIDO__WRITE_INSERT,
                                                  .set = set,
                                                  .object = lido__structs_at(structs, (size_t)row - 1)});
}

static bool fill_all_references(lido_session *session, const lido__set *set, const lido__structs *structs) {
    bool waits;
    for (size_t i = 0; i < structs->count; i++)
        if (!fill_references(session, set, structs, i, &waits))
            return false;
    return true;
}

bool lido__insert_all(lido_session *session, lido__set *set, const lido__structs *structs) {
    bool given = true;
    for (size_t i = 0; i < structs->count; i++)
        lido__insert_prepare(session, set->plan, lido__structs_at(structs, i));
    if (!lido__insert_pays(structs->count))
        return insert_each(session, set, structs);
    bool numbered = are_numbered(session, set->plan, structs);
    if (numbered && !ask_whether_numbers(session, set->plan, &numbered))
        return false;
    if (!numbered && !give(session, set, structs, &given))
        return false;
    if (!given)
        return insert_each(session, set, structs);
    if ((!numbered && !rekey(session, set, structs, 0, structs->count)) || !fill_all_references(session, set, structs))
        return false;
    if (insert_in_bulk(session, set, structs, numbered))
        return true;
    blame(session, set, structs);
    return false;
}
