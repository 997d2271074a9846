/* Making and dropping tables, one process at a time: on PostgreSQL a lock of lido's own keeps the others waiting until
 * the transaction ends, on SQLite the writer's turn and the file's lock do. Which tables are there is asked once that
 * is held. */
#include <lido/schema.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <lido/statement.h>

#include "base/fault.h"
#include "core/session.h"
#include "model/ddl.h"
#include "model/turn.h"

typedef struct schema_work {
    lido_session *session;
    lido__ddl ddl;
    lido__arena arena;
    bool *there; /* for each plan: whether its table is */
} schema_work;

static bool is_postgres(const schema_work *work) {
    return work->ddl.database == LIDO__POSTGRESQL;
}

/* ---- Beginning and end ---- */

static bool fail(schema_work *work, const char *doing) {
    lido_session *session = work->session;
    if (session->failed)
        return false;
    lido__fault_memory(&session->error, doing); /* unless it is set */
    lido__session_fail(session, doing);
    return false;
}

static bool begin_work(schema_work *work, lido_session *session, size_t count, const lido_model *const *models,
                       const char *doing) {
    *work = (schema_work){.session = session, .arena = LIDO__ARENA_INIT};
    if (session->error.status != LIDO_OK)
        lido__fault_clear(&session->error); /* the last transaction's */
    work->ddl = (lido__ddl){.database = session->engine->config.type, .arena = &work->arena, .error = &session->error};
    work->there = lido__arena_allocate(&work->arena, count * sizeof *work->there);
    if (work->there == NULL || !lido__ddl_order(&work->ddl, count, models))
        return fail(work, doing);
    return true;
}

/* ---- What is there ---- */

/* Runs a question about all tables, which has them as asked (number, name). NULL: the session has failed. */
static lido_rows *ask_of_all(schema_work *work, const char *question) {
    lido__buffer sql = LIDO__BUFFER_INIT;
    lido_rows *rows = NULL;
    lido_value *names = lido__arena_allocate(&work->arena, work->ddl.count * sizeof *names);
    for (size_t i = 0; names != NULL && i < work->ddl.count; i++) {
        names[i] = lido_value_text(work->ddl.plans[i]->table);
        lido__buffer_format(&sql, "%s (%zu, ?::text)", i == 0 ? "WITH asked (number, name) AS (VALUES" : ",", i);
    }
    lido__buffer_format(&sql, ") %s", question);
    if (names == NULL || lido__buffer_string(&sql) == NULL)
        fail(work, "looking for tables");
    else
        rows = lido_queryv(work->session, lido__buffer_string(&sql), work->ddl.count, names);
    lido__buffer_done(&sql);
    return rows;
}

static void ask_postgres(schema_work *work) {
    lido_rows *rows = ask_of_all(work, "SELECT pg_catalog.to_regclass(name) IS NOT NULL FROM asked ORDER BY number");
    for (size_t i = 0; lido_next(rows); i++)
        work->there[i] = lido_get_bool(rows, 0);
    lido_rows_close(rows);
}

static void ask_sqlite(schema_work *work) {
    for (size_t i = 0; i < work->ddl.count; i++) {
        const lido__plan *plan = work->ddl.plans[i];
        const char *sql = lido__arena_format(&work->arena,
                                             "SELECT count(*) FROM %s.sqlite_schema WHERE name = ? COLLATE NOCASE "
                                             "AND type IN ('table', 'view')",
                                             plan->schema != NULL ? plan->schema_quoted : "main");
        lido_value name = lido_value_text(plan->table_name);
        if (sql == NULL)
            fail(work, "looking for tables");
        else
            work->there[i] = lido_query_valuev(work->session, sql, 1, &name).as.integer > 0;
    }
}

/* Takes the transaction's lock, and then looks. */
static bool look(schema_work *work) {
    if (work->ddl.count == 0 || !lido__queue_begin_to_write(work->session))
        return work->ddl.count == 0;
    if (!is_postgres(work))
        ask_sqlite(work);
    else if (lido__turn_take(work->session))
        ask_postgres(work);
    return !work->session->failed;
}

/* ---- Making ---- */

static void create_missing(schema_work *work) {
    const lido__plan *plan = NULL;
    bool there = false;
    for (size_t i = 0, number = 0; i < work->ddl.statement_count; i++) {
        const lido__ddl_statement *statement = &work->ddl.statements[i];
        if (statement->plan != plan) {
            for (number = 0; work->ddl.plans[number] != statement->plan;)
                number++;
            plan = statement->plan;
            there = work->there[number];
        }
        if (!there)
            lido_sendv(work->session, statement->sql, 0, NULL);
    }
    lido__queue_run(work->session, NULL);
}

