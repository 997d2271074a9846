/* Looking words up: a row for each first letter, so that a word is compared with six others at most. */
#include "sql/keyword.h"

#include <stdint.h>
#include <string.h>

/* RESERVED_ROW_SIZE leaves a NULL at the end of the longest row. */
enum { ROW_SIZE = 6, WORD_SIZE_MOST = 12, RESERVED_ROW_SIZE = 11 };

typedef struct keyword_entry {
    char word[WORD_SIZE_MOST + 1];
    uint8_t size;
    uint8_t keyword;
} keyword_entry;

#define ENTRY(word, keyword) \
    { word, sizeof word - 1, LIDO__KEYWORD_##keyword }

static const keyword_entry keywords[26][ROW_SIZE] = {
    ['a' - 'a'] = {ENTRY("abort", ABORT), ENTRY("analyse", ANALYZE), ENTRY("analyze", ANALYZE), ENTRY("as", AS),
                   ENTRY("atomic", ATOMIC)},
    ['b' - 'a'] = {ENTRY("begin", BEGIN)},
    ['c' - 'a'] = {ENTRY("commit", COMMIT), ENTRY("create", CREATE)},
    ['d' - 'a'] = {ENTRY("deallocate", DEALLOCATE), ENTRY("delete", DELETE), ENTRY("discard", DISCARD)},
    ['e' - 'a'] = {ENTRY("end", END), ENTRY("explain", EXPLAIN)},
    ['f' - 'a'] = {ENTRY("for", FOR), ENTRY("function", FUNCTION)},
    ['i' - 'a'] = {ENTRY("into", INTO)},
    ['k' - 'a'] = {ENTRY("key", KEY)},
    ['m' - 'a'] = {ENTRY("materialized", MATERIALIZED)},
    ['n' - 'a'] = {ENTRY("no", NO), ENTRY("not", NOT)},
    ['o' - 'a'] = {ENTRY("or", OR)},
    ['p' - 'a'] = {ENTRY("plan", PLAN), ENTRY("pragma", PRAGMA), ENTRY("prepare", PREPARE),
                   ENTRY("procedure", PROCEDURE)},
    ['q' - 'a'] = {ENTRY("query", QUERY)},
    ['r' - 'a'] = {ENTRY("regexp", REGEXP), ENTRY("release", RELEASE), ENTRY("replace", REPLACE), ENTRY("reset", RESET),
                   ENTRY("rollback", ROLLBACK)},
    ['s' - 'a'] = {ENTRY("savepoint", SAVEPOINT), ENTRY("select", SELECT), ENTRY("set", SET), ENTRY("share", SHARE),
                   ENTRY("show", SHOW), ENTRY("start", START)},
    ['t' - 'a'] = {ENTRY("table", TABLE), ENTRY("temp", TEMPORARY), ENTRY("temporary", TEMPORARY),
                   ENTRY("transaction", TRANSACTION), ENTRY("trigger", TRIGGER)},
    ['u' - 'a'] = {ENTRY("update", UPDATE)},
    ['v' - 'a'] = {ENTRY("values", VALUES), ENTRY("verbose", VERBOSE)},
    ['w' - 'a'] = {ENTRY("with", WITH)},
};

/* `lower` is `size` bytes of lower-case letters. */
static bool same_word(const char *word, const char *lower, size_t size) {
    for (size_t i = 0; i < size; i++)
        if ((word[i] | 0x20) != lower[i])
            return false;
    return true;
}

/* The row of tables by first letter; beyond the last one for a word that no row holds. */
static unsigned row_of(const char *word) {
    return (unsigned)((unsigned char)*word | 0x20) - 'a';
}

lido__sql_keyword lido__sql_keyword_of(const char *word, size_t size) {
    unsigned row = row_of(word);
    if (row >= 26 || size < 2 || size > WORD_SIZE_MOST)
        return LIDO__NO_KEYWORD;
    for (const keyword_entry *entry = keywords[row]; entry < keywords[row] + ROW_SIZE && entry->size > 0; entry++)
        if (entry->size == size && same_word(word, entry->word, size))
            return (lido__sql_keyword)entry->keyword;
    return LIDO__NO_KEYWORD;
}

/* Words beside which REGEXP is not an operator: PostgreSQL's reserved words, and others that stand before a name
 * ("UPDATE regexp SET …", "DROP FUNCTION regexp(…)"). Usual names of columns, such as "type", are not here. */
static const char *const reserved[26][RESERVED_ROW_SIZE] = {
    ['a' - 'a'] = {"add", "all", "alter", "analyse", "analyze", "and", "any", "as", "asc", "asymmetric"},
    ['b' - 'a'] = {"between", "both", "by"},
    ['c' - 'a'] = {"call", "case", "check", "collate", "column", "concurrently", "constraint", "copy", "create",
                   "cross"},
    ['d' - 'a'] = {"declare", "default", "deferrable", "delete", "desc", "distinct", "do", "drop"},
    ['e' - 'a'] = {"else", "end", "except", "execute", "exists", "explain"},
    ['f' - 'a'] = {"fetch", "for", "foreign", "from", "full", "function"},
    ['g' - 'a'] = {"grant", "group"},
    ['h' - 'a'] = {"having"},
    ['i' - 'a'] = {"ilike", "in", "initially", "inner", "insert", "intersect", "into", "is", "isnull"},
    ['j' - 'a'] = {"join"},
    ['l' - 'a'] = {"lateral", "leading", "left", "like", "limit"},
    ['n' - 'a'] = {"natural", "not", "notnull"},
    ['o' - 'a'] = {"offset", "on", "only", "or", "order", "outer", "overlaps"},
    ['p' - 'a'] = {"placing", "prepare", "primary", "procedure"},
    ['r' - 'a'] = {"references", "returning", "right"},
    ['s' - 'a'] = {"select", "set", "similar", "some", "symmetric"},
    ['t' - 'a'] = {"table", "tablesample", "then", "to", "trailing", "truncate"},
    ['u' - 'a'] = {"union", "unique", "update", "using"},
    ['v' - 'a'] = {"vacuum", "values", "variadic"},
    ['w' - 'a'] = {"when", "where", "window", "with"},
};

static bool is_one_of(const char *word, size_t size, const char *const *list) {
    for (; *list != NULL; list++)
        if (strlen(*list) == size && same_word(word, *list, size))
            return true;
    return false;
}

static bool is_reserved(const char *word, size_t size) {
    unsigned row = row_of(word);
    return row < 26 && is_one_of(word, size, reserved[row]);
}

bool lido__word_ends_operand(const char *word, size_t size) {
    static const char *const exceptions[] = {"end", NULL}; /* CASE … END */
    return !is_reserved(word, size) || is_one_of(word, size, exceptions);
}

bool lido__word_begins_operand(const char *word, size_t size) {
    static const char *const exceptions[] = {"all", "any", "case", "exists", "some", NULL};
    return !is_reserved(word, size) || is_one_of(word, size, exceptions);
}
