/* Kinds and ends of statements, as shape.h says. A guess on the safe side: what is not known to read is taken to
 * write. */
#include "sql/shape.h"

void lido__shape_init(lido__shape *shape, lido__database_type type) {
    *shape = (lido__shape){.type = type, .kind = LIDO__SQL_EMPTY};
}

/* The keyword `back` tokens before the newest. */
static lido__sql_keyword recent(const lido__shape *shape, unsigned back) {
    return (lido__sql_keyword)(shape->recent >> (8 * back) & 0xFF);
}

static void remember(lido__shape *shape, lido__sql_keyword keyword) {
    shape->recent = shape->recent << 8 | (uint32_t)keyword;
}

static lido__sql_kind kind_of_verb(lido__sql_keyword verb) {
    switch (verb) {
    case LIDO__KEYWORD_SELECT:
    case LIDO__KEYWORD_VALUES:
    case LIDO__KEYWORD_TABLE:
    case LIDO__KEYWORD_SHOW:
    case LIDO__KEYWORD_WITH:
        return LIDO__SQL_READS;
    case LIDO__KEYWORD_BEGIN:
    case LIDO__KEYWORD_START:
    case LIDO__KEYWORD_COMMIT:
    case LIDO__KEYWORD_END:
    case LIDO__KEYWORD_ROLLBACK:
    case LIDO__KEYWORD_ABORT:
    case LIDO__KEYWORD_SAVEPOINT:
    case LIDO__KEYWORD_RELEASE:
        return LIDO__SQL_TRANSACTION;
    case LIDO__KEYWORD_DISCARD:
    case LIDO__KEYWORD_DEALLOCATE:
        return LIDO__SQL_FORGETS;
    case LIDO__KEYWORD_PRAGMA:
    case LIDO__KEYWORD_SET:
    case LIDO__KEYWORD_RESET:
        return LIDO__SQL_SETTING;
    default:
        return LIDO__SQL_WRITES;
    }
}

static void set_verb(lido__shape *shape, lido__sql_keyword verb) {
    shape->verb_known = true;
    shape->verb = verb;
    shape->with = verb == LIDO__KEYWORD_WITH;
    shape->own_numbers = verb == LIDO__KEYWORD_PREPARE;
    if (!shape->explains || shape->analyzes)
        shape->kind = kind_of_verb(verb);
}

/* EXPLAIN ANALYZE …, EXPLAIN (option, …) …, EXPLAIN QUERY PLAN …; in parentheses stand options, or a query. That
 * (ANALYZE FALSE) analyzes nothing is not seen: it counts as what it explains. */
static void find_explained_verb(lido__shape *shape, lido__sql_keyword keyword) {
    switch (keyword) {
    case LIDO__KEYWORD_ANALYZE:
        shape->analyzes = shape->type == LIDO__POSTGRESQL; /* SQLite's EXPLAIN ANALYZE explains the statement ANALYZE */
        return;
    case LIDO__KEYWORD_VERBOSE:
    case LIDO__KEYWORD_QUERY:
    case LIDO__KEYWORD_PLAN:
        return;
    default:
        if (shape->parentheses == 0 || kind_of_verb(keyword) == LIDO__SQL_READS)
            set_verb(shape, keyword);
    }
}

/* The first word, behind opening parentheses. */
static void find_verb(lido__shape *shape, lido__token_kind token, lido__sql_keyword keyword) {
    if (shape->explains) {
        if (token == LIDO__TOKEN_WORD)
            find_explained_verb(shape, keyword);
    } else if (keyword == LIDO__KEYWORD_EXPLAIN) {
        shape->explains = true;
        shape->kind = LIDO__SQL_READS;
    } else if (token != LIDO__TOKEN_OPEN)
        set_verb(shape, keyword);
}

/* Whether the newest token stands where, in a statement with WITH, one of its statements can begin. */
static bool begins_part(const lido__shape *shape) {
    if (!shape->with)
        return false;
    if (recent(shape, 1) == LIDO__SIGN_CLOSE)
        return true;
    lido__sql_keyword before = recent(shape, 2);
    return recent(shape, 1) == LIDO__SIGN_OPEN && (before == LIDO__KEYWORD_AS || before == LIDO__KEYWORD_MATERIALIZED);
}

/* SELECT … FOR [NO KEY] UPDATE, FOR [KEY] SHARE: takes row locks, and PostgreSQL refuses it in a read-only transaction.
 * So it writes. */
static bool locks_rows(const lido__shape *shape) {
    bool keyed = recent(shape, 1) == LIDO__KEYWORD_KEY;
    lido__sql_keyword before = recent(shape, keyed ? 2 : 1);
    if (keyed && before == LIDO__KEYWORD_NO)
        before = recent(shape, 3);
    return before == LIDO__KEYWORD_FOR;
}

