/* Values in the binary form of their columns' types.
 *
 * Only where that surely is what the server would have made of the value's text, which is what lido_exec sends: the
 * same value must not go in differently because there were many. Everything else goes as text, also what is wrong, so
 * that it is the server that says so, and in which row. */
#include <endian.h>
#include <math.h>
#include <string.h>

#include "backend/postgres/copy.h"
#include "base/convert.h"

const char lido__postgres_copy_header[COPY_HEADER_SIZE] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";
const char lido__postgres_copy_trailer[COPY_TRAILER_SIZE] = {(char)0xff, (char)0xff};

static inline char *write_16(char *at, uint16_t number) {
    number = htobe16(number);
    memcpy(at, &number, sizeof number);
    return at + sizeof number;
}

static inline char *write_32(char *at, uint32_t number) {
    number = htobe32(number);
    memcpy(at, &number, sizeof number);
    return at + sizeof number;
}

static inline char *write_64(char *at, uint64_t number) {
    number = htobe64(number);
    memcpy(at, &number, sizeof number);
    return at + sizeof number;
}

static inline char *write_bytes(char *at, const void *bytes, size_t size) {
    at = write_32(at, (uint32_t)size);
    if (size > 0)
        memcpy(at, bytes, size);
    return at + size;
}

char *lido__postgres_write_count(char *at, size_t columns) {
    return write_16(at, (uint16_t)columns);
}

/* ---- Numbers ---- */

static char *write_bool(char *at, const lido_value *value) {
    bool is_one_or_zero = value->kind == LIDO_KIND_INT64 && (value->as.integer | 1) == 1;
    if (value->kind != LIDO_KIND_BOOL && !is_one_or_zero)
        return NULL;
    at = write_32(at, 1);
    *at++ = value->kind == LIDO_KIND_BOOL ? value->as.boolean : value->as.integer == 1;
    return at;
}

static char *write_int2(char *at, const lido_value *value) {
    if (value->kind != LIDO_KIND_INT64 || value->as.integer != (int16_t)value->as.integer)
        return NULL;
    return write_16(write_32(at, 2), (uint16_t)value->as.integer);
}

static char *write_int4(char *at, const lido_value *value) {
    if (value->kind != LIDO_KIND_INT64 || value->as.integer != (int32_t)value->as.integer)
        return NULL;
    return write_32(write_32(at, 4), (uint32_t)value->as.integer);
}

static char *write_int8(char *at, const lido_value *value) {
    return value->kind == LIDO_KIND_INT64 ? write_64(write_32(at, 8), (uint64_t)value->as.integer) : NULL;
}

/* Whole numbers up to 2^53 are the same as doubles. */
static bool is_real(const lido_value *value, double *real) {
    const int64_t exact = INT64_C(1) << 53;
    *real = value->kind == LIDO_KIND_INT64 ? (double)value->as.integer : value->as.real;
    return value->kind == LIDO_KIND_DOUBLE ||
           (value->kind == LIDO_KIND_INT64 && value->as.integer <= exact && value->as.integer >= -exact);
}

static char *write_float8(char *at, const lido_value *value) {
    double real;
    uint64_t bits;
    if (!is_real(value, &real))
        return NULL;
    memcpy(&bits, &real, sizeof bits);
    return write_64(write_32(at, 8), bits);
}

/* What is too large or too small for it, the server refuses as text, and would take as infinity or zero here. */
static char *write_float4(char *at, const lido_value *value) {
    double real;
    uint32_t bits;
    if (!is_real(value, &real))
        return NULL;
    float small = (float)real;
    if (isinf(small) != isinf(real) || (small == 0) != (real == 0))
        return NULL;
    memcpy(&bits, &small, sizeof bits);
    return write_32(write_32(at, 4), bits);
}

static char *write_numeric(char *at, const lido_value *value) {
    char digits[LIDO__DOUBLE_TEXT_SIZE];
    const char *text = digits;
    size_t size = 0;
    if (value->kind == LIDO_KIND_INT64) {
        size = lido__int64_format(value->as.integer, digits);
    } else if (value->kind == LIDO_KIND_DOUBLE) {
        size = lido__double_format(value->as.real, digits);
    } else if (value->kind == LIDO_KIND_NUMERIC || value->kind == LIDO_KIND_TEXT) {
        text = value->as.text;
        size = value->size;
    }
    char *end = lido__postgres_write_numeric(at + 4, text, size);
    if (end != NULL)
        write_32(at, (uint32_t)(end - at - 4));
    return end;
}

