/* The table of foreign.h, and looking for what is in it. */
#include "sql/foreign.h"

#include <string.h>
#include <strings.h>

#include "sql/scanner.h"

enum { WORDS_MOST = 5 };

/* Each construct as words; some are signs: "(" and "[" as they stand, "'" any string, "*" any word, ";" the beginning
 * of the statement, "o" an operator, "v" the end of an operand. */
static const struct {
    const char *words[WORDS_MOST + 1];
    const char *construct;
    const char *instead;
} constructs[] = {
    {{"v", "ilike"}, "ILIKE", "lower(x) LIKE lower(y) is on both databases; so is x REGEXP '(?i)…'"},
    {{"not", "ilike"}, "ILIKE", "lower(x) NOT LIKE lower(y) is on both databases"},
    {{"similar", "to"}, "SIMILAR TO", "x REGEXP '^(…)$' is on both databases"},
    {{"distinct", "on", "("}, "DISTINCT ON", "row_number() OVER (PARTITION BY …) = 1 is on both databases"},
    {{"lateral", "("}, "LATERAL", "join with a condition, or write a subquery in the list of columns"},
    {{"lateral", "*"}, "LATERAL", "join with a condition, or write a subquery in the list of columns"},
    {{"array", "["}, "ARRAY[…]", "keep the elements in a table of their own, or as JSON"},
    {{"array", "("}, "ARRAY(…)", "read the rows one by one"},
    {{"o", "any", "("}, "ANY (…)", "x IN (…) is on both databases"},
    {{"o", "some", "("}, "SOME (…)", "x IN (…) is on both databases"},
    {{"o", "all", "("}, "ALL (…)", "compare with max(…) or min(…), or write NOT EXISTS"},
    {{"for", "update"}, "FOR UPDATE", "leave it out: on SQLite there is one writer at a time"},
    {{"for", "no", "key", "update"}, "FOR NO KEY UPDATE", "leave it out: on SQLite there is one writer at a time"},
    {{"for", "share"}, "FOR SHARE", "leave it out: on SQLite there is one writer at a time"},
    {{"for", "key", "share"}, "FOR KEY SHARE", "leave it out: on SQLite there is one writer at a time"},
    {{"fetch", "first"}, "FETCH FIRST", "LIMIT is on both databases"},
    {{"fetch", "next"}, "FETCH NEXT", "LIMIT is on both databases"},
    {{"limit", "all"}, "LIMIT ALL", "leave it out"},
    {{"tablesample"}, "TABLESAMPLE", "ORDER BY random() LIMIT n is on both databases"},
    {{"interval", "'"}, "INTERVAL", "add the time in the program, and pass the moment"},
    {{"date", "'"}, "DATE '…'", "'…'::date is on both databases"},
    {{"timestamp", "'"}, "TIMESTAMP '…'", "'…'::timestamp is on both databases"},
    {{"timestamptz", "'"}, "TIMESTAMPTZ '…'", "'…'::timestamptz is on both databases"},
    {{"time", "'"}, "TIME '…'", "pass times of day as texts"},
    {{"time", "zone", "'"}, "AT TIME ZONE", "moments are in UTC; turn them in the program"},
    {{"at", "time", "zone"}, "AT TIME ZONE", "moments are in UTC; turn them in the program"},
    {{"extract", "(", "*", "from"}, "EXTRACT(… FROM …)", "date_trunc(unit, moment) is on both databases"},
    {{"substring", "(", "*", "from"}, "SUBSTRING(… FROM …)", "substr(text, start, count) is on both databases"},
    {{"substring", "(", "'", "from"}, "SUBSTRING(… FROM …)", "substr(text, start, count) is on both databases"},
    {{"trim", "(", "both"}, "TRIM(BOTH …)", "trim(text, characters) is on both databases"},
    {{"trim", "(", "leading"}, "TRIM(LEADING …)", "ltrim(text, characters) is on both databases"},
    {{"trim", "(", "trailing"}, "TRIM(TRAILING …)", "rtrim(text, characters) is on both databases"},
    {{"overlay", "("}, "OVERLAY(…)", "put it together from left(…) and substr(…), which are on both databases"},
    {{"conflict", "on", "constraint"}, "ON CONFLICT ON CONSTRAINT", "name the columns: ON CONFLICT (a, b)"},
    {{"within", "group"}, "WITHIN GROUP", "work it out in the program"},
    {{"grouping", "sets"}, "GROUPING SETS", "write one SELECT for each, with UNION ALL"},
    {{"rollup", "("}, "ROLLUP", "write one SELECT for each, with UNION ALL"},
    {{"cube", "("}, "CUBE", "write one SELECT for each, with UNION ALL"},
    {{"generate_series", "("}, "generate_series", "WITH RECURSIVE is on both databases"},
    {{"unnest", "("}, "unnest", "insert the elements into a table, or use json_each(…)"},
    {{"nextval", "("}, "nextval", "let INTEGER PRIMARY KEY count, or use gen_random_uuid()"},
    {{"row", "("}, "ROW(…)", "write the columns in parentheses without it"},
    {{"e", "'"}, "E'…'", "write the characters themselves, or pass them as a parameter"},
    {{"b", "'"}, "B'…'", "write an integer"},
    {{"v", "~"}, "the operator ~", "REGEXP is on both databases"},
    {{"v", "~*"}, "the operator ~*", "x REGEXP '(?i)…' is on both databases"},
    {{"v", "!~"}, "the operator !~", "NOT REGEXP is on both databases"},
    {{"v", "!~*"}, "the operator !~*", "x NOT REGEXP '(?i)…' is on both databases"},
    {{"v", "^"}, "the operator ^", "power(x, y) is on both databases"},
    {{"localtimestamp"}, "LOCALTIMESTAMP", "now() is on both databases"},
    {{"localtime"}, "LOCALTIME", "now() is on both databases"},
    {{"current_user"}, "CURRENT_USER", "SQLite has no users"},
    {{";", "truncate"}, "TRUNCATE", "DELETE FROM is on both databases"},
    {{";", "merge", "into"}, "MERGE", "INSERT … ON CONFLICT … DO UPDATE is on both databases"},
    {{";", "copy"}, "COPY", "insert the rows"},
    {{";", "listen"}, "LISTEN", "SQLite has no server that could tell"},
    {{";", "notify"}, "NOTIFY", "SQLite has no server that could tell"},
    {{";", "lock"}, "LOCK", "on SQLite there is one writer at a time"},
    {{";", "call"}, "CALL", "do it in the program"},
    {{";", "do"}, "DO", "do it in the program"},
    {{";", "grant"}, "GRANT", "SQLite has no users"},
    {{";", "revoke"}, "REVOKE", "SQLite has no users"},
    {{";", "comment", "on"}, "COMMENT ON", "leave it out"},
    {{";", "create", "schema"}, "CREATE SCHEMA", "SQLite has no schemas within a database"},
    {{";", "create", "sequence"}, "CREATE SEQUENCE", "let INTEGER PRIMARY KEY count"},
    {{";", "create", "type"}, "CREATE TYPE", "write a CHECK for the column"},
    {{";", "create", "domain"}, "CREATE DOMAIN", "write a CHECK for the column"},
    {{";", "create", "extension"}, "CREATE EXTENSION", "leave it out"},
    {{";", "create", "function"}, "CREATE FUNCTION", "register one in the program: lido_function_add"},
    {{";", "create", "or", "replace"},
     "CREATE OR REPLACE",
     "drop the old one first; register functions in the program"},
    {{";", "create", "procedure"}, "CREATE PROCEDURE", "do it in the program"},
    {{";", "create", "materialized", "view"}, "CREATE MATERIALIZED VIEW", "create a table of its rows"},
    {{"index", "concurrently"}, "CREATE INDEX CONCURRENTLY", "leave CONCURRENTLY out"},
    {{"alter", "column"}, "ALTER COLUMN", "make a new table and copy the rows"},
    {{"add", "constraint"}, "ADD CONSTRAINT", "make a new table and copy the rows"},
};

