/* Fingerprints, as fingerprint.h says. How the text is spaced depends on its tokens alone. */
#include "sql/fingerprint.h"

#include <string.h>
#include <strings.h>

#include "base/convert.h"
#include "sql/hash.h"

void lido__fingerprint_init(lido__fingerprint *fingerprint, const char *source, lido__database_type type) {
    *fingerprint = (lido__fingerprint){.source = source, .type = type, .hash = UINT64_C(0x2545F4914F6CDD1D)};
}

/* ---- Putting pieces into the text ---- */

/* Beyond what there is room for, only the hash goes on. */
static void put(lido__fingerprint *fingerprint, char shown, char hashed) {
    fingerprint->hash = lido__hash_mix(fingerprint->hash, (unsigned char)hashed);
    if (fingerprint->size <= LIDO__SQL_NORMAL_MOST)
        fingerprint->text[fingerprint->size++] = (unsigned char)shown < ' ' || shown == 0x7f ? ' ' : shown;
}

static bool is_apart(lido__piece before, lido__piece next) {
    switch (next) {
    case LIDO__PIECE_CLOSE:
    case LIDO__PIECE_COMMA:
    case LIDO__PIECE_SUBSCRIPT:
        return false;
    case LIDO__PIECE_OPEN:
        if (before == LIDO__PIECE_NAME)
            return false;
        break;
    case LIDO__PIECE_GLUE: /* two signs side by side would be a comment */
        if (before == LIDO__PIECE_GLUE)
            return true;
        break;
    default:
        break;
    }
    return before != LIDO__PIECE_NONE && before != LIDO__PIECE_OPEN && before != LIDO__PIECE_SUBSCRIPT &&
           before != LIDO__PIECE_GLUE;
}

/* `joined`: without a blank before it. */
static void add(lido__fingerprint *fingerprint, const char *bytes, size_t size, lido__piece piece, bool joined) {
    bool any_case = piece == LIDO__PIECE_NAME || piece == LIDO__PIECE_RESERVED;
    if (!joined && is_apart(fingerprint->last, piece))
        put(fingerprint, ' ', ' ');
    any_case = any_case && lido__is_letter(*bytes);
    for (size_t i = 0; i < size; i++) {
        bool upper = any_case && bytes[i] >= 'A' && bytes[i] <= 'Z';
        put(fingerprint, bytes[i], upper ? (char)(bytes[i] | 0x20) : bytes[i]);
    }
    fingerprint->last = piece;
}

/* What was held back until it was known what follows. */
static void add_pending(lido__fingerprint *fingerprint) {
    if (fingerprint->semicolon)
        add(fingerprint, ";", 1, LIDO__PIECE_COMMA, false);
    if (fingerprint->comma)
        add(fingerprint, ",", 1, LIDO__PIECE_COMMA, false);
    if (fingerprint->sign != '\0')
        add(fingerprint, &fingerprint->sign, 1, LIDO__PIECE_GLUE, false);
    fingerprint->semicolon = fingerprint->comma = false;
    fingerprint->sign = '\0';
}

/* ---- Lists ---- */

static void open_list(lido__fingerprint *fingerprint, lido__folding folding, size_t depth) {
    fingerprint->folding = folding;
    fingerprint->list_depth = depth;
}

static bool is_in_list(const lido__fingerprint *fingerprint) {
    return fingerprint->folding != LIDO__FOLDS_NOTHING && fingerprint->depth == fingerprint->list_depth;
}

static void open(lido__fingerprint *fingerprint) {
    bool further_row = is_in_list(fingerprint) && fingerprint->comma && fingerprint->last == LIDO__PIECE_CLOSE;
    if (further_row) {
        fingerprint->comma = false;
        fingerprint->skips = true;
        fingerprint->skipped_from = fingerprint->depth++;
        return;
    }
    add_pending(fingerprint);
    add(fingerprint, "(", 1, LIDO__PIECE_OPEN, false);
    fingerprint->depth++;
    if (fingerprint->before == LIDO__LEADS_LIST)
        open_list(fingerprint, LIDO__FOLDS_VALUES, fingerprint->depth);
    /* PRAGMA name(value); but ALTER TABLE a SET (name = value) */
    fingerprint->set_value = fingerprint->set_value || (fingerprint->sets && !fingerprint->alters);
}

static void close(lido__fingerprint *fingerprint, char bracket) {
    add_pending(fingerprint);
    add(fingerprint, &bracket, 1, LIDO__PIECE_CLOSE, false);
    if (fingerprint->depth > 0)
        fingerprint->depth--;
    if (fingerprint->depth < fingerprint->list_depth)
        open_list(fingerprint, LIDO__FOLDS_NOTHING, 0);
    if (fingerprint->alters)
        fingerprint->set_value = false;
}

