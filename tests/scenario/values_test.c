/* Values on their way into a database and out again: what is read is what was written, and it does not matter whether a
 * statement is run for the first time, which PostgreSQL answers in text, or for the third, which it answers in
 * binary. */
#include "support/describe.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { MEBIBYTE = 1024 * 1024 };

static const char samples_table[] =
    "CREATE TABLE samples (flag boolean, whole bigint, real double precision, words text, bytes bytea, id uuid, "
    "moment timestamptz, document json, exact numeric)";

/* ---- Telling values ---- */

/* Stores a value in a column of the only row of `samples`, reads it back and tells what it is now. */
static void keep(lido_session *db, const char *column, lido_value value) {
    static int asked;
    char sql[100];
    char text[DESCRIBED_MOST];
    snprintf(sql, sizeof sql, "UPDATE samples SET %s = ?", column);
    lido_execv(db, sql, 1, &value);
    snprintf(sql, sizeof sql, "SELECT %s FROM samples -- %d", column, ++asked); /* no statement of before */
    lido_value read = ask_often(db, sql);
    describe(read, text);
    saw("%s%s", text, is_same(value, read) ? "" : " (not what was written)");
}

#define KEEP(db, column, value) keep(db, column, LIDO_VALUE(value))

/* Tells why a value cannot be stored; the transaction goes on. */
static void refuse(lido_session *db, const char *column, lido_value value) {
    char sql[100];
    lido_error error;
    snprintf(sql, sizeof sql, "UPDATE samples SET %s = ?", column);
    lido_savepoint_outcome (db, &error) {
        lido_execv(db, sql, 1, &value);
    }
    saw("%s: %s", lido_category_name(error.category), error.message);
}

static lido_session *open_with_samples(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, samples_table);
    lido_exec(db, "INSERT INTO samples (whole) VALUES (0)");
    return db;
}

static void commit_and_close(lido_session *db) {
    if (lido_commit(db) != LIDO_OK)
        lido_error_print(lido_error_of(db), stderr);
    saw("%s", lido_status_name(lido_session_close(db)));
}

/* ---- Round trips ---- */

static void story_of_integers(lido_engine *engine) {
    lido_session *db = open_with_samples(engine);
    KEEP(db, "flag", (bool)true);
    KEEP(db, "flag", (bool)false);
    KEEP(db, "whole", (signed char)SCHAR_MIN);
    KEEP(db, "whole", (unsigned char)UCHAR_MAX);
    KEEP(db, "whole", (short)SHRT_MIN);
    KEEP(db, "whole", (unsigned short)USHRT_MAX);
    KEEP(db, "whole", INT_MIN);
    KEEP(db, "whole", UINT_MAX);
    KEEP(db, "whole", LONG_MAX);
    KEEP(db, "whole", (unsigned long)LONG_MAX);
    KEEP(db, "whole", LLONG_MIN);
    KEEP(db, "whole", (unsigned long long)INT64_MAX);
    refuse(db, "whole", LIDO_VALUE((uint64_t)INT64_MAX + 1));
    refuse(db, "whole", LIDO_VALUE((void *)db));
    commit_and_close(db);
}

static void story_of_doubles(lido_engine *engine) {
    lido_session *db = open_with_samples(engine);
    KEEP(db, "real", 0.1);
    KEEP(db, "real", 0.1F);
    KEEP(db, "real", -3.0);
    KEEP(db, "real", DBL_MAX);
    KEEP(db, "real", DBL_MIN);
    KEEP(db, "real", -DBL_TRUE_MIN);
    KEEP(db, "real", 1.0 / 3.0);
    KEEP(db, "real", (double)INFINITY);
    KEEP(db, "real", (double)-INFINITY);
    commit_and_close(db);
}

