/* Following operands and reading types, as casts.h says. */
#include "sql/casts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/config.h"

/* ---- Types ---- */

enum { TYPE_WORDS_MOST = 4 };

/* The longest of the names that begin alike stands first. */
static const struct {
    const char *words[TYPE_WORDS_MOST];
    const char *before;
    const char *behind;
} types[] = {
    {{"text"}, "CAST(lido_cast_text(", ") AS TEXT)"},
    {{"varchar"}, "CAST(lido_cast_text(", ") AS TEXT)"},
    {{"character", "varying"}, "CAST(lido_cast_text(", ") AS TEXT)"},
    {{"smallint"}, "CAST(lido_cast_smallint(", ") AS INTEGER)"},
    {{"int2"}, "CAST(lido_cast_smallint(", ") AS INTEGER)"},
    {{"integer"}, "CAST(lido_cast_integer(", ") AS INTEGER)"},
    {{"int"}, "CAST(lido_cast_integer(", ") AS INTEGER)"},
    {{"int4"}, "CAST(lido_cast_integer(", ") AS INTEGER)"},
    {{"bigint"}, "CAST(lido_cast_bigint(", ") AS INTEGER)"},
    {{"int8"}, "CAST(lido_cast_bigint(", ") AS INTEGER)"},
    {{"double", "precision"}, "CAST(lido_cast_double(", ") AS REAL)"},
    {{"float8"}, "CAST(lido_cast_double(", ") AS REAL)"},
    {{"float"}, "CAST(lido_cast_double(", ") AS REAL)"},
    {{"numeric"}, "CAST(lido_cast_numeric(", ") AS REAL)"},
    {{"decimal"}, "CAST(lido_cast_numeric(", ") AS REAL)"},
    {{"boolean"}, "lido_cast_boolean(", ")"},
    {{"bool"}, "lido_cast_boolean(", ")"},
    {{"uuid"}, "lido_cast_uuid(", ")"},
    {{"bytea"}, "lido_cast_bytea(", ")"},
    {{"date"}, "lido_cast_date(", ")"},
    {{"timestamptz"}, "lido_cast_timestamptz(", ")"},
    {{"timestamp", "with", "time", "zone"}, "lido_cast_timestamptz(", ")"},
    {{"timestamp", "without", "time", "zone"}, "lido_cast_timestamp(", ")"},
    {{"timestamp"}, "lido_cast_timestamp(", ")"},
};

static bool is_word(const lido__casts *casts, const lido__token *token, const char *word) {
    return token->kind == LIDO__TOKEN_WORD && token->size == strlen(word) &&
           strncasecmp(casts->text + token->start, word, token->size) == 0;
}

static bool is_comma(const lido__casts *casts, const lido__token *token) {
    return token->size == 1 && casts->text[token->start] == ',';
}

static lido__token next_token(lido__scanner *scanner) {
    lido__token token;
    do
        token = lido__scanner_next(scanner);
    while (token.kind == LIDO__TOKEN_BLANK);
    return token;
}

/* The end of the words at `start`, 0 if other words stand there. */
static size_t match_words(const lido__casts *casts, size_t start, const char *const *words) {
    lido__scanner scanner;
    size_t end = 0;
    lido__scanner_init(&scanner, casts->text, casts->size, LIDO__SQLITE);
    scanner.at = start;
    for (size_t i = 0; i < TYPE_WORDS_MOST && words[i] != NULL; i++) {
        lido__token token = next_token(&scanner);
        if (!is_word(casts, &token, words[i]))
            return 0;
        end = token.start + token.size;
    }
    return end;
}

/* Whether text(10), text[] or text.x stands there, which is another type. */
static bool goes_on(const lido__casts *casts, size_t end) {
    lido__scanner scanner;
    lido__scanner_init(&scanner, casts->text, casts->size, LIDO__SQLITE);
    scanner.at = end;
    lido__token token = next_token(&scanner);
    char first = token.size > 0 ? casts->text[token.start] : '\0';
    return token.kind == LIDO__TOKEN_OPEN || first == '[' || (first == '.' && token.size == 1) ||
           is_word(casts, &token, "array");
}

/* ---- Operands ---- */

void lido__casts_init(lido__casts *casts, const char *text, size_t size) {
    *casts = (lido__casts){.text = text, .size = size};
}

void lido__casts_done(lido__casts *casts) {
    free(casts->groups);
    free(casts->starts);
}

