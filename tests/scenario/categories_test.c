/* Errors that the database finds: the same mistake has the same category on every one, and where SQLite's codes are
 * translated, the same SQLSTATE. */
#include "support/scenario.h"

#include <pthread.h>
#include <string.h>

static const char schema[] = "CREATE TABLE owners (id integer PRIMARY KEY);"
                             "CREATE TABLE items ("
                             " id integer PRIMARY KEY,"
                             " name text NOT NULL,"
                             " code text UNIQUE,"
                             " price integer CONSTRAINT price_is_fair CHECK (price > 0),"
                             " owner_id integer CONSTRAINT has_owner REFERENCES owners (id),"
                             " a integer, b integer, UNIQUE (a, b));"
                             "INSERT INTO owners VALUES (1);"
                             "INSERT INTO items VALUES (1, 'lamp', 'L', 10, 1, 1, 1)";

static bool on_postgres(void) {
    return strcmp(scenario_database(), "postgres") == 0;
}

static lido_session *session_on_shop(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    assert_int_equal(lido_script(db, schema), 4);
    return db;
}

/* Runs what must fail and says how: "unique violation 23505". */
static const lido_error *wrong(lido_session *db, const char *sql) {
    const lido_error *error = lido_error_of(db);
    lido_execv(db, sql, 0, NULL);
    saw("%s %s", lido_category_name(error->category), error->sqlstate);
    if (on_postgres())
        assert_int_equal(error->native_code, 0);
    else if (error->category != LIDO_ERROR_BUSY && error->category != LIDO_ERROR_TIMEOUT) /* it may be lido's own */
        assert_int_not_equal(error->native_code, 0);
    return error;
}

/* For what is told in the database's own SQLSTATE. */
static void wrong_in_category(lido_session *db, const char *sql) {
    lido_execv(db, sql, 0, NULL);
    saw_error(db);
    assert_int_equal(strlen(lido_error_of(db)->sqlstate), 5);
}

/* What the databases tell of where it happened: each knows other things. */
static void tells(const lido_error *error, const char *table, const char *sqlite_column, const char *postgres_column,
                  const char *constraint) {
    assert_string_equal(error->table, table);
    assert_string_equal(error->column, on_postgres() ? postgres_column : sqlite_column);
    assert_string_equal(error->constraint, constraint);
}

/* ---- Constraints ---- */

static void story_of_uniqueness(lido_engine *engine) {
    lido_session *db = session_on_shop(engine);
    bool postgres = on_postgres();
    tells(wrong(db, "INSERT INTO items (id, name) VALUES (1, 'chair')"), "items", "id", "",
          postgres ? "items_pkey" : "");
    tells(wrong(db, "INSERT INTO items (id, name, code) VALUES (2, 'chair', 'L')"), "items", "code", "",
          postgres ? "items_code_key" : "");
    tells(wrong(db, "INSERT INTO items (id, name, a, b) VALUES (2, 'chair', 1, 1)"), "items", "", "",
          postgres ? "items_a_b_key" : "");
    lido_exec(db, "CREATE UNIQUE INDEX names ON items (name)");
    tells(wrong(db, "INSERT INTO items (id, name) VALUES (2, 'lamp')"), "items", "name", "", "names");
    lido_exec(db, "CREATE UNIQUE INDEX small_names ON items (lower(name))");
    tells(wrong(db, "INSERT INTO items (id, name) VALUES (2, 'LAMP')"), postgres ? "items" : "", "", "", "small_names");
    saw("retryable %d", lido_error_of(db)->retryable);
    lido_session_close(db);
}

static void story_of_foreign_keys(lido_engine *engine) {
    lido_session *db = session_on_shop(engine);
    bool postgres = on_postgres();
    tells(wrong(db, "INSERT INTO items (id, name, owner_id) VALUES (2, 'chair', 7)"), postgres ? "items" : "", "", "",
          postgres ? "has_owner" : "");
    tells(wrong(db, "UPDATE items SET owner_id = 7"), postgres ? "items" : "", "", "", postgres ? "has_owner" : "");
    tells(wrong(db, "DELETE FROM owners"), postgres ? "items" : "", "", "", postgres ? "has_owner" : "");
    tells(wrong(db, "UPDATE owners SET id = 8"), postgres ? "items" : "", "", "", postgres ? "has_owner" : "");
    lido_session_close(db);
}

