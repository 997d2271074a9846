/* SQLite's result codes in lido's words: category, SQLSTATE, table and column where the message tells. */
#include <stdio.h>
#include <string.h>

#include "backend/sqlite/sqlite.h"
#include "base/fault.h"

typedef struct meaning {
    int code; /* extended, or primary for all of its kind */
    lido_category category;
    const char *sqlstate;
    const char *hint;
} meaning;

/* Extended codes first: the first that fits counts. */
static const meaning meanings[] = {
    {SQLITE_CONSTRAINT_UNIQUE, LIDO_ERROR_UNIQUE, "23505", NULL},
    {SQLITE_CONSTRAINT_PRIMARYKEY, LIDO_ERROR_UNIQUE, "23505", NULL},
    {SQLITE_CONSTRAINT_ROWID, LIDO_ERROR_UNIQUE, "23505", NULL},
    {SQLITE_CONSTRAINT_FOREIGNKEY, LIDO_ERROR_FOREIGN_KEY, "23503", NULL},
    {SQLITE_CONSTRAINT_NOTNULL, LIDO_ERROR_NOT_NULL, "23502", NULL},
    {SQLITE_CONSTRAINT_CHECK, LIDO_ERROR_CHECK, "23514", NULL},
    {SQLITE_CONSTRAINT_DATATYPE, LIDO_ERROR_TYPE, "42804", NULL},
    {SQLITE_CONSTRAINT, LIDO_ERROR_OTHER, "23000", NULL},
    {SQLITE_BUSY_SNAPSHOT, LIDO_ERROR_SERIALISATION, "40001", "run the transaction again, or start it with a write"},
    {SQLITE_BUSY, LIDO_ERROR_BUSY, "55P03", "another transaction holds the lock; end it sooner, or raise busy_timeout"},
    {SQLITE_LOCKED, LIDO_ERROR_BUSY, "55P03", NULL},
    {SQLITE_INTERRUPT, LIDO_ERROR_CANCELLED, "57014", NULL},
    {SQLITE_IOERR_NOMEM, LIDO_ERROR_OUT_OF_MEMORY, "", NULL},
    {SQLITE_NOMEM, LIDO_ERROR_OUT_OF_MEMORY, "", NULL},
    {SQLITE_FULL, LIDO_ERROR_STORAGE, "53100", "free space on the disk that holds the database"},
    {SQLITE_IOERR, LIDO_ERROR_STORAGE, "58030", NULL},
    {SQLITE_CORRUPT, LIDO_ERROR_STORAGE, "XX001",
     "restore the file from a copy, or try the sqlite3 command's .recover"},
    {SQLITE_NOTADB, LIDO_ERROR_STORAGE, "XX001", "check the path: the file holds something else"},
    {SQLITE_CANTOPEN, LIDO_ERROR_STORAGE, "58P01",
     "check the path: its folder must be there and writable; mode=ro and mode=rw make no file"},
    {SQLITE_READONLY, LIDO_ERROR_READ_ONLY, "25006", "check who may write to the file and its folder"},
    {SQLITE_PERM, LIDO_ERROR_PERMISSION, "42501", NULL},
    {SQLITE_AUTH, LIDO_ERROR_PERMISSION, "42501", NULL},
    {SQLITE_TOOBIG, LIDO_ERROR_TYPE, "54000", NULL},
    {SQLITE_MISMATCH, LIDO_ERROR_TYPE, "42804", NULL},
    {SQLITE_RANGE, LIDO_ERROR_MISUSE, "", NULL},
    {SQLITE_MISUSE, LIDO_ERROR_MISUSE, "", NULL},
};

/* What SQLite tells only in its message, with the plain code SQLITE_ERROR. */
static const struct {
    const char *begins;
    lido_category category;
    const char *sqlstate;
} plain_errors[] = {
    {"no such table", LIDO_ERROR_SYNTAX, "42P01"},
    {"no such column", LIDO_ERROR_SYNTAX, "42703"},
    {"no such function", LIDO_ERROR_SYNTAX, "42883"},
    {"ambiguous column", LIDO_ERROR_SYNTAX, "42702"},
    {"integer overflow", LIDO_ERROR_TYPE, "22003"},
    {"malformed JSON", LIDO_ERROR_TYPE, "22P02"},
    {"string or blob too big", LIDO_ERROR_TYPE, "54000"},
    {"near ", LIDO_ERROR_SYNTAX, "42601"},
    {"wrong number of arguments", LIDO_ERROR_SYNTAX, "42883"},
    {"incomplete input", LIDO_ERROR_SYNTAX, "42601"},
    {"unrecognized token", LIDO_ERROR_SYNTAX, "42601"},
};

