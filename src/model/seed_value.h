/* A value of a seed file as what its column is to hold. PostgreSQL reads texts by itself, and refuses what it cannot
 * read; SQLite would store anything, so lido looks at the column's declared type. */
#ifndef LIDO_MODEL_SEED_VALUE_H
#define LIDO_MODEL_SEED_VALUE_H

#include <lido/value.h>

/* Makes *value what a column declared so on SQLite should hold; `scratch` has LIDO__SEED_SCRATCH bytes for its text.
 * NULL, or what is wrong with it: "is not a whole number". */
enum { LIDO__SEED_SCRATCH = 64 };
const char *lido__seed_value_for_sqlite(const char *type, lido_value *value, char *scratch);

#endif
