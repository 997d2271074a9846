/* An exchange: operations sent together, and the notes of which answers are expected, in their order.
 *
 * send.c and control.c send and note, read.c reads and sorts, run.c decides what is exchanged when; copy.c is for many
 * rows. */
#ifndef LIDO_BACKEND_POSTGRES_EXCHANGE_H
#define LIDO_BACKEND_POSTGRES_EXCHANGE_H

#include "backend/postgres/postgres.h"

typedef enum postgres_answer_kind {
    ANSWER_PREPARE,    /* of a statement that the operation needs */
    ANSWER_RUN,        /* the operation's own */
    ANSWER_ASIDE,      /* of what surrounds it: its failure is the operation's */
    ANSWER_TABLE,      /* on the table that the operation inserts many rows into */
    ANSWER_DEALLOCATE, /* of another statement, which leaves for it */
    ANSWER_SYNC
} postgres_answer_kind;

typedef struct postgres_answer {
    postgres_answer_kind kind;
    size_t operation;
    postgres_statement *statement; /* the one prepared, run or deallocated; NULL: it is not kept */
} postgres_answer;

/* One run of a batch, or of a part of it. */
typedef struct postgres_exchange {
    postgres_connection *connection;
    lido__batch *batch;
    size_t first; /* of the operations it runs */
    size_t end;
    bool pipelined;
    bool forgets; /* what it has sent makes the server forget all prepared statements */
    postgres_answer *answers;
    size_t answer_count;
    Oid *column_types; /* of the columns that many rows go into; NULL: none do */
    bool copyable;     /* COPY can put them there */
    size_t stale;      /* the operation whose prepared statement the server no longer takes; SIZE_MAX: none */
} postgres_exchange;

enum { ANSWERS_FOR_ONE_MOST = 9 }; /* BEGIN, COMMIT, their PREPAREs, DEALLOCATE, PREPARE, run, and two Syncs */

/* ---- send.c ---- */

/* Takes a statement out of the cache; it is freed when nothing under way can refer to it any more. */
void lido__postgres_retire_statement(postgres_connection *connection, postgres_statement *statement);
/* Frees them, except those that the server still has: they are owed a DEALLOCATE. */
void lido__postgres_free_retired(postgres_connection *connection);

/* A statement that stands alone is its own transaction without more, unless that has to be of a certain kind. */
bool lido__postgres_needs_transaction(const lido__operation *operation);

/* Notes an answer that will come. */
void lido__postgres_expect(postgres_exchange *exchange, postgres_answer_kind kind, size_t operation,
                           postgres_statement *statement);

/* Each puts something into libpq's buffer and notes the answers; false if that failed, and then half of the exchange is
 * in the buffer and the connection cannot be used further. */
bool lido__postgres_send_command(postgres_exchange *exchange, postgres_answer_kind kind, size_t operation,
                                 const char *sql);
bool lido__postgres_send_prepare(postgres_exchange *exchange, size_t operation);
bool lido__postgres_send_statement(postgres_exchange *exchange, size_t operation);
/* The statement itself, which is prepared or being prepared; NULL: unprepared. */
bool lido__postgres_send_run(postgres_exchange *exchange, size_t operation, postgres_statement *statement);
bool lido__postgres_send_operation(postgres_exchange *exchange, size_t operation);
/* Ends what stands or falls together; its failure, such as of a deferred constraint, is `operation`'s. */
bool lido__postgres_send_sync(postgres_exchange *exchange, size_t operation);

/* ---- control.c ---- */

/* The operation's BEGIN; and any command that begins or ends a transaction, as `kind`. As above. */
bool lido__postgres_send_begin(postgres_exchange *exchange, postgres_answer_kind kind, size_t operation);
bool lido__postgres_send_control(postgres_exchange *exchange, postgres_answer_kind kind, size_t operation,
                                 postgres_control control);

/* ---- copy.c ---- */

/* Asks what must be known of the table before rows can be copied into it. */
bool lido__postgres_send_table_question(postgres_exchange *exchange, size_t operation);
void lido__postgres_take_table_answer(postgres_exchange *exchange, const PGresult *answer);
/* Inserts the rows of the operation's bulk, once the answers are there; nothing else is under way. */
bool lido__postgres_copy_rows(postgres_exchange *exchange, size_t operation);

/* ---- read.c ---- */

/* Reads all expected answers, as far as the connection lasts, and settles which statements are prepared. */
void lido__postgres_read_answers(postgres_exchange *exchange);
/* Sorts one result under what was expected; takes it over. */
void lido__postgres_sort_result(postgres_exchange *exchange, const postgres_answer *expected, PGresult *result);

#endif
