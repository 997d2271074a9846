/* Any bytes as SQL: the scanner covers them, scripts come apart, and what is translated keeps its promises. The first
 * byte chooses the database. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/convert.h"
#include "sql/scanner.h"
#include "sql/sql.h"

#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __LINE__))

static void check_failed(const char *condition, int line) {
    fprintf(stderr, "scanner_fuzz.c:%d: not so: %s\n", line, condition);
    abort();
}

static void check_tokens(const char *text, size_t size, lido__database_type type) {
    lido__scanner scanner;
    lido__scanner_init(&scanner, text, size, type);
    size_t end = 0;
    for (lido__token token = lido__scanner_next(&scanner); token.kind != LIDO__TOKEN_END;
         token = lido__scanner_next(&scanner)) {
        CHECK(token.start == end && token.size > 0 && token.size <= size - end);
        end += token.size;
    }
    CHECK(end == size);
}

static void check_script(const char *text, size_t size, lido__database_type type) {
    size_t first;
    while ((first = lido__sql_first_statement(text, size, type)) > 0) {
        CHECK(first <= size);
        text += first;
        size -= first;
    }
}

static void check_sql(const lido__sql *sql) {
    CHECK(strlen(sql->text) == sql->size);
    CHECK(strlen(sql->translated) == sql->translated_size);
    CHECK(sql->translated_size <= 8 * sql->size); /* "?" becomes at most " $32766 " */
    CHECK(sql->parameter_count <= LIDO__SQL_PARAMETERS_MOST);
    for (size_t i = 0; sql->names != NULL && i < sql->parameter_count; i++)
        CHECK(sql->names[i][0] != '\0');
    CHECK(!sql->many || sql->kind != LIDO__SQL_EMPTY);
    size_t normal_size = strlen(sql->normal);
    CHECK(normal_size < LIDO__SQL_NORMAL_SIZE && lido__utf8_valid(sql->normal, normal_size));
    for (size_t i = 0; i < normal_size; i++)
        CHECK((unsigned char)sql->normal[i] >= ' ' && sql->normal[i] != 0x7f);
    CHECK(sql->fingerprint != 0);
}

/* Only $n is left in a translation for PostgreSQL, so that translating it again changes nothing; but a ?? has
 * become a ?, which would be a placeholder now. */
static void check_again(const lido__sql *sql) {
    if (strstr(sql->text, "??") != NULL)
        return;
    lido__sql *again = lido__sql_new(sql->translated, sql->translated_size, 0, LIDO__POSTGRESQL, NULL);
    CHECK(again != NULL);
    CHECK(strcmp(again->translated, sql->translated) == 0);
    CHECK(again->parameter_count == sql->parameter_count);
    CHECK(again->kind == sql->kind && again->many == sql->many);
    if (strcasestr(sql->text, "regexp") == NULL) /* which becomes an operator */
        CHECK(again->fingerprint == sql->fingerprint && strcmp(again->normal, sql->normal) == 0);
    lido__sql_free(again);
}

static void check_text(const char *text, lido__database_type type) {
    lido_error error = LIDO_ERROR_INIT;
    size_t size;
    uint64_t hash = lido__sql_hash(text, &size);
    lido__sql *sql = lido__sql_new(text, size, hash, type, &error);
    CHECK((sql == NULL) == (error.status != LIDO_OK));
    if (sql == NULL)
        return;
    check_sql(sql);
    if (type == LIDO__POSTGRESQL)
        check_again(sql);
    lido__sql_free(sql);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    lido__database_type type = data[0] % 2 == 0 ? LIDO__SQLITE : LIDO__POSTGRESQL;
    char *text = malloc(size);
    CHECK(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    check_tokens(text, size - 1, type);
    check_script(text, size - 1, type);
    check_text(text, type);
    free(text);
    return 0;
}
