/* What the files of the SQLite backend share: the connection, its prepared statements, and who does what.
 *
 * connection.c opens and closes; run.c runs operations, bulk.c those with many rows; values.c binds parameters and
 * reads values; result.c hands out rows; errors.c puts SQLite's codes into lido's words; functions.h is about
 * functions; fork.c is for children; database.h is what an engine's connections have in common, log.h about keeping its
 * log short. An in-memory database lives in memory_vfs.c, memory_database.c and memory_file.c. */
#ifndef LIDO_BACKEND_SQLITE_SQLITE_H
#define LIDO_BACKEND_SQLITE_SQLITE_H

#include <sqlite3.h>

#include "await/await.h"
#include "backend/backend.h"
#include "backend/sqlite/log.h"
#include "backend/statement_cache.h"
#include "base/fault.h"

typedef struct sqlite_statement {
    lido__cached_statement cached; /* first: the cache hands out this */
    sqlite3_stmt *handle;
    int columns;
    int reprepared;   /* SQLite's count of re-preparations when `kinds` was read */
    lido_kind *kinds; /* what each column was declared to hold; LIDO_KIND_NULL: nothing special */
    char *names;      /* the columns' names, one behind the other, each ending in NUL */
    size_t names_size;
} sqlite_statement;

typedef enum sqlite_control {
    CONTROL_BEGIN,
    CONTROL_BEGIN_IMMEDIATE,
    CONTROL_COMMIT,
    CONTROL_ROLLBACK,
    CONTROL_SAVEPOINT, /* of a part of the transaction that is open; see core/writer.h */
    CONTROL_RELEASE,
    CONTROL_ROLLBACK_TO,
    CONTROL_COUNT
} sqlite_control;

typedef struct sqlite_connection {
    lido__connection base;
    sqlite3 *handle;
    sqlite_log *log;            /* the database's, which outlives the connection */
    const lido__config *config; /* the engine's; outlives the connection */
    lido__statement_cache statements;
    sqlite3_stmt *controls[CONTROL_COUNT]; /* prepared at first use */
    int64_t deadline;                      /* of what is running, for the progress and busy handlers */
    int64_t busy_since;                    /* when it began to wait for a lock, */
    int64_t busy_until;                    /* and when it last looked, if that is to be measured yet; else 0 */
    int64_t checkpoint_ends;               /* when it must stop waiting, while it waits for readers; else 0 */
    bool commits_for_many;                 /* what runs is a COMMIT that others are to hear of: */
    int wait_pages;                        /* so the wait for readers is put off; at that length of the log; 0: none */
    bool wait_is_long;                     /* and the file was larger than it should be */
    bool timed_out;                        /* the progress handler stopped it */
    bool in_place;                         /* in a task its work is short enough for the loop's thread */
    bool read_only;                        /* the open transaction must not write */
    bool inside;                           /* the part that is open is behind a savepoint of its own */
    bool has_turn;                         /* it has config->write_turn */
    bool moment_known;                     /* `moment` is the transaction's */
    lido_time moment;                      /* what now() gives */
    struct lido__patterns *patterns;       /* regular expressions; NULL until the first one is used */
    const lido__function *registered;      /* the newest of the program's functions that it has */
    struct bound_function *functions;      /* what lido's functions find as their user data */
    lido_category function_category;       /* why a function failed; NONE: none did, or it is told already */
    const char *function_sqlstate;
    sqlite_statement *uncached; /* the statement of the moment, where none are kept */
} sqlite_connection;

/* It has waited from one moment to another for what another process, or another engine, had. */
void lido__sqlite_waited(const sqlite_connection *connection, int64_t since, int64_t until);

/* Puts SQLite's error `code` (extended) into *error with the connection's message; `preparing`: it came
 * from reading the SQL, not from running it. Returns false. */
bool lido__sqlite_fault(sqlite_connection *connection, int code, bool preparing, lido_error *error) LIDO__COLD;

/* Finds out which unique constraint or key of `table` the code is about, and puts its name into *error, if it has one.
 * `columns` are as in SQLite's message. The connection's own message is another one afterwards. */
void lido__sqlite_name_constraint(sqlite3 *handle, int code, const char *table, const char *columns, lido_error *error);

/* Binds the values; false with *error set. They must live until the statement is reset. */
bool lido__sqlite_bind(sqlite_connection *connection, sqlite_statement *statement, size_t count,
                       const lido_value *values, lido_error *error);

