/* The turn to write among the processes of one parent, as a connection takes it and gives it back. */
#include <inttypes.h>

#include "backend/shared_turn.h"
#include "backend/sqlite/sqlite.h"
#include "base/clock.h"
#include "base/fault.h"

typedef struct turn_wait {
    sqlite_connection *connection;
    int64_t since; /* 0: it was to be had at once */
} turn_wait;

/* Asked before each time that it waits. */
static bool must_stop(void *argument) {
    turn_wait *wait = argument;
    if (wait->since == 0)
        wait->since = lido__clock_now_us();
    return lido__sqlite_must_stop(wait->connection);
}

static bool is_late(sqlite_connection *connection, lido_error *error) {
    if (lido__sqlite_must_stop(connection))
        return lido__sqlite_fault(connection, SQLITE_INTERRUPT, false, error);
    if (!lido__await_may_wait(error))
        return false;
    lido__fault(error, LIDO_ERROR_BUSY,
                "other processes wrote for longer than busy_timeout (%" PRId64 " ms): one transaction writes at a time",
                connection->config->busy_timeout_ms);
    lido__fault_field(error->sqlstate, sizeof error->sqlstate, "55P03");
    return false;
}

bool lido__sqlite_take_turn(sqlite_connection *connection, lido_error *error) {
    lido__shared_turn *turn = connection->config->write_turn;
    if (turn == NULL || connection->has_turn)
        return true;
    int64_t deadline = lido__deadline_in_ms(connection->config->busy_timeout_ms);
    turn_wait wait = {.connection = connection};
    lido__turn_outcome outcome = lido__shared_turn_take(turn, deadline, must_stop, &wait);
    if (wait.since != 0)
        lido__sqlite_waited(connection, wait.since, lido__clock_now_us());
    connection->has_turn = outcome == LIDO__TURN_TAKEN;
    return outcome != LIDO__TURN_LATE || is_late(connection, error);
}

/* After each transaction. As long as others of this process wait for the writers' ticket, it asks for more. */
void lido__sqlite_give_turn(sqlite_connection *connection) {
    if (!connection->has_turn || sqlite3_txn_state(connection->handle, NULL) == SQLITE_TXN_WRITE ||
        sqlite3_get_autocommit(connection->handle) == 0)
        return;
    connection->has_turn = false;
    const atomic_int *waiting = connection->base.waiting;
    bool more = waiting != NULL && atomic_load_explicit(waiting, memory_order_relaxed) > 0;
    lido__shared_turn_give(connection->config->write_turn, more);
}