bool lido_create_all(lido_session *session, size_t count, const lido_model *const *models) {
    schema_work work;
    bool own;
    bool done = false;
    if (!lido__session_is_ready(session, ""))
        return false;
    if (begin_work(&work, session, count, models, "making tables") &&
        (lido__ddl_create(&work.ddl) || fail(&work, "making tables")) && lido__transaction_whole_begin(session, &own)) {
        if (look(&work))
            create_missing(&work);
        done = lido__transaction_whole_end(session, own);
    }
    lido__arena_done(&work.arena);
    return done;
}

/* ---- Dropping ---- */

static bool refuse_dropping(schema_work *work, const char *table, const char *other) {
    lido_error *error = &work->session->error;
    lido__fault(error, LIDO_ERROR_OTHER, "cannot drop table %s because table %s refers to it", table, other);
    lido__fault_hint(error, "drop that table, too, or its reference");
    lido__fault_field(error->sqlstate, sizeof error->sqlstate, "2BP01"); /* dependent objects still exist */
    lido__fault_field(error->table, sizeof error->table, other);
    lido__session_fail(work->session, "dropping tables");
    return false;
}

/* The server would say only that there is something. */
static bool are_free(schema_work *work) {
    lido_rows *rows = ask_of_all(work, "SELECT r.confrelid::pg_catalog.regclass::text,"
                                       " r.conrelid::pg_catalog.regclass::text FROM pg_catalog.pg_constraint r WHERE"
                                       " r.contype = 'f' AND r.confrelid IN (SELECT pg_catalog.to_regclass(name) FROM"
                                       " asked) AND NOT EXISTS (SELECT FROM asked WHERE pg_catalog.to_regclass(name) ="
                                       " r.conrelid) ORDER BY 1, 2 LIMIT 1");
    bool found = lido_next(rows);
    if (found)
        refuse_dropping(work, lido_get_text(rows, 0), lido_get_text(rows, 1));
    lido_rows_close(rows);
    return !found && !work->session->failed;
}

/* One statement, so that tables that refer to each other go together. */
static void drop_on_postgres(schema_work *work) {
    if (!are_free(work))
        return;
    lido__buffer sql = LIDO__BUFFER_INIT;
    for (size_t i = work->ddl.count; i-- > 0;)
        if (work->there[i])
            lido__buffer_format(&sql, "%s%s", sql.size == 0 ? "DROP TABLE " : ", ", work->ddl.plans[i]->table);
    const char *text = lido__buffer_string(&sql);
    if (text == NULL)
        fail(work, "dropping tables");
    else if (sql.size > 0)
        lido_execv(work->session, text, 0, NULL);
    lido__buffer_done(&sql);
}

/* Whether tables refer to each other in a circle: then not all of them come before what they refer to. */
static bool has_circle(const lido__ddl *ddl) {
    for (size_t i = 0; i < ddl->count; i++)
        for (size_t j = 0; j < ddl->plans[i]->reference_count; j++)
            for (size_t later = i + 1; later < ddl->count; later++)
                if (ddl->plans[later]->model == ddl->plans[i]->references[j].target)
                    return true;
    return false;
}

static bool is_dropped(const schema_work *work, const lido__plan *besides, const char *table) {
    for (size_t i = 0; i < work->ddl.count; i++) {
        const lido__plan *plan = work->ddl.plans[i];
        bool same_schema = strcmp(plan->schema != NULL ? plan->schema : "main",
                                  besides->schema != NULL ? besides->schema : "main") == 0;
        if (same_schema && strcasecmp(plan->table_name, table) == 0)
            return true;
    }
    return false;
}

