/* Reading a value into a variable of the program's: one C type for each kind of target. */
#include <float.h>
#include <limits.h>
#include <math.h>

#include "base/convert.h"
#include "base/decimal.h"

static const char unknown_kind[] = "has a target of an unknown kind";

/* An integer between the limits, or `why_not`. */
static const char *signed_within(const lido_value *value, int64_t least, int64_t most, const char *why_not,
                                 int64_t *out) {
    const char *why = lido__convert_int64(value, out);
    if (why == NULL && (*out < least || *out > most)) {
        *out = 0;
        why = why_not;
    }
    return why;
}

static const char *unsigned_within(const lido_value *value, uint64_t most, const char *why_not, uint64_t *out) {
    const char *why = lido__convert_uint64(value, out);
    if (why == NULL && *out > most) {
        *out = 0;
        why = why_not;
    }
    return why;
}

static const char *to_signed(const lido_value *value, const lido_target *target) {
    int64_t integer;
    const char *why;
    switch (target->kind) {
    case LIDO_TARGET_SIGNED_CHAR:
        why = signed_within(value, SCHAR_MIN, SCHAR_MAX, "is out of the range of signed char", &integer);
        *(signed char *)target->pointer = (signed char)integer;
        return why;
    case LIDO_TARGET_SHORT:
        why = signed_within(value, SHRT_MIN, SHRT_MAX, "is out of the range of short", &integer);
        *(short *)target->pointer = (short)integer;
        return why;
    case LIDO_TARGET_INT:
        why = signed_within(value, INT_MIN, INT_MAX, "is out of the range of int", &integer);
        *(int *)target->pointer = (int)integer;
        return why;
    case LIDO_TARGET_LONG:
        why = signed_within(value, LONG_MIN, LONG_MAX, "is out of the range of long", &integer);
        *(long *)target->pointer = (long)integer;
        return why;
    default:
        why = lido__convert_int64(value, &integer);
        *(long long *)target->pointer = integer;
        return why;
    }
}

static const char *to_unsigned(const lido_value *value, const lido_target *target) {
    uint64_t integer;
    const char *why;
    switch (target->kind) {
    case LIDO_TARGET_UNSIGNED_CHAR:
        why = unsigned_within(value, UCHAR_MAX, "is out of the range of unsigned char", &integer);
        *(unsigned char *)target->pointer = (unsigned char)integer;
        return why;
    case LIDO_TARGET_UNSIGNED_SHORT:
        why = unsigned_within(value, USHRT_MAX, "is out of the range of unsigned short", &integer);
        *(unsigned short *)target->pointer = (unsigned short)integer;
        return why;
    case LIDO_TARGET_UNSIGNED:
        why = unsigned_within(value, UINT_MAX, "is out of the range of unsigned", &integer);
        *(unsigned *)target->pointer = (unsigned)integer;
        return why;
    case LIDO_TARGET_UNSIGNED_LONG:
        why = unsigned_within(value, ULONG_MAX, "is out of the range of unsigned long", &integer);
        *(unsigned long *)target->pointer = (unsigned long)integer;
        return why;
    default:
        why = lido__convert_uint64(value, &integer);
        *(unsigned long long *)target->pointer = integer;
        return why;
    }
}

static const char *to_float(const lido_value *value, float *out) {
    double real;
    *out = 0;
    const char *why = lido__convert_double(value, &real);
    if (why != NULL)
        return why;
    if (isfinite(real) && (fabs(real) > (double)FLT_MAX || (double)(float)real != real))
        return "cannot be a float without rounding; read it as double";
    *out = (float)real;
    return NULL;
}

/* Text of a value that is a decimal number, NaN and the infinities included, as PostgreSQL's numeric has them. */
static const char *to_numeric(const lido_value *value, lido__arena *arena, const char **out) {
    double real;
    *out = NULL;
    switch (value->kind) {
    case LIDO_KIND_TEXT: {
        lido__decimal decimal; /* read first, for a numeric may be larger than any double */
        if (!lido__decimal_read(&decimal, value->as.text, value->size) && lido__convert_double(value, &real) != NULL)
            return "is not a number";
        return lido__convert_text(value, arena, out);
    }
    case LIDO_KIND_NULL:
    case LIDO_KIND_INT64:
    case LIDO_KIND_DOUBLE:
    case LIDO_KIND_NUMERIC:
        return lido__convert_text(value, arena, out);
    default:
        return "is not a number";
    }
}

/* A text or numeric goes out unread: whether it is JSON, its reader will find. Other values go where JSON writes them
 * the same. */
static const char *to_json(const lido_value *value, lido__arena *arena, const char **out) {
    *out = NULL;
    switch (value->kind) {
    case LIDO_KIND_BLOB:
    case LIDO_KIND_UUID:
    case LIDO_KIND_TIME:
        return "is not JSON";
    case LIDO_KIND_DOUBLE:
        if (!isfinite(value->as.real))
            return "is a number that JSON cannot write";
        break;
    default:
        break;
    }
    return lido__convert_text(value, arena, out);
}

static const char *to_nullable(const lido_value *value, lido__arena *arena, const lido_target *target) {
    lido_target_kind base = lido__target_base(target->kind);
    if (!lido__target_may_be_nullable(base))
        return unknown_kind;
    *(const void **)target->pointer = NULL;
    if (value->kind == LIDO_KIND_NULL)
        return NULL;
    void *place = lido__arena_allocate(arena, lido__target_size(base));
    if (place == NULL)
        return lido__convert_no_memory;
    const char *why = lido__convert_target(value, arena, &(lido_target){base, place});
    if (why == NULL)
        *(const void **)target->pointer = place;
    return why;
}

const char *lido__convert_target(const lido_value *value, lido__arena *arena, const lido_target *target) {
    switch (target->kind) {
    case LIDO_TARGET_BOOL:
        return lido__convert_bool(value, target->pointer);
    case LIDO_TARGET_SIGNED_CHAR:
    case LIDO_TARGET_SHORT:
    case LIDO_TARGET_INT:
    case LIDO_TARGET_LONG:
    case LIDO_TARGET_LONG_LONG:
        return to_signed(value, target);
    case LIDO_TARGET_UNSIGNED_CHAR:
    case LIDO_TARGET_UNSIGNED_SHORT:
    case LIDO_TARGET_UNSIGNED:
    case LIDO_TARGET_UNSIGNED_LONG:
    case LIDO_TARGET_UNSIGNED_LONG_LONG:
        return to_unsigned(value, target);
    case LIDO_TARGET_FLOAT:
        return to_float(value, target->pointer);
    case LIDO_TARGET_DOUBLE:
        return lido__convert_double(value, target->pointer);
    case LIDO_TARGET_TEXT:
        return lido__convert_text(value, arena, target->pointer);
    case LIDO_TARGET_UUID:
        return lido__convert_uuid(value, target->pointer);
    case LIDO_TARGET_TIME:
        return lido__convert_time(value, target->pointer);
    case LIDO_TARGET_BYTES:
        return lido__convert_bytes(value, target->pointer);
    case LIDO_TARGET_JSON:
        return to_json(value, arena, &((lido_json *)target->pointer)->text);
    case LIDO_TARGET_NUMERIC:
        return to_numeric(value, arena, &((lido_numeric *)target->pointer)->text);
    case LIDO_TARGET_VALUE:
        *(lido_value *)target->pointer = *value;
        return NULL;
    case LIDO_TARGET_NULLABLE: /* and what it was added to */
        break;
    }
    return lido__target_is_nullable(target->kind) ? to_nullable(value, arena, target) : unknown_kind;
}
