/* Odd and hostile SQL texts: large ones that a careless scanner would take hours for, and random ones. What they have
 * in common: tokens cover the text without a gap, and a text with nothing to translate stays as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sql/scanner.h"
#include "sql/sql.h"
#include "support/chance.h"

enum { LARGE = 1024 * 1024 };

static void check_tokens_cover(const char *text, size_t size, lido__database_type type) {
    lido__scanner scanner;
    lido__scanner_init(&scanner, text, size, type);
    size_t end = 0;
    for (;;) {
        lido__token token = lido__scanner_next(&scanner);
        assert_int_equal(token.start, end);
        if (token.kind == LIDO__TOKEN_END)
            break;
        assert_true(token.size > 0);
        end += token.size;
    }
    assert_int_equal(end, size);
}

/* Takes a script apart until nothing is left. */
static void check_comes_apart(const char *text, size_t size, lido__database_type type) {
    for (;;) {
        size_t first = lido__sql_first_statement(text, size, type);
        assert_true(first <= size);
        if (first == 0)
            return;
        text += first;
        size -= first;
    }
}

/* Whether lido would translate nothing in it on PostgreSQL, told without the scanner. */
static bool is_plain(const char *text) {
    return strpbrk(text, "?:") == NULL && strcasestr(text, "regexp") == NULL;
}

static void check_text(const char *text, lido__database_type type) {
    size_t size;
    uint64_t hash = lido__sql_hash(text, &size);
    check_tokens_cover(text, size, type);
    check_comes_apart(text, size, type);
    lido_error error = LIDO_ERROR_INIT;
    lido__sql *sql = lido__sql_new(text, size, hash, type, &error);
    assert_true((sql == NULL) == (error.status != LIDO_OK));
    if (sql == NULL)
        return;
    assert_true(sql->translated_size <= 8 * size);
    assert_true(sql->parameter_count <= LIDO__SQL_PARAMETERS_MOST);
    if (type == LIDO__POSTGRESQL && is_plain(text))
        assert_string_equal(sql->translated, text);
    lido__sql_free(sql);
}

static void large_texts_of_one_piece_take_linear_time(void **state) {
    (void)state;
    static const char *const pieces[] = {
        "'",     "\"",    "$",           "$a$ ",        "$a",         "/*",
        "/* */", "--",    "-",           "(",           ")",          "[",
        "]",     "`",     ";",           "a;",          "?",          "??",
        ":a ",   ":",     "$1 ",         "E'a'\n",      "E'\\",       "U&'",
        "1.",    "1e",    "a REGEXP ",   "NOT REGEXP ", "regexp/**/", "BEGIN ATOMIC ",
        "END;",  "CASE ", "WITH a AS (", "\xC3\xA9",    "@",          "CREATE TRIGGER a BEGIN b; "};
    char *text = malloc(LARGE + 1);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        size_t piece = strlen(pieces[i]), size = 0;
        for (; size + piece <= LARGE; size += piece)
            memcpy(text + size, pieces[i], piece);
        text[size] = '\0';
        check_text(text, LIDO__POSTGRESQL);
        check_text(text, LIDO__SQLITE);
    }
    free(text);
}

static void a_large_number_of_different_tags_takes_linear_time(void **state) {
    (void)state;
    char *text = malloc(LARGE + 16);
    assert_non_null(text);
    size_t size = 0;
    for (unsigned i = 0; size < LARGE; i++)
        size += (size_t)sprintf(text + size, "%s$t%u", i % 2 == 0 ? " " : "$", i);
    check_text(text, LIDO__POSTGRESQL);
    check_text(text, LIDO__SQLITE);
    free(text);
}

/* A text of up to 40 pieces, most of them SQL. */
static void make_soup(char *text, uint64_t *random) {
    static const char *const pieces[] = {
        " ",        " ",       "\n",      "a",      "name",  "1",        "1.5e10", "'x'",  "'it''s'", "\"q\"",
        "(",        ")",       "[",       "]",      ",",     ".",        ";",      "=",    "||",      "->>",
        "@>",       "::",      ":=",      ":a",     ":name", ":",        "?",      "??",   "?1",      "$1",
        "$2",       "$",       "$$",      "$t$",    "E'\\'", "U&'",      "'",      "\"",   "`",       "/*",
        "*/",       "--",      "#",       "SELECT", "WITH",  "AS",       "INSERT", "INTO", "UPDATE",  "DELETE",
        "REGEXP",   "NOT",     "CASE",    "END",    "BEGIN", "ATOMIC",   "CREATE", "OR",   "REPLACE", "TRIGGER",
        "FUNCTION", "EXPLAIN", "ANALYZE", "FOR",    "KEY",   "\xC3\xB6", "\xFF",   "\\",   "{",       "é€😀"};
    text[0] = '\0';
    for (uint64_t left = draw_bits(random) % 40; left > 0; left--)
        strcat(text, pieces[draw_bits(random) % (sizeof pieces / sizeof *pieces)]);
}

static void random_texts_never_do_harm(void **state) {
    (void)state;
    uint64_t seed = 20240611;
    print_message("             seed %llu\n", (unsigned long long)seed);
    uint64_t random = seed;
    for (int round = 0; round < 20000; round++) {
        char text[512];
        make_soup(text, &random);
        check_text(text, LIDO__POSTGRESQL);
        check_text(text, LIDO__SQLITE);
    }
}

/* What was translated for PostgreSQL has only $n left, so translating it again must change nothing. (A ?? has become
 * a ?, which would be a placeholder now.) */
static void a_translation_translated_again_stays(void **state) {
    (void)state;
    uint64_t random = 20240612;
    for (int round = 0; round < 20000; round++) {
        char text[512];
        make_soup(text, &random);
        size_t size = strlen(text);
        lido__sql *once = lido__sql_new(text, size, 0, LIDO__POSTGRESQL, NULL);
        if (once != NULL && strstr(text, "??") == NULL) {
            lido__sql *twice = lido__sql_new(once->translated, once->translated_size, 0, LIDO__POSTGRESQL, NULL);
            assert_non_null(twice);
            assert_string_equal(twice->translated, once->translated);
            assert_int_equal(twice->parameter_count, once->parameter_count);
            assert_int_equal(twice->kind, once->kind);
            assert_int_equal(twice->many, once->many);
            lido__sql_free(twice);
        }
        lido__sql_free(once);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_texts_of_one_piece_take_linear_time),
        cmocka_unit_test(a_large_number_of_different_tags_takes_linear_time),
        cmocka_unit_test(random_texts_never_do_harm),
        cmocka_unit_test(a_translation_translated_again_stays),
    };
    return cmocka_run_group_tests_name("sql_hostile", tests, NULL, NULL);
}
