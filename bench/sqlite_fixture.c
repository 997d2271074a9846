/* The temporary folder, the raw connection and the table of the SQLite measures. */
#include "sqlite_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- The folder. ---- */

bool bench_folder_make(bench_folder *folder, bench_context *context) {
    const char *parent = getenv("TMPDIR");
    int length = snprintf(folder->path, sizeof folder->path, "%s/lido-bench-XXXXXX", parent != NULL ? parent : "/tmp");
    if (length < (int)sizeof folder->path && mkdtemp(folder->path) != NULL)
        return true;
    bench_fail(context, "making a temporary folder %s: %s", folder->path, strerror(errno));
    folder->path[0] = '\0';
    return false;
}

void bench_folder_file(const bench_folder *folder, const char *name, char path[256]) {
    snprintf(path, 256, "%s/%s", folder->path, name);
}

void bench_folder_remove(bench_folder *folder) {
    DIR *listing = folder->path[0] != '\0' ? opendir(folder->path) : NULL;
    if (listing == NULL)
        return;
    for (struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        char path[256 + sizeof entry->d_name];
        snprintf(path, sizeof path, "%s/%s", folder->path, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    closedir(listing);
    rmdir(folder->path);
}

/* ---- The raw connection. ---- */

bool bench_sqlite_open(const char *path, sqlite3 **connection, bench_context *context) {
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int result = sqlite3_open_v2(path, connection, flags, NULL);
    return result == SQLITE_OK || bench_fail(context, "opening %s with SQLite: %s", path, sqlite3_errstr(result));
}

bool bench_sqlite_run(sqlite3 *connection, const char *sql, bench_context *context) {
    if (sqlite3_exec(connection, sql, NULL, NULL, NULL) == SQLITE_OK)
        return true;
    return bench_fail(context, "%s: %s", sql, sqlite3_errmsg(connection));
}

bool bench_sqlite_prepare(sqlite3 *connection, const char *sql, sqlite3_stmt **statement, bench_context *context) {
    if (sqlite3_prepare_v3(connection, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) == SQLITE_OK)
        return true;
    return bench_fail(context, "%s: %s", sql, sqlite3_errmsg(connection));
}

/* Closing the only connection moves the WAL into the file. */
bool bench_sqlite_make_items(const char *path, bench_context *context) {
    sqlite3 *connection = NULL;
    bool made = bench_sqlite_open(path, &connection, context) &&
                bench_sqlite_run(connection, "PRAGMA journal_mode = wal", context) &&
                bench_sqlite_run(connection, BENCH_SQLITE_ITEMS_SQL, context);
    sqlite3_close(connection);
    return made;
}

/* ---- lido's side ---- */

lido_engine *bench_sqlite_engine(const bench_folder *folder, const char *name, char path[256], bench_context *context) {
    char url[300];
    bench_folder_file(folder, name, path);
    snprintf(url, sizeof url, "sqlite:///%s", path);
    return bench_engine_open(url, NULL, context);
}

/* ---- The same pragmas. ---- */

/* Asked of the connection rather than taken from a list of defaults: so they are the same whatever the defaults
 * become. A pragma that the database does not have (mmap_size in memory) answers with no row. */
bool bench_sqlite_same_pragmas(lido_session *session, sqlite3 *connection, bench_context *context) {
    static const char *const pragmas[] = {"journal_mode", "synchronous",        "foreign_keys",       "cache_size",
                                          "mmap_size",    "journal_size_limit", "wal_autocheckpoint", "temp_store"};
    for (size_t i = 0; i < sizeof pragmas / sizeof pragmas[0]; i++) {
        char sql[128];
        const char *value = NULL;
        snprintf(sql, sizeof sql, "PRAGMA %s", pragmas[i]);
        lido_rows *rows = lido_query(session, sql);
        if (lido_next(rows))
            value = lido_get_text(rows, 0);
        if (value != NULL)
            snprintf(sql, sizeof sql, "PRAGMA %s = %s", pragmas[i], value);
        lido_rows_close(rows);
        if (lido_failed(session))
            return bench_fail_lido(context, lido_error_of(session));
        if (value != NULL && !bench_sqlite_run(connection, sql, context))
            return false;
    }
    return true;
}