/* Reads the statement's current row into values[0 … columns - 1], copying into the arena if it is given; false if
 * memory ran out. Without it, texts live until the next step. */
bool lido__sqlite_read_row(const sqlite_statement *statement, lido__arena *arena, bool copy, lido_value *values);

/* One column of it. */
bool lido__sqlite_read_field(const sqlite_statement *statement, int column, lido__arena *arena, bool copy,
                             lido_value *value);

/* ---- pour.c ---- */

/* How the fields of a column get into the member that a sink has for them. */
typedef enum sqlite_how {
    SQLITE_WAY_VALUE, /* through a lido_value */
    SQLITE_WAY_INTEGER,
    SQLITE_WAY_INT,
    SQLITE_WAY_DOUBLE,
    SQLITE_WAY_BOOL,
    SQLITE_WAY_TEXT,
    SQLITE_WAY_UUID,
    SQLITE_WAY_TIME
} sqlite_how;

typedef struct sqlite_way {
    sqlite_how how;
    int type;      /* for values of which of SQLite's types; others go by value */
    size_t offset; /* of the member */
} sqlite_way;

/* Of all columns; in the arena. NULL: there is no memory. */
const sqlite_way *lido__sqlite_ways(const sqlite_statement *statement, const lido__row_sink *sink, lido__arena *arena);
/* Reads the current row into the sink; what has to be made on the way is made in the arena. False: the sink has refused
 * it. */
bool lido__sqlite_pour_row(const sqlite_statement *statement, const sqlite_way *ways, lido__arena *arena,
                           lido__row_sink *sink);

/* ---- */

/* The columns' names and what they were declared to hold, if that is not known yet or the schema changed. */
bool lido__sqlite_read_columns(sqlite_statement *statement);

/* Steps a statement that has been bound: reads all its rows into the operation's result, or drops them. */
bool lido__sqlite_read_result(sqlite_connection *connection, sqlite_statement *statement, lido__operation *operation,
                              lido_error *error);

/* Leaves the statement running and its rows to be stepped through the operation's result. */
bool lido__sqlite_open_stream(sqlite_connection *connection, sqlite_statement *statement, lido__operation *operation,
                              lido_error *error);

bool lido__sqlite_run(lido__connection *connection, lido__batch *batch);
/* The operation's statement, prepared; NULL with *error set, also if it must not be run here, because it writes. */
sqlite_statement *lido__sqlite_statement_for(sqlite_connection *connection, const lido__operation *operation,
                                             lido_error *error);

/* Runs an operation's statement once for each row of its bulk: in place, */
bool lido__sqlite_insert_rows(sqlite_connection *connection, lido__operation *operation, lido_error *error);
/* or some rows at a time on another thread; the rows are asked for here. */
bool lido__sqlite_insert_rows_elsewhere(sqlite_connection *connection, lido__operation *operation, lido_error *error);

/* Makes what runs on the connection stop. From any thread. */
void lido__sqlite_interrupt(sqlite_connection *connection);

/* The end of one run of a statement: borrowed values may go. */
void lido__sqlite_statement_finish(sqlite_connection *connection, sqlite_statement *statement);
void lido__sqlite_statement_free(sqlite_statement *statement);

/* From here on, commits copy the log into the main file, or have it copied, when it has become long: as PRAGMA
 * wal_autocheckpoint does, and more surely. */
void lido__sqlite_keep_log_short(sqlite_connection *connection);
/* The wait for readers that was put off, if one was. */
void lido__sqlite_tidy_log(sqlite_connection *connection);

/* ---- fork.c ---- */

void lido__sqlite_around_fork(lido__fork_moment moment);
/* SQLite's handles must not be touched on the other side of a fork, not even to be closed: closing rolls back what the
 * parent has not committed, in memory that both share. What they hold is left as it is. */
void lido__sqlite_abandon(lido__connection *connection);

/* Brings what the program has added since the last time. */
bool lido__sqlite_register_new(sqlite_connection *connection, lido_error *error);

/* The turn to write among processes, where they take turns; taken before the file's lock, and given back when that is
 * free again. False with *error set if it does not come in time. */
bool lido__sqlite_take_turn(sqlite_connection *connection, lido_error *error);
void lido__sqlite_give_turn(sqlite_connection *connection);

/* Whether what runs must stop: its deadline has passed, or it was cancelled. Does not wait. */
bool lido__sqlite_must_stop(sqlite_connection *connection);

#endif
