/* Streams: rows that are read as they come, in little memory, while the session can do nothing else. */
#include "support/items.h"

static void story_of_a_long_stream(lido_engine *engine) {
    static const size_t most = 4 * 1024 * 1024;
    lido_session *db = lido_session_open(engine, NULL);
    char filling[501];
    memset(filling, 'x', 500);
    filling[500] = '\0';
    lido_query_value(db, "SELECT 1");
    size_t at_start = scenario_allocated();
    size_t highest = 0;
    const char *number;
    const char *rest;
    int64_t sum = 0;
    int64_t bytes = 0;
    lido_rows *stream = lido_stream(db, NUMBERS(200000) "SELECT n, CAST(? AS text) AS filling FROM numbers", filling);
    saw("%d rows are known, %zu columns, \"%s\"", (int)lido_row_count(stream), lido_column_count(stream),
        lido_column_name(stream, 1));
    while (lido_next(stream) && lido_scan(stream, &number, &rest)) {
        assert_string_equal(lido_get_text(stream, 0), number); /* made of an integer, twice */
        sum += lido_get_int64(stream, 0);
        bytes += (int64_t)lido_get(stream, 1).size;
        if (sum % 1000 == 0 && scenario_allocated() > highest)
            highest = scenario_allocated();
    }
    saw("sum %lld, %lld bytes", (long long)sum, (long long)bytes);
    assert_true(highest > 0 && highest < at_start + most);
    saw("after the end: %d", lido_next(stream));
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
}

/* A stream has the connection to itself. */
static void story_of_a_busy_session(lido_engine *engine) {
    lido_session *db = open_with_items(engine, "bed");
    lido_commit(db);
    lido_rows *stream = lido_stream(db, "SELECT name FROM items ORDER BY id");
    saw("%s", next_text(stream));
    saw("%d", lido_query(db, "SELECT 1") == NULL);
    saw("%s", lido_error_of(db)->message);
    saw("%s", next_text(stream));
    saw("%s", lido_status_name(lido_commit(db)));
    saw("%d", count_items(db));
    lido_rollback(db);

    stream = lido_stream(db, "SELECT name FROM items ORDER BY id");
    lido_send(db, "DELETE FROM items");
    saw_error(db);
    lido_rollback(db);
    saw("%d", count_items(db));
    lido_session_close(db);
    lido_session *autocommit = open_autocommit(engine);
    stream = lido_stream(autocommit, "SELECT name FROM items ORDER BY id");
    saw("%d", count_items(autocommit));
    saw_error(autocommit);
    lido_rows_close(stream);
    saw("%d", count_items(autocommit));
    lido_session_close(autocommit);
}

static void story_of_streams_in_a_transaction(lido_engine *engine) {
    lido_session *db = open_with_items(engine, "bed");
    lido_send(db, "INSERT INTO items VALUES (4, 'desk')");
    lido_rows *stream = lido_stream(db, "SELECT name FROM items ORDER BY id DESC");
    saw("%s", next_text(stream));
    saw("%s", next_text(stream));
    lido_rows_close(stream);
    saw("%d", (int)lido_exec(db, "INSERT INTO items VALUES (5, 'shelf')"));
    stream = lido_stream(db, NUMBERS(200000) "SELECT n FROM numbers"); /* too long to have arrived already */
    saw("%s", next_text(stream));
    lido_rows_close(stream);
    saw("%d", (int)lido_exec(db, "INSERT INTO items VALUES (6, 'rug')"));
    for (int i = 0; i < 50; i++) {
        stream = lido_stream(db, "SELECT name FROM items WHERE id = ?", i);
        while (lido_next(stream)) {
        }
    }
    lido_savepoint (db) {
        stream = lido_stream(db, NUMBERS(200000) "SELECT n FROM numbers");
        lido_next(stream);
    }
    saw("failed: %d", lido_failed(db));
    saw("%s", lido_status_name(lido_commit(db)));
    saw("%d", count_items(db));
    lido_session_close(db);
}

static void story_of_streams_closed_in_autocommit_mode(lido_engine *engine) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 1;
    options.max_overflow = 0;
    options.pool_timeout_ms = 2000;
    (void)engine;
    lido_engine *small = scenario_engine(&options);
    lido_session *db = open_autocommit(small);
    for (int i = 0; i < 5; i++) {
        lido_rows *stream = lido_stream(db, NUMBERS(200000) "SELECT n FROM numbers");
        saw("%s", next_text(stream));
        lido_rows_close(stream);
        lido_session *other = open_autocommit(small); /* finds the only connection free, and quiet */
        saw("%d", (int)lido_query_value(other, "SELECT 6 + 1").as.integer);
        lido_session_close(other);
    }
    lido_session_close(db);
    lido_engine_close(small);
}

