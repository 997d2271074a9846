/* How streams end: with rows or without, read to their end or not, in every kind of session, and with an error that
 * comes only after the last row. */
#include "support/scenario.h"

static lido_session *open_with(lido_engine *engine, lido_session_options options) {
    return lido_session_open(engine, &options);
}

/* A child whose parent is missing is noticed when the transaction ends. */
static void make_tables(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    lido_exec(db, "CREATE TABLE parents (id integer PRIMARY KEY)");
    lido_exec(db, "CREATE TABLE children (id integer PRIMARY KEY, parent integer REFERENCES parents (id) "
                  "DEFERRABLE INITIALLY DEFERRED)");
    lido_exec(db, "INSERT INTO parents VALUES (1)");
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

static void see_children(lido_engine *engine) {
    lido_session *db = lido_session_open(engine, NULL);
    saw("%d children", (int)lido_query_value(db, "SELECT count(*) FROM children").as.integer);
    lido_session_close(db);
}

static void read_all(lido_rows *rows) {
    int read = 0;
    while (lido_next(rows))
        read++;
    saw("%d rows", read);
    lido_rows_close(rows);
}

/* Twice each: the second time, the statement is prepared. */
static void story_of_isolated_streams(lido_engine *engine) {
    make_tables(engine);
    const lido_session_options kinds[] = {
        {.autocommit = true},
        {.autocommit = true, .isolation = LIDO_SERIALISABLE},
        {.autocommit = true, .read_only = true},
        {.isolation = LIDO_REPEATABLE_READ},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        lido_session *db = open_with(engine, kinds[i]);
        for (int again = 0; again < 2; again++)
            read_all(lido_stream(db, "SELECT id FROM parents"));
        saw_error(db);
        lido_session_close(db);
    }
}

static void story_of_streams_that_write(lido_engine *engine) {
    make_tables(engine);
    const lido_session_options kinds[] = {{.autocommit = true}, {.autocommit = true, .isolation = LIDO_SERIALISABLE}};
    for (int i = 0; i < 2; i++) {
        lido_session *db = open_with(engine, kinds[i]);
        read_all(lido_stream(db, "INSERT INTO children VALUES (?, 1)", 10 * i + 1));
        read_all(lido_stream(db, "INSERT INTO children VALUES (?, 1) RETURNING id", 10 * i + 2));
        lido_rows *unread =
            lido_stream(db, "INSERT INTO children VALUES (?, 1), (?, 1) RETURNING id", 10 * i + 3, 10 * i + 4);
        lido_next(unread);
        lido_rows_close(unread);
        saw_error(db);
        lido_session_close(db);
        see_children(engine);
    }
}

static void story_of_an_error_after_the_last_row(lido_engine *engine) {
    make_tables(engine);
    const lido_session_options kinds[] = {{.autocommit = true}, {.autocommit = true, .isolation = LIDO_SERIALISABLE}};
    for (int i = 0; i < 2; i++) {
        lido_session *db = open_with(engine, kinds[i]);
        read_all(lido_stream(db, "INSERT INTO children VALUES (1, 42)"));
        saw_error(db);
        lido_rows *rows = lido_stream(db, "INSERT INTO children VALUES (1, 42) RETURNING id");
        while (lido_next(rows))
            ;
        saw_error(db);
        lido_rows_close(rows);
        rows = lido_stream(db, "INSERT INTO children VALUES (1, 42), (2, 42) RETURNING id");
        lido_next(rows);
        lido_rows_close(rows);
        saw_error(db);
        saw("%s", lido_status_name(lido_commit(db)));
        lido_session_close(db);
        see_children(engine);
    }
}

static void story_of_many_streams_in_one_transaction(lido_engine *engine) {
    make_tables(engine);
    lido_session *db = lido_session_open(engine, NULL);
    for (int i = 0; i < 100; i++) {
        lido_rows *rows = lido_stream(db, "SELECT id FROM parents");
        while (lido_next(rows))
            ;
        lido_rows_close(rows);
        if (i == 50)
            lido_savepoint (db)
                lido_rows_close(lido_stream(db, "SELECT id FROM parents"));
    }
    lido_exec(db, "INSERT INTO children VALUES (1, 1)");
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
    see_children(engine);
}

/* Read slowly, a stream keeps its transaction open, too. */
static void story_of_a_stream_that_outlasts_its_transaction(lido_engine *engine) {
    lido_session *db = open_with(engine, (lido_session_options){.transaction_timeout_ms = 200});
    lido_rows *rows =
        lido_stream(db, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n");
    while (lido_next(rows))
        ;
    saw_error(db);
    saw("%s", lido_status_name(lido_commit(db)));
    saw("%d", (int)lido_query_value(db, "SELECT 1").as.integer);
    lido_session_close(db);
}

int main(void) {
    const scenario scenarios[] = {
        {"streams in every kind of session", story_of_isolated_streams,
         "ok\n"
         "1 rows\n1 rows\nno error\n"
         "1 rows\n1 rows\nno error\n"
         "1 rows\n1 rows\nno error\n"
         "1 rows\n1 rows\nno error\n"},
        {"streams that write, in autocommit mode", story_of_streams_that_write,
         "ok\n"
         "0 rows\n1 rows\nno error\n4 children\n"
         "0 rows\n1 rows\nno error\n8 children\n"},
        {"an error that comes after the last row", story_of_an_error_after_the_last_row,
         "ok\n"
         "0 rows\nforeign key violation\nforeign key violation\nforeign key violation\nerror\n0 children\n"
         "0 rows\nforeign key violation\nforeign key violation\nforeign key violation\nerror\n0 children\n"},
        {"many streams in one transaction", story_of_many_streams_in_one_transaction,
         "ok\n"
         "ok\n"
         "1 children\n"},
        {"a stream that outlasts its transaction", story_of_a_stream_that_outlasts_its_transaction,
         "timeout\n"
         "rolled back\n"
         "1\n"},
    };
    return scenarios_run("stream_end", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
