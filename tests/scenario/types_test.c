/* The kinds that values come as: by a column's declared type, the same on both databases where both have it, and by
 * PostgreSQL's own types where only it has them. */
#include "support/describe.h"

/* ---- What a column was declared to hold ---- */

/* A line for each column of the first row: its name, its kind, and its value as text. */
static void tell_row(lido_rows *rows, char *text, size_t size) {
    assert_true(lido_next(rows));
    size_t used = 0;
    for (size_t column = 0; column < lido_column_count(rows); column++)
        used += (size_t)snprintf(text + used, size - used, "%s%s %s %s", column > 0 ? "\n" : "",
                                 lido_column_name(rows, column), lido_kind_name(lido_get(rows, column).kind),
                                 lido_get_text(rows, column));
}

static void story_of_declared_types(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db,
              "CREATE TABLE declared (a boolean, b uuid, c timestamp, d timestamptz, e json, f numeric(10, 2), g date, "
              "h integer, i smallint, j varchar(20), k double precision, l real, m decimal(6, 3))");
    lido_exec(db, "INSERT INTO declared VALUES (true, '01890A5D-AC96-774B-BCCE-B302099A8057', '2024-02-29 12:34:56.5', "
                  "'2024-02-29 12:34:56+02', '{\"a\": 1}', 12.25, '2024-02-29', 7, -7, 'lamp', 5, 1.5, 0.125)");
    char told[TIMES][1000];
    for (int i = 0; i < TIMES; i++) {
        tell_row(lido_query(db, "SELECT * FROM declared"), told[i], sizeof told[i]);
        assert_string_equal(told[i], told[0]);
    }
    saw("%s", told[0]);
    lido_rows *rows = lido_query(db, "SELECT inside.b AS renamed FROM (SELECT b FROM declared) AS inside");
    lido_next(rows);
    saw("%s %s", lido_column_name(rows, 0), lido_kind_name(lido_get(rows, 0).kind));
    lido_session_close(db);
}

/* What a column of SQLite's holds need not be what it was declared to hold: then it is given as it was stored. */
static void story_of_columns_that_lie(lido_engine *engine) {
    if (scenario_is_postgres())
        return;
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "CREATE TABLE declared (a boolean, b uuid, c timestamp, f numeric, e json)");
    lido_exec(db, "INSERT INTO declared VALUES (2, 'lamp', 'yesterday', 'dear', 1e999)");
    lido_rows *rows = lido_query(db, "SELECT * FROM declared");
    assert_true(lido_next(rows));
    assert_int_equal(lido_get_int64(rows, 0), 2);
    for (size_t column = 1; column < 4; column++)
        assert_int_equal(lido_get(rows, column).kind, LIDO_KIND_TEXT);
    assert_string_equal(lido_get_text(rows, 2), "yesterday");
    assert_int_equal(lido_get(rows, 4).kind, LIDO_KIND_DOUBLE);
    assert_false(lido_failed(db));
    lido_session_close(db);
}

/* ---- PostgreSQL's own ---- */

typedef struct expectation {
    const char *expression;
    const char *described;
} expectation;

static const expectation postgres_values[] = {
    {"interval '1 day'", "text: 1 day"},
    {"inet '10.0.0.1/8'", "text: 10.0.0.1/8"},
    {"ARRAY[1, 2, NULL]::int[]", "text: {1,2,NULL}"},
    {"time '12:34:56.5'", "text: 12:34:56.5"},
    {"timestamptz 'infinity'", "text: infinity"},
    {"timestamp '-infinity'", "text: -infinity"},
    {"date 'infinity'", "text: infinity"},
    {"date '-infinity'", "text: -infinity"},
    {"date '2024-02-29'", "text: 2024-02-29"},
    {"date '1600-02-29'", "text: 1600-02-29"},
    {"date '0044-03-15 BC'", "text: 0044-03-15 BC"},
    {"date '4713-11-24 BC'", "text: 4713-11-24 BC"},
    {"date '12345-06-07'", "text: 12345-06-07"},
    {"date '5874897-12-31'", "text: 5874897-12-31"},
    {"timestamp '0044-03-15 12:00:00 BC'", "time: -0043-03-15 12:00:00.000000"},
    {"timestamp '12345-06-07 08:09:10'", "time: 12345-06-07 08:09:10.000000"},
    {"timestamp '294276-12-31 23:59:59'", "text: out of range"}, /* the last year; a lido_time ends in 294247 */
    {"numeric 'NaN'", "numeric: NaN"},
    {"numeric '12.50'", "numeric: 12.50"},
    {"numeric '-0.00'", "numeric: 0.00"},
    {"numeric '0.0001'", "numeric: 0.0001"},
    {"numeric '0.00010'", "numeric: 0.00010"},
    {"numeric '-0.00000000000000000001'", "numeric: -0.00000000000000000001"},
    {"numeric '10000'", "numeric: 10000"},
    {"numeric '9999.9999'", "numeric: 9999.9999"},
    {"numeric '99990000000000010000.00000001'", "numeric: 99990000000000010000.00000001"},
    {"numeric '1e40'", "numeric: 10000000000000000000000000000000000000000"},
    {"numeric '12345678901234567890123456789012345678901234567890.123456789012345678901234567890'",
     "numeric: 12345678901234567890123456789012345678901234567890.123456789012345678901234567890"},
    {"0.1::float4", "double: 0.10000000149011612"},
    {"'-infinity'::float4", "double: -inf"},
    {"1e-45::float4", "double: 1.4012984643248171e-45"},
    {"'infinity'::float8", "double: inf"},
    {"'abc  '::char(5)", "text: abc  "},
    {"'x'::\"char\"", "text: x"},
    {"''::\"char\"", "text: "},
    {"4294967295::oid", "int64: 4294967295"},
    {"'pg_class'::name", "text: pg_class"},
    {"'pg_class'::regclass", "text: pg_class"},
    {"'{\"b\": 1, \"a\": [null]}'::jsonb", "json: {\"a\": [null], \"b\": 1}"},
    {"'{\"b\":1,  \"a\":2}'::json", "json: {\"b\":1,  \"a\":2}"},
    {"'\\x00ff5c27'::bytea", "blob: 4 bytes 00 ff 5c 27"},
    {"''::bytea", "blob: 0 bytes"},
    {"(-32768)::smallint", "int64: -32768"},
    {"pg_sleep(0)", "text: "},
    {"'untyped'", "text: untyped"},
    {"NULL::uuid", "null: "},
};

