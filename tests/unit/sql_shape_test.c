/* Of which kind a statement is, where it ends, and whether another one comes after it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sql/sql.h"

typedef struct verdict {
    const char *text;
    lido__sql_kind kind;
} verdict;

static lido__sql *read_sql(const char *text, lido__database_type type) {
    size_t size;
    uint64_t hash = lido__sql_hash(text, &size);
    lido__sql *sql = lido__sql_new(text, size, hash, type, NULL);
    assert_non_null(sql);
    return sql;
}

static void check_kinds(const verdict *verdicts, size_t count, lido__database_type type) {
    for (size_t i = 0; i < count; i++) {
        lido__sql *sql = read_sql(verdicts[i].text, type);
        if (sql->kind != verdicts[i].kind)
            fail_msg("%s: kind %d, not %d", verdicts[i].text, (int)sql->kind, (int)verdicts[i].kind);
        lido__sql_free(sql);
    }
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void the_first_word_tells_the_kind(void **state) {
    (void)state;
    static const verdict verdicts[] = {
        {"", LIDO__SQL_EMPTY},
        {" \n-- SELECT 1\n/* SELECT 1 */ ; ;", LIDO__SQL_EMPTY},
        {"SELECT 1", LIDO__SQL_READS},
        {"select 1", LIDO__SQL_READS},
        {"/* why */ -- and how\n SELECT 1", LIDO__SQL_READS},
        {"((SELECT 1) UNION SELECT 2)", LIDO__SQL_READS},
        {"; SELECT 1", LIDO__SQL_READS},
        {"VALUES (1)", LIDO__SQL_READS},
        {"TABLE items", LIDO__SQL_READS},
        {"SHOW all", LIDO__SQL_READS},
        {"INSERT INTO t VALUES (1)", LIDO__SQL_WRITES},
        {"UPDATE t SET a = 1", LIDO__SQL_WRITES},
        {"DELETE FROM t", LIDO__SQL_WRITES},
        {"REPLACE INTO t VALUES (1)", LIDO__SQL_WRITES},
        {"CREATE TABLE t (a int)", LIDO__SQL_WRITES},
        {"COPY t FROM STDIN", LIDO__SQL_WRITES},
        {"VACUUM", LIDO__SQL_WRITES},
        {"ANALYZE", LIDO__SQL_WRITES},
        {"REINDEX t", LIDO__SQL_WRITES},
        {"CALL f()", LIDO__SQL_WRITES},
        {"selects 1", LIDO__SQL_WRITES},
        {"\"select\" 1", LIDO__SQL_WRITES},
        {"(", LIDO__SQL_WRITES},
        {"1", LIDO__SQL_WRITES},
        {"BEGIN IMMEDIATE", LIDO__SQL_TRANSACTION},
        {"START TRANSACTION READ ONLY", LIDO__SQL_TRANSACTION},
        {"COMMIT", LIDO__SQL_TRANSACTION},
        {"COMMIT PREPARED 'a'", LIDO__SQL_TRANSACTION},
        {"END", LIDO__SQL_TRANSACTION},
        {"ROLLBACK TO a", LIDO__SQL_TRANSACTION},
        {"ABORT", LIDO__SQL_TRANSACTION},
        {"SAVEPOINT a", LIDO__SQL_TRANSACTION},
        {"RELEASE a", LIDO__SQL_TRANSACTION},
        {"PREPARE TRANSACTION 'a'", LIDO__SQL_TRANSACTION},
        {"PREPARE a AS SELECT 1", LIDO__SQL_WRITES},
        {"DISCARD ALL", LIDO__SQL_FORGETS},
        {"DEALLOCATE a", LIDO__SQL_FORGETS},
        {"PRAGMA foreign_keys = 1", LIDO__SQL_SETTING},
        {"SET search_path = a", LIDO__SQL_SETTING},
        {"SET TRANSACTION READ ONLY", LIDO__SQL_SETTING},
        {"RESET ALL", LIDO__SQL_SETTING},
    };
    check_kinds(verdicts, COUNT(verdicts), LIDO__POSTGRESQL);
    check_kinds(verdicts, COUNT(verdicts), LIDO__SQLITE);
}