static bool grow(void **list, size_t *capacity, size_t item) {
    size_t wanted = *capacity > 0 ? *capacity * 2 : 16;
    void *grown = realloc(*list, wanted * item);
    if (grown == NULL)
        return false;
    *list = grown;
    *capacity = wanted;
    return true;
}

static void open_group(lido__casts *casts, size_t start, bool is_case) {
    void *groups = casts->groups;
    if (casts->group_count == casts->group_capacity && !grow(&groups, &casts->group_capacity, sizeof *casts->groups)) {
        casts->out_of_memory = true;
        return;
    }
    casts->groups = groups;
    casts->groups[casts->group_count++] = (lido__open_group){start, is_case, casts->in_list};
    casts->ends_operand = false;
    casts->in_list = false;
}

/* A CASE that was none, or one without an END, leaves its group behind: what encloses it closes it, too. */
static void close_group(lido__casts *casts, bool is_case) {
    size_t count = casts->group_count;
    while (!is_case && count > 0 && casts->groups[count - 1].is_case)
        count--;
    casts->ends_operand = count > 0 && casts->groups[count - 1].is_case == is_case;
    if (!casts->ends_operand)
        return;
    casts->group_count = count - 1;
    casts->start = casts->groups[count - 1].start;
    casts->in_list = casts->groups[count - 1].in_list;
    casts->is_column = false;
}

/* Whether an item of a list of columns begins behind the newest token. */
static bool begins_item(const lido__casts *casts) {
    const lido__token *newest = &casts->newest;
    return casts->in_list &&
           (newest->keyword == LIDO__KEYWORD_SELECT || is_comma(casts, newest) || is_word(casts, newest, "distinct") ||
            is_word(casts, newest, "all") || is_word(casts, newest, "returning"));
}

static bool is_one_of(const lido__casts *casts, const lido__token *token, const char *const *words) {
    for (; *words != NULL; words++)
        if (is_word(casts, token, *words))
            return true;
    return false;
}

/* Words that look like columns and are not. */
static const char *const values[] = {"null", "true", "false", "current_date", "current_time", "current_timestamp",
                                     NULL};

static void take_operand(lido__casts *casts, const lido__token *token, size_t output) {
    bool behind_dot = casts->newest.keyword == LIDO__SIGN_DOT && casts->ends_operand;
    bool is_name =
        token->kind == LIDO__TOKEN_QUOTED_NAME || (token->kind == LIDO__TOKEN_WORD && !is_one_of(casts, token, values));
    if (!behind_dot) {
        casts->start = output;
        casts->is_column = is_name && begins_item(casts);
    }
    casts->column = *token;
    casts->ends_operand = true;
}

static const char *const ends_of_lists[] = {"from",   "where",     "group",  "having", "order", "limit",
                                            "except", "intersect", "window", "values", "union", NULL};

/* Follows whether columns are being listed. */
static void follow_list(lido__casts *casts, const lido__token *token) {
    if (token->keyword == LIDO__KEYWORD_SELECT || is_word(casts, token, "returning"))
        casts->in_list = true;
    else if (casts->in_list && is_one_of(casts, token, ends_of_lists))
        casts->in_list = false;
}

bool lido__casts_names_column(lido__casts *casts, const lido__token *next, lido__token *name) {
    bool ends = next->kind == LIDO__TOKEN_END || next->kind == LIDO__TOKEN_CLOSE ||
                next->kind == LIDO__TOKEN_SEMICOLON || is_comma(casts, next) || is_one_of(casts, next, ends_of_lists);
    bool needs = casts->is_cast && casts->is_column && ends;
    casts->is_cast = false;
    if (needs)
        *name = casts->column;
    return needs;
}

/* Words that are reserved, and yet can be the name of a function. */
static bool names_function(const lido__casts *casts, const lido__token *token) {
    return is_word(casts, token, "left") || is_word(casts, token, "right") || is_word(casts, token, "exists");
}

static void follow_word(lido__casts *casts, const lido__token *token, size_t output) {
    bool behind_call = casts->newest.kind == LIDO__TOKEN_CLOSE && casts->ends_operand;
    bool in_window = casts->has_window;
    casts->has_window = behind_call && is_word(casts, token, "over");
    if (in_window || casts->has_window || (behind_call && is_word(casts, token, "filter")))
        return;
    if (casts->newest.keyword == LIDO__SIGN_DOT) {
        take_operand(casts, token, output);
        return;
    }
    follow_list(casts, token);
    if (is_word(casts, token, "case"))
        open_group(casts, output, true);
    else if (token->keyword == LIDO__KEYWORD_END)
        close_group(casts, true);
    else if (names_function(casts, token) || lido__word_ends_operand(casts->text + token->start, token->size))
        take_operand(casts, token, output);
    else
        casts->ends_operand = false;
}

