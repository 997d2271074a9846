/* The different :names of one statement, numbered from 1 in the order they first appear. */
#ifndef LIDO_SQL_NAMES_H
#define LIDO_SQL_NAMES_H

#include <stddef.h>
#include <stdint.h>

typedef struct lido__name {
    const char *text; /* somebody else's; not terminated */
    size_t size;
} lido__name;

typedef struct lido__names {
    lido__name *list;
    size_t count;
    size_t capacity; /* of the list, a power of two; there are twice as many slots */
    uint32_t *slots; /* hash table of numbers, 0 where free */
} lido__names;

#define LIDO__NAMES_INIT \
    { NULL, 0, 0, NULL }

void lido__names_done(lido__names *names);
/* The number of a name, which is a new one if it was not there; 0 if memory ran out. The text must outlive `names`. */
size_t lido__names_number(lido__names *names, const char *text, size_t size);

#endif