enum { CONSTRUCT_COUNT = sizeof constructs / sizeof *constructs };

/* The newest tokens that are not blank, the newest last; before the first one all are the text's end. */
typedef struct latest_tokens {
    const char *text;
    lido__token tokens[WORDS_MOST + 1];
} latest_tokens;

static bool ends_operand(const latest_tokens *recent, const lido__token *token) {
    switch (token->kind) {
    case LIDO__TOKEN_WORD:
        return lido__word_ends_operand(recent->text + token->start, token->size);
    case LIDO__TOKEN_QUOTED_NAME:
    case LIDO__TOKEN_STRING:
    case LIDO__TOKEN_NUMBER:
    case LIDO__TOKEN_NUMBERED:
    case LIDO__TOKEN_CLOSE:
        return true;
    default:
        return false;
    }
}

static bool fits(const latest_tokens *recent, const lido__token *token, const char *word) {
    const char *start = recent->text + token->start;
    switch (word[1] == '\0' ? *word : '\0') {
    case '(':
    case '[':
        return token->size > 0 && *start == *word;
    case '\'':
        return token->kind == LIDO__TOKEN_STRING;
    case '*':
        return token->kind == LIDO__TOKEN_WORD || ends_operand(recent, token);
    case ';':
        return token->kind == LIDO__TOKEN_END || token->kind == LIDO__TOKEN_SEMICOLON;
    case 'o':
        return token->kind == LIDO__TOKEN_OPERATOR;
    case 'v':
        return ends_operand(recent, token);
    default:
        return token->size == strlen(word) && strncasecmp(start, word, token->size) == 0 &&
               (token->kind == LIDO__TOKEN_WORD || token->kind == LIDO__TOKEN_OPERATOR ||
                token->kind == LIDO__TOKEN_OTHER);
    }
}

