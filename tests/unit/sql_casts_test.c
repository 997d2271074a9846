/* x::type, left and right on their way to SQLite, and what is said of constructs that it lacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/foreign.h"
#include "sql/sql.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static lido__sql *read_sql(const char *text, lido__database_type type, lido_error *error) {
    size_t size;
    uint64_t hash = lido__sql_hash(text, &size);
    return lido__sql_new(text, size, hash, type, error);
}

static void check(const char *text, const char *expected) {
    lido_error error = LIDO_ERROR_INIT;
    lido__sql *sql = read_sql(text, LIDO__SQLITE, &error);
    if (sql == NULL)
        fail_msg("%s: %s", text, error.message);
    assert_string_equal(sql->translated, expected);
    assert_int_equal(sql->translated_size, strlen(expected));
    lido__sql_free(sql);
}

/* "I(" and ")I" stand for what opens and closes a cast to integer, "T(" and ")T" to text, "B(" and ")" to boolean. */
static const char *unfold(const char *text) {
    static char unfolded[4096];
    size_t size = 0;
    for (; *text != '\0'; text++) {
        const char *by = strncmp(text, "I(", 2) == 0   ? "CAST(lido_cast_integer("
                         : strncmp(text, ")I", 2) == 0 ? ") AS INTEGER)"
                         : strncmp(text, "T(", 2) == 0 ? "CAST(lido_cast_text("
                         : strncmp(text, ")T", 2) == 0 ? ") AS TEXT)"
                         : strncmp(text, "B(", 2) == 0 ? "lido_cast_boolean("
                                                       : NULL;
        if (by == NULL) {
            unfolded[size++] = *text;
            continue;
        }
        memcpy(unfolded + size, by, strlen(by));
        size += strlen(by);
        text++;
    }
    unfolded[size] = '\0';
    return unfolded;
}

