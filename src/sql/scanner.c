/* The tokenizer of scanner.h. Where the two databases differ it follows PostgreSQL's scan.l and SQLite's tokenize.c,
 * with standard_conforming_strings on, as it is by default. */
#include "sql/scanner.h"

#include <string.h>

void lido__scanner_init(lido__scanner *scanner, const char *text, size_t size, lido__database_type type) {
    *scanner = (lido__scanner){.text = text, .size = size, .type = type};
}

/* The byte `ahead` of the current place; NUL beyond the end. */
static char byte_at(const lido__scanner *scanner, size_t ahead) {
    return ahead < scanner->size - scanner->at ? scanner->text[scanner->at + ahead] : '\0';
}

static void skip(lido__scanner *scanner, size_t count) {
    size_t left = scanner->size - scanner->at;
    scanner->at += count < left ? count : left;
}

static bool is_blank(char character) {
    return character == ' ' || (character >= '\t' && character <= '\r');
}

/* Moves behind the next `end`, or to the end of the text. Linear, for no `end` has its first byte again before its
 * last: the search goes on where a comparison breaks off. */
static void skip_past(lido__scanner *scanner, const char *end, size_t size) {
    const char *limit = scanner->text + scanner->size;
    const char *from = scanner->text + scanner->at;
    scanner->at = scanner->size;
    while (from < limit && (from = memchr(from, end[0], (size_t)(limit - from))) != NULL) {
        size_t same = 1;
        while (same < size && from + same < limit && from[same] == end[same])
            same++;
        from += same;
        if (same == size) {
            scanner->at = (size_t)(from - scanner->text);
            return;
        }
    }
}

static lido__token_kind read_one(lido__scanner *scanner, lido__token_kind kind) {
    scanner->at++;
    return kind;
}

/* ---- Blanks and comments ---- */

static lido__token_kind read_blank(lido__scanner *scanner) {
    while (is_blank(byte_at(scanner, 0)))
        scanner->at++;
    return LIDO__TOKEN_BLANK;
}

static void skip_line(lido__scanner *scanner) {
    while (scanner->at < scanner->size) {
        char character = scanner->text[scanner->at];
        if (character == '\n' || (character == '\r' && scanner->type == LIDO__POSTGRESQL))
            return;
        scanner->at++;
    }
}

static lido__token_kind read_line_comment(lido__scanner *scanner) {
    skip_line(scanner);
    return LIDO__TOKEN_BLANK;
}

static void skip_nested_comment(lido__scanner *scanner) {
    size_t depth = 1;
    while (depth > 0 && scanner->at < scanner->size) {
        char first = byte_at(scanner, 0), second = byte_at(scanner, 1);
        if (first == '/' && second == '*')
            depth++;
        else if (first == '*' && second == '/')
            depth--;
        else {
            scanner->at++;
            continue;
        }
        scanner->at += 2;
    }
}

static lido__token_kind read_block_comment(lido__scanner *scanner) {
    scanner->at += 2;
    if (scanner->type == LIDO__POSTGRESQL)
        skip_nested_comment(scanner);
    else
        skip_past(scanner, "*/", 2);
    return LIDO__TOKEN_BLANK;
}

/* ---- Strings and quoted names ---- */

/* Whatever ends in `quote`, which doubled stands for itself. */
static lido__token_kind read_quoted(lido__scanner *scanner, char quote, lido__token_kind kind) {
    do {
        scanner->at++; /* the opening quote, or the second of a doubled one */
        skip_past(scanner, &quote, 1);
    } while (byte_at(scanner, 0) == quote);
    return kind;
}

/* Behind 'text': whether a line break and another quote follow, which on PostgreSQL go on with the same string and by
 * the same rules. Moves behind that quote. */
static bool string_continues(lido__scanner *scanner) {
    lido__scanner ahead = *scanner;
    bool new_line = false;
    for (;;) {
        char character = byte_at(&ahead, 0);
        if (is_blank(character)) {
            new_line = new_line || character == '\n' || character == '\r';
            ahead.at++;
        } else if (character == '-' && byte_at(&ahead, 1) == '-')
            skip_line(&ahead);
        else
            break;
    }
    if (!new_line || byte_at(&ahead, 0) != '\'')
        return false;
    scanner->at = ahead.at + 1;
    return true;
}

/* E'…', its prefix read already. */
static lido__token_kind read_escape_string(lido__scanner *scanner) {
    scanner->at++;
    while (scanner->at < scanner->size) {
        char character = byte_at(scanner, 0);
        bool doubled = character == '\'' && byte_at(scanner, 1) == '\'';
        skip(scanner, character == '\\' || doubled ? 2 : 1);
        if (character == '\'' && !doubled && !string_continues(scanner))
            break;
    }
    return LIDO__TOKEN_STRING;
}

