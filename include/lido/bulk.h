/* Bulk: many rows into one table by one call, in the fastest way that the database has: binary COPY on PostgreSQL,
 * one statement prepared once on SQLite.
 *
 * * All rows go in or none: within the session's transaction, in which the call is like a statement; in autocommit
 * mode the call is a transaction of its own. Values become columns as those of lido_exec do. An error says which row
 * it befell (`row` of lido_error), if the database tells: PostgreSQL does not for a missing reference among many
 * rows, nor for a deferred constraint, which fails at the commit.
 *
 * * `table` and column names are as in SQL: items, shop.items; capitals fold to small letters, "Like This" in double
 * quotes does not. They go to the database quoted, so that a name such as order is good, and none can be more than a
 * name.
 *
 * * The functions wait for the database, until the session's statement timeout, counted for the whole call; they need
 * memory for one row and some 100 KiB. They are for the session's own thread or task. Each returns how many rows it
 * gave to the database; 0 if it failed, and then the session has. No rows are no error, and nothing is asked of the
 * database. */
#ifndef LIDO_BULK_H
#define LIDO_BULK_H

#include <lido/arguments.h>
#include <lido/session.h>
#include <lido/value.h>

LIDO_BEGIN_C

/* Inserts `row_count` rows: `values` holds the first row's values, one for each column, then the second's, and so on.
 * Names of values are not looked at. */
LIDO_API int64_t lido_insert_rows(lido_session *session, const char *table, size_t column_count,
                                  const char *const *columns, size_t row_count, const lido_value *values);

/* What a source of rows says. */
typedef enum lido_supply {
    LIDO_ROWS_FAILED = -1, /* it cannot go on: nothing is inserted, and the session fails */
    LIDO_ROWS_END = 0,     /* there is no row left */
    LIDO_ROWS_MORE = 1     /* a row's values are in place */
} lido_supply;

/* Gives the next row: sets the values, one for each column. They are as the last call left them, NULL before the
 * first. Texts and blobs must live until the next call. When it fails, *why may be set to a text that says why, which
 * is copied at once. It may do what it likes, also with other sessions, but not with the one that inserts, whose
 * calls are refused meanwhile; and it must return. Runs in the thread or task that inserts. */
typedef lido_supply lido_row_source(void *argument, lido_value *row, const char **why);

/* Inserts the rows that `source` gives until it has no more. */
LIDO_API int64_t lido_insert_from(lido_session *session, const char *table, size_t column_count,
                                  const char *const *columns, lido_row_source *source, void *argument);

/* A member of a struct, and the column that it goes into. */
typedef struct lido_member {
    const char *column;
    lido_target_kind kind; /* the member's C type: LIDO_TARGET_INT for an int */
    size_t offset;         /* in bytes from the struct's beginning */
} lido_member;

/* Inserts `row_count` structs of `struct_size` bytes that lie one behind the other. A NULL pointer as text, json or
 * numeric, and lido_bytes of {NULL, n > 0}, are NULL; what else may be NULL
 * is a pointer to a const value, const double *, or a lido_value. */
LIDO_API int64_t lido_insert_structs(lido_session *session, const char *table, size_t member_count,
                                     const lido_member *members, size_t row_count, const void *structs,
                                     size_t struct_size);

LIDO_END_C

/* A lido_member: LIDO_MEMBER(struct item, price) goes into the column price, LIDO_MEMBER_AS(struct item, price, "cost")
 * into cost. */
#define LIDO_MEMBER(type, member) LIDO_MEMBER_AS(type, member, #member)
#define LIDO_MEMBER_AS(type, member, column) \
    { column, (lido_target_kind)(LIDO_TARGET_KIND(&((type *)NULL)->member)), offsetof(type, member) }

#endif