/* Within a row that is left out. */
static void skip(lido__fingerprint *fingerprint, const lido__token *token) {
    if (token->kind == LIDO__TOKEN_OPEN)
        fingerprint->depth++;
    else if (token->kind == LIDO__TOKEN_CLOSE)
        fingerprint->skips = --fingerprint->depth > fingerprint->skipped_from;
}

/* ---- Tokens ---- */

static bool is_word(const char *start, const lido__token *token, const char *word) {
    return token->size == strlen(word) && strncasecmp(start, word, token->size) == 0;
}

/* Texts side by side are one value. A number's own sign belongs to it. */
static void add_value(lido__fingerprint *fingerprint, bool is_number) {
    if (is_number)
        fingerprint->sign = '\0';
    bool further = fingerprint->last == LIDO__PIECE_VALUE && fingerprint->sign == '\0' && !fingerprint->semicolon;
    bool folds = is_in_list(fingerprint) && fingerprint->folding == LIDO__FOLDS_VALUES;
    if (further && (folds || !fingerprint->comma)) {
        fingerprint->comma = false;
        return;
    }
    add_pending(fingerprint);
    add(fingerprint, "?", 1, LIDO__PIECE_VALUE, false);
}

/* What stands between what is set and its value, where that is a word. SET ROLE TO a has two of them, so TO is one
 * behind another, too; behind a value it is a part of it. */
static bool leads_to_value(const lido__fingerprint *fingerprint, const char *start, const lido__token *token) {
    if (!fingerprint->sets || (fingerprint->set_value && fingerprint->last == LIDO__PIECE_VALUE))
        return false;
    if (is_word(start, token, "to"))
        return true;
    return !fingerprint->set_value && (is_word(start, token, "zone") || is_word(start, token, "role") ||
                                       is_word(start, token, "names") || is_word(start, token, "authorization"));
}

static bool is_value(const lido__fingerprint *fingerprint, const char *start, const lido__token *token) {
    if (fingerprint->set_value)
        return !leads_to_value(fingerprint, start, token);
    return fingerprint->before != LIDO__LEADS_NULL && fingerprint->last != LIDO__PIECE_GLUE &&
           (is_word(start, token, "null") || is_word(start, token, "true") || is_word(start, token, "false"));
}

static void follow_word(lido__fingerprint *fingerprint, const lido__token *token) {
    const char *start = fingerprint->source + token->start;
    bool reserved = !lido__word_ends_operand(start, token->size);
    bool leads = leads_to_value(fingerprint, start, token);
    if (is_value(fingerprint, start, token)) {
        add_value(fingerprint, false);
        return;
    }
    if (fingerprint->folding == LIDO__FOLDS_ROWS && is_in_list(fingerprint))
        open_list(fingerprint, LIDO__FOLDS_NOTHING, 0);
    add_pending(fingerprint);
    if (token->keyword == LIDO__KEYWORD_VALUES)
        open_list(fingerprint, LIDO__FOLDS_ROWS, fingerprint->depth);
    add(fingerprint, start, token->size, reserved ? LIDO__PIECE_RESERVED : LIDO__PIECE_NAME, false);
    fingerprint->set_value = leads;
    fingerprint->sets = fingerprint->sets || (fingerprint->alters && token->keyword == LIDO__KEYWORD_SET);
    if (is_word(start, token, "in"))
        fingerprint->newest = LIDO__LEADS_LIST;
    else if (token->keyword == LIDO__KEYWORD_NOT || token->keyword == LIDO__KEYWORD_SET || is_word(start, token, "is"))
        fingerprint->newest = LIDO__LEADS_NULL;
}

/* Whether a sign behind the newest piece would have an operand there. */
static bool ends_operand(const lido__fingerprint *fingerprint) {
    return !fingerprint->comma && (fingerprint->last == LIDO__PIECE_NAME || fingerprint->last == LIDO__PIECE_VALUE ||
                                   fingerprint->last == LIDO__PIECE_CLOSE);
}

/* a=-1 is read as one operator; but an operator of PostgreSQL's that has one of these signs may end so. */
static size_t size_without_sign(const char *start, size_t size) {
    bool signs = start[size - 1] == '-' || start[size - 1] == '+';
    for (size_t i = 0; i < size && signs; i++)
        signs = strchr("~!@#%^&|`", start[i]) == NULL;
    return signs ? size - 1 : size;
}

