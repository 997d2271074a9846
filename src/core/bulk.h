/* Inserting many rows, wherever they come from: what lido_insert_rows and its like have in common, and models use. */
#ifndef LIDO_CORE_BULK_H
#define LIDO_CORE_BULK_H

#include <lido/bulk.h>

#include "core/session.h"

/* Where rows come from; the first member of what knows the rest. */
typedef struct lido__row_source {
    /* Points *row to the next row's values; *why, if it fails and can tell, to the reason. */
    lido_supply (*fetch)(struct lido__row_source *source, const lido_value **row, const char **why);
    int64_t count; /* how many rows there are; -1: it will show */
    bool lasting;  /* a row's values stay where they are until the insert is over; else until the next is fetched */
    int64_t *keys; /* as lido__bulk has them, of as many rows as `count` says; or NULL */
    bool foreign;  /* `fetch` runs the program's code, which may take its time and must not use the session */
} lido__row_source;

/* Inserts all of them; lido/bulk.h says how. */
int64_t lido__insert(lido_session *session, const char *table, size_t column_count, const char *const *columns,
                     lido__row_source *source);
/* The caller has given something that cannot be inserted. Returns 0. */
int64_t lido__insert_refuse(lido_session *session, lido_category category, const char *format, ...) LIDO_FORMAT(3, 4);

#endif
