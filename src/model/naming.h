/* Names of constraints and indexes: the same on both databases, so that an error's `constraint` tells the same, and as
 * PostgreSQL would choose them as long as they fit. */
#ifndef LIDO_MODEL_NAMING_H
#define LIDO_MODEL_NAMING_H

#include "model/plan.h"

/* Appends "items_owner_id_name_key" to `name`: the table, the columns, and what it is: "pkey" (of no columns), "key",
 * "idx", "check", "allowed" or "fkey". What is longer than LIDO__NAME_BYTES_MOST is cut and ends in a hash of the whole
 * name and what it is: "items_a_very_long_…_4f1c22ab_key". */
void lido__name_constraint(lido__buffer *name, const lido__plan *plan, size_t count, const lido__column *const *columns,
                           const char *what);

#endif