static void follow_operator(lido__fingerprint *fingerprint, const lido__token *token) {
    const char *start = fingerprint->source + token->start;
    bool cast = token->size == 2 && memcmp(start, "::", 2) == 0;
    size_t size = token->size;
    if (size > 1 || !ends_operand(fingerprint))
        size = size_without_sign(start, size);
    if (size > 0 || fingerprint->sign != '\0')
        add_pending(fingerprint);
    if (size > 0)
        add(fingerprint, start, size, cast ? LIDO__PIECE_GLUE : LIDO__PIECE_OPERATOR, cast);
    if (size < token->size)
        fingerprint->sign = start[token->size - 1];
    fingerprint->set_value = fingerprint->set_value || (fingerprint->sets && size == 1 && *start == '=');
}

static void follow_other(lido__fingerprint *fingerprint, const lido__token *token) {
    const char *start = fingerprint->source + token->start;
    if (*start == ',') {
        add_pending(fingerprint);
        fingerprint->comma = true;
    } else if (*start == '[') {
        add_pending(fingerprint);
        add(fingerprint, start, 1, LIDO__PIECE_SUBSCRIPT, false);
        open_list(fingerprint, LIDO__FOLDS_VALUES, ++fingerprint->depth);
    } else if (*start == ']')
        close(fingerprint, ']');
    else {
        add_pending(fingerprint);
        add(fingerprint, start, token->size, LIDO__PIECE_GLUE, true);
    }
}

static void follow_quoted_name(lido__fingerprint *fingerprint, const lido__token *token) {
    if (fingerprint->set_value) {
        add_value(fingerprint, false);
        return;
    }
    add_pending(fingerprint);
    add(fingerprint, fingerprint->source + token->start, token->size, LIDO__PIECE_NAME, false);
}

static void follow_semicolon(lido__fingerprint *fingerprint) {
    if (!fingerprint->begun)
        return;
    add_pending(fingerprint);
    fingerprint->semicolon = true;
    fingerprint->begun = fingerprint->sets = fingerprint->alters = fingerprint->set_value = false;
}

static void follow(lido__fingerprint *fingerprint, const lido__token *token) {
    switch (token->kind) {
    case LIDO__TOKEN_WORD:
        follow_word(fingerprint, token);
        break;
    case LIDO__TOKEN_STRING:
    case LIDO__TOKEN_NUMBER:
        add_value(fingerprint, token->kind == LIDO__TOKEN_NUMBER);
        break;
    case LIDO__TOKEN_POSITIONAL:
    case LIDO__TOKEN_NUMBERED:
    case LIDO__TOKEN_NAMED:
        add_value(fingerprint, false);
        break;
    case LIDO__TOKEN_QUOTED_NAME:
        follow_quoted_name(fingerprint, token);
        break;
    case LIDO__TOKEN_OPEN:
        open(fingerprint);
        break;
    case LIDO__TOKEN_CLOSE:
        close(fingerprint, ')');
        break;
    case LIDO__TOKEN_SEMICOLON:
        follow_semicolon(fingerprint);
        break;
    case LIDO__TOKEN_OTHER:
        follow_other(fingerprint, token);
        break;
    default:
        follow_operator(fingerprint, token);
    }
}

void lido__fingerprint_follow(lido__fingerprint *fingerprint, const lido__token *token) {
    if (fingerprint->skips) {
        skip(fingerprint, token);
        return;
    }
    if (!fingerprint->begun) {
        fingerprint->sets = token->keyword == LIDO__KEYWORD_SET || token->keyword == LIDO__KEYWORD_PRAGMA;
        fingerprint->alters =
            token->kind == LIDO__TOKEN_WORD && is_word(fingerprint->source + token->start, token, "alter");
    }
    fingerprint->begun = fingerprint->begun || token->kind != LIDO__TOKEN_SEMICOLON;
    fingerprint->before = fingerprint->newest;
    fingerprint->newest = LIDO__LEADS_NOTHING;
    follow(fingerprint, token);
}

uint64_t lido__fingerprint_end(lido__fingerprint *fingerprint, lido__sql_kind kind) {
    fingerprint->semicolon = false;
    add_pending(fingerprint);
    if (fingerprint->size > LIDO__SQL_NORMAL_MOST) {
        fingerprint->size = lido__utf8_cut(fingerprint->text, LIDO__SQL_NORMAL_MOST);
        memcpy(fingerprint->text + fingerprint->size, "…", sizeof "…");
    } else
        fingerprint->text[fingerprint->size] = '\0';
    uint64_t hash = lido__hash_mix(fingerprint->hash, (uint64_t)kind);
    return hash != 0 ? hash : 1;
}