static void story_of_null_and_check(lido_engine *engine) {
    lido_session *db = session_on_shop(engine);
    tells(wrong(db, "INSERT INTO items (id) VALUES (2)"), "items", "name", "name", "");
    tells(wrong(db, "UPDATE items SET name = NULL"), "items", "name", "name", "");
    tells(wrong(db, "UPDATE items SET price = 0"), on_postgres() ? "items" : "", "", "", "price_is_fair");
    lido_session_close(db);
}

/* ---- SQL that is wrong ---- */

static void story_of_wrong_sql(lido_engine *engine) {
    lido_session *db = session_on_shop(engine);
    wrong(db, "SELEC * FROM items");
    wrong(db, "SELECT * FROM items WHERE");
    wrong(db, "SELECT 'lamp FROM items");
    wrong(db, "INSERT INTO items VALUES (1, 2");
    wrong(db, "SELECT * FROM nowhere");
    wrong(db, "INSERT INTO nowhere VALUES (1)");
    wrong(db, "DROP TABLE nowhere");
    wrong(db, "SELECT colour FROM items");
    wrong(db, "SELECT \"colour\" FROM items");
    wrong(db, "UPDATE items SET colour = 'red'");
    wrong(db, "INSERT INTO items (colour) VALUES ('red')");
    wrong(db, "SELECT no_such_thing(id) FROM items");
    wrong(db, "SELECT id FROM items, owners");
    wrong_in_category(db, "SELECT abs(1, 2, 3)");
    wrong_in_category(db, "CREATE TABLE items (id integer)");
    wrong_in_category(db, "INSERT INTO owners VALUES (1, 2)");
    wrong_in_category(db, "SELECT id FROM items GROUP BY count(*)");
    lido_session_close(db);
}

/* ---- Values that do not fit ---- */

static void story_of_values_that_do_not_fit(lido_engine *engine) {
    bool postgres = on_postgres();
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_exec(db, "SELECT abs(CAST(? AS bigint))", INT64_MIN);
    saw("%s %s", lido_category_name(lido_error_of(db)->category), lido_error_of(db)->sqlstate);
    wrong(db, postgres ? "SELECT CAST('{' AS json)" : "SELECT json('{')");
    lido_exec(db, postgres ? "CREATE TABLE strict (n integer)" : "CREATE TABLE strict (n integer) STRICT");
    lido_exec(db, "INSERT INTO strict VALUES (?)", 1);
    saw_error(db);
    wrong_in_category(db, "INSERT INTO strict VALUES ('lamp')");
    saw("rows %d", (int)lido_query_value(db, "SELECT count(*) FROM strict").as.integer);
    lido_session_close(db);
}

/* What PostgreSQL refuses and SQLite has an answer to. */
static void story_of_what_differs(lido_engine *engine) {
    static const char *const texts[] = {
        "SELECT 1 / 0",                    /* NULL */
        "SELECT CAST('lamp' AS integer)",  /* 0 */
        "INSERT INTO loose VALUES ('one')" /* stays a text, unless the table is STRICT */
    };
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_exec(db, "CREATE TABLE loose (n integer)");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        lido_execv(db, texts[i], 0, NULL);
        lido_category expected = on_postgres() ? LIDO_ERROR_TYPE : LIDO_ERROR_NONE;
        saw("as expected %d", lido_error_of(db)->category == expected);
    }
    lido_session_close(db);
}

static void story_of_values_read_wrongly(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = true});
    lido_rows *rows = lido_query(db, "SELECT 'lamp', NULL, 3000000000 AS number");
    assert_true(lido_next(rows));
    int small = 7;
    lido_get_double(rows, 0);
    saw_error(db);
    lido_rollback(db);
    lido_get_int64(rows, 1);
    saw_error(db);
    lido_rollback(db);
    lido_scan(rows, &(const char *){NULL}, &(lido_value){0}, &small);
    saw_error(db);
    saw("message: %s", lido_error_of(db)->message);
    lido_rollback(db);
    lido_get(rows, 3);
    saw_error(db);
    lido_rollback(db);
    lido_column(rows, "colour");
    saw_error(db);
    lido_session_close(db);
}

