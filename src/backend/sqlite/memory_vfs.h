/* The file system in which an in-memory database lives, one for each. Every other file that its connections open
 * (ATTACH, VACUUM INTO) is the real file system's, but for the temporary ones, which are in memory, too. */
#ifndef LIDO_BACKEND_SQLITE_MEMORY_VFS_H
#define LIDO_BACKEND_SQLITE_MEMORY_VFS_H

#include "backend/sqlite/memory_database.h"

/* The name under which its VFS opens the database. */
#define LIDO__MEMORY_NAME "lido:memory"

/* An empty database and its VFS, which SQLite knows from then on by `vfs.name`; NULL if there is no memory. */
lido__memory_database *lido__memory_database_new(void);
/* All connections to it are closed, or were abandoned in a child. */
void lido__memory_database_free(lido__memory_database *database);

#endif