/* Whether its newest word makes a statement that looked like a query one that writes. */
static bool turns_to_write(const lido__shape *shape) {
    switch (recent(shape, 0)) {
    case LIDO__KEYWORD_INTO: /* SELECT INTO; behind WITH also INSERT INTO, MERGE INTO, REPLACE INTO */
        return recent(shape, 1) != LIDO__KEYWORD_AS && recent(shape, 1) != LIDO__SIGN_DOT;
    case LIDO__KEYWORD_UPDATE:
        return begins_part(shape) || locks_rows(shape);
    case LIDO__KEYWORD_DELETE:
        return begins_part(shape);
    case LIDO__KEYWORD_SHARE:
        return locks_rows(shape);
    default:
        return false;
    }
}

/* CREATE [OR REPLACE] or CREATE [TEMPORARY] just before the newest word. */
static bool follows_create(const lido__shape *shape) {
    lido__sql_keyword before = recent(shape, 1);
    if (before == LIDO__KEYWORD_TEMPORARY)
        before = recent(shape, 2);
    else if (before == LIDO__KEYWORD_REPLACE && recent(shape, 2) == LIDO__KEYWORD_OR)
        before = recent(shape, 3);
    return before == LIDO__KEYWORD_CREATE;
}

/* On PostgreSQL the body of a routine stands between BEGIN ATOMIC and END. On SQLite that of a trigger is taken to
 * begin at the word TRIGGER, for BEGIN may be a name there. Either way every statement of a body ends in a semicolon,
 * so that an END at the start of one ends the body and any other END belongs to a CASE. */
static void follow_body(lido__shape *shape, lido__sql_keyword keyword) {
    bool postgresql = shape->type == LIDO__POSTGRESQL;
    lido__sql_keyword before = recent(shape, 1);
    if (keyword == LIDO__KEYWORD_FUNCTION || keyword == LIDO__KEYWORD_PROCEDURE)
        shape->own_numbers = shape->own_numbers || (postgresql && follows_create(shape));
    else if (keyword == LIDO__KEYWORD_TRIGGER)
        shape->bodies += !postgresql && follows_create(shape);
    else if (keyword == LIDO__KEYWORD_ATOMIC)
        shape->bodies += shape->own_numbers && shape->parentheses == 0 && before == LIDO__KEYWORD_BEGIN;
    else if (keyword == LIDO__KEYWORD_END && shape->bodies > 0)
        shape->bodies -= before == LIDO__SIGN_SEMICOLON || before == LIDO__KEYWORD_ATOMIC;
}

static void follow_word(lido__shape *shape, lido__sql_keyword keyword) {
    if (shape->kind == LIDO__SQL_READS && (!shape->explains || shape->analyzes)) {
        shape->with = shape->with || keyword == LIDO__KEYWORD_WITH;
        if (turns_to_write(shape))
            shape->kind = LIDO__SQL_WRITES;
    } else if (shape->verb == LIDO__KEYWORD_CREATE)
        follow_body(shape, keyword);
    else if (shape->verb == LIDO__KEYWORD_PREPARE && keyword == LIDO__KEYWORD_TRANSACTION &&
             recent(shape, 1) == LIDO__KEYWORD_PREPARE) {
        shape->kind = LIDO__SQL_TRANSACTION;
        shape->own_numbers = false;
    }
}

/* A semicolon in parentheses ends nothing: CREATE RULE … DO ALSO (…; …). */
static void follow_semicolon(lido__shape *shape) {
    remember(shape, LIDO__SIGN_SEMICOLON);
    if (shape->begun && shape->parentheses == 0 && shape->bodies == 0)
        shape->ended = true;
}

void lido__shape_follow(lido__shape *shape, const lido__token *token) {
    if (token->kind == LIDO__TOKEN_SEMICOLON) {
        follow_semicolon(shape);
        return;
    }
    if (shape->ended) {
        shape->many = true;
        return;
    }
    if (!shape->begun)
        shape->kind = LIDO__SQL_WRITES; /* until its verb is found */
    shape->begun = true;
    remember(shape, token->keyword);
    if (token->kind == LIDO__TOKEN_OPEN)
        shape->parentheses++;
    else if (token->kind == LIDO__TOKEN_CLOSE && shape->parentheses > 0)
        shape->parentheses--;
    if (!shape->verb_known)
        find_verb(shape, token->kind, token->keyword);
    else if (token->keyword != LIDO__NO_KEYWORD)
        follow_word(shape, token->keyword);
}
