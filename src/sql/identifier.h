/* Names of tables and columns that a program gives by themselves, put into SQL. */
#ifndef LIDO_SQL_IDENTIFIER_H
#define LIDO_SQL_IDENTIFIER_H

#include <stdbool.h>

#include "base/memory.h"

/* Reads `name` as SQL would (capitals fold to small letters, "Like This" in double quotes does not; all else is taken
 * as it is) and appends it in double quotes to `quoted`, so that it can be nothing but a name. `dotted`: it may be
 * several with dots between, shop.items. The last one goes to `bare`, emptied before, as the database knows it. NULL,
 * or why it is no name; whether memory ran out, the buffers say. */
const char *lido__identifier_quote(const char *name, bool dotted, lido__buffer *quoted, lido__buffer *bare);

/* Appends a name, given as the database knows it, in double quotes. */
void lido__identifier_append(lido__buffer *quoted, const char *bare, size_t size);

#endif