/* Whether the newest tokens are the construct's words; *start is where they begin. */
static bool ends_with(const latest_tokens *recent, const char *const *words, size_t *start) {
    size_t count = 0;
    while (words[count] != NULL)
        count++;
    const lido__token *first = &recent->tokens[WORDS_MOST + 1 - count];
    for (size_t i = 0; i < count; i++)
        if (!fits(recent, &first[i], words[i]))
            return false;
    *start = first->kind == LIDO__TOKEN_END || strcmp(words[0], "v") == 0 ? first[1].start : first->start;
    return true;
}

/* f(x ORDER BY y): behind a function's name, and neither a window nor a subquery. */
typedef struct call_watch {
    bool in_call[32]; /* by depth; what is deeper is not looked at */
    size_t depth;
} call_watch;

static bool orders_arguments(call_watch *watch, const latest_tokens *recent) {
    const lido__token *newest = &recent->tokens[WORDS_MOST];
    const lido__token *before = newest - 1;
    const size_t most = sizeof watch->in_call / sizeof *watch->in_call;
    bool named = before->kind == LIDO__TOKEN_WORD && !fits(recent, before, "over") &&
                 lido__word_ends_operand(recent->text + before->start, before->size);
    if (newest->kind == LIDO__TOKEN_OPEN && ++watch->depth < most)
        watch->in_call[watch->depth] = named;
    else if (newest->kind == LIDO__TOKEN_CLOSE && watch->depth > 0)
        watch->depth--;
    if (newest->keyword == LIDO__KEYWORD_SELECT && watch->depth < most)
        watch->in_call[watch->depth] = false;
    return watch->depth < most && watch->in_call[watch->depth] && fits(recent, before, "order") &&
           fits(recent, newest, "by");
}

static void remember(latest_tokens *recent, lido__token token) {
    memmove(recent->tokens, recent->tokens + 1, WORDS_MOST * sizeof token);
    recent->tokens[WORDS_MOST] = token;
}

/* What the newest tokens are; a NULL construct: nothing. `start` is where it begins, `first` its first word. */
typedef struct candidate {
    lido__foreign foreign;
    size_t start;
    const char *first;
} candidate;

static candidate find_construct(call_watch *watch, const latest_tokens *recent) {
    static const candidate order = {
        {"ORDER BY within an aggregate", "order the rows in a subquery in FROM"}, 0, "order"};
    candidate found = {{NULL, NULL}, 0, NULL};
    if (orders_arguments(watch, recent)) {
        found = order;
        found.start = recent->tokens[WORDS_MOST - 1].start;
    }
    for (size_t i = 0; i < CONSTRUCT_COUNT; i++) {
        const char *const *words = constructs[i].words;
        if (ends_with(recent, words, &found.start))
            found = (candidate){{constructs[i].construct, constructs[i].instead},
                                found.start,
                                words[0][1] == '\0' && words[1] != NULL && strchr("ov;", *words[0]) != NULL ? words[1]
                                                                                                            : words[0]};
    }
    return found;
}

static bool tell(const candidate *found, lido__foreign *foreign) {
    *foreign = found->foreign;
    return foreign->construct != NULL;
}

bool lido__sql_foreign(const char *text, size_t size, size_t near, const char *missing, lido__foreign *foreign) {
    lido__scanner scanner;
    latest_tokens recent = {.text = text};
    call_watch watch = {.depth = 0};
    candidate before = {{NULL, NULL}, 0, NULL}; /* what ended directly before byte `near` */
    candidate last = before;                    /* what the token before the newest ended */
    int behind = 0;                             /* how many tokens end behind `near` */
    lido__scanner_init(&scanner, text, size, LIDO__SQLITE);
    while (behind <= WORDS_MOST) {
        lido__token token = lido__scanner_next(&scanner);
        if (token.kind == LIDO__TOKEN_BLANK)
            continue;
        bool ends_behind = token.kind == LIDO__TOKEN_END || token.start + token.size > near;
        behind += ends_behind;
        if (behind == 1)
            before = last;
        if (token.kind == LIDO__TOKEN_END)
            break;
        remember(&recent, token);
        last = find_construct(&watch, &recent);
        bool blamed = missing != NULL ? last.first != NULL && strcasecmp(last.first, missing) == 0
                                      : ends_behind && last.start <= near;
        if (blamed && tell(&last, foreign))
            return true;
    }
    return missing == NULL && tell(&before, foreign);
}
