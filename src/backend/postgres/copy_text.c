/* Values in COPY's text form: as lido_exec would send them, with what would end a value or a row escaped. */
#include <string.h>

#include "backend/postgres/copy.h"
#include "base/convert.h"

static char *write_escaped(char *at, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        char letter = text[i];
        if (letter == '\n' || letter == '\r' || letter == '\t' || letter == '\\') {
            *at++ = '\\';
            letter = letter == '\n' ? 'n' : letter == '\r' ? 'r' : letter == '\t' ? 't' : letter;
        }
        *at++ = letter;
    }
    return at;
}

/* The backslash of bytea's hexadecimal form is escaped, too. */
static char *write_hexadecimal(char *at, const unsigned char *bytes, size_t size) {
    static const char digits[] = "0123456789abcdef";
    memcpy(at, "\\\\x", 3);
    at += 3;
    for (size_t i = 0; i < size; i++) {
        *at++ = digits[bytes[i] >> 4];
        *at++ = digits[bytes[i] & 15];
    }
    return at;
}

/* Bytes go into a text as they are, if that is what they are. */
static bool takes_bytes_as_text(Oid type) {
    return type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_BPCHAR || type == TYPE_JSON;
}

char *lido__postgres_write_text(char *at, Oid type, const lido_value *value) {
    switch (value->kind) {
    case LIDO_KIND_BOOL:
        strcpy(at, value->as.boolean ? "true" : "false");
        return at + strlen(at);
    case LIDO_KIND_INT64:
        return at + lido__int64_format(value->as.integer, at);
    case LIDO_KIND_DOUBLE:
        return at + lido__double_format(value->as.real, at);
    case LIDO_KIND_UUID:
        lido_uuid_format(value->as.uuid, at);
        return at + 36;
    case LIDO_KIND_TIME:
        return at + lido__postgres_time_text(value->as.time, at);
    case LIDO_KIND_TEXT:
    case LIDO_KIND_JSON:
    case LIDO_KIND_NUMERIC:
        return write_escaped(at, value->as.text, value->size);
    case LIDO_KIND_BLOB:
        return takes_bytes_as_text(type) ? write_escaped(at, value->as.text, value->size)
                                         : write_hexadecimal(at, value->as.blob, value->size);
    case LIDO_KIND_NULL:
    case LIDO_KIND_INVALID:
        break;
    }
    memcpy(at, "\\N", 2);
    return at + 2;
}
