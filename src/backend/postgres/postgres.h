/* What the files of the PostgreSQL backend share.
 *
 * connect.c opens; connection.c looks at, asks and closes; fork.c is for children; wire.c waits for answers; run.c
 * runs batches, by send.c and read.c (exchange.h), copy.c rows in bulk; control.c begins and ends transactions, owed.c
 * ends those that nobody waits for; lane.c is for connections that many share; parameters.c, values.c and numeric.c
 * translate values; result.c hands out rows; resolve.c asks what became of a commit; errors.c fills in errors. libpq is
 * always non-blocking; wire.c and connect.c are the only places that wait. */
#ifndef LIDO_BACKEND_POSTGRES_POSTGRES_H
#define LIDO_BACKEND_POSTGRES_POSTGRES_H

#include <libpq-fe.h>

#include "await/await.h"
#include "backend/backend.h"
#include "backend/statement_cache.h"

typedef enum postgres_format {
    POSTGRES_TEXT_FOR_NOW, /* the columns' types are not known yet: the first answer tells */
    POSTGRES_TEXT,         /* a column's type is none that values.c reads in binary */
    POSTGRES_BINARY
} postgres_format;

typedef struct postgres_statement {
    lido__cached_statement cached; /* first: the cache hands out this */
    char name[24];
    uint64_t prepared_in; /* which transaction of the connection's */
    postgres_format format;
    bool prepared;        /* the server has it: it has confirmed PREPARE and not DEALLOCATE */
    bool preparing;       /* of a control: PREPARE was sent, and its answer is to come */
    bool leaving;         /* out of the cache; freed when the batch is done, and the server has it no more */
    uint64_t last_flight; /* on a lane: the last one under way that refers to it */
    struct postgres_statement *next_retired;
} postgres_statement;

typedef struct postgres_lane postgres_lane;

/* What begins and ends transactions; each BEGIN has its own number, see control.c. */
typedef enum postgres_control {
    POSTGRES_COMMIT,
    POSTGRES_ROLLBACK,
    POSTGRES_BEGIN,
    POSTGRES_CONTROLS = POSTGRES_BEGIN + 2 * (LIDO_SERIALISABLE + 1)
} postgres_control;

typedef struct postgres_connection {
    lido__connection base;
    PGconn *wire;
    const lido__config *config; /* the engine's; outlives the connection */
    lido__statement_cache statements;
    uint64_t statements_made;    /* names are never used again */
    uint64_t transaction;        /* counts those begun on the connection, and batches outside of one */
    postgres_statement *retired; /* leaving; linked by next_retired until the batch is done */
    postgres_statement *owed;    /* leaving; the server still has them, and they still count as cached */
    postgres_statement controls[POSTGRES_CONTROLS];
    lido__arena scratch;     /* parameters on their way out; reset for each batch */
    lido__spin spin;         /* what waiting threads have learned about its answers */
    bool has_read;           /* what has come was read while it was waited for */
    lido__watch watch;       /* of its socket, from when it is open */
    int64_t deadline;        /* of what is under way */
    int64_t judged_deadline; /* the last one that was found far or near; */
    bool far;                /* far: left to the keeper */
    bool unsettled;          /* a statement may have changed settings that are relied on */
    bool timed_out;          /* it passed, or the task was cancelled, and the server was told to cancel */
    bool opens_copy;         /* the answer that is waited for begins a COPY */
    bool stream_savepoint;   /* the savepoint that the last stream set is still there */
    bool read_only;          /* the transaction was opened so, or one of those in the batch */
    bool said_goodbye;       /* the server, while nothing was asked of it: it is about to close the connection */
    bool owes;               /* the answer to the end of the last transaction is still to be read; see owed.c, */
    postgres_statement *owed_control; /* and to this one's preparation; or NULL */
    bool reads_committed;             /* a transaction of which nothing is said is READ COMMITTED, */
    bool writes_nothing;              /* and READ ONLY */
    bool rounds;                      /* and a double is rounded unless the server is told not to */
    postgres_lane *lane;              /* what it is a lane by; NULL: it is none */
} postgres_connection;