/* ---- Who may, and when ---- */

static void story_of_read_only(lido_engine *engine) {
    lido_session_close(session_on_shop(engine));
    for (int autocommit = 0; autocommit < 2; autocommit++) {
        lido_session *db =
            lido_session_open(engine, &(lido_session_options){.read_only = true, .autocommit = autocommit});
        lido_exec(db, "DELETE FROM items");
        saw("%s %s", lido_category_name(lido_error_of(db)->category), lido_error_of(db)->sqlstate);
        lido_session_close(db);
    }
}

static void story_of_a_lock(lido_engine *unused) {
    (void)unused;
    lido_options options = LIDO_OPTIONS_INIT;
    options.busy_timeout_ms = 20;
    lido_engine *engine = scenario_engine(&options);
    lido_session *waiter = session_on_shop(engine);
    lido_session *holder = lido_session_open(engine, NULL);
    lido_exec(holder, "UPDATE items SET price = 20");
    if (on_postgres())
        wrong(waiter, "SELECT * FROM items FOR UPDATE NOWAIT");
    else
        wrong(waiter, "UPDATE items SET price = 30");
    saw("retryable %d", lido_error_of(waiter)->retryable);
    saw("holder: %s", lido_status_name(lido_commit(holder)));
    saw("waiter: %d", (int)lido_exec(waiter, "UPDATE items SET price = 30"));
    lido_session_close(holder);
    lido_session_close(waiter);
    lido_engine_close(engine);
}