/* SQLite would make NULL of it without a word; PostgreSQL keeps it. */
static void story_of_not_a_number(lido_engine *engine) {
    lido_session *db = open_with_samples(engine);
    lido_error error;
    lido_savepoint_outcome (db, &error) {
        lido_exec(db, "UPDATE samples SET real = ?", (double)NAN);
    }
    if (scenario_is_postgres()) {
        assert_int_equal(error.status, LIDO_OK);
        assert_true(isnan(ask_often(db, "SELECT real FROM samples").as.real));
    } else {
        assert_int_equal(error.category, LIDO_ERROR_TYPE);
        assert_int_equal(ask_often(db, "SELECT real FROM samples").kind, LIDO_KIND_NULL);
    }
    commit_and_close(db);
}

static void story_of_texts(lido_engine *engine) {
    lido_session *db = open_with_samples(engine);
    char *large = malloc(MEBIBYTE + 1);
    assert_non_null(large);
    memset(large, 'x', MEBIBYTE);
    large[MEBIBYTE] = '\0';
    KEEP(db, "words", "");
    KEEP(db, "words", "it's a \"lamp\"; -- \\ ? :name $1 %s");
    KEEP(db, "words",
         "Gr\xC3\xBC\xC3\x9F"
         "e \xF0\x9F\xA6\x86");
    KEEP(db, "words", large);
    keep(db, "words", lido_value_text_sized("a lamp and more", 6));
    refuse(db, "words", LIDO_VALUE("\xC3("));
    refuse(db, "words", LIDO_VALUE("\xED\xA0\x80")); /* half of a pair of surrogates */
    refuse(db, "words", lido_value_text_sized("a\0b", 3));
    KEEP(db, "words", (const char *)NULL);
    free(large);
    commit_and_close(db);
}

static void story_of_blobs(lido_engine *engine) {
    lido_session *db = open_with_samples(engine);
    char *large = malloc(MEBIBYTE);
    assert_non_null(large);
    for (int i = 0; i < MEBIBYTE; i++)
        large[i] = (char)(i % 251);
    KEEP(db, "bytes", lido_blob("", 0));
    KEEP(db, "bytes", lido_blob("\0\\x\xFF\0", 5));
    KEEP(db, "bytes", lido_blob("'", 1));
    KEEP(db, "bytes", lido_blob(large, MEBIBYTE));
    KEEP(db, "bytes", lido_blob(NULL, 0));
    free(large);
    commit_and_close(db);
}

static lido_uuid uuid_of(const char *text) {
    lido_uuid uuid;
    assert_true(lido_uuid_parse(text, &uuid));
    return uuid;
}

static lido_time time_of(const char *text) {
    lido_time time;
    assert_true(lido_time_parse(text, &time));
    return time;
}

static void story_of_uuids_and_times(lido_engine *engine) {
    lido_session *db = open_with_samples(engine);
    KEEP(db, "id", uuid_of("01890a5d-ac96-774b-bcce-b302099a8057"));
    KEEP(db, "id", (lido_uuid){{0}});
    KEEP(db, "id", uuid_of("ffffffff-ffff-ffff-ffff-ffffffffffff"));
    KEEP(db, "moment", time_of("2024-02-29T12:34:56.123456Z"));
    KEEP(db, "moment", (lido_time){0});
    KEEP(db, "moment", (lido_time){-1});
    KEEP(db, "moment", time_of("0001-01-01"));
    KEEP(db, "moment", time_of("0000-12-31 23:59:59.999999"));
    KEEP(db, "moment", time_of("-0043-03-15 12:00"));
    KEEP(db, "moment", time_of("9999-12-31 23:59:59.999999"));
    KEEP(db, "moment", time_of("12345-06-07 08:09:10.5"));
    commit_and_close(db);
}

