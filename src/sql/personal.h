/* Whether a statement that only reads has to do with what is its connection's own, on PostgreSQL: settings, locks, the
 * seed of random(), the process itself. */
#ifndef LIDO_SQL_PERSONAL_H
#define LIDO_SQL_PERSONAL_H

#include <stdbool.h>
#include <stddef.h>

/* Told by the names of the server's functions, wherever they stand in the text: one in a string or a comment counts,
 * too. What a function of the program's own does is not seen. */
bool lido__sql_is_personal(const char *text, size_t size);

#endif
