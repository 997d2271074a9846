/* Regular expressions of one SQLite connection: compiled once, kept by text, and searched with in bounded time.
 *
 * A search runs in two gears. The first is compiled without anything that could slow it down, may take a few thousand
 * steps from each place of the text, and goes through the text in windows, so that the deadline can be looked at
 * between two. What needs more steps than that is searched again in the second gear, which calls back before each
 * element of the pattern: the callbacks are counted, and every few of them look at the deadline.
 *
 * Used by one holder at a time, like the connection it belongs to. */
#ifndef LIDO_BACKEND_SQLITE_PATTERN_H
#define LIDO_BACKEND_SQLITE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Flags of a pattern, as PostgreSQL's letters have them. */
enum {
    LIDO__PATTERN_CASELESS = 1 << 0,    /* i */
    LIDO__PATTERN_EXTENDED = 1 << 1,    /* x: blanks and comments in it mean nothing */
    LIDO__PATTERN_LITERAL = 1 << 2,     /* q: it is no pattern but a text */
    LIDO__PATTERN_LINES = 1 << 3,       /* w, n: ^ and $ match at line breaks, too */
    LIDO__PATTERN_DOT_IN_LINE = 1 << 4, /* p, n: a dot does not match a line break */
};

typedef struct lido__pattern lido__pattern;
typedef struct lido__patterns lido__patterns;

typedef enum lido__search {
    LIDO__SEARCH_FOUND,
    LIDO__SEARCH_NOTHING,
    LIDO__SEARCH_TOO_LONG, /* it took too many steps */
    LIDO__SEARCH_TOO_DEEP, /* it took too much memory */
    LIDO__SEARCH_STOPPED,  /* must_stop said so */
    LIDO__SEARCH_NO_MEMORY
} lido__search;

/* `must_stop` is asked now and then while a search runs; it may be called in vain and must not wait. NULL if memory ran
 * out. */
lido__patterns *lido__patterns_new(bool (*must_stop)(void *argument), void *argument);
/* Patterns that are still held live on until they are released. */
void lido__patterns_free(lido__patterns *patterns);

/* The compiled pattern, held for the caller; NULL if memory ran out. It may be invalid. */
lido__pattern *lido__pattern_hold(lido__patterns *patterns, const char *text, size_t size, unsigned flags);
void lido__pattern_release(lido__pattern *pattern);

/* Why it is no regular expression, and where (in bytes from its start); false if it is one. */
bool lido__pattern_is_invalid(const lido__pattern *pattern, char *why, size_t why_size, size_t *where);
size_t lido__pattern_groups(const lido__pattern *pattern);

/* Looks for a valid pattern in a text that is UTF-8. */
lido__search lido__pattern_search(lido__patterns *patterns, lido__pattern *pattern, const char *text, size_t size);

/* The same from a place on, which must not lie within a character; tells in `*places` where what was found and its
 * groups begin and end: places[2 * group] and the next, SIZE_MAX where a group took no part. They live until the next
 * search with this pattern. */
lido__search lido__pattern_find(lido__patterns *patterns, lido__pattern *pattern, const char *text, size_t size,
                                size_t from, const size_t **places);

#endif