static void story_of_json_and_numerics(lido_engine *engine) {
    lido_session *db = open_with_samples(engine);
    KEEP(db, "document", ((lido_json){"{\"b\": [1, 2.50],  \"a\": null}"}));
    KEEP(db, "document", ((lido_json){"\"lamp\""}));
    KEEP(db, "document", ((lido_json){"true"}));
    KEEP(db, "document", ((lido_json){"5"}));
    KEEP(db, "document", ((lido_json){"-1.5"}));
    KEEP(db, "exact", ((lido_numeric){"0"}));
    KEEP(db, "exact", ((lido_numeric){"-12.25"}));
    KEEP(db, "exact", ((lido_numeric){"0.001"}));
    KEEP(db, "exact", ((lido_numeric){"1000000"}));
    refuse(db, "exact", LIDO_VALUE(((lido_numeric){"twelve"})));
    commit_and_close(db);
}

static void story_of_nulls(lido_engine *engine) {
    static const char *const columns[] = {"flag", "whole",  "real",     "words", "bytes",
                                          "id",   "moment", "document", "exact"};
    lido_session *db = open_with_samples(engine);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        keep(db, columns[i], lido_null);
    lido_exec(db, "UPDATE samples SET whole = ?, words = ?", NULL, lido_null);
    lido_exec(db, "UPDATE samples SET document = ?, exact = ?", (lido_json){NULL}, (lido_numeric){NULL});
    commit_and_close(db);
}

/* ---- Into variables ---- */

static void story_of_every_target(lido_engine *engine) {
    lido_session *db = open_with_samples(engine);
    lido_exec(
        db,
        "UPDATE samples SET flag = ?, whole = ?, real = ?, words = ?, bytes = ?, id = ?, moment = ?, document = ?, "
        "exact = ?",
        true, 42, 2.5, "lamp", lido_blob("\1\2", 2), uuid_of("01890a5d-ac96-774b-bcce-b302099a8057"),
        time_of("2024-02-29 12:34:56"), (lido_json){"[1]"}, (lido_numeric){"12.25"});
    lido_rows *rows =
        lido_query(db, "SELECT flag, whole, whole, whole, whole, whole, whole, whole, whole, whole, "
                       "whole, real, real, words, id, moment, bytes, document, exact, whole FROM samples");
    bool flag = false;
    int8_t tiny;
    uint8_t unsigned_tiny;
    short shorts[1];
    unsigned short unsigned_short;
    int number;
    unsigned unsigned_number;
    long long_number;
    unsigned long unsigned_long;
    long long longest;
    unsigned long long unsigned_longest;
    float single;
    double real;
    const char *words = NULL;
    lido_uuid id;
    lido_time moment;
    lido_bytes bytes = {NULL, 0};
    lido_json document = {NULL};
    lido_numeric exact = {NULL};
    lido_value value;
    assert_true(lido_next(rows));
    assert_true(lido_scan(rows, &flag, &tiny, &unsigned_tiny, shorts, &unsigned_short, &number, &unsigned_number,
                          &long_number, &unsigned_long, &longest, &unsigned_longest, &single, &real, &words, &id,
                          &moment, &bytes, &document, &exact, &value));
    saw("%d %d %d %d %u %d %u %ld %lu %lld %llu", flag, tiny, unsigned_tiny, shorts[0], unsigned_short, number,
        unsigned_number, long_number, unsigned_long, longest, unsigned_longest);
    char id_text[37];
    char moment_text[40];
    lido_uuid_format(id, id_text);
    lido_time_format(moment, moment_text);
    saw("%g %g %s %s %s", (double)single, real, words, id_text, moment_text);
    saw("%zu %s %s %s", bytes.size, document.text, exact.text, lido_kind_name(value.kind));
    commit_and_close(db);
}

