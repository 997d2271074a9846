/* Reading a value as one of the C types that conversions have in common. */
#include "base/convert.h"

#include <math.h>
#include <string.h>

#include "base/decimal.h"

static const char is_null[] = "is NULL";
const char lido__convert_no_memory[] = "finds no memory for its copy";
static const char no_int64[] = "is out of the range of a 64-bit integer";
static const char no_uint64[] = "is out of the range of an unsigned 64-bit integer";

static bool has_text(const lido_value *value) {
    return value->kind == LIDO_KIND_TEXT || value->kind == LIDO_KIND_JSON || value->kind == LIDO_KIND_NUMERIC;
}

static const char *text_bool(const lido_value *value, bool *out) {
    static const char *const words[] = {"f", "t", "0", "1", "false", "true"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (value->size == strlen(words[i]) && memcmp(value->as.text, words[i], value->size) == 0) {
            *out = i % 2 == 1;
            return NULL;
        }
    return "is neither true nor false";
}

const char *lido__convert_bool(const lido_value *value, bool *out) {
    *out = false;
    switch (value->kind) {
    case LIDO_KIND_BOOL:
        *out = value->as.boolean;
        return NULL;
    case LIDO_KIND_INT64:
        *out = value->as.integer == 1;
        return value->as.integer == 0 || value->as.integer == 1 ? NULL : "is neither 0 nor 1";
    case LIDO_KIND_TEXT:
        return text_bool(value, out);
    case LIDO_KIND_NULL:
        return is_null;
    default:
        return "is not a boolean";
    }
}

/* A whole number as sign and absolute value, whichever type it is for. */
typedef struct whole_number {
    bool negative;
    uint64_t magnitude;
} whole_number;

static const char *whole_of_text(const lido_value *value, whole_number *out) {
    lido__decimal decimal;
    if (!lido__decimal_read(&decimal, value->as.text, value->size))
        return "is not a number";
    if (!lido__decimal_is_whole(&decimal))
        return "is not a whole number";
    out->negative = decimal.negative;
    return lido__decimal_magnitude(&decimal, &out->magnitude) ? NULL : no_int64;
}

static const char *whole_of_double(double real, whole_number *out) {
    if (isnan(real))
        return "is not a number";
    if (fabs(real) >= 0x1p64) /* the infinities too */
        return no_int64;
    out->negative = real < 0;
    out->magnitude = (uint64_t)fabs(real);
    return (double)out->magnitude == fabs(real) ? NULL : "is not a whole number";
}

static const char *whole_of(const lido_value *value, whole_number *out) {
    switch (value->kind) {
    case LIDO_KIND_BOOL:
        *out = (whole_number){false, value->as.boolean};
        return NULL;
    case LIDO_KIND_DOUBLE:
        return whole_of_double(value->as.real, out);
    case LIDO_KIND_TEXT:
    case LIDO_KIND_NUMERIC:
        return whole_of_text(value, out);
    case LIDO_KIND_NULL:
        return is_null;
    default:
        return "is not a number";
    }
}

const char *lido__convert_int64(const lido_value *value, int64_t *out) {
    if (value->kind == LIDO_KIND_INT64) {
        *out = value->as.integer;
        return NULL;
    }
    *out = 0;
    whole_number whole;
    const char *why = whole_of(value, &whole);
    if (why != NULL)
        return why;
    if (whole.magnitude > (uint64_t)INT64_MAX + whole.negative)
        return no_int64;
    *out = (int64_t)(whole.negative ? 0 - whole.magnitude : whole.magnitude);
    return NULL;
}

const char *lido__convert_uint64(const lido_value *value, uint64_t *out) {
    *out = 0;
    whole_number whole;
    if (value->kind == LIDO_KIND_INT64) {
        whole.negative = value->as.integer < 0;
        whole.magnitude = (uint64_t)value->as.integer;
    } else {
        const char *why = whole_of(value, &whole);
        if (why != NULL)
            return why == no_int64 ? no_uint64 : why;
    }
    if (whole.negative && whole.magnitude > 0)
        return "is negative";
    *out = whole.magnitude;
    return NULL;
}

const char *lido__convert_double(const lido_value *value, double *out) {
    *out = 0;
    switch (value->kind) {
    case LIDO_KIND_DOUBLE:
        *out = value->as.real;
        return NULL;
    case LIDO_KIND_INT64: {
        double real = (double)value->as.integer;
        /* 2^63 is what the largest integers are rounded to, and is none itself. */
        if (real >= 0x1p63 || (int64_t)real != value->as.integer)
            return "cannot be a double without rounding";
        *out = real;
        return NULL;
    }
    case LIDO_KIND_TEXT:
    case LIDO_KIND_NUMERIC:
        return lido__double_parse(value->as.text, value->size, out) ? NULL : "is not a number that a double can hold";
    case LIDO_KIND_NULL:
        return is_null;
    default:
        return "is not a number";
    }
}

const char *lido__convert_uuid(const lido_value *value, lido_uuid *out) {
    memset(out, 0, sizeof *out);
    if (value->kind == LIDO_KIND_UUID)
        *out = value->as.uuid;
    else if (value->kind == LIDO_KIND_BLOB && value->size == sizeof out->bytes)
        memcpy(out->bytes, value->as.blob, sizeof out->bytes);
    else if (value->kind == LIDO_KIND_NULL)
        return is_null;
    else if (value->kind != LIDO_KIND_TEXT || !lido__uuid_parse(value->as.text, value->size, out))
        return "is not a uuid";
    return NULL;
}

const char *lido__convert_time(const lido_value *value, lido_time *out) {
    out->microseconds = 0;
    if (value->kind == LIDO_KIND_TIME)
        *out = value->as.time;
    else if (value->kind == LIDO_KIND_NULL)
        return is_null;
    else if (value->kind != LIDO_KIND_TEXT || !lido__time_parse(value->as.text, value->size, out))
        return "is not a time";
    return NULL;
}

/* Writes a value that has no text of its own into `text` of 40 bytes; false if there is no text for it. */
static bool write_text(const lido_value *value, char *text) {
    switch (value->kind) {
    case LIDO_KIND_INT64:
        lido__int64_format(value->as.integer, text);
        return true;
    case LIDO_KIND_DOUBLE:
        lido__double_format(value->as.real, text);
        return true;
    case LIDO_KIND_BOOL:
        strcpy(text, value->as.boolean ? "true" : "false");
        return true;
    case LIDO_KIND_UUID:
        lido_uuid_format(value->as.uuid, text);
        return true;
    case LIDO_KIND_TIME:
        lido_time_format(value->as.time, text);
        return true;
    default:
        return false;
    }
}

const char *lido__convert_text(const lido_value *value, lido__arena *arena, const char **out) {
    *out = NULL;
    if (value->kind == LIDO_KIND_NULL)
        return NULL;
    if (has_text(value)) {
        if (memchr(value->as.text, '\0', value->size) != NULL)
            return "is a text with a NUL inside, to be read as bytes only";
        *out = value->as.text;
        return NULL;
    }
    char text[40];
    if (!write_text(value, text))
        return value->kind == LIDO_KIND_BLOB ? "is a blob, not a text" : "is not a text";
    *out = lido__arena_copy(arena, text, strlen(text));
    return *out != NULL ? NULL : lido__convert_no_memory;
}

const char *lido__convert_bytes(const lido_value *value, lido_bytes *out) {
    *out = (lido_bytes){NULL, 0};
    if (value->kind == LIDO_KIND_NULL)
        return NULL;
    if (value->kind == LIDO_KIND_BLOB)
        *out = lido_blob(value->as.blob, value->size);
    else if (has_text(value))
        *out = lido_blob(value->as.text, value->size);
    else
        return "is not a blob";
    return NULL;
}
