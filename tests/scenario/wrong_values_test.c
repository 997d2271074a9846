/* Values and targets as another language, or a hand that slips, may make them: refused in words, never a crash. */
#include "support/scenario.h"

#include <string.h>

enum { LONG = 400 };

/* A number of LONG digits, larger than any double. */
static const char *long_number(void) {
    static char text[LONG + 1];
    memset(text, '7', LONG);
    return text;
}

/* PostgreSQL's numeric holds them; SQLite would compute with infinity, or zero, in their place. */
static void story_of_numerics_beyond_doubles(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    const char *const numbers[] = {long_number(), "1e-400"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        lido_numeric number = {numbers[i]};
        lido_error told;
        lido_value back = lido_value_null();
        lido_savepoint_outcome (db, &told)
            back = lido_query_value(db, "SELECT CAST(? AS numeric)", number);
        if (scenario_is_postgres())
            assert_int_equal(back.kind, LIDO_KIND_NUMERIC);
        else
            assert_string_equal(told.message,
                                "parameter 1 is a numeric beyond what SQLite computes with; pass it as a text");
        if (scenario_is_postgres() && i == 0)
            assert_string_equal(back.as.text, number.text);
    }
    saw("%zu digits as a text", lido_query_value(db, "SELECT CAST(? AS text)", long_number()).size);
    SAW_REFUSAL(db, lido_query_value(db, "SELECT ?", ((lido_numeric){"7e"})));
    lido_session_close(db);
}

static void story_of_values_without_bytes(lido_engine *engine) {
    static const lido_kind kinds[] = {LIDO_KIND_TEXT, LIDO_KIND_BLOB, LIDO_KIND_JSON, LIDO_KIND_NUMERIC};
    lido_session *db = lido_session_open(engine, NULL);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        lido_value value = lido_value_null();
        value.kind = kinds[i];
        value.size = i;
        SAW_REFUSAL(db, lido_query_value(db, "SELECT ?", value));
    }
    lido_session_close(db);
}

static void story_of_targets_that_are_none(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows = lido_query(db, "SELECT 1 AS one");
    int number = 0;
    int *nothing = NULL;
    lido_target unknown = {(lido_target_kind)99, &number};
    assert_true(lido_next(rows));
    SAW_REFUSAL(db, lido_scan(rows, nothing));
    SAW_REFUSAL(db, lido_scanv(rows, 1, &unknown));
    SAW_REFUSAL(db, lido_scanv(rows, 1, NULL));
    lido_session_close(db);
}

/* A statement with columns of one name, of two-byte characters at odd places. */
static void story_of_many_long_names(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_rows *rows = lido_query(db, "SELECT 1 AS \"aéééééééééééééééééééé\", 2 AS \"béééééééééééééééééééé\", "
                                     "3 AS \"céééééééééééééééééééé\", 4 AS \"déééééééééééééééééééé\", "
                                     "5 AS \"eéééééééééééééééééééé\", 6 AS \"féééééééééééééééééééé\"");
    SAW_REFUSAL(db, lido_column(rows, "g"));
    lido_session_close(db);
}

int main(void) {
    const scenario scenarios[] = {
        {"numerics beyond doubles", story_of_numerics_beyond_doubles,
         "400 digits as a text\n"
         "type mismatch: parameter 1 is a numeric that is no number\n"},
        {"values without bytes", story_of_values_without_bytes,
         "type mismatch: parameter 1 is a text whose pointer is NULL: NULL itself is lido_value_null()\n"
         "type mismatch: parameter 1 is a blob whose pointer is NULL: NULL itself is lido_value_null()\n"
         "type mismatch: parameter 1 is a json whose pointer is NULL: NULL itself is lido_value_null()\n"
         "type mismatch: parameter 1 is a numeric whose pointer is NULL: NULL itself is lido_value_null()\n"},
        {"targets that are none", story_of_targets_that_are_none,
         "misuse: target 0 of lido_scan is a NULL pointer\n"
         "misuse: target 0 of lido_scan is of the unknown kind 99\n"
         "misuse: the pointer to the targets is NULL\n"},
        {"many long names", story_of_many_long_names,
         "misuse: there is no column \"g\" among: aéééééééééééééééééééé, béééééééééééééééééééé, "
         "céééééééééééééééééééé, déééééééééééééééééééé, eééééééééééé…\n"},
    };
    return scenarios_run("wrong values", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