/* A pointer to a const value is NULL for NULL, and else points to what lives as long as the rows. */
static void story_of_targets_that_may_be_null(lido_engine *engine) {
    lido_session *db = open_with_samples(engine);
    const bool *flag = NULL;
    const int *whole = NULL;
    const double *real = NULL;
    const lido_uuid *id = NULL;
    const lido_time *moment = NULL;
    lido_exec(db, "DELETE FROM samples");
    lido_exec(db, "INSERT INTO samples (flag, whole, real, id, moment) VALUES (?, ?, ?, ?, ?)", true, 42, 2.5,
              uuid_of("01890a5d-ac96-774b-bcce-b302099a8057"), time_of("2024-02-29 12:34:56"));
    lido_exec(db, "INSERT INTO samples (flag) VALUES (NULL)");
    lido_rows *rows = lido_query(db, "SELECT flag, whole, real, id, moment FROM samples ORDER BY whole NULLS LAST");
    assert_true(lido_next(rows) && lido_scan(rows, &flag, &whole, &real, &id, &moment));
    const double *first = real;
    char id_text[37];
    lido_uuid_format(*id, id_text);
    saw("%d %d %g %s %lld", *flag, *whole, *real, id_text, (long long)moment->microseconds);
    assert_true(lido_next(rows) && lido_scan(rows, &flag, &whole, &real, &id, &moment));
    saw("%d %d %d %d %d", flag == NULL, whole == NULL, real == NULL, id == NULL, moment == NULL);
    saw("%g", *first); /* it lives as long as the rows */
    lido_exec(db, "UPDATE samples SET whole = 3000000000");
    rows = lido_query(db, "SELECT whole FROM samples");
    assert_true(lido_next(rows));
    whole = (const int[]){1};
    SAW_REFUSAL(db, lido_scan(rows, &whole));
    saw("%d", whole == NULL);
    commit_and_close(db);
}

/* Reads the first column of a statement's first row into `target`, and tells why if it does not fit. */
static void read_into(lido_session *db, const char *sql, lido_target target) {
    lido_error error;
    bool fits = false;
    lido_savepoint_outcome (db, &error) {
        lido_rows *rows = lido_query(db, sql);
        fits = lido_next(rows) && lido_scanv(rows, 1, &target);
    }
    saw("%s%s", fits ? "fits" : lido_category_name(error.category),
        fits == (error.status == LIDO_OK) ? "" : ", and not");
}

#define READ_INTO(db, sql, pointer) read_into(db, sql, (lido_target)LIDO_TARGET(pointer))

static void story_of_what_does_not_fit(lido_engine *engine) {
    lido_session *db = open_with_samples(engine);
    short small = 1;
    int number = 1;
    unsigned positive = 1;
    bool flag = true;
    float single = 1;
    double real = 1;
    lido_uuid id = {{1}};
    lido_time moment = {1};
    lido_exec(db, "UPDATE samples SET whole = 3000000000, real = 0.1, words = 'lamp'");
    READ_INTO(db, "SELECT whole FROM samples", &number);
    READ_INTO(db, "SELECT whole FROM samples", &positive);
    READ_INTO(db, "SELECT whole - 3000000001 FROM samples", &positive);
    READ_INTO(db, "SELECT whole - 2999967232 FROM samples", &small); /* 32 768 */
    READ_INTO(db, "SELECT whole - 2999967233 FROM samples", &small);
    READ_INTO(db, "SELECT whole * 3074457345 + 1 FROM samples", &real); /* a double would round it */
    READ_INTO(db, "SELECT whole FROM samples", &real);
    READ_INTO(db, "SELECT whole FROM samples", &flag);
    READ_INTO(db, "SELECT real FROM samples", &number);
    READ_INTO(db, "SELECT real FROM samples", &single);
    READ_INTO(db, "SELECT words FROM samples", &number);
    READ_INTO(db, "SELECT words FROM samples", &id);
    READ_INTO(db, "SELECT words FROM samples", &moment);
    READ_INTO(db, "SELECT bytes FROM samples", &number); /* NULL */
    saw("%d %u %d %d %d %lld", number, positive, small, flag, id.bytes[0], (long long)moment.microseconds);
    commit_and_close(db);
}

