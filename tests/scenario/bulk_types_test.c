/* A value goes in the same whether its row is one or one of many: every kind of value into a column of every type, once
 * by lido_exec and once among a hundred rows, must give the same or fail with the same category. */
#include "support/scenario.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 100 };

static const char *const postgres_types[] = {
    "boolean", "smallint",   "integer", "bigint",     "real",        "double precision", "numeric", "numeric(6, 2)",
    "text",    "varchar(8)", "char(8)", "uuid",       "timestamptz", "timestamp",        "date",    "json",
    "jsonb",   "bytea",      "oid",     "name",       "interval",    "integer[]",        "mood",    "positive",
    "tag",     "time",       "inet",    "positive[]",
};

static const char *const sqlite_types[] = {"boolean", "integer", "bigint",    "real", "numeric", "text",
                                           "uuid",    "json",    "timestamp", "blob", "date"};

/* ---- The values ---- */

typedef struct sample {
    const char *what;
    lido_value value;
} sample;

enum { SAMPLES_MOST = 120 };

static sample samples[SAMPLES_MOST];
static size_t sample_count;

static void add(const char *what, lido_value value) {
    assert_true(sample_count < SAMPLES_MOST);
    samples[sample_count++] = (sample){what, value};
}

static void add_texts(void) {
    static const char *const texts[] = {
        "",
        "a",
        "t",
        "happy",
        "1",
        "-1",
        "0",
        "32768",
        "12.345",
        "1e3",
        "1e400",
        "NaN",
        "infinity",
        "12345678",
        "123456789",
        "2026-01-02",
        "0000-01-02",
        "2026-02-30",
        "12:13:14",
        "null",
        "{\"a\": [1, null]}",
        "[1, 2]",
        "{1,2}",
        "tab\tand\\",
        "two\nlines\r",
        "\\N",
        "\\x00ff",
        "é€😀",
        "1 day",
        "127.0.0.1",
        " 7 ",
        "-0.00",
        "yes",
        "2026-01-02 03:04:05+02",
        "2026-01-02T03:04:05",
        "00000000-0000-0000-0000-0000000000ff",
        "{000000000000000000000000000000FF}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        add(texts[i], lido_value_text(texts[i]));
}

static void add_numbers(void) {
    static const int64_t integers[] = {0,      1,          2,          -1,          32767,    32768,     -32768,
                                       -32769, 2147483647, 2147483648, -2147483648, 16777217, INT64_MAX, INT64_MIN};
    static const double reals[] = {0,    -0.0,  1,     1.5,    -12.345, 0.1,      1e-7,      1e10,
                                   1e39, 1e300, 1e-46, 5e-324, NAN,     INFINITY, -INFINITY, 9999.995};
    static const char *const numerics[] = {"0",
                                           "-12.50",
                                           "0.00012345",
                                           "12345678901234567890.123456789",
                                           "+1.5",
                                           ".5",
                                           "5.",
                                           "1e3",
                                           "9999.99",
                                           "10000",
                                           "00010.10",
                                           "-0.001",
                                           "100000000",
                                           "NaN",
                                           "99999999999999999999999999999999999999.9"};
    static char names[45][48];
    size_t named = 0;
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++, named++) {
        snprintf(names[named], sizeof names[named], "int64 %lld", (long long)integers[i]);
        add(names[named], lido_value_int64(integers[i]));
    }
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++, named++) {
        snprintf(names[named], sizeof names[named], "double %g", reals[i]);
        add(names[named], lido_value_double(reals[i]));
    }
    for (size_t i = 0; i < sizeof numerics / sizeof numerics[0]; i++, named++) {
        snprintf(names[named], sizeof names[named], "numeric %s", numerics[i]);
        add(names[named], lido_value_numeric((lido_numeric){numerics[i]}));
    }
}

static void add_others(void) {
    static const int64_t moments[] = {0,
                                      -1,
                                      1700000000123456,
                                      -62135596800000000,
                                      -62135596800000001,
                                      253402300800000000,
                                      INT64_MAX,
                                      INT64_MIN + 1,
                                      946684799999999};
    static char names[9][40];
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        snprintf(names[i], sizeof names[i], "time %lld", (long long)moments[i]);
        add(names[i], lido_value_time((lido_time){moments[i]}));
    }
    add("null", lido_value_null());
    add("true", lido_value_bool(true));
    add("false", lido_value_bool(false));
    add("uuid", lido_value_uuid((lido_uuid){{1, 2, 3, 255}}));
    add("json", lido_value_json((lido_json){"{\"a\":1, \"a\":2}"}));
    add("bad json", lido_value_json((lido_json){"{"}));
    add("empty blob", lido_value_bytes(lido_blob("", 0)));
    add("blob of 3", lido_value_bytes(lido_blob("a\\\n", 3)));
    add("blob with NUL", lido_value_bytes(lido_blob("a\0\xff", 3)));
    add("blob of 16", lido_value_bytes(lido_blob("0123456789abcdef", 16)));
}

