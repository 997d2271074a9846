/* Placeholders, REGEXP, casts and the functions left and right, as translation.h says. */
#include "sql/translation.h"

#include <string.h>
#include <strings.h>

#include "base/convert.h"
#include "base/fault.h"
#include "sql/keyword.h"
#include "sql/sql.h"

enum { SHOWN_SIZE_MOST = 48 }; /* of a token in a message */

void lido__translation_init(lido__translation *translation, const char *text, size_t size, lido__database_type type,
                            lido_error *error) {
    *translation = (lido__translation){.type = type, .text = text, .size = size, .error = error};
    lido__casts_init(&translation->casts, text, size);
}

void lido__translation_done(lido__translation *translation) {
    lido__buffer_done(&translation->output);
    lido__names_done(&translation->names);
    lido__casts_done(&translation->casts);
}

/* Puts `by` in the place of the text from `start` to `end`, which lies behind all that was replaced before. */
static void replace(lido__translation *translation, size_t start, size_t end, const char *by) {
    lido__buffer *output = &translation->output;
    lido__buffer_append(output, translation->text + translation->copied, start - translation->copied);
    lido__buffer_text(output, by);
    translation->copied = end;
}

/* ---- Refusals ---- */

/* For "%.*s": how much of the token a message shows. */
static int shown_size(const lido__translation *translation, lido__token token) {
    size_t size = token.size < SHOWN_SIZE_MOST ? token.size : SHOWN_SIZE_MOST;
    return (int)lido__utf8_cut(translation->text + token.start, size);
}

static bool refuse_mixing(lido__translation *translation, lido__token token) {
    lido__token first = translation->placeholder;
    lido__fault(translation->error, LIDO_ERROR_MISUSE,
                "the statement mixes two kinds of placeholders: %.*s (byte %zu) and %.*s (byte %zu)",
                shown_size(translation, first), translation->text + first.start, first.start + 1,
                shown_size(translation, token), translation->text + token.start, token.start + 1);
    lido__fault_hint(translation->error, "Write all of them as ?, all as :name, or all as $1.");
    return false;
}

static bool refuse_zero(lido__translation *translation, lido__token token) {
    return lido__fault(translation->error, LIDO_ERROR_MISUSE,
                       "the placeholder %.*s (byte %zu) stands for no value: numbers begin with 1",
                       shown_size(translation, token), translation->text + token.start, token.start + 1);
}

static bool refuse_many(lido__translation *translation, lido__token token) {
    lido__fault(translation->error, LIDO_ERROR_MISUSE,
                "the placeholder %.*s (byte %zu) is one too many: a statement takes at most %d values",
                shown_size(translation, token), translation->text + token.start, token.start + 1,
                LIDO__SQL_PARAMETERS_MOST);
    lido__fault_hint(translation->error, "Send the values in several statements.");
    return false;
}

/* Passed on, it would be a parameter to SQLite, which nobody fills and which is NULL without a word. */
static bool refuse_foreign(lido__translation *translation, lido__token token) {
    lido__fault(translation->error, LIDO_ERROR_MISUSE, "%.*s (byte %zu) is not a placeholder that lido fills",
                shown_size(translation, token), translation->text + token.start, token.start + 1);
    lido__fault_hint(translation->error, "Placeholders are ?, :name and $1; a :name needs a blank before it if it "
                                         "follows a word, a number, a quote or a bracket.");
    return false;
}

static bool refuse_operator(lido__translation *translation, lido__token token) {
    lido__fault(translation->error, LIDO_ERROR_MISUSE,
                "?? (byte %zu) stands for the operator ?, which SQLite does not have", token.start + 1);
    lido__fault_hint(translation->error, "Write a single ? for a placeholder.");
    return false;
}

static bool refuse_in_routine(lido__translation *translation, lido__token token) {
    lido__fault(translation->error, LIDO_ERROR_MISUSE,
                "the placeholder %.*s (byte %zu) stands in CREATE FUNCTION, CREATE PROCEDURE or PREPARE, which take no "
                "values",
                shown_size(translation, token), translation->text + token.start, token.start + 1);
    lido__fault_hint(translation->error, "Their own parameters are $1, $2, …; lido passes these on.");
    return false;
}

