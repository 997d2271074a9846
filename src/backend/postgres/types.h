/* PostgreSQL's types, by number, and how it counts time: for who reads or writes values in binary. */
#ifndef LIDO_BACKEND_POSTGRES_TYPES_H
#define LIDO_BACKEND_POSTGRES_TYPES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "backend/postgres/postgres.h"

/* pg_type.dat; these numbers never change. */
enum {
    TYPE_BOOL = 16,
    TYPE_BYTEA = 17,
    TYPE_CHAR = 18,
    TYPE_NAME = 19,
    TYPE_INT8 = 20,
    TYPE_INT2 = 21,
    TYPE_INT4 = 23,
    TYPE_TEXT = 25,
    TYPE_OID = 26,
    TYPE_JSON = 114,
    TYPE_FLOAT4 = 700,
    TYPE_FLOAT8 = 701,
    TYPE_UNKNOWN = 705,
    TYPE_BPCHAR = 1042,
    TYPE_VARCHAR = 1043,
    TYPE_DATE = 1082,
    TYPE_TIMESTAMP = 1114,
    TYPE_TIMESTAMPTZ = 1184,
    TYPE_NUMERIC = 1700,
    TYPE_VOID = 2278,
    TYPE_UUID = 2950,
    TYPE_JSONB = 3802
};

#define EPOCH_US (946684800 * INT64_C(1000000)) /* 2000-01-01, which PostgreSQL counts from */
#define DAY_US (86400 * INT64_C(1000000))

/* Numbers of the wire, which are big-endian. */
static inline uint16_t lido__postgres_read_16(const char *bytes) {
    uint16_t number;
    memcpy(&number, bytes, sizeof number);
    return be16toh(number);
}

static inline uint32_t lido__postgres_read_32(const char *bytes) {
    uint32_t number;
    memcpy(&number, bytes, sizeof number);
    return be32toh(number);
}

static inline uint64_t lido__postgres_read_64(const char *bytes) {
    uint64_t number;
    memcpy(&number, bytes, sizeof number);
    return be64toh(number);
}

#endif
