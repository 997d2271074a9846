/* Values on their way to PostgreSQL.
 *
 * They go as text without a type, so that the server takes each for what its place in the statement asks for, as
 * it does with a literal: 5 is a smallint, a numeric or a date's days where one is wanted, and what does not
 * fit is the server's error rather than our guess. Blobs go in binary, which text has no form for
 * that is not twice as long. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/postgres/postgres.h"
#include "base/convert.h"

/* PostgreSQL counts the years before the year 1 as BC: it knows no year 0. */
size_t lido__postgres_time_text(lido_time time, char text[LIDO__POSTGRES_TIME_SIZE]) {
    char *rest;
    lido_time_format(time, text);
    long year = strtol(text, &rest, 10);
    if (year > 0) {
        strcat(rest, "+00");
        return strlen(text);
    }
    char without_year[40];
    strcpy(without_year, rest);
    return (size_t)snprintf(text, LIDO__POSTGRES_TIME_SIZE, "%04ld%s+00 BC", 1 - year, without_year);
}

static const char *encode_small(const lido_value *value, lido__arena *scratch) {
    char *text = lido__arena_allocate(scratch, LIDO__POSTGRES_TIME_SIZE);
    if (text == NULL)
        return NULL;
    if (value->kind == LIDO_KIND_INT64)
        lido__int64_format(value->as.integer, text);
    else if (value->kind == LIDO_KIND_DOUBLE)
        lido__double_format(value->as.real, text);
    else if (value->kind == LIDO_KIND_TIME)
        lido__postgres_time_text(value->as.time, text);
    else
        lido_uuid_format(value->as.uuid, text);
    return text;
}

static const char *encode_one(const lido_value *value, lido__arena *scratch) {
    switch (value->kind) {
    case LIDO_KIND_BOOL:
        return value->as.boolean ? "true" : "false";
    case LIDO_KIND_INT64:
    case LIDO_KIND_DOUBLE:
    case LIDO_KIND_UUID:
    case LIDO_KIND_TIME:
        return encode_small(value, scratch);
    case LIDO_KIND_TEXT:
    case LIDO_KIND_JSON:
    case LIDO_KIND_NUMERIC: /* copied for the NUL at the end, which a text with a size need not have */
        return lido__arena_copy(scratch, value->as.text, value->size);
    case LIDO_KIND_BLOB:
        return value->as.blob;
    case LIDO_KIND_NULL:
    case LIDO_KIND_INVALID:
        break;
    }
    return NULL;
}

bool lido__postgres_encode(postgres_connection *connection, const lido__operation *operation,
                           postgres_parameters *parameters) {
    lido__arena *scratch = &connection->scratch;
    size_t count = operation->count;
    *parameters = (postgres_parameters){.count = (int)count};
    if (count == 0)
        return true;
    char *memory = lido__arena_allocate(scratch, count * (sizeof(char *) + 2 * sizeof(int)));
    if (memory == NULL)
        return false;
    parameters->values = (const char **)memory; /* pointers first, for their alignment */
    parameters->sizes = (int *)(memory + count * sizeof(char *));
    parameters->formats = parameters->sizes + count;
    for (size_t i = 0; i < count; i++) {
        const lido_value *value = &operation->values[i];
        parameters->values[i] = encode_one(value, scratch);
        parameters->sizes[i] = (int)value->size;
        parameters->formats[i] = value->kind == LIDO_KIND_BLOB;
        if (parameters->values[i] == NULL && value->kind != LIDO_KIND_NULL)
            return false;
    }
    return true;
}
