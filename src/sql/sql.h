/* A scanned SQL text: what a statement is, which parameters it takes, and its text for one database.
 *
 * The scanner knows strings, quoted names, dollar quotes, comments, casts and operators; it runs in linear
 * time and never fails on odd input: what it does not understand it passes on for the database to refuse. */
#ifndef LIDO_SQL_SQL_H
#define LIDO_SQL_SQL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lido/error.h>

#include "config/config.h"

typedef enum lido__sql_kind {
    LIDO__SQL_EMPTY,       /* nothing but blanks and comments */
    LIDO__SQL_READS,       /* SELECT, VALUES, TABLE, SHOW, EXPLAIN without ANALYZE, WITH around these */
    LIDO__SQL_WRITES,      /* everything else that is not below */
    LIDO__SQL_TRANSACTION, /* BEGIN, START, COMMIT, END, ROLLBACK, ABORT, SAVEPOINT, RELEASE, PREPARE TRANSACTION */
    LIDO__SQL_FORGETS,     /* DISCARD, DEALLOCATE: prepared statements are gone afterwards */
    LIDO__SQL_SETTING      /* PRAGMA, SET, RESET: neither read nor write of data */
} lido__sql_kind;

enum {
    LIDO__SQL_SIZE_MOST = 16 * 1024 * 1024, /* bytes of one statement */
    LIDO__SQL_PARAMETERS_MOST = 32766,      /* SQLite's limit; PostgreSQL's is 65535 */
    LIDO__SQL_NORMAL_MOST = 200,            /* bytes of a normal text; what is longer is cut, and ends in "…" */
    LIDO__SQL_NORMAL_SIZE = 208             /* with that and NUL: whole words, see core/statement_table.h */
};

/* What has been seen of a statement so far, to guess by. From any thread. */
typedef struct lido__sql_habits {
    atomic_bool goes_on_to_write; /* a transaction that began with it wrote later */
    atomic_bool is_quick;         /* what it began was over in a moment, the last time; */
    atomic_uint runs;             /* how often it has run, up to what core/measure.c wants to know */
    atomic_int slow_for;          /* it was not: how many more runs it is taken to be slow, as an errand */
} lido__sql_habits;

/* Immutable once made; one allocation. */
typedef struct lido__sql {
    uint64_t hash;          /* of `text` */
    size_t size;            /* bytes of `text` */
    const char *text;       /* as the program wrote it */
    const char *translated; /* for the database; PostgreSQL: $n, ~; SQLite: ?n */
    size_t translated_size;
    const char *normal;   /* without values, for metrics; see fingerprint.h, as for the next */
    uint64_t fingerprint; /* the same for texts that differ in values alone; never 0 */
    lido__sql_kind kind;
    bool changes_rows;      /* INSERT, UPDATE, DELETE, REPLACE: all or nothing within a transaction, too */
    bool personal;          /* it reads, and has to do with what is its connection's own; see personal.h */
    bool many;              /* another statement follows a semicolon */
    bool stays;             /* the engine keeps it as long as it has connections */
    size_t parameter_count; /* how many values it takes: the highest number, or the count of different names */
    const char **names;     /* of :name parameters, in order of first appearance; NULL if they have no names */
    lido__sql_habits *habits;
} lido__sql;

/* The length of a text and a fast hash of its bytes; what `hash` holds. Differs between byte orders, so it is not to be
 * kept. */
uint64_t lido__sql_hash(const char *text, size_t *size);

/* Scans `text` (terminated by NUL; `size` bytes, `hash` as above) and translates it for `type`. NULL, with *error set:
 * two kinds of placeholders in one statement, $0, too many parameters, too long, not UTF-8, what SQLite would silently
 * take for a parameter that nobody fills (@name, $name, the operator ??), or out of memory. Free with lido__sql_free.
 * Never waits. */
lido__sql *lido__sql_new(const char *text, size_t size, uint64_t hash, lido__database_type type, lido_error *error);
void lido__sql_free(lido__sql *sql);

/* The length of the first statement of `text` as `type` reads it, with what stands before it and its semicolon if there
 * is one; 0 if nothing but blanks, comments and semicolons is left. Bodies of triggers and of SQL functions (BEGIN …
 * END) are one statement. For lido_script. */
size_t lido__sql_first_statement(const char *text, size_t size, lido__database_type type);

#endif