static void a_query_that_changes_something_writes(void **state) {
    (void)state;
    static const verdict verdicts[] = {
        {"WITH a AS (SELECT 1) SELECT * FROM a", LIDO__SQL_READS},
        {"WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", LIDO__SQL_WRITES},
        {"WITH a AS (SELECT 1) REPLACE INTO t SELECT * FROM a", LIDO__SQL_WRITES},
        {"WITH a AS (SELECT 1) UPDATE t SET b = 2", LIDO__SQL_WRITES},
        {"WITH a AS (SELECT 1) DELETE FROM t", LIDO__SQL_WRITES},
        {"WITH a AS (SELECT 1) MERGE INTO t USING a ON true WHEN MATCHED THEN DO NOTHING", LIDO__SQL_WRITES},
        {"WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", LIDO__SQL_WRITES},
        {"WITH a AS NOT MATERIALIZED (UPDATE t SET b = 1) SELECT 1", LIDO__SQL_WRITES},
        {"(WITH a AS (SELECT 1), b AS (DELETE FROM t RETURNING *) SELECT * FROM b)", LIDO__SQL_WRITES},
        {"WITH a AS (SELECT replace(b, 'x', 'y') FROM t) SELECT * FROM a", LIDO__SQL_READS},
        {"WITH a AS (SELECT count(delete), max(update) FROM t) SELECT * FROM a", LIDO__SQL_READS},
        {"SELECT update, delete, replace(a, 'INTO', 'x') FROM log", LIDO__SQL_READS},
        {"SELECT t.into, 1 AS into FROM t", LIDO__SQL_READS},
        {"SELECT * INTO b FROM a", LIDO__SQL_WRITES},
        {"SELECT a FROM t FOR UPDATE", LIDO__SQL_WRITES},
        {"SELECT a FROM t FOR NO KEY UPDATE SKIP LOCKED", LIDO__SQL_WRITES},
        {"SELECT a FROM t FOR SHARE", LIDO__SQL_WRITES},
        {"SELECT a FROM t FOR KEY SHARE", LIDO__SQL_WRITES},
        {"SELECT substring(a FROM 1 FOR 2), key, share FROM t", LIDO__SQL_READS},
    };
    check_kinds(verdicts, COUNT(verdicts), LIDO__POSTGRESQL);
}

static void explain_reads_unless_it_runs_what_it_explains(void **state) {
    (void)state;
    static const verdict postgresql[] = {
        {"EXPLAIN SELECT 1", LIDO__SQL_READS},
        {"EXPLAIN VERBOSE DELETE FROM t", LIDO__SQL_READS},
        {"EXPLAIN WITH a AS (DELETE FROM t) SELECT 1", LIDO__SQL_READS},
        {"EXPLAIN (COSTS off) INSERT INTO t VALUES (1)", LIDO__SQL_READS},
        {"EXPLAIN ANALYZE SELECT 1", LIDO__SQL_READS},
        {"EXPLAIN ANALYZE VERBOSE DELETE FROM t", LIDO__SQL_WRITES},
        {"EXPLAIN (BUFFERS, ANALYZE true, FORMAT json) UPDATE t SET a = 1", LIDO__SQL_WRITES},
        {"EXPLAIN (ANALYZE) (SELECT 1)", LIDO__SQL_READS},
        {"EXPLAIN (ANALYZE) WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", LIDO__SQL_WRITES},
        {"EXPLAIN (SELECT 1)", LIDO__SQL_READS},
        {"EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1", LIDO__SQL_WRITES},
    };
    check_kinds(postgresql, COUNT(postgresql), LIDO__POSTGRESQL);
    static const verdict sqlite[] = {
        {"EXPLAIN DELETE FROM t", LIDO__SQL_READS},
        {"EXPLAIN QUERY PLAN DELETE FROM t", LIDO__SQL_READS},
        {"EXPLAIN ANALYZE t", LIDO__SQL_READS},
    };
    check_kinds(sqlite, COUNT(sqlite), LIDO__SQLITE);
}

static void check_many(const char *text, lido__database_type type, bool many) {
    lido__sql *sql = read_sql(text, type);
    if (sql->many != many)
        fail_msg("%s: many is %d", text, sql->many);
    lido__sql_free(sql);
}

static void a_second_statement_is_noticed(void **state) {
    (void)state;
    static const char *const one[] = {"SELECT 1",           "SELECT 1;",     "SELECT 1; -- done\n ;",
                                      ";SELECT 1",          "SELECT ';', 1", "SELECT 1 /* ; */ + 2",
                                      "SELECT \";\" FROM t"};
    static const char *const several[] = {"SELECT 1; SELECT 2", "SELECT 1;;2", "SELECT 1; /* ; */ DROP TABLE t",
                                          "SELECT 1;'", ";a;b"};
    for (int type = LIDO__SQLITE; type <= LIDO__POSTGRESQL; type++) {
        for (size_t i = 0; i < COUNT(one); i++)
            check_many(one[i], (lido__database_type)type, false);
        for (size_t i = 0; i < COUNT(several); i++)
            check_many(several[i], (lido__database_type)type, true);
    }
}