static bool refuse_cast(lido__translation *translation, lido__token colons, lido__cast cast) {
    const char *start = translation->text + colons.start;
    size_t size = cast.end - colons.start < SHOWN_SIZE_MOST ? cast.end - colons.start : SHOWN_SIZE_MOST;
    lido__fault(translation->error, LIDO_ERROR_SYNTAX, "SQLite has no %.*s (byte %zu)",
                (int)lido__utf8_cut(start, size), start, colons.start + 1);
    lido__fault_field(translation->error->sqlstate, sizeof translation->error->sqlstate, "0A000");
    if (cast.behind == NULL)
        lido__fault_hint(translation->error,
                         "On SQLite x::type goes to bigint, boolean, bytea, date, double precision, "
                         "integer, numeric, smallint, text, timestamp, timestamptz, uuid, varchar, "
                         "and none of these with a size or brackets.");
    else
        lido__fault_hint(translation->error, "What it casts could not be made out: put it into parentheses.");
    return false;
}

/* ---- Placeholders ---- */

/* The number written behind the sign; above the limit if it is, however long. */
static size_t written_number(const lido__translation *translation, lido__token token) {
    size_t number = 0;
    for (size_t i = token.start + 1; i < token.start + token.size; i++)
        if (number <= LIDO__SQL_PARAMETERS_MOST)
            number = number * 10 + (size_t)(translation->text[i] - '0');
    return number;
}

/* 0 if memory ran out or the program wrote 0. */
static size_t placeholder_number(lido__translation *translation, lido__token token) {
    if (token.kind == LIDO__TOKEN_POSITIONAL)
        return translation->parameter_count + 1;
    if (token.kind == LIDO__TOKEN_NUMBERED)
        return written_number(translation, token);
    return lido__names_number(&translation->names, translation->text + token.start + 1, token.size - 1);
}

/* Writes $3 or ?3, apart from words beside it: "LIMIT?" must not become the name LIMIT$3. */
static void write_placeholder(lido__translation *translation, lido__token token, size_t number) {
    const char *text = translation->text;
    char sign = translation->type == LIDO__POSTGRESQL ? '$' : '?';
    size_t end = token.start + token.size;
    if (token.kind == LIDO__TOKEN_NUMBERED && text[token.start] == sign)
        return;
    char placeholder[25] = {' ', sign};
    size_t size = 2 + lido__int64_format((int64_t)number, placeholder + 2);
    if (end < translation->size && lido__is_letter(text[end]))
        memcpy(placeholder + size, " ", 2);
    bool apart = token.start > 0 && lido__is_word(text[token.start - 1]);
    replace(translation, token.start, end, placeholder + !apart);
}

static bool take_placeholder(lido__translation *translation, lido__token token) {
    if (translation->placeholder.kind == LIDO__TOKEN_END)
        translation->placeholder = token;
    else if (translation->placeholder.kind != token.kind)
        return refuse_mixing(translation, token);
    size_t number = placeholder_number(translation, token);
    if (number > LIDO__SQL_PARAMETERS_MOST)
        return refuse_many(translation, token);
    if (number == 0)
        return token.kind == LIDO__TOKEN_NUMBERED ? refuse_zero(translation, token)
                                                  : lido__fault_memory(translation->error, "translating a statement");
    if (number > translation->parameter_count)
        translation->parameter_count = number;
    write_placeholder(translation, token, number);
    return true;
}

/* ---- REGEXP ---- */

static bool is_literal(lido__token_kind kind) {
    switch (kind) {
    case LIDO__TOKEN_QUOTED_NAME:
    case LIDO__TOKEN_STRING:
    case LIDO__TOKEN_NUMBER:
    case LIDO__TOKEN_POSITIONAL:
    case LIDO__TOKEN_NUMBERED:
    case LIDO__TOKEN_NAMED:
        return true;
    default:
        return false;
    }
}

static bool ends_operand(const lido__translation *translation, lido__token token) {
    const char *start = translation->text + token.start;
    if (token.kind == LIDO__TOKEN_WORD)
        return lido__word_ends_operand(start, token.size);
    return is_literal(token.kind) || token.kind == LIDO__TOKEN_CLOSE ||
           (token.kind == LIDO__TOKEN_OTHER && *start == ']');
}

static bool begins_operand(const lido__translation *translation, lido__token token) {
    if (token.kind == LIDO__TOKEN_WORD)
        return lido__word_begins_operand(translation->text + token.start, token.size);
    return is_literal(token.kind) || token.kind == LIDO__TOKEN_OPEN;
}

/* REGEXP behind a left operand: an operator, if a right operand comes next. Else it is a name. */
static void open_regexp(lido__translation *translation, lido__token token) {
    lido__token before = translation->before[0];
    bool negated = before.keyword == LIDO__KEYWORD_NOT;
    if (!ends_operand(translation, negated ? translation->before[1] : before))
        return;
    translation->regexp_start = negated ? before.start : token.start;
    translation->regexp_end = token.start + token.size;
}

