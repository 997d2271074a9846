/* Reading a value as a C type, and numbers and texts as each other, exactly or not at all. */
#ifndef LIDO_BASE_CONVERT_H
#define LIDO_BASE_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lido/rows.h>
#include <lido/value.h>

#include "base/memory.h"

/* Why a value cannot be read, if that is for want of memory: this very text. */
extern const char lido__convert_no_memory[];

/* Each reads `value` as that type and returns NULL, or a static text that says why it cannot be ("is NULL",
 * "is out of the range of int", "is not a number"), with *out set to zero. Nothing is cut, and nothing is rounded but
 * a decimal text or numeric, which becomes the nearest double: an int64 becomes a double only if exact, a double, text
 * or numeric an integer only if it is whole and in range. A text becomes what it has the form of (surrounding blanks
 * not allowed), a bool the integer 0 or 1 and back, a blob of 16 bytes a uuid. */
const char *lido__convert_bool(const lido_value *value, bool *out);
const char *lido__convert_int64(const lido_value *value, int64_t *out);
const char *lido__convert_uint64(const lido_value *value, uint64_t *out);
const char *lido__convert_double(const lido_value *value, double *out);
const char *lido__convert_uuid(const lido_value *value, lido_uuid *out);
const char *lido__convert_time(const lido_value *value, lido_time *out);
/* NULL gives a NULL text. Texts that are in the value already must end in NUL, as those of rows do, and go out as they
 * are; one with a NUL inside is refused, for C would see it cut. The others are made in the arena: bool "true"/"false",
 * doubles with the fewest digits that read back the same, uuid and time as their format functions write them. A blob
 * cannot be text. */
const char *lido__convert_text(const lido_value *value, lido__arena *arena, const char **out);
/* A blob, or a text, json or numeric as its bytes, which stay where they are; NULL gives {NULL, 0}. */
const char *lido__convert_bytes(const lido_value *value, lido_bytes *out);

/* Puts `value` where `target` points, texts as above, NULL as a NULL text or no bytes. NULL, or why not. A double
 * becomes a float only if exact; a text becomes json unread, and a numeric if it is a decimal number. */
const char *lido__convert_target(const lido_value *value, lido__arena *arena, const lido_target *target);

/* What a nullable kind was made of; any other kind is its own base. */
static inline lido_target_kind lido__target_base(lido_target_kind kind) {
    return (lido_target_kind)((unsigned)kind & ~(unsigned)LIDO_TARGET_NULLABLE);
}

static inline bool lido__target_is_nullable(lido_target_kind kind) {
    return ((unsigned)kind & LIDO_TARGET_NULLABLE) != 0;
}

/* Whether there is a nullable kind of it. The others may be NULL by themselves. */
static inline bool lido__target_may_be_nullable(lido_target_kind base) {
    return base <= LIDO_TARGET_DOUBLE || base == LIDO_TARGET_UUID || base == LIDO_TARGET_TIME;
}

/* Bytes of a variable of that kind: of the pointer, for a nullable one. 0: there is no such kind. */
size_t lido__target_size(lido_target_kind kind);

/* Reads the variable of that kind at `member`. Sets no more of the value than counts: the rest is as it was made, from
 * lido_value_null or by an earlier call. Texts and blobs stay where they are; a NULL pointer gives NULL. */
void lido__convert_member(const void *member, lido_target_kind kind, lido_value *value);

enum { LIDO__DOUBLE_TEXT_SIZE = 32 };
/* The shortest decimal that reads back as the same double; "NaN", "Infinity", "-Infinity" as PostgreSQL writes them.
 * `text` has LIDO__DOUBLE_TEXT_SIZE bytes; returns the length. Does not depend on the locale. */
size_t lido__double_format(double real, char *text);
/* The whole of `text` as the nearest double, locale-independent; false if it is not one. What would become infinity
 * or, without being zero, zero is not one. */
bool lido__double_parse(const char *text, size_t size, double *real);
/* The whole of `text` as an integer: digits, perhaps after "-". False, with *integer untouched, if it is not one. */
bool lido__int64_parse(const char *text, size_t size, int64_t *integer);
size_t lido__int64_format(int64_t integer, char text[21]);

/* lido_uuid_new, of 16 random bytes that are used for nothing else. */
lido_uuid lido__uuid_from(const void *random);

/* lido_uuid_parse and lido_time_parse for text that need not end in NUL. */
bool lido__uuid_parse(const char *text, size_t size, lido_uuid *uuid);
bool lido__time_parse(const char *text, size_t size, lido_time *time);

/* Whether the bytes are UTF-8 (RFC 3629: no surrogates, no overlong forms). Fast on ASCII. */
bool lido__utf8_valid(const char *text, size_t size);
/* Kinds of values that have `size` bytes somewhere else; and kinds of which every value is one that can be sent. */
static inline bool lido__kind_has_bytes(lido_kind kind) {
    const unsigned kinds = 1U << LIDO_KIND_TEXT | 1U << LIDO_KIND_BLOB | 1U << LIDO_KIND_JSON | 1U << LIDO_KIND_NUMERIC;
    return (unsigned)kind <= LIDO_KIND_INVALID && (kinds >> kind & 1) != 0;
}

static inline bool lido__kind_is_plain(lido_kind kind) {
    const unsigned kinds = 1U << LIDO_KIND_NULL | 1U << LIDO_KIND_BOOL | 1U << LIDO_KIND_INT64 |
                           1U << LIDO_KIND_DOUBLE | 1U << LIDO_KIND_UUID | 1U << LIDO_KIND_TIME;
    return (unsigned)kind <= LIDO_KIND_INVALID && (kinds >> kind & 1) != 0;
}

/* Copies of values, with what they point to; NULL if memory ran out. What is copied must be fit to be sent. */
lido_value *lido__values_copy(lido__arena *arena, size_t count, const lido_value *values);
/* What is wrong with a text, json or numeric that is to go into a database, SQLite or another: "a text that is not
 * UTF-8; pass it as a blob". NULL: nothing. */
const char *lido__text_problem(const lido_value *value, bool sqlite);
/* The largest length <= `size` that does not cut a UTF-8 character of `text`; looks at no byte beyond `size`. */
size_t lido__utf8_cut(const char *text, size_t size);

#endif
