/* What an engine keeps of its database for all its connections, and opening it. */
#include "backend/sqlite/database.h"

#include <stdlib.h>

#include "backend/sqlite/memory_vfs.h"
#include "base/fault.h"

static int open_in_memory(const sqlite_database *database, sqlite3 **handle) {
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    return sqlite3_open_v2(LIDO__MEMORY_NAME, handle, flags, database->memory->name);
}

int lido__sqlite_open_handle(const lido__config *config, const sqlite_database *database, sqlite3 **handle) {
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (database->memory != NULL)
        return open_in_memory(database, handle);
    flags |= config->sqlite_read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    flags |= !config->sqlite_read_only && config->sqlite_create ? SQLITE_OPEN_CREATE : 0;
    return sqlite3_open_v2(config->database, handle, flags, NULL);
}

static bool drop_anchor(sqlite_database *database) {
    database->memory = lido__memory_database_new();
    return database->memory != NULL && open_in_memory(database, &database->anchor) == SQLITE_OK &&
           sqlite3_db_config(database->anchor, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) == SQLITE_OK &&
           sqlite3_exec(database->anchor, "PRAGMA journal_mode = wal; SELECT count(*) FROM sqlite_schema", NULL, NULL,
                        NULL) == SQLITE_OK &&
           atomic_load(&database->memory->has_log);
}

void *lido__sqlite_attach(const lido__config *config, lido_error *error) {
    sqlite_database *database = calloc(1, sizeof *database);
    if (database != NULL && !lido__sqlite_log_init(&database->log, config)) {
        free(database);
        database = NULL;
    }
    if (database != NULL && (config->database != NULL || drop_anchor(database)))
        return database;
    lido__fault_memory(error, "making the in-memory database");
    if (database != NULL)
        lido__sqlite_detach(database);
    return NULL;
}

void lido__sqlite_detach(void *attached) {
    sqlite_database *database = attached;
    lido__sqlite_log_done(&database->log);
    sqlite3_close_v2(database->anchor);
    if (database->memory != NULL)
        lido__memory_database_free(database->memory);
    free(database);
}
