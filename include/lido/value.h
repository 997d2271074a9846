/* Values: what goes into a statement as a parameter and comes out of a row.
 *
 * A lido_value borrows its text or blob. As a parameter it must live until the call returns
 * (lido_send copies). Out of a row it lives until the rows are closed or the session ends. */
#ifndef LIDO_VALUE_H
#define LIDO_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <lido/export.h>

LIDO_BEGIN_C

typedef enum lido_kind {
    LIDO_KIND_NULL = 0,
    LIDO_KIND_BOOL,
    LIDO_KIND_INT64,
    LIDO_KIND_DOUBLE,
    LIDO_KIND_TEXT, /* UTF-8, no NUL inside */
    LIDO_KIND_BLOB,
    LIDO_KIND_UUID,
    LIDO_KIND_TIME,
    LIDO_KIND_JSON,    /* as text */
    LIDO_KIND_NUMERIC, /* an exact decimal as text: "-12.50" */
    LIDO_KIND_INVALID  /* a C value no database can hold; a statement refuses it, saying `as.text` */
} lido_kind;

/* RFC 9562. `uuid` on PostgreSQL, 36 characters of text on SQLite. */
typedef struct lido_uuid {
    uint8_t bytes[16];
} lido_uuid;

/* A moment: microseconds since 1970-01-01 00:00:00 UTC. `timestamptz` on PostgreSQL,
 * "YYYY-MM-DD HH:MM:SS.ffffff" in UTC on SQLite, which sorts and which SQLite's date functions read. */
typedef struct lido_time {
    int64_t microseconds;
} lido_time;

/* Bytes that somebody else owns. */
typedef struct lido_bytes {
    const void *data;
    size_t size; /* in bytes */
} lido_bytes;

/* JSON text that somebody else owns. */
typedef struct lido_json {
    const char *text;
} lido_json;

/* An exact decimal number as text that somebody else owns. */
typedef struct lido_numeric {
    const char *text;
} lido_numeric;

typedef struct lido_value {
    lido_kind kind;
    const char *name; /* which :name it is for; NULL: by position */
    size_t size;      /* bytes of text, blob, json or numeric, terminator not counted */
    union {
        bool boolean;
        int64_t integer;
        double real;
        const char *text; /* text, json, numeric: terminated by a NUL that `size` does not count */
        const void *blob;
        lido_uuid uuid;
        lido_time time;
    } as;
} lido_value;

/* Makers. None waits, allocates or fails; all are safe from anywhere. LIDO_VALUE in arguments.h picks
 * among them by the argument's type. A NULL pointer gives NULL. */
static inline lido_value lido_value_null(void) {
    lido_value value;
    memset(&value, 0, sizeof value);
    return value;
}

static inline lido_value lido_value_bool(bool boolean) {
    lido_value value = lido_value_null();
    value.kind = LIDO_KIND_BOOL;
    value.as.boolean = boolean;
    return value;
}

static inline lido_value lido_value_int64(int64_t integer) {
    lido_value value = lido_value_null();
    value.kind = LIDO_KIND_INT64;
    value.as.integer = integer;
    return value;
}

static inline lido_value lido_value_uint64(uint64_t integer) {
    lido_value value = lido_value_int64(0);
    memcpy(&value.as.integer, &integer, sizeof integer); /* a cast of C's is a warning in C++ */
    if (integer > INT64_MAX) {
        value.kind = LIDO_KIND_INVALID;
        value.as.text = "an unsigned integer above 9223372036854775807 fits no SQL integer";
    }
    return value;
}

static inline lido_value lido_value_double(double real) {
    lido_value value = lido_value_null();
    value.kind = LIDO_KIND_DOUBLE;
    value.as.real = real;
    return value;
}

/* Text of `size` bytes; it need not end in NUL. */
static inline lido_value lido_value_text_sized(const char *text, size_t size) {
    lido_value value = lido_value_null();
    if (text != NULL) {
        value.kind = LIDO_KIND_TEXT;
        value.size = size;
        value.as.text = text;
    }
    return value;
}

