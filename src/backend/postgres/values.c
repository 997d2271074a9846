/* PostgreSQL's fields as values, in binary for the types known here and in text for all.
 *
 * Both forms give the same value, for a statement's first answer comes as text and later ones in binary: what a
 * program sees must not depend on how often it asked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/postgres/types.h"
#include "base/convert.h"

enum { DAYS_OF_400_YEARS = 146097 };

static bool read_in_binary(Oid type) {
    switch (type) {
    case TYPE_BOOL:
    case TYPE_BYTEA:
    case TYPE_CHAR:
    case TYPE_NAME:
    case TYPE_INT8:
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_TEXT:
    case TYPE_OID:
    case TYPE_JSON:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_UNKNOWN:
    case TYPE_BPCHAR:
    case TYPE_VARCHAR:
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
    case TYPE_NUMERIC:
    case TYPE_VOID:
    case TYPE_UUID:
    case TYPE_JSONB:
        return true;
    default:
        return false;
    }
}

postgres_format lido__postgres_format_for(const PGresult *result) {
    for (int i = 0; i < PQnfields(result); i++)
        if (!read_in_binary(PQftype(result, i)))
            return POSTGRES_TEXT;
    return POSTGRES_BINARY;
}

static lido_value text_value(lido_kind kind, const char *text, size_t size) {
    lido_value value = lido_value_text_sized(text, size);
    value.kind = kind;
    return value;
}

/* Moments beyond what a lido_time can hold, and the infinite ones, are text. */
static const char OUT_OF_RANGE[] = "out of range";

static lido_value time_value(int64_t since_2000) {
    if (since_2000 == INT64_MAX)
        return lido_value_text("infinity");
    if (since_2000 == INT64_MIN)
        return lido_value_text("-infinity");
    int64_t microseconds;
    if (__builtin_add_overflow(since_2000, EPOCH_US, &microseconds))
        return lido_value_text(OUT_OF_RANGE);
    return lido_value_time((lido_time){microseconds});
}

/* As the server writes it. Its dates reach further than a lido_time: the date some multiple of 400 years away, after
 * which the calendar repeats, has the same month and day. */
static bool read_date(int32_t days, lido__arena *arena, lido_value *value) {
    char text[40];
    char *rest;
    if (days == INT32_MAX || days == INT32_MIN) {
        *value = lido_value_text(days == INT32_MAX ? "infinity" : "-infinity");
        return true;
    }
    lido_time_format((lido_time){days % DAYS_OF_400_YEARS * DAY_US + EPOCH_US}, text);
    long year = strtol(text, &rest, 10) + days / DAYS_OF_400_YEARS * 400;
    rest[strcspn(rest, " ")] = '\0';
    *value = lido_value_text(
        lido__arena_format(arena, "%04ld%s%s", year > 0 ? year : 1 - year, rest, year > 0 ? "" : " BC"));
    return value->kind == LIDO_KIND_TEXT;
}

static double read_float4(const char *bytes) {
    uint32_t bits = lido__postgres_read_32(bytes);
    float real;
    memcpy(&real, &bits, sizeof real);
    return (double)real;
}

static double read_float8(const char *bytes) {
    uint64_t bits = lido__postgres_read_64(bytes);
    double real;
    memcpy(&real, &bits, sizeof real);
    return real;
}

static bool read_numeric(const char *field, size_t size, lido__arena *arena, lido_value *value) {
    size_t text_size;
    const char *text = lido__postgres_read_numeric((const unsigned char *)field, size, arena, &text_size);
    *value = text_value(LIDO_KIND_NUMERIC, text, text_size);
    return text != NULL;
}

/* How long a binary field of a type of fixed size is; 0: of any size. */
static size_t fixed_size(Oid type) {
    switch (type) {
    case TYPE_BOOL:
        return 1;
    case TYPE_INT2:
        return 2;
    case TYPE_INT4:
    case TYPE_OID:
    case TYPE_FLOAT4:
    case TYPE_DATE:
        return 4;
    case TYPE_INT8:
    case TYPE_FLOAT8:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return 8;
    case TYPE_UUID:
        return 16;
    default:
        return 0;
    }
}

