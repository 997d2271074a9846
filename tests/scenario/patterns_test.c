/* Regular expressions on both databases: docs/regexp.md shows where they differ, and this test writes that table.
 *
 * Run with LIDO_WRITE_DOCUMENTS=1 it puts the table into the page; else the page must have it as it would be written.
 * */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/ask.h"

#define PAGE LIDO_SOURCE_ROOT "/docs/regexp.md"
#define BEGINNING "The table is written by `tests/scenario/patterns_test.c`.\n"
#define ENDING "### A word's edge\n"

enum { PAGE_SIZE = 128 * 1024 };

typedef struct document {
    char text[PAGE_SIZE];
    size_t size;
} document;

static void add(document *page, const char *text, size_t size) {
    assert_true(page->size + size < PAGE_SIZE);
    memcpy(page->text + page->size, text, size);
    page->size += size;
    page->text[page->size] = '\0';
}

static void add_text(document *page, const char *text) {
    add(page, text, strlen(text));
}

/* As code in a cell of a table. */
static void add_code(document *page, const char *text) {
    add_text(page, "`");
    for (; *text != '\0'; text++) {
        if (*text == '|')
            add_text(page, "\\");
        add(page, text, 1);
    }
    add_text(page, "`");
}

/* "␤" becomes a line break. */
static void read_text(char *text) {
    static const char sign[] = "␤";
    for (char *at; (at = strstr(text, sign)) != NULL;) {
        *at = '\n';
        memmove(at + 1, at + strlen(sign), strlen(at + strlen(sign)) + 1);
    }
}

static void find(const asked *database, const char *pattern, const char *text, char *answer) {
    write_answer(database,
                 lido_query(database->session, "SELECT regexp_substr(CAST(? AS text), CAST(? AS text))", text, pattern),
                 answer);
    for (char *at; (at = strchr(answer, '\n')) != NULL;)
        *at = ' ';
}

static const char *shown(const char *answer) {
    return strcmp(answer, "NULL") == 0 ? "nothing" : answer;
}

static void add_answer(document *page, const char *answer) {
    if (answer[0] == '"')
        add_code(page, answer);
    else
        add_text(page, shown(answer));
}

/* A row of the table, if they differ. */
static bool add_row(document *page, const asked *sqlite, const asked *postgres, char *line) {
    char one[ANSWER_SIZE];
    char other[ANSWER_SIZE];
    char text[ANSWER_SIZE];
    char *rest = line;
    const char *pattern = strsep(&rest, "\t");
    const char *written = strsep(&rest, "\t");
    assert_non_null(written);
    snprintf(text, sizeof text, "%s", written);
    read_text(text);
    find(sqlite, pattern, text, one);
    find(postgres, pattern, text, other);
    if (strcmp(one, other) == 0)
        return false;
    add_text(page, "| ");
    add_code(page, pattern);
    add_text(page, " | ");
    add_code(page, written);
    add_text(page, " | ");
    add_answer(page, one);
    add_text(page, " | ");
    add_answer(page, other);
    add_text(page, " | ");
    add_text(page, rest != NULL ? rest : "");
    add_text(page, " |\n");
    return true;
}

static void make_table(document *page, const asked *sqlite, const asked *postgres) {
    char line[ANSWER_SIZE];
    char summary[200];
    int rows = 0;
    int lines = 0;
    FILE *file = fopen(LIDO_SOURCE_ROOT "/tests/questions/patterns.txt", "r");
    assert_non_null(file);
    add_text(page, "\n| pattern | text | found on SQLite | found on PostgreSQL | why |\n|---|---|---|---|---|\n");
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' || (line[0] == '#' && line[1] == ' '))
            continue;
        rows += add_row(page, sqlite, postgres, line);
        lines++;
    }
    fclose(file);
    snprintf(summary, sizeof summary, "\nThe other %d patterns that are asked find the same on both.\n\n",
             lines - rows);
    add_text(page, summary);
}

static void read_page(document *page) {
    FILE *file = fopen(PAGE, "r");
    assert_non_null(file);
    page->size = fread(page->text, 1, PAGE_SIZE - 1, file);
    page->text[page->size] = '\0';
    fclose(file);
}

static void the_page_has_the_table(void **state) {
    static document old, new, table;
    (void)state;
    if (getenv("LIDO_TEST_POSTGRES_URL") == NULL)
        skip();
    asked sqlite = ask_open("sqlite://");
    asked postgres = ask_open(getenv("LIDO_TEST_POSTGRES_URL"));
    make_table(&table, &sqlite, &postgres);
    ask_close(&postgres);
    ask_close(&sqlite);
    read_page(&old);
    const char *beginning = strstr(old.text, BEGINNING);
    const char *ending = strstr(old.text, ENDING);
    assert_non_null(beginning);
    assert_non_null(ending);
    add(&new, old.text, (size_t)(beginning - old.text) + strlen(BEGINNING));
    add(&new, table.text, table.size);
    add_text(&new, ending);
    if (getenv("LIDO_WRITE_DOCUMENTS") != NULL) {
        FILE *file = fopen(PAGE, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(new.text, 1, new.size, file), new.size);
        fclose(file);
    } else if (strcmp(old.text, new.text) != 0) {
        fail_msg("docs/regexp.md is not up to date: run this test with LIDO_WRITE_DOCUMENTS=1\n%s", table.text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_has_the_table),
    };
    return cmocka_run_group_tests_name("patterns", tests, NULL, NULL);
}
