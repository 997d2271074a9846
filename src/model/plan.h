/* Plans: what is derived from a model once, and read by all who load, save, create or compare its table.
 *
 * A plan is made when a model is first used, stays as long as the process, and is read without a lock; nothing in it
 * changes. Read first lido__plan_of. Names are there as the database knows them (`name`) and as they stand in SQL
 * (`quoted`). */
#ifndef LIDO_MODEL_PLAN_H
#define LIDO_MODEL_PLAN_H

#include <lido/bulk.h>
#include <lido/model.h>

#include "base/memory.h"
#include "base/row_sink.h"

typedef enum lido__generated {
    LIDO__NOT_GENERATED = 0,
    LIDO__GENERATED_UUID,    /* by lido_uuid_new, if it is all zero */
    LIDO__GENERATED_IDENTITY /* by the database, if it is 0 */
} lido__generated;

typedef struct lido__column {
    const lido_part *part;
    const char *name;
    const char *quoted;
    lido_target_kind kind; /* of the member: lido__convert_member reads it, lido__convert_target writes it */
    size_t offset;         /* of the member, */
    size_t size;           /* and its bytes; of a nullable one, the pointer's */
    bool may_be_null;
    bool is_key;               /* it is the key, or a part of it */
    bool is_unique;            /* by itself: the whole key, `.unique`, or a LIDO_UNIQUE of its own */
    lido__generated generated; /* of the whole key only */
} lido__column;

typedef struct lido__reference {
    const lido__column *column;
    const lido_model *target; /* its plan may not be there yet: lido__plan_of */
    const char *target_name;  /* the column of the other table */
    const char *target_quoted;
    bool zero_is_none; /* no row has a key that is zero, or a NULL pointer: it is not given then */
} lido__reference;

/* Columns that are unique or have an index, alone or together; what is so by being the key is not among them. */
typedef struct lido__index {
    bool unique;
    size_t count;
    const lido__column *const *columns;
} lido__index;

typedef struct lido__plan lido__plan;

struct lido__plan {
    const lido_model *model;
    const char *table;  /* as it stands in SQL: "shop"."items" */
    const char *schema; /* shop; NULL: none is named */
    const char *schema_quoted;
    const char *table_name;   /* items */
    const char *table_quoted; /* "items", without schema */
    size_t column_count;
    const lido__column *columns; /* in the order of the model's parts */
    const lido_member *members;  /* the same for lido_insert_structs; its columns' names are quoted */
    size_t key_count;
    const lido__column *const *keys;
    const lido__column *version;   /* or NULL */
    const lido__column *generated; /* the key, if it is generated; or NULL */
    bool is_dense;                 /* the columns are all of the struct: nothing lies between or behind them */
    size_t reference_count;
    const lido__reference *references;
    size_t index_count;
    const lido__index *indexes;

    /* Pieces of SQL, the same on both databases. */
    const char *column_list; /* "items"."id", "items"."name": a tail may join tables with columns of the same names */
    const lido__column *const *listed; /* those columns: the key's come first, for they tell whether a row is wanted; */
    const lido__row_member *targets;   /* and where they go */
    const char *key_condition;         /* "id" = ?; with more columns AND between them */

    lido__arena memory; /* of all this */
    lido__plan *next;   /* in the table of plans */
};

/* The model's plan; NULL with *error set: misuse, the message naming model and column, or out of memory. A model that
 * is refused is looked at anew each time. Never waits; from any thread. */
const lido__plan *lido__plan_of(const lido_model *model, lido_error *error);

/* The column of that name, given as the database knows it, or as a program writes it in SQL (Name is name); NULL: there
 * is none. */
const lido__column *lido__plan_column(const lido__plan *plan, const char *name);
const lido__column *lido__plan_column_as_written(const lido__plan *plan, const char *name);

/* The reference that a column is, or NULL. */
const lido__reference *lido__plan_reference(const lido__plan *plan, const lido__column *column);

/* ---- plan_check.c, for plan.c ---- */

enum { LIDO__NAME_BYTES_MOST = 63 /* PostgreSQL cuts longer ones */, LIDO__INDEX_COLUMNS_MOST = 32 };

/* What is wrong with a column by itself, `key_count` columns being the key: "is part of the key, which cannot be NULL";
 * NULL: nothing. */
const char *lido__column_problem(const lido__column *column, size_t key_count);
/* Refuses what plan.c has made of the model, if it does not hold together: what is twice, and the key. */
bool lido__plan_check(const lido__plan *plan, lido_error *error);
/* Refuses a reference whose two ends do not fit. `target` is the part of the other model that it refers to. */
bool lido__reference_check(const lido__plan *plan, const lido__reference *reference, const lido_part *target,
                           lido_error *error);

#endif