void lido__casts_follow(lido__casts *casts, const lido__token *token, size_t output) {
    bool named = casts->newest.kind == LIDO__TOKEN_WORD || casts->newest.kind == LIDO__TOKEN_QUOTED_NAME;
    switch (token->kind) {
    case LIDO__TOKEN_WORD:
        follow_word(casts, token, output);
        break;
    case LIDO__TOKEN_QUOTED_NAME:
    case LIDO__TOKEN_STRING:
    case LIDO__TOKEN_NUMBER:
    case LIDO__TOKEN_POSITIONAL:
    case LIDO__TOKEN_NUMBERED:
    case LIDO__TOKEN_NAMED:
        if (!casts->has_window)
            take_operand(casts, token, output);
        break;
    case LIDO__TOKEN_OPEN: /* of a function's call, which began with its name; or of an expression */
        open_group(casts, casts->ends_operand && named ? casts->start : output, false);
        break;
    case LIDO__TOKEN_CLOSE:
        close_group(casts, false);
        break;
    default:
        casts->ends_operand = casts->ends_operand && token->keyword == LIDO__SIGN_DOT;
    }
    casts->has_window = casts->has_window && token->kind == LIDO__TOKEN_WORD;
    casts->newest = *token;
}

/* ---- Casts ---- */

bool lido__casts_is_cast(const lido__casts *casts, const lido__token *token) {
    return token->kind == LIDO__TOKEN_OPERATOR && token->size == 2 && casts->text[token->start] == ':' &&
           casts->text[token->start + 1] == ':';
}

static void add_start(lido__casts *casts, const char *text) {
    void *starts = casts->starts;
    if (casts->start_count == casts->start_capacity && !grow(&starts, &casts->start_capacity, sizeof *casts->starts)) {
        casts->out_of_memory = true;
        return;
    }
    casts->starts = starts;
    casts->starts[casts->start_count++] = (lido__cast_start){casts->start, text};
}

lido__cast lido__casts_read(lido__casts *casts, const lido__token *colons) {
    lido__scanner scanner;
    size_t start = colons->start + colons->size;
    lido__scanner_init(&scanner, casts->text, casts->size, LIDO__SQLITE);
    scanner.at = start;
    lido__token first = next_token(&scanner);
    lido__cast cast = {.end = first.start + first.size, .has_operand = casts->ends_operand};
    for (size_t i = 0; cast.behind == NULL && i < sizeof types / sizeof *types; i++) {
        size_t end = match_words(casts, start, types[i].words);
        if (end == 0)
            continue;
        if (goes_on(casts, end))
            return cast;
        cast.end = end;
        cast.behind = types[i].behind;
        if (cast.has_operand)
            add_start(casts, types[i].before);
    }
    casts->is_cast = true;
    casts->newest = *colons; /* what comes next belongs to no name */
    return cast;
}

/* Those at one place stand in the order opposite to that in which they ended. */
static int compare_starts(const void *one, const void *other) {
    const lido__cast_start *first = one;
    const lido__cast_start *second = other;
    return (first->at > second->at) - (first->at < second->at);
}

/* qsort keeps no order among equals, so the places are made different first: neither a text nor its casts are so many
 * that the product overflows. */
static void sort_starts(lido__casts *casts) {
    size_t count = casts->start_count;
    for (size_t i = 0; i < count; i++)
        casts->starts[i].at = casts->starts[i].at * count + (count - 1 - i);
    qsort(casts->starts, count, sizeof *casts->starts, compare_starts);
    for (size_t i = 0; i < count; i++)
        casts->starts[i].at /= count;
}

void lido__casts_open(lido__casts *casts, lido__buffer *output) {
    lido__buffer opened = LIDO__BUFFER_INIT;
    size_t copied = 0;
    if (casts->start_count == 0 || output->out_of_memory)
        return;
    sort_starts(casts);
    for (size_t i = 0; i < casts->start_count; i++) {
        lido__buffer_append(&opened, output->data + copied, casts->starts[i].at - copied);
        lido__buffer_text(&opened, casts->starts[i].text);
        copied = casts->starts[i].at;
    }
    lido__buffer_append(&opened, output->data + copied, output->size - copied);
    lido__buffer_done(output);
    *output = opened;
}
