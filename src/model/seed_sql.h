/* The statements that seeds are loaded with, from a plan. Names and types of the catalogue go into them, values never.
 *
 * A staging table has the rows of one source: lido_row, the row's number in the source, and c1, c2, … of the types of
 * the columns that they are for. Statements about a part of it have two parameters, the first row and the last. */
#ifndef LIDO_MODEL_SEED_SQL_H
#define LIDO_MODEL_SEED_SQL_H

#include "config/config.h"
#include "model/seed_plan.h"

/* The staging table's name, schema included: pg_temp.lido_seed_3_0a1b2c3d. */
void lido__seed_sql_staging(const lido__seed_plan *plan, lido__database_type type, lido__buffer *sql);
void lido__seed_sql_create_staging(const lido__seed_plan *plan, lido__database_type type, lido__buffer *sql);
/* Inserts those rows of a part that are not there yet; at each level only those whose references by name to the table
 * itself are. */
void lido__seed_sql_insert(const lido__seed_plan *plan, lido__database_type type, lido__buffer *sql);
/* Where columns wait, the staging table's lido_mark says what a row is. */
typedef enum lido__seed_mark {
    LIDO__SEED_UNMARKED,
    LIDO__SEED_NEW,     /* not there before */
    LIDO__SEED_CHANGED, /* there, but different in a column that does not wait */
    LIDO__SEED_ANY
} lido__seed_mark;
void lido__seed_sql_mark_new(const lido__seed_plan *plan, lido__database_type type, lido__buffer *sql);
/* Empty: there is no column that can differ. */
void lido__seed_sql_mark_changed(const lido__seed_plan *plan, lido__database_type type, lido__buffer *sql);
/* Updates those rows of a part that are there and marked so, in columns that wait or in the others, where they differ.
 * Empty: there is none to update. */
void lido__seed_sql_update(const lido__seed_plan *plan, lido__database_type type, bool waiting, lido__seed_mark mark,
                           lido__buffer *sql);
/* The first and the second of two rows with the same key, if there are such. */
void lido__seed_sql_find_duplicates(const lido__seed_plan *plan, lido__database_type type, lido__buffer *sql);
/* The first row whose reference by name is to nothing, and the values of its name as texts. */
void lido__seed_sql_find_missing(const lido__seed_plan *plan, lido__database_type type, const lido__seed_lookup *lookup,
                                 lido__buffer *sql);

/* Gives the places in the source that make up the lookup's name, nested ones too, to `places`; how many. */
size_t lido__seed_lookup_places(const lido__seed_lookup *lookup, size_t *places);

#endif