static void a_cast_takes_what_stands_before_it(void **state) {
    static const struct {
        const char *text;
        const char *expected;
    } stories[] = {
        {"SELECT 0, +a::int", "SELECT 0, +I(a)I"},
        {"SELECT a :: int", "SELECT I(a )I AS a"},
        {"SELECT a::/* why */ INTEGER, b", "SELECT I(a)I AS a, b"},
        {"SELECT t.a::int4", "SELECT I(t.a)I AS a"},
        {"SELECT main.t.\"a b\"::int", "SELECT I(main.t.\"a b\")I AS \"a b\""},
        {"SELECT t . a::int", "SELECT I(t . a)I AS a"},
        {"SELECT 'a''b'::text", "SELECT T('a''b')T"},
        {"SELECT -1::int", "SELECT -I(1)I"},
        {"SELECT 1 + 2::int * 3", "SELECT 1 + I(2)I * 3"},
        {"SELECT (1 + 2)::int", "SELECT I((1 + 2))I"},
        {"SELECT f(a, (b))::int", "SELECT I(f(a, (b)))I"},
        {"SELECT x.f (a)::int", "SELECT I(x.f (a))I"},
        {"SELECT a IN (1)::int", "SELECT a IN I((1))I"},
        {"SELECT a::int::text", "SELECT T(I(a)I)T AS a"},
        {"SELECT (a::int + b::int)::text", "SELECT T((I(a)I + I(b)I))T"},
        {"SELECT f(a::int::text, b::bool)::int", "SELECT I(f(T(I(a)I)T, B(b)))I"},
        {"SELECT CASE WHEN a THEN b::int ELSE (c) END::text", "SELECT T(CASE WHEN a THEN I(b)I ELSE (c) END)T"},
        {"SELECT case case a when 1 then 2 end when 2 then 3 end::int",
         "SELECT I(case case a when 1 then 2 end when 2 then 3 end)I"},
        {"SELECT count(*) FILTER (WHERE a::bool)::int", "SELECT I(count(*) FILTER (WHERE B(a)))I"},
        {"SELECT sum(a) OVER (PARTITION BY b)::int", "SELECT I(sum(a) OVER (PARTITION BY b))I"},
        {"SELECT sum(a) FILTER (WHERE b) OVER w::int", "SELECT I(sum(a) FILTER (WHERE b) OVER w)I"},
        {"SELECT EXISTS (SELECT 1)::int", "SELECT I(EXISTS (SELECT 1))I"},
        {"SELECT NULL::int", "SELECT I(NULL)I"},
        {"SELECT a::character varying", "SELECT T(a)T AS a"},
        {"SELECT a FROM t WHERE b::text LIKE c::text AND d::bool ORDER BY a::int",
         "SELECT a FROM t WHERE T(b)T LIKE T(c)T AND B(d) ORDER BY I(a)I"},
        {"SELECT 'a::int', \"b::int\" -- c::int", "SELECT 'a::int', \"b::int\" -- c::int"},
        {"INSERT INTO t (a) VALUES ('1'::int), ('2'::int)", "INSERT INTO t (a) VALUES (I('1')I), (I('2')I)"},
        {"SELECT \"end\"::int, \"case\"::int", "SELECT I(\"end\")I AS \"end\", I(\"case\")I AS \"case\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(stories); i++)
        check(stories[i].text, unfold(stories[i].expected));
}

/* As on PostgreSQL, where the column is called as it would be without the cast. */
static void columns_keep_their_names(void **state) {
    static const struct {
        const char *text;
        const char *expected;
    } stories[] = {
        {"SELECT a::int", "SELECT I(a)I AS a"},
        {"SELECT a::int;", "SELECT I(a)I AS a;"},
        {"SELECT DISTINCT t.\"a b\"::int, b FROM t", "SELECT DISTINCT I(t.\"a b\")I AS \"a b\", b FROM t"},
        {"SELECT a::int::text , b::bool FROM t", "SELECT T(I(a)I)T AS a , B(b) AS b FROM t"},
        {"SELECT a::int AS n, b::int c, d::int + 1, -e::int FROM t",
         "SELECT I(a)I AS n, I(b)I c, I(d)I + 1, -I(e)I FROM t"},
        {"SELECT 1 + a::int, f(b::int), (c::int), 'd'::text, g(x)::int FROM t WHERE a::int IN (b::int, c)",
         "SELECT 1 + I(a)I, f(I(b)I), (I(c)I), T('d')T, I(g(x))I FROM t WHERE I(a)I IN (I(b)I, c)"},
        {"WITH x AS (SELECT a::text FROM t) SELECT a FROM x", "WITH x AS (SELECT T(a)T AS a FROM t) SELECT a FROM x"},
        {"SELECT (SELECT a::int), b::int", "SELECT (SELECT I(a)I AS a), I(b)I AS b"},
        {"INSERT INTO t VALUES (a::int, 2) RETURNING a::text", "INSERT INTO t VALUES (I(a)I, 2) RETURNING T(a)T AS a"},
        {"SELECT a FROM t ORDER BY a::int, b::int", "SELECT a FROM t ORDER BY I(a)I, I(b)I"},
        {"SELECT a::int UNION SELECT b::int", "SELECT I(a)I AS a UNION SELECT I(b)I AS b"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(stories); i++)
        check(stories[i].text, unfold(stories[i].expected));
}

static void placeholders_are_cast(void **state) {
    (void)state;
    check("SELECT ?::int, ?::text", unfold("SELECT I(?1)I, T(?2)T"));
    check("SELECT :a::int + :a::int", unfold("SELECT I(?1)I + I(?1)I"));
    check("SELECT $2::int, $1::text", unfold("SELECT I(?2)I, T(?1)T"));
    check("SELECT f(?, ?)::int", unfold("SELECT I(f(?1, ?2))I"));
}

static void left_and_right_are_quoted(void **state) {
    (void)state;
    check("SELECT left(a, 1), RIGHT (b, 2)", "SELECT \"left\"(a, 1), \"right\" (b, 2)");
    check("SELECT left(a, 1)::int", unfold("SELECT I(\"left\"(a, 1))I"));
    check("SELECT left(left(?, ?), 1)::int", unfold("SELECT I(\"left\"(\"left\"(?1, ?2), 1))I"));
    check("SELECT 1 FROM a LEFT JOIN b ON (a = b) RIGHT OUTER JOIN c", "SELECT 1 FROM a LEFT JOIN b ON (a = b) RIGHT "
                                                                       "OUTER JOIN c");
    check("SELECT 'left(a)'", "SELECT 'left(a)'");
}

static void postgresql_gets_casts_as_they_are(void **state) {
    static const char text[] = "SELECT left(a, 1)::int, b::regclass, c::int[]";
    lido_error error = LIDO_ERROR_INIT;
    (void)state;
    lido__sql *sql = read_sql(text, LIDO__POSTGRESQL, &error);
    assert_non_null(sql);
    assert_string_equal(sql->translated, text);
    lido__sql_free(sql);
}

static void other_types_are_refused(void **state) {
    static const char *const texts[] = {
        "SELECT a::regclass", "SELECT a::int[]",           "SELECT a::int []",       "SELECT a::numeric(10, 2)",
        "SELECT a::char",     "SELECT a::pg_catalog.int4", "SELECT a::real",         "SELECT a::varchar(3)",
        "SELECT a::double",   "SELECT a::\"int\"",         "SELECT a::interval",     "SELECT a::jsonb",
        "SELECT a::",         "SELECT a::int array",       "SELECT a::timestamp(3)",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        lido_error error = LIDO_ERROR_INIT;
        assert_null(read_sql(texts[i], LIDO__SQLITE, &error));
        assert_int_equal(error.category, LIDO_ERROR_SYNTAX);
        assert_string_equal(error.sqlstate, "0A000");
        assert_non_null(strstr(error.message, "SQLite has no ::"));
        assert_non_null(strstr(error.message, "(byte 9)"));
        assert_non_null(strstr(error.hint, "double precision"));
    }
}

static void a_cast_of_nothing_is_refused(void **state) {
    static const char *const texts[] = {"SELECT ::int",   "SELECT +::int", "SELECT a, ::int",
                                        "SELECT (::int)", "::int",         "SELECT a FROM ::int"};
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        lido_error error = LIDO_ERROR_INIT;
        assert_null(read_sql(texts[i], LIDO__SQLITE, &error));
        assert_non_null(strstr(error.hint, "parentheses"));
    }
}

/* Each cast is put in once, at the end, however many there are and however deep. */
static void many_casts_take_little_time(void **state) {
    enum { CASTS = 50000 };
    char *text = malloc(CASTS * 8 + 100);
    (void)state;
    assert_non_null(text);
    for (int shape = 0; shape < 2; shape++) {
        size_t size = (size_t)sprintf(text, "SELECT +a");
        for (int i = 0; i < CASTS; i++)
            size += (size_t)sprintf(text + size, shape == 0 ? "::int" : "::int,+a");
        lido_error error = LIDO_ERROR_INIT;
        lido__sql *sql = read_sql(text, LIDO__SQLITE, &error);
        assert_non_null(sql);
        assert_int_equal(sql->translated_size, size + CASTS * (strlen(unfold("I()I")) - strlen("::int")));
        lido__sql_free(sql);
    }
    free(text);
}

/* ---- What SQLite lacks ---- */

/* "^" in the text is where SQLite gave up; it is taken out. `missing` as SQLite names it, or NULL. */
static const char *blamed(const char *marked, const char *missing) {
    char text[256];
    lido__foreign foreign;
    const char *mark = strchr(marked, '^');
    size_t near = mark != NULL ? (size_t)(mark - marked) : SIZE_MAX;
    snprintf(text, sizeof text, "%.*s%s", mark != NULL ? (int)near : 0, marked, mark != NULL ? mark + 1 : marked);
    return lido__sql_foreign(text, strlen(text), near, missing, &foreign) ? foreign.construct : "";
}

static void constructs_are_recognised(void **state) {
    static const struct {
        const char *text;
        const char *construct;
    } stories[] = {
        {"SELECT a FROM t WHERE a ILIKE ^'x'", "ILIKE"},
        {"SELECT a FROM t WHERE a ^NOT ILIKE 'x'", "ILIKE"},
        {"SELECT a FROM t WHERE a ^similar to 'x'", "SIMILAR TO"},
        {"SELECT DISTINCT ^ON (a) a FROM t", "DISTINCT ON"},
        {"SELECT 1 FROM t, LATERAL (^SELECT 1) s", "LATERAL"},
        {"SELECT ARRAY(^SELECT 1)", "ARRAY(…)"},
        {"SELECT a = ANY (^SELECT 1)", "ANY (…)"},
        {"SELECT a <> ^ALL (b)", "ALL (…)"},
        {"SELECT a FROM t FOR ^UPDATE", "FOR UPDATE"},
        {"SELECT a FROM t FOR ^NO KEY UPDATE", "FOR NO KEY UPDATE"},
        {"SELECT a FROM t FETCH ^FIRST 2 ROWS ONLY", "FETCH FIRST"},
        {"SELECT 1 WHERE now() - interval ^'1 day'", "INTERVAL"},
        {"SELECT extract(year ^FROM a)", "EXTRACT(… FROM …)"},
        {"SELECT trim(both ^'x' from a)", "TRIM(BOTH …)"},
        {"SELECT string_agg(a, ',' ^ORDER BY b) FROM t", "ORDER BY within an aggregate"},
        {"SELECT array_agg(x ^ORDER BY b) FROM t", "ORDER BY within an aggregate"},
        {"SELECT a ^~ 'x'", "the operator ~"},
        {"SELECT a ^!~* 'x'", "the operator !~*"},
        {"SELECT 2 ^^ 3", "the operator ^"},
        {"^TRUNCATE t", "TRUNCATE"},
        {"SELECT 1; ^TRUNCATE t", "TRUNCATE"},
        {"CREATE ^MATERIALIZED VIEW v AS SELECT 1", "CREATE MATERIALIZED VIEW"},
        {"ALTER TABLE t ^ALTER COLUMN a TYPE text", "ALTER COLUMN"},
        {"INSERT INTO t VALUES (1) ON CONFLICT ^ON CONSTRAINT c DO NOTHING", "ON CONFLICT ON CONSTRAINT"},
        {"SELECT a FROM t LIMIT ^ALL", "LIMIT ALL"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(stories); i++)
        if (strcmp(blamed(stories[i].text, NULL), stories[i].construct) != 0)
            fail_msg("%s: \"%s\" is blamed", stories[i].text, blamed(stories[i].text, NULL));
}

/* What SQLite took for a name that is not there. */
static void names_that_are_none_are_recognised(void **state) {
    (void)state;
    assert_string_equal(blamed("SELECT ARRAY[1, 2]", "ARRAY"), "ARRAY[…]");
    assert_string_equal(blamed("SELECT date '2024-01-01'", "date"), "DATE '…'");
    assert_string_equal(blamed("SELECT localtimestamp", "localtimestamp"), "LOCALTIMESTAMP");
    assert_string_equal(blamed("SELECT a FROM generate_series(1, 2)", "generate_series"), "generate_series");
    assert_string_equal(blamed("SELECT a = any('{1}')", "any"), "ANY (…)");
    assert_string_equal(blamed("SELECT a, localtime, unnest(b) FROM missing", "missing"), "");
    assert_string_equal(blamed("SELECT array FROM t", "array"), "");
}

static void nothing_else_is_blamed(void **state) {
    static const char *const texts[] = {
        "SELECT a ^FORM t WHERE a ILIKE 'x'",
        "SELECT a ILIKE 'x' AND b FROM ^WHERE",
        "SELECT localtime, lateral FROM t ^WHRE x = 1",
        "SELECT sum(a) OVER (^ORDER BY b) (SELECT 1 ORDER BY 1)",
        "SELECT f((SELECT a FROM t ^ORDER BY b)",
        "SELECT ~ 5 + ~a ^b c",
        "SELECT ^truncate FROM t",
        "SELECT ilike ^FROM",
        "SELECT similar, to_x ^FROM t",
        "SELECT 'a ILIKE b', \"x ILIKE y\" -- a ILIKE b",
        "^",
        "",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        if (strcmp(blamed(texts[i], NULL), "") != 0)
            fail_msg("%s: \"%s\" is blamed", texts[i], blamed(texts[i], NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cast_takes_what_stands_before_it),
        cmocka_unit_test(columns_keep_their_names),
        cmocka_unit_test(placeholders_are_cast),
        cmocka_unit_test(left_and_right_are_quoted),
        cmocka_unit_test(postgresql_gets_casts_as_they_are),
        cmocka_unit_test(other_types_are_refused),
        cmocka_unit_test(a_cast_of_nothing_is_refused),
        cmocka_unit_test(many_casts_take_little_time),
        cmocka_unit_test(constructs_are_recognised),
        cmocka_unit_test(names_that_are_none_are_recognised),
        cmocka_unit_test(nothing_else_is_blamed),
    };
    return cmocka_run_group_tests_name("sql_casts", tests, NULL, NULL);
}
