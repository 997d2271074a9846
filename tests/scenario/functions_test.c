/* PostgreSQL's functions and casts on SQLite: both databases are asked the same, and must answer alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/ask.h"

enum { RANDOM_QUESTIONS = 1500 };

typedef struct databases {
    asked sqlite;
    asked postgres; /* its engine is NULL where there is no server */
} databases;

static int open_databases(void **state) {
    static databases both;
    both.sqlite = ask_open("sqlite://");
    if (getenv("LIDO_TEST_POSTGRES_URL") != NULL) {
        both.postgres = ask_open(getenv("LIDO_TEST_POSTGRES_URL"));
        lido_exec(both.postgres.session, "SET TimeZone = 'UTC'");
    }
    *state = &both;
    return 0;
}

static int close_databases(void **state) {
    databases *both = *state;
    ask_close(&both->sqlite);
    if (both->postgres.engine != NULL)
        ask_close(&both->postgres);
    return 0;
}

static databases *both_of(void **state) {
    databases *both = *state;
    if (both->postgres.engine == NULL) {
        print_message("no PostgreSQL: run it under tests/support/with-postgres\n");
        skip();
    }
    return both;
}

/* How many of a file's questions are answered wrongly. */
static int ask_file(const databases *both, const char *name) {
    char line[ANSWER_SIZE];
    char sqlite[ANSWER_SIZE];
    char postgres[ANSWER_SIZE];
    int wrong = 0;
    snprintf(line, sizeof line, LIDO_SOURCE_ROOT "/tests/questions/%s.txt", name);
    FILE *file = fopen(line, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        bool differ = line[0] == '!';
        const char *question = line + (differ ? 1 : 0);
        if (line[0] == '\0' || line[0] == '#')
            continue;
        ask(&both->sqlite, question, sqlite);
        ask(&both->postgres, question, postgres);
        if ((strcmp(sqlite, postgres) != 0) == differ)
            continue;
        print_error("%s\n  SQLite:     %s\n  PostgreSQL: %s\n", line, sqlite, postgres);
        wrong++;
    }
    fclose(file);
    return wrong;
}

static void the_listed_questions(void **state) {
    databases *both = both_of(state);
    assert_int_equal(ask_file(both, "texts") + ask_file(both, "values") + ask_file(both, "expressions") +
                         ask_file(both, "casts"),
                     0);
}

/* ---- Random arguments ---- */

static uint64_t sequence = 88172645463325252U;

static unsigned pick(unsigned most) {
    sequence ^= sequence << 13;
    sequence ^= sequence >> 7;
    sequence ^= sequence << 17;
    return (unsigned)(sequence >> 33) % most;
}

/* From few characters, so that delimiters and patterns are found in texts. */
static const char *random_text(char text[64]) {
    static const char *const pieces[] = {"a", "b", "ab", ",", "ä", "€", "😀", " ", "A", ".", "\\", "1"};
    unsigned count = pick(8);
    text[0] = '\0';
    for (unsigned i = 0; i < count; i++)
        strcat(text, pieces[pick(sizeof pieces / sizeof *pieces)]);
    return text;
}

static lido_value random_text_or_null(char text[64]) {
    return pick(20) == 0 ? lido_value_null() : lido_value_text(random_text(text));
}

/* T: text; N: number; P: a pattern, R: a replacement. */
static lido_value random_argument(char kind, char text[64]) {
    static const char *const patterns[] = {"a", "ab?", "[a-z]+", "",   "(a)(b)?", "ä|€",
                                           ".", "a*",  "\\w",    "^a", "b$",      "\\s*"};
    static const char *const replacements[] = {"", "x", "<\\&>", "\\1", "\\2\\1", "\\\\", "\\", "ä"};
    switch (kind) {
    case 'T':
        return random_text_or_null(text);
    case 'P':
        return lido_value_text(patterns[pick(sizeof patterns / sizeof *patterns)]);
    case 'R':
        return lido_value_text(replacements[pick(sizeof replacements / sizeof *replacements)]);
    default:
        return lido_value_int64((int64_t)pick(14) - 5);
    }
}

