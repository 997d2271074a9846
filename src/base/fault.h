/* Filling in a lido_error, for every floor. The first error sticks: setting one that is set does nothing. */
#ifndef LIDO_BASE_FAULT_H
#define LIDO_BASE_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lido/error.h>

/* Of a function that is called where something went wrong: the compiler takes the way there for the rare one, and puts
 * it out of the way of the common one. A statement has some hundred such ways. */
#define LIDO__COLD __attribute__((cold))

void lido__fault_clear(lido_error *error);

/* Sets status LIDO_ERROR, the category and the message, unless an error is there already; NULL is allowed.
 * Returns false always, so that a caller can write `return lido__fault(…)`. */
bool lido__fault(lido_error *error, lido_category category, const char *format, ...) LIDO_FORMAT(3, 4) LIDO__COLD;

/* The same for memory that ran out while doing `what`: "reading the URL". */
bool lido__fault_memory(lido_error *error, const char *what) LIDO__COLD;

/* What to do next; kept if one is there. */
void lido__fault_hint(lido_error *error, const char *format, ...) LIDO_FORMAT(2, 3) LIDO__COLD;

/* What was being done; kept if it is there. */
void lido__fault_doing(lido_error *error, const char *doing);

/* Copies `text` (NULL: nothing) into a field of `size` bytes. Where it does not fit it is cut on a UTF-8 boundary and
 * ends in "…", as messages and hints do. */
void lido__fault_field(char *field, size_t size, const char *text);

/* Which of many rows was refused, from 1, with which the message then begins. Does nothing for 0, if a row is told
 * already, and for an error that is of no row, such as a lost connection. */
void lido__fault_row(lido_error *error, int64_t row);

/* The category that a SQLSTATE stands for (ISO 9075 and PostgreSQL's appendix A). 57014 is CANCELLED: a caller whose
 * own deadline passed makes it TIMEOUT. */
lido_category lido__category_of_sqlstate(const char *sqlstate);

/* Whether running the transaction again may help. */
bool lido__category_retryable(lido_category category);

#endif
