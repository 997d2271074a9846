/* What became of a commit whose answer was lost, asked by transaction id (pg_xact_status, PostgreSQL 10).
 *
 * The id alone would be a guess after a failover, and after a crash: ids that the lost end of the log knew of are given
 * out again. So the server must be the very same: same system, timeline, start, and statistics that were
 * not reset, which a crash does even where the server's main process lives on. */
#include <stdio.h>
#include <string.h>

#include "backend/postgres/postgres.h"
#include "base/clock.h"
#include "base/fault.h"

#define SERVER \
    "concat_ws('/', (SELECT system_identifier FROM pg_control_system())," \
    " CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) " \
    "END," \
    " extract(epoch FROM pg_postmaster_start_time()), (SELECT extract(epoch FROM stats_reset) FROM pg_stat_bgwriter))"

/* What pg_xact_status says of an id that was not given out yet: the server has lost it in a crash. */
#define FUTURE "22023"

enum { ANSWER_MOST_MS = 5000 };

/* Asks for one row of two texts; false with *error set. */
static bool ask(postgres_connection *connection, const char *sql, const char *parameter, char *first, size_t first_size,
                char *second, size_t second_size, lido_error *error) {
    bool lost = false;
    connection->timed_out = false;
    connection->deadline = lido__deadline_in_ms(ANSWER_MOST_MS);
    if (!lido__postgres_settle_owed(connection, error))
        return false;
    if (!PQsendQueryParams(connection->wire, sql, parameter != NULL, NULL, &parameter, NULL, NULL, 0))
        return lido__postgres_fault_lost(connection, error);
    for (PGresult *result; (result = lido__postgres_next_result(connection, &lost, error)) != NULL; PQclear(result)) {
        if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
            lido__fault_field(first, first_size, PQgetvalue(result, 0, 0));
            lido__fault_field(second, second_size, PQgetvalue(result, 0, 1));
        } else {
            lido__postgres_fault_result(connection, result, error);
        }
    }
    connection->base.in_transaction = PQtransactionStatus(connection->wire) != PQTRANS_IDLE;
    return error->status == LIDO_OK;
}

bool lido__postgres_mark(lido__connection *base, lido__mark *mark, lido_error *error) {
    mark->known =
        ask((postgres_connection *)base, "SELECT coalesce(pg_current_xact_id_if_assigned()::text, ''), " SERVER, NULL,
            mark->transaction, sizeof mark->transaction, mark->server, sizeof mark->server, error);
    return mark->known;
}

lido__resolution lido__postgres_resolve(lido__connection *base, const lido__mark *mark) {
    char status[16];
    char server[sizeof mark->server];
    lido_error error = LIDO_ERROR_INIT;
    if (mark->transaction[0] == '\0') /* it had written nothing that could stand */
        return LIDO__RESOLVED_ROLLED_BACK;
    if (!ask((postgres_connection *)base, "SELECT coalesce(pg_xact_status($1::text::xid8), ''), " SERVER,
             mark->transaction, status, sizeof status, server, sizeof server, &error))
        return strcmp(error.sqlstate, FUTURE) == 0 ? LIDO__RESOLVED_NEVER : LIDO__RESOLVED_NOT_YET;
    if (strcmp(server, mark->server) != 0)
        return LIDO__RESOLVED_NEVER;
    if (strcmp(status, "in progress") == 0)
        return LIDO__RESOLVED_NOT_YET;
    if (strcmp(status, "committed") == 0)
        return LIDO__RESOLVED_COMMITTED;
    return strcmp(status, "aborted") == 0 ? LIDO__RESOLVED_ROLLED_BACK : LIDO__RESOLVED_NEVER;
}