static meaning meaning_of_plain_error(const char *message, bool preparing) {
    for (size_t i = 0; i < sizeof plain_errors / sizeof plain_errors[0]; i++)
        if (strncmp(message, plain_errors[i].begins, strlen(plain_errors[i].begins)) == 0)
            return (meaning){SQLITE_ERROR, plain_errors[i].category, plain_errors[i].sqlstate, NULL};
    if (strstr(message, " has no column named ") != NULL)
        return (meaning){SQLITE_ERROR, LIDO_ERROR_SYNTAX, "42703", NULL};
    if (preparing)
        return (meaning){SQLITE_ERROR, LIDO_ERROR_SYNTAX, "42000", NULL};
    return (meaning){SQLITE_ERROR, LIDO_ERROR_OTHER, "", NULL};
}

static meaning meaning_of(int code, const char *message, bool preparing) {
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
        if (meanings[i].code == code || meanings[i].code == (code & 0xff))
            return meanings[i];
    return meaning_of_plain_error(message, preparing);
}

/* "UNIQUE constraint failed: items.name" names table and column, but not itself; with several columns, the table alone
 * is certain; "… failed: index 'x'" and "CHECK constraint failed: x" name the constraint. */
static void tell_constraint(sqlite3 *handle, int code, const char *message, lido_error *error) {
    const char *subject = strstr(message, " constraint failed: ");
    if (subject == NULL)
        return;
    subject += strlen(" constraint failed: ");
    const char *dot = strchr(subject, '.');
    if (error->category == LIDO_ERROR_CHECK || dot == NULL) {
        bool index = strncmp(subject, "index '", 7) == 0;
        lido__fault_field(error->constraint, sizeof error->constraint, index ? subject + 7 : subject);
        if (index && strlen(error->constraint) > 0 && error->constraint[strlen(error->constraint) - 1] == '\'')
            error->constraint[strlen(error->constraint) - 1] = '\0';
        return;
    }
    char columns[2000]; /* for asking the connection makes the message another; longer ones are not found */
    char table[256];
    snprintf(columns, sizeof columns, "%s", subject);
    snprintf(table, sizeof table, "%.*s", (int)(dot - subject), subject);
    lido__fault_field(error->table, sizeof error->table, table);
    if (strchr(subject, ',') == NULL)
        lido__fault_field(error->column, sizeof error->column, dot + 1);
    lido__sqlite_name_constraint(handle, code, table, columns, error);
}

bool lido__sqlite_fault(sqlite_connection *connection, int code, bool preparing, lido_error *error) {
    const char *message = connection->handle != NULL ? sqlite3_errmsg(connection->handle) : sqlite3_errstr(code);
    meaning meant = meaning_of(code, message, preparing);
    if (error->status != LIDO_OK)
        return false;
    if (connection->timed_out) {
        lido__fault(error, LIDO_ERROR_TIMEOUT, "the statement ran longer than statement_timeout");
        lido__fault_hint(error, "make it do less, or raise statement_timeout");
    } else if (atomic_load_explicit(&connection->base.stop, memory_order_relaxed) &&
               ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_INTERRUPT)) {
        lido__fault(error, LIDO_ERROR_CANCELLED, "the statement was cancelled");
        meant.sqlstate = "57014";
    } else {
        if (connection->function_category != LIDO_ERROR_NONE && code == SQLITE_ERROR)
            meant = (meaning){code, connection->function_category, connection->function_sqlstate, NULL};
        lido__fault(error, meant.category, "%s", message);
        if (meant.hint != NULL)
            lido__fault_hint(error, "%s", meant.hint);
    }
    connection->function_category = LIDO_ERROR_NONE;
    error->native_code = code;
    lido__fault_field(error->sqlstate, sizeof error->sqlstate, connection->timed_out ? "57014" : meant.sqlstate);
    if ((code & 0xff) == SQLITE_CONSTRAINT)
        tell_constraint(connection->handle, code, message, error);
    return false;
}
