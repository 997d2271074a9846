/* What an engine has counted and measured of each statement, by its fingerprint (sql/fingerprint.h).
 *
 * A table of a fixed size without a pointer, for it is a part of lido__metrics: any thread, and any process that shares
 * the memory, may write and read it at once; one that dies in the middle of it leaves nothing that others wait for, and
 * its successor goes on with what it finds. What finds no place is put together, by kind. Written only for what is
 * measured, or has failed, or was run by another thread: so counts of what runs often are estimates. */
#ifndef LIDO_CORE_STATEMENT_TABLE_H
#define LIDO_CORE_STATEMENT_TABLE_H

#include <lido/metrics.h>

#include "base/histogram.h"
#include "sql/sql.h"

enum {
    LIDO__STATEMENT_PLACES = 512,
    LIDO__STATEMENT_KINDS = LIDO_STATEMENT_OTHER + 1,
    LIDO__STATEMENT_WORDS = LIDO__SQL_NORMAL_SIZE / (int)sizeof(uint64_t)
};

typedef struct lido__statement_entry {
    atomic_uint_fast64_t count;
    atomic_uint_fast64_t failed;
    lido__histogram took;
    atomic_uint described; /* 1 + kind, once the text is there */
    /* Two may write it at once, and one may be killed over it; so whoever finds it lacking writes it, and what two
     * write differs in the case of letters alone. */
    _Atomic uint64_t normal[LIDO__STATEMENT_WORDS];
} lido__statement_entry;

/* All zero at the start. Fingerprints lie apart, so that looking for one touches no page of entries. */
typedef struct lido__statement_table {
    atomic_uint_fast64_t fingerprints[LIDO__STATEMENT_PLACES]; /* 0: free. Never changes after that */
    lido__statement_entry entries[LIDO__STATEMENT_PLACES];
    lido__statement_entry others[LIDO__STATEMENT_KINDS];
} lido__statement_table;

_Static_assert(sizeof(uint64_t[LIDO__STATEMENT_WORDS]) == sizeof(((lido_statement_stats *)0)->text),
               "a normal text is whole words, and fits into what the program gets");

static inline lido_statement_kind lido__statement_kind_of(const lido__sql *sql) {
    if (sql->kind == LIDO__SQL_READS)
        return LIDO_STATEMENT_READ;
    return sql->kind == LIDO__SQL_WRITES ? LIDO_STATEMENT_WRITE : LIDO_STATEMENT_OTHER;
}

/* A run that was measured and stands for `weight`. */
void lido__statement_table_record(lido__statement_table *table, const lido__sql *sql, int64_t took_ns, unsigned weight);
/* One of which nobody knows how long it took. */
void lido__statement_table_count(lido__statement_table *table, const lido__sql *sql);
/* Besides either of them. */
void lido__statement_table_failed(lido__statement_table *table, const lido__sql *sql);

/* Nobody else may be at it. */
void lido__statement_table_clear(lido__statement_table *table);

/* Of all `tables` together, those that took the most time first, at most `capacity`. Returns how many; none if memory
 * ran out. */
size_t lido__statement_tables_read(const lido__statement_table *const *tables, size_t table_count,
                                   lido_statement_stats *statements, size_t capacity);

#endif