/* $tag$…$tag$, or only the $ if this is not one. */
static lido__token_kind read_dollar_quote(lido__scanner *scanner) {
    size_t size = 1;
    if (lido__is_letter(byte_at(scanner, 1)))
        while (lido__is_letter(byte_at(scanner, size)) || lido__is_digit(byte_at(scanner, size)))
            size++;
    if (byte_at(scanner, size) != '$')
        return read_one(scanner, LIDO__TOKEN_OTHER);
    const char *tag = scanner->text + scanner->at;
    scanner->at += size + 1;
    skip_past(scanner, tag, size + 1);
    return LIDO__TOKEN_STRING;
}

/* ---- Words and numbers ---- */

static void skip_word(lido__scanner *scanner) {
    while (lido__is_word(byte_at(scanner, 0)))
        scanner->at++;
}

/* A word, or the string that it is the prefix of. Only E changes where the string ends; the others are seen so that
 * the whole is one operand. */
static lido__token_kind read_word(lido__scanner *scanner) {
    char first = byte_at(scanner, 0);
    size_t start = scanner->at;
    bool postgresql = scanner->type == LIDO__POSTGRESQL;
    skip_word(scanner);
    if (scanner->at - start > 1)
        return LIDO__TOKEN_WORD;
    char next = byte_at(scanner, 0);
    char after = byte_at(scanner, 1);
    if (next == '\'' && postgresql && (first == 'e' || first == 'E'))
        return read_escape_string(scanner);
    if (next == '\'' && strchr(postgresql ? "bBnNxX" : "xX", first) != NULL)
        return read_quoted(scanner, '\'', LIDO__TOKEN_STRING);
    if (next == '&' && postgresql && (first == 'u' || first == 'U') && (after == '\'' || after == '"')) {
        scanner->at++;
        return read_quoted(scanner, after, after == '"' ? LIDO__TOKEN_QUOTED_NAME : LIDO__TOKEN_STRING);
    }
    return LIDO__TOKEN_WORD;
}

static void skip_digits(lido__scanner *scanner) {
    while (lido__is_digit(byte_at(scanner, 0)))
        scanner->at++;
}

static lido__token_kind read_number(lido__scanner *scanner) {
    skip_digits(scanner);
    if (byte_at(scanner, 0) == '.' && byte_at(scanner, 1) != '.') {
        scanner->at++;
        skip_digits(scanner);
    }
    char exponent = byte_at(scanner, 0), sign = byte_at(scanner, 1);
    if ((exponent == 'e' || exponent == 'E') && (sign == '+' || sign == '-') && lido__is_digit(byte_at(scanner, 2)))
        scanner->at += 2;
    if (lido__is_word(byte_at(scanner, 0)) && byte_at(scanner, 0) != '$')
        skip_word(scanner); /* 0x1F, 1_000, 1e5; and 12abc, which is for the database to refuse */
    return LIDO__TOKEN_NUMBER;
}

/* ---- Placeholders and operators ---- */

static lido__token_kind read_foreign(lido__scanner *scanner) {
    scanner->at++;
    skip_word(scanner);
    return LIDO__TOKEN_FOREIGN;
}

static lido__token_kind read_question(lido__scanner *scanner) {
    scanner->at++;
    if (byte_at(scanner, 0) == '?')
        return read_one(scanner, LIDO__TOKEN_DOUBLED);
    if (!lido__is_digit(byte_at(scanner, 0)))
        return LIDO__TOKEN_POSITIONAL;
    skip_digits(scanner);
    return LIDO__TOKEN_NUMBERED;
}

static lido__token_kind read_dollar(lido__scanner *scanner) {
    if (lido__is_digit(byte_at(scanner, 1))) {
        scanner->at++;
        skip_digits(scanner);
        return LIDO__TOKEN_NUMBERED;
    }
    return scanner->type == LIDO__POSTGRESQL ? read_dollar_quote(scanner) : read_foreign(scanner);
}

static lido__token_kind read_colon(lido__scanner *scanner) {
    char next = byte_at(scanner, 1);
    if (next == ':' || next == '=') {
        scanner->at += 2;
        return LIDO__TOKEN_OPERATOR;
    }
    if (scanner->joined || !lido__is_letter(next))
        return scanner->type == LIDO__POSTGRESQL ? read_one(scanner, LIDO__TOKEN_OTHER) : read_foreign(scanner);
    scanner->at++;
    while (lido__is_letter(byte_at(scanner, 0)) || lido__is_digit(byte_at(scanner, 0)))
        scanner->at++;
    return LIDO__TOKEN_NAMED;
}

