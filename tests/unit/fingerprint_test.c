/* Normal texts and fingerprints: which statements are the same but for their values, and that no value stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/convert.h"
#include "sql/sql.h"
#include "support/chance.h"

static lido__sql *read_sql(const char *text, lido__database_type type) {
    size_t size;
    uint64_t hash = lido__sql_hash(text, &size);
    lido__sql *sql = lido__sql_new(text, size, hash, type, NULL);
    if (sql == NULL)
        fail_msg("%s: cannot be read", text);
    return sql;
}

static void expect_on(const char *text, const char *normal, lido__database_type type) {
    lido__sql *sql = read_sql(text, type);
    assert_string_equal(sql->normal, normal);
    assert_true(sql->fingerprint != 0);
    lido__sql_free(sql);
}

static void expect(const char *text, const char *normal) {
    expect_on(text, normal, LIDO__SQLITE);
    expect_on(text, normal, LIDO__POSTGRESQL);
}

static uint64_t fingerprint_of(const char *text) {
    lido__sql *sql = read_sql(text, LIDO__POSTGRESQL);
    uint64_t fingerprint = sql->fingerprint;
    lido__sql_free(sql);
    return fingerprint;
}

static void values_become_placeholders(void **state) {
    (void)state;
    expect("SELECT 1", "SELECT ?");
    expect("SELECT id FROM items WHERE id = 17 AND name = 'lamp'", "SELECT id FROM items WHERE id = ? AND name = ?");
    expect("SELECT id FROM items WHERE id = $1", "SELECT id FROM items WHERE id = ?");
    expect("SELECT id FROM items WHERE id = :id", "SELECT id FROM items WHERE id = ?");
    expect("SELECT 'it''s', x'00ff', 1.5e-7, 0x1F, .5", "SELECT ?, ?, ?, ?, ?");
    expect_on("SELECT E'a\\'b', $$c$$, $d$e$d$, N'f', U&'g'", "SELECT ?, ?, ?, ?, ?", LIDO__POSTGRESQL);
    expect_on("SELECT 'a'\n 'b' AS c", "SELECT ? AS c", LIDO__POSTGRESQL);
    expect("SELECT a FROM b LIMIT 10 OFFSET 20", "SELECT a FROM b LIMIT ? OFFSET ?");
    expect("SELECT DATE '2024-02-29', coalesce(a, 1, 2)", "SELECT DATE ?, coalesce(a, ?, ?)");
    expect("SELECT 'never closed", "SELECT ?");
}

static void a_sign_belongs_to_its_number(void **state) {
    (void)state;
    expect("SELECT -1, +2, - 3", "SELECT ?, ?, ?");
    expect("SELECT a - 1, a-1, (a)-1, ? - 1", "SELECT a - ?, a - ?, (a) - ?, ? - ?");
    expect("SELECT a FROM b WHERE c=-1 AND d>-1 AND e IN (-1, 2, -3)",
           "SELECT a FROM b WHERE c = ? AND d > ? AND e IN (?)");
    expect("SELECT -a, - -a, a*-b", "SELECT -a, - -a, a * -b");
    expect_on("SELECT a #- b, a -> 'b' ->> 'c'", "SELECT a #- b, a -> ? ->> ?", LIDO__POSTGRESQL);
}

static void words_that_are_values(void **state) {
    (void)state;
    expect("UPDATE a SET b = NULL, c = true WHERE d = FALSE", "UPDATE a SET b = ?, c = ? WHERE d = ?");
    expect("SELECT a FROM b WHERE c IS NULL OR c IS NOT NULL OR d IS TRUE",
           "SELECT a FROM b WHERE c IS NULL OR c IS NOT NULL OR d IS TRUE");
    expect("CREATE TABLE a (b int NOT NULL REFERENCES c ON DELETE SET NULL)",
           "CREATE TABLE a(b int NOT NULL REFERENCES c ON DELETE SET NULL)");
    expect("SET search_path TO secret, \"other\"", "SET search_path TO ?, ?");
    expect("SET LOCAL app.user = alice", "SET LOCAL app.user = ?");
    expect("SELECT 1; SET a = b; SELECT c", "SELECT ?; SET a = ?; SELECT c");
    expect("PRAGMA key = secret", "PRAGMA key = ?");
    expect("PRAGMA table_info(items)", "PRAGMA table_info(?)");
    expect("UPDATE a SET b = c", "UPDATE a SET b = c");
}

static void all_that_is_set_is_a_value(void **state) {
    (void)state;
    expect("PRAGMA foo = a-b", "PRAGMA foo = ? - ?");
    expect("PRAGMA foo(a-b)", "PRAGMA foo(? - ?)");
    expect("PRAGMA foo = -a; SELECT b", "PRAGMA foo = -?; SELECT b");
    expect("SET a.b = c.d + \"e\", f", "SET a.b = ?.? + ?, ?");
    expect("SET TIME ZONE secret", "SET TIME ZONE ?");
    expect("SET LOCAL TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE", "SET LOCAL TIME ZONE ?");
    expect("SET ROLE alice", "SET ROLE ?");
    expect("SET role TO \"alice\"", "SET role TO ?");
    expect("SET role = alice", "SET role = ?");
    expect("SET SESSION AUTHORIZATION alice", "SET SESSION AUTHORIZATION ?");
    expect("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE");
    expect("ALTER ROLE x SET y TO \"z\"", "ALTER ROLE x SET y TO ?");
    expect("ALTER ROLE x IN DATABASE d SET y = z, \"q\"", "ALTER ROLE x IN DATABASE d SET y = ?, ?");
    expect("ALTER SYSTEM SET a = b; SELECT c", "ALTER SYSTEM SET a = ?; SELECT c");
    expect("ALTER TABLE a SET (b = c)", "ALTER TABLE a SET (b = ?)");
    expect("SET 'a' TO b; SET c TO d, to", "SET ? TO ?; SET c TO ?, ?");
    expect("ALTER TABLE a RENAME TO b", "ALTER TABLE a RENAME TO b");
    expect("ALTER TABLE a ALTER b SET NOT NULL", "ALTER TABLE a ALTER b SET NOT NULL");
}

static void lists_are_as_long_as_one(void **state) {
    (void)state;
    expect("SELECT a FROM b WHERE c IN (1, 2, 3)", "SELECT a FROM b WHERE c IN (?)");
    expect("SELECT a FROM b WHERE c NOT IN (?, ?, NULL, 'x')", "SELECT a FROM b WHERE c NOT IN (?)");
    expect("SELECT a FROM b WHERE c IN (d, 1, 2)", "SELECT a FROM b WHERE c IN (d, ?)");
    expect("SELECT a FROM b WHERE (c, d) IN ((1, 2), (3, 4), (5, 6)) AND e = 7",
           "SELECT a FROM b WHERE (c, d) IN ((?, ?)) AND e = ?");
    expect("SELECT a FROM b WHERE c IN (SELECT d, 1, 2 FROM e WHERE f IN (1, 2) AND g = 3) AND h = 4",
           "SELECT a FROM b WHERE c IN (SELECT d, ? FROM e WHERE f IN (?) AND g = ?) AND h = ?");
    expect("INSERT INTO a (b, c) VALUES (1, now()), (2, f((3), (4))), (5, '(6')",
           "INSERT INTO a(b, c) VALUES (?, now())");
    expect("INSERT INTO a VALUES (1), (2) ON CONFLICT (b) DO UPDATE SET (c) = (3), (d) = (4)",
           "INSERT INTO a VALUES (?) ON CONFLICT(b) DO UPDATE SET (c) = (?), (d) = (?)");
    expect("SELECT a FROM (VALUES (1, 2), (3, 4)) AS b, (SELECT 5) AS c",
           "SELECT a FROM (VALUES (?, ?)) AS b, (SELECT ?) AS c");
    expect_on("SELECT a FROM b WHERE c = ANY(ARRAY[1, 2, 3]) AND d[1:2] = '{}'",
              "SELECT a FROM b WHERE c = ANY (ARRAY[?]) AND d[?:?] = ?", LIDO__POSTGRESQL);
    expect("VALUES (1), (", "VALUES (?)");
    expect("SELECT a IN (1, 2", "SELECT a IN (?");
}

static void only_the_tokens_matter(void **state) {
    (void)state;
    expect("  SELECT\n\ta,b , c/* why */FROM d -- how\nWHERE e=1 ;", "SELECT a, b, c FROM d WHERE e = ?");
    expect("SELECT count ( * ) FROM a . b;;", "SELECT count(*) FROM a.b");
    expect_on("SELECT a :: text, b::numeric ( 10 , 2 )", "SELECT a::text, b::numeric(?, ?)", LIDO__POSTGRESQL);
    expect("SELECT \"Odd\nName\" FROM a", "SELECT \"Odd Name\" FROM a");
    expect("", "");
    expect(" -- nothing", "");
    assert_true(fingerprint_of("select A from B where c = 1") == fingerprint_of("SELECT a FROM b WHERE C=?;"));
    assert_true(fingerprint_of("SELECT \"a\"") != fingerprint_of("SELECT \"A\""));
    assert_true(fingerprint_of("SELECT a FROM b") != fingerprint_of("SELECT a FROM c"));
    assert_true(fingerprint_of("SELECT a, b") != fingerprint_of("SELECT a b"));
    assert_true(fingerprint_of("SELECT 1 WHERE a IN (1)") == fingerprint_of("SELECT 2 WHERE a IN (?, ?, ?)"));
}