static inline lido_value lido_value_text(const char *text) {
    return lido_value_text_sized(text, text != NULL ? strlen(text) : 0);
}

/* A pointer to nothing but NULL: a blob needs its size, so any other untyped pointer is refused. */
static inline lido_value lido_value_pointer(const void *pointer) {
    lido_value value = lido_value_null();
    if (pointer != NULL) {
        value.kind = LIDO_KIND_INVALID;
        value.as.text = "a void pointer says neither type nor size; pass lido_bytes for a blob";
    }
    return value;
}

static inline lido_value lido_value_bytes(lido_bytes bytes) {
    lido_value value = lido_value_null();
    if (bytes.data != NULL || bytes.size == 0) {
        value.kind = LIDO_KIND_BLOB;
        value.size = bytes.size;
        value.as.blob = bytes.data != NULL ? bytes.data : "";
    }
    return value;
}

static inline lido_value lido_value_uuid(lido_uuid uuid) {
    lido_value value = lido_value_null();
    value.kind = LIDO_KIND_UUID;
    value.as.uuid = uuid;
    return value;
}

static inline lido_value lido_value_time(lido_time time) {
    lido_value value = lido_value_null();
    value.kind = LIDO_KIND_TIME;
    value.as.time = time;
    return value;
}

static inline lido_value lido_value_json(lido_json json) {
    lido_value value = lido_value_text(json.text);
    if (value.kind == LIDO_KIND_TEXT)
        value.kind = LIDO_KIND_JSON;
    return value;
}

static inline lido_value lido_value_numeric(lido_numeric numeric) {
    lido_value value = lido_value_text(numeric.text);
    if (value.kind == LIDO_KIND_TEXT)
        value.kind = LIDO_KIND_NUMERIC;
    return value;
}

static inline lido_value lido_value_itself(lido_value value) {
    return value;
}

static inline lido_value lido_value_named(const char *name, lido_value value) {
    value.name = name;
    return value;
}

/* Blob of `size` bytes: lido_exec(db, sql, lido_blob(data, size)). */
static inline lido_bytes lido_blob(const void *data, size_t size) {
    lido_bytes bytes;
    bytes.data = data;
    bytes.size = size;
    return bytes;
}

/* The kind's name, "text"; static. Never waits; safe from anywhere. */
LIDO_API const char *lido_kind_name(lido_kind kind);

/* A new identifier: RFC 9562 version 7, so that keys made one after another lie side by side in an
 * index. Does not wait once the system's random source is up; safe from anywhere. */
LIDO_API lido_uuid lido_uuid_new(void);

/* A new identifier that tells nothing, not even when it was made: RFC 9562 version 4. As above. */
LIDO_API lido_uuid lido_uuid_random(void);

/* Writes "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" and a NUL: 37 bytes. Never waits; safe from anywhere. */
LIDO_API void lido_uuid_format(lido_uuid uuid, char text[37]);

/* Reads the form above, upper or lower case, braces allowed, hyphens optional, as PostgreSQL does.
 * False, with *uuid untouched, for anything else, NULL included. Never waits; safe from anywhere. */
LIDO_API bool lido_uuid_parse(const char *text, lido_uuid *uuid);

/* Now, from the system's real-time clock. Never waits; safe from anywhere. */
LIDO_API lido_time lido_time_now(void);

/* Writes "YYYY-MM-DD HH:MM:SS.ffffff" in UTC (ISO 8601 with a space), "-" before years below 0, years above 9999 with
 * all their digits; with a NUL at most 40 bytes. Never waits; safe from anywhere. */
LIDO_API void lido_time_format(lido_time time, char text[40]);

/* Reads ISO 8601: a date, then optionally "T" or a space and a time of day with up to 9 digits of
 * fraction (cut to microseconds), then optionally "Z" or an offset. No offset means UTC. False,
 * with *time untouched, for anything else, NULL included. Never waits; safe from anywhere. */
LIDO_API bool lido_time_parse(const char *text, lido_time *time);

LIDO_END_C

#endif