/* The stream ends with the transaction; what is left of it can still be asked, and closed. */
static void story_of_a_commit_with_an_open_stream(lido_engine *engine) {
    lido_session *db = open_with_items(engine, "bed");
    lido_rows *stream = lido_stream(db, NUMBERS(200000) "SELECT n FROM numbers");
    saw("%s", next_text(stream));
    saw("%s", lido_status_name(lido_commit(db)));
    saw("%d", count_items(db));
    saw("%s", next_text(stream));
    lido_rows_close(stream);
    stream = lido_stream(db, "SELECT name FROM items");
    lido_rollback(db);
    saw("%s", next_text(stream));
    saw("failed: %d", lido_failed(db));
    lido_session_close(db);
}

static void story_of_a_stream_that_writes(lido_engine *engine) {
    static const char sql[] = "INSERT INTO items SELECT id + 100, name FROM items RETURNING id";
    lido_session *db = open_with_items(engine, "bed");
    lido_rows *stream = lido_stream(db, sql);
    int rows = 0;
    while (lido_next(stream))
        rows++;
    saw("%d rows, %d changed", rows, (int)lido_affected(stream));
    stream = lido_stream(db, "INSERT INTO items SELECT id + 1000, name FROM items RETURNING id");
    saw("%d", lido_next(stream));
    lido_rows_close(stream);
    saw("%d", count_items(db)); /* all of them, though only one was looked at */
    stream = lido_stream(db, "UPDATE items SET name = 'x' WHERE id > 3");
    saw("%d changed, %zu columns, %d", (int)lido_affected(stream), lido_column_count(stream), lido_next(stream));
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
    lido_session *autocommit = open_autocommit(engine);
    stream = lido_stream(autocommit, "INSERT INTO items SELECT id + 10000, name FROM items RETURNING id");
    saw("%d", lido_next(stream));
    lido_rows_close(stream);
    saw("%d", count_items(autocommit));
    stream = lido_stream(autocommit, "DELETE FROM items WHERE id > 1000");
    saw("%d changed", (int)lido_affected(stream));
    saw("%d", count_items(autocommit)); /* a statement without rows leaves no stream open */
    lido_session_close(autocommit);
}

/* Reads until it fails, which abs() does at row 1000: the largest integer is less than what it would give. */
static int read_until_it_fails(lido_session *db) {
    lido_rows *stream =
        lido_stream(db, NUMBERS(200000) "SELECT abs(CASE WHEN n = 1000 THEN -9223372036854775807 - 1 ELSE n END) "
                                        "FROM numbers");
    int rows = 0;
    while (lido_next(stream))
        rows++;
    assert_false(lido_next(stream));
    return rows;
}

static void story_of_a_stream_that_fails(lido_engine *engine) {
    lido_session *db = open_with_items(engine, "bed");
    lido_commit(db);
    saw("%d rows", read_until_it_fails(db));
    saw_error(db);
    saw("%s", lido_error_of(db)->sqlstate);
    saw("%s", lido_status_name(lido_commit(db)));
    lido_exec(db, "INSERT INTO items VALUES (4, 'desk')");
    lido_savepoint (db)
        saw("%d rows", read_until_it_fails(db));
    saw("failed: %d", lido_failed(db));
    saw("%s", lido_status_name(lido_commit(db)));
    lido_session_close(db);
    lido_session *autocommit = open_autocommit(engine);
    saw("%d rows", read_until_it_fails(autocommit));
    saw_error(autocommit);
    saw("%d", count_items(autocommit));
    lido_rows *none = lido_stream(autocommit, "SELECT * FROM no_such_table");
    saw("%d", none == NULL);
    saw_error(autocommit);
    saw("%d", count_items(autocommit));
    lido_session_close(autocommit);
}

/* SQLite makes NULL of it. */
static void story_of_a_division_by_zero(lido_engine *engine) {
    if (!scenario_is_postgres())
        return;
    lido_session *db = open_with_items(engine, "bed");
    lido_savepoint (db) {
        lido_rows *stream = lido_stream(db, NUMBERS(200000) "SELECT 1 / (n - 50000) FROM numbers");
        int rows = 0;
        while (lido_next(stream))
            rows++;
        assert_int_equal(rows, 49999);
        assert_string_equal(lido_error_of(db)->sqlstate, "22012");
        assert_int_equal(lido_error_of(db)->category, LIDO_ERROR_TYPE);
    }
    assert_int_equal(count_items(db), 3);
    lido_session_close(db);
}

/* A value that is read wrongly makes the session fail and leaves the stream open. */
static void story_of_a_stream_read_wrongly(lido_engine *engine) {
    lido_session *db = open_with_items(engine, "bed");
    lido_commit(db);
    lido_rows *stream = lido_stream(db, "SELECT name FROM items ORDER BY id");
    int number;
    int rows = 0;
    while (lido_next(stream) && lido_scan(stream, &number))
        rows++;
    saw("%d rows", rows);
    saw_error(db);
    saw("%d", lido_next(stream));
    saw("%s", lido_status_name(lido_commit(db)));
    saw("%d", count_items(db));
    lido_session_close(db);
}