/* The casts tell PostgreSQL the parameters' types; SQLite gets what lido makes of them. */
static const struct {
    const char *question;
    const char *arguments;
} shapes[] = {
    {"left(?::text, ?::int)", "TN"},
    {"right(?::text, ?::int)", "TN"},
    {"lpad(?::text, ?::int, ?::text)", "TNT"},
    {"rpad(?::text, ?::int, ?::text)", "TNT"},
    {"repeat(?::text, ?::int)", "TN"},
    {"reverse(?::text)", "T"},
    {"starts_with(?::text, ?::text)", "TT"},
    {"split_part(?::text, ?::text, ?::int)", "TTN"},
    {"concat(?::text, ?::int, ?::text)", "TNT"},
    {"concat_ws(?::text, ?::text, ?::int, ?::text)", "TTNT"},
    {"greatest(?::text, ?::text, ?::text)", "TTT"},
    {"least(?::int, ?::int)", "NN"},
    {"md5(?::text)", "T"},
    {"regexp_like(?::text, ?::text)", "TP"},
    {"?::text REGEXP ?", "TP"},
    {"regexp_count(?::text, ?::text, ?::int)", "TPN"},
    {"regexp_substr(?::text, ?::text, ?::int, ?::int)", "TPNN"},
    {"regexp_replace(?::text, ?::text, ?::text)", "TPR"},
    {"regexp_replace(?::text, ?::text, ?::text, 'g')", "TPR"},
    {"regexp_replace(?::text, ?::text, ?::text, ?::int, ?::int)", "TPRNN"},
};

static void ask_with(const asked *database, const char *question, size_t count, const lido_value *values,
                     char *answer) {
    char sql[2 * ANSWER_SIZE];
    snprintf(sql, sizeof sql, "SELECT %s", question);
    write_answer(database, lido_queryv(database->session, sql, count, values), answer);
}

static void random_questions(void **state) {
    databases *both = both_of(state);
    char texts[8][64];
    lido_value values[8];
    char sqlite[ANSWER_SIZE];
    char postgres[ANSWER_SIZE];
    int wrong = 0;
    for (int round = 0; round < RANDOM_QUESTIONS; round++) {
        size_t shape = (size_t)round % (sizeof shapes / sizeof *shapes);
        size_t count = strlen(shapes[shape].arguments);
        for (size_t i = 0; i < count; i++)
            values[i] = random_argument(shapes[shape].arguments[i], texts[i]);
        ask_with(&both->sqlite, shapes[shape].question, count, values, sqlite);
        ask_with(&both->postgres, shapes[shape].question, count, values, postgres);
        if (strcmp(sqlite, postgres) == 0)
            continue;
        print_error("%s\n", shapes[shape].question);
        for (size_t i = 0; i < count; i++)
            if (values[i].kind == LIDO_KIND_TEXT)
                print_error("  \"%s\"\n", values[i].as.text);
            else
                print_error("  %lld\n", (long long)values[i].as.integer);
        print_error("  SQLite:     %s\n  PostgreSQL: %s\n", sqlite, postgres);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* ---- now() ---- */

static void saw_now(lido_session *db, char text[64]) {
    lido_rows *rows = lido_query(db, "SELECT now()");
    lido_time moment = {0};
    assert_true(lido_next(rows) && lido_scan(rows, &moment));
    lido_time_format(moment, text);
    lido_rows_close(rows);
}

static void check_now(const asked *database) {
    char texts[4][64];
    lido_session *db = lido_session_open(database->engine, NULL);
    lido_session_close(database->session); /* there is one connection */
    for (int i = 0; i < 4; i++) {
        saw_now(db, texts[i]);
        usleep(2000);
        if (i == 1)
            assert_int_equal(lido_commit(db), LIDO_OK);
    }
    lido_session_close(db);
    assert_string_equal(texts[0], texts[1]);
    assert_true(strcmp(texts[1], texts[2]) < 0);
    assert_string_equal(texts[2], texts[3]);
}

static void now_stands_still_in_a_transaction(void **state) {
    databases *both = *state;
    asked sqlite = ask_open("sqlite://");
    check_now(&sqlite);
    lido_engine_close(sqlite.engine);
    if (both->postgres.engine == NULL)
        skip();
    asked postgres = ask_open(getenv("LIDO_TEST_POSTGRES_URL"));
    check_now(&postgres);
    lido_engine_close(postgres.engine);
}

static void now_goes_on_in_autocommit(void **state) {
    databases *both = *state;
    char texts[2][64];
    saw_now(both->sqlite.session, texts[0]);
    usleep(2000);
    saw_now(both->sqlite.session, texts[1]);
    assert_true(strcmp(texts[0], texts[1]) < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_listed_questions),
        cmocka_unit_test(random_questions),
        cmocka_unit_test(now_stands_still_in_a_transaction),
        cmocka_unit_test(now_goes_on_in_autocommit),
    };
    return cmocka_run_group_tests_name("functions", tests, open_databases, close_databases);
}
