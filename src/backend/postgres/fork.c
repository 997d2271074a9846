/* PostgreSQL connections around a fork: what a child inherits falls silent, and it finds libpq fit for use.
 *
 * Under libpq are libraries (GSSAPI, TLS) with locks for the whole process, which a thread that opens or closes a
 * connection takes. In a child that was forked meanwhile they would stay taken. So who calls into them is counted by a
 * lock, and a fork waits until nobody does: nothing is waited for in those calls. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend/postgres/postgres.h"

/* Taken for writing by the fork, which comes first: one of many that open connections would else be always at it. */
static pthread_rwlock_t in_libraries = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

PGconn *lido__postgres_connect_start(const char *const *names, const char *const *values) {
    pthread_rwlock_rdlock(&in_libraries);
    PGconn *wire = PQconnectStartParams(names, values, 0);
    pthread_rwlock_unlock(&in_libraries);
    return wire;
}

PostgresPollingStatusType lido__postgres_connect_poll(PGconn *wire) {
    pthread_rwlock_rdlock(&in_libraries);
    PostgresPollingStatusType wanted = PQconnectPoll(wire);
    pthread_rwlock_unlock(&in_libraries);
    return wanted;
}

void lido__postgres_finish(PGconn *wire) {
    pthread_rwlock_rdlock(&in_libraries);
    PQfinish(wire);
    pthread_rwlock_unlock(&in_libraries);
}

/* In the child the lock is made anew: it counts threads that wait for it, and that are not there. */
void lido__postgres_around_fork(lido__fork_moment moment) {
    const pthread_rwlock_t fresh = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
    if (moment == LIDO__BEFORE_FORK)
        pthread_rwlock_wrlock(&in_libraries);
    else if (moment == LIDO__AFTER_FORK_IN_PARENT)
        pthread_rwlock_unlock(&in_libraries);
    else
        in_libraries = fresh;
}

/* Where an inherited connection's last words go: nowhere. Opened beforehand, for in the fork it may be too late. */
static int nowhere = -1;

static void open_nowhere(void) {
    nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
}

void lido__postgres_prepare_for_fork(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_nowhere);
}

/* libpq and TLS cannot be freed without a goodbye, so the socket under them is taken away first. */
void lido__postgres_disarm(lido__connection *base) {
    int socket = PQsocket(((postgres_connection *)base)->wire);
    if (socket >= 0 && nowhere >= 0)
        dup3(nowhere, socket, O_CLOEXEC);
}

void lido__postgres_abandon(lido__connection *base) {
    if (nowhere >= 0)
        lido__postgres_close(base);
}
