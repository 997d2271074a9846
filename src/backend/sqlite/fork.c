/* SQLite around a fork.
 *
 * SQLite knows by device and inode which files the process has open, and which locks it holds on them: once for the
 * process, for POSIX has no more. A child inherits that knowledge and not the locks. Opening the same file it would be
 * taken for a holder of its parent's locks: not get its own, and wait for ever for one that the parent has long given
 * back. So in the child SQLite is shown other device numbers than in its parent, and knows none of the files that it
 * opens.
 *
 * SQLite's own static mutexes are held across the fork: one that a thread held which the child does not have would stay
 * locked. */
#include <stdatomic.h>
#include <sys/stat.h>

#include "backend/sqlite/sqlite.h"

typedef int stat_function(const char *path, struct stat *status);
typedef int fstat_function(int descriptor, struct stat *status);

static stat_function *real_stat;
static fstat_function *real_fstat;
static dev_t shift; /* another one in each generation of processes */

/* In the order in which SQLite nests them. */
static const int mutexes[] = {SQLITE_MUTEX_STATIC_VFS1, SQLITE_MUTEX_STATIC_VFS2, SQLITE_MUTEX_STATIC_VFS3,
                              SQLITE_MUTEX_STATIC_OPEN, SQLITE_MUTEX_STATIC_PRNG, SQLITE_MUTEX_STATIC_MAIN,
                              SQLITE_MUTEX_STATIC_LRU,  SQLITE_MUTEX_STATIC_PMEM, SQLITE_MUTEX_STATIC_MEM};

enum { MUTEX_COUNT = sizeof mutexes / sizeof mutexes[0] };

/* 32 bits up: Linux gives file systems smaller numbers. */
static void disguise(struct stat *status) {
    status->st_dev ^= shift << 32;
}

static int disguised_stat(const char *path, struct stat *status) {
    int result = real_stat(path, status);
    if (result == 0)
        disguise(status);
    return result;
}

static int disguised_fstat(int descriptor, struct stat *status) {
    int result = real_fstat(descriptor, status);
    if (result == 0)
        disguise(status);
    return result;
}

static void enter_mutexes(void) {
    for (int i = 0; i < MUTEX_COUNT; i++)
        sqlite3_mutex_enter(sqlite3_mutex_alloc(mutexes[i]));
}

static void leave_mutexes(void) {
    for (int i = MUTEX_COUNT; i > 0; i--)
        sqlite3_mutex_leave(sqlite3_mutex_alloc(mutexes[i - 1]));
}

/* The table of system calls is made for tests, and is the one way in. */
static void forget_files(void) {
    sqlite3_vfs *files = sqlite3_vfs_find("unix");
    shift++;
    if (real_fstat != NULL) /* it was done in the parent, which is itself a child */
        return;
    if (files == NULL || files->iVersion < 3 || files->xGetSystemCall(files, "fstat") == NULL)
        return;
    real_stat = (stat_function *)files->xGetSystemCall(files, "stat");
    real_fstat = (fstat_function *)files->xGetSystemCall(files, "fstat");
    files->xSetSystemCall(files, "stat", (sqlite3_syscall_ptr)disguised_stat);
    files->xSetSystemCall(files, "fstat", (sqlite3_syscall_ptr)disguised_fstat);
}

void lido__sqlite_around_fork(lido__fork_moment moment) {
    if (moment == LIDO__BEFORE_FORK)
        enter_mutexes();
    else
        leave_mutexes();
    if (moment == LIDO__AFTER_FORK_IN_CHILD)
        forget_files();
}

void lido__sqlite_abandon(lido__connection *connection) {
    static _Atomic(lido__connection *) inherited; /* for whoever looks for memory that nothing points to */
    connection->next = atomic_exchange(&inherited, connection);
}
