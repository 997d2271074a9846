/* Which unique constraint was violated: SQLite's message names its columns, and not it. So the schema is asked, after
 * the fact. What cannot be found out stays unsaid. */
#include <string.h>

#include "backend/sqlite/sqlite.h"
#include "base/fault.h"
#include "sql/scanner.h"

typedef void take_answer(const char *text, lido_error *error);

/* Asks of a table, and perhaps of something else, and hands the first row's text on. */
static void ask(sqlite3 *handle, const char *question, const char *table, const char *other, take_answer *take,
                lido_error *error) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(handle, question, -1, &statement, NULL) != SQLITE_OK)
        return;
    sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
    if (other != NULL)
        sqlite3_bind_text(statement, 2, other, -1, SQLITE_STATIC);
    const char *text = sqlite3_step(statement) == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    if (text != NULL)
        take(text, error);
    sqlite3_finalize(statement);
}

static void take_index_name(const char *text, lido_error *error) {
    lido__fault_field(error->constraint, sizeof error->constraint, text);
}

/* `columns` is as in the message: "items.owner_id, items.name". A UNIQUE within CREATE TABLE has no name of its own. */
static void name_index(sqlite3 *handle, const char *table, const char *columns, lido_error *error) {
    ask(handle,
        "SELECT name FROM pragma_index_list(?1) AS index_ WHERE \"unique\" AND origin = 'c' AND ?2 = (SELECT"
        " group_concat(?1 || '.' || name, ', ') FROM (SELECT name FROM pragma_index_info(index_.name) ORDER BY seqno))",
        table, columns, take_index_name, error);
}

static bool is_word(const char *sql, lido__token token, const char *word) {
    return token.kind == LIDO__TOKEN_WORD && token.size == strlen(word) &&
           sqlite3_strnicmp(sql + token.start, word, (int)token.size) == 0;
}

/* Without its quotes, in which one that is in the name is doubled. */
static void take_name(const char *sql, lido__token token, char *name, size_t size) {
    size_t length = 0;
    bool quoted = token.kind == LIDO__TOKEN_QUOTED_NAME;
    for (size_t i = quoted; i + quoted < token.size && length + 1 < size; i++) {
        name[length++] = sql[token.start + i];
        i += quoted && sql[token.start + i] == '"';
    }
    name[length] = '\0';
}

/* CONSTRAINT name PRIMARY in the text of CREATE TABLE. */
static void find_key_name(const char *sql, lido_error *error) {
    lido__scanner scanner;
    lido__token before[2] = {{.kind = LIDO__TOKEN_END}, {.kind = LIDO__TOKEN_END}};
    lido__scanner_init(&scanner, sql, strlen(sql), LIDO__SQLITE);
    for (;;) {
        lido__token token = lido__scanner_next(&scanner);
        if (token.kind == LIDO__TOKEN_END)
            return;
        if (token.kind == LIDO__TOKEN_BLANK)
            continue;
        if (is_word(sql, token, "PRIMARY") && is_word(sql, before[0], "CONSTRAINT")) {
            take_name(sql, before[1], error->constraint, sizeof error->constraint);
            return;
        }
        before[0] = before[1];
        before[1] = token;
    }
}

static void name_key(sqlite3 *handle, const char *table, lido_error *error) {
    ask(handle, "SELECT sql FROM sqlite_schema WHERE name = ?1 AND type = 'table'", table, NULL, find_key_name, error);
}

void lido__sqlite_name_constraint(sqlite3 *handle, int code, const char *table, const char *columns,
                                  lido_error *error) {
    if (code == SQLITE_CONSTRAINT_UNIQUE)
        name_index(handle, table, columns, error);
    else if (code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_ROWID)
        name_key(handle, table, error);
}