static void story_of_nulls_into_variables(lido_engine *engine) {
    lido_session *db = open_with_samples(engine);
    const char *words = "something";
    lido_bytes bytes = {"something", 9};
    int number = 7;
    lido_rows *rows = lido_query(db, "SELECT words, bytes, document, exact FROM samples");
    lido_json document = {"something"};
    lido_numeric exact = {"something"};
    assert_true(lido_next(rows));
    saw("%d", lido_scan(rows, &words, &bytes, &document, &exact));
    saw("%d %d %zu %d %d", words == NULL, bytes.data == NULL, bytes.size, document.text == NULL, exact.text == NULL);
    saw("%d %d", lido_is_null(rows, 0), lido_get_text(rows, 0) == NULL);
    saw("failed: %d", lido_failed(db));
    rows = lido_query(db, "SELECT real FROM samples");
    assert_true(lido_next(rows));
    saw("%d", lido_scan(rows, &number));
    saw("%d, failed: %d", number, lido_failed(db));
    saw("%s", lido_error_of(db)->message);
    lido_session_close(db);
}

/* Far too large for any database. Nobody looks into it, so it costs no memory. */
static void story_of_giants(lido_engine *engine) {
    enum { GIBIBYTE = 1024 * MEBIBYTE };
    const size_t size = 3 * (size_t)GIBIBYTE;
    void *giant = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(giant != MAP_FAILED);
    lido_session *db = lido_session_open(engine, NULL);
    SAW_REFUSAL(db, lido_query_value(db, "SELECT ?", lido_value_text_sized(giant, size)));
    SAW_REFUSAL(db, lido_query_value(db, "SELECT ?", ((lido_bytes){giant, size})));
    SAW_REFUSAL(db, lido_query_value(db, "SELECT ?", ((lido_value){.kind = (lido_kind)99})));
    if (scenario_is_postgres()) {
        lido_bytes half = {giant, GIBIBYTE / 2};
        lido_error told;
        lido_savepoint_outcome (db, &told)
            lido_query_value(db, "SELECT length(?::bytea) + length(?::bytea)", half, half);
        assert_int_equal(told.category, LIDO_ERROR_TYPE);
        assert_non_null(strstr(told.message, "less than 1 GiB in one statement"));
    }
    saw("%s", lido_query_value(db, "SELECT 'still there'").as.text);
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
    munmap(giant, size);
}

