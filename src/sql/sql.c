/* From a text to a lido__sql: one pass of the scanner feeds the shape, the fingerprint and the translation, then all of
 * it is put into one block of memory. */
#include "sql/sql.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/convert.h"
#include "base/fault.h"
#include "sql/fingerprint.h"
#include "sql/hash.h"
#include "sql/personal.h"
#include "sql/scanner.h"
#include "sql/shape.h"
#include "sql/translation.h"

uint64_t lido__sql_hash(const char *text, size_t *size) {
    *size = strlen(text);
    return lido__hash_bytes(text, *size);
}

static bool refuse_encoding(const char *text, size_t size, lido_error *error) {
    size_t start = 0;
    for (;;) {
        size_t length = 1;
        while (start + length < size && ((unsigned char)text[start + length] & 0xC0) == 0x80)
            length++;
        if (!lido__utf8_valid(text + start, length))
            break;
        start += length;
    }
    return lido__fault(error, LIDO_ERROR_SYNTAX, "the SQL text is not UTF-8 (byte %zu)", start + 1);
}

static bool check_text(const char *text, size_t size, lido_error *error) {
    if (size > LIDO__SQL_SIZE_MOST) {
        lido__fault(error, LIDO_ERROR_MISUSE, "the SQL text has %zu bytes: a statement has at most %d", size,
                    LIDO__SQL_SIZE_MOST);
        lido__fault_hint(error, "Pass large values as parameters.");
        return false;
    }
    return lido__utf8_valid(text, size) || refuse_encoding(text, size, error);
}

/* Copies a text with a NUL behind it and moves *next behind that. */
static const char *store(char **next, const char *text, size_t size) {
    char *copy = *next;
    memcpy(copy, text, size);
    copy[size] = '\0';
    *next += size + 1;
    return copy;
}

/* OR FAIL keeps what was done before the failure. */
static bool changes_rows(const char *text) {
    static const char *const words[] = {"INSERT", "UPDATE", "DELETE", "REPLACE"};
    text += strspn(text, " \t\r\n\f");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strncasecmp(text, words[i], strlen(words[i])) == 0)
            return strcasestr(text, "FAIL") == NULL;
    return false;
}

/* One block of memory; behind it the text, its translation unless that is the text, the normal text and the names. */
typedef struct block {
    lido__sql sql;
    lido__sql_habits habits;
    const char *names[];
} block;

static lido__sql *assemble(const lido__sql *parts, const lido__names *names) {
    bool changed = parts->translated != NULL;
    size_t size = sizeof(block) + names->count * sizeof(const char *) + parts->size + 1;
    size_t normal_size = strlen(parts->normal);
    size += (changed ? parts->translated_size + 1 : 0) + normal_size + 1;
    for (size_t i = 0; i < names->count; i++)
        size += names->list[i].size + 1;
    block *made = malloc(size);
    if (made == NULL)
        return NULL;
    lido__sql *sql = &made->sql;
    *sql = *parts;
    atomic_init(&made->habits.goes_on_to_write, false);
    atomic_init(&made->habits.is_quick, false);
    atomic_init(&made->habits.runs, 0);
    atomic_init(&made->habits.slow_for, 0);
    sql->habits = &made->habits;
    sql->names = names->count > 0 ? made->names : NULL;
    char *next = (char *)(made->names + names->count);
    sql->text = store(&next, parts->text, parts->size);
    sql->translated = changed ? store(&next, parts->translated, parts->translated_size) : sql->text;
    sql->normal = store(&next, parts->normal, normal_size);
    for (size_t i = 0; i < names->count; i++)
        sql->names[i] = store(&next, names->list[i].text, names->list[i].size);
    return sql;
}

/* Runs the tokens through all three; false, with the error set, if the translation refuses one. */
static bool scan(lido__shape *shape, lido__fingerprint *fingerprint, lido__translation *translation) {
    lido__scanner scanner;
    lido__scanner_init(&scanner, translation->text, translation->size, translation->type);
    for (;;) {
        lido__token token = lido__scanner_next(&scanner);
        if (token.kind == LIDO__TOKEN_END)
            return true;
        if (token.kind == LIDO__TOKEN_BLANK)
            continue;
        lido__shape_follow(shape, &token);
        lido__fingerprint_follow(fingerprint, &token);
        if (!lido__translation_token(translation, &token, shape->own_numbers))
            return false;
    }
}

lido__sql *lido__sql_new(const char *text, size_t size, uint64_t hash, lido__database_type type, lido_error *error) {
    if (!check_text(text, size, error))
        return NULL;
    lido__shape shape;
    lido__fingerprint fingerprint;
    lido__translation translation;
    lido__shape_init(&shape, type);
    lido__fingerprint_init(&fingerprint, text, type);
    lido__translation_init(&translation, text, size, type, error);
    lido__sql parts = {.hash = hash, .size = size, .text = text};
    lido__sql *sql = NULL;
    if (scan(&shape, &fingerprint, &translation) &&
        lido__translation_end(&translation, &parts.translated, &parts.translated_size)) {
        parts.kind = shape.kind;
        parts.fingerprint = lido__fingerprint_end(&fingerprint, shape.kind);
        parts.normal = fingerprint.text;
        parts.many = shape.many;
        parts.changes_rows = shape.kind == LIDO__SQL_WRITES && changes_rows(text);
        parts.personal = type == LIDO__POSTGRESQL && shape.kind == LIDO__SQL_READS && lido__sql_is_personal(text, size);
        parts.parameter_count = translation.parameter_count;
        sql = assemble(&parts, &translation.names);
        if (sql == NULL)
            lido__fault_memory(error, "reading a statement");
    }
    lido__translation_done(&translation);
    return sql;
}

void lido__sql_free(lido__sql *sql) {
    free(sql);
}

size_t lido__sql_first_statement(const char *text, size_t size, lido__database_type type) {
    lido__scanner scanner;
    lido__shape shape;
    lido__scanner_init(&scanner, text, size, type);
    lido__shape_init(&shape, type);
    size_t end = 0;
    for (;;) {
        lido__token token = lido__scanner_next(&scanner);
        if (token.kind == LIDO__TOKEN_END)
            return end;
        if (token.kind == LIDO__TOKEN_BLANK)
            continue;
        lido__shape_follow(&shape, &token);
        if (shape.begun)
            end = token.start + token.size;
        if (shape.ended)
            return end;
    }
}