/* ---- Moments ---- */

/* The server's own range ends earlier, and it says so. */
static char *write_moment(char *at, const lido_value *value) {
    int64_t since_2000;
    if (value->kind != LIDO_KIND_TIME || __builtin_sub_overflow(value->as.time.microseconds, EPOCH_US, &since_2000) ||
        since_2000 == INT64_MAX || since_2000 == INT64_MIN) /* which stand for infinity */
        return NULL;
    return write_64(write_32(at, 8), (uint64_t)since_2000);
}

/* "2026-01-02" and nothing else: what other forms mean depends on the server's settings. */
static bool is_plain_date(const lido_value *value, lido_time *time) {
    if (value->kind == LIDO_KIND_TIME) {
        *time = value->as.time;
        return true;
    }
    return value->kind == LIDO_KIND_TEXT && value->size == 10 && memcmp(value->as.text, "0000", 4) != 0 &&
           value->as.text[4] == '-' && value->as.text[7] == '-' && lido__time_parse(value->as.text, 10, time);
}

static char *write_date(char *at, const lido_value *value) {
    lido_time time;
    int64_t since_2000;
    if (!is_plain_date(value, &time) || __builtin_sub_overflow(time.microseconds, EPOCH_US, &since_2000))
        return NULL;
    int64_t days = since_2000 / DAY_US - (since_2000 % DAY_US < 0);
    return write_32(write_32(at, 4), (uint32_t)(int32_t)days);
}

/* ---- Texts and bytes ---- */

/* What is made here is at most 40 bytes long. */
static char *write_made_text(char *at, const lido_value *value) {
    char text[LIDO__POSTGRES_TIME_SIZE];
    switch (value->kind) {
    case LIDO_KIND_BOOL:
        return write_bytes(at, value->as.boolean ? "true" : "false", value->as.boolean ? 4 : 5);
    case LIDO_KIND_INT64:
        return write_bytes(at, text, lido__int64_format(value->as.integer, text));
    case LIDO_KIND_DOUBLE:
        return write_bytes(at, text, lido__double_format(value->as.real, text));
    case LIDO_KIND_UUID:
        lido_uuid_format(value->as.uuid, text);
        return write_bytes(at, text, 36);
    case LIDO_KIND_TIME:
        return write_bytes(at, text, lido__postgres_time_text(value->as.time, text));
    default:
        return NULL;
    }
}

static char *write_text(char *at, const lido_value *value) {
    bool has_bytes = value->kind == LIDO_KIND_TEXT || value->kind == LIDO_KIND_JSON ||
                     value->kind == LIDO_KIND_NUMERIC || value->kind == LIDO_KIND_BLOB;
    return has_bytes ? write_bytes(at, value->as.text, value->size) : write_made_text(at, value);
}

/* The text behind a byte that names the form's version. */
static char *write_jsonb(char *at, const lido_value *value) {
    char *end = value->kind != LIDO_KIND_BLOB ? write_text(at + 1, value) : NULL;
    if (end == NULL)
        return NULL;
    write_32(at, (uint32_t)(end - at - 4));
    at[4] = 1;
    return end;
}

static char *write_bytea(char *at, const lido_value *value) {
    return value->kind == LIDO_KIND_BLOB ? write_bytes(at, value->as.blob, value->size) : NULL;
}

static char *write_uuid(char *at, const lido_value *value) {
    lido_uuid uuid;
    if (value->kind == LIDO_KIND_UUID)
        return write_bytes(at, value->as.uuid.bytes, sizeof uuid.bytes);
    return lido__convert_uuid(value, &uuid) == NULL ? write_bytes(at, uuid.bytes, sizeof uuid.bytes) : NULL;
}

postgres_encoder *lido__postgres_encoder_for(Oid type) {
    switch (type) {
    case TYPE_BOOL:
        return write_bool;
    case TYPE_INT2:
        return write_int2;
    case TYPE_INT4:
        return write_int4;
    case TYPE_INT8:
        return write_int8;
    case TYPE_FLOAT4:
        return write_float4;
    case TYPE_FLOAT8:
        return write_float8;
    case TYPE_NUMERIC:
        return write_numeric;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return write_moment;
    case TYPE_DATE:
        return write_date;
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_JSON:
        return write_text;
    case TYPE_JSONB:
        return write_jsonb;
    case TYPE_BYTEA:
        return write_bytea;
    case TYPE_UUID:
        return write_uuid;
    default:
        return NULL;
    }
}