/* ---- Inserting each twice ---- */

/* What a table holds, or why not. */
typedef struct outcome {
    lido_category category;
    char text[200];
    bool alike; /* all rows */
} outcome;

static void look(lido_session *db, int rows_expected, outcome *found) {
    lido_rows *rows = lido_query(db, "SELECT CAST(v AS text), count(*), count(v) FROM things GROUP BY v IS NULL,"
                                     " CAST(v AS text)");
    found->alike = lido_row_count(rows) == 1 && lido_next(rows) && lido_get_int64(rows, 1) == rows_expected;
    if (found->alike) {
        const char *text = lido_get_text(rows, 0);
        snprintf(found->text, sizeof found->text, "%s", text != NULL ? text : "NULL");
    }
    lido_rows_close(rows);
}

static outcome insert_one(lido_engine *engine, const lido_value *value) {
    outcome found = {.alike = true};
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "INSERT INTO things (v) VALUES (?)", *value);
    if (!lido_failed(db))
        look(db, 1, &found);
    found.category = lido_error_of(db)->category;
    lido_session_close(db);
    return found;
}

/* `within` rows that fit come before, so that the value meets rows that are under way already. */
static outcome insert_many(lido_engine *engine, const lido_value *value, int nulls_before, int64_t *row) {
    static const char *const column = "v";
    lido_value values[ROWS];
    outcome found = {.alike = true};
    for (int i = 0; i < ROWS; i++)
        values[i] = i < nulls_before ? lido_value_null() : *value;
    lido_session *db = lido_session_open(engine, NULL);
    lido_insert_rows(db, "things", 1, &column, ROWS, values);
    lido_error error = *lido_error_of(db);
    if (error.status == LIDO_OK) {
        lido_exec(db, value->kind == LIDO_KIND_NULL ? "SELECT 1" : "DELETE FROM things WHERE v IS NULL");
        look(db, value->kind == LIDO_KIND_NULL ? ROWS : ROWS - nulls_before, &found);
    }
    found.category = lido_error_of(db)->category;
    *row = error.status == LIDO_OK ? nulls_before + 1 : error.row;
    lido_session_close(db);
    return found;
}

static void compare(lido_engine *engine, const char *type, const sample *of) {
    outcome one = insert_one(engine, &of->value);
    for (int before = 0; before <= 10; before += 10) {
        int64_t row = 0;
        outcome many = insert_many(engine, &of->value, before, &row);
        if (one.category != many.category || strcmp(one.text, many.text) != 0 || !many.alike)
            saw("%s into %s, behind %d: alone %s \"%s\", among many %s \"%s\"", of->what, type, before,
                lido_category_name(one.category), one.text, lido_category_name(many.category), many.text);
        if (many.category != LIDO_ERROR_NONE && row != before + 1)
            saw("%s into %s: row %d, not %d", of->what, type, (int)row, before + 1);
    }
}

static void run(lido_engine *engine, const char *sql) {
    lido_status status;
    lido_transaction (db, engine, &status)
        lido_script(db, sql);
    assert_int_equal(status, LIDO_OK);
}

/* Into other types a single blob goes as the type's binary form, and a blob among many as the text of a bytea. */
static bool takes_blobs(const char *type) {
    static const char *const types[] = {"text", "varchar(8)", "bytea", "json"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    return false;
}

static void story_of_every_kind_into_every_type(lido_engine *given) {
    bool postgres = scenario_is_postgres();
    lido_options options = LIDO_OPTIONS_INIT;
    options.prepare = 0; /* the table changes under the statements */
    lido_engine *engine = postgres ? scenario_engine(&options) : given;
    const char *const *types = postgres ? postgres_types : sqlite_types;
    size_t count = postgres ? sizeof postgres_types / sizeof *types : sizeof sqlite_types / sizeof *types;
    if (sample_count == 0) {
        add_texts();
        add_numbers();
        add_others();
    }
    if (postgres)
        run(engine, "CREATE TYPE mood AS ENUM ('happy', 'a'); CREATE DOMAIN positive AS integer CHECK (value > 0);"
                    "CREATE DOMAIN tag AS text CHECK (value <> 'a')");
    for (size_t i = 0; i < count; i++) {
        char sql[100];
        snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS things; CREATE TABLE things (v %s)", types[i]);
        run(engine, sql);
        for (size_t j = 0; j < sample_count; j++)
            if (samples[j].value.kind != LIDO_KIND_BLOB || !postgres || takes_blobs(types[i]))
                compare(engine, types[i], &samples[j]);
    }
    saw("compared");
    if (engine != given)
        lido_engine_close(engine);
}

static const scenario scenarios[] = {
    {"every kind of value into every type of column", story_of_every_kind_into_every_type, "compared\n"},
};

int main(void) {
    return scenarios_run("types among many rows", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