static void story_of_a_statement_that_takes_too_long(lido_engine *engine) {
    const lido_session_options options = {.statement_timeout_ms = 50};
    lido_session *db = lido_session_open(engine, &options);
    wrong(db, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT count(*) FROM n");
    saw("retryable %d", lido_error_of(db)->retryable);
    saw("commit: %s", lido_status_name(lido_commit(db)));
    saw("%d", (int)lido_query_value(db, "SELECT 1").as.integer);
    saw("commit: %s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

/* On a thread of its own: one that waits for itself would be told at once. */
static void *wait_too_long(void *engine) {
    lido_session *waiter = lido_session_open(engine, &(lido_session_options){.statement_timeout_ms = 50});
    wrong(waiter, "UPDATE items SET price = 30");
    saw("waiter: %s", lido_status_name(lido_commit(waiter)));
    lido_session_close(waiter);
    return NULL;
}

static void story_of_a_lock_that_takes_too_long(lido_engine *engine) {
    pthread_t thread;
    lido_session_close(session_on_shop(engine));
    lido_session *holder = lido_session_open(engine, NULL);
    lido_exec(holder, "UPDATE items SET price = 20");
    assert_int_equal(pthread_create(&thread, NULL, wait_too_long, engine), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    saw("holder: %s", lido_status_name(lido_commit(holder)));
    saw("afterwards: %d", (int)lido_exec(holder, "UPDATE items SET price = 30"));
    saw("holder: %s", lido_status_name(lido_commit(holder)));
    lido_session_close(holder);
}

/* ---- What the library refuses by itself ---- */

static void saw_refusal(lido_session *db) {
    const lido_error *error = lido_error_of(db);
    saw("%s, %s", lido_category_name(error->category), error->doing);
    assert_string_equal(error->sqlstate, "");
    assert_false(error->retryable);
    lido_rollback(db);
}

static void story_of_misuse(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_query(db, "SELECT ?, ?", 1);
    saw_refusal(db);
    lido_query(db, "SELECT ?, :a", 1, 2);
    saw_refusal(db);
    lido_exec(db, "CREATE TABLE a (n integer); CREATE TABLE b (n integer)");
    saw_refusal(db);
    lido_rows *rows = lido_query(db, "SELECT 1");
    lido_get_int64(rows, 0); /* before lido_next */
    saw_refusal(db);
    lido_session_close(db);
}

static void story_of_transaction_control(lido_engine *engine) {
    static const char *const texts[] = {"BEGIN",
                                        "begin immediate",
                                        "START TRANSACTION",
                                        "COMMIT",
                                        "commit;",
                                        "/* now */ COMMIT",
                                        "-- now\nCOMMIT",
                                        "END",
                                        "ROLLBACK",
                                        "ABORT",
                                        "SAVEPOINT a",
                                        "RELEASE a",
                                        "ROLLBACK TO a",
                                        "RELEASE SAVEPOINT a"};
    for (int autocommit = 0; autocommit < 2; autocommit++) {
        lido_session *db = lido_session_open(engine, &(lido_session_options){.autocommit = autocommit});
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
            lido_execv(db, texts[i], 0, NULL);
            if (lido_error_of(db)->category != LIDO_ERROR_MISUSE)
                fail_msg("%s is let through", texts[i]);
            lido_rollback(db);
        }
        saw("in a string %d", (int)lido_query_value(db, "SELECT length('; COMMIT;')").as.integer);
        lido_session_close(db);
    }
}

int main(void) {
    const scenario scenarios[] = {
        {"keys that are there already", story_of_uniqueness,
         "unique violation 23505\nunique violation 23505\nunique violation 23505\nunique violation 23505\n"
         "unique violation 23505\nretryable 0\n"},
        {"references to nothing, and to what goes away", story_of_foreign_keys,
         "foreign key violation 23503\nforeign key violation 23503\n"
         "foreign key violation 23503\nforeign key violation 23503\n"},
        {"missing values and values that are not allowed", story_of_null_and_check,
         "not-null violation 23502\nnot-null violation 23502\n"
         "check violation 23514\n"},
        {"SQL that is wrong", story_of_wrong_sql,
         "syntax error or unknown name 42601\nsyntax error or unknown name 42601\nsyntax error or unknown name 42601\n"
         "syntax error or unknown name 42601\n"
         "syntax error or unknown name 42P01\nsyntax error or unknown name 42P01\nsyntax error or unknown name 42P01\n"
         "syntax error or unknown name 42703\nsyntax error or unknown name 42703\nsyntax error or unknown name 42703\n"
         "syntax error or unknown name 42703\n"
         "syntax error or unknown name 42883\n"
         "syntax error or unknown name 42702\n"
         "syntax error or unknown name\nsyntax error or unknown name\nsyntax error or unknown name\n"
         "syntax error or unknown name\n"},
        {"values that do not fit", story_of_values_that_do_not_fit,
         "type mismatch 22003\n"
         "type mismatch 22P02\n"
         "no error\n"
         "type mismatch\n"
         "rows 1\n"},
        {"what PostgreSQL alone refuses", story_of_what_differs, "as expected 1\nas expected 1\nas expected 1\n"},
        {"values read as what they are not", story_of_values_read_wrongly,
         "type mismatch\n"
         "type mismatch\n"
         "type mismatch\n"
         "message: column 2 (number) cannot be read as an int: it is out of the range of int\n"
         "misuse\n"
         "misuse\n"},
        {"a write where only reading is allowed", story_of_read_only, "read-only 25006\nread-only 25006\n"},
        {"a lock that another has", story_of_a_lock,
         "busy 55P03\n"
         "retryable 1\n"
         "holder: ok\n"
         "waiter: 1\n"},
        {"a statement that takes too long", story_of_a_statement_that_takes_too_long,
         "timeout 57014\n"
         "retryable 0\n"
         "commit: rolled back\n"
         "1\n"
         "commit: ok\n"},
        {"calls that are wrong", story_of_misuse,
         "misuse, preparing a statement\n"
         "misuse, reading a statement\n"
         "misuse, preparing a statement\n"
         "misuse, reading a value\n"},
        {"transaction control in SQL", story_of_transaction_control,
         "in a string 9\n"
         "in a string 9\n"},
        {"a lock that takes too long", story_of_a_lock_that_takes_too_long,
         "timeout 57014\n"
         "waiter: rolled back\n"
         "holder: ok\n"
         "afterwards: 1\n"
         "holder: ok\n"},
    };
    return scenarios_run("categories", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
