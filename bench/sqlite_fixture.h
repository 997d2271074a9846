/* What the SQLite measures share: a temporary folder, and a table to read from. */
#ifndef LIDO_BENCH_SQLITE_FIXTURE_H
#define LIDO_BENCH_SQLITE_FIXTURE_H

#include <stdbool.h>

#include <sqlite3.h>

#include "harness.h"

enum { BENCH_SQLITE_ITEMS = 10000 };

/* The table items (id integer primary key, name text, price real) with BENCH_SQLITE_ITEMS rows: id from 1,
 * name "item <id>", price id / 4. */
#define BENCH_SQLITE_ITEMS_SQL \
    "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price REAL NOT NULL);" \
    "WITH RECURSIVE numbers (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 10000)" \
    " INSERT INTO items SELECT n, 'item ' || n, n / 4.0 FROM numbers"

/* A temporary folder for the databases of one measure. */
typedef struct bench_folder {
    char path[200]; /* "" while there is none */
} bench_folder;

bool bench_folder_make(bench_folder *folder, bench_context *context);
/* Writes "<folder>/<name>" into `path`. */
void bench_folder_file(const bench_folder *folder, const char *name, char path[256]);
/* With all files in it. */
void bench_folder_remove(bench_folder *folder);

/* A raw connection for one thread. *connection may be closed with sqlite3_close also if this fails. */
bool bench_sqlite_open(const char *path, sqlite3 **connection, bench_context *context);
bool bench_sqlite_run(sqlite3 *connection, const char *sql, bench_context *context);
bool bench_sqlite_prepare(sqlite3 *connection, const char *sql, sqlite3_stmt **statement, bench_context *context);
/* Makes the database `path` in WAL mode with the items, all of them in the file and none in the WAL. */
bool bench_sqlite_make_items(const char *path, bench_context *context);

/* A database `name` in the folder: lido's engine, and the file's path. NULL, with context->problem set, if it cannot be
 * opened. */
lido_engine *bench_sqlite_engine(const bench_folder *folder, const char *name, char path[256], bench_context *context);

/* Gives the raw connection every pragma as the session's own connection has it. */
bool bench_sqlite_same_pragmas(lido_session *session, sqlite3 *connection, bench_context *context);

#endif