/* One case for each type; long because there are many types, not because any is hard. */
static bool read_binary(Oid type, const char *field, size_t size, lido__arena *arena, lido_value *value) {
    size_t expected = fixed_size(type);
    if (expected != 0 && size != expected)
        return false;
    switch (type) {
    case TYPE_BOOL:
        *value = lido_value_bool(field[0] != 0);
        return true;
    case TYPE_INT2:
        *value = lido_value_int64((int16_t)lido__postgres_read_16(field));
        return true;
    case TYPE_INT4:
        *value = lido_value_int64((int32_t)lido__postgres_read_32(field));
        return true;
    case TYPE_OID:
        *value = lido_value_int64(lido__postgres_read_32(field));
        return true;
    case TYPE_INT8:
        *value = lido_value_int64((int64_t)lido__postgres_read_64(field));
        return true;
    case TYPE_FLOAT4:
        *value = lido_value_double(read_float4(field));
        return true;
    case TYPE_FLOAT8:
        *value = lido_value_double(read_float8(field));
        return true;
    case TYPE_DATE:
        return read_date((int32_t)lido__postgres_read_32(field), arena, value);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        *value = time_value((int64_t)lido__postgres_read_64(field));
        return true;
    case TYPE_UUID:
        value->kind = LIDO_KIND_UUID;
        memcpy(value->as.uuid.bytes, field, 16);
        return true;
    case TYPE_NUMERIC:
        return read_numeric(field, size, arena, value);
    case TYPE_BYTEA:
        *value = lido_value_bytes((lido_bytes){field, size});
        return true;
    case TYPE_JSONB: /* a version byte, which is 1, then the text */
        *value = text_value(LIDO_KIND_JSON, field + 1, size - 1);
        return size > 0 && field[0] == 1;
    case TYPE_JSON:
        *value = text_value(LIDO_KIND_JSON, field, size);
        return true;
    case TYPE_CHAR: /* one byte; the empty one is a NUL */
        *value = lido_value_text_sized(field, size == 1 && field[0] == '\0' ? 0 : size);
        return true;
    default:
        *value = lido_value_text_sized(field, size);
        return true;
    }
}

static bool read_bytea_text(const char *field, lido__arena *arena, lido_value *value) {
    size_t size;
    unsigned char *bytes = PQunescapeBytea((const unsigned char *)field, &size);
    char *copy = bytes != NULL ? lido__arena_copy(arena, bytes, size) : NULL;
    arena->out_of_memory = arena->out_of_memory || bytes == NULL; /* PQunescapeBytea fails for nothing else */
    PQfreemem(bytes);
    *value = lido_value_bytes((lido_bytes){copy, size});
    return copy != NULL;
}

static bool read_number_text(Oid type, const char *field, size_t size, lido_value *value) {
    if (type == TYPE_FLOAT4 || type == TYPE_FLOAT8) {
        value->kind = LIDO_KIND_DOUBLE;
        if (!lido__double_parse(field, size, &value->as.real))
            return false;
        if (type == TYPE_FLOAT4)
            value->as.real = (double)(float)value->as.real;
        return true;
    }
    value->kind = LIDO_KIND_INT64;
    return lido__int64_parse(field, size, &value->as.integer);
}

static bool read_text(Oid type, const char *field, size_t size, lido__arena *arena, lido_value *value) {
    *value = lido_value_text_sized(field, size);
    switch (type) {
    case TYPE_BOOL:
        *value = lido_value_bool(field[0] == 't');
        return true;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_OID:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        return read_number_text(type, field, size, value);
    case TYPE_UUID:
        value->kind = LIDO_KIND_UUID;
        return lido_uuid_parse(field, &value->as.uuid);
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        if (lido_time_parse(field, &value->as.time))
            value->kind = LIDO_KIND_TIME;
        else if (strspn(field, "0123456789") ==
                 6) /* the year; else it is infinite, or in a style of the program's own */
            *value = lido_value_text(OUT_OF_RANGE);
        return true;
    case TYPE_BYTEA:
        return read_bytea_text(field, arena, value);
    case TYPE_NUMERIC:
        value->kind = LIDO_KIND_NUMERIC;
        return true;
    case TYPE_JSON:
    case TYPE_JSONB:
        value->kind = LIDO_KIND_JSON;
        return true;
    default:
        return true;
    }
}

bool lido__postgres_read_field(const PGresult *result, int row, int column, Oid type, bool binary, lido__arena *arena,
                               lido_value *value) {
    *value = lido_value_null();
    size_t size = (size_t)PQgetlength(result, row, column);
    if (size == 0 && PQgetisnull(result, row, column))
        return true;
    const char *field = PQgetvalue(result, row, column);
    return (binary ? read_binary : read_text)(type, field, size, arena, value);
}
