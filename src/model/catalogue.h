/* What the database itself says of its tables: columns, keys, references. So seeds need no models.
 *
 * A catalogue reads a table when it is first asked for it, with the session's statements, and remembers it; it is for
 * one transaction. All texts are its arena's. */
#ifndef LIDO_MODEL_CATALOGUE_H
#define LIDO_MODEL_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/memory.h"
#include "core/session.h"

typedef struct lido__catalogue_column {
    const char *name;
    const char *quoted;
    const char *type;     /* PostgreSQL: as in a cast, "character varying(20)"; SQLite: as declared, perhaps "" */
    bool nullable;        /* NULL is taken */
    bool has_default;     /* it gets a value by itself */
    bool computed;        /* it always does: GENERATED ALWAYS AS (…) */
    bool incomparable;    /* its type has no equality: json, xml, the geometric ones */
    const char *sequence; /* PostgreSQL: quoted name of the one that gives it numbers; NULL: none */
} lido__catalogue_column;

/* Columns by which at most one row is found; numbers are places in the table's `columns`. */
typedef struct lido__catalogue_key {
    bool primary;
    size_t count;
    size_t *columns;
} lido__catalogue_key;

typedef struct lido__catalogue_reference {
    const char *target; /* the other table, as the catalogue identifies it */
    size_t count;
    size_t *columns;
    const char **target_columns; /* names; NULL (SQLite): the primary key's */
} lido__catalogue_reference;

typedef struct lido__catalogue_table {
    struct lido__catalogue_table *next;
    const char *identity; /* which table it is, whatever it was called */
    const char *name;     /* for people */
    const char *quoted;   /* for SQL, with its schema */
    size_t column_count;
    lido__catalogue_column *columns;
    size_t key_count;
    lido__catalogue_key *keys; /* the primary one first */
    size_t reference_count;
    lido__catalogue_reference *references;
} lido__catalogue_table;

typedef struct lido__catalogue {
    lido_session *session;
    lido__arena *arena;
    lido__catalogue_table *tables;
} lido__catalogue;

/* The table of that name, "items" or "shop.items": spelled exactly so, else in small letters (SQLite: in any case of
 * letters). NULL: there is none, or it is a view (*is_view), or the session failed. Waits. */
const lido__catalogue_table *lido__catalogue_find(lido__catalogue *catalogue, const char *name, bool *is_view);

/* The table that a reference is to; NULL: the session failed. Waits. */
const lido__catalogue_table *lido__catalogue_target(lido__catalogue *catalogue,
                                                    const lido__catalogue_reference *reference);

/* The place of the column of that name, in any case of ASCII letters if none is spelled so and one is alike; SIZE_MAX:
 * none. */
size_t lido__catalogue_column_find(const lido__catalogue_table *table, const char *name);

/* The reference that has this one column and no other; NULL: none. */
const lido__catalogue_reference *lido__catalogue_reference_of(const lido__catalogue_table *table, size_t column);

#endif
