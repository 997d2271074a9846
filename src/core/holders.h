/* Who holds connections, written down where other processes read it: a board of those who have theirs longest, kept up
 * by the pool's keeper, in memory without a pointer. */
#ifndef LIDO_CORE_HOLDERS_H
#define LIDO_CORE_HOLDERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { LIDO__HOLDERS_MOST = 8, LIDO__HOLDER_FILE = 64, LIDO__HOLDER_STATEMENT = 208 };

/* A multiple of eight bytes, for it is copied by words. */
typedef struct lido__holder_entry {
    int64_t held_us; /* when it was written down */
    int64_t line;
    char file[LIDO__HOLDER_FILE];           /* the end of its name */
    char statement[LIDO__HOLDER_STATEMENT]; /* what ran last, without values; "": nothing did */
} lido__holder_entry;

/* The oldest first. */
typedef struct lido__holders {
    size_t count;
    lido__holder_entry of[LIDO__HOLDERS_MOST];
} lido__holders;

enum { LIDO__HOLDER_WORDS = sizeof(lido__holder_entry) / sizeof(uint64_t) };

_Static_assert(sizeof(lido__holder_entry) == LIDO__HOLDER_WORDS * sizeof(uint64_t), "whole words");

/* All zero at the start. `turn` is odd while somebody writes; who reads it before and after, and finds it the same and
 * even, has read what belongs together. */
typedef struct lido__holder_board {
    atomic_uint_fast64_t turn;
    atomic_uint_fast64_t count;
    atomic_uint_fast64_t words[LIDO__HOLDERS_MOST][LIDO__HOLDER_WORDS];
} lido__holder_board;

/* Puts the texts in, as much as there is room for; `statement` is a normal text (sql/fingerprint.h). */
void lido__holder_describe(lido__holder_entry *holder, const char *file, const char *statement);
/* Puts one into its place, and the newest out where there are too many. */
void lido__holders_add(lido__holders *holders, const lido__holder_entry *holder);

/* By any thread of the process whose connections they are; of two at once, one leaves it to the other. */
void lido__holder_board_write(lido__holder_board *board, const lido__holders *holders);
/* Adds what is there now; nothing, if it is written each time that it is looked at. */
void lido__holder_board_read(const lido__holder_board *board, lido__holders *holders);
/* By one who knows that nobody writes any more, not even half. */
void lido__holder_board_clear(lido__holder_board *board);

#endif