static void story_of_postgres_types(lido_engine *engine) {
    if (!scenario_is_postgres())
        return;
    lido_session *db = lido_session_open(engine, NULL);
    for (size_t i = 0; i < sizeof postgres_values / sizeof postgres_values[0]; i++) {
        char sql[200];
        char text[DESCRIBED_MOST];
        snprintf(sql, sizeof sql, "SELECT %s", postgres_values[i].expression);
        describe(ask_often(db, sql), text);
        if (lido_failed(db) || strcmp(text, postgres_values[i].described) != 0)
            fail_msg("%s gave \"%s\" instead of \"%s\"; %s", sql, text, postgres_values[i].described,
                     lido_error_of(db)->message);
    }
    lido_session_close(db);
}

/* One column of a type that is not read in binary makes the whole row come as text: the others must not change. */
static void story_of_postgres_types_side_by_side(lido_engine *engine) {
    static const char *const expected[] = {"text: 01:00:00",
                                           "bool: true",
                                           "int64: -5",
                                           "double: 0.10000000000000001",
                                           "numeric: 1.50",
                                           "json: {\"a\": 1}",
                                           "text: x",
                                           "time: 2024-02-29 10:34:56.000000",
                                           "blob: 2 bytes 00 ff",
                                           "uuid: 01890a5d-ac96-774b-bcce-b302099a8057"};
    char text[DESCRIBED_MOST];
    if (!scenario_is_postgres())
        return;
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "SET TimeZone = 'Asia/Kathmandu'"); /* 5:45 hours ahead */
    for (int i = 0; i < TIMES; i++) {
        lido_rows *rows = lido_query(db, "SELECT interval '1 hour', true, -5, 0.1::float8, 1.50, '{\"a\": 1}'::jsonb, "
                                         "'x'::text, timestamptz '2024-02-29 12:34:56+02', '\\x00ff'::bytea, "
                                         "'01890a5d-ac96-774b-bcce-b302099a8057'::uuid");
        assert_true(lido_next(rows));
        for (size_t column = 0; column < lido_column_count(rows); column++) {
            describe(lido_get(rows, column), text);
            assert_string_equal(text, expected[column]);
        }
    }
    lido_session_close(db);
}

/* What the role, the database or the server has set for everybody must not show in what is read: not in the first
 * answer, which comes as text, nor in later ones. */
static void story_of_a_server_with_a_taste(lido_engine *unused) {
    (void)unused;
    char url[512];
    if (!scenario_is_postgres())
        return;
    snprintf(url, sizeof url,
             "%s&options=-c%%20extra_float_digits%%3D-3%%20-c%%20datestyle%%3DGerman"
             "%%20-c%%20standard_conforming_strings%%3Doff",
             scenario_url());
    lido_engine *engine = lido_engine_open(url, NULL, NULL);
    assert_non_null(engine);
    lido_session *db = lido_session_open(engine, NULL);
    for (int i = 0; i < TIMES; i++) {
        lido_rows *rows = lido_query(db, "SELECT 0.1::float8 + 0.2::float8, 16777217::float8 / 3, 0.1::float4, "
                                         "timestamptz '2024-02-29 12:34:56Z', date '2024-02-29', 'a\\b'");
        double sum = 0;
        double third = 0;
        double small = 0;
        lido_time moment = {0};
        const char *date = NULL;
        const char *text = NULL;
        assert_true(lido_next(rows) && lido_scan(rows, &sum, &third, &small, &moment, &date, &text));
        assert_true(sum == 0.1 + 0.2 && third == 16777217.0 / 3 && small == (double)0.1F);
        assert_int_equal(moment.microseconds / 1000000, 1709210096);
        assert_string_equal(date, "2024-02-29");
        assert_string_equal(text, "a\\b");
    }
    lido_session_close(db);
    lido_engine_close(engine);
}

int main(void) {
    const scenario scenarios[] = {
        {"declared types", story_of_declared_types,
         "a bool true\n"
         "b uuid 01890a5d-ac96-774b-bcce-b302099a8057\n"
         "c time 2024-02-29 12:34:56.500000\n"
         "d time 2024-02-29 10:34:56.000000\n"
         "e json {\"a\": 1}\n"
         "f numeric 12.25\n"
         "g text 2024-02-29\n"
         "h int64 7\n"
         "i int64 -7\n"
         "j text lamp\n"
         "k double 5\n"
         "l double 1.5\n"
         "m numeric 0.125\n"
         "renamed uuid\n"},
        {"columns that lie", story_of_columns_that_lie, ""},
        {"PostgreSQL's types", story_of_postgres_types, ""},
        {"PostgreSQL's types side by side", story_of_postgres_types_side_by_side, ""},
        {"a server with a taste of its own", story_of_a_server_with_a_taste, ""},
    };
    return scenarios_run("types", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