/* Parameters as libpq takes them. */
typedef struct postgres_parameters {
    int count;
    const char **values;
    int *sizes;
    int *formats;
} postgres_parameters;

/* ---- connect.c ---- */

lido__connection *lido__postgres_open(const lido__config *config, void *database, lido_error *error);
/* The reading of values and of SQL relies on some settings, of which the server reports each change: those that are
 * others than they must be are set back. Waits only then. */
bool lido__postgres_settle(postgres_connection *connection, lido_error *error);

/* ---- connection.c ---- */

void lido__postgres_close(lido__connection *connection);

/* ---- fork.c ---- */

/* PQconnectStartParams, PQconnectPoll and PQfinish, which are called no other way: not while the process forks. */
PGconn *lido__postgres_connect_start(const char *const *names, const char *const *values);
PostgresPollingStatusType lido__postgres_connect_poll(PGconn *wire);
void lido__postgres_finish(PGconn *wire);
/* Before the first connection is opened: gets ready what a fork's child will need and cannot make. */
void lido__postgres_prepare_for_fork(void);
void lido__postgres_around_fork(lido__fork_moment moment);
void lido__postgres_disarm(lido__connection *connection);
void lido__postgres_abandon(lido__connection *connection);

/* ---- wire.c ---- */

/* Sends what is buffered and waits for the next result, NULL between two statements' results. Sets *lost, with
 * *error, when the connection broke or did not answer; it is `broken` then. When the deadline passes, cancels at
 * the server and waits on, bounded, for its answer. */
PGresult *lido__postgres_next_result(postgres_connection *connection, bool *lost, lido_error *error);
/* Sends what is buffered, all of it. False with *error set when nobody takes it in time; when the deadline passes,
 * cancels at the server first. A connection that breaks meanwhile shows at the next answer. */
bool lido__postgres_flush(postgres_connection *connection, lido_error *error);
/* Sends a cancel request and frees it; bounded. From any thread. */
void lido__postgres_send_cancel(PGcancel *cancel);
/* Tells the server to cancel what is running and gives it a bounded time to answer. */
void lido__postgres_cancel(postgres_connection *connection);
/* Runs a command without parameters and drops its result. */
bool lido__postgres_command(postgres_connection *connection, const char *sql, lido_error *error);

/* ---- control.c ---- */

/* Puts BEGIN, COMMIT or ROLLBACK into libpq's buffer, in pipeline mode; with its preparation, if it has none: then that
 * is in *prepares, else NULL. False if that failed. */
bool lido__postgres_put_control(postgres_connection *connection, postgres_control control,
                                postgres_statement **prepares);
/* Whether that which the operation is was prepared. */
bool lido__postgres_control_is_prepared(const postgres_connection *connection, const lido__operation *operation);
/* The server has forgotten them. */
void lido__postgres_forget_controls(postgres_connection *connection);

/* ---- owed.c ---- */

/* Sends the end of a transaction without waiting for its answer, if that may be left to the next user; false: it may
 * not, or could not be sent. */
bool lido__postgres_leave(postgres_connection *connection, lido__operation *operation);
/* Reads what has come of that answer, without waiting; false: the connection is lost. */
bool lido__postgres_take_owed(postgres_connection *connection);
/* Reads it, waiting until the connection's deadline; libpq stays in pipeline mode. False with *error set: the
 * connection is lost, and nothing that was sent after it was done. */
bool lido__postgres_read_owed(postgres_connection *connection, lido_error *error);
/* The same, and leaves pipeline mode: for what is sent outside of an exchange. Nothing if nothing is owed. */
bool lido__postgres_settle_owed(postgres_connection *connection, lido_error *error);

/* ---- errors.c ---- */

