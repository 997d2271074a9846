/* Statements: placeholders, what a statement changed and returned, scripts, and texts that are refused. */
#include "support/items.h"

#include <sys/mman.h>
#include <unistd.h>

enum { MEBIBYTE = 1024 * 1024 };

/* The only name that a statement finds. */
static void saw_name(lido_value name) {
    saw("%s", name.kind == LIDO_KIND_TEXT ? name.as.text : lido_kind_name(name.kind));
}

/* ---- Placeholders ---- */

static void story_of_placeholders(lido_engine *engine) {
    lido_session *db = open_with_items(engine, NULL);
    saw_name(lido_query_value(db, "SELECT name FROM items WHERE id = ? AND name = ?", 1, "lamp"));
    saw_name(lido_query_value(db, "SELECT name FROM items WHERE id = $2 AND name = $1", "chair", 2));
    saw_name(lido_query_value(db, "SELECT name FROM items WHERE id = $1 AND id + 1 = $1 + 1", 1));
    saw_name(lido_query_value(db, "SELECT name FROM items WHERE id = :id AND name = :name", LIDO_AS("name", "lamp"),
                              LIDO_AS("id", 1)));
    saw_name(lido_query_value(db, "SELECT name FROM items WHERE id = :id AND name = :name", 2, "chair"));
    saw_name(lido_query_value(db, "SELECT name FROM items WHERE id = :id AND id + 1 = :id + 1", LIDO_AS("id", 2)));
    saw_name(lido_query_value(db, "SELECT '?:a$1' /* ? */ || \"name\" -- :b ?\n FROM items WHERE id = ?", 1));
    saw_name(lido_query_value(db, "SELECT name FROM items WHERE id=?AND name=?", 1, "lamp"));
    saw_name(lido_query_value(db, "SELECT CAST(? AS text)", NULL));
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

static void story_of_wrong_placeholders(lido_engine *engine) {
    static const char by_name[] = "SELECT name FROM items WHERE id = :id AND name = :name";
    lido_session *db = open_with_items(engine, NULL);
    SAW_REFUSAL(db, lido_query(db, "SELECT name FROM items WHERE id = ?"));
    SAW_REFUSAL(db, lido_query(db, "SELECT name FROM items WHERE id = ?", 1, 2));
    SAW_REFUSAL(db, lido_query(db, "SELECT name FROM items", 1));
    SAW_REFUSAL(db, lido_query(db, "SELECT name FROM items WHERE id = $2", 1));
    SAW_REFUSAL(db, lido_query(db, "SELECT name FROM items WHERE id = $0", 1));
    SAW_REFUSAL(db, lido_query(db, "SELECT name FROM items WHERE id = ? AND name = :name", 1, "lamp"));
    SAW_REFUSAL(db, lido_query(db, by_name, LIDO_AS("id", 1), LIDO_AS("nam", "lamp")));
    SAW_REFUSAL(db, lido_query(db, by_name, LIDO_AS("id", 1)));
    SAW_REFUSAL(db, lido_query(db, by_name, LIDO_AS("id", 1), "lamp"));
    SAW_REFUSAL(db, lido_query(db, by_name, LIDO_AS("id", 1), LIDO_AS("name", "lamp"), LIDO_AS("id", 2)));
    SAW_REFUSAL(db, lido_query(db, "SELECT name FROM items WHERE id = ?", LIDO_AS("id", 1)));
    SAW_REFUSAL(db, lido_query(db, by_name, 1));
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

/* "??" is PostgreSQL's operator "?"; SQLite has none such. */
static void story_of_a_question_mark_operator(lido_engine *engine) {
    lido_session *db = open_autocommit(engine);
    if (scenario_is_postgres()) {
        lido_value has_key = lido_query_value(db, "SELECT CAST(? AS jsonb) ?? ?", "{\"a\": 1}", "a");
        assert_int_equal(has_key.kind, LIDO_KIND_BOOL);
        assert_true(has_key.as.boolean);
        assert_true(lido_query_value(db, "SELECT '{\"a\": 1}'::jsonb ??| ARRAY['a', 'b']").as.boolean);
    } else {
        lido_exec(db, "SELECT 'a' ?? 'b'");
        assert_int_equal(lido_error_of(db)->category, LIDO_ERROR_MISUSE);
    }
    lido_session_close(db);
}

static int count_matches(lido_session *db, const char *sql, const char *pattern) {
    return (int)lido_query_value(db, sql, pattern).as.integer;
}

static void story_of_regular_expressions(lido_engine *engine) {
    static const char matching[] = "SELECT count(*) FROM items WHERE name REGEXP ?";
    static const char others[] = "SELECT count(*) FROM items WHERE name NOT REGEXP :pattern";
    lido_session *db = open_with_items(engine, NULL);
    saw("%d %d", count_matches(db, matching, "^la"), count_matches(db, others, "^la"));
    saw("%d %d", count_matches(db, matching, "^(lamp|chair)$"), count_matches(db, others, "[aeiou]{2}"));
    saw("%d %d", count_matches(db, matching, NULL), count_matches(db, others, NULL));
    saw_name(lido_query_value(db, "SELECT name FROM items WHERE name regexp 'ai' AND NOT (name REGEXP 'x')"));
    lido_exec(db, "UPDATE items SET name = ? WHERE id = 3",
              "Gr\xC3\xBC\xC3\x9F"
              "e");
    saw("%d", count_matches(db, matching, "^Gr..e$"));
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

/* ---- What statements change and return ---- */

static void story_of_affected_rows(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    saw("create %d", (int)lido_exec(db, "CREATE TABLE items (id integer PRIMARY KEY, name text)"));
    saw("insert %d", (int)lido_exec(db, "INSERT INTO items VALUES (1, 'a'), (2, 'b'), (3, 'c')"));
    saw("select %d", (int)lido_exec(db, "SELECT * FROM items"));
    saw("update %d", (int)lido_exec(db, "UPDATE items SET name = 'x' WHERE id > ?", 1));
    saw("update %d", (int)lido_exec(db, "UPDATE items SET name = 'x' WHERE id > ?", 9));
    saw("on conflict %d", (int)lido_exec(db, "INSERT INTO items VALUES (1, 'z'), (4, 'd') ON CONFLICT DO NOTHING"));
    saw("delete %d", (int)lido_exec(db, "DELETE FROM items WHERE id = 4"));
    saw("insert select %d", (int)lido_exec(db, "INSERT INTO items SELECT id + 10, name FROM items"));
    saw("copy %d", (int)lido_exec(db, "CREATE TABLE copies AS SELECT * FROM items"));
    saw("alter %d", (int)lido_exec(db, "ALTER TABLE copies ADD COLUMN more text"));
    saw("index %d", (int)lido_exec(db, "CREATE INDEX by_name ON copies (name)"));
    saw("delete all %d", (int)lido_exec(db, "DELETE FROM items"));
    saw("drop %d", (int)lido_exec(db, "DROP TABLE copies"));
    saw("with %d", (int)lido_exec(db, "WITH new (id) AS (VALUES (1), (2)) INSERT INTO items (id) SELECT id FROM new"));
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

static void story_of_cursors(lido_engine *engine) {
    if (!scenario_is_postgres())
        return;
    lido_session *db = open_with_items(engine, NULL);
    lido_exec(db, "DECLARE reader CURSOR FOR SELECT id FROM items");
    lido_rows *rows = lido_query(db, "FETCH 2 FROM reader");
    assert_int_equal(lido_row_count(rows), 2);
    assert_int_equal(lido_affected(rows), 0);
    assert_int_equal(lido_exec(db, "MOVE 1 FROM reader"), 0);
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_session_close(db);
}

/* It would want data that no statement has; the connection is replaced. */
static void story_of_copying(lido_engine *engine) {
    if (!scenario_is_postgres())
        return;
    lido_session *db = open_with_items(engine, NULL);
    lido_commit(db);
    lido_exec(db, "COPY items FROM STDIN");
    assert_int_equal(lido_error_of(db)->category, LIDO_ERROR_MISUSE);
    lido_rollback(db);
    assert_null(lido_stream(db, "COPY items TO STDOUT"));
    assert_int_equal(lido_error_of(db)->category, LIDO_ERROR_MISUSE);
    lido_rollback(db);
    assert_int_equal(lido_query_value(db, "SELECT count(*) FROM items").as.integer, 3);
    lido_session_close(db);
    db = open_autocommit(engine);
    lido_exec(db, "COPY items FROM STDIN");
    assert_int_equal(lido_error_of(db)->category, LIDO_ERROR_MISUSE);
    lido_exec(db, "COPY items TO STDOUT");
    assert_int_equal(lido_error_of(db)->category, LIDO_ERROR_MISUSE);
    assert_int_equal(lido_query_value(db, "SELECT count(*) FROM items").as.integer, 3);
    lido_session_close(db);
}

/* What a server says must not be taken for libpq's own distress, which costs the connection. */
static void story_of_a_server_out_of_memory(lido_engine *engine) {
    static const char raise[] = "DO $$ BEGIN RAISE EXCEPTION 'out of memory' USING ERRCODE = '53200'; END $$";
    if (!scenario_is_postgres())
        return;
    lido_session *db = lido_session_open(engine, NULL);
    int64_t server = lido_query_value(db, "SELECT pg_backend_pid()").as.integer;
    lido_send(db, "SELECT 1");
    lido_exec(db, raise);
    assert_string_equal(lido_error_of(db)->sqlstate, "53200");
    lido_rollback(db);
    assert_int_equal(lido_query_value(db, "SELECT pg_backend_pid()").as.integer, server);
    lido_session_close(db);
}

static void story_of_returning(lido_engine *engine) {
    lido_session *db = open_with_items(engine, NULL);
    lido_rows *rows = lido_query(db, "INSERT INTO items VALUES (?, ?), (?, ?) RETURNING id, name", 7, "bed", 8, "desk");
    saw("%d rows, %d changed", (int)lido_row_count(rows), (int)lido_affected(rows));
    while (lido_next(rows))
        saw("%d %s", (int)lido_get_int64(rows, 0), lido_get_text(rows, 1));
    saw_name(lido_query_value(db, "UPDATE items SET name = name || '!' WHERE id = 7 RETURNING name"));
    saw("%d", (int)lido_exec(db, "DELETE FROM items WHERE id > 2 RETURNING name"));
    rows = lido_query(db, "UPDATE items SET name = name WHERE id < 3");
    saw("%d rows, %d changed, %d columns", (int)lido_row_count(rows), (int)lido_affected(rows),
        (int)lido_column_count(rows));
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

/* In autocommit mode a statement that fails takes none of those with it that were sent along, whatever the
 * isolation. */
static void story_of_statements_sent_along(lido_engine *engine) {
    static const lido_isolation isolations[] = {LIDO_ISOLATION_DEFAULT, LIDO_READ_COMMITTED, LIDO_SERIALISABLE};
    lido_session *db = open_with_items(engine, NULL);
    lido_commit(db);
    for (int i = 0; i < 3; i++) {
        lido_session *autocommit =
            lido_session_open(engine, &(lido_session_options){.autocommit = true, .isolation = isolations[i]});
        lido_send(autocommit, "INSERT INTO items (id) VALUES (?)", 10 + i);
        lido_send(autocommit, "INSERT INTO items VALUES (1, 'twice')");
        lido_send(autocommit, "INSERT INTO items (id) VALUES (?)", 20 + i);
        saw("%s", lido_status_name(lido_commit(autocommit)));
        saw_error(autocommit);
        lido_session_close(autocommit);
    }
    saw("%d", (int)lido_query_value(db, "SELECT count(*) FROM items").as.integer);
    lido_session_close(db);
}

static void story_of_last_keys(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, scenario_is_postgres()
                      ? "CREATE TABLE keyed (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, name text)"
                      : "CREATE TABLE keyed (id integer PRIMARY KEY, name text)");
    lido_savepoint (db) {
        saw("%d", (int)lido_last_key(db));
        saw("failed: %d", lido_failed(db));
    }
    lido_exec(db, "INSERT INTO keyed (name) VALUES ('a')");
    saw("%d", (int)lido_last_key(db));
    lido_send(db, "INSERT INTO keyed (name) VALUES ('b')");
    lido_exec(db, "UPDATE keyed SET name = 'c' WHERE id = 1");
    saw("%d", (int)lido_last_key(db));
    saw("%s", lido_status_name(lido_commit(db)));
    saw("%d", (int)lido_last_key(db)); /* no transaction, no key */
    saw_error(db);
    lido_session_close(db);
    db = open_autocommit(engine);
    lido_exec(db, "INSERT INTO keyed (name) VALUES ('d')");
    saw("%d", (int)lido_last_key(db));
    saw_error(db);
    saw("%d", (int)lido_query_value(db, "INSERT INTO keyed (name) VALUES ('e') RETURNING id").as.integer);
    lido_session_close(db);
}

/* The connection remembers a key; the transaction has none. */
static void story_of_another_transactions_key(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, scenario_is_postgres()
                      ? "CREATE TABLE keyed (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, name text)"
                      : "CREATE TABLE keyed (id integer PRIMARY KEY, name text)");
    lido_exec(db, "INSERT INTO keyed (name) VALUES ('a')");
    assert_int_equal(lido_commit(db), LIDO_OK);
    lido_exec(db, "UPDATE keyed SET name = 'b'");
    SAW_REFUSAL(db, lido_last_key(db));
    lido_exec(db, " -- 'c' is new\n insert INTO keyed (name) VALUES ('c')");
    saw("%d", (int)lido_last_key(db));
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

static void story_of_single_values(lido_engine *engine) {
    lido_session *db = open_with_items(engine, NULL);
    lido_value first = lido_query_value(db, "SELECT name, id FROM items ORDER BY id");
    lido_value none = lido_query_value(db, "SELECT name FROM items WHERE id = 9");
    saw_name(none);
    saw("failed: %d", lido_failed(db));
    saw_name(lido_query_value(db, "SELECT name FROM items WHERE id = 3"));
    lido_commit(db);
    for (int i = 0; i < 100; i++)
        lido_query_value(db, "SELECT name FROM items WHERE id = 2");
    saw_name(first); /* lives as long as the session */
    saw_name(lido_query_value(db, "SELECT name FROM no_such_table"));
    saw_error(db);
    lido_session_close(db);
}

/* ---- Scripts ---- */

static const char sqlite_script[] = "CREATE TABLE items (id integer PRIMARY KEY, name text); -- with a ; in a comment\n"
                                    "CREATE TABLE log (line text);\n"
                                    "CREATE TRIGGER noted AFTER INSERT ON items BEGIN\n"
                                    "    INSERT INTO log VALUES ('new; ' || new.name);\n"
                                    "    INSERT INTO log SELECT CASE WHEN new.id > 1 THEN 'many' ELSE 'first' END;\n"
                                    "END;\n"
                                    "INSERT INTO items VALUES (1, 'lamp');\n"
                                    "/* done; */";

static const char postgres_script[] =
    "CREATE TABLE items (id integer PRIMARY KEY, name text); -- with a ; in a comment\n"
    "CREATE TABLE log (line text);\n"
    "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN\n"
    "    INSERT INTO log VALUES ('new; ' || new.name);\n"
    "    INSERT INTO log VALUES (CASE WHEN new.id > 1 THEN 'many' ELSE 'first' END);\n"
    "    RETURN NULL;\n"
    "END $body$; CREATE TRIGGER noted AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION note();\n"
    "INSERT INTO items VALUES (1, 'lamp');\n"
    "/* done; */";

static void story_of_scripts(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    int ran = (int)lido_script(db, scenario_is_postgres() ? postgres_script : sqlite_script);
    saw("all ran: %d", ran == (scenario_is_postgres() ? 5 : 4));
    lido_rows *rows = lido_query(db, "SELECT line FROM log");
    while (lido_next(rows))
        saw("%s", lido_get_text(rows, 0));
    saw("%d", (int)lido_script(db, " ; -- nothing\n ; "));
    saw("%s", lido_status_name(lido_commit(db)));
    saw("%d", (int)lido_script(db, "DELETE FROM log; INSERT INTO items VALUES (1, 'twice'); DELETE FROM items"));
    saw_error(db);
    saw("%s", lido_status_name(lido_commit(db)));
    saw("%d lines", (int)lido_query_value(db, "SELECT count(*) FROM log").as.integer); /* the first was rolled back */
    SAW_REFUSAL(db, lido_script(db, "DELETE FROM items; COMMIT"));
    lido_session_close(db);
    db = open_autocommit(engine);
    saw("%d", (int)lido_script(db, "DELETE FROM log; INSERT INTO items VALUES (1, 'twice'); DELETE FROM items"));
    saw_error(db);
    saw("%d lines", (int)lido_query_value(db, "SELECT count(*) FROM log").as.integer); /* the first stands */
    lido_session_close(db);
}

/* ---- Texts that are no statement ---- */

static void story_of_texts_that_are_refused(lido_engine *engine) {
    lido_session *db = open_with_items(engine, NULL);
    SAW_REFUSAL(db, lido_exec(db, ""));
    SAW_REFUSAL(db, lido_exec(db, " ; "));
    SAW_REFUSAL(db, lido_exec(db, "-- a comment\n/* and another; */"));
    SAW_REFUSAL(db, lido_exec(db, (const char *)NULL));
    SAW_REFUSAL(db, lido_exec(db, "SELECT '\xC3(' FROM items"));
    SAW_REFUSAL(db, lido_exec(db, "SELECT 1; SELECT 2"));
    SAW_REFUSAL(db, lido_exec(db, "COMMIT"));
    SAW_REFUSAL(db, lido_exec(db, "/* sly */ rollback"));
    SAW_REFUSAL(db, lido_exec(db, "SAVEPOINT mine"));
    lido_exec(db, "SELECT 1 /* one statement */ ; -- and a comment");
    saw("%s", lido_status_name(lido_commit(db)));
    lido_exec(db, "SELEC 1");
    saw_error(db);
    lido_session_close(db);
}

/* A text of `size` bytes that begins as given and goes on with blanks. Its memory is one MiB, again and again. */
static char *large_text(const char *start, size_t size) {
    int memory = memfd_create("text", 0);
    assert_int_equal(ftruncate(memory, MEBIBYTE), 0);
    char *whole =
        mmap(NULL, size + MEBIBYTE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(whole, MAP_FAILED);
    for (size_t at = 0; at < size; at += MEBIBYTE)
        assert_ptr_not_equal(mmap(whole + at, MEBIBYTE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory, 0),
                             MAP_FAILED);
    close(memory);
    memset(whole, ' ', MEBIBYTE);
    assert_ptr_not_equal(mmap(whole, MEBIBYTE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
                         MAP_FAILED);
    memset(whole, ' ', MEBIBYTE);
    memcpy(whole, start, strlen(start));
    return whole;
}

static void run_large(lido_session *db, size_t size) {
    char *sql = large_text("SELECT 'lamp'", size);
    saw_name(lido_query_value(db, sql));
    saw_error(db);
    munmap(sql, size + MEBIBYTE);
}

static void story_of_large_statements(lido_engine *engine) {
    lido_session *db = open_autocommit(engine);
    run_large(db, (size_t)15 * MEBIBYTE);
    run_large(db, (size_t)20 * MEBIBYTE);
    run_large(db, (size_t)1024 * MEBIBYTE);
    saw_name(lido_query_value(db, "SELECT 'still here'"));
    lido_session_close(db);
}

int main(void) {
    const scenario scenarios[] = {
        {"placeholders", story_of_placeholders, "lamp\nchair\nlamp\nlamp\nchair\nchair\n?:a$1lamp\nlamp\nnull\nok\n"},
        {"wrong placeholders", story_of_wrong_placeholders,
         "misuse: the statement takes 1 parameter and got 0: pass one for each ?, $1 or :name\n"
         "misuse: the statement takes 1 parameter and got 2: pass one for each ?, $1 or :name\n"
         "misuse: the statement takes 0 parameters and got 1: pass one for each ?, $1 or :name\n"
         "misuse: the statement takes 2 parameters and got 1: pass one for each ?, $1 or :name\n"
         "misuse: the placeholder $0 (byte 35) stands for no value: numbers begin with 1\n"
         "misuse: the statement mixes two kinds of placeholders: ? (byte 35) and :name (byte 48)\n"
         "misuse: the statement has no parameter :nam\n"
         "misuse: the parameter :name got no value\n"
         "misuse: parameter 2 has no name and others have: name all or none\n"
         "misuse: the parameter :id got two values\n"
         "misuse: the statement has no parameter :id\n"
         "misuse: the statement takes 2 parameters and got 1: pass one for each ?, $1 or :name\n"
         "ok\n"},
        {"a question mark as an operator", story_of_a_question_mark_operator, ""},
        {"regular expressions", story_of_regular_expressions,
         "1 1\n"
         "2 1\n"
         "0 0\n"
         "chair\n"
         "1\n"
         "ok\n"},
        {"affected rows", story_of_affected_rows,
         "create 0\n"
         "insert 3\n"
         "select 0\n"
         "update 2\n"
         "update 0\n"
         "on conflict 1\n"
         "delete 1\n"
         "insert select 3\n"
         "copy 0\n"
         "alter 0\n"
         "index 0\n"
         "delete all 6\n"
         "drop 0\n"
         "with 2\n"
         "ok\n"},
        {"cursors", story_of_cursors, ""},
        {"COPY", story_of_copying, ""},
        {"a server out of memory", story_of_a_server_out_of_memory, ""},
        {"RETURNING", story_of_returning,
         "2 rows, 2 changed\n"
         "7 bed\n"
         "8 desk\n"
         "bed!\n"
         "3\n"
         "0 rows, 2 changed, 0 columns\n"
         "ok\n"},
        {"statements sent along", story_of_statements_sent_along,
         "error\n"
         "unique violation\n"
         "error\n"
         "unique violation\n"
         "error\n"
         "unique violation\n"
         "9\n"},
        {"last keys", story_of_last_keys,
         "0\n"
         "failed: 1\n"
         "1\n"
         "2\n"
         "ok\n"
         "0\n"
         "misuse\n"
         "0\n"
         "misuse\n"
         "4\n"},
        {"another transaction's key", story_of_another_transactions_key,
         "other error: no row was inserted in this transaction\n"
         "2\n"
         "ok\n"},
        {"single values", story_of_single_values,
         "null\n"
         "failed: 0\n"
         "null\n"
         "lamp\n"
         "null\n"
         "syntax error or unknown name\n"},
        {"scripts", story_of_scripts,
         "all ran: 1\n"
         "new; lamp\n"
         "first\n"
         "0\n"
         "ok\n"
         "1\n"
         "unique violation\n"
         "rolled back\n"
         "2 lines\n"
         "misuse: transactions are the session's: use lido_commit, lido_rollback and lido_savepoint\n"
         "1\n"
         "unique violation\n"
         "0 lines\n"},
        {"texts that are refused", story_of_texts_that_are_refused,
         "misuse: the SQL text holds no statement\n"
         "misuse: the SQL text holds no statement\n"
         "misuse: the SQL text holds no statement\n"
         "misuse: the SQL text is NULL\n"
         "syntax error or unknown name: the SQL text is not UTF-8 (byte 9)\n"
         "misuse: the SQL text holds more than one statement: use lido_script, or one call for each\n"
         "misuse: transactions are the session's: use lido_commit, lido_rollback and lido_savepoint\n"
         "misuse: transactions are the session's: use lido_commit, lido_rollback and lido_savepoint\n"
         "misuse: transactions are the session's: use lido_commit, lido_rollback and lido_savepoint\n"
         "ok\n"
         "syntax error or unknown name\n"},
        {"large statements", story_of_large_statements,
         "lamp\n"
         "no error\n"
         "null\n"
         "misuse\n"
         "null\n"
         "misuse\n"
         "still here\n"},
    };
    return scenarios_run("statements", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
