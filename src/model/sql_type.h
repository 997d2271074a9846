/* SQL types of columns, from the C types of members. */
#ifndef LIDO_MODEL_SQL_TYPE_H
#define LIDO_MODEL_SQL_TYPE_H

#include <lido/model.h>

#include "config/config.h"

/* The type of a column whose member is of that kind, nullable or not: "double precision"; NULL: no column has it. */
const char *lido__sql_type(lido_target_kind kind, lido__database_type database);

/* The same for a part, which may name its type itself. An identity column of SQLite must be "integer", whatever its
 * member is: that is lido__generated's matter, not this function's. */
const char *lido__part_sql_type(const lido_part *part, lido__database_type database);

/* Whether two names are of the same type, as PostgreSQL and SQLite name them: int4 and integer, varchar(20) and
 * CHARACTER VARYING(20). */
bool lido__sql_type_is_same(const char *one, const char *other);

#endif
