/* Reading a member of a struct, by its C type, as a value; the way back is convert_target.c. */
#include "base/convert.h"

size_t lido__target_size(lido_target_kind kind) {
    static const size_t sizes[] = {
        [LIDO_TARGET_BOOL] = sizeof(bool),
        [LIDO_TARGET_SIGNED_CHAR] = sizeof(signed char),
        [LIDO_TARGET_UNSIGNED_CHAR] = sizeof(unsigned char),
        [LIDO_TARGET_SHORT] = sizeof(short),
        [LIDO_TARGET_UNSIGNED_SHORT] = sizeof(unsigned short),
        [LIDO_TARGET_INT] = sizeof(int),
        [LIDO_TARGET_UNSIGNED] = sizeof(unsigned),
        [LIDO_TARGET_LONG] = sizeof(long),
        [LIDO_TARGET_UNSIGNED_LONG] = sizeof(unsigned long),
        [LIDO_TARGET_LONG_LONG] = sizeof(long long),
        [LIDO_TARGET_UNSIGNED_LONG_LONG] = sizeof(unsigned long long),
        [LIDO_TARGET_FLOAT] = sizeof(float),
        [LIDO_TARGET_DOUBLE] = sizeof(double),
        [LIDO_TARGET_TEXT] = sizeof(const char *),
        [LIDO_TARGET_UUID] = sizeof(lido_uuid),
        [LIDO_TARGET_TIME] = sizeof(lido_time),
        [LIDO_TARGET_BYTES] = sizeof(lido_bytes),
        [LIDO_TARGET_JSON] = sizeof(lido_json),
        [LIDO_TARGET_NUMERIC] = sizeof(lido_numeric),
        [LIDO_TARGET_VALUE] = sizeof(lido_value),
    };
    lido_target_kind base = lido__target_base(kind);
    if ((size_t)base >= sizeof sizes / sizeof sizes[0] || (kind != base && !lido__target_may_be_nullable(base)))
        return 0;
    return kind != base ? sizeof(void *) : sizes[base];
}

static void read_text(const char *text, lido_kind kind, lido_value *value) {
    value->kind = text != NULL ? kind : LIDO_KIND_NULL;
    value->size = text != NULL ? strlen(text) : 0;
    value->as.text = text;
}

static void read_unsigned(uint64_t integer, lido_value *value) {
    *value = lido_value_uint64(integer);
}

static void read_signed(int64_t integer, lido_value *value) {
    value->kind = LIDO_KIND_INT64;
    value->as.integer = integer;
}

static void read_real(double real, lido_value *value) {
    value->kind = LIDO_KIND_DOUBLE;
    value->as.real = real;
}

void lido__convert_member(const void *member, lido_target_kind kind, lido_value *value) {
    switch (kind) {
    case LIDO_TARGET_BOOL:
        value->kind = LIDO_KIND_BOOL;
        value->as.boolean = *(const bool *)member;
        return;
    case LIDO_TARGET_SIGNED_CHAR:
        read_signed(*(const signed char *)member, value);
        return;
    case LIDO_TARGET_UNSIGNED_CHAR:
        read_signed(*(const unsigned char *)member, value);
        return;
    case LIDO_TARGET_SHORT:
        read_signed(*(const short *)member, value);
        return;
    case LIDO_TARGET_UNSIGNED_SHORT:
        read_signed(*(const unsigned short *)member, value);
        return;
    case LIDO_TARGET_INT:
        read_signed(*(const int *)member, value);
        return;
    case LIDO_TARGET_UNSIGNED:
        read_signed(*(const unsigned *)member, value);
        return;
    case LIDO_TARGET_LONG:
        read_signed(*(const long *)member, value);
        return;
    case LIDO_TARGET_UNSIGNED_LONG:
        read_unsigned(*(const unsigned long *)member, value);
        return;
    case LIDO_TARGET_LONG_LONG:
        read_signed(*(const long long *)member, value);
        return;
    case LIDO_TARGET_UNSIGNED_LONG_LONG:
        read_unsigned(*(const unsigned long long *)member, value);
        return;
    case LIDO_TARGET_FLOAT:
        read_real((double)*(const float *)member, value);
        return;
    case LIDO_TARGET_DOUBLE:
        read_real(*(const double *)member, value);
        return;
    case LIDO_TARGET_TEXT:
        read_text(*(const char *const *)member, LIDO_KIND_TEXT, value);
        return;
    case LIDO_TARGET_UUID:
        value->kind = LIDO_KIND_UUID;
        value->as.uuid = *(const lido_uuid *)member;
        return;
    case LIDO_TARGET_TIME:
        value->kind = LIDO_KIND_TIME;
        value->as.time = *(const lido_time *)member;
        return;
    case LIDO_TARGET_BYTES:
        *value = lido_value_bytes(*(const lido_bytes *)member);
        return;
    case LIDO_TARGET_JSON:
        read_text(((const lido_json *)member)->text, LIDO_KIND_JSON, value);
        return;
    case LIDO_TARGET_NUMERIC:
        read_text(((const lido_numeric *)member)->text, LIDO_KIND_NUMERIC, value);
        return;
    case LIDO_TARGET_VALUE:
        *value = *(const lido_value *)member;
        return;
    case LIDO_TARGET_NULLABLE: /* and what it was added to */
        break;
    }
    const void *pointed_to = *(const void *const *)member;
    value->kind = LIDO_KIND_NULL;
    if (pointed_to != NULL)
        lido__convert_member(pointed_to, lido__target_base(kind), value);
}