static void story_of_a_read_only_stream(lido_engine *engine) {
    lido_session *db = open_with_items(engine, "bed");
    lido_commit(db);
    lido_session_close(db);
    db = lido_session_open(engine, &(lido_session_options){.autocommit = true, .read_only = true});
    lido_rows *stream = lido_stream(db, "SELECT name FROM items ORDER BY id");
    for (int i = 0; i < 4; i++)
        saw("%s", next_text(stream));
    stream = lido_stream(db, NUMBERS(200000) "SELECT n FROM numbers");
    saw("%s", next_text(stream));
    lido_rows_close(stream);
    saw("%d rows", read_until_it_fails(db));
    saw("%d", lido_stream(db, "INSERT INTO items VALUES (4, 'desk') RETURNING id") == NULL);
    saw_error(db);
    saw("%d", count_items(db));
    lido_session_close(db);
}

static void story_of_a_session_closed_with_an_open_stream(lido_engine *engine) {
    lido_options options = LIDO_OPTIONS_INIT;
    options.pool_size = 1;
    options.max_overflow = 0;
    options.pool_timeout_ms = 2000;
    (void)engine;
    lido_engine *small = scenario_engine(&options);
    lido_session *db = open_with_items(small, "bed");
    lido_commit(db);
    lido_exec(db, "DELETE FROM items");
    lido_next(lido_stream(db, NUMBERS(200000) "SELECT n FROM numbers"));
    saw("%s", lido_status_name(lido_session_close(db)));
    lido_session *autocommit = open_autocommit(small);
    saw("%d", count_items(autocommit));
    lido_next(lido_stream(autocommit, NUMBERS(200000) "SELECT n FROM numbers"));
    saw("%s", lido_status_name(lido_session_close(autocommit)));
    lido_status outcome;
    lido_transaction (block, small, &outcome) {
        lido_exec(block, "DELETE FROM items WHERE id = 1");
        lido_next(lido_stream(block, NUMBERS(200000) "SELECT n FROM numbers"));
    }
    saw("%s", lido_status_name(outcome));
    autocommit = open_autocommit(small);
    saw("%d", count_items(autocommit));
    lido_session_close(autocommit);
    lido_engine_close(small);
}

int main(void) {
    const scenario scenarios[] = {
        {"a long stream", story_of_a_long_stream,
         "-1 rows are known, 2 columns, \"filling\"\n"
         "sum 20000100000, 100000000 bytes\n"
         "after the end: 0\n"
         "ok\n"},
        {"a busy session", story_of_a_busy_session,
         "lamp\n"
         "1\n"
         "a stream is still open in this session: read it to its end or close it first\n"
         "none\n"
         "rolled back\n"
         "3\n"
         "misuse\n"
         "3\n"
         "0\n"
         "misuse\n"
         "3\n"},
        {"streams in a transaction", story_of_streams_in_a_transaction,
         "desk\n"
         "bed\n"
         "1\n"
         "1\n"
         "1\n"
         "failed: 0\n"
         "ok\n"
         "6\n"},
        {"streams closed in autocommit mode", story_of_streams_closed_in_autocommit_mode,
         "1\n"
         "7\n"
         "1\n"
         "7\n"
         "1\n"
         "7\n"
         "1\n"
         "7\n"
         "1\n"
         "7\n"},
        {"a commit with an open stream", story_of_a_commit_with_an_open_stream,
         "1\n"
         "ok\n"
         "3\n"
         "none\n"
         "none\n"
         "failed: 0\n"},
        {"a stream that writes", story_of_a_stream_that_writes,
         "3 rows, 3 changed\n"
         "1\n"
         "12\n"
         "9 changed, 0 columns, 0\n"
         "ok\n"
         "1\n"
         "24\n"
         "18 changed\n"
         "6\n"},
        {"a stream that fails", story_of_a_stream_that_fails,
         "999 rows\n"
         "type mismatch\n"
         "22003\n"
         "rolled back\n"
         "999 rows\n"
         "failed: 0\n"
         "ok\n"
         "999 rows\n"
         "type mismatch\n"
         "4\n"
         "1\n"
         "syntax error or unknown name\n"
         "4\n"},
        {"a division by zero", story_of_a_division_by_zero, ""},
        {"a stream read wrongly", story_of_a_stream_read_wrongly,
         "0 rows\n"
         "type mismatch\n"
         "0\n"
         "rolled back\n"
         "3\n"},
        {"a read-only stream", story_of_a_read_only_stream,
         "lamp\n"
         "chair\n"
         "bed\n"
         "none\n"
         "1\n"
         "999 rows\n"
         "1\n"
         "read-only\n"
         "3\n"},
        {"a session closed with an open stream", story_of_a_session_closed_with_an_open_stream,
         "rolled back\n"
         "3\n"
         "ok\n"
         "ok\n"
         "2\n"},
    };
    return scenarios_run("stream", scenarios, sizeof scenarios / sizeof scenarios[0]);
}