/* What each database sees in the quotes and comments of the other. */
static void quotes_of_one_database_hide_nothing_from_the_other(void **state) {
    (void)state;
    check_many("SELECT [a;b]", LIDO__SQLITE, false);
    check_many("SELECT [a;b]", LIDO__POSTGRESQL, true);
    check_many("SELECT $$;a$$", LIDO__POSTGRESQL, false);
    check_many("SELECT 1 /* /* */ ; 2 */", LIDO__POSTGRESQL, false);
    check_many("SELECT 1 /* /* */ ; 2 */", LIDO__SQLITE, true);
    check_many("SELECT E'\\';2'", LIDO__POSTGRESQL, false);
    check_many("SELECT e'\\';2", LIDO__SQLITE, true);
}

static const char trigger[] =
    "CREATE TEMP TRIGGER log AFTER UPDATE ON items WHEN CASE new.a WHEN 1 THEN 0 ELSE 1 END BEGIN\n"
    "  INSERT INTO log VALUES (CASE WHEN new.a THEN 1 END);\n"
    "  SELECT new.end FROM t AS end;\n"
    "END;";

static const char function[] = "CREATE OR REPLACE FUNCTION f(begin int) RETURNS int LANGUAGE sql BEGIN ATOMIC\n"
                               "  INSERT INTO log VALUES (CASE WHEN begin > 0 THEN 1 END);\n"
                               "  SELECT 1 AS end;\n"
                               "END;";

static void the_body_of_a_trigger_or_routine_is_one_statement(void **state) {
    (void)state;
    check_many(trigger, LIDO__SQLITE, false);
    check_many(function, LIDO__POSTGRESQL, false);
    check_many("CREATE PROCEDURE p() BEGIN ATOMIC END; SELECT 1", LIDO__POSTGRESQL, true);
    check_many("CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b)", LIDO__POSTGRESQL, false);
    check_many("EXPLAIN CREATE TRIGGER r DELETE ON t BEGIN SELECT 1; SELECT 2; END", LIDO__SQLITE, false);
    check_many("CREATE TRIGGER r BEFORE INSERT ON t EXECUTE FUNCTION f(); SELECT 1", LIDO__POSTGRESQL, true);
    check_many("CREATE TABLE trigger (begin int); SELECT 1", LIDO__SQLITE, true);
}

/* Takes `script` apart and compares with the `count` statements expected. */
static void check_script(const char *script, const char *const *expected, size_t count, lido__database_type type) {
    size_t left = strlen(script);
    for (size_t i = 0; i < count; i++) {
        size_t size = lido__sql_first_statement(script, left, type);
        assert_int_equal(size, strlen(expected[i]));
        assert_memory_equal(script, expected[i], size);
        script += size;
        left -= size;
    }
    assert_int_equal(lido__sql_first_statement(script, left, type), 0);
}

static void a_script_comes_apart_at_its_semicolons(void **state) {
    (void)state;
    static const char *const plain[] = {"CREATE TABLE a (b text);", "\n-- fill it\nINSERT INTO a VALUES (';');",
                                        " ; INSERT INTO a VALUES ('x');", " SELECT 1"};
    check_script("CREATE TABLE a (b text);\n-- fill it\nINSERT INTO a VALUES (';'); ; INSERT INTO a VALUES ('x');"
                 " SELECT 1 -- the end\n",
                 plain, COUNT(plain), LIDO__SQLITE);
    check_script(" ; -- nothing\n ;", NULL, 0, LIDO__SQLITE);
    check_script("", NULL, 0, LIDO__POSTGRESQL);
}

static void a_script_keeps_bodies_together(void **state) {
    (void)state;
    char script[1000];
    strcat(strcpy(script, trigger), "SELECT 1;");
    const char *const on_sqlite[] = {trigger, "SELECT 1;"};
    check_script(script, on_sqlite, 2, LIDO__SQLITE);
    strcat(strcat(strcpy(script, function), "DO $$BEGIN a; b; END$$;"), "SELECT 1;");
    const char *const on_postgresql[] = {function, "DO $$BEGIN a; b; END$$;", "SELECT 1;"};
    check_script(script, on_postgresql, 3, LIDO__POSTGRESQL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_word_tells_the_kind),
        cmocka_unit_test(a_query_that_changes_something_writes),
        cmocka_unit_test(explain_reads_unless_it_runs_what_it_explains),
        cmocka_unit_test(a_second_statement_is_noticed),
        cmocka_unit_test(quotes_of_one_database_hide_nothing_from_the_other),
        cmocka_unit_test(the_body_of_a_trigger_or_routine_is_one_statement),
        cmocka_unit_test(a_script_comes_apart_at_its_semicolons),
        cmocka_unit_test(a_script_keeps_bodies_together),
    };
    return cmocka_run_group_tests_name("sql_shape", tests, NULL, NULL);
}