/* SQLite would delete, or change, what refers to a table's rows, if its reference says so. */
static bool is_free(schema_work *work, const lido__plan *plan) {
    const char *schema = plan->schema != NULL ? plan->schema_quoted : "main";
    const char *sql = lido__arena_format(&work->arena,
                                         "SELECT DISTINCT t.name FROM %s.sqlite_schema t JOIN"
                                         " pragma_foreign_key_list(t.name, $2) r WHERE t.type = 'table' AND"
                                         " r.\"table\" = $1 COLLATE NOCASE",
                                         schema);
    const lido_value parameters[] = {lido_value_text(plan->table_name),
                                     lido_value_text(plan->schema != NULL ? plan->schema : "main")};
    if (sql == NULL)
        return fail(work, "dropping tables");
    lido_rows *rows = lido_queryv(work->session, sql, 2, parameters);
    bool is_free = true;
    while (is_free && lido_next(rows))
        is_free = is_dropped(work, plan, lido_get_text(rows, 0)) ||
                  refuse_dropping(work, plan->table_name, lido_get_text(rows, 0));
    lido_rows_close(rows);
    return is_free && !work->session->failed;
}

/* A table's rows are deleted with it, and references to them are looked at: in a circle, when all are gone. */
static void drop_on_sqlite(schema_work *work) {
    bool circle = has_circle(&work->ddl);
    for (size_t i = 0; i < work->ddl.count; i++)
        if (work->there[i] && !is_free(work, work->ddl.plans[i]))
            return;
    if (circle)
        lido_execv(work->session, "PRAGMA defer_foreign_keys = ON", 0, NULL);
    for (size_t i = work->ddl.count; i-- > 0;) {
        const char *sql = lido__arena_format(&work->arena, "DROP TABLE %s", work->ddl.plans[i]->table);
        if (sql == NULL)
            fail(work, "dropping tables");
        else if (work->there[i])
            lido_execv(work->session, sql, 0, NULL);
    }
    if (circle)
        lido_execv(work->session, "PRAGMA defer_foreign_keys = OFF", 0, NULL);
}

bool lido_drop_all(lido_session *session, size_t count, const lido_model *const *models) {
    schema_work work;
    bool own;
    bool done = false;
    if (!lido__session_is_ready(session, ""))
        return false;
    if (begin_work(&work, session, count, models, "dropping tables") && lido__transaction_whole_begin(session, &own)) {
        if (look(&work) && is_postgres(&work))
            drop_on_postgres(&work);
        else if (!session->failed)
            drop_on_sqlite(&work);
        done = lido__transaction_whole_end(session, own);
    }
    lido__arena_done(&work.arena);
    return done;
}

/* ---- Printing ---- */

static bool read_backend(const char *backend, lido__database_type *database, lido_error *error) {
    *database = LIDO__POSTGRESQL;
    if (backend != NULL && strcmp(backend, "sqlite") == 0)
        *database = LIDO__SQLITE;
    else if (backend == NULL || strcmp(backend, "postgresql") != 0)
        return lido__fault(error, LIDO_ERROR_MISUSE, "the backend is %s: \"sqlite\" and \"postgresql\" are allowed",
                           backend != NULL ? backend : "NULL");
    return true;
}

static bool write_ddl(lido__buffer *text, const lido__ddl *ddl) {
    for (size_t i = 0; i < ddl->statement_count; i++) {
        const char *sql = lido__ddl_translate(ddl->arena, ddl->statements[i].sql, ddl->database, ddl->error);
        if (sql == NULL)
            return false;
        lido__buffer_format(text, "%s%s;\n", i > 0 ? "\n" : "", sql);
    }
    return lido__buffer_string(text) != NULL;
}

size_t lido_schema_ddl(const char *backend, size_t count, const lido_model *const *models, char *buffer, size_t size,
                       lido_error *error) {
    lido_error ignored = LIDO_ERROR_INIT;
    lido__arena arena = LIDO__ARENA_INIT;
    lido__buffer text = LIDO__BUFFER_INIT;
    lido__ddl ddl = {.arena = &arena, .error = error != NULL ? error : &ignored};
    lido__fault_clear(ddl.error);
    bool done = read_backend(backend, &ddl.database, ddl.error) && lido__ddl_order(&ddl, count, models) &&
                lido__ddl_create(&ddl) && write_ddl(&text, &ddl);
    if (!done) {
        lido__fault_memory(ddl.error, "writing a schema"); /* unless it is set */
        lido__fault_doing(ddl.error, "writing a schema");
        lido__buffer_clear(&text);
    }
    if (size > 0)
        snprintf(buffer, size, "%s", done ? lido__buffer_string(&text) : "");
    size_t length = text.size;
    lido__buffer_done(&text);
    lido__arena_done(&arena);
    return length;
}

size_t lido_model_count(const lido_model *const *models) {
    size_t count = 0;
    while (models != NULL && models[count] != NULL)
        count++;
    return count;
}
