/* Rows: what a query returned, read one after another.
 *
 * Rows live until lido_rows_close or the end of the session, also beyond the transaction (a stream:
 * until the end of its transaction). Every function takes NULL, which a failed query returns, and then
 * finds nothing. Reading a value as something it is not makes the session fail: NULL read as an
 * integer, a text that is no number, a number too large for the C type. Nothing is cut or
 * rounded silently. All of them are for the session's own thread only; to another thread those that step or read values
 * find nothing, as with NULL. */
#ifndef LIDO_ROWS_H
#define LIDO_ROWS_H

#include <lido/session.h>
#include <lido/value.h>

LIDO_BEGIN_C

typedef struct lido_rows lido_rows;

/* Steps to the next row, the first one first. False when there is none left, or the session failed.
 * Waits only on a stream. Texts of a stream's row live until its next step. */
LIDO_API bool lido_next(lido_rows *rows);

/* Frees the rows now rather than with the session. NULL is allowed. On a stream: stops it, which may
 * wait while the server is told. */
LIDO_API void lido_rows_close(lido_rows *rows);

/* How many rows there are in all; -1 for a stream, 0 for NULL. Never waits. */
LIDO_API int64_t lido_row_count(const lido_rows *rows);

/* How many rows the statement changed; for a stream, once it was read to its end. Never waits. */
LIDO_API int64_t lido_affected(const lido_rows *rows);

/* How many columns; 0 for a statement that returns no rows. Never waits. */
LIDO_API size_t lido_column_count(const lido_rows *rows);

/* The name of column `index` (from 0); NULL if there is none. Belongs to the rows. Never waits. */
LIDO_API const char *lido_column_name(const lido_rows *rows, size_t index);

/* The index of the first column called `name`, exactly so. If there is none, the session fails and
 * SIZE_MAX is returned, which the functions below take and find nothing; so also if `name` is NULL. Never waits. */
LIDO_API size_t lido_column(lido_rows *rows, const char *name);

/* The value in column `index` of the current row, as the database gave it; NULL beyond the last
 * column or without a current row, and then the session fails. Never waits. */
LIDO_API lido_value lido_get(lido_rows *rows, size_t index);

/* True if that value is NULL. */
LIDO_API bool lido_is_null(lido_rows *rows, size_t index);

/* The same value as a C type: 0, false or an all-zero struct, and the session fails, if it is NULL or
 * does not fit. An integer may be read as a double if it is exact, a text as any type whose form it has.
 * Texts and blobs belong to the rows. Never wait. */
LIDO_API bool lido_get_bool(lido_rows *rows, size_t index);
LIDO_API int64_t lido_get_int64(lido_rows *rows, size_t index);
LIDO_API double lido_get_double(lido_rows *rows, size_t index);
LIDO_API lido_uuid lido_get_uuid(lido_rows *rows, size_t index);
LIDO_API lido_time lido_get_time(lido_rows *rows, size_t index);
/* NULL gives a NULL pointer, and nothing fails. Any value but a blob can be read as text. */
LIDO_API const char *lido_get_text(lido_rows *rows, size_t index);
/* NULL gives {NULL, 0}, and nothing fails. */
LIDO_API lido_bytes lido_get_blob(lido_rows *rows, size_t index);

/* Where lido_scan puts a value: the C type it points to, and the pointer. Made by LIDO_TARGET. */
typedef enum lido_target_kind {
    LIDO_TARGET_BOOL,
    LIDO_TARGET_SIGNED_CHAR, /* int8_t; plain char could be a letter, and is none */
    LIDO_TARGET_UNSIGNED_CHAR,
    LIDO_TARGET_SHORT,
    LIDO_TARGET_UNSIGNED_SHORT,
    LIDO_TARGET_INT,
    LIDO_TARGET_UNSIGNED,
    LIDO_TARGET_LONG,
    LIDO_TARGET_UNSIGNED_LONG,
    LIDO_TARGET_LONG_LONG,
    LIDO_TARGET_UNSIGNED_LONG_LONG,
    LIDO_TARGET_FLOAT,
    LIDO_TARGET_DOUBLE,
    LIDO_TARGET_TEXT,
    LIDO_TARGET_UUID,
    LIDO_TARGET_TIME,
    LIDO_TARGET_BYTES,
    LIDO_TARGET_JSON,
    LIDO_TARGET_NUMERIC,
    LIDO_TARGET_VALUE,
    /* Added to one of the above, up to LIDO_TARGET_DOUBLE, LIDO_TARGET_UUID or LIDO_TARGET_TIME: a pointer to a const
     * value of that type, const double *. NULL is a NULL pointer; any other value is put where the rows' texts are, and
     * lives as long as they do. */
    LIDO_TARGET_NULLABLE = 64
} lido_target_kind;

typedef struct lido_target {
    lido_target_kind kind;
    void *pointer;
} lido_target;

/* Reads the current row's columns, from the first, into `count` targets; what lido_scan calls. False, and
 * the session fails, if there are not exactly as many columns or a value does not fit its target. */
LIDO_API bool lido_scanv(lido_rows *rows, size_t count, const lido_target *targets);

LIDO_END_C

#endif
