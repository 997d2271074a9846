/* What becomes of an SQL text on its way to its database: placeholders, names, REGEXP, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/fault.h"
#include "sql/sql.h"

static lido__sql *read_sql(const char *text, lido__database_type type, lido_error *error) {
    size_t size;
    uint64_t hash = lido__sql_hash(text, &size);
    return lido__sql_new(text, size, hash, type, error);
}

/* One text, what each database gets, and how many values it takes. A NULL translation: the same text. */
typedef struct story {
    const char *text;
    const char *postgresql;
    const char *sqlite;
    size_t parameters;
} story;

static void check_translation(const char *text, const char *expected, size_t parameters, lido__database_type type) {
    lido_error error = LIDO_ERROR_INIT;
    lido__sql *sql = read_sql(text, type, &error);
    if (sql == NULL)
        fail_msg("%s: %s", text, error.message);
    assert_string_equal(sql->text, text);
    assert_int_equal(sql->size, strlen(text));
    assert_string_equal(sql->translated, expected != NULL ? expected : text);
    assert_int_equal(sql->translated_size, strlen(sql->translated));
    if (sql->parameter_count != parameters)
        fail_msg("%s: takes %zu values, not %zu", text, sql->parameter_count, parameters);
    lido__sql_free(sql);
}

static void check_stories(const story *stories, size_t count) {
    for (size_t i = 0; i < count; i++) {
        check_translation(stories[i].text, stories[i].postgresql, stories[i].parameters, LIDO__POSTGRESQL);
        check_translation(stories[i].text, stories[i].sqlite, stories[i].parameters, LIDO__SQLITE);
    }
}

static void check_postgresql(const story *stories, size_t count) {
    for (size_t i = 0; i < count; i++)
        check_translation(stories[i].text, stories[i].postgresql, stories[i].parameters, LIDO__POSTGRESQL);
}