/* Not "?", which is a placeholder wherever it stands; @, # and ` are operators on PostgreSQL alone. */
static bool is_operator(const lido__scanner *scanner, char character) {
    const char *operators = scanner->type == LIDO__POSTGRESQL ? "+-*/<>=~!%^&|@#`" : "+-*/<>=~!%^&|";
    return character != '\0' && strchr(operators, character) != NULL;
}

static bool comment_begins(const lido__scanner *scanner) {
    char first = byte_at(scanner, 0), second = byte_at(scanner, 1);
    return (first == '-' && second == '-') || (first == '/' && second == '*');
}

static lido__token_kind read_operator(lido__scanner *scanner) {
    if (!is_operator(scanner, byte_at(scanner, 0)))
        return read_one(scanner, LIDO__TOKEN_OTHER);
    do
        scanner->at++;
    while (is_operator(scanner, byte_at(scanner, 0)) && !comment_begins(scanner));
    return LIDO__TOKEN_OPERATOR;
}

static lido__token_kind read_sqlite(lido__scanner *scanner, char first) {
    switch (first) {
    case '`':
        return read_quoted(scanner, '`', LIDO__TOKEN_QUOTED_NAME);
    case '[':
        skip_past(scanner, "]", 1);
        return LIDO__TOKEN_QUOTED_NAME;
    case '@':
    case '#':
        return read_foreign(scanner);
    default:
        return read_operator(scanner);
    }
}

static lido__token_kind read_token(lido__scanner *scanner) {
    char first = byte_at(scanner, 0);
    if (lido__is_letter(first))
        return read_word(scanner);
    if (is_blank(first))
        return read_blank(scanner);
    if (lido__is_digit(first) || (first == '.' && lido__is_digit(byte_at(scanner, 1))))
        return read_number(scanner);
    if (comment_begins(scanner))
        return first == '-' ? read_line_comment(scanner) : read_block_comment(scanner);
    switch (first) {
    case '\'':
        return read_quoted(scanner, first, LIDO__TOKEN_STRING);
    case '"':
        return read_quoted(scanner, first, LIDO__TOKEN_QUOTED_NAME);
    case '?':
        return read_question(scanner);
    case '$':
        return read_dollar(scanner);
    case ':':
        return read_colon(scanner);
    case '(':
        return read_one(scanner, LIDO__TOKEN_OPEN);
    case ')':
        return read_one(scanner, LIDO__TOKEN_CLOSE);
    case ';':
        return read_one(scanner, LIDO__TOKEN_SEMICOLON);
    default:
        return scanner->type == LIDO__SQLITE ? read_sqlite(scanner, first) : read_operator(scanner);
    }
}

/* Whether a colon directly behind this token is part of a slice or a cast rather than the start of a :name. */
static bool joins_colon(const lido__scanner *scanner, lido__token_kind kind) {
    switch (kind) {
    case LIDO__TOKEN_WORD:
    case LIDO__TOKEN_QUOTED_NAME:
    case LIDO__TOKEN_STRING:
    case LIDO__TOKEN_NUMBER:
    case LIDO__TOKEN_POSITIONAL:
    case LIDO__TOKEN_NUMBERED:
    case LIDO__TOKEN_NAMED:
    case LIDO__TOKEN_CLOSE:
        return true;
    case LIDO__TOKEN_OPERATOR:
    case LIDO__TOKEN_OTHER:
        return scanner->text[scanner->at - 1] == ':' || scanner->text[scanner->at - 1] == ']';
    default:
        return false;
    }
}

static lido__sql_keyword keyword_of(const char *start, size_t size, lido__token_kind kind) {
    switch (kind) {
    case LIDO__TOKEN_WORD:
        return lido__sql_keyword_of(start, size);
    case LIDO__TOKEN_OPEN:
        return LIDO__SIGN_OPEN;
    case LIDO__TOKEN_CLOSE:
        return LIDO__SIGN_CLOSE;
    case LIDO__TOKEN_SEMICOLON:
        return LIDO__SIGN_SEMICOLON;
    case LIDO__TOKEN_OTHER:
        return *start == '.' ? LIDO__SIGN_DOT : LIDO__NO_KEYWORD;
    default:
        return LIDO__NO_KEYWORD;
    }
}

lido__token lido__scanner_next(lido__scanner *scanner) {
    lido__token token = {LIDO__TOKEN_END, LIDO__NO_KEYWORD, scanner->at, 0};
    if (scanner->at == scanner->size)
        return token;
    token.kind = read_token(scanner);
    token.size = scanner->at - token.start;
    token.keyword = keyword_of(scanner->text + token.start, token.size, token.kind);
    scanner->joined = joins_colon(scanner, token.kind);
    return token;
}