/* A result that reports an error. Returns false. */
bool lido__postgres_fault_result(postgres_connection *connection, const PGresult *result, lido_error *error);
/* Whether libpq itself had no memory for something. */
bool lido__postgres_ran_out_of_memory(const postgres_connection *connection);
/* The connection is lost. Marks it broken and returns false. */
bool lido__postgres_fault_lost(postgres_connection *connection, lido_error *error);
/* No connection came about; `wire` may be NULL. `reached`: how far it came, its status before it failed. */
void lido__postgres_fault_connect(PGconn *wire, ConnStatusType reached, const char *where, lido_error *error);

/* ---- parameters.c ---- */

/* Puts an operation's values into the connection's scratch; false if memory ran out. */
bool lido__postgres_encode(postgres_connection *connection, const lido__operation *operation,
                           postgres_parameters *parameters);

enum { LIDO__POSTGRES_TIME_SIZE = 48 };
/* As the server reads it, with its NUL; returns the length. */
size_t lido__postgres_time_text(lido_time time, char text[LIDO__POSTGRES_TIME_SIZE]);

/* ---- values.c ---- */

/* Whether all columns' types are read in binary. */
postgres_format lido__postgres_format_for(const PGresult *result);
/* Reads a field of a column of that type, `binary` or in text; texts stay in the result, or are made in the arena.
 * False if memory ran out, as the arena then says, or else if the field is malformed. */
bool lido__postgres_read_field(const PGresult *result, int row, int column, Oid type, bool binary, lido__arena *arena,
                               lido_value *value);

/* ---- pour.c ---- */

/* Reads a result's rows, from `first` on, into a sink; `types` are the columns'. False as above, with *column that
 * it is about; true also if the sink has refused one. */
bool lido__postgres_pour(const PGresult *from, const Oid *types, int first, lido__arena *arena, lido__row_sink *sink,
                         size_t *column);

/* ---- numeric.c ---- */

/* Decimal digits with an optional sign and point as PostgreSQL's binary numeric, in at most size + 16 bytes; returns
 * its end. NULL if the text is anything else, or longer than LIDO__POSTGRES_NUMERIC_MOST. */
enum { LIDO__POSTGRES_NUMERIC_MOST = 1000 };
char *lido__postgres_write_numeric(char *at, const char *text, size_t size);
/* PostgreSQL's binary numeric as decimal text; NULL if malformed or memory ran out. */
const char *lido__postgres_read_numeric(const unsigned char *bytes, size_t size, lido__arena *arena, size_t *text_size);

/* ---- result.c ---- */

/* Takes over a finished result. */
bool lido__postgres_keep_result(lido__operation *operation, PGresult *result, lido_error *error);
/* What a stream leaves behind at its end, for the transaction to go on or to end. */
typedef enum postgres_stream_end {
    STREAM_ENDS_ALONE,       /* nothing: it was a transaction of its own */
    STREAM_ENDS_TRANSACTION, /* the transaction opened for it */
    STREAM_ENDS_SAVEPOINT    /* a savepoint set before it: what cancelling it goes back to */
} postgres_stream_end;

/* Takes over the first result of a statement in single-row mode. */
bool lido__postgres_open_stream(postgres_connection *connection, lido__operation *operation, PGresult *first,
                                postgres_stream_end end, lido_error *error);

/* ---- resolve.c ---- */

bool lido__postgres_mark(lido__connection *connection, lido__mark *mark, lido_error *error);
lido__resolution lido__postgres_resolve(lido__connection *connection, const lido__mark *mark);

/* ---- lane.c ---- */

extern const lido__lane_operations lido__postgres_lane_operations;

/* ---- run.c ---- */

bool lido__postgres_run(lido__connection *connection, lido__batch *batch);

/* ---- send.c ---- */

/* Whether the connection keeps statements prepared at all. */
bool lido__postgres_keeps_statements(const postgres_connection *connection);
/* Gives it a name that no other statement of the connection has had. */
void lido__postgres_name_statement(postgres_connection *connection, postgres_statement *statement);
/* Empties the statement cache: the server has forgotten all statements, */
void lido__postgres_forget_statements(postgres_connection *connection);
/* or it has them and they are to be prepared anew. */
void lido__postgres_renew_statements(postgres_connection *connection);

#endif
