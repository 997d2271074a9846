/* What an engine keeps of its database for all its connections. */
#ifndef LIDO_BACKEND_SQLITE_DATABASE_H
#define LIDO_BACKEND_SQLITE_DATABASE_H

#include "backend/sqlite/log.h"
#include "backend/sqlite/memory_database.h"

typedef struct sqlite_database {
    sqlite_log log;
    lido__memory_database *memory; /* NULL: it is a file */
    sqlite3
        *anchor; /* to the one in memory, and never used: while it is open, nobody can be alone with the database, and
                      * so none takes it out of WAL mode or clears the log away with its end */
} sqlite_database;

/* The backend's `attach` and `detach`. */
void *lido__sqlite_attach(const lido__config *config, lido_error *error);
void lido__sqlite_detach(void *attached);

/* SQLite's code; *handle may be set also where it failed. */
int lido__sqlite_open_handle(const lido__config *config, const sqlite_database *database, sqlite3 **handle);

#endif