static void check_sqlite(const story *stories, size_t count) {
    for (size_t i = 0; i < count; i++)
        check_translation(stories[i].text, stories[i].sqlite, stories[i].parameters, LIDO__SQLITE);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void question_marks_are_numbered_in_order(void **state) {
    (void)state;
    static const story stories[] = {
        {"SELECT 1", NULL, NULL, 0},
        {"", NULL, NULL, 0},
        {"SELECT ?", "SELECT $1", "SELECT ?1", 1},
        {"INSERT INTO t VALUES (?, ?, ?)", "INSERT INTO t VALUES ($1, $2, $3)", "INSERT INTO t VALUES (?1, ?2, ?3)", 3},
        {"SELECT ?,?,?,?,?,?,?,?,?,?,?", "SELECT $1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11",
         "SELECT ?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11", 11},
        {"SELECT -?", "SELECT -$1", "SELECT -?1", 1},
    };
    check_stories(stories, COUNT(stories));
}

static void numbers_may_repeat_skip_and_come_in_any_order(void **state) {
    (void)state;
    static const story stories[] = {
        {"SELECT $1", NULL, "SELECT ?1", 1},
        {"SELECT ?1", "SELECT $1", NULL, 1},
        {"SELECT $2, $1, $2", NULL, "SELECT ?2, ?1, ?2", 2},
        {"SELECT $1, $3", NULL, "SELECT ?1, ?3", 3},
        {"SELECT ?1, $2", "SELECT $1, $2", "SELECT ?1, ?2", 2},
        {"SELECT $32766", NULL, "SELECT ?32766", 32766},
        {"SELECT ?007", "SELECT $7", NULL, 7},
    };
    check_stories(stories, COUNT(stories));
}

static void a_name_takes_one_value_however_often_it_stands(void **state) {
    (void)state;
    static const story stories[] = {
        {"SELECT :a", "SELECT $1", "SELECT ?1", 1},
        {"SELECT :low, :high, :low", "SELECT $1, $2, $1", "SELECT ?1, ?2, ?1", 2},
        {"SELECT :a, :A", "SELECT $1, $2", "SELECT ?1, ?2", 2},
        {"WHERE a=:_x1 AND(:größe)", "WHERE a=$1 AND($2)", "WHERE a=?1 AND(?2)", 2},
        {"SELECT :a /* :b */ -- :c\n, ':d', \":e\"", "SELECT $1 /* :b */ -- :c\n, ':d', \":e\"",
         "SELECT ?1 /* :b */ -- :c\n, ':d', \":e\"", 1},
    };
    check_stories(stories, COUNT(stories));
}

static void names_are_kept_in_the_order_they_first_appear(void **state) {
    (void)state;
    lido__sql *sql = read_sql("SELECT :owner, :id, :owner, :größe", LIDO__SQLITE, NULL);
    assert_non_null(sql);
    assert_int_equal(sql->parameter_count, 3);
    assert_string_equal(sql->names[0], "owner");
    assert_string_equal(sql->names[1], "id");
    assert_string_equal(sql->names[2], "größe");
    lido__sql_free(sql);
    sql = read_sql("SELECT ?, ?", LIDO__SQLITE, NULL);
    assert_non_null(sql);
    assert_null(sql->names);
    lido__sql_free(sql);
}

static void a_thousand_names_keep_their_numbers(void **state) {
    (void)state;
    char text[20000] = "SELECT 0";
    for (int round = 0; round < 2; round++)
        for (int i = 1; i <= 1000; i++)
            sprintf(text + strlen(text), ", :n%d", i);
    lido__sql *sql = read_sql(text, LIDO__POSTGRESQL, NULL);
    assert_non_null(sql);
    assert_int_equal(sql->parameter_count, 1000);
    assert_string_equal(sql->names[0], "n1");
    assert_string_equal(sql->names[999], "n1000");
    assert_non_null(strstr(sql->translated, ", $999, $1000, $1, $2, "));
    lido__sql_free(sql);
}

static void what_is_quoted_or_a_comment_stays(void **state) {
    (void)state;
    static const story stories[] = {
        {"SELECT '?', ?", "SELECT '?', $1", "SELECT '?', ?1", 1},
        {"SELECT 'it''s ?', ?", "SELECT 'it''s ?', $1", "SELECT 'it''s ?', ?1", 1},
        {"SELECT 'back\\', ?", "SELECT 'back\\', $1", "SELECT 'back\\', ?1", 1},
        {"SELECT \"a?\"\":b\", ?", "SELECT \"a?\"\":b\", $1", "SELECT \"a?\"\":b\", ?1", 1},
        {"SELECT x'3F', ?", "SELECT x'3F', $1", "SELECT x'3F', ?1", 1},
        {"-- ?\nSELECT ? -- :x", "-- ?\nSELECT $1 -- :x", "-- ?\nSELECT ?1 -- :x", 1},
        {"/* ? */ SELECT ? /*/ ? */", "/* ? */ SELECT $1 /*/ ? */", "/* ? */ SELECT ?1 /*/ ? */", 1},
        {"SELECT 1-/*?*/?", "SELECT 1-/*?*/$1", "SELECT 1-/*?*/?1", 1},
        {"SELECT '12:30', '{\"a\":b}'", NULL, NULL, 0},
        {"SELECT 'open ?", NULL, NULL, 0},
        {"SELECT \"open ?", NULL, NULL, 0},
        {"SELECT /* open ?", NULL, NULL, 0},
    };
    check_stories(stories, COUNT(stories));
}

static void postgresql_has_quotes_of_its_own(void **state) {
    (void)state;
    static const story stories[] = {
        {"SELECT E'it\\'s ?', ?", "SELECT E'it\\'s ?', $1", NULL, 1},
        {"SELECT e'\\\\', ?", "SELECT e'\\\\', $1", NULL, 1},
        {"SELECT E'a'\n -- more\n '\\'?', ?", "SELECT E'a'\n -- more\n '\\'?', $1", NULL, 1},
        {"SELECT E'a' '\\', ?", "SELECT E'a' '\\', $1", NULL, 1},
        {"SELECT U&'\\0441?', U&\"?\", N'?', B'1', ?", "SELECT U&'\\0441?', U&\"?\", N'?', B'1', $1", NULL, 1},
        {"SELECT $$ ? ' $$, ?", "SELECT $$ ? ' $$, $1", NULL, 1},
        {"SELECT $tag$ ? $$ $tag $ $tag$, ?", "SELECT $tag$ ? $$ $tag $ $tag$, $1", NULL, 1},
        {"SELECT $a$ ? $b$ ? $a$, ?", "SELECT $a$ ? $b$ ? $a$, $1", NULL, 1},
        {"SELECT $a$ open ?", NULL, NULL, 0},
        {"SELECT a$b$ + ? + c$b$", "SELECT a$b$ + $1 + c$b$", NULL, 1},
        {"SELECT $ a, ?", "SELECT $ a, $1", NULL, 1},
        {"SELECT /* a /* ? */ ? */ ?", "SELECT /* a /* ? */ ? */ $1", NULL, 1},
        {"SELECT 1 -- ?\r, ?", "SELECT 1 -- ?\r, $1", NULL, 1},
        {"SELECT a[1], b[?]", "SELECT a[1], b[$1]", NULL, 1},
    };
    check_postgresql(stories, COUNT(stories));
}

static void sqlite_has_quotes_of_its_own(void **state) {
    (void)state;
    static const story stories[] = {
        {"SELECT [a ? :b], ?", NULL, "SELECT [a ? :b], ?1", 1},
        {"SELECT `a ``?`, ?", NULL, "SELECT `a ``?`, ?1", 1},
        {"SELECT e'\\', ?", NULL, "SELECT e'\\', ?1", 1},
        {"SELECT /* a /* ? */ ?", NULL, "SELECT /* a /* ? */ ?1", 1},
        {"SELECT 1 -- ?\r, ?", NULL, NULL, 0},
        {"SELECT [open ?", NULL, NULL, 0},
    };
    check_sqlite(stories, COUNT(stories));
}

static void casts_and_slices_are_not_names(void **state) {
    (void)state;
    static const story stories[] = {
        {"SELECT x::text, :y::int", "SELECT x::text, $1::int", NULL, 1},
        {"SELECT '5'::int, ?::int", "SELECT '5'::int, $1::int", NULL, 1},
        {"SELECT a[1:2], a[low:high], a[:2], a[1:]", NULL, NULL, 0},
        {"SELECT a[f(1):n], a[b[1]:n], a[\"x\":n]", NULL, NULL, 0},
        {"SELECT a[:n], a[1 : :n], a[:low : :high]", "SELECT a[$1], a[1 : $1], a[$2 : $3]", NULL, 3},
        {"SELECT a[:low:high]", "SELECT a[$1:high]", NULL, 1},
        {"SELECT a[?:n]", "SELECT a[$1:n]", NULL, 1},
        {"SELECT f(x => :a, y := :b, z=>:c)", "SELECT f(x => $1, y := $2, z=>$3)", NULL, 3},
    };
    check_postgresql(stories, COUNT(stories));
}

static void a_doubled_question_mark_is_the_operator(void **state) {
    (void)state;
    static const story stories[] = {
        {"SELECT tags ?? ?", "SELECT tags ? $1", NULL, 1},
        {"SELECT tags ??| ?", "SELECT tags ?| $1", NULL, 1},
        {"SELECT tags ??& :keys", "SELECT tags ?& $1", NULL, 1},
        {"SELECT doc @?? '$.a'", "SELECT doc @? '$.a'", NULL, 0},
        {"SELECT tags ??? AND x", "SELECT tags ?$1 AND x", NULL, 1},
        {"SELECT doc->>?, doc#>>?", "SELECT doc->>$1, doc#>>$2", NULL, 2},
        {"SELECT tags ?? 'a' AND b = $1", "SELECT tags ? 'a' AND b = $1", NULL, 1},
    };
    check_postgresql(stories, COUNT(stories));
}

static void a_placeholder_keeps_apart_from_the_words_beside_it(void **state) {
    (void)state;
    static const story stories[] = {
        {"SELECT 1 LIMIT?", "SELECT 1 LIMIT $1", "SELECT 1 LIMIT ?1", 1},
        {"WHERE a=?and b=?", "WHERE a=$1 and b=$2", "WHERE a=?1 and b=?2", 2},
        {"SELECT 1?", "SELECT 1 $1", "SELECT 1 ?1", 1},
    };
    check_stories(stories, COUNT(stories));
    /* Together they would open a dollar quote. */
    check_translation("SELECT $? || $?", "SELECT $ $1 || $ $2", 2, LIDO__POSTGRESQL);
}

static void infix_regexp_is_an_operator_of_postgresql(void **state) {
    (void)state;
    static const story stories[] = {
        {"SELECT 1 FROM t WHERE name REGEXP '^a'", "SELECT 1 FROM t WHERE name ~ '^a'", NULL, 0},
        {"SELECT 1 FROM t WHERE name regexp ?", "SELECT 1 FROM t WHERE name ~ $1", NULL, 1},
        {"SELECT 1 FROM t WHERE name NOT REGEXP :p", "SELECT 1 FROM t WHERE name !~ $1", NULL, 1},
        {"WHERE name NOT /* why */ REGEXP 'a'", "WHERE name !~ 'a'", NULL, 0},
        {"WHERE name REGEXP/**/'a'", "WHERE name ~/**/'a'", NULL, 0},
        {"WHERE t.name REGEXP(b.pattern)", "WHERE t.name ~(b.pattern)", NULL, 0},
        {"WHERE lower(name)REGEXP lower(?)", "WHERE lower(name)~ lower($1)", NULL, 1},
        {"WHERE names[1] REGEXP \"p\"", "WHERE names[1] ~ \"p\"", NULL, 0},
        {"WHERE ? REGEXP $$a$$", "WHERE $1 ~ $$a$$", NULL, 1},
        {"WHERE CASE WHEN a THEN b END REGEXP CASE WHEN a THEN c END",
         "WHERE CASE WHEN a THEN b END ~ CASE WHEN a THEN c END", NULL, 0},
        {"WHERE name COLLATE \"C\" REGEXP 'a' AND type NOT REGEXP 'b'",
         "WHERE name COLLATE \"C\" ~ 'a' AND type !~ 'b'", NULL, 0},
        {"WHERE name REGEXP ANY (?)", "WHERE name ~ ANY ($1)", NULL, 1},
        {"CHECK (name REGEXP E'^\\\\d')", "CHECK (name ~ E'^\\\\d')", NULL, 0},
        {"WHERE regexp REGEXP regexp", "WHERE regexp ~ regexp", NULL, 0},
        {"WHERE a REGEXP ? AND b REGEXP ?", "WHERE a ~ $1 AND b ~ $2", NULL, 2},
    };
    check_postgresql(stories, COUNT(stories));
    check_translation("SELECT 1 FROM t WHERE name NOT REGEXP ?", "SELECT 1 FROM t WHERE name NOT REGEXP ?1", 1,
                      LIDO__SQLITE);
}

static void regexp_as_a_name_stays_a_name(void **state) {
    (void)state;
    static const story stories[] = {
        {"SELECT regexp FROM t", NULL, NULL, 0},
        {"SELECT a regexp FROM t", NULL, NULL, 0},
        {"SELECT a AS regexp, b", NULL, NULL, 0},
        {"SELECT a regexp, b FROM t regexp WHERE regexp.a = 1", NULL, NULL, 0},
        {"SELECT t.regexp FROM t ORDER BY regexp", NULL, NULL, 0},
        {"SELECT regexp('^a', name), NOT regexp('^a', name)", NULL, NULL, 0},
        {"SELECT 1 WHERE NOT regexp AND regexp IS NULL", NULL, NULL, 0},
        {"SELECT 1 WHERE a AND regexp('^a', name) OR regexp (x)", NULL, NULL, 0},
        {"SELECT 1 FROM a regexp JOIN b ON regexp.id = b.id", NULL, NULL, 0},
        {"UPDATE regexp SET regexp = 1", NULL, NULL, 0},
        {"INSERT INTO regexp (regexp) VALUES ('regexp')", NULL, NULL, 0},
        {"CREATE TABLE regexp (regexp text, a int)", NULL, NULL, 0},
        {"CREATE FUNCTION regexp(pattern text, subject text) RETURNS bool", NULL, NULL, 0},
        {"ALTER TABLE t ADD regexp text", NULL, NULL, 0},
        {"WITH regexp AS (SELECT 1) SELECT * FROM regexp", NULL, NULL, 0},
        {"SELECT \"a\" \"regexp\" 'x'", NULL, NULL, 0},
    };
    check_postgresql(stories, COUNT(stories));
}

static void dollar_numbers_in_a_routine_are_its_own(void **state) {
    (void)state;
    static const story stories[] = {
        {"CREATE FUNCTION add(int, int) RETURNS int RETURN $1 + $2", NULL, NULL, 0},
        {"CREATE OR REPLACE FUNCTION one(int) RETURNS int BEGIN ATOMIC SELECT $1; END", NULL, NULL, 0},
        {"PREPARE add (int, int) AS SELECT $1 + $2", NULL, NULL, 0},
        {"CREATE TABLE t AS SELECT $1::int", NULL, NULL, 1},
    };
    check_postgresql(stories, COUNT(stories));
}

/* One text that is refused, and words that must be in the message. */
typedef struct refusal {
    const char *text;
    lido__database_type type;
    lido_category category;
    const char *says;
} refusal;

static void what_cannot_be_meant_is_refused(void **state) {
    (void)state;
    static const refusal refusals[] = {
        {"SELECT ?, :name", LIDO__POSTGRESQL, LIDO_ERROR_MISUSE, "? (byte 8) and :name (byte 11)"},
        {"SELECT :a, $1", LIDO__SQLITE, LIDO_ERROR_MISUSE, ":a (byte 8) and $1 (byte 12)"},
        {"SELECT ?1, ?", LIDO__SQLITE, LIDO_ERROR_MISUSE, "?1 (byte 8) and ? (byte 12)"},
        {"SELECT $0", LIDO__POSTGRESQL, LIDO_ERROR_MISUSE, "numbers begin with 1"},
        {"SELECT ?0", LIDO__SQLITE, LIDO_ERROR_MISUSE, "numbers begin with 1"},
        {"SELECT $32767", LIDO__POSTGRESQL, LIDO_ERROR_MISUSE, "at most 32766 values"},
        {"SELECT $99999999999999999999999999999999999999999", LIDO__SQLITE, LIDO_ERROR_MISUSE, "at most 32766"},
        {"SELECT @name", LIDO__SQLITE, LIDO_ERROR_MISUSE, "@name (byte 8)"},
        {"SELECT $name", LIDO__SQLITE, LIDO_ERROR_MISUSE, "$name (byte 8)"},
        {"SELECT #name", LIDO__SQLITE, LIDO_ERROR_MISUSE, "#name (byte 8)"},
        {"SELECT:name", LIDO__SQLITE, LIDO_ERROR_MISUSE, ":name (byte 7)"},
        {"SELECT :1", LIDO__SQLITE, LIDO_ERROR_MISUSE, ":1 (byte 8)"},
        {"SELECT a ?? b", LIDO__SQLITE, LIDO_ERROR_MISUSE, "SQLite does not have"},
        {"PREPARE p AS SELECT ?", LIDO__POSTGRESQL, LIDO_ERROR_MISUSE, "which take no values"},
        {"CREATE FUNCTION f(int) RETURNS int RETURN :a", LIDO__POSTGRESQL, LIDO_ERROR_MISUSE, ":a (byte 43)"},
        {"SELECT 'a\xFF'", LIDO__SQLITE, LIDO_ERROR_SYNTAX, "not UTF-8 (byte 10)"},
        {"\xC3\xA9\xC3", LIDO__POSTGRESQL, LIDO_ERROR_SYNTAX, "not UTF-8 (byte 3)"},
    };
    for (size_t i = 0; i < COUNT(refusals); i++) {
        lido_error error = LIDO_ERROR_INIT;
        assert_null(read_sql(refusals[i].text, refusals[i].type, &error));
        assert_int_equal(error.status, LIDO_ERROR);
        assert_int_equal(error.category, refusals[i].category);
        if (strstr(error.message, refusals[i].says) == NULL)
            fail_msg("%s: the message is: %s", refusals[i].text, error.message);
    }
}

static void mixing_says_what_to_do(void **state) {
    (void)state;
    lido_error error = LIDO_ERROR_INIT;
    assert_null(read_sql("SELECT ?, :name", LIDO__SQLITE, &error));
    assert_string_equal(error.hint, "Write all of them as ?, all as :name, or all as $1.");
}

static void as_many_question_marks_as_there_are_numbers(void **state) {
    (void)state;
    enum { MOST = LIDO__SQL_PARAMETERS_MOST };
    char *text = calloc(1, 2 * MOST + 3);
    assert_non_null(text);
    for (int i = 0; i < MOST; i++)
        memcpy(text + 2 * i, "?,", 2);
    lido__sql *sql = read_sql(text, LIDO__POSTGRESQL, NULL);
    assert_non_null(sql);
    assert_int_equal(sql->parameter_count, MOST);
    assert_string_equal(sql->translated + sql->translated_size - 15, ",$32765,$32766,");
    lido__sql_free(sql);
    lido_error error = LIDO_ERROR_INIT;
    text[2 * MOST] = '?';
    assert_null(read_sql(text, LIDO__POSTGRESQL, &error));
    assert_int_equal(error.category, LIDO_ERROR_MISUSE);
    free(text);
}

static void a_text_beyond_the_limit_is_refused(void **state) {
    (void)state;
    size_t size = LIDO__SQL_SIZE_MOST + 1;
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, ' ', size);
    text[size] = '\0';
    lido_error error = LIDO_ERROR_INIT;
    assert_null(lido__sql_new(text, size, 0, LIDO__SQLITE, &error));
    assert_int_equal(error.category, LIDO_ERROR_MISUSE);
    assert_non_null(strstr(error.message, "16777217 bytes"));
    lido__sql *sql = lido__sql_new(text + 1, size - 1, 0, LIDO__SQLITE, NULL);
    assert_non_null(sql);
    lido__sql_free(sql);
    free(text);
}

