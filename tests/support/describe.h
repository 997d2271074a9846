/* Values told as lines of text, and asked for several times. */
#ifndef TESTS_SUPPORT_DESCRIBE_H
#define TESTS_SUPPORT_DESCRIBE_H

#include "support/scenario.h"

#include <stdio.h>
#include <string.h>

enum { TIMES = 3, DESCRIBED_MOST = 200 };

static inline void describe_bytes(lido_value value, char *text) {
    const unsigned char *bytes = value.as.blob;
    int used = sprintf(text, "%zu bytes", value.size);
    for (size_t i = 0; i < value.size && i < 4; i++)
        used += sprintf(text + used, " %02x", bytes[i]);
}

static inline void describe_content(lido_value value, char *text) {
    char made[40];
    switch (value.kind) {
    case LIDO_KIND_BOOL:
        strcpy(text, value.as.boolean ? "true" : "false");
        break;
    case LIDO_KIND_INT64:
        sprintf(text, "%lld", (long long)value.as.integer);
        break;
    case LIDO_KIND_DOUBLE:
        sprintf(text, "%.17g", value.as.real);
        break;
    case LIDO_KIND_UUID:
        lido_uuid_format(value.as.uuid, made);
        strcpy(text, made);
        break;
    case LIDO_KIND_TIME:
        lido_time_format(value.as.time, made);
        strcpy(text, made);
        break;
    case LIDO_KIND_BLOB:
        describe_bytes(value, text);
        break;
    case LIDO_KIND_TEXT:
    case LIDO_KIND_JSON:
    case LIDO_KIND_NUMERIC:
        if (value.size < 100)
            sprintf(text, "%.*s", (int)value.size, value.as.text);
        else
            sprintf(text, "%.8s… of %zu", value.as.text, value.size);
        break;
    default:
        text[0] = '\0';
    }
}

/* "text: lamp" */
static inline void describe(lido_value value, char text[DESCRIBED_MOST]) {
    int used = sprintf(text, "%s: ", lido_kind_name(value.kind));
    describe_content(value, text + used);
}

static inline bool has_content(lido_kind kind) {
    return kind == LIDO_KIND_TEXT || kind == LIDO_KIND_JSON || kind == LIDO_KIND_NUMERIC || kind == LIDO_KIND_BLOB;
}

static inline bool is_same(lido_value a, lido_value b) {
    char a_text[DESCRIBED_MOST];
    char b_text[DESCRIBED_MOST];
    describe(a, a_text);
    describe(b, b_text);
    if (strcmp(a_text, b_text) != 0)
        return false;
    return !has_content(a.kind) || (a.size == b.size && memcmp(a.as.blob, b.as.blob, a.size) == 0);
}

static inline bool is_terminated(lido_value value) {
    return !has_content(value.kind) || value.kind == LIDO_KIND_BLOB || strlen(value.as.text) == value.size;
}

/* Runs a statement several times, which PostgreSQL answers in text first and then in binary, and returns its first
 * value, which must be the same each time. */
static inline lido_value ask_often(lido_session *db, const char *sql) {
    lido_value values[TIMES];
    for (int i = 0; i < TIMES; i++) {
        values[i] = lido_query_value(db, sql);
        assert_true(is_terminated(values[i]));
        if (!is_same(values[0], values[i])) {
            char first[DESCRIBED_MOST];
            char later[DESCRIBED_MOST];
            describe(values[0], first);
            describe(values[i], later);
            fail_msg("%s gave first \"%s\", then \"%s\"", sql, first, later);
        }
    }
    return values[0];
}

#endif