static void close_regexp(lido__translation *translation, lido__token token) {
    size_t end = translation->regexp_end;
    translation->regexp_end = 0;
    if (!begins_operand(translation, token))
        return;
    bool negated = translation->before[0].start != translation->regexp_start;
    replace(translation, translation->regexp_start, end, negated ? "!~" : "~");
    translation->before[0].kind = LIDO__TOKEN_OPERATOR; /* no operand of a REGEXP that may come next */
}

static void follow_regexp(lido__translation *translation, const lido__token *token) {
    if (translation->regexp_end > 0)
        close_regexp(translation, *token);
    if (token->keyword == LIDO__KEYWORD_REGEXP)
        open_regexp(translation, *token);
    translation->before[1] = translation->before[0];
    translation->before[0] = *token;
}

/* ---- Casts, left and right, for SQLite ---- */

static bool take_cast(lido__translation *translation, lido__token colons) {
    lido__cast cast = lido__casts_read(&translation->casts, &colons);
    if (cast.behind == NULL || !cast.has_operand)
        return refuse_cast(translation, colons, cast);
    replace(translation, colons.start, cast.end, cast.behind);
    translation->cast_end = cast.end;
    return true;
}

/* SQLite takes these words for the beginning of a join also where a parenthesis follows, unless they are quoted. */
static void quote_function(lido__translation *translation, const lido__token *name) {
    const char *text = translation->text + name->start;
    bool left = name->size == 4 && strncasecmp(text, "left", 4) == 0;
    bool right = name->size == 5 && strncasecmp(text, "right", 5) == 0;
    if (name->kind == LIDO__TOKEN_WORD && (left || right))
        replace(translation, name->start, name->start + name->size, left ? "\"left\"" : "\"right\"");
}

/* Calls the column of a cast that ends before `next` what PostgreSQL calls it. */
static void name_column(lido__translation *translation, const lido__token *next) {
    lido__token name;
    if (!lido__casts_names_column(&translation->casts, next, &name))
        return;
    size_t end = translation->cast_end;
    replace(translation, end, end, " AS ");
    lido__buffer_append(&translation->output, translation->text + name.start, name.size);
}

/* False, with the error set, if the token is refused. */
static bool follow_sqlite(lido__translation *translation, const lido__token *token) {
    lido__casts *casts = &translation->casts;
    if (lido__casts_is_cast(casts, token))
        return take_cast(translation, *token);
    name_column(translation, token);
    if (token->kind == LIDO__TOKEN_OPEN)
        quote_function(translation, &casts->newest);
    lido__casts_follow(casts, token, translation->output.size + token->start - translation->copied);
    return !casts->out_of_memory || lido__fault_memory(translation->error, "translating a statement");
}

bool lido__translation_end(lido__translation *translation, const char **translated, size_t *translated_size) {
    lido__buffer *output = &translation->output;
    *translated = NULL;
    *translated_size = translation->size;
    if (translation->type == LIDO__SQLITE)
        name_column(translation, &(lido__token){.kind = LIDO__TOKEN_END, .start = translation->size});
    if (translation->copied == 0)
        return true;
    lido__buffer_append(output, translation->text + translation->copied, translation->size - translation->copied);
    lido__casts_open(&translation->casts, output);
    if (output->out_of_memory)
        return lido__fault_memory(translation->error, "translating a statement");
    *translated = output->data;
    *translated_size = output->size;
    return true;
}

bool lido__translation_token(lido__translation *translation, const lido__token *token, bool own_numbers) {
    if (translation->type == LIDO__POSTGRESQL)
        follow_regexp(translation, token);
    else if (token->start < translation->cast_end)
        return true;
    else if (!follow_sqlite(translation, token))
        return false;
    switch (token->kind) {
    case LIDO__TOKEN_POSITIONAL:
    case LIDO__TOKEN_NUMBERED:
    case LIDO__TOKEN_NAMED:
        if (own_numbers)
            return translation->text[token->start] == '$' || refuse_in_routine(translation, *token);
        return take_placeholder(translation, *token);
    case LIDO__TOKEN_FOREIGN:
        return refuse_foreign(translation, *token);
    case LIDO__TOKEN_DOUBLED:
        if (translation->type == LIDO__SQLITE)
            return refuse_operator(translation, *token);
        replace(translation, token->start, token->start + token->size, "?");
        return true;
    default:
        return true;
    }
}
