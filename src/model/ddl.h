/* The SQL that makes and drops the tables of models. Nothing is run here. */
#ifndef LIDO_MODEL_DDL_H
#define LIDO_MODEL_DDL_H

#include <lido/schema.h>

#include "config/config.h"
#include "model/plan.h"

/* One statement, which makes a table or belongs to one. */
typedef struct lido__ddl_statement {
    const lido__plan *plan;
    const char *sql; /* as a program would write it: `?` and casts are not translated */
} lido__ddl_statement;

/* Models with their plans, in dependency order, and what makes their tables. All is the arena's. */
typedef struct lido__ddl {
    lido__database_type database;
    size_t count;
    const lido__plan **plans;
    size_t statement_count;
    lido__ddl_statement *statements;
    lido__arena *arena;
    lido_error *error;
} lido__ddl;

/* Fills in the plans, in dependency order. False: a model is refused, two models have one table, or memory ran out. */
bool lido__ddl_order(lido__ddl *ddl, size_t count, const lido_model *const *models);
/* Then: fills in the statements. False as well if two indexes would have the same name. */
bool lido__ddl_create(lido__ddl *ddl);

/* A table's columns with all that belongs to each alone, and its checks: what stands in the parentheses of CREATE
 * TABLE, without keys and references. */
void lido__ddl_columns(lido__buffer *sql, const lido__plan *plan, lido__database_type database);

/* A column's type: "bigint". */
const char *lido__ddl_type(const lido__column *column, lido__database_type database);

/* A statement as the database is told it, which must have no parameters. NULL: memory ran out,
 * or it cannot be, which *error tells. */
const char *lido__ddl_translate(lido__arena *arena, const char *sql, lido__database_type database, lido_error *error);

#endif