static void a_long_text_is_cut_and_its_hash_is_not(void **state) {
    (void)state;
    char text[2][1000];
    for (int which = 0; which < 2; which++) {
        strcpy(text[which], "SELECT ");
        for (int i = 0; i < 100; i++)
            strcat(text[which], "€ + ");
        strcat(text[which], which == 0 ? "a" : "b");
        lido__sql *sql = read_sql(text[which], LIDO__POSTGRESQL);
        size_t size = strlen(sql->normal);
        assert_in_range(size, LIDO__SQL_NORMAL_MOST - 3, LIDO__SQL_NORMAL_MOST + 3);
        assert_true(lido__utf8_valid(sql->normal, size));
        assert_string_equal(sql->normal + size - strlen("…"), "…");
        assert_memory_equal(sql->normal, text[which], size - strlen("…"));
        lido__sql_free(sql);
    }
    assert_true(fingerprint_of(text[0]) != fingerprint_of(text[1]));
}

/* Pieces that belong into statements, in any order: whatever comes of it, the secrets in it do not. */
static void no_value_ever_stays(void **state) {
    (void)state;
    static const char *const pieces[] = {
        "SELECT",   "a",       ",",       "(",        ")",          "IN",         "VALUES", "[",      "]",
        "=",        "-",       "+",       "::",       ".",          ";",          "NOT",    "NULL",   "SET x =",
        "PRAGMA y", "/*3*/",   "--3\n",   "'secret'", "'sec''ret'", "$$secret$$", "73317",  "-73317", "E'\\'secret'",
        "x'73317'", "73317e7", ".73317",  "\"b\"",    "?1",         "ARRAY",      "||",     "LIMIT",  "@",
        "=-73317",  "[-73317", "a-73317",
    };
    const size_t count = sizeof pieces / sizeof *pieces;
    uint64_t chance = chance_of(seed_of_test(), 0);
    for (int round = 0; round < 100000; round++) {
        char text[400] = "";
        for (int i = 0; i < 14; i++) {
            strcat(text, pieces[draw_below(&chance, (unsigned)count)]);
            strcat(text, " ");
        }
        size_t size;
        uint64_t hash = lido__sql_hash(text, &size);
        lido__sql *sql = lido__sql_new(text, size, hash, LIDO__POSTGRESQL, NULL);
        if (sql != NULL && (strstr(sql->normal, "secret") != NULL || strstr(sql->normal, "73317") != NULL))
            fail_msg("%s: %s", text, sql->normal);
        lido__sql_free(sql);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_become_placeholders),
        cmocka_unit_test(a_sign_belongs_to_its_number),
        cmocka_unit_test(words_that_are_values),
        cmocka_unit_test(all_that_is_set_is_a_value),
        cmocka_unit_test(lists_are_as_long_as_one),
        cmocka_unit_test(only_the_tokens_matter),
        cmocka_unit_test(a_long_text_is_cut_and_its_hash_is_not),
        cmocka_unit_test(no_value_ever_stays),
    };
    return cmocka_run_group_tests_name("fingerprint", tests, NULL, NULL);
}
