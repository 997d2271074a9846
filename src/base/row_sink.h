/* Row sinks: rows straight into structs, without a lido_value for each cell on the way.
 *
 * Who wants rows says which member each column is for; who has them puts what already has the member's type there
 * itself, and gives everything else to lido__row_sink_take. So both have one meaning, and neither knows the other. */
#ifndef LIDO_BASE_ROW_SINK_H
#define LIDO_BASE_ROW_SINK_H

#include <limits.h>
#include <string.h>

#include "base/convert.h"

/* The member that a column of the rows is for. */
typedef struct lido__row_member {
    lido_target_kind kind;
    bool may_be_null;
    size_t offset;
} lido__row_member;

typedef enum lido__row_wish { LIDO__ROW_WANTED, LIDO__ROW_SKIPPED, LIDO__ROW_REFUSED } lido__row_wish;

/* Its functions are called by the task or thread that wanted the rows, and by no other. */
typedef struct lido__row_sink lido__row_sink;
struct lido__row_sink {
    size_t count; /* of columns; the rows have as many */
    const lido__row_member *members;
    size_t key_count;    /* so many columns come first that tell whether the others are wanted */
    void *object;        /* the struct that the row goes into; the sink's functions may set another */
    lido__arena *memory; /* what members point to goes there */
    /* The key is in `object`. */
    lido__row_wish (*keyed)(lido__row_sink *sink);
    /* So is all of the row. False: refused. */
    bool (*complete)(lido__row_sink *sink);
    bool refused; /* out: no more rows are wanted, for `keyed` or `complete` said so; or a column could not be read: */
    const char *why; /* why not, as lido__convert_target says it, or NULL; */
    size_t column;   /* and which */
};

/* Among the `why`, as is lido__convert_no_memory. */
extern const char lido__row_sink_has_nul[];

/* Puts a value into the member that the column is for, copying what it points to. False: refused. */
bool lido__row_sink_take(lido__row_sink *sink, size_t column, const lido_value *value);
/* The same for all columns of a row, with what is between them. */
bool lido__row_sink_take_row(lido__row_sink *sink, const lido_value *row);
/* A column cannot be read. Returns false. */
bool lido__row_sink_refuse(lido__row_sink *sink, size_t column, const char *why);

/* The same for one member of a struct; NULL, or why not. */
const char *lido__row_member_take(const lido__row_member *to, const lido_value *value, lido__arena *memory,
                                  void *object);
/* The same, and what is in the value stays there; in `memory` is only what had to be made. */
const char *lido__row_member_borrow(const lido__row_member *to, const lido_value *value, lido__arena *memory,
                                    void *object);

static inline void *lido__row_sink_member(const lido__row_sink *sink, size_t column) {
    return (char *)sink->object + sink->members[column].offset;
}

/* After the first `read` columns: whether the row goes on. If not, it is skipped, or refused. */
static inline bool lido__row_sink_goes_on(lido__row_sink *sink, size_t read) {
    if (read != sink->key_count)
        return true;
    lido__row_wish wish = sink->keyed(sink);
    sink->refused = wish == LIDO__ROW_REFUSED;
    return wish == LIDO__ROW_WANTED;
}

/* After the last column. False: refused. */
static inline bool lido__row_sink_complete(lido__row_sink *sink) {
    sink->refused = !sink->complete(sink);
    return !sink->refused;
}

/* ---- What has the member's type already. False: it has not, or does not fit as it is: lido__row_sink_take ---- */

static inline bool lido__row_member_is_wide(const lido__row_member *to) {
    return to->kind == LIDO_TARGET_LONG_LONG || (to->kind == LIDO_TARGET_LONG && sizeof(long) == sizeof(long long));
}

static inline bool lido__row_sink_put_integer(lido__row_sink *sink, size_t column, int64_t integer) {
    const lido__row_member *to = &sink->members[column];
    if (lido__row_member_is_wide(to))
        memcpy(lido__row_sink_member(sink, column), &integer, sizeof integer);
    else if (to->kind == LIDO_TARGET_INT && integer >= INT_MIN && integer <= INT_MAX)
        *(int *)lido__row_sink_member(sink, column) = (int)integer;
    else
        return false;
    return true;
}

/* Copies a text, most of which are short: then calls of memcpy and memchr would take longer. False: it has a NUL. */
static inline bool lido__row_sink_copy(char *to, const char *from, size_t size) {
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;
    uint64_t nuls = 0;
    if (size < sizeof word || size > 8 * sizeof word) {
        memcpy(to, from, size);
        return memchr(from, '\0', size) == NULL;
    }
    for (size_t at = 0; at < size; at += sizeof word) {
        if (at > size - sizeof word) /* the last of them begins earlier */
            at = size - sizeof word;
        memcpy(&word, from + at, sizeof word);
        memcpy(to + at, &word, sizeof word);
        nuls |= (word - ones) & ~word & (ones << 7); /* a bit for a byte that is 0, and perhaps for one above it */
    }
    return nuls == 0;
}

/* For a member that is a text. False: refused, for it has a NUL inside, or there is no memory for the copy. */
static inline bool lido__row_sink_put_text(lido__row_sink *sink, size_t column, const char *text, size_t size) {
    char *copy = lido__arena_allocate(sink->memory, size + 1);
    if (copy == NULL)
        return lido__row_sink_refuse(sink, column, lido__convert_no_memory);
    memcpy(lido__row_sink_member(sink, column), &copy, sizeof copy);
    bool whole = lido__row_sink_copy(copy, text, size);
    copy[size] = '\0';
    return whole || lido__row_sink_refuse(sink, column, lido__row_sink_has_nul);
}

#endif
