/* What a table is like, as the database tells, or as it would be if its model made it: what lido_check_schema compares.
 *
 * Texts are as the database writes them, so that two shapes of one database can be compared; all are the arena's. */
#ifndef LIDO_MODEL_TABLE_SHAPE_H
#define LIDO_MODEL_TABLE_SHAPE_H

#include "core/session.h"
#include "model/plan.h"

typedef struct lido__shape_column {
    const char *name;
    const char *type;
    bool may_be_null;
    const char *generated; /* "ALWAYS" or "BY DEFAULT": it is the database's; or NULL */
    const char *fallback;  /* SQL of its default; or NULL */
} lido__shape_column;

/* Names; one may be NULL where an index has an expression. */
typedef struct lido__shape_names {
    size_t count;
    const char **names;
} lido__shape_names;

typedef struct lido__shape_index {
    int64_t number; /* tells one from the other while they are read */
    const char *name;
    bool unique;
    bool special; /* over a part of the rows, or over expressions, or not usable: no model's */
    lido__shape_names columns;
} lido__shape_index;

typedef struct lido__shape_reference {
    int64_t number;
    const char *target;
    const char *on_delete; /* "NO ACTION", "CASCADE" … */
    const char *on_update;
    lido__shape_names columns;
    lido__shape_names target_columns; /* a name that is NULL (SQLite): the key's */
} lido__shape_reference;

typedef struct lido__table_shape {
    bool is_there;
    bool is_table; /* and not a view, say */
    size_t column_count;
    lido__shape_column *columns;
    lido__shape_names key;
    size_t index_count;
    lido__shape_index *indexes; /* without the key's */
    size_t reference_count;
    lido__shape_reference *references;
    lido__shape_names checks; /* their SQL */
} lido__table_shape;

typedef struct lido__shape_reader {
    lido_session *session;
    lido__arena *arena;
} lido__shape_reader;

/* Both wait; if the session has failed afterwards, what they found means nothing. */

/* The table that is there. */
void lido__shape_read(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape);
/* The columns and checks that a table made by the model would have, in the model's order. */
void lido__shape_expect(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape);
/* How shapes call the table that a reference is to; NULL: it is not there. */
const char *lido__shape_target(lido__shape_reader *reader, const lido__plan *target);

/* ---- For the two that read ---- */

void lido__shape_read_postgres(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape);
void lido__shape_expect_postgres(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape);
void lido__shape_read_sqlite(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape);
void lido__shape_expect_sqlite(lido__shape_reader *reader, const lido__plan *plan, lido__table_shape *shape);

/* The text in a column of the current row, kept; NULL for NULL. */
const char *lido__shape_text(lido__shape_reader *reader, lido_rows *rows, size_t column);
/* One more element of `size` bytes, all zero, behind `*count` of them; NULL: no memory, the session has failed. */
void *lido__shape_add(lido__shape_reader *reader, void *array_pointer, size_t *count, size_t size);
void lido__shape_add_name(lido__shape_reader *reader, lido__shape_names *names, const char *name);
/* The index or reference of that number, added if the last one is another; NULL: no memory. */
lido__shape_index *lido__shape_index_of(lido__shape_reader *reader, lido__table_shape *shape, int64_t number);
lido__shape_reference *lido__shape_reference_of(lido__shape_reader *reader, lido__table_shape *shape, int64_t number);
void lido__shape_out_of_memory(lido__shape_reader *reader);

#endif