/* In memory of exactly its size, so that the sanitizer sees a byte too many read. */
static uint64_t hash_exactly(const char *text, size_t length) {
    char *exact = malloc(length + 1);
    assert_non_null(exact);
    memcpy(exact, text, length);
    exact[length] = '\0';
    size_t size;
    uint64_t hash = lido__sql_hash(exact, &size);
    assert_int_equal(size, length);
    free(exact);
    return hash;
}

static void a_hash_depends_on_every_byte_and_on_nothing_else(void **state) {
    (void)state;
    char text[] = "SELECT id, name, price FROM items WHERE owner_id = ? ORDER BY name";
    for (size_t length = 0; length < sizeof text; length++) {
        uint64_t hash = hash_exactly(text, length);
        assert_true(hash == hash_exactly(text, length));
        if (length > 0)
            assert_true(hash != hash_exactly(text, length - 1));
        for (size_t i = 0; i < length; i++) {
            text[i] ^= 1;
            assert_true(hash != hash_exactly(text, length));
            text[i] ^= 1;
        }
    }
}

static void what_touches_its_connection_is_personal(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool personal;
    } stories[] = {
        {"SELECT set_config('a.b', 'c', false)", true},
        {"SELECT PG_Advisory_Lock(1)", true},
        {"SELECT pg_try_advisory_xact_lock_shared(1)", true},
        {"SELECT 1 FROM (SELECT pg_catalog.setseed(0.5)) AS x", true},
        {"SELECT pg_sleep_for('1 s')", true},
        {"SELECT dblink_connect('x')", true},
        {"SELECT * FROM pg_prepared_statements", true},
        {"SELECT pg_backend_pid()", true},
        {"SELECT * FROM pg_logical_slot_get_changes('mine', NULL, NULL)", true},
        {"SELECT * FROM pg_logical_slot_get_binary_changes('mine', NULL, NULL)", true},
        {"SELECT pg_replication_slot_advance('mine', '0/1')", true},
        {"SELECT pg_create_physical_replication_slot('mine')", true},
        {"SELECT pg_create_logical_replication_slot('mine', 'test_decoding')", true},
        {"SELECT pg_drop_replication_slot('mine')", true},
        {"SELECT pg_logical_emit_message(false, 'a', 'b')", true},
        {"SELECT pg_terminate_backend(pid), pg_cancel_backend(pid) FROM pg_stat_activity", true},
        {"SELECT pg_stat_reset_shared('bgwriter')", true},
        {"SELECT pg_reload_conf()", true},
        {"SELECT pg_switch_wal()", true},
        {"SELECT pg_rotate_logfile()", true},
        {"SELECT pg_promote(false)", true},
        {"SELECT lo_import('/tmp/a')", true},
        {"SELECT lo_export(1, '/tmp/a')", true},
        {"SELECT pg_file_write('a', 'b', false)", true},
        {"SELECT \"currval\"('numbers')", true},
        {"SELECT 'lastval'", true}, /* rather once too often */
        {"SELECT 1", false},
        {"SELECT my_set_config, reset_config FROM settings", false},
        {"SELECT set_configuration()", false},
        {"SELECT * FROM pg_stat_activity", false},
        {"SELECT slot_name FROM pg_replication_slots", false},
        {"SELECT advisory FROM locks WHERE pg_advisor = 1", false},
        {"INSERT INTO notes SELECT set_config('a.b', 'c', false)", false}, /* it writes */
    };
    for (size_t i = 0; i < sizeof stories / sizeof stories[0]; i++) {
        lido_error error = LIDO_ERROR_INIT;
        lido__sql *sql = read_sql(stories[i].text, LIDO__POSTGRESQL, &error);
        if (sql == NULL || sql->personal != stories[i].personal)
            fail_msg("%s: %spersonal", stories[i].text, stories[i].personal ? "not " : "");
        lido__sql_free(sql);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(question_marks_are_numbered_in_order),
        cmocka_unit_test(numbers_may_repeat_skip_and_come_in_any_order),
        cmocka_unit_test(a_name_takes_one_value_however_often_it_stands),
        cmocka_unit_test(names_are_kept_in_the_order_they_first_appear),
        cmocka_unit_test(a_thousand_names_keep_their_numbers),
        cmocka_unit_test(what_is_quoted_or_a_comment_stays),
        cmocka_unit_test(postgresql_has_quotes_of_its_own),
        cmocka_unit_test(sqlite_has_quotes_of_its_own),
        cmocka_unit_test(casts_and_slices_are_not_names),
        cmocka_unit_test(a_doubled_question_mark_is_the_operator),
        cmocka_unit_test(a_placeholder_keeps_apart_from_the_words_beside_it),
        cmocka_unit_test(infix_regexp_is_an_operator_of_postgresql),
        cmocka_unit_test(regexp_as_a_name_stays_a_name),
        cmocka_unit_test(dollar_numbers_in_a_routine_are_its_own),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
        cmocka_unit_test(mixing_says_what_to_do),
        cmocka_unit_test(as_many_question_marks_as_there_are_numbers),
        cmocka_unit_test(a_text_beyond_the_limit_is_refused),
        cmocka_unit_test(a_hash_depends_on_every_byte_and_on_nothing_else),
        cmocka_unit_test(what_touches_its_connection_is_personal),
    };
    return cmocka_run_group_tests_name("sql", tests, NULL, NULL);
}