int main(void) {
    const scenario scenarios[] = {
        {"giants", story_of_giants,
         "type mismatch: parameter 1 is larger than 2 GiB\n"
         "type mismatch: parameter 1 is larger than 2 GiB\n"
         "type mismatch: parameter 1 is no value: it is of the unknown kind 99\n"
         "still there\n"
         "ok\n"},
        {"integers", story_of_integers,
         "bool: true\n"
         "bool: false\n"
         "int64: -128\n"
         "int64: 255\n"
         "int64: -32768\n"
         "int64: 65535\n"
         "int64: -2147483648\n"
         "int64: 4294967295\n"
         "int64: 9223372036854775807\n"
         "int64: 9223372036854775807\n"
         "int64: -9223372036854775808\n"
         "int64: 9223372036854775807\n"
         "type mismatch: parameter 1: an unsigned integer above 9223372036854775807 fits no SQL integer\n"
         "type mismatch: parameter 1: a void pointer says neither type nor size; pass lido_bytes for a blob\n"
         "ok\n"},
        {"doubles", story_of_doubles,
         "double: 0.10000000000000001\n"
         "double: 0.10000000149011612\n"
         "double: -3\n"
         "double: 1.7976931348623157e+308\n"
         "double: 2.2250738585072014e-308\n"
         "double: -4.9406564584124654e-324\n"
         "double: 0.33333333333333331\n"
         "double: inf\n"
         "double: -inf\n"
         "ok\n"},
        {"not a number", story_of_not_a_number, "ok\n"},
        {"texts", story_of_texts,
         "text: \n"
         "text: it's a \"lamp\"; -- \\ ? :name $1 %s\n"
         "text: Gr\xC3\xBC\xC3\x9F"
         "e \xF0\x9F\xA6\x86\n"
         "text: xxxxxxxx… of 1048576\n"
         "text: a lamp\n"
         "type mismatch: parameter 1 is a text that is not UTF-8; pass it as a blob\n"
         "type mismatch: parameter 1 is a text that is not UTF-8; pass it as a blob\n"
         "type mismatch: parameter 1 is a text with a NUL inside; pass it as a blob\n"
         "null: \n"
         "ok\n"},
        {"blobs", story_of_blobs,
         "blob: 0 bytes\n"
         "blob: 5 bytes 00 5c 78 ff\n"
         "blob: 1 bytes 27\n"
         "blob: 1048576 bytes 00 01 02 03\n"
         "blob: 0 bytes\n"
         "ok\n"},
        {"uuids and times", story_of_uuids_and_times,
         "uuid: 01890a5d-ac96-774b-bcce-b302099a8057\n"
         "uuid: 00000000-0000-0000-0000-000000000000\n"
         "uuid: ffffffff-ffff-ffff-ffff-ffffffffffff\n"
         "time: 2024-02-29 12:34:56.123456\n"
         "time: 1970-01-01 00:00:00.000000\n"
         "time: 1969-12-31 23:59:59.999999\n"
         "time: 0001-01-01 00:00:00.000000\n"
         "time: 0000-12-31 23:59:59.999999\n"
         "time: -0043-03-15 12:00:00.000000\n"
         "time: 9999-12-31 23:59:59.999999\n"
         "time: 12345-06-07 08:09:10.500000\n"
         "ok\n"},
        {"json and numerics", story_of_json_and_numerics,
         "json: {\"b\": [1, 2.50],  \"a\": null}\n"
         "json: \"lamp\"\n"
         "json: true\n"
         "json: 5\n"
         "json: -1.5\n"
         "numeric: 0\n"
         "numeric: -12.25\n"
         "numeric: 0.001\n"
         "numeric: 1000000\n"
         "type mismatch: parameter 1 is a numeric that is no number\n"
         "ok\n"},
        {"nulls", story_of_nulls,
         "null: \n"
         "null: \n"
         "null: \n"
         "null: \n"
         "null: \n"
         "null: \n"
         "null: \n"
         "null: \n"
         "null: \n"
         "ok\n"},
        {"every target", story_of_every_target,
         "1 42 42 42 42 42 42 42 42 42 42\n"
         "2.5 2.5 lamp 01890a5d-ac96-774b-bcce-b302099a8057 2024-02-29 12:34:56.000000\n"
         "2 [1] 12.25 int64\n"
         "ok\n"},
        {"targets that may be NULL", story_of_targets_that_may_be_null,
         "1 42 2.5 01890a5d-ac96-774b-bcce-b302099a8057 1709210096000000\n"
         "1 1 1 1 1\n"
         "2.5\n"
         "type mismatch: column 0 (whole) cannot be read as an int: it is out of the range of int\n"
         "1\n"
         "ok\n"},
        {"what does not fit", story_of_what_does_not_fit,
         "type mismatch\n" /* 3 000 000 000 into an int */
         "fits\n"
         "type mismatch\n" /* -1 into an unsigned */
         "type mismatch\n" /* 32 768 into a short */
         "fits\n"
         "type mismatch\n"
         "fits\n"
         "type mismatch\n" /* 3 000 000 000 into a bool */
         "type mismatch\n" /* 0.1 into an int */
         "type mismatch\n" /* 0.1 into a float */
         "type mismatch\n" /* "lamp" into an int, a uuid and a time */
         "type mismatch\n"
         "type mismatch\n"
         "type mismatch\n" /* NULL into an int */
         "0 0 32767 0 0 0\n"
         "ok\n"},
        {"nulls into variables", story_of_nulls_into_variables,
         "1\n"
         "1 1 0 1 1\n"
         "1 1\n"
         "failed: 0\n"
         "0\n"
         "0, failed: 1\n"
         "column 0 (real) cannot be read as an int: it is NULL\n"},
    };
    return scenarios_run("values", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
